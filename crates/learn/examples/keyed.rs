//! Prints what a record costs in a window by key, in nanoseconds: count, sum and mean over 10 min,
//! of 1,000,000 keys, half of the records uniform over them and half skewed to few.
//!
//! `cargo run --release --example keyed -p alluvium-learn`
#![allow(clippy::print_stdout, reason = "this prints a table")]

use std::{error::Error, time::Instant};

use alluvium_learn::{
    Ahead, LabelShape, Layout, Row, Scope, SlotKind, Texts,
    math::{random_bits, random_unit},
    steps::StepConfig,
};

const KEYS: u64 = 1_000_000;
/// How many records are looked ahead, as the pipeline does.
const AHEAD: usize = 32;
const RECORDS: u64 = 10_000_000;

/// What is measured: a title, and the settings of a window.
const CASES: [(&str, &str); 4] = [
    ("sliding over 10 min", r#""over": "10 min""#),
    ("tumbling over 10 min", r#""over": { "tumbling": "10 min" }"#),
    ("decaying over 10 min", r#""over": { "decay": "10 min" }"#),
    ("sliding over 5 records", r#""over": "5 records""#),
];

/// The key of a record: a hash, as ids are.
fn key(record: u64) -> u64 {
    let unit = random_unit(2, record);
    let share = if record.is_multiple_of(2) { unit } else { unit * unit * unit * unit };
    random_bits((share * KEYS as f64) as u64, 0)
}

fn main() -> Result<(), Box<dyn Error>> {
    let keys: Vec<u64> = (0..RECORDS).map(key).collect();
    println!("{:26} {:>12} {:>12}", "1 M keys, 10 M records", "ns a record", "bytes a key");
    for (title, over) in CASES {
        let mut layout = Layout::default();
        layout.add_dense("amount", "amount".into(), SlotKind::Number);
        layout.add_id("card");
        let text = format!(
            r#"{{ "window": {{ "by": "card", {over}, "make": {{ "count": "count",
                "spend": {{ "sum": "amount" }}, "mean": {{ "mean": "amount" }} }} }} }}"#
        );
        let config: StepConfig = serde_json::from_str(&text)?;
        let mut step = config.build(&mut Scope::new(&mut layout, "w", LabelShape::None))?;
        let mut values = vec![0.0; layout.dense];
        let mut least = f64::INFINITY;
        // The first passes meet new keys; the last tenths find them all. A record each 0.1 ms.
        for (part, keys) in keys.chunks(keys.len() / 10).enumerate() {
            #[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
            let start = Instant::now();
            for (index, key) in keys.iter().enumerate() {
                if index % AHEAD == 0 {
                    let ids = &keys[index..(index + AHEAD).min(keys.len())];
                    step.look_ahead(Ahead { ids, width: 1 });
                }
                let record = part * keys.len() + index;
                values[0] = (record % 100) as f64;
                let (blocks, texts) = (&mut [][..], Texts::default());
                let time = record as i64 / 10;
                let mut row = Row { values: &mut values, blocks, ids: &[*key], texts, time };
                step.apply(&mut row);
                step.observe(&row);
            }
            let nanoseconds = start.elapsed().as_nanos() as f64 / keys.len() as f64;
            least = if part < 5 { least } else { least.min(nanoseconds) };
        }
        let bytes = step.footprint_bytes() as f64 / KEYS as f64;
        println!("{title:26} {least:12.0} {bytes:12.0}");
    }
    Ok(())
}
