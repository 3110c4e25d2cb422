//! Makes some classes count more than others.
//!
//! - For: a class that is rare and matters, such as fraud: with weight 50 each of its examples
//!   counts as 50. What is judged does not change.
//! - Cost: nothing beside the learner's own.
//! - Not for: calibrated probabilities. The inner learner sees a stream in which the class is more
//!   frequent than it is, and its probabilities are of that stream.
//! - Paper: C. Elkan, "The Foundations of Cost-Sensitive Learning", IJCAI 2001, section 2
//!   (rebalancing).

use std::ops::RangeInclusive;

use crate::{
    ConfigError, Features, Label, Learner, Prediction, Reader, State, StateError, Task, Writer,
    check_number,
};

/// A learner whose examples are weighted by class. Invariant: `weights` are from 0 to 1e9.
pub struct ClassWeight {
    inner: Box<dyn Learner>,
    /// By the class's code; a code beyond them weighs 1.
    weights: Vec<f64>,
}

impl ClassWeight {
    /// What a class may weigh.
    pub const WEIGHTS: RangeInclusive<f64> = 0.0..=1e9;

    /// Surrounds a learner. `weights` go by the class's code; a code beyond them weighs 1, and the
    /// examples of a class with weight 0 are not learned.
    ///
    /// # Errors
    /// When a weight is not from 0 to 1e9, or the learner's task is not a class.
    pub fn new(inner: Box<dyn Learner>, weights: Vec<f64>) -> Result<ClassWeight, ConfigError> {
        if inner.task() != Task::Class {
            return Err(ConfigError::unfit("class_weight needs a learner of classes"));
        }
        for weight in &weights {
            let is_right = |weight| Self::WEIGHTS.contains(&weight);
            check_number("class_weight", *weight, "from 0 to 1e9", is_right)?;
        }
        Ok(ClassWeight { inner, weights })
    }
}

impl Clone for ClassWeight {
    fn clone(&self) -> ClassWeight {
        ClassWeight { inner: self.inner.fork(), weights: self.weights.clone() }
    }
}

/// Format 1: the inner learner's state.
const FORMAT: u16 = 1;

impl State for ClassWeight {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        self.inner.save(to);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("class_weight", FORMAT)?;
        self.inner.restore(from)
    }

    fn footprint_bytes(&self) -> usize {
        let weights = self.weights.capacity() * size_of::<f64>();
        size_of::<ClassWeight>() + weights + self.inner.footprint_bytes()
    }
}

impl Learner for ClassWeight {
    fn task(&self) -> Task {
        self.inner.task()
    }

    fn predict(&self, x: &Features<'_>, out: &mut Prediction) {
        self.inner.predict(x, out);
    }

    fn learn(&mut self, x: &Features<'_>, y: Label<'_>, weight: f64) {
        let factor = match y {
            Label::Class(class) => self.weights.get(class as usize).copied().unwrap_or(1.0),
            _ => 1.0,
        };
        self.inner.learn(x, y, (weight * factor).min(f64::MAX));
    }

    fn explain(&self, x: &Features<'_>, out: &mut Vec<f64>) -> bool {
        self.inner.explain(x, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LabelShape, Shape, learners::LearnerConfig};

    fn around(name: &str, label: LabelShape, weights: &[f64]) -> Result<ClassWeight, ConfigError> {
        let inner = LearnerConfig::by_name(name).unwrap().build(&Shape::numbers(0, label)).unwrap();
        ClassWeight::new(inner, weights.to_vec())
    }

    #[test]
    fn an_example_counts_as_often_as_its_class_weighs() {
        let label = LabelShape::Class { values_max: 3 };
        let mut learner = around("majority", label, &[1.0, 4.0]).unwrap();
        for class in [0, 0, 0, 1, 2] {
            learner.learn(&Features::default(), Label::Class(class), 1.0);
        }
        let mut out = Prediction::default();
        learner.predict(&Features::default(), &mut out);
        assert_eq!((out.value, out.scores), (1.0, vec![0.375, 0.5, 0.125]));
    }

    #[test]
    fn a_weight_below_zero_and_a_learner_of_numbers_are_refused() {
        let label = LabelShape::Class { values_max: 2 };
        let error = around("majority", label, &[-1.0]).err().unwrap();
        assert_eq!(error.to_string(), "class_weight is -1, but must be from 0 to 1e9");
        assert!(around("mean", LabelShape::Number, &[]).is_err());
    }
}
