//! The share of answers that were right.
//!
//! - Task: class. Range 0 to 1, higher is better.
//! - Cost: constant time and memory.
//! - Not for: rare classes, where always saying "no" looks good (see `kappa_t`, `balanced_accuracy`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    right: f64,
    all: f64,
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

/// Format 1: weights of the right ones and of all.
const FORMAT: u16 = 1;

impl State for Accuracy {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        to.f64(self.right);
        to.f64(self.all);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("accuracy", FORMAT)?;
        self.right = from.f64()?;
        self.all = from.f64()?;
        Ok(())
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<Accuracy>()
    }
}

impl Accuracy {
    fn count(&mut self, outcome: &Outcome, weight: f64) {
        self.all += weight;
        if outcome.answer == outcome.truth {
            self.right += weight;
        }
    }
}

impl Metric for Accuracy {
    fn add(&mut self, outcome: &Outcome) {
        self.count(outcome, outcome.weight);
    }

    fn remove(&mut self, outcome: &Outcome) {
        self.count(outcome, -outcome.weight);
    }

    fn value(&self) -> Option<f64> {
        (self.all > 0.0).then(|| self.right / self.all)
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
