//! For each class: how often it was the truth, the answer, and both. A confusion matrix of 1,000
//! classes has a million cells; its margins and diagonal, which the metrics here need, 3,000.

use super::sums::{read_bounded, weight};
use crate::{ConfigError, LabelShape, Outcome, Reader, Shape, StateError, Writer};

/// Checks that the label has two classes, as the metric of that name needs.
pub(super) fn check_two_classes(metric: &str, shape: &Shape) -> Result<(), ConfigError> {
    match shape.label {
        LabelShape::Class { values_max: 2 } => Ok(()),
        _ => {
            Err(ConfigError::unfit(format!("{metric} needs a label of two classes; try log_loss")))
        }
    }
}

/// The weights of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Class {
    /// Weight of the outcomes where it was the truth.
    pub(super) truth: f64,
    /// Weight of the outcomes where it was the answer.
    pub(super) answer: f64,
    /// Weight of the outcomes where it was both.
    pub(super) right: f64,
}

impl Class {
    /// Bytes when saved.
    const BYTES: usize = 24;

    pub(super) fn is_a_truth(&self) -> bool {
        self.truth > 0.0
    }

    pub(super) fn is_known(&self) -> bool {
        self.truth > 0.0 || self.answer > 0.0
    }
}

/// The table. Grows to the largest code met, at most to the shape's bound; a label beyond the bound
/// is not counted, an answer beyond it is wrong.
#[derive(Clone, Debug)]
pub(super) struct Classes {
    classes_max: u32,
    classes: Vec<Class>,
}

impl Classes {
    pub(super) fn new(classes_max: u32) -> Classes {
        Classes { classes_max, classes: Vec::new() }
    }

    fn code(&self, value: f64) -> Option<usize> {
        let is_code = value >= 0.0 && value < f64::from(self.classes_max) && value == value.trunc();
        is_code.then_some(value as usize)
    }

    fn class(&mut self, code: usize) -> &mut Class {
        if self.classes.len() <= code {
            self.classes.resize(code + 1, Class::default());
        }
        &mut self.classes[code]
    }

    pub(super) fn add(&mut self, outcome: &Outcome) {
        let (Some(weight), Some(truth)) = (weight(outcome), self.code(outcome.truth)) else {
            return;
        };
        let answer = self.code(outcome.answer);
        let class = self.class(truth);
        class.truth += weight;
        // A product, where a branch would be guessed wrong as often as the learner is.
        class.right += weight * f64::from(u8::from(answer == Some(truth)));
        if let Some(answer) = answer {
            let class = self.class(answer);
            class.answer += weight;
        }
    }

    /// Every class up to the largest code met, in the order of the codes.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Class> {
        self.classes.iter()
    }

    pub(super) fn get(&self, code: usize) -> Class {
        self.classes.get(code).copied().unwrap_or_default()
    }

    /// The mean of a figure over the classes that are asked for.
    pub(super) fn mean(
        &self,
        is_asked: impl Fn(&Class) -> bool,
        figure: impl Fn(&Class) -> f64,
    ) -> Option<f64> {
        let (mut sum, mut count) = (0.0, 0.0);
        for class in self.classes.iter().filter(|class| is_asked(class)) {
            sum += figure(class);
            count += 1.0;
        }
        (count > 0.0).then(|| sum / count)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.classes.capacity() * size_of::<Class>()
    }

    /// Writes the classes up to the last that is known.
    pub(super) fn save(&self, to: &mut Writer) {
        let known = self.classes.iter().rposition(Class::is_known).map_or(0, |last| last + 1);
        to.len(known);
        for class in &self.classes[..known] {
            to.f64(class.truth);
            to.f64(class.answer);
            to.f64(class.right);
        }
    }

    pub(super) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        let count = from.len(Class::BYTES)?;
        if count as u64 > u64::from(self.classes_max) {
            return Err(StateError::Unfit { what: "more classes than the label has" });
        }
        self.classes.clear();
        for _ in 0..count {
            self.classes.push(Class {
                truth: read_bounded(from)?,
                answer: read_bounded(from)?,
                right: read_bounded(from)?,
            });
        }
        Ok(())
    }
}

/// A share that rounding, or a damaged state, may have pushed over the edge. `None` for 0 / 0.
pub(super) fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| (part / whole).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::sums::class_outcome;

    #[test]
    fn a_class_is_known_by_its_truths_and_its_answers() {
        let mut classes = Classes::new(9);
        let outcomes =
            [class_outcome(3, 7, 0.1), class_outcome(7, 7, 0.2), class_outcome(1, 7, 0.3)];
        outcomes.iter().for_each(|outcome| classes.add(outcome));
        assert_eq!((classes.get(7).right, classes.get(7).answer), (0.2, 0.2));
        assert!(classes.get(3).is_known() && !classes.get(3).is_a_truth());
    }

    #[test]
    fn codes_beyond_the_bound_take_no_room() {
        let mut classes = Classes::new(2);
        classes.add(&class_outcome(u32::MAX, 0, 1.0));
        classes.add(&class_outcome(0, 2, 1.0));
        assert_eq!(classes.iter().count(), 1);
        assert_eq!((classes.get(0).truth, classes.get(0).answer), (1.0, 0.0));
    }
}
