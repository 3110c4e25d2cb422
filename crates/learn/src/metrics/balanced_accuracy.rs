//! The share of answers that were right, for each class alone, then the mean over the classes: a
//! class of ten records counts as much as one of ten thousand.
//!
//! - Task: class. Range 0 to 1, higher is better; always the same answer gives 1 / classes.
//! - The mean is over the classes that were the truth at least once.
//! - Cost: constant time; 40 bytes for each class met. Reading the value: time linear in classes.
//! - Not for: costs that differ otherwise than by rarity. A class of one record moves it by as much
//!   as all others together of their own, so read it over windows that hold some of each class.
//! - Source: K. Brodersen et al., "The Balanced Accuracy and Its Posterior Distribution", ICPR
//!   2010, pages 3121-3124, section 2 (for two classes; the mean of recalls for more).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    About, MetricComponent,
    classes::{Class, Classes, share},
};
use crate::{
    Component, ConfigError, LabelShape, Metric, Outcome, Reader, Shape, State, StateError, Writer,
};

/// Settings of [`BalancedAccuracy`]: none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// The metric.
#[derive(Clone, Debug)]
pub struct BalancedAccuracy {
    classes: Classes,
}

impl Component for BalancedAccuracy {
    const NAME: &'static str = "balanced_accuracy";
    type Config = Config;

    fn new(_: Config, shape: &Shape) -> Result<BalancedAccuracy, ConfigError> {
        match shape.label {
            LabelShape::Class { values_max } => {
                Ok(BalancedAccuracy { classes: Classes::new(values_max) })
            }
            _ => Err(ConfigError::unfit(
                "balanced_accuracy needs a class as the label; try mae or rmse",
            )),
        }
    }
}

impl MetricComponent for BalancedAccuracy {
    const ABOUT: About =
        About { title: "balanced accuracy", higher_is_better: true, range: (0.0, 1.0) };
}

/// Format 1: the table of classes.
const FORMAT: u16 = 1;

impl State for BalancedAccuracy {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        self.classes.save(to);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("balanced_accuracy", FORMAT)?;
        self.classes.restore(from)
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<BalancedAccuracy>() + self.classes.heap_bytes()
    }
}

impl Metric for BalancedAccuracy {
    fn add(&mut self, outcome: &Outcome) {
        self.classes.add(outcome);
    }

    fn value(&self) -> Option<f64> {
        let recall = |class: &Class| share(class.right, class.truth).unwrap_or(0.0);
        self.classes.mean(Class::is_a_truth, recall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::sums::class_outcome;

    #[test]
    fn each_class_counts_alike() {
        let shape = Shape::numbers(1, LabelShape::Class { values_max: 5 });
        let mut metric = BalancedAccuracy::new(Config {}, &shape).unwrap();
        assert_eq!(metric.value(), None);
        // Class 0: 3 of 4 right. Class 3: 0 of 1 right. Class 4: answered, never the truth.
        for (answer, truth) in [(0, 0), (0, 0), (4, 0), (0, 0), (0, 3)] {
            metric.add(&class_outcome(answer, truth, 1.0));
        }
        assert_eq!(metric.value(), Some((0.75 + 0.0) / 2.0));
    }
}
