//! Reading: a short view of the store for each poll, whole blocks at a time.

use std::sync::Arc;

use alluvium_flow::Batch;
use alluvium_learn::Time;
use alluvium_ledger::log::{LogError, PartitionEnds, Polled, RecordReader, Span};
use heed::RoTxn;

use crate::{
    store::{Place, Store, between, failed},
    view::{Head, Scratch, View},
};

/// A poll stops after the block that brings it to so many bytes,
const BYTES_ENOUGH: usize = 1 << 20;
/// or to so many records.
const RECORDS_ENOUGH: usize = 8192;
/// Heads that a search by time looks at before it lets its view of the store go.
const HEADS_A_VIEW: usize = 4096;

pub(crate) struct Reader {
    store: Arc<Store>,
    spans: Vec<Reading>,
    /// The span whose turn it is.
    turn: usize,
    /// The commit whose view last had nothing to read. Until there is another, there is nothing
    /// still, and nobody need look at every partition to see it.
    quiet_at: Option<usize>,
    scratch: Scratch,
}

struct Reading {
    topic: Arc<str>,
    place: Place,
    next: u64,
    to: u64,
    paused: bool,
}

impl Reader {
    pub(crate) fn new(store: Arc<Store>, spans: &[Span]) -> Result<Reader, LogError> {
        let mut readings = Vec::with_capacity(spans.len());
        {
            let txn = store.read()?;
            for span in spans {
                let (_, place) = store.place(&txn, &span.topic, span.partition)?;
                let (next, to) = (span.from, span.to.unwrap_or(u64::MAX));
                readings.push(Reading {
                    topic: span.topic.clone(),
                    place,
                    next,
                    to,
                    paused: false,
                });
            }
        }
        let scratch = Scratch::default();
        Ok(Reader { store, spans: readings, turn: 0, quiet_at: None, scratch })
    }
}

impl RecordReader for Reader {
    fn poll(&mut self, into: &mut Batch) -> Result<Polled, LogError> {
        into.clear();
        let Reader { store, spans, turn, quiet_at, scratch } = self;
        if *quiet_at == Some(store.newest_commit()) {
            return Ok(Polled::Nothing);
        }
        let mut txn = None;
        for step in 0..spans.len() {
            let index = (*turn + step) % spans.len();
            let span = &mut spans[index];
            if span.paused || span.next >= span.to {
                continue;
            }
            let txn = match &txn {
                Some(txn) => txn,
                None => txn.insert(store.read()?),
            };
            match fill(store, txn, span, scratch, into) {
                Ok(None) => {}
                Ok(Some(next)) => {
                    (into.span, into.next, span.next) = (index, next, next);
                    *turn = index + 1;
                    return Ok(Polled::Records);
                }
                Err(error) => {
                    into.clear();
                    *turn = index + 1; // One that cannot be read does not hold up the others.
                    return Err(error);
                }
            }
        }
        // What the view says it is, not what was asked before or after: a commit is in the file a
        // moment before a view shows it.
        *quiet_at = txn.map(|txn| txn.id());
        Ok(Polled::Nothing)
    }

    fn pause(&mut self, span: usize, paused: bool) {
        self.quiet_at = None;
        if let Some(span) = self.spans.get_mut(span) {
            span.paused = paused;
        }
    }
}

/// Reads the next records of a span; returns the next offset, or `None` when there is nothing yet.
/// What lies before damage comes first, and the damage with the next call.
fn fill(
    store: &Store,
    txn: &RoTxn,
    span: &Reading,
    scratch: &mut Scratch,
    into: &mut Batch,
) -> Result<Option<u64>, LogError> {
    let row = store.partition(txn, span.place)?;
    if span.next < row.earliest || span.next > row.next {
        return Err(LogError::OutOfRange {
            topic: span.topic.to_string(),
            partition: span.place.partition,
            offset: span.next,
            ends: PartitionEnds { earliest: row.earliest, stable: row.next },
        });
    }
    let end = row.next.min(span.to);
    if span.next >= end {
        return Ok(None);
    }
    let doing = |error| failed("reading records", error);
    let first = store.block_with(txn, span.place, span.next).map_err(doing)?.unwrap_or(span.next);
    let (first, last) = (span.place.block(first), span.place.block(end - 1));
    let mut read_to = span.next;
    for block in store.blocks.range(txn, &between(&first, &last)).map_err(doing)? {
        let (key, bytes) = block.map_err(doing)?;
        let damaged = || damage(store, txn, &span.topic, (span.place, span.next), key);
        let Some(view) = span.place.base_of(key).and_then(|base| View::of(bytes, base)) else {
            return if into.is_empty() { Err(damaged()) } else { Ok(Some(read_to)) };
        };
        view.read(span.next, end, scratch, into).ok_or_else(damaged)?;
        read_to = view.head.last + 1;
        if into.len() >= RECORDS_ENOUGH || into.bytes().len() >= BYTES_ENOUGH {
            return Ok(Some(end.min(view.head.last + 1)));
        }
    }
    // No block is left below the end: what compaction took away there is passed over.
    Ok(Some(end))
}

