//! What others have written, and what became of it, read from a real Kafka.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    fs::OpenOptions,
    io::{Seek, SeekFrom, Write},
};

use alluvium_flow::{Batch, Headers};
use alluvium_ledger::log::{Log, LogError, Outgoing, PartitionEnds, Policy, Polled};
use common::{PATIENCE, append, log, read_to, send_open, settle, span, submit, until, values};
use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer},
};

const KEEP: Policy = Policy::Delete { retention_ms: None };
const CONFIGS: &str = "kafka.admin.ConfigCommand";
const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";

/// One broker for all of these: each takes seconds to start.
#[test]
fn what_others_have_written_is_read() {
    let mut broker = common::broker();
    transactions_are_honoured(&broker);
    timestamps_of_both_types_are_read(&broker);
    foreign_records_are_read_as_they_are(&broker);
    deleted_records_are_out_of_range(&broker);
    a_topic_made_again_is_another(&broker);
    a_record_that_fails_ends_the_session(&broker);
    topics_are_made_as_asked(&broker);
    a_damaged_batch_is_named(&mut broker);
}

fn transactions_are_honoured(broker: &alluvium_broker::Broker) {
    let mut log = log(broker);
    log.create("txn", 1, KEEP).unwrap();
    let producer = common::transactional(broker, "somebody");
    send_open(&producer, "txn", &["a", "b"]);
    producer.commit_transaction(PATIENCE).unwrap();
    send_open(&producer, "txn", &["aborted", "too"]);
    producer.abort_transaction(PATIENCE).unwrap();
    append(&mut log, "txn", &["plain"]);
    send_open(&producer, "txn", &["c"]);
    producer.commit_transaction(PATIENCE).unwrap();
    // a b marker aborted too marker plain c marker: nine offsets, of which the last is a marker.
    let ends = log.ends("txn").unwrap().unwrap();
    assert_eq!(ends.partitions, [PartitionEnds { earliest: 0, stable: 9 }]);
    let mut live = log.reader(&[span("txn", 0, None)]).unwrap();
    let records = read_to(&mut *live, 9);
    assert_eq!(values(&records), ["a", "b", "plain", "c"]);
    assert_eq!(records.iter().map(|record| record.0).collect::<Vec<u64>>(), [0, 1, 6, 7]);
    // A span ends before its bound, wherever that lies.
    for to in 1..=9 {
        let mut bounded = log.reader(&[span("txn", 0, Some(to))]).unwrap();
        let expected: Vec<u64> = [0, 1, 6, 7].into_iter().filter(|offset| *offset < to).collect();
        let read = read_to(&mut *bounded, to);
        assert_eq!(read.iter().map(|record| record.0).collect::<Vec<u64>>(), expected, "to {to}");
    }
    // Nothing but a marker, and nothing but aborted records and their marker.
    assert_eq!(read_to(&mut *log.reader(&[span("txn", 8, Some(9))]).unwrap(), 9), []);
    assert_eq!(read_to(&mut *log.reader(&[span("txn", 3, Some(6))]).unwrap(), 6), []);

    // What is not decided yet is not there, nor is what lies behind it.
    send_open(&producer, "txn", &["open"]);
    append(&mut log, "txn", &["behind"]);
    assert_eq!(log.ends("txn").unwrap().unwrap().partitions[0].stable, 9);
    let mut batch = Batch::new();
    for _ in 0..300 {
        assert_eq!(live.poll(&mut batch), Ok(Polled::Nothing), "nothing is stable");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    producer.abort_transaction(PATIENCE).unwrap();
    assert_eq!(values(&read_to(&mut *live, 12)), ["behind"]);
    assert_eq!(log.ends("txn").unwrap().unwrap().partitions[0].stable, 12);
}

fn timestamps_of_both_types_are_read(broker: &alluvium_broker::Broker) {
    let mut log = log(broker);
    broker.create_topic("given", 1, &[]).unwrap();
    broker.create_topic("stamped", 1, &[("message.timestamp.type", "LogAppendTime")]).unwrap();
    for topic in ["given", "stamped"] {
        append(&mut log, topic, &["x"]);
        let read = read_to(&mut *log.reader(&[span(topic, 0, None)]).unwrap(), 1);
        let (_, time, ..) = read[0];
        match topic {
            "given" => assert_eq!(time, 5),
            _ => assert!(time > 1_600_000_000_000, "the broker's clock, not {time}"),
        }
    }
}

fn foreign_records_are_read_as_they_are(broker: &alluvium_broker::Broker) {
    let mut log = log(broker);
    log.create("foreign", 1, KEEP).unwrap();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", broker.servers())
            .set("compression.codec", codec)
            .create()
            .unwrap();
        let headers = OwnedHeaders::new()
            .insert(Header { key: "null", value: None::<&str> })
            .insert(Header { key: "", value: Some("empty name") })
            .insert(Header { key: "null", value: Some("again") });
        let record: BaseRecord<'_, str, str> = BaseRecord::to("foreign")
            .partition(0)
            .key("k")
            .payload(codec)
            .timestamp(9)
            .headers(headers);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(PATIENCE).unwrap();
    }
    let mut expected = Vec::new();
    Headers::encode(&mut expected, "null", b"");
    Headers::encode(&mut expected, "", b"empty name");
    Headers::encode(&mut expected, "null", b"again");
    let read = read_to(&mut *log.reader(&[span("foreign", 0, None)]).unwrap(), 5);
    assert_eq!(values(&read), ["none", "gzip", "snappy", "lz4", "zstd"]);
    for (_, time, key, _, headers) in read {
        assert_eq!((time, key.as_deref(), headers), (9, Some(&b"k"[..]), expected.clone()));
    }
}

