//! The harmonic mean of precision and recall: how well the positive answers and the positive truths
//! cover each other.
//!
//! - Task: class. Range 0 to 1, higher is better.
//! - With a label of two classes: the F1 of the second class, the "yes". Records that are "no" and
//!   were answered "no" count for nothing.
//! - With a label of more classes: the mean of each class's F1 ("macro"), over the classes that
//!   were the truth or the answer at least once.
//! - No value while there is no such class: of two, before the second was a truth or an answer.
//! - Cost: constant time; 40 bytes for each class met. Reading the value: time linear in classes.
//! - Not for: comparing streams in which "yes" is unequally rare; it rises with the share of "yes".
//! - Source: C. J. van Rijsbergen, "Information Retrieval", 2nd edition, 1979, chapter 7 (there
//!   1 - E with alpha = 1/2); D. D. Lewis, "Evaluating Text Categorization", HLT 1991,
//!   pages 312-318, for the mean over classes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    About, MetricComponent,
    classes::{Class, Classes, share},
};
use crate::{
    Component, ConfigError, LabelShape, Metric, Outcome, Reader, Shape, State, StateError, Writer,
};

/// Settings of [`F1`]: none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// The metric.
#[derive(Clone, Debug)]
pub struct F1 {
    is_binary: bool,
    classes: Classes,
}

impl Component for F1 {
    const NAME: &'static str = "f1";
    type Config = Config;

    fn new(_: Config, shape: &Shape) -> Result<F1, ConfigError> {
        match shape.label {
            LabelShape::Class { values_max } => {
                Ok(F1 { is_binary: values_max <= 2, classes: Classes::new(values_max) })
            }
            _ => Err(ConfigError::unfit("f1 needs a class as the label; try mae or rmse")),
        }
    }
}

impl MetricComponent for F1 {
    const ABOUT: About = About { title: "F1", higher_is_better: true, range: (0.0, 1.0) };
}

/// Format 1: the table of classes.
const FORMAT: u16 = 1;

impl State for F1 {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        self.classes.save(to);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("f1", FORMAT)?;
        self.classes.restore(from)
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<F1>() + self.classes.heap_bytes()
    }
}

/// `2 TP / (2 TP + FP + FN)`: the answers of a class are TP + FP, its truths TP + FN. `None` where
/// the class was neither.
fn f1(class: &Class) -> Option<f64> {
    share(2.0 * class.right, class.truth + class.answer)
}

impl Metric for F1 {
    fn add(&mut self, outcome: &Outcome) {
        self.classes.add(outcome);
    }

    fn value(&self) -> Option<f64> {
        if self.is_binary {
            f1(&self.classes.get(1))
        } else {
            self.classes.mean(Class::is_known, |class| f1(class).unwrap_or(0.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::sums::class_outcome;

    fn metric(values_max: u32) -> F1 {
        F1::new(Config {}, &Shape::numbers(1, LabelShape::Class { values_max })).unwrap()
    }

    #[test]
    fn of_two_classes_the_second_is_the_one_looked_for() {
        let mut metric = metric(2);
        metric.add(&class_outcome(0, 0, 1.0));
        assert_eq!(metric.value(), None, "no yes yet, neither said nor true");
        // 2 true positives, 1 false positive, 3 false negatives: 4 / 8.
        for (answer, truth) in [(1, 1), (1, 1), (1, 0), (0, 1), (0, 1), (0, 1)] {
            metric.add(&class_outcome(answer, truth, 1.0));
        }
        assert_eq!(metric.value(), Some(0.5));
    }

    #[test]
    fn of_more_classes_each_known_one_counts_alike() {
        let mut metric = metric(1000);
        // Class 0: 2 / 3. Class 7: 0, as an answer alone. Class 999: 1.
        for (answer, truth) in [(0, 0), (7, 0), (999, 999)] {
            metric.add(&class_outcome(answer, truth, 1.0));
        }
        let expected = (2.0 / 3.0 + 0.0 + 1.0) / 3.0;
        assert!((metric.value().unwrap() - expected).abs() < 1e-15);
    }

    #[test]
    fn a_weight_of_two_is_the_record_twice() {
        let (mut once, mut twice) = (metric(2), metric(2));
        for (answer, truth, weight) in [(1, 1, 2.0), (1, 0, 1.0)] {
            once.add(&class_outcome(answer, truth, weight));
        }
        for (answer, truth) in [(1, 1), (1, 1), (1, 0)] {
            twice.add(&class_outcome(answer, truth, 1.0));
        }
        assert_eq!(once.value(), twice.value());
    }
}
