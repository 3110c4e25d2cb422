//! How many records a second each decoder reads on one core: rows of 21 short decimals.
//!
//! Each batch is read many times, and the best time of each counts, so that a busy machine does
//! not spoil the figures.
//!
//! `cargo run --release -p alluvium-flow --example decode_speed`
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "it measures and prints")]

use std::time::{Duration, Instant};

use alluvium_flow::Batch;
use alluvium_flow::decode::{
    Field, Format, Framing, Kind, LabelField, Lines, Path, Plan, Rows, Step, build,
};
use alluvium_learn::math::random_bits;

const ROWS: u64 = 100_000;
const BATCH_ROWS: u64 = 1_000;
const ROUNDS: u32 = 40;

/// Label 0 or 1, then 20 numbers like `-1.2345`.
fn cells(row: u64) -> Vec<String> {
    let number = |column| {
        let bits = random_bits(row, column);
        format!("{:.4}", (bits % 60_000) as f64 / 10_000.0 - 3.0)
    };
    let label = (random_bits(row, 0) & 1).to_string();
    std::iter::once(label).chain((1..21).map(number)).collect()
}

fn names() -> Vec<String> {
    (0..21).map(|column| format!("x{column}")).collect()
}

fn csv(row: u64) -> String {
    cells(row).join(",")
}

fn csv_quoted(row: u64) -> String {
    let mut cells = cells(row);
    cells[0] = format!("\"{}\"", cells[0]);
    cells.join(",")
}

fn json(row: u64) -> String {
    let pairs: Vec<String> =
        names().iter().zip(cells(row)).map(|(name, cell)| format!("\"{name}\":{cell}")).collect();
    format!("{{{}}}", pairs.join(","))
}

/// Twenty separate numbers and a class.
fn plan(format: Format, one_field: bool) -> Plan {
    let path = |name: &String| Path::Value(vec![Step::Key(name.clone())]);
    let names = names();
    let number = Kind::Number { min: f64::NEG_INFINITY, max: f64::INFINITY };
    let field =
        |name: &String, kind| Field { name: name.clone(), path: path(name), kind, gaps: false };
    let fields = match one_field {
        true => vec![field(&names[1], Kind::Numbers { count: 20 })],
        false => names[1..].iter().map(|name| field(name, number.clone())).collect(),
    };
    let label = LabelField { name: "label".into(), path: path(&names[0]), is_class: true };
    Plan { format, fields, label: Some(label), time: None }
}

fn measure(title: &str, plan: &Plan, record: impl Fn(u64) -> String) {
    let batches: Vec<Batch> = (0..ROWS / BATCH_ROWS)
        .map(|batch| {
            let mut records = Batch::new();
            for row in batch * BATCH_ROWS..(batch + 1) * BATCH_ROWS {
                let value = record(row);
                records.push(row, 0, None, Some(value.as_bytes()), Default::default());
            }
            records
        })
        .collect();
    let mut decoder = build(plan);
    let mut rows = Rows::default();
    let mut best = vec![Duration::MAX; batches.len()];
    for _ in 0..ROUNDS {
        for (batch, best) in batches.iter().zip(&mut best) {
            let start = Instant::now();
            rows.clear();
            decoder.decode(0, batch, &mut rows);
            *best = start.elapsed().min(*best);
            assert!(rows.refusals.iter().all(Option::is_none), "all records are good");
        }
    }
    let best = ROWS as f64 / best.iter().sum::<Duration>().as_secs_f64();
    let bytes: usize = batches.iter().map(|batch| batch.bytes().len()).sum();
    let megabytes = best * bytes as f64 / ROWS as f64 / 1e6;
    println!("{title:24} {:6.2} M records/s  {megabytes:6.0} MB/s", best / 1e6);
}

fn measure_lines(title: &str, framing: Framing) {
    let text: String = (0..ROWS).map(|row| csv(row) + "\n").collect();
    let mut best = 0.0f64;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let (mut lines, mut found) = (Lines::new(framing), 0u64);
        for chunk in text.as_bytes().chunks(65_536) {
            lines.feed(chunk, |_| found += 1);
        }
        lines.finish(|_| found += 1);
        best = best.max(found as f64 / start.elapsed().as_secs_f64());
    }
    println!("{title:24} {:6.2} M records/s", best / 1e6);
}

fn main() {
    let format = Format::Csv { columns: names(), delimiter: b',' };
    measure("CSV", &plan(format.clone(), false), csv);
    measure("CSV, one field", &plan(format.clone(), true), csv);
    measure("CSV, a quoted cell", &plan(format, false), csv_quoted);
    measure("JSON", &plan(Format::Json, false), json);
    measure_lines("lines", Framing::Line);
    measure_lines("lines of CSV", Framing::Csv { delimiter: b',' });
}
