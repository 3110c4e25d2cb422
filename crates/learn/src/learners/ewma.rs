//! Finds shifts of numbers: a smoothed distance to the mean that leaves its limits.
//!
//! A number becomes its distance to the mean so far in standard deviations. These are smoothed:
//! each new one counts with `share`, the past with the rest. While nothing changes, the smoothed
//! distance has the deviation `sqrt(share / (2 - share))`; beyond `threshold` such deviations it is
//! an anomaly. It does not begin anew: a lasting shift is an anomaly until the mean has followed.
//!
//! - Task: score. `value` is `s / (s + threshold)`, with `s` the largest of all smoothed distances
//!   with this row, in its deviations: from 0 to 1, an anomaly above one half. The label is
//!   ignored.
//! - Takes: numbers; of several the one that is furthest off counts. Give the model a key (`by`)
//!   where many things are watched.
//! - Cost: constant time for each number; memory 24 bytes and 24 for each number.
//! - Not for: single odd values (see `robust_z`), unless `share` is 1: then it is the plain
//!   distance in deviations.
//! - Paper: S. W. Roberts, "Control Chart Tests Based on Geometric Moving Averages", Technometrics
//!   1 (3), 1959, pages 239-250.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    deviations::{Deviations, HEAD, Since, WORDS},
    rule::{Alone, Rule, numbers, scored},
};
use crate::{Component, ConfigError, Features, Over, Shape, check_number, math};

/// Settings of [`Ewma`]. A bare number is `threshold`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "threshold"))]
pub struct Config {
    /// How many deviations the smoothed distance may reach. Range: above 0. Default: 3. Raise it
    /// for fewer false alarms.
    pub threshold: f64,
    /// With what share a new distance counts. Range: above 0 and at most 1. Default: 0.2. Raise it
    /// to find large jumps sooner, and small shifts later.
    pub share: f64,
    /// How many records before it says anything; until then the score is 0. Range: 2 to 1,000,000.
    /// Default: 10. Raise it for fewer false alarms in the beginning.
    pub grace_period: u64,
    /// After how many records, or how much event time, a value weighs half in mean and deviation:
    /// `"1000 records"`, `"7 d"`. Range: at least 10 records, or 1 ms. Default: left out, and all
    /// values weigh the same for ever. Raise it to follow more slowly what changes by itself.
    pub half_life: Option<Over>,
}

impl Default for Config {
    fn default() -> Config {
        Config { threshold: 3.0, share: 0.2, grace_period: 10, half_life: None }
    }
}

/// The learner.
pub type Ewma = Alone<EwmaRule>;

/// What it does, for any words: those of all deviations, then its smoothed distance for each
/// number.
#[derive(Clone, Debug)]
pub struct EwmaRule {
    numbers: usize,
    deviations: Deviations,
    share: f64,
    threshold: f64,
}

impl Component for Ewma {
    const NAME: &'static str = "ewma";
    type Config = Config;

    fn new(config: Config, shape: &Shape) -> Result<Ewma, ConfigError> {
        let Config { share, threshold, grace_period, half_life } = config;
        check_number("threshold", threshold, "above 0", |threshold| threshold > 0.0)?;
        let is_share = |share| share > 0.0 && share <= 1.0;
        check_number("share", share, "above 0 and at most 1", is_share)?;
        let deviations = Deviations::new(Since { grace_period, half_life })?;
        let numbers = numbers("ewma", shape)?;
        Ok(Alone::of(EwmaRule { numbers, deviations, share, threshold }))
    }
}

/// Words of each number.
const EACH: usize = WORDS + 1;

impl EwmaRule {
    /// The smoothed distance of a number with one more value.
    fn smoothed(&self, known: &[u64], words: &[u64], value: f64) -> f64 {
        let apart = self.deviations.of(known, words, value).clamp(-f64::MAX, f64::MAX);
        math::toward(f64::from_bits(words[WORDS]), apart, self.share)
    }

    /// The largest smoothed distance with this row, in its deviations.
    fn statistic(&self, known: &[u64], x: &Features<'_>) -> f64 {
        if !self.deviations.is_ready(known) {
            return 0.0;
        }
        let numbers = known[HEAD..].chunks_exact(EACH).zip(x.dense);
        let far = numbers.map(|(words, value)| self.smoothed(known, words, *value).abs());
        far.fold(0.0, f64::max) / (self.share / (2.0 - self.share)).sqrt()
    }
}

impl Rule for EwmaRule {
    fn name(&self) -> &'static str {
        Ewma::NAME
    }

    fn words(&self) -> usize {
        HEAD + EACH * self.numbers
    }

    fn score(&self, known: &[u64], x: &Features<'_>) -> f64 {
        scored(self.statistic(known, x), self.threshold)
    }

    fn learn(&self, known: &mut [u64], x: &Features<'_>, weight: f64) {
        if self.deviations.is_ready(known) {
            for (index, value) in x.dense.iter().enumerate().take(self.numbers) {
                let start = HEAD + index * EACH;
                let smoothed = self.smoothed(known, &known[start..start + EACH], *value);
                known[start + WORDS] = smoothed.to_bits();
            }
        }
        self.deviations.learn(known, EACH, x, weight);
    }

    fn is_sound(&self, known: &[u64]) -> bool {
        self.deviations.is_sound(known, EACH, f64::is_finite)
    }

    fn fork(&self) -> Box<dyn Rule> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LabelShape, learners::rule::tests::next};

    fn learner(config: Config) -> Result<Ewma, ConfigError> {
        Ewma::new(config, &Shape::numbers(1, LabelShape::None))
    }

    /// 1, 2, 3 have mean 2 and deviation 1. With a share of 1 the distance is what it is: 5 lies 3
    /// above. With one of 0.5 it counts half, and the limit is by sqrt(0.5 / 1.5) narrower.
    #[test]
    fn a_share_of_each_distance_counts() {
        for (share, expected) in [(1.0, 3.0), (0.5, 1.5 / (1.0f64 / 3.0).sqrt())] {
            let config = Config { threshold: 3.0, share, grace_period: 3, ..Config::default() };
            let mut learner = learner(config).unwrap();
            for value in [1.0, 2.0, 3.0] {
                assert_eq!(next(&mut learner, value), 0.0);
            }
            let score = next(&mut learner, 5.0);
            assert!((score - expected / (expected + 3.0)).abs() < 1e-12, "{score}");
        }
    }

    #[test]
    fn a_shift_is_found_and_noise_is_not() {
        let noise = |record: u64| crate::math::random_unit(5, record) - 0.5;
        let mut learner = learner(Config { threshold: 5.0, ..Config::default() }).unwrap();
        let calm = (0..500).filter(|record| next(&mut learner, noise(*record)) > 0.5).count();
        assert_eq!(calm, 0);
        let found = (500..600).find(|record| next(&mut learner, noise(*record) - 1.0) > 0.5);
        assert!(found.is_some_and(|record| record < 510), "{found:?}");
    }

    #[test]
    fn a_setting_out_of_range_is_refused_by_name() {
        let refused = |config| learner(config).unwrap_err().field;
        assert_eq!(refused(Config { threshold: 0.0, ..Config::default() }), "threshold");
        assert_eq!(refused(Config { share: 1.5, ..Config::default() }), "share");
        assert_eq!(refused(Config { grace_period: 1, ..Config::default() }), "grace_period");
    }
}
