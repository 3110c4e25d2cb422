//! Finds odd values: far from the median of the newest values, in robust deviations.
//!
//! A robust deviation is 1.4826 times the median distance to the median: the standard deviation of
//! values that are normal, but up to half of the values may be wild and it hardly moves.
//!
//! - Task: score. `value` is `s / (s + threshold)`, with `s` the largest distance of all numbers to
//!   their median, in deviations: from 0 to 1, an anomaly above one half. 0 before there are
//!   `grace_period` rows, and while more than half of the values are equal, as there is no
//!   deviation then. The label is ignored; weights are, too.
//! - Takes: numbers; of several the one that is furthest off counts. Give the model a key (`by`)
//!   where many things are watched.
//! - Cost: time grows with the window, about a microsecond for 50 records and number; memory 8
//!   bytes, and 8 for each number and record of the window.
//! - Not for: slow shifts, which the window follows (see `cusum`).
//! - Source: B. Iglewicz and D. C. Hoaglin, "How to Detect and Handle Outliers", ASQC Quality
//!   Press, 1993 (the modified z-score, with the limit of 3.5).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{Alone, Rule, numbers, scored};
use crate::{
    Component, ConfigError, Features, Shape, check_count, check_number,
    robust::{NORMAL, median_and_deviation},
};

/// The most records of a window.
const WINDOW_MAX: u64 = 1000;

/// Settings of [`RobustZ`]. A bare number is `threshold`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "threshold"))]
pub struct Config {
    /// How many deviations a value may lie from the median. Range: above 0. Default: 3.5. Raise it
    /// for fewer false alarms.
    pub threshold: f64,
    /// Of how many of the newest values the median is taken. Records. Range: 3 to 1000. Default:
    /// 50. Raise it for a steadier median, at 8 bytes a value and more time.
    pub window: u64,
    /// How many records before it says anything; until then the score is 0. Range: 3 to `window`.
    /// Default: 10. Raise it for fewer false alarms in the beginning.
    pub grace_period: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config { threshold: 3.5, window: 50, grace_period: 10 }
    }
}

/// The learner.
pub type RobustZ = Alone<RobustZRule>;

/// What it does, for any words: how many records, then the newest values of each number.
#[derive(Clone, Debug)]
pub struct RobustZRule {
    numbers: usize,
    window: usize,
    threshold: f64,
    grace_period: u64,
}

impl Component for RobustZ {
    const NAME: &'static str = "robust_z";
    type Config = Config;

    fn new(config: Config, shape: &Shape) -> Result<RobustZ, ConfigError> {
        let Config { threshold, window, grace_period } = config;
        check_number("threshold", threshold, "above 0", |threshold| threshold > 0.0)?;
        check_count("window", window, 3, WINDOW_MAX)?;
        check_count("grace_period", grace_period, 3, window)?;
        let (numbers, window) = (numbers("robust_z", shape)?, window as usize);
        Ok(Alone::of(RobustZRule { numbers, window, threshold, grace_period }))
    }
}

impl RobustZRule {
    /// How far a value lies from the median of those before it, in deviations.
    fn distance(&self, before: &[u64], value: f64) -> f64 {
        let mut values = [0.0; WINDOW_MAX as usize];
        let values = &mut values[..before.len()];
        for (value, word) in values.iter_mut().zip(before) {
            *value = f64::from_bits(*word);
        }
        match median_and_deviation(values) {
            Some((median, deviation)) if deviation > 0.0 => {
                // Halved twice, so that the distance of two numbers is one.
                (0.5 * value - 0.5 * median).abs() / (0.5 * NORMAL * deviation)
            }
            _ => 0.0,
        }
    }
}

impl Rule for RobustZRule {
    fn name(&self) -> &'static str {
        RobustZ::NAME
    }

    fn words(&self) -> usize {
        1 + self.numbers * self.window
    }

    fn score(&self, known: &[u64], x: &Features<'_>) -> f64 {
        if known[0] < self.grace_period {
            return 0.0;
        }
        let held = known[0].min(self.window as u64) as usize;
        let numbers = known[1..].chunks_exact(self.window).zip(x.dense);
        let far = numbers.map(|(values, value)| self.distance(&values[..held], *value));
        scored(far.fold(0.0, f64::max), self.threshold)
    }

    fn learn(&self, known: &mut [u64], x: &Features<'_>, _: f64) {
        let place = (known[0] % self.window as u64) as usize;
        known[0] = known[0].saturating_add(1);
        for (values, value) in known[1..].chunks_exact_mut(self.window).zip(x.dense) {
            values[place] = value.to_bits();
        }
    }

    fn is_sound(&self, known: &[u64]) -> bool {
        // What there was not yet is 0.
        let is_right = |(place, word): (u64, &u64)| match place < known[0] {
            true => f64::from_bits(*word).is_finite(),
            false => *word == 0,
        };
        let numbers = known[1..].chunks_exact(self.window);
        numbers.flat_map(|values| (0..).zip(values)).all(is_right)
    }

    fn fork(&self) -> Box<dyn Rule> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LabelShape, learners::rule::tests::next};

    fn learner(config: Config) -> Result<RobustZ, ConfigError> {
        RobustZ::new(config, &Shape::numbers(1, LabelShape::None))
    }

    /// 1 to 5: the median is 3, the median distance 1. So 3 + 2 × 1.4826 is two deviations off.
    #[test]
    fn a_value_far_from_the_median_is_odd() {
        let config = Config { threshold: 2.0, window: 5, grace_period: 5 };
        let mut learner = learner(config).unwrap();
        for value in [5.0, 2.0, 3.0, 4.0, 1.0] {
            assert_eq!(next(&mut learner, value), 0.0);
        }
        let score = next(&mut learner, 3.0 + 2.0 * NORMAL);
        assert!((score - 0.5).abs() < 1e-12, "{score}");
        // 5 has gone: 2, 3, 4, 1 and the new one still have the median 3 and the distance 1.
        assert!(next(&mut learner, -100.0) > 0.9);
        // Two wild ones in five values move nothing.
        assert!(next(&mut learner, 4.0) < 0.5);
    }

    #[test]
    fn where_most_values_are_equal_nothing_is_odd() {
        let mut learner = learner(Config::default()).unwrap();
        for _ in 0..50 {
            assert_eq!(next(&mut learner, 7.0), 0.0);
        }
        assert_eq!(next(&mut learner, 1e300), 0.0);
    }

    #[test]
    fn a_setting_out_of_range_is_refused_by_name() {
        let refused = |config| learner(config).unwrap_err().field;
        assert_eq!(refused(Config { threshold: 0.0, ..Config::default() }), "threshold");
        assert_eq!(refused(Config { window: 2, ..Config::default() }), "window");
        assert_eq!(refused(Config { grace_period: 51, ..Config::default() }), "grace_period");
    }
}
