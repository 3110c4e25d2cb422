//! What the tests over a real Kafka share.
#![allow(dead_code, clippy::unwrap_used)]

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use alluvium_broker::{Broker, Options};
use alluvium_flow::{Batch, Headers};
use alluvium_kafka::{KafkaLog, Settings};
use alluvium_ledger::log::{Appender, Log, LogError, Outgoing, Polled, RecordReader, Route, Span};
use rdkafka::{
    ClientConfig,
    producer::{BaseProducer, BaseRecord, Producer},
};

/// How long something may take before it is taken for lost, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn broker() -> Broker {
    Broker::start(Options::default()).unwrap()
}

pub(crate) fn log(broker: &Broker) -> KafkaLog {
    KafkaLog::open(&Settings::new(broker.servers(), None)).unwrap()
}

pub(crate) fn span(topic: &str, from: u64, to: Option<u64>) -> Span {
    Span { topic: topic.into(), partition: 0, from, to }
}

/// Calls a closure until it gives something.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A record that was read: offset, time, key, value, headers.
pub(crate) type Read = (u64, i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<u8>);

/// Reads until the position is there; gives the records.
#[track_caller]
pub(crate) fn read_to(reader: &mut dyn RecordReader, position: u64) -> Vec<Read> {
    let (mut batch, mut records, mut next) = (Batch::new(), Vec::new(), 0);
    until("the records", || {
        if reader.poll(&mut batch).unwrap() == Polled::Records {
            next = batch.next;
            records.extend(taken(&batch));
        }
        (next >= position).then_some(())
    });
    assert_eq!(next, position, "the position is what is next");
    records
}

pub(crate) fn taken(batch: &Batch) -> Vec<Read> {
    let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    batch
        .iter()
        .map(|record| {
            let headers = record.headers.bytes().to_vec();
            (record.offset, record.time, owned(record.key), owned(record.value), headers)
        })
        .collect()
}

/// The values of records, as text.
pub(crate) fn values(records: &[Read]) -> Vec<String> {
    let text = |value: &Option<Vec<u8>>| {
        String::from_utf8(value.clone().unwrap_or_default()).expect("text")
    };
    records.iter().map(|(_, _, _, value, _)| text(value)).collect()
}

pub(crate) fn submit(appender: &mut dyn Appender, route: Route, value: &[u8]) -> u64 {
    submit_at(appender, route, 5, value)
}

pub(crate) fn submit_at(appender: &mut dyn Appender, route: Route, time: i64, value: &[u8]) -> u64 {
    let record = Outgoing { time, key: None, value: Some(value), headers: Headers::default() };
    appender.submit(route, record)
}

/// Polls until a ticket is acknowledged.
#[track_caller]
pub(crate) fn settle(appender: &mut dyn Appender, ticket: u64) -> u64 {
    let mut settled = Vec::new();
    until("an acknowledgement", || {
        appender.poll(&mut settled).unwrap();
        settled.iter().find(|one| one.ticket >= ticket).map(|one| one.offset)
    })
}

/// Appends values in a session of its own; gives the last one's offset.
#[track_caller]
pub(crate) fn append(log: &mut KafkaLog, topic: &str, values: &[&str]) -> u64 {
    let mut appender = log.appender().unwrap();
    let route = appender.route(topic, 0).unwrap();
    let last = values.iter().map(|value| submit(&mut *appender, route, value.as_bytes())).last();
    settle(&mut *appender, last.unwrap())
}

/// Asks again until the log can be reached.
#[track_caller]
pub(crate) fn reached<T>(what: &str, mut ask: impl FnMut() -> Result<T, LogError>) -> T {
    until(what, || match ask() {
        Ok(found) => Some(found),
        Err(LogError::Unavailable(_)) => None,
        Err(error) => panic!("{what}: {error}"),
    })
}

/// A producer of somebody else's, with transactions.
pub(crate) fn transactional(broker: &Broker, id: &str) -> Arc<BaseProducer> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", broker.servers())
        .set("transactional.id", id)
        .set("linger.ms", "0")
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    Arc::new(producer)
}

/// Sends values in a transaction, and waits until they are there; does not end it.
pub(crate) fn send_open(producer: &BaseProducer, topic: &str, values: &[&str]) {
    producer.begin_transaction().unwrap();
    for value in values {
        let record: BaseRecord<'_, (), str> =
            BaseRecord::to(topic).partition(0).payload(*value).timestamp(7);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}
