//! Counts, sums, means, variances and extremes over the newest records *before* this one.
//!
//! - Makes: `step.name` for each entry of `make`. Of no records all are 0. The variance is the mean
//!   squared distance to the mean.
//! - A span of time reaches back from the greatest event time seen so far, the record's own
//!   included: what lies exactly the span back is out. A record that comes late counts from when it
//!   came, at that greatest time. So one record from the far future empties the window, and holds
//!   its clock until the log has caught up: refuse such records where they enter.
//! - Bounds: a value beyond ±1e140 counts as ±1e140.
//! - Cost: time constant for each record learned, logarithmic for each feature made; memory 8 bytes
//!   a record for the time, for each number read, and for each kind of value kept of it (a sum and
//!   a mean share one, a variance needs one more), rounded up to a power of two.
//! - No drift: nothing is ever subtracted, see `blocks`.
//! - Not for: one window for each key, medians, numbers of distinct values.

use std::collections::{BTreeMap, VecDeque};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    blocks::{Blocks, Keep},
    shared::{bounded, read_number},
};
use crate::{
    ConfigError, FeatureStep, Over, Reader, Row, Scope, SlotKind, State, StateError, StepComponent,
    Time, Writer, check_count,
};

/// The most records a window may have.
const RECORDS_MAX: u64 = 10_000_000;

/// Settings of [`Window`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How far back: so many records, or a span of event time. Range: 1 to 10,000,000 records, or 1
    /// ms and more. Default: `"1000 records"`. Raise it for features that are steadier and follow a
    /// change later.
    pub over: Over,
    /// The most records kept for a span of time; beyond it the oldest go, and the window is shorter
    /// than it says. Without effect on an `over` in records. Range: 1 to 10,000,000 records.
    /// Default: 100,000. Raise it for a topic of more records in that span.
    pub records_max: u64,
    /// What to make, each under its name: `make.spend.sum = "amount"` makes `step.spend`. The order
    /// of the names is the order of the features. At least one; no name with a dot. Default: none,
    /// so it has to be given.
    pub make: BTreeMap<String, Make>,
}

impl Default for Config {
    fn default() -> Config {
        Config { over: Over::Records(1000), records_max: 100_000, make: BTreeMap::new() }
    }
}

/// What to make of the records in a window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Make {
    /// How many there are.
    Count,
    /// The sum of this number: a field or `step.field`.
    Sum(String),
    /// The mean of this number.
    Mean(String),
    /// The mean squared distance of this number to its mean.
    Variance(String),
    /// The least of this number.
    Min(String),
    /// The greatest of this number.
    Max(String),
}

impl Make {
    /// Its name in the settings, and the number it reads.
    fn parts(&self) -> (&'static str, Option<&String>) {
        match self {
            Make::Count => ("count", None),
            Make::Sum(of) => ("sum", Some(of)),
            Make::Mean(of) => ("mean", Some(of)),
            Make::Variance(of) => ("variance", Some(of)),
            Make::Min(of) => ("min", Some(of)),
            Make::Max(of) => ("max", Some(of)),
        }
    }
}

/// The step. Invariant: a window over time has a stamp for each record, in rising order, and a
/// clock at or after the last once it has one; a window over records has neither.
#[derive(Clone, Debug)]
pub struct Window {
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
        if name.is_empty() || name.contains('.') {
            return Err(ConfigError::new("make", format!("{name:?}"), "named without a dot"));
        }
        let (kind, Some(of)) = make.parts() else {
            return Ok(Feature::Count);
        };
        let setting = format!("make.{name}.{kind}");
        let inputs = scope.numbers(&setting, std::slice::from_ref(of))?;
        let [(_, slot)] = inputs.as_slice() else {
            return Err(ConfigError::new(&setting, of, "the name of one number: `step.field`"));
        };
        let column = from.iter().position(|taken| taken == slot).unwrap_or_else(|| {
            from.push(*slot);
            blocks.add_column()
        });
        let mut lane = |keep| blocks.lane(column, keep);
        Ok(match make {
            Make::Count => Feature::Count,
            Make::Sum(_) => Feature::All(lane(Keep::Sum)),
            Make::Mean(_) => Feature::PerRecord(lane(Keep::Sum)),
            Make::Variance(_) => {
                let sums = lane(Keep::Sum);
                Feature::PerRecord(lane(Keep::Squares { sums }))
            }
            Make::Min(_) => Feature::All(lane(Keep::Least)),
            Make::Max(_) => Feature::All(lane(Keep::Greatest)),
        })
    }
}

