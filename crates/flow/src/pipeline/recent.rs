//! The newest records, as far as the budget of refusals counts them.

use std::collections::VecDeque;

/// Which of the newest records were refused. Time: constant for each record; memory: a byte each.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    refused: VecDeque<bool>,
    /// How many of them were.
    count: u64,
    /// How many are remembered.
    most: usize,
}

impl Recent {
    /// Remembers so many.
    pub(super) fn new(most: usize) -> Recent {
        Recent { refused: VecDeque::new(), count: 0, most }
    }

    /// Another record came.
    pub(super) fn note(&mut self, refused: bool) {
        if self.most == 0 {
            return;
        }
        if self.refused.len() == self.most && self.refused.pop_front() == Some(true) {
            self.count -= 1;
        }
        self.refused.push_back(refused);
        self.count += u64::from(refused);
    }

    /// How many were refused, and of how many: 0 until there are as many as are remembered.
    pub(super) fn counted(&self) -> (u64, u64) {
        let is_full = self.most > 0 && self.refused.len() == self.most;
        if is_full { (self.count, self.most as u64) } else { (0, 0) }
    }

    /// A byte for each.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.refused.iter().map(|refused| u8::from(*refused)).collect()
    }

    /// Takes what [`Recent::to_bytes`] gave; the newest of it, if it is too much.
    pub(super) fn restore(&mut self, bytes: &[u8]) {
        let surplus = bytes.len().saturating_sub(self.most);
        self.refused = bytes[surplus..].iter().map(|refused| *refused == 1).collect();
        self.count = self.refused.iter().filter(|refused| **refused).count() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_count_and_only_once_there_are_enough() {
        let mut recent = Recent::new(3);
        let counted: Vec<(u64, u64)> = [true, false, true, false, false, false]
            .map(|refused| {
                recent.note(refused);
                recent.counted()
            })
            .to_vec();
        assert_eq!(counted, [(0, 0), (0, 0), (2, 3), (1, 3), (1, 3), (0, 3)]);
        let mut fewer = Recent::new(2);
        fewer.restore(&[1, 1, 0, 1]);
        assert_eq!((fewer.counted(), fewer.to_bytes()), ((1, 2), vec![0, 1]));
        Recent::new(0).note(true);
    }
}
