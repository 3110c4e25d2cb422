//! The newest so many values, in order of arrival.

use crate::{Reader, StateError, Writer};

/// Room is taken in steps of twice as much, so that a large bound costs nothing until it is used.
const LEAST_ROOM: usize = 16;

/// A ring that grows up to a bound. Values keep their places until they are overwritten, in memory
/// and when saved: so a large ring that moved on a little is, page by page, mostly the same bytes.
///
/// Invariant: `first < slots.len()` unless the ring is empty, and `len <= slots.len() <= most`.
#[derive(Clone, Debug)]
pub(crate) struct Ring<T> {
    most: usize,
    first: usize,
    len: usize,
    slots: Vec<T>,
}

impl<T: Copy> Ring<T> {
    /// An empty ring for at most so many values, 1 or more.
    pub(crate) fn new(most: usize) -> Ring<T> {
        Ring { most, first: 0, len: 0, slots: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len == self.most
    }

    /// The slot of the value that came so many values after the oldest.
    fn place(&self, after: usize) -> usize {
        let place = self.first + after;
        if place < self.slots.len() { place } else { place - self.slots.len() }
    }

    /// Takes the newest value in. The ring is not full.
    pub(crate) fn push(&mut self, value: T) {
        assert!(!self.is_full(), "the caller has made room");
        if self.len < self.slots.len() {
            let place = self.place(self.len);
            self.slots[place] = value;
        } else {
            self.slots.rotate_left(self.first);
            self.first = 0;
            if self.slots.len() == self.slots.capacity() {
                let more = self.len.max(LEAST_ROOM).min(self.most - self.len);
                self.slots.reserve_exact(more);
            }
            self.slots.push(value);
        }
        self.len += 1;
    }

    /// The oldest value.
    pub(crate) fn oldest(&self) -> Option<T> {
        (self.len > 0).then(|| self.slots[self.first])
    }

    /// Takes the oldest value out.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let value = self.oldest()?;
        self.len -= 1;
        self.first = if self.len == 0 { 0 } else { self.place(1) };
        Some(value)
    }

    /// The values in two parts, the older ones first.
    pub(crate) fn parts(&self) -> [&[T]; 2] {
        let (head, tail) = self.slots.split_at(self.first);
        let older = self.len.min(tail.len());
        [&tail[..older], &head[..self.len - older]]
    }

    /// The values, the oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.parts().into_iter().flatten()
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<T>()
    }

    /// Writes the ring. An empty one writes nothing of what it held.
    pub(crate) fn save(&self, to: &mut Writer, item: impl Fn(&T, &mut Writer)) {
        to.len(self.first);
        to.len(self.len);
        let slots = if self.len == 0 { &[] } else { &self.slots[..] };
        to.len(slots.len());
        for value in slots {
            item(value, to);
        }
    }

    /// Reads what [`Ring::save`] wrote, where each value takes at least so many bytes.
    pub(crate) fn restore<'a>(
        &mut self,
        from: &mut Reader<'a>,
        least_bytes: usize,
        item: impl Fn(&mut Reader<'a>) -> Result<T, StateError>,
    ) -> Result<(), StateError> {
        let (first, len) = (from.u64()?, from.u64()?);
        let count = from.len(least_bytes)?;
        let is_right = count <= self.most
            && len <= count as u64
            && (first < count as u64 || (first == 0 && count == 0))
            && (count == 0 || len > 0);
        if !is_right {
            return Err(StateError::Unfit { what: "a ring of values is larger than its bound" });
        }
        self.slots.clear();
        self.slots.reserve_exact(count);
        for _ in 0..count {
            self.slots.push(item(from)?);
        }
        (self.first, self.len) = (first as usize, len as usize);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_queue_at_every_size() {
        for most in [1, 2, 5, 40] {
            let mut ring = Ring::new(most);
            let mut queue = std::collections::VecDeque::new();
            for step in 0..500u64 {
                if crate::math::random_bits(7, step) % 5 < 2 {
                    assert_eq!(ring.pop(), queue.pop_front());
                } else {
                    if ring.is_full() {
                        assert_eq!(ring.pop(), queue.pop_front());
                    }
                    ring.push(step);
                    queue.push_back(step);
                }
                assert_eq!(ring.oldest(), queue.front().copied());
                assert!(ring.iter().eq(queue.iter()));
                assert!(ring.heap_bytes() <= 8 * most);
            }
        }
    }

    #[test]
    fn a_restored_ring_goes_on_alike() {
        let mut ring = Ring::new(3);
        for value in 0..5u64 {
            if ring.is_full() {
                ring.pop();
            }
            ring.push(value);
        }
        let mut to = Writer::new();
        ring.save(&mut to, |value, to| to.u64(*value));
        let mut again = Ring::new(3);
        again.restore(&mut Reader::new(to.bytes()), 8, Reader::u64).unwrap();
        assert!(again.iter().eq(&[2, 3, 4]));
        assert_eq!(again.slots, [3, 4, 2]);

        let mut smaller = Ring::new(2);
        assert!(smaller.restore(&mut Reader::new(to.bytes()), 8, Reader::u64).is_err());
    }
}
