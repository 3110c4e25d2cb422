//! What linear and logistic regression share: weights, their scales, and the optimizers.
//!
//! - Cost: time O(dense slots + hashed features of the example); memory 16 to 72 bytes a dense slot
//!   and 16 bytes a hashed slot, taken once, at the start.
//! - Dense slots lie in arrays side by side, so that a row is a few vector instructions; all of a
//!   hashed slot lies in one cache line.

mod numbers;
mod rule;
mod scale;
mod settings;
mod table;
mod weights;

use numbers::{Numbers, bound};
use scale::Scale;
use weights::{Example, Pace, Weights};

pub use settings::{AdaGrad, Config, Ftrl, Optimizer, Sgd};

use crate::{ConfigError, Features, Reader, Shape, StateError, Writer, math};

/// What the weights are to make small.
pub(super) trait Loss {
    /// The most the gradient rises for one unit of answer: how far a step is safe.
    const CURVATURE_MAX: f64;

    /// How the loss rises with the answer, at most [`SIZE_MAX`] in size.
    fn gradient(answer: f64, truth: f64) -> f64;
}

/// Features, gradients and examples' weights beyond this size count as this: their products, and
/// the squares of these, summed over all examples there will ever be, stay finite.
const SIZE_MAX: f64 = 1e40;

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
    /// Room for a row whose length is not of whole quads; no part of the state.
    row: Numbers,
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
            row: Numbers::zeros(shape.dense.len()),
        })
    }

    /// The sum of the contributions, finite.
    #[inline]
    pub(super) fn answer(&self, x: &Features<'_>) -> f64 {
        let weights = self.weights.dense().all();
        let dense = match &self.scale {
            Some(scale) => scale.dot(x.dense, weights),
            None => math::reduce([x.dense, weights], |[x, weight]| x * weight),
        };
        finite(dense + self.weights.beside(x.sparse))
    }

    /// What each dense slot contributes to [`Linear::answer`], times `unit`.
    pub(super) fn explain(&self, x: &Features<'_>, unit: f64, out: &mut Vec<f64>) {
        out.clear();
        for (slot, (value, weight)) in x.dense.iter().zip(self.weights.dense().all()).enumerate() {
            let u = self.scale.as_ref().map_or(*value, |scale| scale.one(slot, *value));
            out.push(finite(u * weight * unit));
        }
    }

    /// Moves the weights towards the truth. `weight` is above 0.
    #[inline]
    pub(super) fn learn<L: Loss>(&mut self, x: &Features<'_>, truth: f64, weight: f64) {
        self.learned += 1;
        let normalized = self.scale.is_some();
        let row = self.row.whole(x.dense);
        let u = match &mut self.scale {
            Some(scale) => scale.observe(row, self.learned),
            None => row,
        };
        let (beside, size_beside) = self.weights.observe(x.sparse);
        let answer = finite(math::dot(u.as_flattened(), self.weights.dense().padded()) + beside);
        let gradient = L::gradient(answer, truth);
        let pace = if normalized {
            let squared =
                (math::dot(u.as_flattened(), u.as_flattened()) + size_beside).max(1.0 / SIZE_MAX);
            self.energy += squared;
            let share = self.learned as f64 / self.energy;
            Pace::Normalized { share, most: 1.0 / squared, stretch: 1.0 / L::CURVATURE_MAX }
        } else {
            Pace::Textbook
        };
        let weight = weight.min(SIZE_MAX);
        let example = Example { u, sparse: x.sparse, gradient, weight };
        self.weights.learn(example, pace);
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
        self.energy = read_number(from, 0.0)?;
        self.weights.restore(from)?;
        if let Some(scale) = &mut self.scale {
            scale.restore(from)?;
        }
        Ok(())
    }

    /// The memory on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let scale = self.scale.as_ref().map_or(0, Scale::heap_bytes);
        self.weights.heap_bytes() + scale + self.row.heap_bytes()
    }
}

/// An answer that is a number: products of huge features with huge weights overflow, and infinities
/// of both signs add up to nothing.
#[inline(always)]
fn finite(answer: f64) -> f64 {
    if answer.abs() <= ANSWER_MAX { answer } else { clamped(answer) }
}

/// Rare, and so a branch: the usual answer then does not wait for comparisons.
#[cold]
fn clamped(answer: f64) -> f64 {
    if answer.is_nan() { 0.0 } else { answer.clamp(-ANSWER_MAX, ANSWER_MAX) }
}

/// Bounds a gradient.
#[inline(always)]
pub(super) fn bounded(gradient: f64) -> f64 {
    bound(gradient, SIZE_MAX)
}

/// Reads one finite number, not below `least`.
pub(super) fn read_number(from: &mut Reader<'_>, least: f64) -> Result<f64, StateError> {
    let value = from.f64()?;
    match value.is_finite() && value >= least {
        true => Ok(value),
        false => Err(StateError::Unfit { what: "a linear learner's number is out of range" }),
    }
}
