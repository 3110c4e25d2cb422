//! Answers with the mean of all labels so far: the baseline for numbers.
//!
//! - Task: number. 0 before the first label.
//! - Cost: constant time and memory.
//! - Not for: anything but comparison. A learner below it has learnt nothing useful; on a stream
//!   whose label moves slowly, `no_change` is the harder one to beat.
//! - Paper: D. H. D. West, "Updating Mean and Variance Estimates: An Improved Method",
//!   Communications of the ACM 22 (9), 1979, pages 532-535 (the weighted mean).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Component, ConfigError, Features, Label, LabelShape, Learner, Prediction, Reader, Shape, State,
    StateError, Task, Writer, math,
};

/// Settings of [`Mean`]: none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// The baseline. Invariant: both are finite, and `weight` is 0 or more.
#[derive(Clone, Debug, Default)]
pub struct Mean {
    /// The weight of all labels so far.
    weight: f64,
    mean: f64,
}

impl Component for Mean {
    const NAME: &'static str = "mean";
    type Config = Config;

    fn new(_: Config, shape: &Shape) -> Result<Mean, ConfigError> {
        match shape.label {
            LabelShape::Number => Ok(Mean::default()),
            _ => Err(ConfigError::unfit("mean needs a number as the label; try majority")),
        }
    }
}

/// Format 1: the weight of all labels, and their mean.
const FORMAT: u16 = 1;

impl State for Mean {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        to.f64(self.weight);
        to.f64(self.mean);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("mean", FORMAT)?;
        *self = Mean { weight: from.f64()?, mean: from.f64()? };
        match self.weight.is_finite() && self.weight >= 0.0 && self.mean.is_finite() {
            true => Ok(()),
            false => Err(StateError::Unfit { what: "mean is not of numbers" }),
        }
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<Mean>()
    }
}

impl Learner for Mean {
    fn task(&self) -> Task {
        Task::Number
    }

    fn predict(&self, _: &Features<'_>, out: &mut Prediction) {
        out.clear();
        out.value = self.mean;
    }

    fn learn(&mut self, _: &Features<'_>, y: Label<'_>, weight: f64) {
        let Label::Number(value) = y else { return };
        if weight == 0.0 {
            return;
        }
        self.weight = (self.weight + weight).min(f64::MAX);
        self.mean = math::toward(self.mean, value, weight / self.weight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_of_weight_three_counts_three_times() {
        let mut learner = Mean::default();
        learner.learn(&Features::default(), Label::Number(1.0), 1.0);
        learner.learn(&Features::default(), Label::Number(5.0), 3.0);
        let mut out = Prediction::default();
        learner.predict(&Features::default(), &mut out);
        assert_eq!(out.value, 4.0);
    }
}
