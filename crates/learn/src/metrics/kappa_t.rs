//! How much of what "no change" missed was hit: accuracy, held against answering with the truth
//! before this one.
//!
//! - Task: class. Up to 1, higher is better; 0 is no better than repeating the last truth, below 0
//!   worse. The first record has no truth before it and is not counted, on either side.
//! - No value where "no change" was never wrong.
//! - Cost: constant time and memory.
//! - Not for: streams in random order, where it is close to `accuracy` on a scale of its own; there
//!   see `kappa`.
//! - Source: A. Bifet et al., "Pitfalls in Benchmarking Data Stream Classification and How to Avoid
//!   Them", ECML PKDD 2013, pages 465-479 (there kappa plus); I. Žliobaitė et al., "Evaluation
//!   Methods and Decision Theory for Classification of Streaming Data with Temporal Dependence",
//!   Machine Learning 98, 2015, pages 455-482 (there kappa-temporal).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    About, MetricComponent,
    accuracy::is_right,
    sums::{Mean, weight},
};
use crate::{
    Component, ConfigError, LabelShape, Metric, Outcome, Reader, Shape, State, StateError, Writer,
};

/// Settings of [`KappaT`]: none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// The metric. Both means are over the same outcomes.
#[derive(Clone, Debug, Default)]
pub struct KappaT {
    right: Mean,
    unchanged: Mean,
}

impl Component for KappaT {
    const NAME: &'static str = "kappa_t";
    type Config = Config;

    fn new(_: Config, shape: &Shape) -> Result<KappaT, ConfigError> {
        match shape.label {
            LabelShape::Class { .. } => Ok(KappaT::default()),
            _ => Err(ConfigError::unfit("kappa_t needs a class as the label; try mae or r2")),
        }
    }
}

impl MetricComponent for KappaT {
    const ABOUT: About =
        About { title: "kappa-t", higher_is_better: true, range: (f64::NEG_INFINITY, 1.0) };
}

/// Format 1: the mean of right answers, and of truths like the one before.
const FORMAT: u16 = 1;

impl State for KappaT {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        self.right.save(to);
        self.unchanged.save(to);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("kappa_t", FORMAT)?;
        self.right = Mean::read(from)?;
        self.unchanged = Mean::read(from)?;
        Ok(())
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<KappaT>()
    }
}

/// The weight of an outcome that has a truth before it.
fn weight_after_another(outcome: &Outcome) -> Option<f64> {
    weight(outcome).filter(|_| !outcome.truth_before.is_nan())
}

fn is_unchanged(outcome: &Outcome) -> f64 {
    f64::from(u8::from(outcome.truth_before == outcome.truth))
}

impl Metric for KappaT {
    fn add(&mut self, outcome: &Outcome) {
        if let Some(weight) = weight_after_another(outcome) {
            self.right.add(is_right(outcome), weight);
            self.unchanged.add(is_unchanged(outcome), weight);
        }
    }

    fn value(&self) -> Option<f64> {
        let (right, unchanged) = (self.right.value()?, self.unchanged.value()?);
        // Nothing is left to be hit; with a margin, as weights may be rounded.
        let (right, unchanged) = (right.clamp(0.0, 1.0), unchanged.clamp(0.0, 1.0));
        let left = 1.0 - unchanged;
        (left > 1e-12).then(|| (right - unchanged) / left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::sums::class_outcome;

    fn kappa_t(rows: &[(u32, u32)]) -> Option<f64> {
        let shape = Shape::numbers(1, LabelShape::Class { values_max: 3 });
        let mut metric = KappaT::new(Config {}, &shape).unwrap();
        let mut truth_before = f64::NAN;
        for (answer, truth) in rows {
            metric.add(&Outcome { truth_before, ..class_outcome(*answer, *truth, 1.0) });
            truth_before = f64::from(*truth);
        }
        metric.value()
    }

    #[test]
    fn half_of_what_no_change_missed() {
        // After the first: right 3 of 4, unchanged 2 of 4; (0.75 - 0.5) / 0.5.
        assert_eq!(kappa_t(&[(2, 0), (0, 0), (1, 1), (1, 1), (1, 2)]), Some(0.5));
    }

    #[test]
    fn no_change_itself_is_zero() {
        assert_eq!(kappa_t(&[(0, 0), (0, 1), (1, 1), (1, 2)]), Some(0.0));
    }

    #[test]
    fn worse_than_no_change_is_below_zero() {
        // Unchanged 3 of 4, right none: (0 - 0.75) / 0.25.
        assert_eq!(kappa_t(&[(1, 0), (1, 0), (1, 0), (1, 0), (0, 1)]), Some(-3.0));
    }

    #[test]
    fn a_truth_that_never_changes_has_no_kappa_t() {
        assert_eq!(kappa_t(&[(0, 1)]), None);
        assert_eq!(kappa_t(&[(0, 1), (1, 1)]), None);
    }
}
