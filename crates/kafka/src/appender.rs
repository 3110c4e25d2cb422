//! Appending: an idempotent producer, many records under way at once, and an end at the first that
//! fails.
//!
//! What keeps the promise that every route lands a prefix: the client keeps the order of a
//! partition across its own retries (`enable.idempotence`), gives up for good rather than leave a
//! record out (`enable.gapless.guarantee`), and never gives one up for its age
//! (`message.timeout.ms=0`): when to give up is decided here, for the whole session, by throwing
//! away all that was not sent.
//!
//! A known limit: brokers that start anew forget a producer whose newest record is, by its own
//! timestamp, older than `producer.id.expiration.ms`, a day. So records with timestamps of the past
//! may land twice, as a run, when a broker dies while they are under way: in 5 of 7 tests with
//! timestamps of 1970, and in none of 7 with those of the clock, which is what a keeper appends.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use alluvium_flow::Headers;
use alluvium_ledger::log::{Appender, LogError, Outgoing, Route, Settled, Ticket};
use rdkafka::{
    ClientConfig,
    error::RDKafkaErrorCode as Code,
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer, PurgeConfig},
};

use crate::{
    context::{AppendContext, Common, Delivered},
    failure::Refusal,
    shared::{Shared, Watched},
};

/// A mark holds a route above and a ticket below.
const TICKET_BITS: u32 = 48;
/// When so many bytes wait for room in the client, a poll waits for it a little.
const WAITING_BYTES_MAX: usize = 16 << 20;
/// How long that is.
const BACK_PRESSURE: Duration = Duration::from_millis(20);
/// How many of the client's events one poll takes.
const EVENTS_MAX: usize = 256;
/// A trouble as old as this may still be why nothing is acknowledged.
const TROUBLE_AGE_MAX: Duration = Duration::from_secs(60);

/// A session of appends.
pub(crate) struct Session {
    shared: Arc<Shared>,
    /// `None` once the session has ended.
    producer: Option<BaseProducer<AppendContext>>,
    routes: Vec<Way>,
    /// How many partitions the topics asked for have, and whether they are still the same topics.
    topics: BTreeMap<String, (usize, Arc<Watched>)>,
    next_ticket: Ticket,
    /// Records that the client had no room for.
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    /// How many records the client has.
    in_flight: u64,
    /// When something was last acknowledged, or nothing was in flight.
    moved: Instant,
    delivered: Vec<Delivered>,
    ended: Option<LogError>,
}

struct Way {
    topic: Arc<str>,
    partition: i32,
    /// The newest acknowledgement of this poll.
    newest: Option<(Ticket, u64)>,
}

/// A record that waits for room.
struct Waiting {
    ticket: Ticket,
    route: Route,
    time: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<u8>,
}

impl Session {
    pub(crate) fn new(shared: Arc<Shared>) -> Result<Session, LogError> {
        let common = Common::new(shared.asker.said.clone(), "appender");
        let mut config = append_config(shared.config());
        for (key, value) in &shared.asker.properties.values {
            if key.starts_with("compression.") {
                config.set(*key, value);
            }
        }
        let producer = shared.build(&config, AppendContext::new(common))?;
        Ok(Session {
            shared,
            producer: Some(producer),
            routes: Vec::new(),
            topics: BTreeMap::new(),
            next_ticket: 0,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            in_flight: 0,
            moved: Instant::now(),
            delivered: Vec::new(),
            ended: None,
        })
    }

    fn end(&mut self, error: LogError) {
        self.ended.get_or_insert(error);
        self.waiting.clear();
        self.waiting_bytes = 0;
        if let Some(producer) = self.producer.take() {
            // Nothing that was not sent lands later. What was sent lands in order, or not.
            producer.purge(PurgeConfig::default().queue().inflight());
            self.shared.closing.close(producer);
        }
    }

    fn end_for(&mut self, refusal: &Refusal, doing: &str) {
        let sentence = refusal.sentence(doing, self.shared.asker.properties.servers());
        // What is not allowed is no better in another session.
        self.end(match refusal.is_denial() {
            true => LogError::Denied(sentence),
            false => LogError::SessionEnded(sentence),
        });
    }

    /// Hands a record to the client. Gives `false` when there is no room.
    fn send(&mut self, ticket: Ticket, route: Route, record: &Outgoing<'_>) -> bool {
        let Some(way) = self.routes.get(route.0 as usize) else {
            self.end(LogError::SessionEnded(format!("there is no route {}", route.0)));
            return true;
        };
        let Some(producer) = &self.producer else { return true };
        let mark = (route.0 as usize) << TICKET_BITS | ticket as usize;
        let mut outgoing = BaseRecord::with_opaque_to(&way.topic, mark)
            .partition(way.partition)
            // The client takes 0 for now: the first millisecond of 1970 becomes the second.
            .timestamp(if record.time == 0 { 1 } else { record.time });
        outgoing.key = record.key;
        outgoing.payload = record.value;
        outgoing.headers = owned(record.headers);
        match producer.send(outgoing).map_err(|(error, _)| error) {
            Ok(()) => {
                if self.in_flight == 0 {
                    self.moved = Instant::now();
                }
                self.in_flight += 1;
                true
            }
            Err(error) if error.rdkafka_error_code() == Some(Code::QueueFull) => false,
            Err(error) => {
                let doing = format!("appending to {}:{}", way.topic, way.partition);
                self.end_for(&Refusal::of(&error), &doing);
                true
            }
        }
    }

