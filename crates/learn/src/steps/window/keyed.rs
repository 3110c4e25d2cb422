//! A window for each key, in panes: so many at most, whatever the key does.
//!
//! A pane holds what is known of some neighbouring records of one key. A window of panes forgets
//! whole panes, so it never reaches further back than it says, and less far by what the newest
//! forgotten pane had. A session and a decaying window have one pane, which never ends.

use super::{
    Config,
    make::Make,
    pane::{self, Layout},
    reach::Reach,
    read_format, slots,
};
use crate::{
    Ahead, ConfigError, FeatureStep, Over, Reader, Row, Scope, State, StateError, Time, Writer,
    keyed::{Keys, Limits, Lists},
    math,
    steps::shared::{Key, bounded},
};

/// When a pane ends, and how many there are.
#[derive(Clone, Copy, Debug)]
enum Panes {
    /// One each so many milliseconds.
    Time { width: i64, count: i64 },
    /// One each so many records of the key.
    Records { width: i64, count: i64 },
    /// One, for as long as the key is known.
    One,
    /// One, in which everything weighs half after so many milliseconds.
    FadingByTime { half_life: u64 },
    /// One, in which everything weighs this much less with each record of the key.
    FadingByRecord { kept: f64 },
}

/// Words at a key's place: how many records it had, its panes, then its samples.
const RECORDS: usize = 0;
const PANES: usize = 1;
const SAMPLES: usize = 2;

/// The window. Invariant: a key that is known has at least one pane; its newest one is that of the
/// record that was seen last, and numbers of panes rise.
#[derive(Clone, Debug)]
pub(super) struct Keyed {
    key: Option<Key>,
    panes: Panes,
    keys: Keys,
    layout: Layout,
    lists: Lists,
    samples: Box<[Samples]>,
    features: Box<[Feature]>,
    /// What "time since" says where there is no record, in seconds.
    since_none: f64,
    /// The first of as many slots as there are features, side by side.
    to: usize,
}

/// The newest values of a number, each with its pane.
#[derive(Clone, Debug)]
struct Samples {
    slot: usize,
    lists: Lists,
}

/// How a feature is made.
#[derive(Clone, Copy, Debug)]
enum Feature {
    Count,
    /// What this word of the panes comes to, by its lane.
    Sum(usize),
    Mean(usize),
    Variance {
        sum: usize,
        squares: usize,
    },
    Least(usize),
    Greatest(usize),
    /// How many of so many bits, from this word on, are not set.
    Distinct {
        word: usize,
        words: usize,
    },
    Quantile {
        samples: usize,
        at: f64,
    },
    TimeSince,
}

impl Keyed {
    pub(super) fn new(config: &Config, scope: &mut Scope<'_>) -> Result<Keyed, ConfigError> {
        let key = config.by.as_ref().map(|by| Key::find(scope, by)).transpose()?;
        let limits = Limits::new(config.keys_max, config.forget_after)?;
        let limits = if key.is_some() { limits } else { Limits::one() };
        let (panes, count, limits) = panes(config, limits);
        let mut built = Parts { layout: Layout::new(), samples: Vec::new() };
        let features = config
            .make
            .iter()
            .map(|(name, make)| built.feature(name, make, panes, scope))
            .collect::<Result<_, _>>()?;
        let to = slots(&config.make, scope);
        let Parts { layout, samples } = built;
        Ok(Keyed {
            key,
            panes,
            keys: Keys::new(limits, SAMPLES + samples.len()),
            lists: Lists::new(layout.width(), count),
            layout,
            samples: samples.into(),
            features,
            since_none: limits.forget_after().map_or(0.0, |span| span as f64 / 1000.0),
            to,
        })
    }

    fn key(&self, row: &Row<'_>) -> u64 {
        self.key.map_or(0, |key| key.read(row))
    }

    /// The number of the pane of a record: at that time, and so many of its key before it.
    fn pane(&self, clock: Time, records: u64) -> i64 {
        match self.panes {
            Panes::Time { width, .. } => clock.div_euclid(width),
            Panes::Records { width, .. } => records as i64 / width,
            Panes::One | Panes::FadingByTime { .. } | Panes::FadingByRecord { .. } => 0,
        }
    }

