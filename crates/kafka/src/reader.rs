//! Reading: each partition has a queue of its own, which the client fills in the background up to a
//! bound. A paused span is one whose queue is left alone, so that nothing fetched is lost.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use alluvium_flow::Batch;
use alluvium_ledger::log::{LogError, Polled, RecordReader, Span};
use rdkafka::{ClientConfig, error::RDKafkaErrorCode as Code};

use crate::{
    context::{Common, ReadContext},
    failure::Refusal,
    native::{Fetcher, Taken},
    shared::{Shared, Watched},
};

/// A poll stops when it has so many bytes,
const BYTES_ENOUGH: usize = 1 << 20;
/// or so many records.
const RECORDS_ENOUGH: usize = 8192;
/// A batch that cannot be read is read again; after so many times it is said to be damaged.
const TRIES_MAX: u32 = 3;
/// An offset that was out of range is tried again after so long.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// A partition that is silent so long, and not at its end, is looked into.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// A reader of several spans.
pub(crate) struct Reader {
    shared: Arc<Shared>,
    spans: Vec<Reading>,
    /// The clients; several only when several spans lie in one partition. Empty once dropped.
    clients: Vec<Fetcher>,
    /// The span whose turn it is.
    turn: usize,
}

struct Reading {
    topic: Arc<str>,
    partition: u32,
    next: u64,
    to: u64,
    paused: bool,
    /// The client and the number of the partition there; `None`: there is nothing to read.
    place: Option<(usize, usize)>,
    watched: Arc<Watched>,
    /// Nothing is left up to here.
    end_seen: Option<u64>,
    /// When something last came.
    heard: Instant,
    /// How often the next batch could not be read.
    tries: u32,
    refused: Option<(Instant, LogError)>,
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>, spans: &[Span]) -> Result<Reader, LogError> {
        let mut topics = BTreeMap::new();
        for span in spans {
            if !topics.contains_key(&span.topic) {
                let described = shared.asker.describe_known(&span.topic)?;
                let watched = shared.watch(&span.topic, described.id);
                topics.insert(span.topic.clone(), (described.led.len(), watched));
            }
        }
        let mut reader =
            Reader { shared, spans: Vec::with_capacity(spans.len()), clients: Vec::new(), turn: 0 };
        let mut used: BTreeMap<(&str, u32), usize> = BTreeMap::new();
        let bytes = reader.shared.settings.read_ahead_bytes / spans.len().max(1);
        for span in spans {
            let (partitions, watched) = &topics[&span.topic];
            if span.partition as usize >= *partitions {
                return Err(LogError::NoTopic { topic: span.topic.to_string() });
            }
            let to = span.to.unwrap_or(u64::MAX);
            let mut place = None;
            if span.from < to {
                // One client reads a partition once; the next span in it has another client.
                let client = used.entry((&span.topic, span.partition)).or_default();
                let slot = reader.start(*client, span, bytes)?;
                place = Some((*client, slot));
                *client += 1;
            }
            reader.spans.push(Reading {
                topic: span.topic.clone(),
                partition: span.partition,
                next: span.from,
                to,
                paused: false,
                place,
                watched: watched.clone(),
                end_seen: None,
                heard: Instant::now(),
                tries: 0,
                refused: None,
            });
        }
        Ok(reader)
    }

    fn start(&mut self, client: usize, span: &Span, bytes: usize) -> Result<usize, LogError> {
        if client == self.clients.len() {
            let common = Common::new(self.shared.asker.said.clone(), "reader");
            let config = read_config(self.shared.config(), bytes);
            let handle = self.shared.build(&config, ReadContext(common))?;
            self.clients.push(Fetcher::new(handle));
        }
        let started = self.clients[client].start(&span.topic, span.partition, span.from);
        started.map_err(|refusal| {
            let doing = format!("reading {}:{}", span.topic, span.partition);
            self.shared.asker.error(&refusal, &doing)
        })
    }
}

