//! One number for each dense slot, by fours.

use super::{StateError, read_number};
use crate::{Reader, Writer};

/// Slots that are computed side by side: two vector registers on the smallest machine.
pub(super) const SIDE: usize = 4;

/// Numbers of four slots.
///
/// Loops over quads assert that what they read is finite. That is an invariant, and more: a loop
/// that may end early is not turned by the compiler into one that gathers the first numbers of two
/// quads into a vector, then the second ones, which takes longer than a vector of neighbours by
/// half.
pub(super) type Quad = [f64; SIDE];

/// One number a slot, in whole quads, so that a loop over them needs no rest. Invariant: what lies
/// beyond the last slot is 0 and no part of the state.
#[derive(Clone, Debug)]
pub(super) struct Numbers {
    quads: Vec<Quad>,
    count: usize,
}

/// Bounds without a branch, so that it becomes two vector instructions.
#[inline(always)]
pub(super) fn bound(value: f64, most: f64) -> f64 {
    let value = if value > most { most } else { value };
    if value < -most { -most } else { value }
}

impl Numbers {
    pub(super) fn zeros(count: usize) -> Numbers {
        Numbers { quads: vec![[0.0; SIDE]; count.div_ceil(SIDE)], count }
    }

    /// The slots' numbers.
    #[inline]
    pub(super) fn all(&self) -> &[f64] {
        &self.quads.as_flattened()[..self.count]
    }

    /// The same with the zeros beyond: sums over them are the same, to the bit.
    #[inline]
    pub(super) fn padded(&self) -> &[f64] {
        self.quads.as_flattened()
    }

    #[inline]
    pub(super) fn quads(&self) -> &[Quad] {
        &self.quads
    }

    #[inline]
    pub(super) fn quads_mut(&mut self) -> &mut [Quad] {
        &mut self.quads
    }

    /// Takes over numbers. A slot without a number is 0.
    #[inline]
    pub(super) fn fill(&mut self, values: &[f64]) {
        let given = values.len().min(self.count);
        let (there, missing) = self.quads.as_flattened_mut().split_at_mut(given);
        there.copy_from_slice(&values[..given]);
        missing.fill(0.0);
    }

    /// Numbers in whole quads: as they are where they have no rest, copied into these where they
    /// do.
    #[inline]
    pub(super) fn whole<'a>(&'a mut self, values: &'a [f64]) -> &'a [Quad] {
        match values.as_chunks::<SIDE>() {
            (quads, []) if quads.len() == self.quads.len() => quads,
            _ => {
                self.fill(values);
                &self.quads
            }
        }
    }

    pub(super) fn save(&self, to: &mut Writer) {
        to.f64s(self.all());
    }

    /// Reads finite numbers, as many as there are to be, and not below `least`.
    pub(super) fn restore(&mut self, from: &mut Reader<'_>, least: f64) -> Result<(), StateError> {
        if from.len(8)? != self.count {
            let what = "a linear learner has another number of features";
            return Err(StateError::Unfit { what });
        }
        for value in &mut self.quads.as_flattened_mut()[..self.count] {
            *value = read_number(from, least)?;
        }
        Ok(())
    }

    /// The memory on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(self.quads.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_0() {
        let mut numbers = Numbers::zeros(6);
        numbers.fill(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(numbers.all(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(numbers.padded(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.0, 0.0]);
        numbers.fill(&[3.0; 9]);
        assert_eq!(numbers.padded(), [3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 0.0, 0.0]);
        numbers.fill(&[7.0]);
        assert_eq!(numbers.padded(), [7.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(numbers.whole(&[1.0; 8]), [[1.0; 4]; 2]);
        assert_eq!(numbers.whole(&[1.0; 5]), [[1.0; 4], [1.0, 0.0, 0.0, 0.0]]);
    }
}
