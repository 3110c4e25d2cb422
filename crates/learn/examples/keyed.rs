//! Prints what a record costs by key, in nanoseconds: in a window that makes count, sum and mean,
//! and in a model that looks for jumps; of 1,000,000 keys, half of the records uniform over them
//! and half skewed to few.
//!
//! `cargo run --release --example keyed -p alluvium-learn`
#![allow(clippy::print_stdout, reason = "this prints a table")]

use std::{error::Error, time::Instant};

use alluvium_learn::{
    Ahead, Features, Label, LabelShape, Layout, Learner, Prediction, Row, Scope, Shape, SlotKind,
    State, Texts,
    learners::LearnerConfig,
    math::{random_bits, random_unit},
    steps::StepConfig,
    surround::ByKey,
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

/// What a record costs at the least, in nanoseconds: `next` is given the keys that come next, or
/// one record. The first half meets new keys, and is not counted.
fn nanoseconds(keys: &[u64], mut next: impl FnMut(Next<'_>)) -> f64 {
    let mut least = f64::INFINITY;
    for (part, keys) in keys.chunks(keys.len() / 10).enumerate() {
        #[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
        let start = Instant::now();
        for (index, key) in keys.iter().enumerate() {
            if index % AHEAD == 0 {
                next(Next::Keys(&keys[index..(index + AHEAD).min(keys.len())]));
            }
            next(Next::Record { key: *key, number: part * keys.len() + index });
        }
        let nanoseconds = start.elapsed().as_nanos() as f64 / keys.len() as f64;
        least = if part < 5 { least } else { least.min(nanoseconds) };
    }
    least
}

/// What a component is shown.
enum Next<'a> {
    Keys(&'a [u64]),
    Record { key: u64, number: usize },
}

/// A window; a record comes each tenth of a millisecond.
fn window(keys: &[u64], over: &str) -> Result<(f64, usize), Box<dyn Error>> {
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
    let nanoseconds = nanoseconds(keys, |next| match next {
        Next::Keys(ids) => step.look_ahead(Ahead { ids, width: 1 }),
        Next::Record { key, number } => {
            values[0] = (number % 100) as f64;
            let (blocks, texts) = (&mut [][..], Texts::default());
            let time = number as i64 / 10;
            let mut row = Row { values: &mut values, blocks, ids: &[key], texts, time };
            step.apply(&mut row);
            step.observe(&row);
        }
    });
    Ok((nanoseconds, step.footprint_bytes()))
}

/// One small model a key.
fn model(keys: &[u64], learner: &str) -> Result<(f64, usize), Box<dyn Error>> {
    let shape = Shape::numbers(1, LabelShape::None);
    let config = LearnerConfig::by_name(learner).ok_or("there is no such learner")?;
    let mut learner = ByKey::new(config.build(&shape)?, 2 * KEYS, None)?;
    let mut out = Prediction::default();
    let nanoseconds = nanoseconds(keys, |next| match next {
        Next::Keys(keys) => learner.look_ahead(keys),
        Next::Record { key, number } => {
            let value = (random_bits(3, number as u64) % 1000) as f64;
            let time = number as i64 / 10;
            let x = Features { dense: &[value], ids: &[key], time, ..Features::default() };
            learner.predict(&x, &mut out);
            learner.learn(&x, Label::None, 1.0);
        }
    });
    Ok((nanoseconds, learner.footprint_bytes()))
}

fn main() -> Result<(), Box<dyn Error>> {
    let keys: Vec<u64> = (0..RECORDS).map(key).collect();
    println!("{:26} {:>12} {:>12}", "1 M keys, 10 M records", "ns a record", "bytes a key");
    let line = |title: &str, (nanoseconds, bytes): (f64, usize)| {
        println!("{title:26} {nanoseconds:12.0} {:12.0}", bytes as f64 / KEYS as f64);
    };
    for learner in ["cusum", "ewma"] {
        line(&format!("{learner} by key"), model(&keys, learner)?);
    }
    for (title, over) in CASES {
        line(title, window(&keys, over)?);
    }
    Ok(())
}
