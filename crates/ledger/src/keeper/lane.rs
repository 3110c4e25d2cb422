//! One partition of an input on its way from the log to the learner: fetched, decoded, ordered.
//!
//! Two cursors walk the buffered records. `planned` is where the newest cut ends (the one in flight
//! included); `learned` is behind it or level. The digest of the inputs is taken by the first of
//! them to pass a record.

use std::{collections::VecDeque, sync::Arc};

use alluvium_flow::{
    Batch, Chain,
    decode::{Decoder, Rows},
    order::{OrderKey, Rank},
};
use alluvium_learn::Time;

use crate::{
    bugs::{Bug, planted},
    log::LogError,
};

/// A batch and what its records mean.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) batch: Batch,
    pub(crate) rows: Rows,
}

impl Decoded {
    /// The time by which a record is merged with those of other partitions; `None` where it was
    /// refused, and so has none.
    fn time(&self, row: usize) -> Option<Time> {
        if planted(Bug::MergeByLogTime) {
            return Some(self.batch.metas()[row].time);
        }
        let is_refused = self.rows.refusals[row].is_some() && !planted(Bug::RefusedHaveTimes);
        (!is_refused).then(|| self.rows.times[row])
    }
}

/// A place among the buffered records, and what the order and the digest are there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cursor {
    /// The number of the batch, counted since the lane was opened.
    batch: u64,
    /// The record within it.
    row: usize,
    /// The next offset.
    pub(crate) position: u64,
    /// Where the partition stands in the merge.
    pub(crate) key: OrderKey,
}

/// One partition of an input.
pub(crate) struct Lane {
    /// Which of the pipeline's inputs. `None`: the settings in force name it no longer; it is
    /// neither read nor learned, and stands where it stood, should they name it again.
    pub(crate) input: Option<usize>,
    pub(crate) name: Arc<str>,
    pub(crate) partition: u32,
    pub(crate) rank: Rank,
    /// The next offset the reader will deliver.
    pub(crate) delivered: u64,
    pub(crate) planned: Cursor,
    pub(crate) learned: Cursor,
    /// The digest at `planned`.
    pub(crate) chain: Chain,
    buffered: VecDeque<Decoded>,
    /// The number of the first buffered batch.
    first: u64,
    /// What the buffered records cost, in bytes.
    pub(crate) buffered_bytes: usize,
    /// Whether an accepted record has named it.
    pub(crate) named: bool,
    pub(crate) paused: bool,
    /// Why what comes next cannot be read.
    pub(crate) unreadable: Option<LogError>,
}

impl Lane {
    pub(crate) fn new(
        input: Option<usize>,
        name: Arc<str>,
        partition: u32,
        rank: Rank,
        begin: u64,
    ) -> Lane {
        let cursor = Cursor { position: begin, ..Cursor::default() };
        Lane {
            input,
            name,
            partition,
            rank,
            delivered: begin,
            planned: cursor.clone(),
            learned: cursor,
            chain: Chain::default(),
            buffered: VecDeque::new(),
            first: 0,
            buffered_bytes: 0,
            named: false,
            paused: false,
            unreadable: None,
        }
    }

    /// Puts the lane where a manifest left it.
    pub(crate) fn stand_at(&mut self, position: u64, key: OrderKey, chain: Chain) {
        let cursor = Cursor { position, key, ..Cursor::default() };
        self.delivered = position;
        self.planned = cursor.clone();
        self.learned = cursor;
        self.chain = chain;
        self.named = true;
    }

    /// Takes a batch that the reader delivered. Records below what is expected are stale prefetch,
    /// and go.
    pub(crate) fn deliver(&mut self, mut decoded: Decoded, decoder: &mut dyn Decoder) {
        let Decoded { batch, rows } = &mut decoded;
        let fresh = batch.metas().first().is_none_or(|meta| meta.offset >= self.delivered);
        let next = batch.next.max(self.delivered);
        if !fresh {
            let mut rest = Batch::new();
            for record in batch.iter().filter(|record| record.offset >= self.delivered) {
                rest.push(record.offset, record.time, record.key, record.value, record.headers);
            }
            *batch = rest;
        }
        self.delivered = next;
        if batch.is_empty() {
            return;
        }
        rows.clear();
        decoder.decode(self.partition, batch, rows);
        self.buffered_bytes += cost_bytes(batch);
        self.buffered.push_back(decoded);
    }

    /// Forgets what is buffered; the reader has to begin at `learned` again, where the digest was
    /// `chain`.
    pub(crate) fn forget(&mut self, chain: Chain) {
        (self.chain, self.unreadable) = (chain, None);
        self.buffered.clear();
        self.buffered_bytes = 0;
        (self.first, self.learned.batch, self.learned.row) = (0, 0, 0);
        self.delivered = self.learned.position;
        self.planned = self.learned.clone();
    }

