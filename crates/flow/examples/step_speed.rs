//! How many nanoseconds a row costs in the pipeline, stage by stage, on one core: W1 of the
//! benchmarks (20 short decimals and a yes or no), in memory.
//!
//! Rows go through many times, and the best time of each stage counts, so that a busy machine does
//! not spoil the figures.
//!
//! `cargo run --release -p alluvium-flow --example step_speed`
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "it measures and prints")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use alluvium_flow::{
    Batch, Chain, Effects, Headers, Input, Pipeline, Run, Settings, decode::Rows, spec::Spec,
};
use alluvium_learn::math::random_bits;
use serde_json::{Value, json};

const BATCH_ROWS: u64 = 2_000;
const BATCHES: u64 = 50;
const ROUNDS: u32 = 40;

fn row(row: u64) -> String {
    let cell = |column| {
        let bits = random_bits(row, column);
        format!("{:.4}", (bits % 60_000) as f64 / 10_000.0 - 3.0)
    };
    let cells: Vec<String> = (1..21).map(cell).collect();
    let is_yes = cells.iter().take(3).all(|cell| !cell.starts_with('-')) || row % 3 == 0;
    format!("{},{}", u8::from(is_yes), cells.join(","))
}

fn settings(learner: Value, change: Value) -> Arc<Settings> {
    let names = (0..20).map(|index| format!("x{index}"));
    let columns: Vec<String> = std::iter::once("y".to_string()).chain(names).collect();
    let mut file = json!({
        "name": "speed",
        "input": { "rows": { "format": { "csv": { "columns": columns } } } },
        "fields": { "x0": { "numbers": { "count": 20 } } },
        "label": { "field": "y", "type": { "class": { "values": ["0", "1"] } } },
        "model": { "one": { "use": ["x0"], "learner": learner } },
    });
    if let (Value::Object(file), Value::Object(change)) = (&mut file, change) {
        file.extend(change);
    }
    let spec: Spec = serde_json::from_value(file).expect("a pipeline file");
    Arc::new(Settings::of(&spec))
}

/// Nanoseconds a row: each batch's best time of all rounds.
fn best(batches: &mut [(Batch, Rows)], mut once: impl FnMut(&mut (Batch, Rows))) -> f64 {
    let mut least = vec![Duration::MAX; batches.len()];
    for _ in 0..ROUNDS {
        for (batch, least) in batches.iter_mut().zip(&mut least) {
            let start = Instant::now();
            once(batch);
            *least = start.elapsed().min(*least);
        }
    }
    least.iter().sum::<Duration>().as_nanos() as f64 / (BATCHES * BATCH_ROWS) as f64
}

fn step(settings: &Arc<Settings>, batches: &mut [(Batch, Rows)], backlog: bool) -> f64 {
    let mut pipeline = Pipeline::build(settings).expect("it was checked");
    let mut effects = Effects { backlog, ..Effects::default() };
    best(batches, |(batch, rows)| {
        effects.clear();
        let run = Run { input: 0, partition: 0, batch, rows, range: 0..batch.len() };
        pipeline.step(Input::Records(run), &mut effects);
    })
}

fn main() {
    let mut batches = Vec::new();
    for first in (0..BATCHES).map(|batch| batch * BATCH_ROWS) {
        let mut batch = Batch::new();
        for offset in first..first + BATCH_ROWS {
            let mut headers = Vec::new();
            Headers::encode(&mut headers, "load", format!("01234567:{offset}").as_bytes());
            let text = row(offset);
            batch.push(
                offset,
                1_700_000_000_000,
                None,
                Some(text.as_bytes()),
                Headers::new(&headers),
            );
        }
        batches.push((batch, Rows::default()));
    }
    let live = json!({ "predictions": { "answer": "live" } });
    let drift =
        json!({ "predictions": { "answer": "live" }, "judge": { "drift": { "adwin": {} } } });
    let ftrl =
        json!({ "logistic_regression": { "normalized": false, "optimizer": { "ftrl": {} } } });
    let plain = settings(ftrl.clone(), json!({}));
    let pipeline = Pipeline::build(&plain).expect("it is right");
    let mut decoder = pipeline.inputs()[0].decoder();
    let decode = best(&mut batches, |(batch, rows)| {
        rows.clear();
        decoder.decode(0, batch, rows);
    });
    println!("decode                        {decode:6.0} ns a row");
    let mut chain = Chain::default();
    let digest = best(&mut batches, |(batch, _)| batch.iter().for_each(|row| chain.add(&row)));
    println!("digest of the inputs          {digest:6.0}");
    let bare = step(&settings(json!({ "majority": {} }), live.clone()), &mut batches, true);
    println!("label, baselines, judges      {bare:6.0}");
    let drifting = step(&settings(json!({ "majority": {} }), drift), &mut batches, true);
    println!("and drift                     {drifting:6.0}");
    let learn = step(&settings(ftrl.clone(), live), &mut batches, true);
    println!("and predict, learn            {learn:6.0}");
    let whole = step(&plain, &mut batches, false);
    println!("and predictions as JSON       {whole:6.0}");
}
