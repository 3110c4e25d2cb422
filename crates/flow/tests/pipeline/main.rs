//! What the pipeline promises, seen from outside: settings and records in, bytes out.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod adopted;
mod boundaries;
mod digests;
mod everything;
mod labels;
mod lateness;
mod names;
mod records;
mod times;

use std::sync::Arc;

use alluvium_flow::{
    Batch, Effects, Headers, Input, Mistake, Pipeline, Run, Settings, decode::Rows, spec::Spec,
};
use serde_json::{Value, json};

/// A small file that is right: two numbers, an identity, and a class that is listed.
fn file() -> Value {
    json!({
        "name": "p",
        "input": { "x": { "format": { "csv": { "columns": ["a", "b", "who", "class"] } } } },
        "fields": { "a": { "number": {} }, "b": { "number": {} }, "who": { "id": {} } },
        "label": { "field": "class", "type": { "class": { "values": ["no", "yes"] } } },
        "model": { "linear": { "use": ["a", "b"], "learner": { "logistic_regression": {} } } },
    })
}

fn spec(file: &Value) -> Spec {
    serde_json::from_value(file.clone()).unwrap()
}

fn settings(file: &Value) -> Arc<Settings> {
    Arc::new(Settings::of(&spec(file)))
}

fn pipeline(file: &Value) -> Pipeline {
    Pipeline::build(&settings(file)).unwrap()
}

/// What is wrong with a file.
fn mistakes(file: &Value) -> Vec<Mistake> {
    Pipeline::of_spec(&spec(file)).err().map(|error| error.mistakes).unwrap_or_default()
}

/// Lets a pipeline read values of its first input, each at its index as offset and time.
fn read(pipeline: &mut Pipeline, values: &[&str]) -> Effects {
    let mut batch = Batch::new();
    for (offset, value) in (pipeline.counters().read..).zip(values) {
        let headers = Headers::default();
        batch.push(offset, offset as i64, None, Some(value.as_bytes()), headers);
    }
    take(pipeline, &batch)
}

/// Lets a pipeline read a batch of its first input.
fn take(pipeline: &mut Pipeline, batch: &Batch) -> Effects {
    let (mut rows, mut effects) = (Rows::default(), Effects::default());
    pipeline.inputs()[0].decoder().decode(0, batch, &mut rows);
    let run = Run { input: 0, partition: 0, batch, rows: &rows, range: 0..batch.len() };
    pipeline.step(Input::Records(run), &mut effects);
    effects
}

/// The values of all outputs.
fn outputs(effects: &Effects) -> Vec<Value> {
    let outputs = effects.outputs.iter();
    outputs.map(|output| serde_json::from_slice(effects.part(output.value)).unwrap()).collect()
}