fn read_config(mut config: ClientConfig, bytes: usize) -> ClientConfig {
    config
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "error")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("check.crcs", "true")
        // A second by default, which a reader slower than the broker would wait again and again.
        .set("fetch.queue.backoff.ms", "1")
        // A partition whose queue had been full is not asked for before the request under way,
        // which may be waiting for other partitions, has been answered.
        .set("fetch.wait.max.ms", "50")
        .set("fetch.max.bytes", (16 << 20).to_string())
        .set("queued.max.messages.kbytes", (bytes >> 10).clamp(1 << 10, 1 << 20).to_string())
        .set("queued.min.messages", "1000000");
    config
}

impl RecordReader for Reader {
    fn poll(&mut self, into: &mut Batch) -> Result<Polled, LogError> {
        into.clear();
        let Reader { shared, spans, clients, turn } = self;
        for step in 0..spans.len() {
            let index = (*turn + step) % spans.len();
            let span = &mut spans[index];
            let Some((client, slot)) = span.place.filter(|_| !span.paused) else { continue };
            if span.next >= span.to {
                continue;
            }
            let before = span.next;
            if let Err(error) = span.read(shared, &mut clients[client], slot, into) {
                into.clear();
                *turn = index + 1; // One that cannot be read does not hold up the others.
                return Err(error);
            }
            if span.next > before {
                (into.span, into.next) = (index, span.next);
                *turn = index + 1;
                return Ok(Polled::Records);
            }
        }
        for client in clients {
            client.serve();
        }
        Ok(Polled::Nothing)
    }

    fn pause(&mut self, span: usize, paused: bool) {
        if let Some(span) = self.spans.get_mut(span) {
            span.paused = paused;
            span.heard = Instant::now();
        }
    }
}

impl Reading {
    /// Takes what has come, and moves the position over it.
    fn read(
        &mut self,
        shared: &Shared,
        client: &mut Fetcher,
        slot: usize,
        into: &mut Batch,
    ) -> Result<(), LogError> {
        if self.watched.is_gone() {
            return Err(LogError::NoTopic { topic: self.topic.to_string() });
        }
        if let Some((at, error)) = self.refused.take() {
            if at.elapsed() < RETRY_AFTER {
                self.refused = Some((at, error.clone()));
                return Err(error);
            }
            if let Some(error) = self.out_of_range(shared)? {
                return Err(error);
            }
            self.restart(shared, client, slot)?;
        }
        let (start, mut failure) = (self.next, None);
        while failure.is_none()
            && self.next < self.to
            && into.len() < RECORDS_ENOUGH
            && into.bytes().len() < BYTES_ENOUGH
        {
            let taken = client.take(slot, |taken| {
                if failure.is_none() {
                    failure = self.take(taken, into);
                }
            });
            if taken == 0 {
                break;
            }
            self.heard = Instant::now();
        }
        if self.next > start {
            // What came before the failure is good, and comes first; the client fails again.
            self.tries = 0;
        }
        match failure {
            Some(refusal) if self.next == start || !comes_again(refusal.code) => {
                self.failed(shared, client, slot, &refusal, into)
            }
            _ if self.next == start => self.look_into_silence(shared),
            _ => Ok(()),
        }
    }

    /// Takes one message; returns what went wrong.
    fn take(&mut self, taken: Taken<'_>, into: &mut Batch) -> Option<Refusal> {
        match taken {
            // Below the position: fetched before a restart. Behind the bound: not asked for.
            Taken::Record { offset, .. } if offset < self.next => {}
            Taken::Record { offset, .. } if offset >= self.to => self.next = self.to,
            Taken::Record { offset, time, key, value, headers } => {
                into.push(offset, time, key, value, headers);
                self.next = offset + 1;
            }
            // Markers, aborted and compacted records may lie before it.
            Taken::End(offset) => {
                self.next = self.next.max(offset.min(self.to));
                self.end_seen = Some(offset);
            }
            Taken::Failed(refusal) => return Some(refusal),
        }
        None
    }

