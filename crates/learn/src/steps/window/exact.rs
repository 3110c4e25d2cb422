//! A window without a key, over the newest records or a span of time: exact to the last record.

use std::collections::{BTreeMap, VecDeque};

use super::{make::Make, read_format, slots};
use crate::{
    ConfigError, FeatureStep, Over, Reader, Row, Scope, State, StateError, Time, Writer,
    steps::{
        blocks::{Blocks, Keep},
        shared::{bounded, read_number},
    },
};

/// The window. Invariant: a window over time has a stamp for each record, in rising order, and a
/// clock at or after the last once it has one; a window over records has neither.
#[derive(Clone, Debug)]
pub(super) struct Exact {
    records_max: u64,
    /// In milliseconds; none where the window is over records.
    span: Option<u64>,
    clock: Option<Time>,
    stamps: VecDeque<Time>,
    blocks: Blocks,
    /// Where each column of `blocks` is read.
    from: Box<[usize]>,
    features: Box<[Feature]>,
    /// The first of as many slots as there are features, side by side.
    to: usize,
}

/// How a feature is made.
#[derive(Clone, Copy, Debug)]
enum Feature {
    /// The number of records.
    Count,
    /// What this lane of the blocks holds.
    All(usize),
    /// The same, divided by the number of records.
    PerRecord(usize),
}

impl Feature {
    /// Finds what a feature needs, and adds to `from` and `blocks` what is not there yet.
    fn new(
        name: &str,
        make: &Make,
        scope: &Scope<'_>,
        from: &mut Vec<usize>,
        blocks: &mut Blocks,
    ) -> Result<Feature, ConfigError> {
        let Some(slot) = make.number(name, scope)? else {
            return Ok(Feature::Count);
        };
        let column = from.iter().position(|taken| *taken == slot).unwrap_or_else(|| {
            from.push(slot);
            blocks.add_column()
        });
        let mut lane = |keep| blocks.lane(column, keep);
        Ok(match make {
            Make::Sum(_) => Feature::All(lane(Keep::Sum)),
            Make::Mean(_) => Feature::PerRecord(lane(Keep::Sum)),
            Make::Variance(_) => {
                let sums = lane(Keep::Sum);
                Feature::PerRecord(lane(Keep::Squares { sums }))
            }
            Make::Min(_) => Feature::All(lane(Keep::Least)),
            Make::Max(_) => Feature::All(lane(Keep::Greatest)),
            Make::Count | Make::Distinct(_) | Make::Quantile(_) | Make::TimeSince => {
                unreachable!("a window with these is kept in panes")
            }
        })
    }
}

impl Exact {
    /// A window over so many records, or over a span of time with so many at most.
    pub(super) fn new(
        over: Over,
        records_max: u64,
        make: &BTreeMap<String, Make>,
        scope: &mut Scope<'_>,
    ) -> Result<Exact, ConfigError> {
        let (records_max, span) = match over {
            Over::Records(count) => (count, None),
            Over::Time(span) => (records_max, Some(span)),
        };
        let (mut from, mut blocks) = (Vec::new(), Blocks::new());
        let features = make
            .iter()
            .map(|(name, make)| Feature::new(name, make, scope, &mut from, &mut blocks))
            .collect::<Result<_, _>>()?;
        let to = slots(make, scope);
        let (clock, stamps) = (None, VecDeque::new());
        Ok(Exact { records_max, span, clock, stamps, blocks, from: from.into(), features, to })
    }

    /// The clock once a record of that time is there.
    fn clock_at(&self, time: Time) -> Time {
        self.clock.map_or(time, |clock| clock.max(time))
    }

    /// The number of the first record that is in the window at that clock.
    fn first_at(&self, clock: Time) -> u64 {
        let (first, _) = self.blocks.ends();
        let Some(span) = self.span else { return first };
        // No stamp is after the clock. Not `clock - span`, which may lie before all times.
        first + self.stamps.partition_point(|stamp| clock.abs_diff(*stamp) >= span) as u64
    }

    fn forget_below(&mut self, first: u64) {
        let gone = first - self.blocks.ends().0;
        self.blocks.forget_below(first);
        if self.span.is_some() {
            self.stamps.drain(..gone as usize);
        }
    }
}

/// Format 1: the number of the oldest record, the clock if there is one, how many records there
/// are, their stamps if the window is over time, and column by column their values.
pub(super) const FORMAT: u16 = 1;

impl State for Exact {
    fn save(&self, to: &mut Writer) {
        let (first, end) = self.blocks.ends();
        to.u16(FORMAT);
        to.u64(first);
        to.bool(self.clock.is_some());
        if let Some(clock) = self.clock {
            to.i64(clock);
        }
        to.len(self.blocks.len());
        for stamp in &self.stamps {
            to.i64(*stamp);
        }
        for column in 0..self.from.len() {
            for record in first..end {
                to.f64(self.blocks.value(column, record));
            }
        }
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        read_format(from, FORMAT)?;
        let first = from.u64()?;
        self.clock = if from.bool()? { Some(from.i64()?) } else { None };
        let timed = self.span.is_some();
        let bytes_a_record = 8 * (self.from.len() + usize::from(timed));
        let count = from.len(bytes_a_record)?;
        if first >> 62 != 0 || count as u64 > self.records_max {
            return Err(StateError::Unfit { what: "window has too many records" });
        }
        self.stamps.clear();
        if timed {
            for _ in 0..count {
                self.stamps.push_back(from.i64()?);
            }
        }
        if !self.stamps.iter().is_sorted() || self.stamps.back().copied() > self.clock {
            return Err(StateError::Unfit { what: "window has stamps out of order" });
        }
        if !timed && self.clock.is_some() {
            return Err(StateError::Unfit { what: "window has a clock and is not over time" });
        }
        let is_right = |value: f64| bounded(value) == value;
        let mut values = Vec::with_capacity(count * self.from.len());
        for _ in 0..count * self.from.len() {
            values.push(read_number(from, "window has a value out of bounds", is_right)?);
        }
        self.blocks.clear(first);
        for record in 0..count {
            self.blocks.push(|column| values[column * count + record]);
        }
        Ok(())
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<Exact>()
            + self.stamps.capacity() * size_of::<Time>()
            + self.blocks.heap_bytes()
            + size_of_val(&*self.from)
            + size_of_val(&*self.features)
    }
}

impl FeatureStep for Exact {
    fn apply(&self, row: &mut Row<'_>) {
        let first = self.first_at(self.clock_at(row.time));
        let count = (self.blocks.ends().1 - first) as f64;
        for (slot, feature) in (self.to..).zip(&self.features) {
            // Of no records every lane is `None`, and every feature 0.
            row.values[slot] = match feature {
                Feature::Count => count,
                Feature::All(lane) => self.blocks.fold(*lane, first).unwrap_or(0.0),
                Feature::PerRecord(lane) => {
                    self.blocks.fold(*lane, first).map_or(0.0, |all| all / count)
                }
            };
        }
    }

    fn observe(&mut self, row: &Row<'_>) {
        if self.span.is_some() {
            let clock = self.clock_at(row.time);
            self.clock = Some(clock);
            self.forget_below(self.first_at(clock));
        }
        if self.blocks.len() as u64 == self.records_max {
            self.forget_below(self.blocks.ends().0 + 1);
        }
        self.stamps.extend(self.span.and(self.clock));
        self.blocks.push(|column| bounded(row.values[self.from[column]]));
    }

    fn fork(&self) -> Box<dyn FeatureStep> {
        Box::new(self.clone())
    }
}
