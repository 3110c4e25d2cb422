//! How well the top of the list is: the precision, averaged over the places of the "yes".
//!
//! The outcomes are ranked by the probability of "yes", the highest first; for each "yes" the share
//! of "yes" among those that are ranked as high or higher is taken, and the mean of these shares is
//! the figure. It is what the area under the curve of precision and recall is estimated by.
//!
//! - Task: class, two of them. Range 0 to 1, higher is better; the share of "yes" is chance. No
//!   value before the first "yes".
//! - For a "yes" that is rare: the many easy "no" at the bottom of the list change nothing.
//! - Bounds: probabilities are rounded to a 64th of their distance to 0 or 1, whichever is nearer
//!   (see `ranking`), and what is equal then is a tie; the figure is exactly that of the rounded
//!   ones. A tie of `n` outcomes that ends at place `m` of the list moves each of its "yes" by less
//!   than `n / m`.
//! - Cost: constant time an outcome, 64 KiB of memory; 4,099 places are gone through when it is
//!   read.
//! - Not for: comparing streams with different shares of "yes"; whether the probabilities are right
//!   (see `log_loss`).
//! - Source: J. Davis and M. Goadrich, "The Relationship between Precision-Recall and ROC Curves",
//!   ICML 2006, pages 233-240; with steps in place of their interpolation, as it is usual.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{About, MetricComponent, classes::share, ranking::Ranking};
use crate::{Component, ConfigError, Metric, Outcome, Reader, Shape, State, StateError, Writer};

/// Settings of [`AveragePrecision`]: none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// The metric.
#[derive(Clone, Debug)]
pub struct AveragePrecision {
    ranking: Ranking,
}

impl Component for AveragePrecision {
    const NAME: &'static str = "average_precision";
    type Config = Config;

    fn new(_: Config, shape: &Shape) -> Result<AveragePrecision, ConfigError> {
        Ok(AveragePrecision { ranking: Ranking::new(AveragePrecision::NAME, shape)? })
    }
}

impl MetricComponent for AveragePrecision {
    const ABOUT: About =
        About { title: "average precision", higher_is_better: true, range: (0.0, 1.0) };
}

/// Format 1: the ranking.
const FORMAT: u16 = 1;

impl State for AveragePrecision {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        self.ranking.save(to);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("average_precision", FORMAT)?;
        self.ranking.restore(from)
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<AveragePrecision>() + self.ranking.heap_bytes()
    }
}

impl Metric for AveragePrecision {
    fn add(&mut self, outcome: &Outcome) {
        self.ranking.add(outcome);
    }

    fn value(&self) -> Option<f64> {
        let (mut yes, mut all, mut sum) = (0.0, 0.0, 0.0);
        for tie in self.ranking.ties() {
            yes += tie.yes;
            all += tie.all();
            sum += tie.yes * (yes / all);
        }
        share(sum, yes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LabelShape, math::random_unit, metrics::sums::class_outcome};

    fn value(outcomes: &[(f64, u32)]) -> Option<f64> {
        let shape = Shape::numbers(1, LabelShape::Class { values_max: 2 });
        let mut metric = AveragePrecision::new(Config {}, &shape).unwrap();
        for (second, truth) in outcomes {
            metric.add(&Outcome { second: *second, ..class_outcome(0, *truth, 1.0) });
        }
        metric.value()
    }

    #[test]
    fn each_yes_has_the_precision_of_its_place() {
        assert_eq!(value(&[(0.3, 0)]), None);
        // "Yes" at places 1 and 3 of 4: (1/1 + 2/3) / 2.
        assert_eq!(value(&[(0.9, 1), (0.8, 0), (0.4, 1), (0.1, 0)]), Some((1.0 + 2.0 / 3.0) / 2.0));
        // A tie at places 2 and 3: both count 2 of 3.
        assert_eq!(value(&[(0.9, 0), (0.4, 1), (0.4, 1)]), Some(2.0 / 3.0));
        // At the very end of the list: 1 of 4.
        assert_eq!(value(&[(0.9, 0), (0.8, 0), (0.4, 0), (0.1, 1)]), Some(0.25));
    }

    /// Against the figure of the probabilities as they are.
    #[test]
    fn rounding_moves_it_within_the_bound() {
        for seed in 0..20 {
            let count = 400;
            let mut outcomes: Vec<(f64, u32)> = (0..count)
                .map(|index| {
                    let truth = u32::from(random_unit(seed, index) < 0.05);
                    let unit = random_unit(seed + 100, index);
                    (unit * unit * 0.2 + 0.1 * f64::from(truth), truth)
                })
                .collect();
            let found = value(&outcomes).unwrap();
            outcomes.sort_by(|a, b| b.0.total_cmp(&a.0));
            let (mut yes, mut sum, mut bound) = (0.0, 0.0, 0.0);
            for (place, (score, truth)) in (1u32..).zip(&outcomes) {
                if *truth == 1 {
                    yes += 1.0;
                    sum += yes / f64::from(place);
                    let is_near = |other: &&(f64, u32)| (other.0 - score).abs() < score / 32.0;
                    let ties = outcomes.iter().filter(is_near).count() as f64;
                    bound += ties / f64::from(place);
                }
            }
            assert!((found - sum / yes).abs() <= bound / yes, "{found} and {}", sum / yes);
            assert!((found - sum / yes).abs() < 0.02, "{found} and {}", sum / yes);
        }
    }
}
