//! How long an answer takes: records are appended at a steady rate, and the answers to them read.
//!
//! `cargo run --release -p alluvium-kafka --example latency SERVERS INPUT OUTPUT RATE SECONDS`
//! prints one JSON object: how many records were answered, and after how many milliseconds, from
//! the moment a record was handed to the client to the moment its answer was read. Somebody else
//! has to answer: `alluvium run --follow` or `alluvium score --follow`. The first quarter warms up
//! and does not count. Answers name their record in the header `at`.
#![expect(clippy::print_stdout, reason = "it measures and prints")]

use std::{
    env,
    error::Error,
    fmt::Write as _,
    thread,
    time::{Duration, Instant, SystemTime},
};

use alluvium_flow::{Batch, Headers};
use alluvium_kafka::{KafkaLog, Settings};
use alluvium_ledger::log::{Appender, Log, Outgoing, RecordReader, Route, Span};

/// Numbers in a record.
const NUMBERS: u64 = 20;
/// How long is waited for the last answers.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().collect();
    let [_, servers, input, output, rate, seconds] = arguments.as_slice() else {
        return Err("latency SERVERS INPUT OUTPUT RATE SECONDS".into());
    };
    let (rate, seconds): (u64, u64) = (rate.parse()?, seconds.parse()?);
    let mut log = KafkaLog::open(&Settings::new(servers.clone(), None))?;
    let mut probe = Probe::new(&mut log, input, output)?;
    let (all, began) = (rate * seconds, Instant::now());
    let mut last_answer = Instant::now();
    while probe.answered < all {
        let due = (began.elapsed().as_secs_f64() * rate as f64) as u64;
        let handed_over = probe.hand_over(due.min(all))?;
        if probe.take_answers()? {
            last_answer = Instant::now();
        } else if !handed_over {
            thread::sleep(Duration::from_micros(200));
        }
        if probe.sent == all && last_answer.elapsed() > PATIENCE {
            break;
        }
    }
    let mut counted: Vec<f64> = std::mem::take(&mut probe.delays);
    counted.drain(..counted.len() / 4);
    counted.sort_by(f64::total_cmp);
    let at = |share: f64| counted.get((counted.len() as f64 * share) as usize).copied();
    let [half, most, worst] =
        [at(0.5), at(0.99), counted.last().copied()].map(Option::unwrap_or_default);
    println!(
        "{{\"sent\":{},\"answered\":{},\"p50_ms\":{half:.2},\"p99_ms\":{most:.2},\"max_ms\":{worst:.2}}}",
        probe.sent, probe.answered
    );
    Ok(())
}

struct Probe {
    appender: Box<dyn Appender>,
    routes: Vec<Route>,
    reader: Box<dyn RecordReader>,
    /// Where each partition of the input began, and when each record behind that was handed over.
    handed_over: Vec<(u64, Vec<Instant>)>,
    sent: u64,
    answered: u64,
    /// In milliseconds, as the answers came.
    delays: Vec<f64>,
    batch: Batch,
    value: String,
}

impl Probe {
    fn new(log: &mut KafkaLog, input: &str, output: &str) -> Result<Probe, Box<dyn Error>> {
        let begins = log.ends(input)?.ok_or("no such input")?.partitions;
        let mut appender = log.appender()?;
        let routes = (0..begins.len() as u32).map(|partition| appender.route(input, partition));
        let routes = routes.collect::<Result<Vec<Route>, _>>()?;
        let ends = log.ends(output)?.ok_or("no such output")?.partitions;
        let span = |(partition, ends): (u32, &alluvium_ledger::log::PartitionEnds)| Span {
            topic: output.into(),
            partition,
            from: ends.stable,
            to: None,
        };
        let spans: Vec<Span> = (0..).zip(&ends).map(span).collect();
        Ok(Probe {
            appender,
            routes,
            reader: log.reader(&spans)?,
            handed_over: begins.iter().map(|ends| (ends.stable, Vec::new())).collect(),
            sent: 0,
            answered: 0,
            delays: Vec::new(),
            batch: Batch::new(),
            value: String::new(),
        })
    }

    /// Hands over what is due; whether anything was.
    fn hand_over(&mut self, due: u64) -> Result<bool, Box<dyn Error>> {
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis() as i64;
        let any = self.sent < due;
        while self.sent < due {
            let partition = self.sent as usize % self.routes.len();
            self.value.clear();
            write!(self.value, "{}", self.sent.wrapping_mul(0x9e37_79b9) >> 7 & 1)?;
            for number in 0..NUMBERS {
                let mixed =
                    (self.sent * NUMBERS + number).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44;
                write!(self.value, ",{}.{:04}", mixed % 3, mixed % 10_000)?;
            }
            let value = Some(self.value.as_bytes());
            let record = Outgoing { time, key: None, value, headers: Headers::default() };
            self.appender.submit(self.routes[partition], record);
            self.handed_over[partition].1.push(Instant::now());
            self.sent += 1;
        }
        self.appender.poll(&mut Vec::new())?;
        Ok(any)
    }

    /// Takes the answers that have come; whether any had.
    fn take_answers(&mut self) -> Result<bool, Box<dyn Error>> {
        self.batch.clear();
        self.reader.poll(&mut self.batch)?;
        let (now, before) = (Instant::now(), self.answered);
        for record in self.batch.iter() {
            let place = record.headers.get("at").and_then(|at| std::str::from_utf8(at).ok());
            let mut parts = place.unwrap_or_default().rsplit(':');
            let mut next = || parts.next().and_then(|part| part.parse::<u64>().ok());
            let (Some(offset), Some(partition)) = (next(), next()) else { continue };
            let (begin, times) = &self.handed_over[partition as usize];
            let Some(index) = offset.checked_sub(*begin) else { continue };
            let Some(time) = times.get(index as usize) else { continue };
            self.delays.push(now.duration_since(*time).as_secs_f64() * 1e3);
            self.answered += 1;
        }
        Ok(self.answered > before)
    }
}
