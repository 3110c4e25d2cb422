//! Compaction: of each key the newest record stays, and a tombstone goes once all it buries is
//! gone.
//!
//! | table | key | value |
//! |---|---|---|
//! | newest | place, digest of a record's key | [`Newest`] |
//! | garbage | place, block | bytes of it that nobody needs |
//! | due | place, block | nothing: at least half of it is garbage |
//!
//! Every append to a compacted topic enters its records into `newest` and counts what they replace
//! as garbage of the block it lies in. A block that is half garbage is rewritten without it, within
//! some later append, a few MiB each: so at most half of a topic is garbage, a byte is rewritten at
//! most about once for each byte that was replaced, and no commit takes long. A key costs two tree
//! look-ups an append: meant for pages of models and for tables, not for a firehose.
//!
//! As in any compacted log a reader that falls behind may miss what was replaced meanwhile, and a
//! tombstone too.

use heed::{Error, RwTxn};

use crate::{
    block::{BLOCK_BYTES_MAX, BLOCK_EXPANDED_MAX, BLOCK_RECORDS_MAX},
    commit::Committer,
    store::Place,
    view::{Head, View},
};

/// Bytes of blocks that one commit reads in order to rewrite them, and partition.
const REWRITE_BYTES: usize = 8 << 20;
/// What a record costs beside its key, value and headers, roughly.
const RECORD_BYTES: usize = 8;
/// A rewritten block joins the one before it if that is no larger than this or than itself was.
const JOIN_BYTES: usize = 4096;

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Newest {
    /// Where its newest record is.
    offset: u64,
    /// How many older ones are still there.
    older: u32,
    /// About the bytes of the newest.
    bytes: u32,
    /// Whether that is a tombstone.
    tombstone: bool,
}

impl Newest {
    const BYTES: usize = 17;

    /// Whether not even the newest is needed: a tombstone with nothing left to bury.
    fn is_garbage(&self) -> bool {
        self.tombstone && self.older == 0
    }

