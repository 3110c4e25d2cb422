//! Finds jumps and slow shifts of numbers: what they lie above or below their mean adds up.
//!
//! A number becomes its distance to the mean so far in standard deviations. What it lies above,
//! less `slack`, is added up, and the sum never falls below 0; the same for what it lies below.
//! Beyond `threshold` it is an anomaly, and the sums begin anew with the next record.
//!
//! - Task: score. `value` is `s / (s + threshold)`, with `s` the largest of all sums as it would be
//!   with this row: from 0 to 1, an anomaly above one half. The label is ignored.
//! - Takes: numbers; of several the one that jumps most counts. As it is for one thing that is
//!   watched, give the model a key (`by`) where there are many.
//! - The row that is an anomaly enters mean and deviation like any other, so a lasting shift
//!   becomes the rule after a while: as soon as `half_life` says.
//! - Cost: constant time for each number; memory 24 bytes and 32 for each number.
//! - Not for: single odd values (see `robust_z`); numbers that go up and down by the hour, unless
//!   a step takes that out before.
//! - Paper: E. S. Page, "Continuous Inspection Schemes", Biometrika 41, 1954, pages 100-115.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    deviations::{Deviations, HEAD, Since, WORDS},
    rule::{Alone, Rule, numbers, scored},
};
use crate::{Component, ConfigError, Features, Over, Shape, check_number};

/// Settings of [`Cusum`]. A bare number is `threshold`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "threshold"))]
pub struct Config {
    /// How far a sum may grow, in deviations. Range: above 0. Default: 8. Raise it for fewer false
    /// alarms, and later ones: a jump by `j` deviations is found after about `threshold / (j -
    /// slack)` records.
    pub threshold: f64,
    /// How many deviations are nothing. Range: 0 or more. Default: 0.5. Raise it towards half of
    /// the jump that matters: fewer false alarms, and smaller jumps are never found.
    pub slack: f64,
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
        Config { threshold: 8.0, slack: 0.5, grace_period: 10, half_life: None }
    }
}

/// The learner.
pub type Cusum = Alone<CusumRule>;

/// What it does, for any words: those of all deviations, then how far it has risen and fallen for
/// each number.
#[derive(Clone, Debug)]
pub struct CusumRule {
    numbers: usize,
    deviations: Deviations,
    slack: f64,
    threshold: f64,
}

impl Component for Cusum {
    const NAME: &'static str = "cusum";
    type Config = Config;

    fn new(config: Config, shape: &Shape) -> Result<Cusum, ConfigError> {
        let Config { slack, threshold, grace_period, half_life } = config;
        check_number("threshold", threshold, "above 0", |threshold| threshold > 0.0)?;
        check_number("slack", slack, "0 or more", |slack| slack >= 0.0)?;
        let deviations = Deviations::new(Since { grace_period, half_life })?;
        let numbers = numbers("cusum", shape)?;
        Ok(Alone::of(CusumRule { numbers, deviations, slack, threshold }))
    }
}

/// Words of each number.
const EACH: usize = WORDS + 2;

/// A sum after one more value; never below 0, and a number.
fn grown(sum: u64, by: f64) -> f64 {
    (f64::from_bits(sum) + by).clamp(0.0, f64::MAX)
}

impl CusumRule {
    /// The sums of a number, risen and fallen, with one more value.
    fn sums(&self, known: &[u64], words: &[u64], value: f64) -> [f64; 2] {
        let apart = self.deviations.of(known, words, value);
        [grown(words[WORDS], apart - self.slack), grown(words[WORDS + 1], -apart - self.slack)]
    }

    /// The largest sum with this row.
    fn statistic(&self, known: &[u64], x: &Features<'_>) -> f64 {
        if !self.deviations.is_ready(known) {
            return 0.0;
        }
        let numbers = known[HEAD..].chunks_exact(EACH).zip(x.dense);
        let sums = numbers.flat_map(|(words, value)| self.sums(known, words, *value));
        sums.fold(0.0, f64::max)
    }
}

impl Rule for CusumRule {
    fn name(&self) -> &'static str {
        Cusum::NAME
    }

    fn words(&self) -> usize {
        HEAD + EACH * self.numbers
    }

    fn score(&self, known: &[u64], x: &Features<'_>) -> f64 {
        scored(self.statistic(known, x), self.threshold)
    }

    fn learn(&self, known: &mut [u64], x: &Features<'_>, weight: f64) {
        if self.deviations.is_ready(known) {
            let mut largest = 0.0f64;
            for (index, value) in x.dense.iter().enumerate().take(self.numbers) {
                let start = HEAD + index * EACH;
                let sums = self.sums(known, &known[start..start + EACH], *value);
                known[start + WORDS] = sums[0].to_bits();
                known[start + WORDS + 1] = sums[1].to_bits();
                largest = largest.max(sums[0]).max(sums[1]);
            }
            if scored(largest, self.threshold) > 0.5 {
                for words in known[HEAD..].chunks_exact_mut(EACH) {
                    words[WORDS..].fill(0);
                }
            }
        }
        self.deviations.learn(known, EACH, x, weight);
    }

    fn is_sound(&self, known: &[u64]) -> bool {
        self.deviations.is_sound(known, EACH, |sum| (0.0..=f64::MAX).contains(&sum))
    }

    fn fork(&self) -> Box<dyn Rule> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LabelShape, learners::rule::tests::next};

    fn learner(config: Config) -> Result<Cusum, ConfigError> {
        Cusum::new(config, &Shape::numbers(1, LabelShape::None))
    }

    /// 1, 2, 3 have mean 2 and deviation 1. 4.5 lies 2.5 above: the sum becomes 2, which is the
    /// threshold, and a score of one half, which is none yet. 2, 3, 1 and 4.5 have the mean 2.625
    /// and the variance 2.2292, so 5 lies 1.5907 above, and the sum comes to 3.0907.
    #[test]
    fn what_lies_above_the_mean_adds_up() {
        let config = Config { threshold: 2.0, slack: 0.5, grace_period: 3, ..Config::default() };
        let mut learner = learner(config).unwrap();
        for value in [1.0, 2.0, 3.0] {
            assert_eq!(next(&mut learner, value), 0.0);
        }
        assert_eq!(next(&mut learner, 4.5), 0.5);
        let score = next(&mut learner, 5.0);
        assert!((score - 3.0907 / 5.0907).abs() < 1e-4, "{score}");
        assert_eq!(learner.known[HEAD + WORDS..], [0, 0], "it begins anew");
    }

    #[test]
    fn a_slow_fall_is_found_and_noise_is_not() {
        let noise = |record: u64| crate::math::random_unit(5, record) - 0.5;
        let mut learner = learner(Config::default()).unwrap();
        let calm = (0..500).filter(|record| next(&mut learner, noise(*record)) > 0.5).count();
        assert_eq!(calm, 0);
        let found = (500..600).find(|record| next(&mut learner, noise(*record) - 0.3) > 0.5);
        assert!(found.is_some_and(|record| record < 540), "{found:?}");
    }

    #[test]
    fn a_setting_out_of_range_is_refused_by_name() {
        let refused = |config| learner(config).unwrap_err().field;
        assert_eq!(refused(Config { threshold: 0.0, ..Config::default() }), "threshold");
        assert_eq!(refused(Config { slack: -1.0, ..Config::default() }), "slack");
        assert_eq!(refused(Config { grace_period: 1, ..Config::default() }), "grace_period");
        let half_life = Some(Over::Records(3));
        assert_eq!(refused(Config { half_life, ..Config::default() }), "half_life");
    }
}
