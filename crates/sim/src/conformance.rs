//! What every log promises, as checks that run over any of them: the virtual one, the embedded one
//! and Kafka. A check panics with what was broken.
//!
//! Acknowledgements and records may come late: everything is polled for, a bounded number of times,
//! and between two polls the caller's `wait` is called. Each check makes topics of its own, whose
//! names begin with the caller's prefix, so that one cluster can be checked again and again.

mod checks;

use std::sync::Arc;

use alluvium_flow::{Batch, Headers};
use alluvium_ledger::log::{
    Appender, Ends, Log, LogError, Outgoing, Policy, Polled, RecordReader, Settled, Span, Ticket,
};

/// A topic that keeps everything.
const KEEP: Policy = Policy::Delete { retention_ms: None };

/// What a check works with.
pub struct Bench<'a> {
    /// Makes a client of the log that is checked.
    pub make: &'a mut dyn FnMut() -> Box<dyn Log>,
    /// Is called between two polls: turns a virtual log, or lets a real one work.
    pub wait: &'a mut dyn FnMut(),
    /// How often something is polled for before it is taken for lost.
    pub polls_max: u64,
    /// What the names of topics and pipelines begin with.
    pub prefix: String,
}

/// A check.
pub type Check = fn(&mut Bench<'_>);

/// The checks, each with the fact it states.
pub const CHECKS: [(&str, Check); 16] = [
    ("a topic is made once", checks::a_topic_is_made_once),
    ("what is not there is said to be missing", checks::what_is_not_there_is_said_to_be_missing),
    ("records come back as they went in", checks::records_come_back_as_they_went_in),
    ("each route keeps its order", checks::each_route_keeps_its_order),
    ("many records cross every boundary", checks::many_records_cross_every_boundary),
    ("small appends add up", checks::small_appends_add_up),
    ("reading starts in the middle", checks::reading_starts_in_the_middle),
    ("a span ends before its bound", checks::a_span_ends_before_its_bound),
    ("a paused span waits", checks::a_paused_span_waits),
    ("later records are seen", checks::later_records_are_seen),
    ("offsets beyond the end are out of range", checks::offsets_beyond_the_end_are_out_of_range),
    ("compaction keeps the newest of each key", checks::compaction_keeps_the_newest_of_each_key),
    ("tombstones bury their keys", checks::tombstones_bury_their_keys),
    ("two appenders share a partition", checks::two_appenders_share_a_partition),
    ("times lead to offsets", checks::times_lead_to_offsets),
    ("one holds the lease", checks::one_holds_the_lease),
];

/// Runs every check over a log that answers at once or in threads of its own.
///
/// # Panics
/// When the log breaks a promise.
pub fn suite(make: &mut dyn FnMut() -> Box<dyn Log>) {
    let mut wait = std::thread::yield_now;
    let mut bench =
        Bench { make, wait: &mut wait, polls_max: 50_000_000, prefix: "conformance".to_owned() };
    for (_, check) in CHECKS {
        check(&mut bench);
    }
}

/// A record of one's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Kept {
    offset: u64,
    time: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<u8>,
}

impl Kept {
    fn new(time: i64, key: &str, value: &str) -> Kept {
        let (key, value) = (key.as_bytes().to_vec(), value.as_bytes().to_vec());
        Kept { time, key: Some(key), value: Some(value), ..Kept::default() }
    }

    fn outgoing(&self) -> Outgoing<'_> {
        Outgoing {
            time: self.time,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: Headers::new(&self.headers),
        }
    }
}

/// Numbered records.
fn numbered(numbers: std::ops::Range<u64>) -> Vec<Kept> {
    let record = |n: u64| Kept::new(1_000 + n as i64, &format!("key {}", n % 7), &n.to_string());
    numbers.map(record).collect()
}

#[track_caller]
fn ok<T>(what: &str, result: Result<T, LogError>) -> T {
    result.unwrap_or_else(|error| panic!("{what}: {error}"))
}

fn span(topic: &Arc<str>, from: u64, to: Option<u64>) -> Span {
    Span { topic: topic.clone(), partition: 0, from, to }
}

