//! One metric, twice: over everything, and over the window.

use crate::{Metric, Outcome, ring::Ring};

/// A metric over everything, the same over the window, and what either needs of each outcome in the
/// window and is dear to work out.
///
/// Invariant: `prepared` is as long as the window, or empty for a metric that prepares nothing.
pub(super) struct Twin {
    pub(super) whole: Box<dyn Metric>,
    pub(super) recent: Box<dyn Metric>,
    prepared: Ring<f64>,
}

impl Twin {
    /// For a window of at most so many outcomes.
    pub(super) fn new(whole: Box<dyn Metric>, recent: Box<dyn Metric>, most: usize) -> Twin {
        Twin { whole, recent, prepared: Ring::new(most) }
    }

    /// Takes an outcome in that came into the window.
    pub(super) fn add(&mut self, outcome: &Outcome) {
        match self.whole.prepare(outcome) {
            Some(prepared) => {
                self.prepared.push(prepared);
                self.whole.add_prepared(outcome, prepared);
                self.recent.add_prepared(outcome, prepared);
            }
            None => {
                self.whole.add(outcome);
                self.recent.add(outcome);
            }
        }
    }

    /// Takes out the oldest outcome of the window.
    pub(super) fn remove(&mut self, outcome: &Outcome) {
        match self.prepared.pop() {
            Some(prepared) => self.recent.remove_prepared(outcome, prepared),
            None => self.recent.remove(outcome),
        }
    }

    /// Computes the window's figure anew, by a metric that is empty yet.
    pub(super) fn renew<'a>(
        &mut self,
        empty: Box<dyn Metric>,
        window: impl Iterator<Item = &'a Outcome>,
    ) {
        self.recent = empty;
        let mut prepared = self.prepared.iter();
        for outcome in window {
            match prepared.next() {
                Some(prepared) => self.recent.add_prepared(outcome, *prepared),
                None => self.recent.add(outcome),
            }
        }
    }

    /// Prepares what came into the window before the state was saved.
    pub(super) fn prepare<'a>(&mut self, window: impl Iterator<Item = &'a Outcome>) {
        while self.prepared.pop().is_some() {}
        for outcome in window {
            if let Some(prepared) = self.whole.prepare(outcome) {
                self.prepared.push(prepared);
            }
        }
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.whole.footprint_bytes() + self.recent.footprint_bytes() + self.prepared.heap_bytes()
    }
}
