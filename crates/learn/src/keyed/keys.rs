//! A table of keys: each has so many words of 8 bytes.
//!
//! - Bounded: beyond `keys_max` the key goes that was unseen for longest in event time; of several
//!   seen last at one time the one with the least key. A key unseen for `forget_after` goes too.
//! - The clock is the greatest event time so far, as everywhere: a record that comes late sees its
//!   key at that clock. So the times of one key never step back.
//! - Saved in the order of the keys: what is saved depends on the keys there are, when they were
//!   seen and what they hold, and on nothing that went before.
//! - Cost: time constant on average. The words lie where the key is found, so that one read of
//!   memory brings both. Memory for each key 8 × (2 + words) bytes times 1.3 to 2.7, as the table
//!   doubles, and 16 to 32 in the queue. Nothing is allocated while the number of keys stays.

use super::queue::{Queue, Turn};
use crate::{ConfigError, Reader, Span, StateError, Time, Writer, check_count};

/// The most keys a table may have.
const KEYS_MAX: u64 = 100_000_000;

/// The words before those of the caller: the key, and when it was seen.
const HEAD: usize = 2;

/// How many keys, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    keys_max: usize,
    forget_after: Option<u64>,
}

impl Limits {
    /// Checks the settings `keys_max` and `forget_after`.
    pub(crate) fn new(keys_max: u64, forget_after: Option<Span>) -> Result<Limits, ConfigError> {
        let keys_max = check_count("keys_max", keys_max, 1, KEYS_MAX)? as usize;
        if let Some(Span(0)) = forget_after {
            return Err(ConfigError::new("forget_after", "0 ms", "1 ms or more"));
        }
        Ok(Limits { keys_max, forget_after: forget_after.map(|span| span.0) })
    }

    /// A table of one key that is never forgotten.
    pub(crate) fn one() -> Limits {
        Limits { keys_max: 1, forget_after: None }
    }

    /// Forgets after that span at the latest: when nothing is left to know of a key.
    pub(crate) fn at_latest(self, span: u64) -> Limits {
        let after = self.forget_after.map_or(span, |after| after.min(span));
        Limits { forget_after: Some(after), ..self }
    }

    /// After how long a key is forgotten.
    pub(crate) fn forget_after(self) -> Option<u64> {
        self.forget_after
    }
}

/// The table: open addressing, by the highest bits of a hash. Invariants: each key is found from
/// its home on before the first free slot; the queue has each of them once. No key was seen after
/// the clock. A slot is in use while a key is in the table, and moves when another one comes or
/// goes.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    limits: Limits,
    /// Words of each slot, the head included.
    stride: usize,
    clock: Option<Time>,
    used: usize,
    /// A power of two of slots, or none. The first word of a slot is 0 where it is free.
    words: Vec<u64>,
    /// One less than there are slots, or 0; and by how much a hash is shifted to be one of them.
    mask: usize,
    shift: u32,
    queue: Queue,
}

/// A key's slot after it was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) place: usize,
    /// When it was seen before. `None`: it was not known, and its words are 0.
    pub(crate) before: Option<Time>,
}

/// A key as it is kept: 0 stands for a free slot. Codes stay apart; of ids, which are hashes, the
/// greatest is one with the least.
fn kept(key: u64) -> u64 {
    key.wrapping_add(1).max(1)
}

