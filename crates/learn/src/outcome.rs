//! What came of one answer, in the few numbers that every metric needs.

use crate::{Label, Prediction, Reader, StateError, Task, Writer};

/// One answer held against the truth. Small, so that a window of thousands can keep them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// The answer: a class's code, or a number.
    pub answer: f64,
    /// The truth: a class's code, or a number. For clusters the squared distance to the centre.
    pub truth: f64,
    /// The truth before this one; [`f64::NAN`] if this is the first. What "no change" would say.
    pub truth_before: f64,
    /// The probability given to the true class; for the score of a yes-or-no question see `second`.
    pub probability: f64,
    /// The probability given to the second of two classes: what a ranking metric sorts by.
    pub second: f64,
    /// How much it counts, above 0.
    pub weight: f64,
}

impl Outcome {
    /// Bytes of one outcome when saved.
    pub const BYTES: usize = 48;

    /// Holds an answer against its label. `None` when there is nothing to judge: no label, or a
    /// task this label says nothing about.
    pub fn of(
        task: Task,
        answer: &Prediction,
        label: Label<'_>,
        truth_before: f64,
    ) -> Option<Outcome> {
        let weight = 1.0;
        match (task, label) {
            (Task::Class, Label::Class(class)) => Some(Outcome {
                answer: answer.value,
                truth: f64::from(class),
                truth_before,
                probability: answer.probability(class),
                second: answer.probability(1),
                weight,
            }),
            (Task::Number, Label::Number(truth)) => Some(Outcome {
                answer: answer.value,
                truth,
                truth_before,
                probability: 0.0,
                second: 0.0,
                weight,
            }),
            (Task::Cluster, _) => Some(Outcome {
                answer: answer.value,
                truth: answer.scores.get(answer.value as usize).copied().unwrap_or(0.0),
                truth_before,
                probability: 0.0,
                second: 0.0,
                weight,
            }),
            _ => None,
        }
    }

    /// How wrong the answer was, as detectors want it: 0 or 1 for a class, else the distance, which
    /// for a cluster is squared. Finite: a distance too large for a number is the largest number.
    pub fn error(&self, task: Task) -> f64 {
        match task {
            Task::Class => f64::from(u8::from(self.answer != self.truth)),
            Task::Cluster => self.truth,
            _ => (self.answer - self.truth).abs().min(f64::MAX),
        }
    }

    /// Writes it.
    pub fn save(&self, to: &mut Writer) {
        for value in
            [self.answer, self.truth, self.truth_before, self.probability, self.second, self.weight]
        {
            to.f64(value);
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// When the bytes end too early.
    pub fn read(from: &mut Reader<'_>) -> Result<Outcome, StateError> {
        Ok(Outcome {
            answer: from.f64()?,
            truth: from.f64()?,
            truth_before: from.f64()?,
            probability: from.f64()?,
            second: from.f64()?,
            weight: from.f64()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LabelShape, Shape, detectors::DetectorConfig};

    /// What a system writes for "none" may be the least or the greatest number there is; the
    /// distance of the two is no number.
    #[test]
    fn an_error_is_a_number_whatever_the_numbers() {
        for (value, truth) in [(f64::MIN, f64::MAX), (-1e300, f64::MAX), (1e308, -1e308)] {
            let answer = Prediction { value, ..Prediction::default() };
            let outcome = Outcome::of(Task::Number, &answer, Label::Number(truth), f64::NAN);
            let error = outcome.unwrap().error(Task::Number);
            assert_eq!(error, f64::MAX);

            let shape = Shape::numbers(0, LabelShape::Number);
            let build = || DetectorConfig::by_name("adwin").unwrap().build(&shape).unwrap();
            let (mut detector, mut to) = (build(), Writer::new());
            detector.update(error);
            detector.save(&mut to);
            assert_eq!(build().restore(&mut Reader::new(to.bytes())), Ok(()));
        }
    }
}
