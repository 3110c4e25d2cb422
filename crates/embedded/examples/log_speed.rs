//! How fast the log is on this machine: appends with commits as they come, then a raw read.
//!
//! `cargo run --release -p alluvium-embedded --example log_speed [DIRECTORY] [RECORDS]`; the
//! directory should be an empty one on the disk in question.
#![allow(clippy::print_stdout)]

use std::{env, error::Error, thread, time::Instant};

use alluvium_embedded::Embedded;
use alluvium_flow::{Batch, Headers};
use alluvium_ledger::log::{Log, Outgoing, Policy, Polled, Span};

/// Bytes of a record's value.
const VALUE_BYTES: usize = 190;
/// Records handed over between two polls.
const RECORDS_A_POLL: u64 = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let directory = arguments.next().unwrap_or_else(|| "log_speed.tmp".to_owned());
    let records: u64 = arguments.next().map_or(Ok(2_000_000), |number| number.parse())?;
    let mut log = Embedded::open(&directory)?;
    for (topic, with_headers) in [("plain", false), ("headers", true)] {
        log.create(topic, 1, Policy::Delete { retention_ms: None })?;
        append(&mut log, topic, records, with_headers)?;
        for round in ["first", "second"] {
            read(&mut log, topic, round)?;
        }
    }
    println!("{:>10} MB in {directory}", log.file_bytes()? / 1_000_000);
    one_by_one(&mut log)
}

fn print(what: &str, records: u64, bytes: u64, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    let (million, mega) = (records as f64 / seconds / 1e6, bytes as f64 / seconds / 1e6);
    println!("{what:<24} {million:>7.2} M records/s {mega:>8.0} MB/s {seconds:>7.2} s");
}

fn append(
    log: &mut Embedded,
    topic: &str,
    records: u64,
    with_headers: bool,
) -> Result<(), Box<dyn Error>> {
    let mut appender = log.appender()?;
    let route = appender.route(topic, 0)?;
    let mut value = [b'7'; VALUE_BYTES];
    let (mut settled, mut headers, mut last, mut commits) = (Vec::new(), Vec::new(), 0, 0);
    let start = Instant::now();
    for n in 0..records {
        value[..8].copy_from_slice(&n.to_le_bytes());
        headers.clear();
        if with_headers {
            Headers::encode(&mut headers, "key", &value[..12]);
            Headers::encode(&mut headers, "at", b"payments:3:123456");
            Headers::encode(&mut headers, "model", b"tree@12");
        }
        let headers = Headers::new(&headers);
        let record = Outgoing { time: n as i64, key: None, value: Some(&value), headers };
        last = appender.submit(route, record);
        if n % RECORDS_A_POLL == 0 {
            appender.poll(&mut settled)?;
            commits += settled.drain(..).count();
        }
    }
    while settled.last().is_none_or(|one| one.ticket < last) {
        appender.poll(&mut settled)?;
        thread::yield_now();
    }
    let bytes = records * VALUE_BYTES as u64;
    print(&format!("append {topic}"), records, bytes, start);
    println!("{:>10} commits", commits + settled.len());
    Ok(())
}

fn read(log: &mut Embedded, topic: &str, round: &str) -> Result<(), Box<dyn Error>> {
    let span = Span { topic: topic.into(), partition: 0, from: 0, to: None };
    let mut reader = log.reader(&[span])?;
    let mut batch = Batch::new();
    let (mut records, mut bytes, mut sum) = (0, 0, 0u64);
    let start = Instant::now();
    while reader.poll(&mut batch)? == Polled::Records {
        records += batch.len() as u64;
        for meta in batch.metas() {
            let (from, to) = meta.value.unwrap_or_default();
            bytes += u64::from(to - from);
            sum = sum.wrapping_add(u64::from(batch.bytes()[from as usize]));
        }
    }
    print(&format!("read {topic}, {round}"), records, bytes, start);
    if sum == 1 { Err("the compiler may not leave the bytes unread".into()) } else { Ok(()) }
}

/// What a commit costs when one record waits for it.
fn one_by_one(log: &mut Embedded) -> Result<(), Box<dyn Error>> {
    log.create("single", 1, Policy::Delete { retention_ms: None })?;
    let mut appender = log.appender()?;
    let route = appender.route("single", 0)?;
    let (mut settled, records, mut slowest) = (Vec::new(), 2_000, 0.0_f64);
    let start = Instant::now();
    for n in 0..records {
        let value = [b'7'; VALUE_BYTES];
        let headers = Headers::default();
        let began = Instant::now();
        appender.submit(route, Outgoing { time: n, key: None, value: Some(&value), headers });
        settled.clear();
        while settled.is_empty() {
            appender.poll(&mut settled)?;
            thread::yield_now();
        }
        slowest = slowest.max(began.elapsed().as_secs_f64());
    }
    let each = start.elapsed().as_secs_f64() / records as f64;
    println!("one record a commit: {:.2} ms each, {:.1} ms at most", each * 1e3, slowest * 1e3);
    Ok(())
}
