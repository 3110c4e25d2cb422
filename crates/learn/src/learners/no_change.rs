//! Answers with the last label: the baseline that every learner on a stream has to beat.
//!
//! - Task: the label's, a class or a number.
//! - Cost: constant time and memory.
//! - Not for: anything but comparison. A learner below it has learnt nothing useful.
//! - Source: A. Bifet et al., "Pitfalls in Benchmarking Data Stream Classification and How to Avoid
//!   Them", ECML PKDD 2013, section 2 (there: the no-change classifier).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Component, ConfigError, Features, Label, LabelShape, Learner, Prediction, Reader, Shape, State,
    StateError, Task, Writer,
};

/// Settings of [`NoChange`]: none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// The baseline. Invariant: `last` is finite, and a code below `classes_max` where it is a class.
#[derive(Clone, Debug)]
pub struct NoChange {
    /// The most classes there will be; `None` where the label is a number.
    classes_max: Option<u32>,
    last: Option<f64>,
}

impl Component for NoChange {
    const NAME: &'static str = "no_change";
    type Config = Config;

    fn new(_: Config, shape: &Shape) -> Result<NoChange, ConfigError> {
        match shape.label {
            LabelShape::None => Err(ConfigError::unfit("no_change needs a label")),
            LabelShape::Class { values_max } => {
                Ok(NoChange { classes_max: Some(values_max), last: None })
            }
            LabelShape::Number => Ok(NoChange { classes_max: None, last: None }),
        }
    }
}

/// Format 1: the last label, if there was one.
const FORMAT: u16 = 1;

impl State for NoChange {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        to.option_f64(self.last);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("no_change", FORMAT)?;
        self.last = from.option_f64()?;
        let can_be = |last: f64| match self.classes_max {
            Some(classes) => last >= 0.0 && last.fract() == 0.0 && last < f64::from(classes),
            None => last.is_finite(),
        };
        match self.last {
            Some(last) if !can_be(last) => Err(StateError::Unfit { what: "no such label" }),
            _ => Ok(()),
        }
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<NoChange>()
    }
}

impl Learner for NoChange {
    fn task(&self) -> Task {
        if self.classes_max.is_some() { Task::Class } else { Task::Number }
    }

    fn predict(&self, _: &Features<'_>, out: &mut Prediction) {
        out.clear();
        out.value = self.last.unwrap_or(0.0);
        if let (Some(_), Some(class)) = (self.classes_max, self.last) {
            out.scores.resize((class as usize + 1).max(2), 0.0);
            out.scores[class as usize] = 1.0;
        }
    }

    fn learn(&mut self, _: &Features<'_>, y: Label<'_>, weight: f64) {
        if weight == 0.0 {
            return;
        }
        match (y, self.classes_max) {
            (Label::Class(class), Some(classes)) if class < classes => {
                self.last = Some(f64::from(class));
            }
            (Label::Number(value), None) => self.last = Some(value),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_that_cannot_be_is_not_learned() {
        let two = Shape::numbers(0, LabelShape::Class { values_max: 2 });
        let number = Shape::numbers(0, LabelShape::Number);
        let cases = [
            (two.clone(), Label::Class(1), Label::Class(2)),
            (two.clone(), Label::Class(1), Label::Class(u32::MAX)),
            (two, Label::Class(1), Label::Number(0.5)),
            (number, Label::Number(1.0), Label::Class(7)),
        ];
        for (shape, label, other) in cases {
            let mut learner = NoChange::new(Config {}, &shape).unwrap();
            learner.learn(&Features::default(), label, 1.0);
            learner.learn(&Features::default(), other, 1.0);
            assert_eq!(learner.last, Some(1.0), "after {other:?}");
        }
    }
}
