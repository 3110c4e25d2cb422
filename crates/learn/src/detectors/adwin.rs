//! ADWIN: keeps as many of the newest values as have one mean, and alarms when it has to let go.
//!
//! The window is compared with itself at many places: if its older and its newer part differ by
//! more than chance explains, the oldest values go, until no place is left where they do. So the
//! length of the window follows the stream by itself. Values are kept in buckets of 1, 2, 4, ...
//! values, `max_buckets` of each size, so that the window costs the logarithm of its length.
//!
//! - One-sided as it comes, for a signal of errors: a mean that falls shortens the window without
//!   an alarm ([`Config::only_increase`]). It never warns.
//! - The bound holds for values from 0 to 1, or in any other interval of length 1. On a signal that
//!   is wider, false alarms are more frequent than `delta` says: scale it. Values of any size leave
//!   it sound.
//! - A large change may bring several alarms, one check after the other, until the last old values
//!   are gone. The window then holds the new mean's values, so nothing has to begin anew.
//! - Cost: amortized constant time a value, and each `clock` values time O(max_buckets × log
//!   length). Memory 16 × max_buckets × log2(length / max_buckets) bytes: 1.5 KiB for a million
//!   values.
//! - Not for: a drift so slow that the window follows it; single outliers.
//! - Paper: A. Bifet and R. Gavaldà, "Learning from Time-Changing Data with Adaptive Windowing",
//!   SDM 2007, pages 443-448: ADWIN2, with the bound that knows the window's variance.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Component, ConfigError, Detector, Reader, Shape, State, StateError, Verdict, Writer,
    check_count, check_number, math,
};

/// Settings of [`Adwin`]. A bare number is `delta`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "delta"))]
pub struct Config {
    /// The probability of a false alarm that is put up with at each check. Range: above 0 and below
    /// 1. Default: 0.002. Raise it to find smaller changes sooner, with more false alarms.
    pub delta: f64,
    /// How many values from one check to the next. Range: 1 to 10,000. Default: 32. Raise it to
    /// save time; an alarm comes up to so many values later.
    pub clock: u64,
    /// How many values the window must hold before it is checked. Range: 10 to 1,000,000. Default:
    /// 10. Raise it where the first values of a stream are odd.
    pub grace_period: u64,
    /// How many buckets of each size. Range: 2 to 100. Default: 5. Raise it to find the place of a
    /// change more exactly; time and memory grow with it.
    pub max_buckets: u64,
    /// Whether a rise alone is an alarm. Default: true, for a signal of errors, where a fall is
    /// good news. Set it to false for a signal where either is.
    pub only_increase: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config { delta: 0.002, clock: 32, grace_period: 10, max_buckets: 5, only_increase: true }
    }
}

/// The detector. Invariants: `buckets` stand from old to new, those of one size together and the
/// greater sizes first; `counts[level]` of them hold `1 << level` values each, `max_buckets` at
/// most. All numbers are finite.
#[derive(Clone, Debug)]
pub struct Adwin {
    config: Config,
    /// Values since the last check, below `clock`.
    unchecked: u64,
    buckets: Vec<Bucket>,
    counts: Vec<u8>,
}

/// Some values: their mean, and the sum of their squared distances from it.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    mean: f64,
    squares: f64,
}

impl Bucket {
    /// Two buckets in one (West 1979): `count` and `other_count` values.
    fn merged(self, count: f64, other: Bucket, other_count: f64) -> Bucket {
        let share = other_count / (count + other_count);
        let apart = other.mean - self.mean;
        let between = apart * apart * (count * share);
        Bucket {
            mean: math::toward(self.mean, other.mean, share),
            squares: (self.squares + other.squares + between).min(f64::MAX),
        }
    }
}

/// How many values each side of a place must hold to be compared.
const SIDE_MIN: f64 = 5.0;

/// More sizes than any stream will need: with the largest, 2^50 values.
const LEVELS_MAX: usize = 50;

impl Component for Adwin {
    const NAME: &'static str = "adwin";
    type Config = Config;

    fn new(config: Config, _: &Shape) -> Result<Adwin, ConfigError> {
        let is_share = |delta| delta > 0.0 && delta < 1.0;
        check_number("delta", config.delta, "above 0 and below 1", is_share)?;
        check_count("clock", config.clock, 1, 10_000)?;
        check_count("grace_period", config.grace_period, 10, 1_000_000)?;
        check_count("max_buckets", config.max_buckets, 2, 100)?;
        Ok(Adwin { config, unchecked: 0, buckets: Vec::new(), counts: Vec::new() })
    }
}

