//! What linear and logistic regression share: weights, their scales, and the optimizers.
//!
//! - Cost: time O(dense slots + hashed features of the example); memory 8 to 64 bytes a dense slot
//!   and 16 bytes a hashed slot, taken once, at the start.
//! - Dense slots lie in arrays side by side, so that a row is a few vector instructions; all of a
//!   hashed slot lies in one cache line.

mod rule;
mod scale;
mod settings;
mod table;
mod weights;

use scale::Scale;
use weights::{Example, Pace, Weights};

pub use settings::{AdaGrad, Config, Ftrl, Optimizer, Sgd};

use crate::{ConfigError, Features, Reader, Shape, StateError, Writer, math};

/// What the weights are to make small.
pub(super) trait Loss {
    /// The most the gradient rises for one unit of answer: how far a step is safe.
    const CURVATURE_MAX: f64;

    /// How the loss rises with the answer.
    fn gradient(answer: f64, truth: f64) -> f64;
}

/// Gradients beyond this size count as this: their squares would overflow.
const GRADIENT_MAX: f64 = 1e150;

/// Answers beyond this size count as this.
const ANSWER_MAX: f64 = 1e300;

/// The learner without its loss. Invariant: every number in it is finite.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    /// How many examples were learned.
    learned: u64,
    /// The summed squared size of all examples learned, as scaled; `N` in the paper.
    energy: f64,
    weights: Weights,
    /// None: the numbers are taken as they are.
    scale: Option<Scale>,
}

impl Linear {
    pub(super) fn new(name: &str, config: &Config, shape: &Shape) -> Result<Linear, ConfigError> {
        settings::check(config)?;
        if let Some(slot) = shape.first_nominal() {
            let must_be = format!("`{}` is a category: one_hot or hash it first", slot.name);
            return Err(ConfigError::unfit(must_be));
        }
        if shape.sparse_size > table::SLOTS_MAX {
            return Err(ConfigError::unfit(format!(
                "{name} takes at most {} hashed slots, not {}: lower the bits of the hash step",
                table::SLOTS_MAX,
                shape.sparse_size
            )));
        }
        Ok(Linear {
            learned: 0,
            energy: 0.0,
            weights: Weights::new(config, shape),
            scale: config.normalized.then(|| Scale::new(shape.dense.len())),
        })
    }

    /// The sum of the contributions, finite.
    pub(super) fn answer(&self, x: &Features<'_>) -> f64 {
        let dense = match &self.scale {
            Some(scale) => scale.dot(x.dense, self.weights.dense()),
            None => dot(x.dense, self.weights.dense()),
        };
        finite(dense + self.weights.beside(x.sparse))
    }

    /// What each dense slot contributes to [`Linear::answer`], times `unit`.
    pub(super) fn explain(&self, x: &Features<'_>, unit: f64, out: &mut Vec<f64>) {
        out.clear();
        for (slot, (value, weight)) in x.dense.iter().zip(self.weights.dense()).enumerate() {
            let u = self.scale.as_ref().map_or(*value, |scale| scale.one(slot, *value));
            out.push(finite(u * weight * unit));
        }
    }

    /// Moves the weights towards the truth. `weight` is above 0.
    pub(super) fn learn<L: Loss>(&mut self, x: &Features<'_>, truth: f64, weight: f64) {
        self.learned += 1;
        let normalized = self.scale.is_some();
        let u = match &mut self.scale {
            Some(scale) => scale.observe(x.dense, self.learned),
            None => &x.dense[..x.dense.len().min(self.weights.dense().len())],
        };
        let (beside, size_beside) = self.weights.observe(x.sparse);
        let answer = finite(dot(u, self.weights.dense()) + beside);
        let gradient = L::gradient(answer, truth).clamp(-GRADIENT_MAX, GRADIENT_MAX);
        let pace = if normalized {
            let squared = (dot(u, u) + size_beside).max(f64::MIN_POSITIVE);
            self.energy += squared;
            let share = self.learned as f64 / self.energy;
            Pace::Normalized { share, most: 1.0 / squared, curvature: L::CURVATURE_MAX }
        } else {
            Pace::Textbook
        };
        self.weights.learn(&Example { u, sparse: x.sparse, gradient, weight }, pace);
    }

    pub(super) fn save(&self, to: &mut Writer) {
        to.u64(self.learned);
        to.f64(self.energy);
        self.weights.save(to);
        if let Some(scale) = &self.scale {
            scale.save(to);
        }
    }

    pub(super) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        self.learned = from.u64()?;
        if self.learned >> 53 != 0 {
            return Err(StateError::Unfit {
                what: "more examples than a linear learner can count",
            });
        }
        self.energy = read_number(from)?;
        self.weights.restore(from)?;
        if let Some(scale) = &mut self.scale {
            scale.restore(from)?;
        }
        Ok(())
    }

    /// The memory on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.weights.heap_bytes() + self.scale.as_ref().map_or(0, Scale::heap_bytes)
    }
}

/// The dot product of what both have.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let count = a.len().min(b.len());
    math::dot(&a[..count], &b[..count])
}

/// An answer that is a number: products of huge features with huge weights overflow, and infinities
/// of both signs add up to nothing.
fn finite(answer: f64) -> f64 {
    if answer.is_nan() { 0.0 } else { answer.clamp(-ANSWER_MAX, ANSWER_MAX) }
}

/// Reads one finite number.
pub(super) fn read_number(from: &mut Reader<'_>) -> Result<f64, StateError> {
    let value = from.f64()?;
    match value.is_finite() {
        true => Ok(value),
        false => Err(StateError::Unfit { what: "a linear learner's number that is not finite" }),
    }
}

/// Reads finite numbers, as many as there are to be.
fn read_numbers(values: &mut [f64], from: &mut Reader<'_>) -> Result<(), StateError> {
    if from.len(8)? != values.len() {
        return Err(StateError::Unfit { what: "a linear learner has another number of features" });
    }
    for value in values {
        *value = read_number(from)?;
    }
    Ok(())
}
