//! Shifts and scales dense slots to mean 0 and deviation 1, as known so far.
//!
//! Ross, Mineiro and Langford ("Normalized Online Learning", UAI 2013) divide by the largest value
//! seen. We take mean and deviation (Welford, Technometrics 4 (3), 1962): a column far from 0, such
//! as a pressure near 1,000, is otherwise nearly the intercept, and one wild value would hold all
//! others near 0. As in the paper the weights are kept in units of the scaled features, so that a
//! change of scale shrinks or grows a weight with no further work.

use crate::{
    Reader, StateError, Writer,
    math::{LANES, fold},
};

/// How many deviations a feature may be from its mean: beyond, it counts as so many. Bounds what one
/// wild value does, and how hard a rare flag hits.
const DEVIATIONS_MAX: f64 = 4.0;

/// Values beyond this size count as this: their squares would overflow.
pub(super) const SIZE_MAX: f64 = 1e100;

/// For so many first examples the scale is refreshed at each, ...
const REFRESH_ALWAYS: u64 = 256;

/// ... and then at every so many: a root and a division a slot are most of an update's time, and the
/// scale of thousands of values hardly moves in sixteen.
const REFRESH_EVERY: u64 = 16;

/// What is known of each slot's scale. Invariant: all five have one length, and hold finite numbers.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    mean: Vec<f64>,
    /// Sums of squared distances to the mean.
    squares: Vec<f64>,
    /// The mean at the last refresh.
    shift: Vec<f64>,
    /// 1 / the deviation at the last refresh; 0 while the deviation is 0.
    factor: Vec<f64>,
    /// The newest example learned, scaled: kept for its room alone, no part of the state.
    scaled: Vec<f64>,
}

/// Bounds without a branch, so that it becomes two vector instructions.
#[inline(always)]
fn bound(value: f64, most: f64) -> f64 {
    let value = if value > most { most } else { value };
    if value < -most { -most } else { value }
}

/// Adds to each of `N` lanes its scaled feature times its weight.
#[inline(always)]
fn add<const N: usize>(lanes: &mut [f64; N], part: [&[f64; N]; 4]) {
    let [x, weight, shift, factor] = part;
    for lane in 0..N {
        let u = bound((x[lane] - shift[lane]) * factor[lane], DEVIATIONS_MAX);
        lanes[lane] += u * weight[lane];
    }
}

impl Scale {
    pub(super) fn new(slots: usize) -> Scale {
        let zeros = || vec![0.0; slots];
        Scale { mean: zeros(), squares: zeros(), shift: zeros(), factor: zeros(), scaled: zeros() }
    }

    /// One slot, scaled.
    pub(super) fn one(&self, slot: usize, value: f64) -> f64 {
        bound((value - self.shift[slot]) * self.factor[slot], DEVIATIONS_MAX)
    }

    /// The scaled features times the weights, in the order of [`crate::math::dot`].
    pub(super) fn dot(&self, dense: &[f64], weights: &[f64]) -> f64 {
        let count = dense.len().min(weights.len());
        let rows = [dense, weights, &self.shift, &self.factor].map(|row| &row[..count]);
        let chunks = rows.map(|row| row.as_chunks::<LANES>());
        let mut lanes = [0.0; LANES];
        for index in 0..count / LANES {
            add(&mut lanes, chunks.map(|(chunks, _)| &chunks[index]));
        }
        // The rest by fours, which are vectors still, then one by one.
        let quads = chunks.map(|(_, rest)| rest.as_chunks::<4>());
        let (lanes_by_four, _) = lanes.as_chunks_mut::<4>();
        for (index, lanes) in lanes_by_four.iter_mut().take(quads[0].0.len()).enumerate() {
            add(lanes, quads.map(|(quads, _)| &quads[index]));
        }
        let singles = quads.map(|(_, rest)| rest.as_chunks::<1>().0);
        let (lanes_left, _) = lanes[4 * quads[0].0.len()..].as_chunks_mut::<1>();
        for (index, lane) in lanes_left.iter_mut().take(singles[0].len()).enumerate() {
            add(lane, singles.map(|singles| &singles[index]));
        }
        fold(lanes)
    }

    /// Takes an example in, as the `count`th, and scales it.
    pub(super) fn observe(&mut self, dense: &[f64], count: u64) -> &[f64] {
        let share = 1.0 / count as f64;
        for ((value, mean), squares) in dense.iter().zip(&mut self.mean).zip(&mut self.squares) {
            let value = bound(*value, SIZE_MAX);
            let delta = value - *mean;
            *mean += delta * share;
            *squares += delta * (value - *mean);
        }
        if count <= REFRESH_ALWAYS || count.is_multiple_of(REFRESH_EVERY) {
            self.refresh(count);
        }
        let view = self.shift.iter().zip(&self.factor);
        for ((scaled, value), (shift, factor)) in self.scaled.iter_mut().zip(dense).zip(view) {
            *scaled = bound((value - shift) * factor, DEVIATIONS_MAX);
        }
        &self.scaled[..dense.len().min(self.scaled.len())]
    }

    fn refresh(&mut self, count: u64) {
        let count = count as f64;
        self.shift.copy_from_slice(&self.mean);
        for (factor, squares) in self.factor.iter_mut().zip(&self.squares) {
            let inverse = 1.0 / (squares / count).sqrt();
            *factor = if inverse.is_finite() { inverse } else { 0.0 };
        }
    }

    pub(super) fn save(&self, to: &mut Writer) {
        for values in [&self.mean, &self.squares, &self.shift, &self.factor] {
            to.f64s(values);
        }
    }

    pub(super) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        for values in [&mut self.mean, &mut self.squares, &mut self.shift, &mut self.factor] {
            super::read_numbers(values, from)?;
        }
        Ok(())
    }

    /// The memory on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        5 * size_of_val(self.mean.as_slice())
    }
}