    /// The first pane in the window whose newest is that one.
    fn first(&self, pane: i64) -> i64 {
        match self.panes {
            Panes::Time { count, .. } | Panes::Records { count, .. } => {
                pane.saturating_sub(count - 1)
            }
            Panes::One | Panes::FadingByTime { .. } | Panes::FadingByRecord { .. } => pane,
        }
    }

    /// How much of what a key had is left at that clock.
    fn kept(&self, clock: Time, seen: Time) -> f64 {
        match self.panes {
            Panes::FadingByTime { half_life } => halved(clock.abs_diff(seen) as f64, half_life),
            _ => 1.0,
        }
    }
}

/// What is left of 1 after `past`, if half is left after `half_life`.
fn halved(past: f64, half_life: u64) -> f64 {
    math::exp(-std::f64::consts::LN_2 * past / half_life as f64)
}

/// The panes of a window, the most a key may have, and after how long nothing is left of a key.
fn panes(config: &Config, limits: Limits) -> (Panes, usize, Limits) {
    let divided = |length: u64, panes: u64| {
        let width = length.div_ceil(panes).min(i64::MAX as u64);
        (width as i64, (length / width) as i64)
    };
    let over_panes = |over: Over, most: u64| match over {
        Over::Records(records) => {
            let (width, count) = divided(records, most);
            (Panes::Records { width, count }, count as usize, limits)
        }
        Over::Time(span) => {
            let (width, count) = divided(span, most);
            (Panes::Time { width, count }, count as usize, limits.at_latest(span))
        }
    };
    match config.over {
        Reach::Sliding(over) => over_panes(over, config.panes),
        Reach::Tumbling(over) => over_panes(over, 1),
        Reach::Session(gap) => (Panes::One, 1, limits.at_latest(gap.0)),
        Reach::Decay(Over::Time(half_life)) => (Panes::FadingByTime { half_life }, 1, limits),
        Reach::Decay(Over::Records(half_life)) => {
            (Panes::FadingByRecord { kept: halved(1.0, half_life) }, 1, limits)
        }
    }
}

/// What the features need, while they are gone through.
struct Parts {
    layout: Layout,
    samples: Vec<Samples>,
}

impl Parts {
    fn feature(
        &mut self,
        name: &str,
        make: &Make,
        panes: Panes,
        scope: &Scope<'_>,
    ) -> Result<Feature, ConfigError> {
        let fades = matches!(panes, Panes::FadingByTime { .. } | Panes::FadingByRecord { .. });
        let is_whole =
            matches!(make, Make::Min(_) | Make::Max(_) | Make::Distinct(_) | Make::Quantile(_));
        if fades && is_whole {
            let must_be = "count, sum, mean, variance or time_since in a window that decays";
            return Err(ConfigError::new(&format!("make.{name}"), make.kind(), must_be));
        }
        if let Make::Distinct(distinct) = make {
            let words = distinct.words(name)?;
            let setting = format!("make.{name}.distinct.of");
            let source = pane::source(scope, &setting, &distinct.of)?;
            return Ok(Feature::Distinct { word: self.layout.bits(source, words), words });
        }
        let Some(slot) = make.number(name, scope)? else {
            return Ok(if *make == Make::TimeSince { Feature::TimeSince } else { Feature::Count });
        };
        if let Make::Quantile(quantile) = make {
            let (at, most) = quantile.checked(name)?;
            self.samples.push(Samples { slot, lists: Lists::new(2, most) });
            return Ok(Feature::Quantile { samples: self.samples.len() - 1, at });
        }
        let layout = &mut self.layout;
        Ok(match make {
            Make::Mean(_) => Feature::Mean(layout.sum(slot)),
            Make::Variance(_) => {
                let sum = layout.sum(slot);
                Feature::Variance { sum, squares: layout.squares(slot, sum) }
            }
            Make::Min(_) => Feature::Least(layout.least(slot)),
            Make::Max(_) => Feature::Greatest(layout.greatest(slot)),
            _ => Feature::Sum(layout.sum(slot)),
        })
    }
}

/// What a reader sees of one key.
struct View<'a> {
    window: &'a Keyed,
    words: &'a [u64],
    /// The panes in the window, the oldest first.
    panes: [&'a [u64]; 2],
    first: i64,
    /// How much is left of it.
    kept: f64,
    seconds_since: f64,
}

