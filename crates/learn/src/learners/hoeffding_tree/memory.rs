//! How the tree keeps to its memory.
//!
//! The tree counts its own bytes, by the sizes things have on a 64-bit machine, so that it decides
//! alike on every machine and whatever the allocator does. When the count is above the limit, or
//! now and then while leaves are switched off, the leaves are reviewed: they are taken in the order
//! of what a split could gain (their examples outside the heaviest class), and those that do not
//! fit into seven eighths of the limit are switched off. A leaf that is off must promise twice as
//! much as one that is on to take its place, so that two of a kind do not take turns.

use super::{
    HoeffdingTree, Leaf, Observers,
    node::{CLASS_BYTES, LEAF_BYTES, NODE_BYTES, TABLE_BYTES, WAY_BYTES},
};

/// How many examples lie between two reviews while leaves are switched off.
const REVIEW_EXAMPLES: u64 = 4096;

impl HoeffdingTree {
    /// Counts all bytes anew.
    pub(super) fn count_bytes(&mut self) {
        let ways: usize = self.tables.iter().map(Vec::len).sum();
        self.fixed_bytes = NODE_BYTES * self.nodes.len() as u64
            + TABLE_BYTES * self.tables.len() as u64
            + WAY_BYTES * ways as u64
            + self.leaves.iter().map(Leaf::counted_bytes).sum::<u64>();
        let observed = |leaf: &Leaf| {
            leaf.observers.as_ref().map_or(0, |observers| observers.counted_bytes(&self.slots))
        };
        self.observed_bytes = self.leaves.iter().map(observed).sum();
        let off = |leaf: &&Leaf| leaf.may_observe(&self.config) && leaf.observers.is_none();
        self.inactive = self.leaves.iter().filter(off).count() as u32;
    }

    /// Whether there is room for so many more leaves in the half that is for the tree itself.
    pub(super) fn may_grow(&self, leaves: u64) -> bool {
        let each = NODE_BYTES + LEAF_BYTES + WAY_BYTES + CLASS_BYTES * u64::from(self.classes);
        let more = TABLE_BYTES + each.saturating_mul(leaves);
        self.fixed_bytes.saturating_add(more) <= self.config.memory_max.0 / 2
    }

    /// Switches a leaf on. It observes from here on.
    pub(super) fn activate(&mut self, index: usize) {
        let leaf = &mut self.leaves[index];
        if leaf.observers.is_none() {
            let observers = Box::<Observers>::default();
            self.observed_bytes += observers.counted_bytes(&self.slots);
            leaf.observers = Some(observers);
            self.inactive -= 1;
        }
    }

    /// Switches a leaf off. It forgets what it observed and keeps its classes.
    pub(super) fn deactivate(&mut self, index: usize) {
        if let Some(observers) = self.leaves[index].observers.take() {
            self.observed_bytes -= observers.counted_bytes(&self.slots);
            self.inactive += 1;
        }
    }

    /// Reviews the leaves, if it is time.
    pub(super) fn keep_to_memory(&mut self) {
        let over = self.fixed_bytes + self.observed_bytes > self.config.memory_max.0;
        let due = self.inactive > 0 && self.learned.is_multiple_of(REVIEW_EXAMPLES);
        if over || due {
            self.review();
        }
    }

    fn review(&mut self) {
        let mut order: Vec<(f64, usize)> = Vec::new();
        for (index, leaf) in self.leaves.iter().enumerate() {
            if leaf.may_observe(&self.config) {
                let handicap = if leaf.observers.is_some() { 1.0 } else { 0.5 };
                order.push((handicap * leaf.promise(), index));
            }
        }
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));

        let goal = self.config.memory_max.0 / 8 * 7;
        let mut room = goal.saturating_sub(self.fixed_bytes);
        for (_, index) in order {
            let leaf = &self.leaves[index];
            let need = match &leaf.observers {
                Some(observers) => observers.counted_bytes(&self.slots),
                None => self.slots.class_bytes() * (1 + leaf.classes.len() as u64),
            };
            match room.checked_sub(need) {
                Some(left) => {
                    room = left;
                    self.activate(index);
                }
                None => self.deactivate(index),
            }
        }
    }
}