    /// Goes on at an offset, and passes over what lies before it.
    pub(crate) fn skip(&mut self, to: u64, chain: Chain) {
        self.learned.position = to;
        self.forget(chain);
    }

    /// Why nothing more can be learned of it, once all that could be read is learned.
    pub(crate) fn stuck(&self) -> Option<&LogError> {
        self.unreadable.as_ref().filter(|_| self.learned.position >= self.delivered)
    }

    fn at<'a>(&'a self, cursor: &Cursor) -> Option<(&'a Decoded, usize)> {
        let index = usize::try_from(cursor.batch.checked_sub(self.first)?).ok()?;
        let decoded = self.buffered.get(index)?;
        if cursor.row < decoded.batch.len() {
            return Some((decoded, cursor.row));
        }
        self.buffered.get(index + 1).map(|decoded| (decoded, 0))
    }

    /// The key in the merge of the next record below `end`.
    fn head(&self, cursor: &Cursor, end: u64) -> Head {
        if self.input.is_none() {
            return Head::Nothing;
        }
        match self.at(cursor) {
            Some((decoded, row)) if decoded.batch.metas()[row].offset < end => {
                Head::Record(cursor.key.of(decoded.time(row)))
            }
            Some(_) => Head::Nothing,
            None if self.delivered >= end => Head::Nothing,
            None => Head::NotYet,
        }
    }

    /// The head of the plan.
    pub(crate) fn head_planned(&self, end: u64) -> Head {
        self.head(&self.planned, end)
    }

    /// The head of learning.
    pub(crate) fn head_learned(&self, end: u64) -> Head {
        self.head(&self.learned, end)
    }

    /// Walks a cursor over records of one batch, as long as they lie below `end`, their keys below
    /// `bound`, and no more than `most`. Returns the batch's index and the rows.
    fn walk(
        &self,
        cursor: &mut Cursor,
        end: u64,
        bound: Option<(Time, Rank)>,
        most: usize,
        mut each: impl FnMut(&Batch, usize),
    ) -> (usize, std::ops::Range<usize>) {
        let index = cursor.batch.saturating_sub(self.first) as usize;
        let (index, row) = match self.buffered.get(index) {
            Some(decoded) if cursor.row < decoded.batch.len() => (index, cursor.row),
            _ => (index + 1, 0),
        };
        let Some(decoded) = self.buffered.get(index) else { return (index, 0..0) };
        let metas = decoded.batch.metas();
        let mut next = row;
        while next < metas.len() && next - row < most && metas[next].offset < end {
            let time = decoded.time(next);
            let key = cursor.key.of(time);
            if next > row && bound.is_some_and(|bound| (key, self.rank) >= bound) {
                break;
            }
            cursor.key.take(time);
            each(&decoded.batch, next);
            next += 1;
        }
        if next > row {
            cursor.position = metas[next - 1].offset + 1;
        }
        (cursor.batch, cursor.row) = (self.first + index as u64, next);
        (index, row..next)
    }

    /// Moves the plan over a run of records; returns how many.
    pub(crate) fn plan(&mut self, end: u64, bound: Option<(Time, Rank)>, most: usize) -> usize {
        let (mut cursor, mut chain) = (self.planned.clone(), std::mem::take(&mut self.chain));
        let (_, rows) =
            self.walk(&mut cursor, end, bound, most, |batch, row| chain.add(&batch.get(row)));
        (self.planned, self.chain) = (cursor, chain);
        rows.len()
    }

    /// Moves learning over a run of records; returns them. The plan goes along when it is not
    /// ahead.
    pub(crate) fn learn(
        &mut self,
        end: u64,
        bound: Option<(Time, Rank)>,
        most: usize,
    ) -> Option<(&Decoded, std::ops::Range<usize>)> {
        let (mut cursor, mut chain) = (self.learned.clone(), std::mem::take(&mut self.chain));
        let planned = self.planned.position;
        let (index, rows) = self.walk(&mut cursor, end, bound, most, |batch, row| {
            if batch.metas()[row].offset >= planned {
                chain.add(&batch.get(row));
            }
        });
        if cursor.position > planned {
            self.planned = cursor.clone();
        }
        (self.learned, self.chain) = (cursor, chain);
        self.buffered.get(index).map(|decoded| (decoded, rows))
    }

    /// There are no records of a cut left below its end: the position is the end itself.
    pub(crate) fn finish(&mut self, end: u64) {
        self.learned.position = self.learned.position.max(end);
        if self.planned.position < self.learned.position {
            self.planned = self.learned.clone();
        }
    }

    /// Gives back batches that have been learned, to be used again.
    pub(crate) fn recycle(&mut self, spare: &mut Vec<Decoded>) {
        while self.buffered.front().is_some_and(|decoded| {
            self.learned.batch > self.first
                || (self.learned.batch == self.first && self.learned.row >= decoded.batch.len())
        }) {
            if let Some(decoded) = self.buffered.pop_front() {
                self.buffered_bytes -= cost_bytes(&decoded.batch);
                spare.push(decoded);
            }
            if self.learned.batch == self.first {
                (self.learned.batch, self.learned.row) = (self.first + 1, 0);
            }
            if self.planned.batch == self.first {
                (self.planned.batch, self.planned.row) = (self.first + 1, 0);
            }
            self.first += 1;
        }
    }
}