impl<'a> View<'a> {
    fn new(window: &'a Keyed, place: usize, clock: Time) -> View<'a> {
        let words = window.keys.at(place);
        let seen = window.keys.seen(place);
        // The records of the key are those before this one.
        let first = window.first(window.pane(clock, words[RECORDS] - 1));
        let width = window.layout.width();
        let panes = window.lists.parts(words[PANES]).map(|part| {
            let numbers = part.chunks_exact(width).map(|pane| pane[pane::NUMBER] as i64);
            &part[width * numbers.take_while(|number| *number < first).count()..]
        });
        View {
            window,
            words,
            panes,
            first,
            kept: window.kept(clock, seen),
            seconds_since: clock.abs_diff(seen) as f64 / 1000.0,
        }
    }

    #[inline]
    fn panes(&self) -> impl Iterator<Item = &'a [u64]> + use<'a> {
        let width = self.window.layout.width();
        self.panes.into_iter().flat_map(move |part| part.chunks_exact(width))
    }

    /// What a word of all panes adds up to, the oldest first.
    #[inline]
    fn sum(&self, word: usize) -> f64 {
        self.kept * self.panes().fold(0.0, |sum, pane| sum + f64::from_bits(pane[word]))
    }

    fn feature(&self, feature: Feature, count: f64) -> f64 {
        match feature {
            Feature::TimeSince => self.seconds_since,
            // What is left of a faded pane is nothing once it is far below one record.
            _ if count < pane::COUNT_MIN => 0.0,
            Feature::Count => count,
            Feature::Sum(word) => self.sum(word),
            Feature::Mean(word) => self.sum(word) / count,
            Feature::Variance { sum, squares } => {
                self.kept * pane::squares_of(self.panes(), sum, squares) / count
            }
            Feature::Least(word) => pick(self.panes(), word, |new, old| new < old),
            Feature::Greatest(word) => pick(self.panes(), word, |new, old| new > old),
            Feature::Distinct { word, words } => pane::distinct(|| self.panes(), word, words),
            Feature::Quantile { samples, at } => self.quantile(samples, at),
        }
    }

    /// The least value that a share `at` of the samples in the window do not exceed.
    fn quantile(&self, samples: usize, at: f64) -> f64 {
        let lists = &self.window.samples[samples].lists;
        let mut values = [0.0; super::make::SAMPLES_MAX as usize];
        let mut count = 0;
        for sample in lists.items(self.words[SAMPLES + samples]) {
            if sample[0] as i64 >= self.first {
                values[count] = f64::from_bits(sample[1]);
                count += 1;
            }
        }
        let rank = ((at * count as f64).ceil() as usize).clamp(1, count.max(1)) - 1;
        *values[..count.max(1)].select_nth_unstable_by(rank, f64::total_cmp).1
    }
}

/// The one of all panes that comes before the others. The first of two that are as good.
fn pick<'a>(
    panes: impl Iterator<Item = &'a [u64]>,
    word: usize,
    is_better: impl Fn(f64, f64) -> bool,
) -> f64 {
    let values = panes.map(|pane| f64::from_bits(pane[word]));
    values.reduce(|best, next| if is_better(next, best) { next } else { best }).unwrap_or(0.0)
}

/// Format 2: the table of keys; of each how many records it had, its panes and its samples.
pub(super) const FORMAT: u16 = 2;

impl State for Keyed {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        self.keys.save(to, |place, to| {
            let words = self.keys.at(place);
            to.u64(words[RECORDS]);
            self.lists.save(words[PANES], to);
            for (samples, list) in self.samples.iter().zip(&words[SAMPLES..]) {
                samples.lists.save(*list, to);
            }
        });
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        read_format(from, FORMAT)?;
        self.lists.clear();
        self.samples.iter_mut().for_each(|samples| samples.lists.clear());
        let mut keys = self.keys.clone();
        keys.restore(from, |keys, place, from| self.restore_key(keys, place, from))?;
        self.keys = keys;
        Ok(())
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<Keyed>()
            + self.keys.heap_bytes()
            + self.layout.heap_bytes()
            + self.lists.heap_bytes()
            + size_of_val(&*self.samples)
            + self.samples.iter().map(|samples| samples.lists.heap_bytes()).sum::<usize>()
            + size_of_val(&*self.features)
    }
}