    fn failed(
        &mut self,
        shared: &Shared,
        client: &mut Fetcher,
        slot: usize,
        refusal: &Refusal,
        into: &Batch,
    ) -> Result<(), LogError> {
        let place = format!("{}:{}", self.topic, self.partition);
        match refusal.code {
            Code::AutoOffsetReset | Code::OffsetOutOfRange => {
                let error = match self.out_of_range(shared) {
                    Ok(Some(error)) | Err(error) => error,
                    Ok(None) => return self.restart(shared, client, slot),
                };
                match into.is_empty() {
                    true => Err(error),
                    false => Ok(()), // What came before it comes first.
                }
            }
            code if comes_again(code) => {
                self.tries += 1;
                match self.tries < TRIES_MAX {
                    true => Ok(()),
                    false => Err(self.damaged(match refusal.reason.is_empty() {
                        true => code.to_string(),
                        false => refusal.reason.clone(),
                    })),
                }
            }
            _ if refusal.is_no_topic() => Err(LogError::NoTopic { topic: self.topic.to_string() }),
            _ if refusal.is_denial() => {
                Err(shared.asker.error(refusal, &format!("reading {place}")))
            }
            _ => Ok(()), // The client tries again by itself.
        }
    }

    /// Kafka's client does not say where the damaged batch ends.
    fn damaged(&self, why: String) -> LogError {
        let (topic, partition) = (self.topic.to_string(), self.partition);
        LogError::Damaged { topic, partition, offset: self.next, next: None, why }
    }

    /// Whether the position can be read at all, by whoever leads the partition. Remembers it when
    /// it cannot.
    fn out_of_range(&mut self, shared: &Shared) -> Result<Option<LogError>, LogError> {
        let found = shared.asker.ends(&self.topic, &[self.partition]);
        // Asked again after a while, whatever the answer.
        let remember = |error: &LogError| Some((Instant::now(), error.clone()));
        let ends = match found {
            Ok(ends) => ends.first().copied().unwrap_or_default(),
            Err(error) => {
                self.refused = remember(&error);
                return Err(error);
            }
        };
        if (ends.earliest..=ends.stable).contains(&self.next) {
            return Ok(None);
        }
        let (topic, partition) = (self.topic.to_string(), self.partition);
        let error = LogError::OutOfRange { topic, partition, offset: self.next, ends };
        self.refused = remember(&error);
        Ok(Some(error))
    }

    fn restart(
        &mut self,
        shared: &Shared,
        client: &mut Fetcher,
        slot: usize,
    ) -> Result<(), LogError> {
        self.heard = Instant::now();
        let doing = || format!("reading {}:{}", self.topic, self.partition);
        client.restart(slot, self.next).map_err(|refusal| shared.asker.error(&refusal, &doing()))
    }

    /// Some damage makes the client neither go on nor complain. So a partition that is silent for
    /// long, although there are records, is not waited for in silence.
    fn look_into_silence(&mut self, shared: &Shared) -> Result<(), LogError> {
        if self.heard.elapsed() < SILENCE_MAX || self.end_seen.is_some_and(|end| end >= self.next) {
            return Ok(());
        }
        self.heard = Instant::now();
        let Ok(ends) = shared.asker.ends(&self.topic, &[self.partition]) else { return Ok(()) };
        match ends.first() {
            Some(ends) if ends.stable > self.next => Err(LogError::Unavailable(format!(
                "nothing comes of {}:{} from offset {} on, though there are records up to {}: a \
                 batch there may be damaged",
                self.topic, self.partition, self.next, ends.stable
            ))),
            _ => Ok(()),
        }
    }
}

/// Whether the client, asked again, says the same again.
fn comes_again(code: Code) -> bool {
    matches!(
        code,
        Code::BadMessage
            | Code::BadCompression
            | Code::InvalidMessage
            | Code::InvalidMessageSize
            | Code::UnsupportedCompressionType
            | Code::NotImplemented
            | Code::Underflow
            | Code::MessageSizeTooLarge
    )
}

impl Drop for Reader {
    fn drop(&mut self) {
        for client in self.clients.drain(..) {
            self.shared.closing.close(client);
        }
    }
}