fn deleted_records_are_out_of_range(broker: &alluvium_broker::Broker) {
    let mut log = log(broker);
    log.create("expired", 1, KEEP).unwrap();
    append(&mut log, "expired", &["0", "1", "2", "3", "4"]);
    let wanted = r#"{"version":1,"partitions":[{"topic":"expired","partition":0,"offset":3}]}"#;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), wanted).unwrap();
    let path = file.path().display().to_string();
    let delete = "org.apache.kafka.tools.DeleteRecordsCommand";
    broker.call(delete, &["--offset-json-file", &path], "").unwrap();
    let ends = PartitionEnds { earliest: 3, stable: 5 };
    assert_eq!(log.ends("expired").unwrap().unwrap().partitions, [ends]);
    let mut reader = log.reader(&[span("expired", 1, None)]).unwrap();
    let expected = LogError::OutOfRange { topic: "expired".into(), partition: 0, offset: 1, ends };
    let mut batch = Batch::new();
    for _ in 0..3 {
        let error = until("the error", || reader.poll(&mut batch).err());
        assert_eq!(error, expected);
    }
    assert_eq!(
        values(&read_to(&mut *log.reader(&[span("expired", 3, None)]).unwrap(), 5)),
        ["3", "4"]
    );
}

fn a_topic_made_again_is_another(broker: &alluvium_broker::Broker) {
    let mut log = log(broker);
    log.create("again", 1, KEEP).unwrap();
    append(&mut log, "again", &["old"]);
    let first = log.ends("again").unwrap().unwrap();
    let mut reader = log.reader(&[span("again", 0, None)]).unwrap();
    assert_eq!(values(&read_to(&mut *reader, 1)), ["old"]);
    let mut appender = log.appender().unwrap();
    let route = appender.route("again", 0).unwrap();
    broker.call(TOPICS, &["--delete", "--topic", "again"], "").unwrap();
    until("the topic to go", || log.ends("again").unwrap().is_none().then_some(()));
    assert!(matches!(log.offsets_at("again", 0), Err(LogError::NoTopic { .. })));
    log.create("again", 1, KEEP).unwrap();
    append(&mut log, "again", &["new", "newer"]);
    let second = log.ends("again").unwrap().unwrap();
    assert_ne!(second.id, first.id);
    let mut batch = Batch::new();
    let error = until("the reader to notice", || reader.poll(&mut batch).err());
    assert_eq!(error, LogError::NoTopic { topic: "again".into() });
    assert_eq!(reader.poll(&mut batch), Err(error), "and it stays so");
    let ended = until("the appender to notice", || appender.poll(&mut Vec::new()).err());
    assert!(matches!(&ended, LogError::SessionEnded(why) if why.contains("again")), "{ended}");
    submit(&mut *appender, route, b"stray");
    assert_eq!(log.ends("again").unwrap().unwrap().partitions[0].stable, 2);
}

fn a_record_that_fails_ends_the_session(broker: &alluvium_broker::Broker) {
    let mut log = log(broker);
    broker.create_topic("small", 2, &[("max.message.bytes", "300000")]).unwrap();
    let mut appender = log.appender().unwrap();
    let (bad, good) = (appender.route("small", 0).unwrap(), appender.route("small", 1).unwrap());
    // What no codec makes smaller.
    let mut state = 1_u64;
    let noise: Vec<u8> = (0..400_000)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect();
    for n in 0..500_u32 {
        submit(&mut *appender, good, &n.to_le_bytes());
        match n {
            250 => submit(&mut *appender, bad, &noise),
            _ => submit(&mut *appender, bad, &n.to_le_bytes()),
        };
    }
    let mut settled = Vec::new();
    let error = until("the end of the session", || appender.poll(&mut settled).err());
    assert!(matches!(&error, LogError::SessionEnded(why) if why.contains("small")), "{error}");
    let known = settled.len();
    submit(&mut *appender, good, b"more");
    assert_eq!(appender.poll(&mut settled), Err(error), "for ever");
    assert_eq!(settled.len(), known, "nothing is acknowledged any more");
    drop(appender);
    for partition in [0, 1] {
        let stable = log.ends("small").unwrap().unwrap().partitions[partition].stable;
        let span = alluvium_ledger::log::Span {
            partition: partition as u32,
            ..span("small", 0, Some(stable))
        };
        let read = if stable == 0 {
            Vec::new()
        } else {
            read_to(&mut *log.reader(&[span]).unwrap(), stable)
        };
        for (n, (_, _, _, value, _)) in read.iter().enumerate() {
            assert_eq!(value.as_deref(), Some(&(n as u32).to_le_bytes()[..]), "a prefix landed");
        }
        if partition == 0 {
            assert!(read.len() <= 250, "nothing behind what failed: {}", read.len());
        }
        let route = [bad, good][partition];
        if let Some(last) = settled.iter().rev().find(|one| one.route == route) {
            assert!(last.offset < stable, "what was acknowledged is there");
        }
    }
    // Another session goes on.
    append(&mut log, "small", &["next"]);
}