/// What a record costs in memory beside its bytes, roughly: records without any have a cost too.
const RECORD_BYTES: usize = 64;

/// What a batch costs in memory, roughly.
fn cost_bytes(batch: &Batch) -> usize {
    batch.bytes().len() + batch.len() * RECORD_BYTES
}

/// What is next in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// A record with this key.
    Record(Time),
    /// No record below the end.
    Nothing,
    /// Not known yet: the log has not delivered so far.
    NotYet,
}

impl Lane {
    /// There are no records left below `end` in the plan: the plan stands at the end itself.
    pub(crate) fn finish_plan(&mut self, end: u64) {
        self.planned.position = self.planned.position.max(end);
    }
}

#[cfg(test)]
mod tests {
    use alluvium_flow::{
        Headers,
        decode::{Reason, Refusal},
    };

    use super::*;

    /// Reads a value as its event time; refuses one that is none.
    struct Times;

    impl Decoder for Times {
        fn decode(&mut self, _: u32, batch: &Batch, into: &mut Rows) {
            for record in batch.iter() {
                let text = std::str::from_utf8(record.value.unwrap_or_default()).unwrap();
                let time = text.parse().ok();
                into.times.push(time.unwrap_or(9_999));
                let refusal = Refusal { reason: Reason::BadTime, field: None };
                into.refusals.push(time.is_none().then_some(refusal));
            }
        }
    }

    /// A lane that was given records with these event times, all of one time in the log.
    fn lane(values: &[&str]) -> Lane {
        let mut lane = Lane::new(Some(0), "x".into(), 0, 0, 0);
        let mut decoded = Decoded::default();
        for (offset, value) in (0..).zip(values) {
            let value = Some(value.as_bytes());
            decoded.batch.push(offset, 7, None, value, Headers::default());
        }
        decoded.batch.next = values.len() as u64;
        lane.deliver(decoded, &mut Times);
        lane
    }

    #[test]
    fn the_plan_and_the_learner_go_by_the_same_event_times() {
        let mut lane = lane(&["bad", "10", "30", "bad", "20", "40", "50"]);
        let (mut planned, mut learned) = (Vec::new(), Vec::new());
        while let Head::Record(key) = lane.head_planned(7) {
            planned.push(key);
            assert_eq!(lane.plan(7, None, 1), 1);
        }
        while let Head::Record(key) = lane.head_learned(7) {
            learned.push(key);
            assert_eq!(lane.learn(7, None, 1).unwrap().1.len(), 1);
        }
        assert_eq!(planned, [Time::MIN, 10, 10, 10, 20, 20, 40]);
        assert_eq!(planned, learned);
        assert_eq!(lane.planned.key, lane.learned.key);
    }

    #[test]
    fn what_was_planned_by_another_decoder_is_forgotten_with_its_keys() {
        let mut lane = lane(&["10", "20", "30", "40"]);
        lane.learn(1, None, 9).unwrap();
        lane.plan(4, None, 9);
        let (chain, key) = (Chain::default(), lane.learned.key);
        assert_ne!(lane.planned.key, key);
        lane.forget(chain);
        assert_eq!((lane.planned.key, lane.planned.position), (key, 1));
        assert_eq!(lane.head_planned(2), Head::NotYet, "it has to be read and decoded again");
    }

    #[test]
    fn records_without_bytes_fill_the_buffer_too() {
        let mut lane = lane(&[""; 1000]);
        assert!(lane.buffered_bytes >= 1000 * size_of::<alluvium_flow::Meta>());
        while lane.learn(1000, None, 100).is_some_and(|(_, rows)| !rows.is_empty()) {}
        lane.recycle(&mut Vec::new());
        assert_eq!(lane.buffered_bytes, 0);
    }
}