fn hash(kept: u64) -> u64 {
    // Categories have small codes, ids are hashed already: a product spreads both.
    (kept ^ (kept >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Keys {
    /// An empty table with so many words for each key.
    pub(crate) fn new(limits: Limits, words: usize) -> Keys {
        Keys {
            limits,
            stride: HEAD + words,
            clock: None,
            used: 0,
            words: Vec::new(),
            mask: 0,
            shift: 63,
            queue: Queue::default(),
        }
    }

    /// The clock once a record of that time is there.
    pub(crate) fn clock_at(&self, time: Time) -> Time {
        self.clock.map_or(time, |clock| clock.max(time))
    }

    /// The slot where a key should be.
    #[inline]
    fn home(&self, kept: u64) -> usize {
        (hash(kept) >> self.shift) as usize
    }

    /// Where a key is, or else the free slot where it would be.
    #[inline]
    fn find(&self, kept: u64) -> Result<usize, usize> {
        let mut slot = self.home(kept);
        loop {
            match self.words[slot * self.stride] {
                0 => return Err(slot),
                found if found == kept => return Ok(slot),
                _ => slot = (slot + 1) & self.mask,
            }
        }
    }

    /// Where the key is, unless it is forgotten at that clock.
    #[inline]
    pub(crate) fn get(&self, key: u64, clock: Time) -> Option<usize> {
        if self.used == 0 {
            return None;
        }
        let place = self.find(kept(key)).ok()?;
        let is_forgotten = |after| clock.abs_diff(self.seen(place)) >= after;
        (!self.limits.forget_after.is_some_and(is_forgotten)).then_some(place)
    }

    /// Reads where these keys will be looked for, so that it is near then.
    pub(crate) fn look_ahead(&self, keys: impl Iterator<Item = u64>) {
        if self.used == 0 {
            return;
        }
        for key in keys {
            let start = self.home(kept(key)) * self.stride;
            // Both ends: a slot may lie across the lines that memory is read by.
            std::hint::black_box(self.words[start] ^ self.words[start + self.stride - 1]);
        }
    }

    /// The words of a slot.
    #[inline]
    pub(crate) fn at(&self, place: usize) -> &[u64] {
        &self.words[place * self.stride + HEAD..(place + 1) * self.stride]
    }

    /// The words of a slot, to be changed.
    #[inline]
    pub(crate) fn at_mut(&mut self, place: usize) -> &mut [u64] {
        &mut self.words[place * self.stride + HEAD..(place + 1) * self.stride]
    }

    /// When the key of a slot was seen.
    #[inline]
    pub(crate) fn seen(&self, place: usize) -> Time {
        self.words[place * self.stride + 1] as Time
    }

    /// Moves the clock, forgets what is due, and sees a key: finds it or takes a slot for it.
    /// `drop` is called with the words of each key that goes.
    #[inline]
    pub(crate) fn see(&mut self, key: u64, time: Time, mut drop: impl FnMut(&[u64])) -> Seen {
        let clock = self.clock_at(time);
        self.clock = Some(clock);
        self.forget_due(clock, &mut drop);
        let kept = kept(key);
        if self.used > 0
            && let Ok(place) = self.find(kept)
        {
            let before = Some(self.seen(place));
            self.words[place * self.stride + 1] = clock as u64;
            return Seen { place, before };
        }
        if self.used == self.limits.keys_max {
            self.forget_oldest(&mut drop);
        }
        Seen { place: self.add(kept, clock), before: None }
    }

    /// Takes a slot for an unknown key, with words of 0.
    fn add(&mut self, kept: u64, seen: Time) -> usize {
        if self.words.is_empty() || 4 * (self.used + 1) > 3 * (self.mask + 1) {
            self.grow();
        }
        let (Ok(place) | Err(place)) = self.find(kept);
        let words = &mut self.words[place * self.stride..(place + 1) * self.stride];
        words.fill(0);
        (words[0], words[1]) = (kept, seen as u64);
        self.used += 1;
        self.queue.push(Turn { seen, key: kept });
        place
    }

    /// Doubles the table.
    fn grow(&mut self) {
        let slots = (2 * (self.mask + 1)).max(16);
        (self.mask, self.shift) = (slots - 1, 64 - slots.ilog2());
        let before = std::mem::replace(&mut self.words, vec![0; slots * self.stride]);
        for words in before.chunks_exact(self.stride).filter(|words| words[0] != 0) {
            let (Ok(place) | Err(place)) = self.find(words[0]);
            self.words[place * self.stride..(place + 1) * self.stride].copy_from_slice(words);
        }
    }

    /// When a key was truly seen that the queue has.
    fn truly_seen(&self, kept: u64) -> (usize, Time) {
        let place = self.find(kept).expect("the queue has keys of the table alone");
        (place, self.seen(place))
    }

    #[inline]
    fn forget_due(&mut self, clock: Time, drop: &mut impl FnMut(&[u64])) {
        let Some(after) = self.limits.forget_after else { return };
        while let Some(first) = self.queue.first() {
            if clock.abs_diff(first.seen) < after {
                return;
            }
            let (place, seen) = self.truly_seen(first.key);
            if seen == first.seen {
                self.forget_first(place, drop);
            } else {
                self.queue.refresh(seen);
            }
        }
    }

    /// Forgets the key that was unseen for longest.
    fn forget_oldest(&mut self, drop: &mut impl FnMut(&[u64])) {
        while let Some(first) = self.queue.first() {
            let (place, seen) = self.truly_seen(first.key);
            if seen == first.seen {
                return self.forget_first(place, drop);
            }
            self.queue.refresh(seen);
        }
    }

    /// Takes out the first key of the queue, which is in that slot, and moves up those behind it
    /// that it had pushed away (D. E. Knuth, "The Art of Computer Programming" 3, section 6.4,
    /// algorithm R).
    fn forget_first(&mut self, place: usize, drop: &mut impl FnMut(&[u64])) {
        self.queue.pop();
        drop(self.at(place));
        let (stride, mask) = (self.stride, self.mask);
        let (mut gap, mut slot) = (place, (place + 1) & mask);
        while self.words[slot * stride] != 0 {
            let home = self.home(self.words[slot * stride]);
            // It may move to the gap if its home does not lie behind it.
            if (slot.wrapping_sub(home) & mask) >= (slot.wrapping_sub(gap) & mask) {
                self.words.copy_within(slot * stride..(slot + 1) * stride, gap * stride);
                gap = slot;
            }
            slot = (slot + 1) & mask;
        }
        self.words[gap * stride] = 0;
        self.used -= 1;
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.words.capacity() * 8 + self.queue.heap_bytes()
    }

    /// Writes the table: the clock, then each key, when it was seen, and what `item` writes of its
    /// slot.
    pub(crate) fn save(&self, to: &mut Writer, mut item: impl FnMut(usize, &mut Writer)) {
        to.bool(self.clock.is_some());
        to.i64(self.clock.unwrap_or(0));
        to.len(self.used);
        let slots = self.words.chunks_exact(self.stride).enumerate();
        let mut keys: Vec<(u64, usize)> = slots
            .filter(|(_, words)| words[0] != 0)
            .map(|(slot, words)| (words[0], slot))
            .collect();
        keys.sort_unstable();
        for (kept, place) in keys {
            to.u64(kept);
            to.i64(self.seen(place));
            item(place, to);
        }
    }

    /// Reads what [`Keys::save`] wrote; `item` reads what a slot holds into words that are 0.
    pub(crate) fn restore<'a>(
        &mut self,
        from: &mut Reader<'a>,
        mut item: impl FnMut(&mut Keys, usize, &mut Reader<'a>) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let unfit = |what| Err(StateError::Unfit { what });
        *self = Keys::new(self.limits, self.stride - HEAD);
        let has_clock = from.bool()?;
        let clock = from.i64()?;
        self.clock = has_clock.then_some(clock);
        let count = from.len(16)?;
        if count > self.limits.keys_max || (!has_clock && (clock != 0 || count > 0)) {
            return unfit("a table has more keys than it may, or keys before its first record");
        }
        // 0 is no key.
        let mut before = 0;
        for _ in 0..count {
            let (kept, seen) = (from.u64()?, from.i64()?);
            let is_due = |after| clock.abs_diff(seen) >= after;
            let is_forgotten = self.limits.forget_after.is_some_and(is_due);
            if before >= kept || seen > clock || is_forgotten {
                return unfit("a table has keys out of order, or that should be forgotten");
            }
            before = kept;
            let place = self.add(kept, seen);
            item(self, place, from)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random_bits;
    use std::collections::BTreeMap;

    fn limits(keys_max: u64, forget_after: Option<u64>) -> Limits {
        Limits::new(keys_max, forget_after.map(Span)).unwrap()
    }

    fn saved(keys: &Keys) -> Vec<u8> {
        let mut to = Writer::new();
        keys.save(&mut to, |place, to| to.u64(keys.at(place)[0]));
        to.into_bytes()
    }

    fn restored(limits: Limits, bytes: &[u8]) -> Result<Keys, StateError> {
        let mut keys = Keys::new(limits, 1);
        let mut from = Reader::new(bytes);
        keys.restore(&mut from, |keys, place, from| {
            keys.at_mut(place)[0] = from.u64()?;
            Ok(())
        })?;
        from.end()?;
        Ok(keys)
    }

    /// The same, without an idea of speed: key, when seen, how often.
    #[derive(Default)]
    struct Plain {
        clock: Time,
        keys: BTreeMap<u64, (Time, u64)>,
    }

    impl Plain {
        fn see(&mut self, key: u64, time: Time, limits: Limits) -> u64 {
            self.clock = self.clock.max(time);
            let after = limits.forget_after.unwrap_or(u64::MAX);
            self.keys.retain(|_, (seen, _)| self.clock.abs_diff(*seen) < after);
            if !self.keys.contains_key(&key) && self.keys.len() == limits.keys_max {
                let oldest = self.keys.iter().min_by_key(|(key, (seen, _))| (*seen, **key));
                let oldest = *oldest.unwrap().0;
                self.keys.remove(&oldest);
            }
            let entry = self.keys.entry(key).or_default();
            *entry = (self.clock, entry.1 + 1);
            entry.1
        }
    }

    #[test]
    fn it_is_a_bounded_map_that_forgets_the_oldest() {
        for (most, after, range) in
            [(1, None, 3), (7, None, 20), (50, Some(40), 90), (64, Some(9), 60), (1000, None, 300)]
        {
            let limits = limits(most, after);
            let (mut keys, mut plain, mut dropped) = (Keys::new(limits, 1), Plain::default(), 0);
            for step in 0..4000u64 {
                let draw = |what| random_bits(what, step);
                let key = (draw(1) % range) * [1, 1 << 32, u64::MAX / range][(most % 3) as usize];
                // Several at one time, some late.
                let time = 7 + (step / 5) as Time - (draw(2) % 7) as Time;
                let place = keys.see(key, time, |_| dropped += 1).place;
                keys.at_mut(place)[0] += 1;
                assert_eq!(keys.at(place)[0], plain.see(key, time, limits), "step {step}");
                assert_eq!(keys.used, plain.keys.len());
                if step % 500 == 499 {
                    let bytes = saved(&keys);
                    keys = restored(limits, &bytes).unwrap();
                    assert_eq!(saved(&keys), bytes);
                    for key in 0..range {
                        let known = plain.keys.get(&key).map(|(_, count)| *count);
                        let found = keys.get(key, plain.clock).map(|place| keys.at(place)[0]);
                        assert_eq!(found, known);
                    }
                }
            }
            assert!(dropped > 0 || most == 1000);
        }
    }

    #[test]
    fn what_is_saved_does_not_hang_on_what_went_before() {
        let limits = limits(100, None);
        let (mut forward, mut backward) = (Keys::new(limits, 1), Keys::new(limits, 1));
        for key in 0..300u64 {
            forward.see(key, 1, |_| ());
        }
        // Of keys seen at one time the least go first, so both come to the last hundred.
        for key in (0..300u64).rev() {
            backward.see(if key < 100 { 299 - key } else { key }, 1, |_| ());
        }
        for key in 200..300 {
            backward.see(key, 1, |_| ());
        }
        assert_eq!(saved(&forward), saved(&backward));
    }

    #[test]
    fn a_key_is_forgotten_for_a_reader_before_it_is_taken_out() {
        let mut keys = Keys::new(limits(9, Some(10)), 1);
        keys.see(5, 100, |_| ());
        assert!(keys.get(5, 109).is_some());
        assert!(keys.get(5, 110).is_none());
        assert_eq!(keys.used, 1);
        keys.see(6, 110, |_| ());
        assert_eq!(keys.used, 1);
    }

    #[test]
    fn nothing_grows_once_it_is_full() {
        let mut keys = Keys::new(limits(1000, None), 3);
        let mut see = |range: std::ops::Range<u64>| {
            for key in range {
                keys.see(key, key as Time, |_| ());
            }
            keys.heap_bytes()
        };
        let bytes = see(0..3000);
        let later = see(3000..100_000);
        assert_eq!(later, bytes);
    }
}