impl Bench<'_> {
    fn log(&mut self) -> Box<dyn Log> {
        (self.make)()
    }

    fn name(&self, name: &str) -> Arc<str> {
        format!("{}.{name}", self.prefix).into()
    }

    /// Calls a closure until it gives something.
    #[track_caller]
    fn poll<T>(&mut self, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
        for _ in 0..self.polls_max {
            if let Some(found) = attempt() {
                return found;
            }
            (self.wait)();
        }
        panic!("waited in vain for {what}");
    }

    /// Makes a topic and waits for it.
    fn topic(
        &mut self,
        log: &mut dyn Log,
        name: &str,
        partitions: u32,
        policy: Policy,
    ) -> Arc<str> {
        let name = self.name(name);
        ok("create", log.create(&name, partitions, policy));
        self.ends(log, &name);
        name
    }

    fn ends(&mut self, log: &mut dyn Log, topic: &str) -> Ends {
        self.poll("the topic's ends", || ok("ends", log.ends(topic)))
    }

    /// Polls an appender until those tickets are acknowledged, each the last of its route.
    #[track_caller]
    fn settle(&mut self, appender: &mut dyn Appender, last: &[Ticket], settled: &mut Vec<Settled>) {
        self.poll("acknowledgements", || {
            ok("poll of an appender", appender.poll(settled));
            let done = |ticket: &Ticket| settled.iter().any(|one| one.ticket == *ticket);
            last.iter().all(done).then_some(())
        });
    }

    /// Appends records in a session of their own, waits until they are there, and gives the last
    /// one's offset.
    #[track_caller]
    fn append(&mut self, log: &mut dyn Log, topic: &str, records: &[Kept]) -> u64 {
        let mut appender = ok("appender", log.appender());
        let route = ok("route", appender.route(topic, 0));
        let submit = |record: &Kept| appender.submit(route, record.outgoing());
        let tickets: Vec<Ticket> = records.iter().map(submit).collect();
        let mut settled = Vec::new();
        self.settle(&mut *appender, &tickets[tickets.len() - 1..], &mut settled);
        settled[settled.len() - 1].offset
    }

    /// Reads one span until so many records have come.
    #[track_caller]
    fn read(&mut self, log: &mut dyn Log, span: Span, count: usize) -> Vec<Kept> {
        let mut reader = ok("reader", log.reader(std::slice::from_ref(&span)));
        let mut reading = Reading { next: span.from, records: Vec::new() };
        let mut batch = Batch::new();
        self.poll("records", || {
            reading.poll(&mut *reader, &mut batch);
            (reading.records.len() >= count).then_some(())
        });
        reading.records
    }
}

/// The reading of one span, which checks that offsets ascend and that `next` leads on.
struct Reading {
    next: u64,
    records: Vec<Kept>,
}

impl Reading {
    #[track_caller]
    fn poll(&mut self, reader: &mut dyn RecordReader, batch: &mut Batch) -> Polled {
        let polled = ok("poll of a reader", reader.poll(batch));
        if polled == Polled::Records {
            self.take(batch);
        }
        polled
    }

    #[track_caller]
    fn take(&mut self, batch: &Batch) {
        assert!(batch.next > self.next, "a batch leads from {} to {}", self.next, batch.next);
        let mut next = self.next;
        for record in batch.iter() {
            assert!(record.offset >= next, "offset {} came where {next} is next", record.offset);
            next = record.offset + 1;
            self.records.push(Kept {
                offset: record.offset,
                time: record.time,
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                headers: record.headers.bytes().to_vec(),
            });
        }
        assert!(next <= batch.next, "record {next} lies beyond its batch's {}", batch.next);
        self.next = batch.next;
    }
}

#[track_caller]
fn same(read: &[Kept], written: &[Kept]) {
    assert_eq!(read.len(), written.len(), "as many records are read as were written");
    for (read, written) in read.iter().zip(written) {
        assert_eq!(Kept { offset: 0, ..read.clone() }, *written);
    }
}