impl StepComponent for Window {
    const NAME: &'static str = "window";
    type Config = Config;

    fn reads(config: &Config) -> Vec<String> {
        config.make.values().filter_map(|make| make.parts().1.cloned()).collect()
    }

    fn new(config: Config, scope: &mut Scope<'_>) -> Result<Window, ConfigError> {
        let Config { over, records_max, make } = config;
        check_count("records_max", records_max, 1, RECORDS_MAX)?;
        let (records_max, span) = match over {
            Over::Records(count) if (1..=RECORDS_MAX).contains(&count) => (count, None),
            Over::Time(span @ 1..) => (records_max, Some(span)),
            Over::Records(_) | Over::Time(_) => {
                let must_be = format!("from 1 to {RECORDS_MAX} records, or 1 ms and more");
                return Err(ConfigError::new("over", over, &must_be));
            }
        };
        if make.is_empty() {
            let must_be = r#"at least one feature, as `make.count = "count"`"#;
            return Err(ConfigError::new("make", "{}", must_be));
        }
        let (mut from, mut blocks) = (Vec::new(), Blocks::new());
        let features = make
            .iter()
            .map(|(name, make)| Feature::new(name, make, scope, &mut from, &mut blocks))
            .collect::<Result<_, _>>()?;
        let names: Vec<_> =
            make.into_keys().map(|name| scope.feature(&name, SlotKind::Number)).collect();
        let to = names.first().copied().unwrap_or(0);
        let (clock, stamps) = (None, VecDeque::new());
        Ok(Window { records_max, span, clock, stamps, blocks, from: from.into(), features, to })
    }
}

impl Window {
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
const FORMAT: u16 = 1;

impl State for Window {
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
        from.format("window", FORMAT)?;
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
        size_of::<Window>()
            + self.stamps.capacity() * size_of::<Time>()
            + self.blocks.heap_bytes()
            + size_of_val(&*self.from)
            + size_of_val(&*self.features)
    }
}

impl FeatureStep for Window {
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

#[cfg(test)]
mod tests {
    use super::super::shared::tests::*;
    use super::*;
    use crate::math;

    fn config(over: &str, make: &[(&str, Make)]) -> Config {
        let make = make.iter().map(|(name, make)| (name.to_string(), make.clone())).collect();
        Config { over: over.parse().unwrap(), make, ..Config::default() }
    }

    /// Every kind of feature, in the order of the names.
    fn every_kind(over: &str) -> Config {
        let x = || "x".to_string();
        config(
            over,
            &[
                ("a_count", Make::Count),
                ("b_sum", Make::Sum(x())),
                ("c_mean", Make::Mean(x())),
                ("d_variance", Make::Variance(x())),
                ("e_min", Make::Min(x())),
                ("f_max", Make::Max(x())),
            ],
        )
    }

    #[test]
    fn features_are_named_by_make_in_the_order_of_the_names() {
        let config = config("2 records", &[("spend", Make::Sum("x".into())), ("n", Make::Count)]);
        assert_eq!(made::<Window>(config, &["x"]), ["step.n", "step.spend"]);
    }