impl Keyed {
    fn restore_key(
        &mut self,
        keys: &mut Keys,
        place: usize,
        from: &mut Reader<'_>,
    ) -> Result<(), StateError> {
        let unfit = || StateError::Unfit { what: "window has a key without its newest pane" };
        let records = from.u64()?;
        if !(1..=i64::MAX as u64).contains(&records) {
            return Err(unfit());
        }
        let newest = self.pane(keys.seen(place), records - 1);
        let first = self.first(newest);
        let is_next = |before: Option<&[u64]>, item: &[u64]| {
            let number = item[pane::NUMBER] as i64;
            (first..=newest).contains(&number)
                && before.is_none_or(|before| (before[pane::NUMBER] as i64) < number)
        };
        let layout = &self.layout;
        let panes = self
            .lists
            .restore(from, |before, pane| is_next(before, pane) && layout.is_sound(pane))?;
        if self.lists.items(panes).last().map(|pane| pane[pane::NUMBER] as i64) != Some(newest) {
            return Err(unfit());
        }
        keys.at_mut(place)[RECORDS] = records;
        keys.at_mut(place)[PANES] = panes;
        for (index, samples) in self.samples.iter_mut().enumerate() {
            let list = samples.lists.restore(from, |before, sample| {
                let value = f64::from_bits(sample[1]);
                (sample[0] as i64) <= newest
                    && bounded(value) == value
                    && before.is_none_or(|before| before[0] as i64 <= sample[0] as i64)
            })?;
            keys.at_mut(place)[SAMPLES + index] = list;
        }
        Ok(())
    }
}

impl FeatureStep for Keyed {
    fn apply(&self, row: &mut Row<'_>) {
        let clock = self.keys.clock_at(row.time);
        let features = (self.to..).zip(&self.features);
        let Some(place) = self.keys.get(self.key(row), clock) else {
            for (slot, feature) in features {
                let is_since = matches!(feature, Feature::TimeSince);
                row.values[slot] = if is_since { self.since_none } else { 0.0 };
            }
            return;
        };
        let view = View::new(self, place, clock);
        let count = view.sum(pane::COUNT);
        for (slot, feature) in features {
            row.values[slot] = view.feature(*feature, count);
        }
    }

    fn observe(&mut self, row: &Row<'_>) {
        let key = self.key(row);
        let (lists, samples) = (&mut self.lists, &mut self.samples);
        let seen = self.keys.see(key, row.time, |words| {
            lists.forget(&mut words[PANES].clone(), usize::MAX);
            for (samples, list) in samples.iter_mut().zip(&words[SAMPLES..]) {
                samples.lists.forget(&mut list.clone(), usize::MAX);
            }
        });
        let clock = self.keys.seen(seen.place);
        let records = self.keys.at(seen.place)[RECORDS];
        let number = self.pane(clock, records);
        let first = self.first(number);
        let kept = match self.panes {
            Panes::FadingByRecord { kept } => kept,
            _ => seen.before.map_or(1.0, |before| self.kept(clock, before)),
        };
        let words = self.keys.at_mut(seen.place);
        words[RECORDS] = records + 1;
        let panes = &mut words[PANES];
        let is_gone = |pane: &&[u64]| (pane[pane::NUMBER] as i64) < first;
        let gone = self.lists.items(*panes).take_while(is_gone).count();
        if gone > 0 {
            self.lists.forget(panes, gone);
        }
        let newest = self.lists.newest_mut(*panes);
        let is_new = newest.is_none_or(|pane| pane[pane::NUMBER] as i64 != number);
        if is_new {
            self.lists.push(panes)[pane::NUMBER] = number as u64;
        }
        if let Some(pane) = self.lists.newest_mut(*panes) {
            if kept < 1.0 {
                self.layout.fade(pane, kept);
            }
            self.layout.add(pane, row);
        }
        for (samples, list) in self.samples.iter_mut().zip(&mut words[SAMPLES..]) {
            if samples.lists.is_full(*list) {
                samples.lists.forget(list, 1);
            }
            let sample = samples.lists.push(list);
            sample[0] = number as u64;
            sample[1] = bounded(row.values[samples.slot]).to_bits();
        }
    }

    fn look_ahead(&self, next: Ahead<'_>) {
        let Some(keys) = self.key.and_then(|key| key.ahead(next)) else { return };
        self.keys.look_ahead(keys.clone());
        let clock = self.keys.clock_at(Time::MIN);
        for place in keys.filter_map(|key| self.keys.get(key, clock)) {
            self.lists.look_ahead(self.keys.at(place)[PANES]);
        }
    }

    fn fork(&self) -> Box<dyn FeatureStep> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests;