/// The error for a block whose bytes are not what was written. What was to be read of it begins at
/// an offset; what comes behind it can be read.
fn damage(
    store: &Store,
    txn: &RoTxn,
    topic: &str,
    (place, from): (Place, u64),
    key: &[u8],
) -> LogError {
    let offset = place.base_of(key).unwrap_or_default().max(from);
    let behind = store.blocks.get_greater_than(txn, key).ok().flatten();
    let next = behind.and_then(|(key, _)| place.base_of(key));
    let end = || store.partition(txn, place).ok().map(|row| row.next);
    LogError::Damaged {
        topic: topic.to_string(),
        partition: place.partition,
        offset,
        next: next.or_else(end),
        why: "its bytes are not what was written".into(),
    }
}

impl Store {
    /// The first offset of the block that holds an offset or ends before it, if there is one.
    pub(crate) fn block_with(
        &self,
        txn: &RoTxn,
        place: Place,
        offset: u64,
    ) -> Result<Option<u64>, heed::Error> {
        let found = self.blocks.get_lower_than_or_equal_to(txn, &place.block(offset))?;
        Ok(found.and_then(|(key, _)| place.base_of(key)))
    }
}

/// For each partition the first offset whose record has that time or a later one; its end when
/// there is none. Looks at the head of every block before it: for now and then, not for every
/// record.
pub(crate) fn offsets_at(store: &Store, topic: &str, time: Time) -> Result<Vec<u64>, LogError> {
    let found = {
        let txn = store.read()?;
        store.topic(&txn, topic)?.ok_or_else(|| LogError::NoTopic { topic: topic.to_owned() })?
    };
    let mut scratch = Scratch::default();
    let offset = |partition| offset_at(store, topic, found.place(partition), time, &mut scratch);
    (0..found.partitions).map(offset).collect()
}

fn offset_at(
    store: &Store,
    topic: &str,
    place: Place,
    time: Time,
    scratch: &mut Scratch,
) -> Result<u64, LogError> {
    let doing = |error| failed("searching by time", error);
    let mut from = 0;
    loop {
        let txn = store.read()?;
        let end = store.partition(&txn, place)?.next;
        let (first, last) = (place.block(from), place.block(u64::MAX));
        let mut looked_at = 0;
        for block in store.blocks.range(&txn, &between(&first, &last)).map_err(doing)? {
            let (key, bytes) = block.map_err(doing)?;
            let damaged = || damage(store, &txn, topic, (place, 0), key);
            let base = place.base_of(key).ok_or_else(damaged)?;
            let head = Head::of(bytes, base).ok_or_else(damaged)?;
            if head.time_max >= time {
                let mut batch = Batch::new();
                let view = View::of(bytes, base).ok_or_else(damaged)?;
                view.read(base, u64::MAX, scratch, &mut batch).ok_or_else(damaged)?;
                let found = batch.metas().iter().find(|meta| meta.time >= time);
                return Ok(found.ok_or_else(damaged)?.offset);
            }
            looked_at += 1;
            from = head.last + 1;
            if looked_at == HEADS_A_VIEW {
                break;
            }
        }
        if looked_at < HEADS_A_VIEW {
            return Ok(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use alluvium_ledger::log::{Log, Outgoing, Policy};

    use super::*;
    use crate::{Embedded, store::Partition};

    #[test]
    fn what_has_expired_is_out_of_range() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = Embedded::open(directory.path()).unwrap();
        log.create("topic", 1, Policy::Delete { retention_ms: None }).unwrap();
        let mut txn = log.store.write().unwrap();
        let (_, place) = log.store.place(&txn, "topic", 0).unwrap();
        log.store.set_partition(&mut txn, place, Partition { earliest: 5, next: 9 }).unwrap();
        txn.commit().unwrap();
        let span = Span { topic: "topic".into(), partition: 0, from: 4, to: None };
        let mut reader = log.reader(&[span]).unwrap();
        let ends = PartitionEnds { earliest: 5, stable: 9 };
        let expected =
            LogError::OutOfRange { topic: "topic".into(), partition: 0, offset: 4, ends };
        for _ in 0..2 {
            assert_eq!(reader.poll(&mut Batch::new()), Err(expected.clone()));
        }
    }

    #[test]
    fn a_quiet_log_is_looked_at_again_after_a_commit_or_a_pause() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = Embedded::open(directory.path()).unwrap();
        log.create("topic", 2, Policy::Delete { retention_ms: None }).unwrap();
        let spans =
            [0, 1].map(|partition| Span { topic: "topic".into(), partition, from: 0, to: None });
        let (mut reader, mut batch) =
            (Reader::new(log.store.clone(), &spans).unwrap(), Batch::new());
        let mut append = |partition| {
            let mut session = log.appender().unwrap();
            let route = session.route("topic", partition).unwrap();
            let headers = alluvium_flow::Headers::default();
            let value = Some(&b"value"[..]);
            session.submit(route, Outgoing { time: 0, key: None, value, headers });
            let mut settled = Vec::new();
            while settled.is_empty() {
                session.poll(&mut settled).unwrap();
            }
        };
        assert_eq!(reader.poll(&mut batch), Ok(Polled::Nothing));
        assert!(reader.quiet_at.is_some(), "it need not look again");
        append(1);
        assert_eq!(reader.poll(&mut batch), Ok(Polled::Records));
        reader.pause(0, true);
        append(0);
        assert_eq!(reader.poll(&mut batch), Ok(Polled::Nothing));
        reader.pause(0, false);
        assert_eq!(reader.poll(&mut batch), Ok(Polled::Records));
        assert_eq!(reader.poll(&mut batch), Ok(Polled::Nothing));
    }
}