    /// Over 2 records: 1 and 5 have mean 3 and variance 4; 5 and 3 have mean 4 and variance 1.
    #[test]
    fn a_record_sees_the_records_before_it() {
        let mut step: Window = build(every_kind("2 records"), &mut numbers(&["x"])).unwrap();
        assert_eq!(next(&mut step, &[1.0], 6, 0), [0.0; 6]);
        assert_eq!(next(&mut step, &[5.0], 6, 0), [1.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
        assert_eq!(next(&mut step, &[3.0], 6, 0), [2.0, 6.0, 3.0, 4.0, 1.0, 5.0]);
        assert_eq!(next(&mut step, &[0.0], 6, 0), [2.0, 8.0, 4.0, 1.0, 3.0, 5.0]);
    }

    #[test]
    fn what_lies_a_whole_span_back_is_out() {
        let config = config("10 ms", &[("sum", Make::Sum("x".into()))]);
        let mut step: Window = build(config, &mut numbers(&["x"])).unwrap();
        assert_eq!(next(&mut step, &[1.0], 1, 0), [0.0]);
        assert_eq!(next(&mut step, &[2.0], 1, 9), [1.0]);
        assert_eq!(next(&mut step, &[4.0], 1, 10), [2.0]);
        // Late by 7: it sees what is there at the clock, and counts from then on.
        assert_eq!(next(&mut step, &[8.0], 1, 3), [6.0]);
        assert_eq!(next(&mut step, &[0.0], 1, 19), [12.0]);
        assert_eq!(next(&mut step, &[0.0], 1, 20), [0.0]);
    }

    /// At both ends of what a time can be, and over a span longer than all of them.
    #[test]
    fn the_least_and_the_greatest_time_are_times_like_others() {
        let counts = |over: &str, times: &[Time]| -> Vec<f64> {
            let config = config(over, &[("count", Make::Count)]);
            let mut step: Window = build(config, &mut numbers(&["x"])).unwrap();
            times.iter().map(|time| next(&mut step, &[1.0], 1, *time)[0]).collect()
        };
        let (least, greatest) = (Time::MIN, Time::MAX);
        assert_eq!(counts("10 ms", &[least, least + 9, least + 10]), [0.0, 1.0, 1.0]);
        assert_eq!(counts("10 ms", &[greatest - 9, greatest, greatest]), [0.0, 1.0, 2.0]);
        assert_eq!(counts("10 ms", &[least, greatest]), [0.0, 0.0]);
        let longest = format!("{} ms", u64::MAX);
        assert_eq!(counts(&longest, &[least, 0, greatest - 1, greatest]), [0.0, 1.0, 2.0, 2.0]);
    }

    #[test]
    fn beyond_the_most_records_the_oldest_go() {
        let counting = config("1 h", &[("sum", Make::Sum("x".into()))]);
        let config = Config { records_max: 3, ..counting };
        let mut step: Window = build(config, &mut numbers(&["x"])).unwrap();
        let sums: Vec<f64> =
            (1..=6).map(|value| next(&mut step, &[f64::from(value)], 1, 0)[0]).collect();
        assert_eq!(sums, [0.0, 1.0, 3.0, 6.0, 9.0, 12.0]);
    }

    #[test]
    fn asking_about_the_future_forgets_nothing() {
        let config = config("10 ms", &[("count", Make::Count)]);
        let mut step: Window = build(config, &mut numbers(&["x"])).unwrap();
        next(&mut step, &[1.0], 1, 0);
        let ask = |time| {
            let mut values = [0.0; 2];
            let (blocks, texts) = (&mut [][..], Default::default());
            step.apply(&mut Row { values: &mut values, blocks, ids: &[], texts, time });
            values[1]
        };
        assert_eq!([ask(5), ask(10), ask(5)], [1.0, 0.0, 1.0]);
        step.observe(&Row {
            values: &mut [1.0, 0.0],
            blocks: &mut [],
            ids: &[],
            texts: Default::default(),
            time: 5,
        });
        assert_eq!(step.blocks.len(), 2);
    }

    /// The window, recomputed from all records for each one.
    fn naive(span: Option<i64>, records_max: usize, records: &[(f64, Time)]) -> Vec<[f64; 6]> {
        let mut answers = Vec::new();
        let mut clock = i64::MIN;
        let mut past: Vec<(f64, Time)> = Vec::new();
        for (value, time) in records {
            clock = clock.max(*time);
            let is_in = |(_, stamp): &&(f64, Time)| span.is_none_or(|span| *stamp > clock - span);
            let newest = &past[past.len().saturating_sub(records_max)..];
            let values: Vec<f64> = newest.iter().filter(is_in).map(|(value, _)| *value).collect();
            let (count, sum) = (values.len() as f64, values.iter().sum::<f64>());
            let mean = if count > 0.0 { sum / count } else { 0.0 };
            let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
            let least = values.iter().copied().reduce(f64::min).unwrap_or(0.0);
            let greatest = values.iter().copied().reduce(f64::max).unwrap_or(0.0);
            answers.push([count, sum, mean, squares / count.max(1.0), least, greatest]);
            past.push((*value, clock));
        }
        answers
    }

    #[test]
    fn any_window_is_what_it_is_from_scratch() {
        for seed in 0..60u64 {
            let draw = |counter: u64, below: u64| math::random_bits(seed, counter) % below;
            let length = 1 + draw(0, 80);
            let records_max = 1 + draw(1, 60);
            let timed = draw(2, 2) == 0;
            let mut time = -500;
            let records: Vec<(f64, Time)> = (0..300)
                .map(|index| {
                    // Whole numbers, so that every order of addition gives the same sum.
                    time += draw(10 + 3 * index, 12) as i64 - 3;
                    let jump = if draw(11 + 3 * index, 40) == 0 { 70 } else { 0 };
                    (draw(12 + 3 * index, 2001) as f64 - 1000.0, time + jump)
                })
                .collect();
            let (over, most) = match timed {
                true => (format!("{length} ms"), records_max),
                false => (format!("{records_max} records"), records_max),
            };
            let config = Config { records_max, ..every_kind(&over) };
            let mut step: Window = build(config, &mut numbers(&["x"])).unwrap();
            let expected = naive(timed.then_some(length as i64), most as usize, &records);
            for (index, ((value, time), expected)) in records.iter().zip(expected).enumerate() {
                let seen = next(&mut step, &[*value], 6, *time);
                for (seen, expected) in seen.iter().zip(expected) {
                    let close = (seen - expected).abs() <= 1e-12 * expected.abs();
                    assert!(close, "seed {seed}, record {index}: {seen} is not {expected}");
                }
            }
        }
    }

    #[test]
    fn settings_that_cannot_be_are_refused() {
        let refused =
            |config: Config| build::<Window>(config, &mut numbers(&["x", "y"])).unwrap_err();
        let count = [("count", Make::Count)];
        let over = Config { over: Over::Records(RECORDS_MAX + 1), ..config("1 s", &count) };
        assert_eq!(refused(over).field, "over");
        let most = Config { records_max: 0, ..config("1 s", &count) };
        assert_eq!(refused(most).field, "records_max");
        assert_eq!(refused(Config::default()).field, "make");
        assert_eq!(refused(config("1 s", &[("a.b", Make::Count)])).field, "make");
        let error = refused(config("1 s", &[("spend", Make::Sum("z".into()))]));
        assert_eq!(error.field, "make.spend.sum");
    }

    /// With nothing but a count, a record takes no bytes, so the bytes that are there bound
    /// nothing.
    #[test]
    fn a_state_of_impossible_numbers_is_refused_at_once() {
        let restored = |first: u64, count: usize| {
            let config = config("9 records", &[("count", Make::Count)]);
            let mut step: Window = build(config, &mut numbers(&["x"])).unwrap();
            let mut to = Writer::new();
            to.u16(FORMAT);
            to.u64(first);
            to.bool(false);
            to.len(count);
            step.restore(&mut Reader::new(to.bytes()))
        };
        let refused = Err(StateError::Unfit { what: "window has too many records" });
        assert_eq!(restored(0, 9), Ok(()));
        assert_eq!(restored(0, 10), refused);
        assert_eq!(restored(0, usize::MAX), refused);
        assert_eq!(restored(u64::MAX, 9), refused);
    }

    #[test]
    fn a_choice_is_a_word_or_a_kind_and_its_number() {
        let text =
            r#"{ "over": "10 min", "make": { "count": "count", "heat": { "mean": "celsius" } } }"#;
        let read: Config = serde_json::from_str(text).unwrap();
        assert_eq!(read.over, Over::Time(600_000));
        assert_eq!(read.make["count"], Make::Count);
        assert_eq!(read.make["heat"], Make::Mean("celsius".into()));
    }
}
