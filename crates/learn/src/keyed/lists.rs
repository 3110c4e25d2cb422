//! A short list for each of many keys: the newest items, of so many words of 8 bytes each.
//!
//! A list takes room for 1, 2, 4, ... items, as many as it has, in one piece; lists of one size lie
//! side by side, and the room of one that goes is taken by the next of that size. So a key with one
//! item costs one item, whatever a busy key may have. Which room a list takes is no part of a
//! state.

use crate::{Reader, StateError, Writer};

/// The most items a list may have.
pub(crate) const ITEMS_MAX: usize = 10_000;

const BITS: u32 = 14;

/// Where a list is, in one word: the size of its room as a power of two, its oldest item, how many
/// it has, and which room of that size it takes. All 0: the empty list, which takes none.
#[derive(Clone, Copy, Debug)]
struct Spot {
    level: usize,
    first: usize,
    len: usize,
    room: usize,
}

impl Spot {
    fn of(word: u64) -> Spot {
        let mask = (1 << BITS) - 1;
        Spot {
            level: (word & 15) as usize,
            first: (word >> 4 & mask) as usize,
            len: (word >> (4 + BITS) & mask) as usize,
            room: (word >> 32) as usize,
        }
    }

    fn word(self) -> u64 {
        let Spot { level, first, len, room } = self;
        level as u64 | (first as u64) << 4 | (len as u64) << (4 + BITS) | (room as u64) << 32
    }

    /// The place of the item that came so many after the oldest.
    fn place(self, after: usize) -> usize {
        (self.first + after) & ((1 << self.level) - 1)
    }
}

/// All rooms of one size.
#[derive(Clone, Debug, Default)]
struct Level {
    words: Vec<u64>,
    free: Vec<u32>,
}

/// The lists.
#[derive(Clone, Debug)]
pub(crate) struct Lists {
    /// Words an item.
    width: usize,
    most: usize,
    levels: Vec<Level>,
}

impl Lists {
    /// Lists of at most so many items, 1 to [`ITEMS_MAX`], of so many words.
    pub(crate) fn new(width: usize, most: usize) -> Lists {
        assert!((1..=ITEMS_MAX).contains(&most), "the caller has checked it");
        let levels = most.next_power_of_two().ilog2() as usize + 1;
        Lists { width, most, levels: vec![Level::default(); levels] }
    }

    /// How many items a list has.
    pub(crate) fn len(&self, list: u64) -> usize {
        Spot::of(list).len
    }

    pub(crate) fn is_full(&self, list: u64) -> bool {
        self.len(list) == self.most
    }

    fn words(&self, spot: Spot) -> &[u64] {
        let room = self.width << spot.level;
        &self.levels[spot.level].words[spot.room * room..(spot.room + 1) * room]
    }

    /// The items, the oldest first, in two pieces.
    #[inline]
    pub(crate) fn parts(&self, list: u64) -> [&[u64]; 2] {
        let spot = Spot::of(list);
        if spot.len == 0 {
            return [&[], &[]];
        }
        let (head, tail) = self.words(spot).split_at(spot.first * self.width);
        let older = (spot.len * self.width).min(tail.len());
        [&tail[..older], &head[..spot.len * self.width - older]]
    }

    /// The items, the oldest first.
    #[inline]
    pub(crate) fn items(&self, list: u64) -> impl Iterator<Item = &[u64]> {
        self.parts(list).into_iter().flat_map(|part| part.chunks_exact(self.width))
    }

    /// Reads where a list is, so that it is near when it is used: up to 8 of the lines that memory
    /// is read by, as a longer list is read line after line, which is foreseen.
    #[inline]
    pub(crate) fn look_ahead(&self, list: u64) {
        let spot = Spot::of(list);
        if spot.len > 0 {
            for line in self.words(spot).chunks(8).take(8) {
                std::hint::black_box(line[0]);
            }
        }
    }

    /// The newest item of a list that has one.
    #[inline]
    pub(crate) fn newest_mut(&mut self, list: u64) -> Option<&mut [u64]> {
        let spot = Spot::of(list);
        let last = spot.len.checked_sub(1)?;
        Some(self.item_mut(spot, last))
    }

    fn item_mut(&mut self, spot: Spot, after: usize) -> &mut [u64] {
        let start = (spot.room << spot.level) + spot.place(after);
        &mut self.levels[spot.level].words[start * self.width..(start + 1) * self.width]
    }

    /// Adds an item of zeros to a list that is not full.
    pub(crate) fn push(&mut self, list: &mut u64) -> &mut [u64] {
        assert!(!self.is_full(*list), "the caller has made room");
        let mut spot = Spot::of(*list);
        if spot.len == 0 {
            spot = Spot { level: 0, first: 0, len: 0, room: self.take(0) };
        } else if spot.len == 1 << spot.level {
            spot = self.moved_up(spot);
        }
        spot.len += 1;
        *list = spot.word();
        let item = self.item_mut(spot, spot.len - 1);
        item.fill(0);
        item
    }

