//! The port: what the ledger asks of a log. Three logs answer it: the embedded one, Kafka, and the
//! virtual one of the simulator; one suite of tests holds them to the same promises.
//!
//! Nothing here blocks. Offsets are always the next one to read.

use std::{fmt, sync::Arc};

use alluvium_flow::{Batch, Headers};
use alluvium_learn::Time;

/// Part of one partition: from an offset on, to an offset (left out) or for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: u32,
    /// The first offset to read.
    pub from: u64,
    /// The offset to stop before; `None`: read for ever.
    pub to: Option<u64>,
}

/// What a topic is, and where its partitions begin and end, asked of whoever leads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The topic's identity: a topic deleted and made again has another.
    pub id: u128,
    /// What becomes of old records.
    pub policy: Policy,
    /// Each partition's ends, by index.
    pub partitions: Vec<PartitionEnds>,
}

/// Where a partition begins and ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionEnds {
    /// The first offset that can still be read.
    pub earliest: u64,
    /// The offset after the last record that everybody may read.
    pub stable: u64,
}

/// What becomes of old records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// They go after a time, or never.
    Delete {
        /// How long they stay, in milliseconds; `None`: for ever.
        retention_ms: Option<u64>,
    },
    /// Of each key the newest stays.
    Compact,
}

/// A record on its way into the log.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Its timestamp.
    pub time: Time,
    /// Its key. A compacted topic needs one.
    pub key: Option<&'a [u8]>,
    /// Its value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Names and values beside it.
    pub headers: Headers<'a>,
}

/// Where an appender appends: a partition, looked up once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route(pub u32);

/// The number of a submitted record, ascending within its appender.
pub type Ticket = u64;

/// An acknowledgement: the record of that ticket lies at that offset, and every record submitted
/// before it on the same route lies before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The route.
    pub route: Route,
    /// The ticket.
    pub ticket: Ticket,
    /// The record's offset.
    pub offset: u64,
}

/// What a poll brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// Records of one span, or a gap that moved its position ([`Batch::next`]).
    Records,
    /// Nothing for now.
    Nothing,
}

/// Why a log did not do as it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogError {
    /// It cannot be reached, or cannot write: worth another try.
    Unavailable(String),
    /// There is no such topic or partition.
    NoTopic {
        /// The topic.
        topic: String,
    },
    /// The offset is not there: expired, or never written.
    OutOfRange {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// The offset asked for.
        offset: u64,
        /// What can be read.
        ends: PartitionEnds,
    },
    /// The appender's session has ended: a record failed, and what was submitted after the last
    /// acknowledged one may have landed, as a prefix, or not.
    SessionEnded(String),
    /// Not allowed.
    Denied(String),
    /// The log's bytes are not what was written.
    Corrupt(String),
    /// Some records' bytes are not what was written; others can be read.
    Damaged {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// The first offset that cannot be read.
        offset: u64,
        /// The first one behind that may be read again, where that is known.
        next: Option<u64>,
        /// What was found.
        why: String,
    },
    /// A record is larger than the log takes.
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The most.
        bytes_max: u64,
    },
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogError::Unavailable(why) => write!(f, "the log cannot be reached: {why}"),
            LogError::NoTopic { topic } => write!(f, "there is no topic {topic}"),
            LogError::OutOfRange { topic, partition, offset, ends } => write!(
                f,
                "offset {offset} of {topic}:{partition} cannot be read: there are {} to {}",
                ends.earliest, ends.stable
            ),
            LogError::SessionEnded(why) => write!(f, "the appending session ended: {why}"),
            LogError::Denied(why) => write!(f, "not allowed: {why}"),
            LogError::Corrupt(why) => write!(f, "the log is damaged: {why}"),
            LogError::Damaged { topic, partition, offset, why, .. } => write!(
                f,
                "the records of {topic}:{partition} from offset {offset} on cannot be read: {why}"
            ),
            LogError::TooLarge { bytes, bytes_max } => {
                write!(f, "a record of {bytes} bytes is larger than the {bytes_max} the log takes")
            }
        }
    }
}

impl std::error::Error for LogError {}

/// What one process at a time does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand<'a> {
    /// Learns and writes. Believing in the lease wrongly is harmless; the terms keep order.
    Run,
    /// Fills a topic from outside. On the embedded log this is a topic's lease whatever the
    /// pipeline; on Kafka each pipeline has its own. Believing in it wrongly doubles records.
    Load {
        /// The topic.
        topic: &'a str,
    },
}

/// A log: topics of partitions of records.
pub trait Log {
    /// Reads spans. Batches of different spans come in any order, a span's own in its order.
    ///
    /// # Errors
    /// When a topic is not there or the log cannot be reached.
    fn reader(&mut self, spans: &[Span]) -> Result<Box<dyn RecordReader>, LogError>;

    /// A session of appends. Records of one route land in the order of their tickets; when one
    /// fails, none after it on any route is acknowledged, and each route has landed a prefix.
    ///
    /// # Errors
    /// When the log cannot be reached.
    fn appender(&mut self) -> Result<Box<dyn Appender>, LogError>;

    /// What a topic is and where it ends, or `None` if there is no such topic.
    ///
    /// # Errors
    /// When the log cannot be reached.
    fn ends(&mut self, topic: &str) -> Result<Option<Ends>, LogError>;

    /// For each partition the first offset whose record has that time or a later one.
    ///
    /// # Errors
    /// When the topic is not there or the log cannot be reached.
    fn offsets_at(&mut self, topic: &str, time: Time) -> Result<Vec<u64>, LogError>;

    /// Makes a topic. Nothing happens when it is there already.
    ///
    /// # Errors
    /// When it is not allowed or the log cannot be reached.
    fn create(&mut self, topic: &str, partitions: u32, policy: Policy) -> Result<(), LogError>;

    /// Asks for the lease of an errand of a pipeline: whoever holds it should do it, others stand
    /// by.
    ///
    /// # Errors
    /// When the log cannot be reached.
    fn lease(&mut self, pipeline: &str, errand: Errand<'_>) -> Result<Box<dyn Lease>, LogError>;
}

/// Reads spans of a log.
pub trait RecordReader {
    /// Replaces what is in the batch by the next records of some span that is not paused. Never
    /// blocks.
    ///
    /// # Errors
    /// [`LogError::OutOfRange`] when a span's next offset is not there, [`LogError::Damaged`] when
    /// its record cannot be read; the position stays, and the other spans can be read on once that
    /// one is paused.
    fn poll(&mut self, into: &mut Batch) -> Result<Polled, LogError>;

    /// Stops or resumes the reading of one span, by its index.
    fn pause(&mut self, span: usize, paused: bool);
}

/// A session of appends.
pub trait Appender {
    /// Looks a partition up.
    ///
    /// # Errors
    /// When it is not there.
    fn route(&mut self, topic: &str, partition: u32) -> Result<Route, LogError>;

    /// Hands a record over. It is copied. What went wrong is said by the next poll.
    fn submit(&mut self, route: Route, record: Outgoing<'_>) -> Ticket;

    /// Sends what was handed over, and takes the acknowledgements that have come, in order for each
    /// route. Never blocks for them.
    ///
    /// # Errors
    /// [`LogError::SessionEnded`] from the first failure on, for ever.
    fn poll(&mut self, settled: &mut Vec<Settled>) -> Result<(), LogError>;
}

/// The lease of an errand.
pub trait Lease {
    /// Whether it is held now, to the best of this process's knowledge. Never blocks.
    fn held(&mut self) -> bool;
}
