//! How much of what chance would have missed was hit: accuracy, held against a guess that gives
//! each answer as often as the learner does, but at random.
//!
//! - Task: class. Range -1 to 1, higher is better; 0 is chance.
//! - No value where chance alone is always right: one class, always answered.
//! - Cost: constant time; 40 bytes for each class met, not for each pair. Reading the value: time
//!   linear in classes.
//! - Not for: streams whose truths come in runs. There "the same as last time" beats chance without
//!   having learnt anything: see `kappa_t`.
//! - Source: J. Cohen, "A Coefficient of Agreement for Nominal Scales", Educational and
//!   Psychological Measurement 20, 1960, pages 37-46, formula 1.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{About, MetricComponent, classes::Classes};
use crate::{
    Component, ConfigError, LabelShape, Metric, Outcome, Reader, Shape, State, StateError, Writer,
};

/// Settings of [`Kappa`]: none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// The metric.
#[derive(Clone, Debug)]
pub struct Kappa {
    classes: Classes,
}

impl Component for Kappa {
    const NAME: &'static str = "kappa";
    type Config = Config;

    fn new(_: Config, shape: &Shape) -> Result<Kappa, ConfigError> {
        match shape.label {
            LabelShape::Class { values_max } => Ok(Kappa { classes: Classes::new(values_max) }),
            _ => Err(ConfigError::unfit("kappa needs a class as the label; try mae or rmse")),
        }
    }
}

impl MetricComponent for Kappa {
    const ABOUT: About = About { title: "kappa", higher_is_better: true, range: (-1.0, 1.0) };
}

/// Format 1: the table of classes.
const FORMAT: u16 = 1;

impl State for Kappa {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        self.classes.save(to);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("kappa", FORMAT)?;
        self.classes.restore(from)
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<Kappa>() + self.classes.heap_bytes()
    }
}

impl Metric for Kappa {
    fn add(&mut self, outcome: &Outcome) {
        self.classes.add(outcome);
    }

    fn value(&self) -> Option<f64> {
        let all: f64 = self.classes.iter().map(|class| class.truth).sum();
        if all <= 0.0 {
            return None;
        }
        let (mut right, mut chance) = (0.0, 0.0);
        for class in self.classes.iter() {
            right += class.right;
            chance += (class.truth / all) * (class.answer / all);
        }
        // Nothing is left to be hit; with a margin, as weights may be rounded.
        let left = 1.0 - chance;
        (left > 1e-12).then(|| ((right / all - chance) / left).clamp(-1.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::sums::class_outcome;

    fn metric() -> Kappa {
        Kappa::new(Config {}, &Shape::numbers(1, LabelShape::Class { values_max: 3 })).unwrap()
    }

    #[test]
    fn three_fifths_of_what_chance_missed() {
        // Right 8 of 10; truths 5 : 5, answers 7 : 3; chance 0.35 + 0.15 = 0.5; (0.8 - 0.5) / 0.5.
        let mut metric = metric();
        for (answer, truth, times) in [(0, 0, 5), (0, 1, 2), (1, 1, 3)] {
            (0..times).for_each(|_| metric.add(&class_outcome(answer, truth, 1.0)));
        }
        assert!((metric.value().unwrap() - 0.6).abs() < 1e-15);
    }

    #[test]
    fn always_the_wrong_one_of_two_is_minus_one() {
        let mut metric = metric();
        metric.add(&class_outcome(0, 1, 1.0));
        metric.add(&class_outcome(1, 0, 1.0));
        assert_eq!(metric.value(), Some(-1.0));
    }

    #[test]
    fn one_class_alone_has_no_kappa() {
        let mut metric = metric();
        assert_eq!(metric.value(), None);
        metric.add(&class_outcome(2, 2, 0.1));
        metric.add(&class_outcome(2, 2, 0.2));
        assert_eq!(metric.value(), None);
    }
}