    /// A list in a room of twice the size.
    fn moved_up(&mut self, spot: Spot) -> Spot {
        let level = spot.level + 1;
        let room = self.take(level);
        let (below, above) = self.levels.split_at_mut(level);
        let size = self.width << spot.level;
        let from = &below[spot.level].words[spot.room * size..(spot.room + 1) * size];
        let to = &mut above[0].words[room * 2 * size..][..size];
        let (head, tail) = from.split_at(spot.first * self.width);
        to[..tail.len()].copy_from_slice(tail);
        to[tail.len()..].copy_from_slice(head);
        self.give_back(spot);
        Spot { level, first: 0, len: spot.len, room }
    }

    /// A room of that size.
    fn take(&mut self, level: usize) -> usize {
        let size = self.width << level;
        let Level { words, free } = &mut self.levels[level];
        if let Some(room) = free.pop() {
            return room as usize;
        }
        let room = words.len() / size;
        words.resize(words.len() + size, 0);
        room
    }

    fn give_back(&mut self, spot: Spot) {
        let rooms = self.levels[spot.level].words.len() / (self.width << spot.level);
        let free = &mut self.levels[spot.level].free;
        if free.len() == free.capacity() {
            // As many as there can be, so that giving back never allocates in the long run.
            free.reserve_exact(rooms - free.len());
        }
        free.push(spot.room as u32);
    }

    /// Lets the oldest items go.
    pub(crate) fn forget(&mut self, list: &mut u64, count: usize) {
        let mut spot = Spot::of(*list);
        if count >= spot.len {
            if spot.len > 0 {
                self.give_back(spot);
            }
            *list = 0;
            return;
        }
        spot.first = spot.place(count);
        spot.len -= count;
        *list = spot.word();
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        let of = |level: &Level| level.words.capacity() * 8 + level.free.capacity() * 4;
        self.levels.capacity() * size_of::<Level>() + self.levels.iter().map(of).sum::<usize>()
    }

    /// Lets all lists go.
    pub(crate) fn clear(&mut self) {
        *self = Lists::new(self.width, self.most);
    }

    /// Writes a list.
    pub(crate) fn save(&self, list: u64, to: &mut Writer) {
        to.len(self.len(list));
        self.items(list).flatten().for_each(|word| to.u64(*word));
    }

    /// Reads a list; `is_right` looks at each item, with the one before it.
    pub(crate) fn restore(
        &mut self,
        from: &mut Reader<'_>,
        is_right: impl Fn(Option<&[u64]>, &[u64]) -> bool,
    ) -> Result<u64, StateError> {
        let count = from.len(8 * self.width)?;
        if count > self.most {
            return Err(StateError::Unfit { what: "a list of a key is longer than it may be" });
        }
        let mut list = 0;
        for _ in 0..count {
            let item = self.push(&mut list);
            for word in item.iter_mut() {
                *word = from.u64()?;
            }
        }
        let mut before = None;
        for item in self.items(list) {
            if !is_right(before, item) {
                return Err(StateError::Unfit { what: "a list of a key has an item out of range" });
            }
            before = Some(item);
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random_bits;
    use std::collections::VecDeque;

    #[test]
    fn each_list_is_a_queue_of_its_own() {
        for most in [1, 2, 5, 60] {
            let mut lists = Lists::new(2, most);
            let mut found = [0u64; 9];
            let mut expected: [VecDeque<u64>; 9] = Default::default();
            for step in 0..3000u64 {
                let which = (random_bits(1, step) % 9) as usize;
                let (list, queue) = (&mut found[which], &mut expected[which]);
                let gone = match random_bits(2, step) % 20 {
                    0 => queue.len(),
                    1..=4 => 1.min(queue.len()),
                    _ => usize::from(queue.len() == most),
                };
                lists.forget(list, gone);
                queue.drain(..gone);
                let item = lists.push(list);
                assert_eq!(item, [0, 0]);
                item.copy_from_slice(&[step, step + 1]);
                queue.push_back(step);
                for (list, queue) in found.iter().zip(&expected) {
                    assert_eq!(lists.len(*list), queue.len());
                    let items: Vec<u64> = lists.items(*list).map(|item| item[0]).collect();
                    assert!(items.iter().eq(queue), "{items:?} for {queue:?}");
                }
                assert_eq!(lists.newest_mut(found[which]).unwrap()[1], step + 1);
            }
            found.iter_mut().for_each(|list| lists.forget(list, most));
            assert_eq!(found, [0; 9]);
            let bytes = lists.heap_bytes();
            assert!(bytes <= 9 * 3 * most.next_power_of_two() * 2 * 16 + 1000, "{bytes} bytes");
        }
    }

    #[test]
    fn a_restored_list_has_the_same_items() {
        let mut lists = Lists::new(1, 5);
        let mut list = 0;
        for value in 0..9u64 {
            let gone = usize::from(lists.is_full(list));
            lists.forget(&mut list, gone);
            lists.push(&mut list)[0] = value;
        }
        let mut to = Writer::new();
        lists.save(list, &mut to);
        let mut again = Lists::new(1, 5);
        let rises = |before: Option<&[u64]>, item: &[u64]| before.is_none_or(|b| b[0] < item[0]);
        let list = again.restore(&mut Reader::new(to.bytes()), rises).unwrap();
        assert!(again.items(list).flatten().eq(&[4, 5, 6, 7, 8]));
        assert!(Lists::new(1, 4).restore(&mut Reader::new(to.bytes()), rises).is_err());
        assert!(Lists::new(1, 5).restore(&mut Reader::new(to.bytes()), |_, _| false).is_err());
    }
}
