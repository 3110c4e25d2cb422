//! Which key was unseen for longest: a heap that is put right when it is asked, and no sooner.
//!
//! A key that is seen again only becomes younger. So what the heap knows of a key is never too
//! young, and nothing has to be done when a key is seen: whoever asks for the oldest looks at the
//! top, and if that was seen since, gives it its true time and lets it sink. Each sight is made
//! good for once at most. The order of the heap is no part of a state.

use crate::Time;

/// A key, and when it was seen as far as the heap knows. What was seen at one time goes by its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    pub(super) seen: Time,
    pub(super) key: u64,
}

/// The heap.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    turns: Vec<Turn>,
}

impl Queue {
    pub(super) fn first(&self) -> Option<Turn> {
        self.turns.first().copied()
    }

    pub(super) fn push(&mut self, turn: Turn) {
        self.turns.push(turn);
        let mut at = self.turns.len() - 1;
        while at > 0 {
            let above = (at - 1) / 2;
            if self.turns[above] <= self.turns[at] {
                return;
            }
            self.turns.swap(at, above);
            at = above;
        }
    }

    /// Gives the top its true time.
    pub(super) fn refresh(&mut self, seen: Time) {
        if let Some(first) = self.turns.first_mut() {
            first.seen = seen;
            self.sink();
        }
    }

    pub(super) fn pop(&mut self) {
        if !self.turns.is_empty() {
            self.turns.swap_remove(0);
            self.sink();
        }
    }

    /// Lets the top sink to where it belongs.
    fn sink(&mut self) {
        let mut at = 0;
        loop {
            let mut least = at;
            for below in [2 * at + 1, 2 * at + 2] {
                if below < self.turns.len() && self.turns[below] < self.turns[least] {
                    least = below;
                }
            }
            if least == at {
                return;
            }
            self.turns.swap(at, least);
            at = least;
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.turns.capacity() * size_of::<Turn>()
    }
}