/// Format 1: values since the last check, how many buckets of each size, then the buckets.
const FORMAT: u16 = 1;

impl State for Adwin {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        to.u64(self.unchecked);
        to.blob(&self.counts);
        for Bucket { mean, squares } in &self.buckets {
            to.f64(*mean);
            to.f64(*squares);
        }
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("adwin", FORMAT)?;
        self.unchecked = from.u64()?;
        self.counts = from.blob()?.to_vec();
        let fits = self.unchecked < self.config.clock
            && self.counts.len() <= LEVELS_MAX
            && self.counts.iter().all(|count| u64::from(*count) <= self.config.max_buckets);
        if !fits {
            return Err(StateError::Unfit { what: "adwin has other settings" });
        }
        self.buckets.clear();
        for _ in 0..self.counts.iter().map(|count| u32::from(*count)).sum() {
            let bucket = Bucket { mean: from.f64()?, squares: from.f64()? };
            if !(bucket.mean.is_finite() && bucket.squares.is_finite() && bucket.squares >= 0.0) {
                return Err(StateError::Unfit { what: "adwin has a number out of range" });
            }
            self.buckets.push(bucket);
        }
        Ok(())
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<Adwin>() + self.counts.capacity() + self.buckets.capacity() * size_of::<Bucket>()
    }
}

impl Detector for Adwin {
    fn update(&mut self, value: f64) -> Verdict {
        self.push(value);
        self.unchecked += 1;
        if self.unchecked < self.config.clock {
            return Verdict::Stable;
        }
        self.unchecked = 0;
        match self.shrink() {
            true => Verdict::Drift,
            false => Verdict::Stable,
        }
    }

    fn fork(&self) -> Box<dyn Detector> {
        Box::new(self.clone())
    }
}

impl Adwin {
    /// Adds a bucket of one value, and merges the two oldest of each size that is full.
    fn push(&mut self, value: f64) {
        self.buckets.push(Bucket { mean: value, squares: 0.0 });
        let mut end = self.buckets.len();
        for level in 0.. {
            if level == self.counts.len() {
                self.counts.push(0);
            }
            self.counts[level] += 1;
            if u64::from(self.counts[level]) <= self.config.max_buckets {
                return;
            }
            let oldest = end - usize::from(self.counts[level]);
            let count = (1u64 << level) as f64;
            let newer = self.buckets.remove(oldest + 1);
            self.buckets[oldest] = self.buckets[oldest].merged(count, newer, count);
            self.counts[level] -= 2;
            end = oldest + 1;
        }
    }

    /// Every bucket from the oldest on, with the number of its values.
    fn sized(&self) -> impl Iterator<Item = (f64, Bucket)> {
        let levels = self.counts.iter().enumerate().rev();
        let sizes = levels.flat_map(|(level, count)| {
            std::iter::repeat_n((1u64 << level) as f64, usize::from(*count))
        });
        sizes.zip(self.buckets.iter().copied())
    }

    /// Lets the oldest buckets go as long as two parts of the window differ. Whether that is an
    /// alarm.
    fn shrink(&mut self) -> bool {
        let mut is_alarm = false;
        while let Some(rise) = self.find_change() {
            is_alarm |= rise > 0.0 || !self.config.only_increase;
            self.drop_oldest();
        }
        is_alarm
    }

    fn drop_oldest(&mut self) {
        self.buckets.remove(0);
        while let Some(count) = self.counts.last_mut() {
            if *count > 0 {
                *count -= 1;
                break;
            }
            self.counts.pop();
        }
    }

