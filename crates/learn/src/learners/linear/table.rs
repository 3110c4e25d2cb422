//! The weights of hashed slots: one quarter of a cache line each.
//!
//! Numbers are kept as `f32` and computed as `f64`: a table of 2^24 slots is 256 MiB instead of
//! 512, and a hashed feature is met once in thousands of examples, far from where `f32` sums stop
//! growing.

use super::rule::{Cell, Rule};
use crate::{Pair, Reader, StateError, Writer};

/// The most hashed slots: 4 GiB of weights.
pub(super) const SLOTS_MAX: u32 = 1 << 28;

/// One hashed slot.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(align(16))]
struct Slot {
    weight: f32,
    past: f32,
    lead: f32,
    /// The largest size of a value seen. Hashed features are mostly absent, so they have no mean
    /// worth the name: as in the paper, it is the maximum that scales.
    largest: f32,
}

/// The hashed slots. Invariant: every number is finite.
#[derive(Clone, Debug)]
pub(super) struct Table {
    slots: Vec<Slot>,
    normalized: bool,
}

impl Table {
    pub(super) fn new(size: u32, normalized: bool) -> Table {
        Table { slots: vec![Slot::default(); size as usize], normalized }
    }

    /// A value in units of the largest seen.
    fn scaled(&self, slot: &Slot, value: f32) -> f64 {
        // Most hashed values are 1: no need to divide.
        if !self.normalized || value == 0.0 {
            f64::from(value)
        } else if value.abs() >= slot.largest {
            f64::from(1f32.copysign(value))
        } else {
            f64::from(value) / f64::from(slot.largest)
        }
    }

    /// What the hashed features contribute, in the order of the slots.
    pub(super) fn dot(&self, sparse: &[Pair]) -> f64 {
        let mut dot = 0.0;
        for pair in sparse {
            let Some(slot) = self.slots.get(pair.slot as usize) else { continue };
            dot += self.scaled(slot, pair.value) * f64::from(slot.weight);
        }
        dot
    }

    /// Takes in how large the features are. Returns what they contribute and their squared size.
    pub(super) fn observe(&mut self, sparse: &[Pair]) -> (f64, f64) {
        let (mut dot, mut size) = (0.0, 0.0);
        for pair in sparse {
            let Some(slot) = self.slots.get_mut(pair.slot as usize) else { continue };
            if self.normalized && pair.value.abs() > slot.largest {
                slot.largest = pair.value.abs();
            }
            let slot = *slot;
            let u = self.scaled(&slot, pair.value);
            dot += u * f64::from(slot.weight);
            size += u * u;
        }
        (dot, size)
    }

    /// Moves the weights of the features that are there.
    pub(super) fn step_all(&mut self, rule: &impl Rule, sparse: &[Pair], gradient: f64) {
        for pair in sparse {
            let Some(slot) = self.slots.get(pair.slot as usize) else { continue };
            let u = self.scaled(slot, pair.value);
            let cell = Cell {
                weight: f64::from(slot.weight),
                past: f64::from(slot.past),
                lead: f64::from(slot.lead),
            };
            let Cell { weight, past, lead } = rule.step(cell, u, gradient);
            let (weight, past, lead) = (weight as f32, past as f32, lead as f32);
            if weight.is_finite() && past.is_finite() && lead.is_finite() {
                self.slots[pair.slot as usize] = Slot { weight, past, lead, ..*slot };
            }
        }
    }

    pub(super) fn save(&self, to: &mut Writer) {
        to.len(self.slots.len());
        for Slot { weight, past, lead, largest } in &self.slots {
            for value in [weight, past, lead, largest] {
                to.u32(value.to_bits());
            }
        }
    }

    pub(super) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        if from.len(16)? != self.slots.len() {
            return Err(StateError::Unfit { what: "a linear learner has another table size" });
        }
        let mut number = || match f32::from_bits(from.u32()?) {
            value if value.is_finite() => Ok(value),
            _ => Err(StateError::Unfit { what: "a hashed weight that is not finite" }),
        };
        for slot in &mut self.slots {
            *slot =
                Slot { weight: number()?, past: number()?, lead: number()?, largest: number()? };
        }
        Ok(())
    }

    /// The memory on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(self.slots.as_slice())
    }
}
