//! How fast the log on Kafka is here: appends, reads, and what it costs to open things.
//!
//! `cargo run --release -p alluvium-kafka --example log_speed [RECORDS] [SERVERS]`; without servers
//! a broker is started for it.
#![allow(clippy::print_stdout)]

use std::{env, error::Error, thread, time::Duration, time::Instant};

use alluvium_broker::{Broker, Options};
use alluvium_flow::{Batch, Headers};
use alluvium_kafka::{KafkaLog, Settings};
use alluvium_ledger::log::{Log, LogError, Outgoing, Policy, Polled, Span};

/// Bytes of a record's value.
const VALUE_BYTES: usize = 190;
/// Records handed over between two polls.
const RECORDS_A_POLL: u64 = 1_000;
/// How often something is opened.
const OPENINGS: u32 = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let records: u64 = arguments.next().map_or(Ok(2_000_000), |number| number.parse())?;
    let (broker, servers) = match arguments.next() {
        Some(servers) => (None, servers),
        None => {
            let broker = Broker::start(Options::default())?;
            let servers = broker.servers();
            (Some(broker), servers)
        }
    };
    let mut log = KafkaLog::open(&Settings::new(servers, None))?;
    for (topic, with_headers) in [("speed.plain", false), ("speed.headers", true)] {
        log.create(topic, 1, Policy::Delete { retention_ms: None })?;
        append(&mut log, topic, records, with_headers)?;
        for round in ["first", "second"] {
            read(&mut log, topic, round)?;
        }
    }
    openings(&mut log, "speed.plain")?;
    drop(log);
    drop(broker);
    Ok(())
}

fn print(what: &str, records: u64, start: Instant, cpu: f64) {
    let (seconds, million) = (start.elapsed().as_secs_f64(), records as f64 / 1e6);
    println!(
        "{what:<24} {:>7.2} M records/s {:>7.2} CPU s a million",
        million / seconds,
        (cpu_seconds() - cpu) / million
    );
}

/// CPU seconds of this process so far; zero where the system does not say.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split(' ').collect();
    let ticks = |index: usize| fields.get(index).and_then(|f| f.parse::<f64>().ok());
    ticks(12).zip(ticks(13)).map_or(0.0, |(user, system)| (user + system) / 100.0)
}

fn append(
    log: &mut KafkaLog,
    topic: &str,
    records: u64,
    with_headers: bool,
) -> Result<(), Box<dyn Error>> {
    let mut appender = log.appender()?;
    let route = appender.route(topic, 0)?;
    let mut value = [b'7'; VALUE_BYTES];
    let (mut settled, mut headers, mut last) = (Vec::new(), Vec::new(), 0);
    let (start, cpu) = (Instant::now(), cpu_seconds());
    if with_headers {
        Headers::encode(&mut headers, "order", b"123456.0.789");
    }
    for n in 0..records {
        value[..8].copy_from_slice(&n.to_le_bytes());
        let headers = Headers::new(&headers);
        let record = Outgoing { time: 1 + n as i64, key: None, value: Some(&value), headers };
        last = appender.submit(route, record);
        if n % RECORDS_A_POLL == 0 {
            appender.poll(&mut settled)?;
        }
    }
    while settled.last().is_none_or(|one| one.ticket < last) {
        settled.clear();
        appender.poll(&mut settled)?;
        thread::sleep(Duration::from_micros(200));
    }
    print(&format!("append {topic}"), records, start, cpu);
    Ok(())
}

fn read(log: &mut KafkaLog, topic: &str, round: &str) -> Result<(), Box<dyn Error>> {
    let ends = log.ends(topic)?.ok_or(LogError::NoTopic { topic: topic.to_owned() })?;
    let (from, to) = (ends.partitions[0].earliest, ends.partitions[0].stable);
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let mut reader =
        log.reader(&[Span { topic: topic.into(), partition: 0, from, to: Some(to) }])?;
    let (mut batch, mut next, mut records) = (Batch::new(), from, 0);
    while next < to {
        match reader.poll(&mut batch)? {
            Polled::Records => {
                records += batch.len() as u64;
                next = batch.next;
            }
            Polled::Nothing => thread::sleep(Duration::from_micros(200)),
        }
    }
    print(&format!("read {topic}, {round}"), records, start, cpu);
    Ok(())
}

fn openings(log: &mut KafkaLog, topic: &str) -> Result<(), Box<dyn Error>> {
    let mut each = |what: &str, work: &mut dyn FnMut(&mut KafkaLog) -> Result<(), LogError>| {
        let start = Instant::now();
        for _ in 0..OPENINGS {
            work(log)?;
        }
        let each = start.elapsed().as_secs_f64() * 1000.0 / f64::from(OPENINGS);
        println!("{what:<24} {each:>7.2} ms");
        Ok::<(), LogError>(())
    };
    each("ends", &mut |log| log.ends(topic).map(|_| ()))?;
    each("a record, read anew", &mut |log| {
        let span = Span { topic: topic.into(), partition: 0, from: 5, to: Some(6) };
        let (mut reader, mut batch) = (log.reader(&[span])?, Batch::new());
        while reader.poll(&mut batch)? == Polled::Nothing {
            thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    })?;
    each("a record, appended anew", &mut |log| {
        let (mut appender, mut settled) = (log.appender()?, Vec::new());
        let route = appender.route(topic, 0)?;
        let headers = Headers::default();
        appender.submit(route, Outgoing { time: 1, key: None, value: Some(b"x"), headers });
        while settled.is_empty() {
            appender.poll(&mut settled)?;
            thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    })?;
    Ok(())
}
