//! What metrics add up: sums, and means.

use crate::{Outcome, Reader, StateError, Writer};

/// The largest distance between an answer and the truth that is told apart: a larger one, or an
/// answer that is no number, counts as this. Its square, at the largest weight, 2^64 times, is
/// still a number.
const DISTANCE_MAX: f64 = 1e100;

/// The least and the greatest weight told apart; a weight beyond counts as the nearer one.
const WEIGHTS: (f64, f64) = (1e-12, 1e12);

/// No sum of bounded values can be larger, so a state that holds a larger one is damaged.
const SUM_MAX: f64 = 1e250;

/// The weight an outcome is counted with. `None`: it is not counted.
#[inline]
pub(super) fn weight(outcome: &Outcome) -> Option<f64> {
    if outcome.weight == 1.0 {
        return Some(1.0);
    }
    let is_right = outcome.weight.is_finite() && outcome.weight > 0.0;
    is_right.then(|| outcome.weight.clamp(WEIGHTS.0, WEIGHTS.1))
}

/// The value between the largest distance and its negative. What is no number is the largest.
pub(super) fn bounded(value: f64) -> f64 {
    if value.is_nan() { DISTANCE_MAX } else { value.clamp(-DISTANCE_MAX, DISTANCE_MAX) }
}

/// How far the answer lies above the truth.
pub(super) fn distance(outcome: &Outcome) -> f64 {
    bounded(outcome.answer - outcome.truth)
}

/// Reads a sum or weight, which is finite and not beyond what sums can reach.
pub(super) fn read_bounded(from: &mut Reader<'_>) -> Result<f64, StateError> {
    let value = from.f64()?;
    if value.abs() <= SUM_MAX {
        Ok(value)
    } else {
        Err(StateError::Unfit { what: "a metric's sum is no number, or beyond what sums reach" })
    }
}

/// Reads a count, which is not beyond what counting can reach.
pub(super) fn read_count(from: &mut Reader<'_>) -> Result<u64, StateError> {
    let count = from.u64()?;
    if count <= u64::MAX >> 1 {
        Ok(count)
    } else {
        Err(StateError::Unfit { what: "a count beyond what counting reaches" })
    }
}

/// A sum of about 106 bits: after a year of records its last digits are still right, and one value
/// of 1e20 has not hidden what the others came to, as it does in a plain sum, which forgets all
/// digits below 1e4 then.
///
/// Two-sum: D. E. Knuth, "The Art of Computer Programming" 2, 3rd edition, section 4.2.2, theorem
/// B.
///
/// Most sums count: they have met nothing but 1, 0 and -1. Then nothing is rounded, and one
/// addition has the bits that the two-sums would have.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sum {
    high: f64,
    low: f64,
    /// Whether it has met anything else. No part of the state: found again from the sum.
    is_mixed: bool,
}

/// Integers up to here are added without rounding.
const EXACT_MAX: f64 = (1u64 << 53) as f64;

/// The sum of two numbers, and by how much it was rounded.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let from_b = sum - a;
    let from_a = sum - from_b;
    (sum, (a - from_a) + (b - from_b))
}

impl Sum {
    #[inline]
    pub(super) fn add(&mut self, value: f64) {
        // Tested together: a branch on ones and noughts alone would be foretold wrongly half the
        // time.
        let is_unit = (value == 0.0) | (value.abs() == 1.0);
        if !self.is_mixed && (is_unit & (self.high.abs() < EXACT_MAX)) {
            self.high += value;
        } else {
            self.add_mixed(value);
        }
    }

    fn add_mixed(&mut self, value: f64) {
        self.is_mixed = true;
        let (high, rest) = two_sum(self.high, value);
        (self.high, self.low) = two_sum(high, self.low + rest);
    }

    pub(super) fn total(&self) -> f64 {
        self.high
    }

    pub(super) fn save(&self, to: &mut Writer) {
        to.f64(self.high);
        to.f64(self.low);
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Sum, StateError> {
        let (high, low) = (read_bounded(from)?, read_bounded(from)?);
        Ok(Sum { high, low, is_mixed: low != 0.0 || high.fract() != 0.0 })
    }
}

/// A weighted mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Mean {
    sum: Sum,
    weight: Sum,
}

impl Mean {
    /// Takes a value in: finite, at most the square of the largest distance.
    #[inline]
    pub(super) fn add(&mut self, value: f64, weight: f64) {
        self.sum.add(weight * value);
        self.weight.add(weight);
    }

    /// The mean, if there is anything to take it of.
    pub(super) fn value(&self) -> Option<f64> {
        let (sum, weight) = (self.sum.total(), self.weight.total());
        (weight > 0.0).then(|| sum / weight).filter(|mean| mean.is_finite())
    }

    pub(super) fn save(&self, to: &mut Writer) {
        self.sum.save(to);
        self.weight.save(to);
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Mean, StateError> {
        Ok(Mean { sum: Sum::read(from)?, weight: Sum::read(from)? })
    }
}

/// An outcome of a class, for tests: the first record, and sure of its answer.
#[cfg(test)]
pub(super) fn class_outcome(answer: u32, truth: u32, weight: f64) -> Outcome {
    Outcome {
        answer: f64::from(answer),
        truth: f64::from(truth),
        truth_before: f64::NAN,
        probability: f64::from(u8::from(answer == truth)),
        second: f64::from(u8::from(answer == 1)),
        weight,
    }
}

/// An outcome of a number, for tests: the first record.
#[cfg(test)]
pub(super) fn number_outcome(answer: f64, truth: f64, weight: f64) -> Outcome {
    let truth_before = f64::NAN;
    Outcome { answer, truth, truth_before, probability: 0.0, second: 0.0, weight }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_huge_value_hid_comes_back_when_it_goes() {
        let mut sum = Sum::default();
        for value in [5.0, 1e20, 0.1, -1e20] {
            sum.add(value);
        }
        assert_eq!(sum.total(), 5.1);
    }

    #[test]
    fn a_mean_weighs_its_values() {
        let mut mean = Mean::default();
        assert_eq!(mean.value(), None);
        mean.add(2.0, 3.0);
        mean.add(6.0, 1.0);
        assert_eq!(mean.value(), Some(3.0));
    }

    #[test]
    fn counting_has_the_bits_of_the_long_way() {
        let (mut counted, mut summed) = (Sum::default(), Sum::default());
        for step in 0..2_000u64 {
            let value = [1.0, 0.0, -0.0, 1.0, -1.0][(step * step % 5) as usize];
            counted.add(value);
            summed.add_mixed(value);
            let bits = |sum: &Sum| (sum.high.to_bits(), sum.low.to_bits());
            assert_eq!(bits(&counted), bits(&summed), "after {step}");
        }
        assert!(!counted.is_mixed);
        for sum in [&mut counted, &mut summed] {
            [0.1, 1.0, -0.1].into_iter().for_each(|value| sum.add(value));
        }
        assert_eq!(counted, summed);
    }

    #[test]
    fn what_cannot_be_compared_is_the_largest_distance() {
        let outcome = |answer, truth| number_outcome(answer, truth, 1.0);
        assert_eq!(distance(&outcome(3.0, 1.0)), 2.0);
        assert_eq!(distance(&outcome(-1e308, 1e308)), -1e100);
        assert_eq!(distance(&outcome(f64::NAN, 1.0)), 1e100);
    }
}