    /// Hands over what waited for room.
    fn send_waiting(&mut self) {
        while let Some(first) = self.waiting.pop_front() {
            let record = Outgoing {
                time: first.time,
                key: first.key.as_deref(),
                value: first.value.as_deref(),
                headers: Headers::new(&first.headers),
            };
            if !self.send(first.ticket, first.route, &record) {
                self.waiting.push_front(first);
                return;
            }
            self.waiting_bytes = self.waiting_bytes.saturating_sub(first.bytes());
        }
    }

    /// Has the client say what became of records.
    fn serve(&mut self) {
        let Some(producer) = &self.producer else { return };
        let mut silent = 0;
        for _ in 0..EVENTS_MAX {
            let before = producer.context().delivered();
            let is_full = self.waiting_bytes > WAITING_BYTES_MAX && before == 0;
            producer.poll(if is_full { BACK_PRESSURE } else { Duration::ZERO });
            // A poll may have taken a line of the client's log instead.
            silent = if producer.context().delivered() > before { 0 } else { silent + 1 };
            if silent == 2 {
                break;
            }
        }
        producer.context().swap_delivered(&mut self.delivered);
    }

    /// Takes acknowledgements up to the first failure.
    fn settle(&mut self, settled: &mut Vec<Settled>) {
        let mut delivered = std::mem::take(&mut self.delivered);
        let mut failure = None;
        for one in delivered.drain(..) {
            let (route, ticket) = (one.mark >> TICKET_BITS, one.mark & ((1 << TICKET_BITS) - 1));
            let Some(way) = self.routes.get_mut(route) else { continue };
            match one.offset {
                Ok(offset) => way.newest = Some((ticket as Ticket, offset)),
                Err(code) => {
                    failure = Some((route, code));
                    break;
                }
            }
            self.in_flight -= 1;
            self.moved = Instant::now();
        }
        delivered.clear();
        self.delivered = delivered;
        for (index, way) in self.routes.iter_mut().enumerate() {
            if let Some((ticket, offset)) = way.newest.take() {
                settled.push(Settled { route: Route(index as u32), ticket, offset });
            }
        }
        if let Some((route, code)) = failure {
            let way = &self.routes[route];
            let doing = format!("appending to {}:{}", way.topic, way.partition);
            self.end_for(&self.why(code), &doing);
        }
    }

    /// What is behind a code: the client says of all others that an error was fatal.
    fn why(&self, code: Code) -> Refusal {
        let fatal = self.producer.as_ref().and_then(|producer| producer.client().fatal_error());
        match fatal {
            Some((cause, reason)) if matches!(code, Code::Fatal | Code::PurgeQueue) => {
                behind(cause, reason)
            }
            _ => Refusal { code, reason: String::new() },
        }
    }

    /// Ends a session that goes nowhere.
    fn check(&mut self) {
        let Some(producer) = &self.producer else { return };
        if let Some((code, reason)) = producer.client().fatal_error() {
            let doing = match place_in(&reason) {
                Some(place) => format!("appending to {place}"),
                // Whoever may write nowhere is turned away before anything is sent.
                None if code == Code::ClusterAuthorizationFailed => {
                    "appending, for which this user has to be allowed to write to a topic".into()
                }
                None => "appending".to_owned(),
            };
            return self.end_for(&behind(code, reason), &doing);
        }
        if let Some((topic, _)) = self.topics.iter().find(|(_, (_, watched))| watched.is_gone()) {
            let why = format!("topic `{topic}` was deleted, or made again");
            return self.end(LogError::SessionEnded(why));
        }
        if self.in_flight == 0 {
            return;
        }
        let common = &producer.context().common;
        if let Some(refusal) = common.turned_away_since(self.moved) {
            return self.end_for(&refusal, "appending");
        }
        let patience = self.shared.settings.append_timeout;
        if self.moved.elapsed() > patience {
            let silence = Refusal { code: Code::OperationTimedOut, reason: String::new() };
            let why = common.trouble(TROUBLE_AGE_MAX).unwrap_or(silence);
            let doing = format!("appending, for {} s without success", patience.as_secs());
            self.end_for(&why, &doing);
        }
    }
}

/// A fatal error, by what is behind it: of one that would have left a gap, why it would have.
fn behind(code: Code, reason: String) -> Refusal {
    match reason.contains("Topic authorization failed") {
        true => Refusal { code: Code::TopicAuthorizationFailed, reason: String::new() },
        false => Refusal { code, reason },
    }
}

