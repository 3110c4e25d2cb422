//! The share of answers that were right.
//!
//! - Task: class. Range 0 to 1, higher is better.
//! - Cost: constant time and memory.
//! - Not for: rare classes, where always saying "no" looks good (see `kappa_t`,
//!   `balanced_accuracy`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    About, MetricComponent,
    sums::{Mean, weight},
};
use crate::{
    Component, ConfigError, LabelShape, Metric, Outcome, Reader, Shape, State, StateError, Writer,
};

/// Settings of [`Accuracy`]: none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// The metric.
#[derive(Clone, Debug, Default)]
pub struct Accuracy {
    right: Mean,
}

impl Component for Accuracy {
    const NAME: &'static str = "accuracy";
    type Config = Config;

    fn new(_: Config, shape: &Shape) -> Result<Accuracy, ConfigError> {
        match shape.label {
            LabelShape::Class { .. } => Ok(Accuracy::default()),
            _ => Err(ConfigError::unfit("accuracy needs a class as the label; try mae or rmse")),
        }
    }
}

impl MetricComponent for Accuracy {
    const ABOUT: About = About { title: "accuracy", higher_is_better: true, range: (0.0, 1.0) };
}

/// Format 1: the mean of right answers.
const FORMAT: u16 = 1;

impl State for Accuracy {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        self.right.save(to);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("accuracy", FORMAT)?;
        self.right = Mean::read(from)?;
        Ok(())
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<Accuracy>()
    }
}

/// 1 if the answer is the truth, 0 if not.
pub(super) fn is_right(outcome: &Outcome) -> f64 {
    f64::from(u8::from(outcome.answer == outcome.truth))
}

impl Metric for Accuracy {
    fn add(&mut self, outcome: &Outcome) {
        if let Some(weight) = weight(outcome) {
            self.right.add(is_right(outcome), weight);
        }
    }

    fn value(&self) -> Option<f64> {
        self.right.value().map(|share| share.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_three_is_two_thirds() {
        let shape = Shape::numbers(1, LabelShape::Class { values_max: 2 });
        let mut metric = Accuracy::new(Config {}, &shape).unwrap();
        let (answer, truth_before, probability, second, weight) = (1.0, 0.0, 0.9, 0.9, 1.0);
        for truth in [1.0, 0.0, 1.0] {
            let outcome = Outcome { answer, truth, truth_before, probability, second, weight };
            metric.add(&outcome);
        }
        assert_eq!(metric.value(), Some(2.0 / 3.0));
    }
}