    fn to_bytes(self) -> [u8; Newest::BYTES] {
        let mut bytes = [0; Newest::BYTES];
        bytes[..8].copy_from_slice(&self.offset.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.older.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[16] = self.tombstone.into();
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Newest> {
        let (offset, rest) = bytes.split_first_chunk()?;
        let (older, rest) = rest.split_first_chunk()?;
        let (bytes, rest) = rest.split_first_chunk()?;
        Some(Newest {
            offset: u64::from_le_bytes(*offset),
            older: u32::from_le_bytes(*older),
            bytes: u32::from_le_bytes(*bytes),
            tombstone: *rest == [1],
        })
    }
}

/// The key of a record's key: of any length, so its digest stands for it.
fn digest_key(place: Place, key: &[u8]) -> [u8; 40] {
    let mut bytes = [0; 40];
    bytes[..8].copy_from_slice(&place.key());
    bytes[8..].copy_from_slice(blake3::hash(key).as_bytes());
    bytes
}

impl Committer {
    /// Enters the records of a block from an offset on.
    pub(crate) fn note(
        &mut self,
        txn: &mut RwTxn,
        place: Place,
        base: u64,
        from: u64,
    ) -> Result<(), Error> {
        self.batch.clear();
        let Some(bytes) = self.store.blocks.get(txn, &place.block(base))? else { return Ok(()) };
        let view = View::of(bytes, base);
        view.and_then(|view| view.read(from, u64::MAX, &mut self.scratch, &mut self.batch));
        for record in self.batch.iter() {
            let Some(key) = record.key else { continue };
            let slot = digest_key(place, key);
            let old = self.store.newest.get(txn, &slot)?.and_then(Newest::from_bytes);
            if let Some(old) = old.filter(|old| !old.is_garbage()) {
                self.count_garbage(txn, place, old)?;
            }
            let bytes = key.len() + record.value.map_or(0, <[u8]>::len) + RECORD_BYTES;
            let newest = Newest {
                offset: record.offset,
                older: old.map_or(0, |old| old.older.saturating_add(1)),
                bytes: (bytes + record.headers.bytes().len()) as u32,
                tombstone: record.value.is_none(),
            };
            self.store.newest.put(txn, &slot, &newest.to_bytes())?;
            if newest.is_garbage() {
                self.count_garbage(txn, place, newest)?;
            }
        }
        Ok(())
    }

    /// Counts the record of an entry as garbage of its block.
    fn count_garbage(&self, txn: &mut RwTxn, place: Place, of: Newest) -> Result<(), Error> {
        match self.store.block_with(txn, place, of.offset)? {
            Some(base) => self.add_garbage(txn, place, base, of.bytes.into()),
            None => Ok(()),
        }
    }

    fn garbage_of(&self, txn: &RwTxn, key: &[u8]) -> Result<u64, Error> {
        let stored = self.store.garbage.get(txn, key)?;
        Ok(stored.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes))
    }

    fn add_garbage(
        &self,
        txn: &mut RwTxn,
        place: Place,
        base: u64,
        bytes: u64,
    ) -> Result<(), Error> {
        let key = place.block(base);
        let garbage = self.garbage_of(txn, &key)? + bytes;
        self.store.garbage.put(txn, &key, &garbage.to_le_bytes())?;
        let whole = self.store.blocks.get(txn, &key)?.map_or(0, <[u8]>::len) as u64;
        if garbage * 2 >= whole { self.store.due.put(txn, &key, &[]) } else { Ok(()) }
    }

    /// A block's records are now in another one: so is its garbage.
    pub(crate) fn move_garbage(
        &self,
        txn: &mut RwTxn,
        place: Place,
        from: u64,
        to: u64,
    ) -> Result<(), Error> {
        let key = place.block(from);
        let garbage = self.garbage_of(txn, &key)?;
        if garbage == 0 {
            return Ok(());
        }
        self.store.due.delete(txn, &key)?;
        self.store.garbage.delete(txn, &key)?;
        self.add_garbage(txn, place, to, garbage)
    }

    /// Rewrites blocks that are due, a bounded amount.
    pub(crate) fn compact(&mut self, txn: &mut RwTxn, place: Place) -> Result<(), Error> {
        let (first, last) = (place.block(0), place.block(u64::MAX));
        let mut read = 0;
        while read < REWRITE_BYTES {
            let found = self.store.due.get_greater_than_or_equal_to(txn, &first)?;
            let base = found.filter(|(key, _)| *key <= &last[..]);
            let Some(base) = base.and_then(|(key, _)| place.base_of(key)) else { break };
            read += self.rewrite(txn, place, base)?;
        }
        Ok(())
    }

    /// Rewrites a block without its garbage; returns its size before.
    fn rewrite(&mut self, txn: &mut RwTxn, place: Place, base: u64) -> Result<usize, Error> {
        let key = place.block(base);
        self.store.due.delete(txn, &key)?;
        self.batch.clear();
        let store = self.store.clone();
        let Some(bytes) = store.blocks.get(txn, &key)? else { return Ok(0) };
        let before = bytes.len();
        if !self.unpack(bytes, base) {
            return Ok(before); // Damaged: it stays as it is, for its reader to report.
        }
        self.drop_garbage(txn, place, base)?;
        store.garbage.delete(txn, &key)?;
        store.blocks.delete(txn, &key)?;
        let Some(first) = self.batch.metas().first().map(|meta| meta.offset) else {
            return Ok(before);
        };
        self.pack(first);
        let base = match self.neighbour(txn, place, first, before)? {
            None => first,
            Some(neighbour) => {
                // The block is at hand twice: the batch still holds it, behind its neighbour.
                let mut bytes = Vec::with_capacity(self.block.encoded_bytes());
                self.block.write(first, &mut bytes).map_err(Error::Io)?;
                self.batch.clear();
                let before = store.blocks.get(txn, &place.block(neighbour))?.unwrap_or_default();
                if self.unpack(before, neighbour) && self.unpack(&bytes, first) {
                    self.pack(neighbour);
                    neighbour
                } else {
                    first
                }
            }
        };
        let block = &self.block;
        let size = block.encoded_bytes();
        store.blocks.put_reserved(txn, &place.block(base), size, |to| block.write(base, to))?;
        Ok(before)
    }

    /// Takes what is garbage out of `self.batch`, the records of that block.
    fn drop_garbage(&mut self, txn: &mut RwTxn, place: Place, base: u64) -> Result<(), Error> {
        let mut kept = alluvium_flow::Batch::new();
        for record in self.batch.iter() {
            let slot = digest_key(place, record.key.unwrap_or_default());
            let newest = self.store.newest.get(txn, &slot)?.and_then(Newest::from_bytes);
            match newest {
                Some(newest) if newest.offset == record.offset && newest.is_garbage() => {
                    self.store.newest.delete(txn, &slot)?;
                }
                Some(mut newest) if newest.offset > record.offset => {
                    newest.older = newest.older.saturating_sub(1);
                    self.store.newest.put(txn, &slot, &newest.to_bytes())?;
                    // A tombstone further on in this very block is met in a moment.
                    let elsewhere = self.store.block_with(txn, place, newest.offset)? != Some(base);
                    if newest.is_garbage() && elsewhere {
                        self.count_garbage(txn, place, newest)?;
                    }
                }
                _ => {
                    kept.push(record.offset, record.time, record.key, record.value, record.headers)
                }
            }
        }
        self.batch = kept;
        Ok(())
    }

    /// The block before an offset, if the one rewritten should join it.
    fn neighbour(
        &self,
        txn: &RwTxn,
        place: Place,
        first: u64,
        before: usize,
    ) -> Result<Option<u64>, Error> {
        let Some((key, bytes)) = self.store.blocks.get_lower_than(txn, &place.block(first))? else {
            return Ok(None);
        };
        let head = place.base_of(key).and_then(|base| Head::of(bytes, base));
        let joins = |head: &Head| {
            bytes.len() <= before.max(JOIN_BYTES)
                && bytes.len() + self.block.encoded_bytes() <= BLOCK_BYTES_MAX
                && head.count + self.block.count() <= BLOCK_RECORDS_MAX
                && head.expanded + self.block.expanded() <= BLOCK_EXPANDED_MAX
        };
        Ok(head.filter(joins).map(|head| head.base))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use alluvium_flow::{Batch, Headers};
    use alluvium_learn::math::random_bits;
    use alluvium_ledger::log::{Appender, Log, Outgoing, Policy, Polled, Span};

    use super::*;
    use crate::{Embedded, append::Session, store::between};

    const PLACE: Place = Place { topic: 0, partition: 0 };

    fn append(log: &Embedded, records: &[(u64, Option<Vec<u8>>)]) {
        let mut session = Session::new(log.store.clone()).unwrap();
        let route = session.route("topic", 0).unwrap();
        for (key, value) in records {
            let (key, value) = (key.to_le_bytes(), value.as_deref());
            let headers = Headers::default();
            session.submit(route, Outgoing { time: 0, key: Some(&key), value, headers });
        }
        let mut settled = Vec::new();
        while settled.is_empty() {
            session.poll(&mut settled).unwrap();
            std::thread::yield_now();
        }
    }

    fn read(log: &mut Embedded) -> (Batch, u64) {
        let span = Span { topic: "topic".into(), partition: 0, from: 0, to: None };
        let mut reader = log.reader(&[span]).unwrap();
        let (mut all, mut batch, mut next) = (Batch::new(), Batch::new(), 0);
        while reader.poll(&mut batch).unwrap() == Polled::Records {
            for record in batch.iter() {
                all.push(record.offset, 0, record.key, record.value, record.headers);
            }
            next = batch.next;
        }
        (all, next)
    }

    /// The index and the counts are exactly what a look at all records gives.
    fn check_books(log: &mut Embedded) {
        let (all, _) = read(log);
        let mut newest: BTreeMap<Vec<u8>, Newest> = BTreeMap::new();
        let bytes = |key: &[u8], value: Option<&[u8]>| {
            key.len() + value.map_or(0, <[u8]>::len) + RECORD_BYTES
        };
        for record in all.iter() {
            let key = record.key.unwrap();
            let older = newest.get(key).map_or(0, |old| old.older + 1);
            newest.insert(
                key.to_vec(),
                Newest {
                    offset: record.offset,
                    older,
                    bytes: bytes(key, record.value) as u32,
                    tombstone: record.value.is_none(),
                },
            );
        }
        let store = log.store.clone();
        let txn = store.read().unwrap();
        assert_eq!(store.newest.len(&txn).unwrap(), newest.len() as u64);
        let mut garbage: BTreeMap<u64, u64> = BTreeMap::new();
        for record in all.iter() {
            let key = record.key.unwrap();
            let stored = store.newest.get(&txn, &digest_key(PLACE, key)).unwrap();
            assert_eq!(stored.and_then(Newest::from_bytes), Some(newest[key]));
            if newest[key].offset > record.offset || newest[key].is_garbage() {
                let base = store.block_with(&txn, PLACE, record.offset).unwrap().unwrap();
                *garbage.entry(base).or_default() += bytes(key, record.value) as u64;
            }
        }
        let all_keys = [PLACE.block(0), PLACE.block(u64::MAX)];
        let range = between(&all_keys[0], &all_keys[1]);
        for entry in store.garbage.range(&txn, &range).unwrap() {
            let (key, counted) = entry.unwrap();
            let counted = u64::from_le_bytes(counted.try_into().unwrap());
            assert_eq!(garbage.remove(&PLACE.base_of(key).unwrap()), Some(counted));
        }
        assert_eq!(garbage, BTreeMap::new(), "garbage that nobody counted");
        assert!(store.due.is_empty(&txn).unwrap(), "what was due has been rewritten");
    }

    /// Against a plain map, with records of all sizes, tombstones, and appends of all sizes.
    #[test]
    fn the_newest_stay_and_the_books_are_right() {
        for seed in 0..6 {
            let directory = tempfile::tempdir().unwrap();
            let mut log = Embedded::open(directory.path()).unwrap();
            log.create("topic", 1, Policy::Compact).unwrap();
            let mut draws = 0;
            let mut draw = |below: u64| {
                draws += 1;
                random_bits(seed, draws) % below
            };
            let (mut model, mut next) = (BTreeMap::new(), 0);
            for _ in 0..80 {
                let mut records = Vec::new();
                for _ in 0..1 + draw(4) * draw(40) {
                    let key = draw([10, 100, 1000][seed as usize % 3]);
                    let size = 1 + draw(20) * draw(20) * draw(20) + draw(200) / 199 * 150_000;
                    let value = (draw(3) > 0).then(|| vec![draw(256) as u8; size as usize]);
                    model.insert(key.to_le_bytes().to_vec(), value.clone());
                    records.push((key, value));
                }
                next += records.len() as u64;
                append(&log, &records);
            }
            check_books(&mut log);
            let (all, end) = read(&mut log);
            assert_eq!(end, next, "the gap at the end is passed over, seed {seed}");
            let mut found = BTreeMap::new();
            for record in all.iter() {
                found.insert(record.key.unwrap().to_vec(), record.value.map(<[u8]>::to_vec));
            }
            model.retain(|_, value| value.is_some());
            found.retain(|_, value| value.is_some());
            assert!(found == model, "seed {seed}");
        }
    }

    #[test]
    fn tombstones_go_once_all_they_bury_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = Embedded::open(directory.path()).unwrap();
        log.create("topic", 1, Policy::Compact).unwrap();
        append(&log, &(0..100).map(|key| (key, Some(vec![1; 1_000]))).collect::<Vec<_>>());
        append(&log, &(0..100).map(|key| (key, None)).collect::<Vec<_>>());
        let (all, end) = read(&mut log);
        assert_eq!((all.len(), end), (0, 200));
        check_books(&mut log);
        append(&log, &[(7, Some(vec![2; 10]))]);
        let (all, end) = read(&mut log);
        assert_eq!((all.get(0).offset, all.len(), end), (200, 1, 201));
    }
}
