//! Appending, the thread's side: one load of blocks, one durable commit.
//!
//! Small appends would each leave a small block behind. So the last blocks of a partition are
//! rewritten together with the new one as long as they are no larger than it, as a binary counter
//! carries: each byte is rewritten at most once for each doubling up to 128 KiB, and a partition
//! ends in a handful of small blocks at most.

use std::{collections::VecDeque, sync::Arc};

use alluvium_flow::Batch;
use alluvium_ledger::log::{LogError, Route, Ticket};
use heed::{Error, RwTxn};

use crate::{
    block::{BLOCK_BYTES_MAX, BLOCK_EXPANDED_MAX, BLOCK_RECORDS_MAX, Block, Entry},
    store::{Place, Store, between, failed},
    view::{Head, Scratch, View},
};

/// A block up to this size is always rewritten with the next one: the page it lies in is written
/// anyway.
const CARRY_BYTES: usize = 2000;
/// After so many commits the room is freed that readers hold whose process has died.
const COMMITS_A_LOOK: u64 = 256;
/// The most blocks that are carried at once.
const CARRY_BLOCKS_MAX: usize = 16;

/// Blocks to be committed together.
pub(crate) struct Load {
    pub(crate) lanes: Vec<Lane>,
}

/// The blocks of one route.
pub(crate) struct Lane {
    pub(crate) route: Route,
    pub(crate) place: Place,
    pub(crate) compacted: bool,
    pub(crate) blocks: VecDeque<Block>,
    pub(crate) last_ticket: Ticket,
    /// Filled in by the commit: the offset after the last record.
    pub(crate) next: u64,
}

/// Commits loads.
pub(crate) struct Committer {
    pub(crate) store: Arc<Store>,
    pub(crate) scratch: Scratch,
    pub(crate) batch: Batch,
    pub(crate) block: Block,
    commits: u64,
}

impl Committer {
    pub(crate) fn new(store: Arc<Store>) -> Committer {
        let (scratch, batch, block) = (Scratch::default(), Batch::new(), Block::default());
        Committer { store, scratch, batch, block, commits: 0 }
    }

    /// Commits a load: all of it, on the disk when this returns, or nothing.
    pub(crate) fn commit(&mut self, load: &mut Load) -> Result<(), LogError> {
        let store = self.store.clone();
        let doing = |error| failed("appending", error);
        self.commits += 1;
        if self.commits.is_multiple_of(COMMITS_A_LOOK) {
            store.clear_stale_readers()?;
        }
        let mut txn = store.write()?;
        for lane in &mut load.lanes {
            self.append(&mut txn, lane)?;
        }
        for lane in load.lanes.iter().filter(|lane| lane.compacted) {
            self.compact(&mut txn, lane.place).map_err(doing)?;
        }
        txn.commit().map_err(doing)
    }

    /// Appends one route's blocks.
    fn append(&mut self, txn: &mut RwTxn, lane: &mut Lane) -> Result<(), LogError> {
        let store = self.store.clone();
        let doing = |error| failed("appending", error);
        let mut row = store.partition(txn, lane.place)?;
        let begin = row.next;
        for (index, block) in lane.blocks.iter().enumerate() {
            let base = row.next;
            let mut carried = Vec::new();
            if index == 0 {
                carried = self.carry(txn, lane.place, base, block).map_err(doing)?;
            }
            let (base_now, block_now) = match carried.first() {
                Some(first) => (*first, &self.block),
                None => (base, block),
            };
            let key = lane.place.block(base_now);
            let bytes = block_now.encoded_bytes();
            store
                .blocks
                .put_reserved(txn, &key, bytes, |space| block_now.write(base_now, space))
                .map_err(doing)?;
            row.next = base + block.reach() + 1;
            if lane.compacted {
                for old in carried {
                    self.move_garbage(txn, lane.place, old, base_now).map_err(doing)?;
                }
                self.note(txn, lane.place, base_now, base).map_err(doing)?;
            }
        }
        debug_assert!(row.next > begin);
        lane.next = row.next;
        store.set_partition(txn, lane.place, row).map_err(doing)
    }

    /// Takes the partition's last blocks out when they are to be rewritten together with a new
    /// one, lays all records into `self.block`, and returns the offsets of the old ones.
    fn carry(
        &mut self,
        txn: &mut RwTxn,
        place: Place,
        next: u64,
        new: &Block,
    ) -> Result<Vec<u64>, Error> {
        let Some(base) = self.carry_from(txn, place, next, new)? else { return Ok(Vec::new()) };
        let mut bytes = Vec::with_capacity(new.encoded_bytes());
        new.write(next, &mut bytes).map_err(Error::Io)?;
        self.batch.clear();
        let first = place.block(base);
        let store = self.store.clone();
        let mut bases = Vec::new();
        for block in store.blocks.range(txn, &between(&first, &place.block(next)))? {
            let (key, bytes) = block?;
            let Some(base) = place.base_of(key) else { continue };
            if !self.unpack(bytes, base) {
                return Ok(Vec::new()); // Damaged: it stays as it is, for its reader to report.
            }
            bases.push(base);
        }
        if !self.unpack(&bytes, next) {
            return Ok(Vec::new());
        }
        self.pack(base);
        for old in &bases {
            store.blocks.delete(txn, &place.block(*old))?;
        }
        Ok(bases)
    }

    /// The first of the last blocks that are to be carried, if any.
    fn carry_from(
        &self,
        txn: &RwTxn,
        place: Place,
        next: u64,
        new: &Block,
    ) -> Result<Option<u64>, Error> {
        let (mut bytes, mut records) = (new.encoded_bytes(), new.count());
        let (mut expanded, mut base) = (new.expanded(), None);
        let end = place.block(next);
        let before = self.store.blocks.rev_range(txn, &between(&place.block(0), &end))?;
        for block in before.take(CARRY_BLOCKS_MAX) {
            let (key, old) = block?;
            let carries =
                old.len() <= bytes.max(CARRY_BYTES) && bytes + old.len() <= BLOCK_BYTES_MAX;
            let found = place.base_of(key).filter(|_| carries);
            let Some(head) = found.and_then(|base| Head::of(old, base)) else { break };
            if records + head.count > BLOCK_RECORDS_MAX
                || expanded + head.expanded > BLOCK_EXPANDED_MAX
            {
                break;
            }
            bytes += old.len();
            records += head.count;
            expanded += head.expanded;
            base = Some(head.base);
        }
        Ok(base)
    }

    /// Appends a block's records to `self.batch`; says whether it was sound.
    pub(crate) fn unpack(&mut self, bytes: &[u8], base: u64) -> bool {
        View::of(bytes, base)
            .and_then(|view| view.read(base, u64::MAX, &mut self.scratch, &mut self.batch))
            .is_some()
    }

    /// Lays the records of `self.batch` into `self.block`, whose first has that offset.
    pub(crate) fn pack(&mut self, base: u64) {
        let reach = self.batch.metas().last().map_or(0, |last| last.offset - base);
        self.block.clear(reach + 1 != self.batch.len() as u64);
        let mut expected = base;
        for record in self.batch.iter() {
            self.block.push(&Entry {
                passed_over: record.offset - expected,
                time: record.time,
                key: record.key,
                value: record.value,
                headers: record.headers,
            });
            expected = record.offset + 1;
        }
    }
}
