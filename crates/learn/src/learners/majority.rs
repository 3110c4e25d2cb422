//! Answers with the class seen most: the baseline for classes.
//!
//! - Task: class. `scores` are the shares of the classes so far, by weight, up to the highest code
//!   met; empty before the first label.
//! - Cost: time O(classes) to answer, constant to learn; memory 8 bytes a class met.
//! - Not for: anything but comparison. A learner below it has learnt nothing useful; on a stream
//!   whose label stays for a while, `no_change` is the harder one to beat.
//! - Paper: A. Bifet et al., "Efficient Online Evaluation of Big Data Stream Classifiers", KDD 2015
//!   (there: the majority class classifier, which the statistic kappa M compares with).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Component, ConfigError, Features, Label, LabelShape, Learner, Prediction, Reader, Shape, State,
    StateError, Task, Writer, math,
};

/// Settings of [`Majority`]: none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// The baseline. Invariant: `weights` holds at most `classes_max` numbers, each finite and 0 or
/// more.
#[derive(Clone, Debug)]
pub struct Majority {
    classes_max: usize,
    /// What each class weighs so far, by code.
    weights: Vec<f64>,
}

impl Component for Majority {
    const NAME: &'static str = "majority";
    type Config = Config;

    fn new(_: Config, shape: &Shape) -> Result<Majority, ConfigError> {
        match shape.label {
            LabelShape::Class { values_max } => {
                Ok(Majority { classes_max: values_max as usize, weights: Vec::new() })
            }
            _ => Err(ConfigError::unfit("majority needs a class as the label; try mean")),
        }
    }
}

/// Format 1: the weight of each class, by code.
const FORMAT: u16 = 1;

impl State for Majority {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        to.f64s(&self.weights);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("majority", FORMAT)?;
        self.weights = from.f64s()?;
        if self.weights.len() > self.classes_max {
            return Err(StateError::Unfit { what: "majority has more classes than the label" });
        }
        match self.weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0) {
            true => Ok(()),
            false => Err(StateError::Unfit { what: "majority has a weight below 0" }),
        }
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<Majority>() + self.weights.capacity() * size_of::<f64>()
    }
}

impl Learner for Majority {
    fn task(&self) -> Task {
        Task::Class
    }

    fn predict(&self, _: &Features<'_>, out: &mut Prediction) {
        out.clear();
        // Held below infinity, so that a share is never infinity by infinity.
        let all = math::sum(&self.weights).min(f64::MAX);
        if all > 0.0 {
            out.scores.extend(self.weights.iter().map(|weight| weight / all));
            out.set_value_from_scores();
        }
    }

    fn learn(&mut self, _: &Features<'_>, y: Label<'_>, weight: f64) {
        let Label::Class(class) = y else { return };
        let class = class as usize;
        if weight == 0.0 || class >= self.classes_max {
            return;
        }
        if class >= self.weights.len() {
            self.weights.resize(class + 1, 0.0);
        }
        self.weights[class] = (self.weights[class] + weight).min(f64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(labels: &[(u32, f64)]) -> Prediction {
        let shape = Shape::numbers(0, LabelShape::Class { values_max: 5 });
        let mut learner = Majority::new(Config {}, &shape).unwrap();
        for (class, weight) in labels {
            learner.learn(&Features::default(), Label::Class(*class), *weight);
        }
        let mut out = Prediction::default();
        learner.predict(&Features::default(), &mut out);
        out
    }

    #[test]
    fn scores_are_the_shares_so_far() {
        let answer = after(&[(2, 1.0), (0, 1.0), (2, 2.0)]);
        assert_eq!((answer.value, answer.scores), (2.0, vec![0.25, 0.0, 0.75]));
    }

    #[test]
    fn a_tie_is_for_the_lowest_code() {
        assert_eq!(after(&[(3, 1.0), (1, 1.0)]).value, 1.0);
    }

    #[test]
    fn before_the_first_label_it_says_the_first_class() {
        assert_eq!(after(&[]), Prediction::default());
    }
}
