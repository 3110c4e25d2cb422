//! Shifts and scales dense slots to mean 0 and deviation 1, as known so far.
//!
//! Ross, Mineiro and Langford ("Normalized Online Learning", UAI 2013) divide by the largest value
//! seen. We take mean and deviation (Welford, Technometrics 4 (3), 1962): a column far from 0, such
//! as a pressure near 1,000, is otherwise nearly the intercept, and one wild value would hold all
//! others near 0. As in the paper the weights are kept in units of the scaled features, so that a
//! change of scale shrinks or grows a weight with no further work.

use std::array::from_fn;

use super::{
    SIZE_MAX,
    numbers::{Numbers, Quad, bound},
};
use crate::{Reader, StateError, Writer, math};

/// How many deviations a feature may be from its mean: beyond, it counts as so many. Bounds what
/// one wild value does, and how hard a rare flag hits.
const DEVIATIONS_MAX: f64 = 4.0;

/// For so many first examples the scale is refreshed at each, ...
const REFRESH_ALWAYS: u64 = 256;

/// ... and then at every so many: a root and a division a slot are most of an update's time, and
/// the scale of thousands of values hardly moves in sixteen.
const REFRESH_EVERY: u64 = 16;

/// What is known of each slot's scale. Invariant: all five have one length, and hold finite
/// numbers.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    mean: Numbers,
    /// Sums of squared distances to the mean.
    squares: Numbers,
    /// The mean at the last refresh.
    shift: Numbers,
    /// 1 / the deviation at the last refresh; 0 while the deviation is 0.
    factor: Numbers,
    /// The newest example learned, scaled: kept for its room alone, no part of the state.
    scaled: Numbers,
}

#[inline(always)]
fn scaled(value: f64, shift: f64, factor: f64) -> f64 {
    bound((value - shift) * factor, DEVIATIONS_MAX)
}

impl Scale {
    pub(super) fn new(slots: usize) -> Scale {
        let zeros = || Numbers::zeros(slots);
        Scale { mean: zeros(), squares: zeros(), shift: zeros(), factor: zeros(), scaled: zeros() }
    }

    /// One slot, scaled.
    pub(super) fn one(&self, slot: usize, value: f64) -> f64 {
        scaled(value, self.shift.all()[slot], self.factor.all()[slot])
    }

    /// The scaled features times the weights.
    #[inline]
    pub(super) fn dot(&self, dense: &[f64], weights: &[f64]) -> f64 {
        math::reduce(
            [dense, weights, self.shift.all(), self.factor.all()],
            |[x, weight, shift, factor]| scaled(x, shift, factor) * weight,
        )
    }

    /// Takes an example in, as the `count`th, and scales it.
    #[inline]
    pub(super) fn observe(&mut self, row: &[Quad], count: u64) -> &[Quad] {
        let share = 1.0 / count as f64;
        let known = self.mean.quads_mut().iter_mut().zip(self.squares.quads_mut());
        for (x, (mean, squares)) in row.iter().zip(known) {
            assert!(x[0].is_finite(), "a feature is finite");
            let x = x.map(|x| bound(x, SIZE_MAX));
            let delta: Quad = from_fn(|slot| x[slot] - mean[slot]);
            let moved: Quad = from_fn(|slot| mean[slot] + delta[slot] * share);
            *squares = from_fn(|slot| squares[slot] + delta[slot] * (x[slot] - moved[slot]));
            *mean = moved;
        }
        if count <= REFRESH_ALWAYS || count.is_multiple_of(REFRESH_EVERY) {
            self.refresh(count);
        }
        let view = self.shift.quads().iter().zip(self.factor.quads());
        for ((scaled_x, x), (shift, factor)) in
            self.scaled.quads_mut().iter_mut().zip(row).zip(view)
        {
            assert!(shift[0].is_finite(), "a shift is finite");
            *scaled_x = from_fn(|slot| scaled(x[slot], shift[slot], factor[slot]));
        }
        self.scaled.quads()
    }

    fn refresh(&mut self, count: u64) {
        let count = count as f64;
        self.shift.quads_mut().copy_from_slice(self.mean.quads());
        for (factor, squares) in self.factor.quads_mut().iter_mut().zip(self.squares.quads()) {
            let inverse = squares.map(|squares| (count / squares).sqrt());
            *factor = inverse.map(|inverse| if inverse.is_finite() { inverse } else { 0.0 });
        }
    }

    pub(super) fn save(&self, to: &mut Writer) {
        for numbers in [&self.mean, &self.squares, &self.shift, &self.factor] {
            numbers.save(to);
        }
    }

    pub(super) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        for numbers in [&mut self.mean, &mut self.squares, &mut self.shift, &mut self.factor] {
            numbers.restore(from, f64::MIN)?;
        }
        Ok(())
    }

    /// The memory on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        5 * self.mean.heap_bytes()
    }
}
