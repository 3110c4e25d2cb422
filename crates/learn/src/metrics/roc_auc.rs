//! How well the probabilities sort "yes" before "no": the chance that a "yes" was given a higher
//! probability than a "no", a tie being half.
//!
//! - Task: class, two of them. Range 0 to 1, higher is better; 0.5 is chance.
//! - Exact, over the newest `window` outcomes: also where a figure "since the beginning" is asked
//!   for. No value while they are all of one class.
//! - Cost: constant time a record; 16 bytes for each outcome in the window. Reading the value sorts
//!   the window: a third of a millisecond for 10,000.
//! - Not for: whether the probabilities are right (see `log_loss`); nor for very rare "yes", where
//!   the many easy "no" hide what the top of the list looks like.
//! - Source: J. Hanley and B. McNeil, "The Meaning and Use of the Area under a Receiver Operating
//!   Characteristic (ROC) Curve", Radiology 143, 1982, pages 29-36;
//!   over a window of a stream: D. Brzezinski and J. Stefanowski, "Prequential AUC", Knowledge and
//!   Information Systems 52, 2017, pages 531-562.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{About, MetricComponent, classes::check_two_classes, sums::weight};
use crate::{
    Component, ConfigError, Metric, Outcome, Reader, Shape, State, StateError, Writer, check_count,
    ring::Ring,
};

/// Settings of [`RocAuc`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "window"))]
pub struct Config {
    /// How many of the newest outcomes are sorted. Records. Range: 2 to 1,000,000. Default: 10,000.
    /// Raising it makes the figure calmer, slower to show a change, and dearer: 16 bytes a record,
    /// and a longer sort each time the figure is read.
    pub window: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config { window: 10_000 }
    }
}

/// One outcome, as far as it is needed.
#[derive(Clone, Copy, Debug)]
struct Scored {
    /// The probability given to "yes", finite.
    score: f64,
    /// The weight: above 0 for a "yes", below 0 for a "no".
    weight: f64,
}

/// The metric.
#[derive(Clone, Debug)]
pub struct RocAuc {
    newest: Ring<Scored>,
}

impl Component for RocAuc {
    const NAME: &'static str = "roc_auc";
    type Config = Config;

    fn new(config: Config, shape: &Shape) -> Result<RocAuc, ConfigError> {
        let window = check_count("window", config.window, 2, 1_000_000)?;
        check_two_classes(RocAuc::NAME, shape)?;
        Ok(RocAuc { newest: Ring::new(window as usize) })
    }
}

impl MetricComponent for RocAuc {
    const ABOUT: About = About { title: "AUC", higher_is_better: true, range: (0.0, 1.0) };
}

/// Format 1: the ring of scores and weights.
const FORMAT: u16 = 1;

impl State for RocAuc {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        self.newest.save(to, |scored, to| {
            to.f64(scored.score);
            to.f64(scored.weight);
        });
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("roc_auc", FORMAT)?;
        self.newest.restore(from, 16, |from| {
            let scored = Scored { score: from.f64()?, weight: from.f64()? };
            let is_weight = (1e-12..=1e12).contains(&scored.weight.abs());
            if scored.score.is_finite() && is_weight {
                Ok(scored)
            } else {
                Err(StateError::Unfit { what: "a score or a weight that cannot be" })
            }
        })
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<RocAuc>() + self.newest.heap_bytes()
    }
}

/// What is kept of an outcome. A score that is no number is the lowest; `None` is not counted.
fn scored(outcome: &Outcome) -> Option<Scored> {
    let score = if outcome.second.is_finite() { outcome.second } else { f64::MIN };
    // Both zeros are one score.
    let score = score + 0.0;
    let weight = weight(outcome)?;
    Some(Scored { score, weight: if outcome.truth == 1.0 { weight } else { -weight } })
}

impl Metric for RocAuc {
    fn add(&mut self, outcome: &Outcome) {
        if let Some(scored) = scored(outcome) {
            if self.newest.is_full() {
                self.newest.pop();
            }
            self.newest.push(scored);
        }
    }

    fn value(&self) -> Option<f64> {
        let mut sorted: Vec<Scored> = self.newest.iter().copied().collect();
        // Stable: equal scores stay in order of arrival, and so does the sum of their weights.
        sorted.sort_by(|a, b| a.score.total_cmp(&b.score));
        area(&sorted)
    }
}

/// The area under the curve, of outcomes sorted by score, the lowest first: each "yes" beats the
/// "no" below it, and half of those beside it.
fn area(sorted: &[Scored]) -> Option<f64> {
    let (mut yes, mut no, mut beaten) = (0.0, 0.0, 0.0);
    for tie in sorted.chunk_by(|a, b| a.score == b.score) {
        let (mut tie_yes, mut tie_no) = (0.0, 0.0);
        for scored in tie {
            if scored.weight > 0.0 {
                tie_yes += scored.weight;
            } else {
                tie_no -= scored.weight;
            }
        }
        beaten += tie_yes * (no + 0.5 * tie_no);
        yes += tie_yes;
        no += tie_no;
    }
    (yes > 0.0 && no > 0.0).then(|| (beaten / (yes * no)).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LabelShape, metrics::sums::class_outcome};

    fn metric(window: u64) -> RocAuc {
        let shape = Shape::numbers(1, LabelShape::Class { values_max: 2 });
        RocAuc::new(Config { window }, &shape).unwrap()
    }

    fn outcome(second: f64, truth: u32) -> Outcome {
        Outcome { second, ..class_outcome(0, truth, 1.0) }
    }

    #[test]
    fn pairs_in_the_right_order_are_counted() {
        let mut metric = metric(10);
        metric.add(&outcome(0.8, 1));
        assert_eq!(metric.value(), None);
        // "Yes" 0.8, 0.4, 0.4; "no" 0.1, 0.4. Of 6 pairs 4 are right and 2 are ties.
        for (second, truth) in [(0.1, 0), (0.4, 1), (0.4, 0), (0.4, 1)] {
            metric.add(&outcome(second, truth));
        }
        assert_eq!(metric.value(), Some(5.0 / 6.0));
    }

    #[test]
    fn only_the_newest_are_sorted() {
        let mut metric = metric(2);
        for (second, truth) in [(0.9, 0), (0.8, 1), (0.1, 0)] {
            metric.add(&outcome(second, truth));
        }
        assert_eq!(metric.value(), Some(1.0));
    }

    #[test]
    fn a_window_out_of_range_is_refused_by_name() {
        let shape = Shape::numbers(1, LabelShape::Class { values_max: 2 });
        for window in [0, 1, 1_000_001] {
            assert_eq!(RocAuc::new(Config { window }, &shape).unwrap_err().field, "window");
        }
    }
}