/// Where a fatal error says that it happened: `ProduceRequest for TOPIC [PARTITION] with ...`.
fn place_in(reason: &str) -> Option<String> {
    let (_, rest) = reason.split_once("ProduceRequest for ")?;
    let (topic, rest) = rest.split_once(" [")?;
    let (partition, _) = rest.split_once(']')?;
    Some(format!("{topic}:{partition}"))
}

fn append_config(mut config: ClientConfig) -> ClientConfig {
    config
        .set("enable.idempotence", "true")
        .set("enable.gapless.guarantee", "true")
        .set("acks", "all")
        .set("message.timeout.ms", "0")
        .set("linger.ms", "1")
        // A batch must fit into what the topic takes at once, which may be less than the usual MiB.
        .set("batch.size", "262144")
        // What is too large is for the broker to say, which knows the topic's own limit.
        .set("message.max.bytes", "100000000")
        .set("queue.buffering.max.messages", "200000")
        .set("queue.buffering.max.kbytes", "65536")
        .set("compression.codec", "zstd")
        .set("compression.level", "1");
    config
}

/// Headers as the client takes them.
fn owned(headers: Headers<'_>) -> Option<OwnedHeaders> {
    if headers.bytes().is_empty() {
        return None;
    }
    let mut owned = OwnedHeaders::new_with_capacity(1);
    for (name, value) in headers {
        let name = String::from_utf8_lossy(name);
        owned = owned.insert(Header { key: &name, value: Some(value) });
    }
    Some(owned)
}

impl Waiting {
    fn new(ticket: Ticket, route: Route, record: &Outgoing<'_>) -> Waiting {
        Waiting {
            ticket,
            route,
            time: record.time,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record.headers.bytes().to_vec(),
        }
    }

    /// What it takes, so that many empty ones count as well.
    fn bytes(&self) -> usize {
        let length = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len);
        length(&self.key) + length(&self.value) + self.headers.len() + size_of::<Waiting>()
    }
}

impl Appender for Session {
    fn route(&mut self, topic: &str, partition: u32) -> Result<Route, LogError> {
        let known = |way: &Way| &*way.topic == topic && way.partition as u32 == partition;
        if let Some(index) = self.routes.iter().position(known) {
            return Ok(Route(index as u32));
        }
        let partitions = match self.topics.get(topic) {
            Some((partitions, _)) => *partitions,
            None => {
                let found = self.shared.asker.describe_known(topic)?;
                let watched = self.shared.watch(topic, found.id);
                self.topics.insert(topic.to_owned(), (found.led.len(), watched));
                found.led.len()
            }
        };
        if partition as usize >= partitions {
            // It may have been added since: it is looked up again next time.
            self.topics.remove(topic);
            return Err(LogError::NoTopic { topic: topic.to_owned() });
        }
        if self.routes.len() >= 1 << (usize::BITS - TICKET_BITS) {
            let why = "an appender has 65,536 routes at most";
            return Err(LogError::Unavailable(why.to_owned()));
        }
        self.routes.push(Way { topic: topic.into(), partition: partition as i32, newest: None });
        Ok(Route(self.routes.len() as u32 - 1))
    }

    fn submit(&mut self, route: Route, record: Outgoing<'_>) -> Ticket {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        if self.ended.is_some() {
            return ticket;
        }
        if !self.waiting.is_empty() || !self.send(ticket, route, &record) {
            let waiting = Waiting::new(ticket, route, &record);
            self.waiting_bytes += waiting.bytes();
            self.waiting.push_back(waiting);
        }
        ticket
    }

    /// One entry for each route, with the newest ticket. Waits a little when 16 MiB wait for room
    /// in the client: a caller that polls often enough is slowed down, and memory is bounded.
    fn poll(&mut self, settled: &mut Vec<Settled>) -> Result<(), LogError> {
        if self.ended.is_none() {
            self.serve();
            self.settle(settled);
            self.send_waiting();
            self.check();
        }
        match &self.ended {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end(LogError::SessionEnded("the session is over".to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_a_fatal_error_is_told() {
        let said = "127.0.0.1:21585: ProduceRequest for p.predictions [7] with 60 message(s) \
                    failed: Broker: Topic authorization failed (broker 1 PID{Id:13,Epoch:0}, base \
                    seq 0): unable to satisfy gap-less guarantee";
        assert_eq!(place_in(said).as_deref(), Some("p.predictions:7"));
        let refusal = behind(Code::GaplessGuarantee, said.to_owned());
        assert!(refusal.is_denial(), "{refusal:?}");
        let other = behind(Code::Fatal, "something else".to_owned());
        assert_eq!((other.code, &*other.reason), (Code::Fatal, "something else"));
        assert_eq!(place_in("something else"), None);
    }
}