fn topics_are_made_as_asked(broker: &alluvium_broker::Broker) {
    let mut log = log(broker);
    assert_eq!(log.topic_settings("made"), Ok(None));
    assert_eq!(log.may_create("made", 2), Ok(()));
    assert_eq!(log.ends("made"), Ok(None), "asking makes nothing");
    let week = Policy::Delete { retention_ms: Some(604_800_000) };
    log.create("made", 2, week).unwrap();
    let found = log.topic_settings("made").unwrap().unwrap();
    assert_eq!((found.policy, &*found.compression), (week, "zstd"));
    assert_eq!(&*found.timestamps, "CreateTime");
    broker
        .call(CONFIGS, &["--alter", "--topic", "made", "--add-config", "retention.ms=-1"], "")
        .unwrap();
    until("the new retention", || {
        (log.ends("made").unwrap().unwrap().policy == KEEP).then_some(())
    });
    assert!(log.create("a name with spaces", 1, KEEP).is_err());
    assert_eq!(log.ends("a name with spaces"), Ok(None));
    assert_eq!(log.may_create("made", 2), Ok(()), "it is there");
}

/// A byte of a batch is flipped on the broker's disk.
fn a_damaged_batch_is_named(broker: &mut alluvium_broker::Broker) {
    let mut log = log(broker);
    log.create("damaged", 1, KEEP).unwrap();
    append(&mut log, "damaged", &["good"]);
    append(&mut log, "damaged", &["bad"]);
    append(&mut log, "damaged", &["behind"]);
    let said = broker
        .call(
            "org.apache.kafka.tools.LogDirsCommand",
            &["--describe", "--topic-list", "damaged"],
            "",
        )
        .unwrap();
    let folder =
        said.split("\"logDir\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    broker.stop(1).unwrap();
    let path = format!("{folder}/damaged-0/00000000000000000000.log");
    let bytes = std::fs::read(&path).unwrap();
    // Three batches of one record: 12 bytes of head, then as many as the head says.
    let length = u32::from_be_bytes(bytes[8..12].try_into().unwrap()) as usize;
    let second = 12 + length;
    let length = u32::from_be_bytes(bytes[second + 8..second + 12].try_into().unwrap()) as usize;
    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start((second + 12 + length - 2) as u64)).unwrap();
    file.write_all(&[bytes[second + 12 + length - 2] ^ 1]).unwrap();
    broker.start_node(1).unwrap();

    let mut reader = common::reached("a reader", || log.reader(&[span("damaged", 0, None)]));
    let (mut batch, mut read) = (Batch::new(), Vec::new());
    let error = until("the damage", || match reader.poll(&mut batch) {
        Ok(Polled::Records) => {
            read.extend(common::taken(&batch));
            None
        }
        Ok(Polled::Nothing) => None,
        Err(error) => Some(error),
    });
    assert_eq!(values(&read), ["good"]);
    let LogError::Damaged { topic, partition: 0, offset: 1, next: None, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(topic, "damaged");
    // Whoever steps over it reads on.
    let behind = read_to(&mut *log.reader(&[span("damaged", 2, None)]).unwrap(), 3);
    assert_eq!(values(&behind), ["behind"]);
}

#[test]
fn an_append_without_a_key_to_a_compacted_topic_ends_the_session() {
    let broker = common::broker();
    let mut log = log(&broker);
    log.create("compacted", 1, Policy::Compact).unwrap();
    let mut appender = log.appender().unwrap();
    let route = appender.route("compacted", 0).unwrap();
    let keyed =
        Outgoing { time: 1, key: Some(b"k"), value: Some(b"v"), headers: Headers::default() };
    let ticket = appender.submit(route, keyed);
    assert_eq!(settle(&mut *appender, ticket), 0);
    submit(&mut *appender, route, b"no key");
    let error = until("the end", || appender.poll(&mut Vec::new()).err());
    assert!(matches!(error, LogError::SessionEnded(_)), "{error}");
}