    /// The first place from the oldest on where the mean differs by more than chance explains, and
    /// by how much it rises there.
    fn find_change(&self) -> Option<f64> {
        let mut all = 0.0;
        let mut window = Bucket::default();
        for (count, bucket) in self.sized() {
            window = window.merged(all, bucket, count);
            all += count;
        }
        if all < (self.config.grace_period as f64).max(2.0 * SIDE_MIN) {
            return None;
        }
        let variance = window.squares / all;
        // ln(2 / delta') with delta' = delta / ln(n), for the many places that are compared.
        let doubt = math::ln(2.0 * math::ln(all) / self.config.delta);
        let mut older = 0.0;
        let mut older_mean = 0.0;
        for (count, bucket) in self.sized() {
            older += count;
            older_mean = math::toward(older_mean, bucket.mean, count / older);
            let newer = all - older;
            if newer < SIDE_MIN {
                return None;
            }
            // The newer part's mean less the older part's, from the mean of both.
            let rise = (window.mean - older_mean) * (all / newer);
            let inverse = 1.0 / older + 1.0 / newer; // 1 / m in the paper
            let bound = (2.0 * inverse * variance * doubt).sqrt() + 2.0 / 3.0 * inverse * doubt;
            if older >= SIDE_MIN && rise.abs() > bound {
                return Some(rise);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LabelShape;

    fn adwin(config: Config) -> Adwin {
        Adwin::new(config, &Shape::numbers(0, LabelShape::None)).unwrap()
    }

    fn values(adwin: &Adwin) -> f64 {
        adwin.sized().map(|(count, _)| count).sum()
    }

    /// Alarms of a signal that is `before` for 1000 values, and `after` from then on.
    fn alarms(config: Config, before: f64, after: f64) -> Vec<u32> {
        let mut adwin = adwin(config);
        let value = |index| if index < 1000 { before } else { after };
        (0..2000).filter(|index| adwin.update(value(*index)) == Verdict::Drift).collect()
    }

    #[test]
    fn a_rise_is_an_alarm_and_a_fall_only_if_asked_for() {
        let both = Config { only_increase: false, ..Config::default() };
        assert_eq!(alarms(Config::default(), 0.2, 0.8).first(), Some(&1023));
        assert!(alarms(Config::default(), 0.8, 0.2).is_empty());
        assert_eq!(alarms(both, 0.8, 0.2).first(), Some(&1023));
    }

    #[test]
    fn after_a_fall_the_window_holds_hardly_any_old_values() {
        let mut adwin = adwin(Config::default());
        (0..1000).for_each(|_| assert_eq!(adwin.update(1.0), Verdict::Stable));
        (0..1000).for_each(|_| assert_eq!(adwin.update(0.0), Verdict::Stable));
        assert!((1000.0..1020.0).contains(&values(&adwin)), "{}", values(&adwin));
    }

    /// By hand: 1 at each of the first `n / 2` values, then 0. The variance is 1/4 and the
    /// difference 1, so with `x = 4 / n * ln(2 ln(n) / delta)` there is a change at the middle
    /// where `sqrt(x / 2) + 2 x / 3 < 1`, which is where `x < 0.6469`.
    #[test]
    fn the_bound_is_the_papers() {
        let config = Config { max_buckets: 100, clock: 10_000, ..Config::default() };
        let has_changed = |count: u32| {
            let mut adwin = adwin(config.clone());
            (0..count).for_each(|index| adwin.push(f64::from(u8::from(index < count / 2))));
            adwin.find_change().is_some()
        };
        assert!(!has_changed(50), "x = 4 / 50 * ln(2 * 3.912 / 0.002) = 0.662");
        assert!(has_changed(52), "x = 4 / 52 * ln(2 * 3.951 / 0.002) = 0.637");
    }

    #[test]
    fn buckets_lose_no_value() {
        let mut adwin = adwin(Config::default());
        for count in 1..=5000u32 {
            adwin.push(f64::from(count));
            assert_eq!(values(&adwin), f64::from(count));
        }
        let sum: f64 = adwin.sized().map(|(count, bucket)| count * bucket.mean).sum();
        assert_eq!(sum, 5000.0 * 5001.0 / 2.0);
        assert!(adwin.buckets.len() <= 55);
    }

    #[test]
    fn a_setting_out_of_range_is_refused_by_name() {
        let refused = |config| {
            let shape = Shape::numbers(0, LabelShape::None);
            Adwin::new(config, &shape).unwrap_err().field
        };
        assert_eq!(refused(Config { delta: 1.0, ..Config::default() }), "delta");
        assert_eq!(refused(Config { clock: 0, ..Config::default() }), "clock");
        assert_eq!(refused(Config { grace_period: 9, ..Config::default() }), "grace_period");
        assert_eq!(refused(Config { max_buckets: 1, ..Config::default() }), "max_buckets");
    }
}
