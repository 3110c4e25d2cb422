//! In the steady state nothing is allocated for a record: not by decoding, not by a step with
//! predictions, judges, baselines, drift and a feature step.
//!
//! Counted by an allocator of the test's own. What remains is counted against batches and turns of
//! the judges' windows (once in a thousand records each metric is computed anew), never records.
#![expect(unsafe_code, reason = "an allocator that counts is unsafe by its trait")]
#![allow(clippy::unwrap_used)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use alluvium_flow::{
    Batch, Chain, Effects, Headers, Input, Pipeline, Run, Settings, decode::Rows, spec::Spec,
};
use serde_json::json;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promised us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised us.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promised us.
        unsafe { System.realloc(at, layout, bytes) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BATCH_ROWS: u64 = 1_000;
const BATCHES: u64 = 20;

fn pipeline() -> Pipeline {
    let file = json!({
        "name": "allocations",
        "input": { "rows": { "format": { "csv": { "columns": ["y", "a", "b", "c"] } } } },
        "fields": { "a": { "number": {} }, "b": { "number": {} }, "c": { "category": {} } },
        "label": { "field": "y", "type": { "class": { "values": ["no", "yes"] } } },
        "features": { "scaled": { "standardize": { "of": ["a", "b"] } } },
        "model": { "one": { "use": ["scaled", "b"], "learner": { "logistic_regression": {} } } },
        "judge": { "drift": { "adwin": {} } },
        // A version every so many records is no part of the steady state.
        "versions": { "every": "1000000 records" },
    });
    let spec: Spec = serde_json::from_value(file).unwrap();
    Pipeline::build(&Arc::new(Settings::of(&spec))).unwrap()
}

fn batch(first: u64) -> Batch {
    let mut batch = Batch::new();
    for offset in first..first + BATCH_ROWS {
        let (a, b, c) = (offset * 7919 % 1000, offset * 104_729 % 1000, offset % 5);
        let answer = if a + b > 1000 { "yes" } else { "no" };
        let text = format!("{answer},{}.{a},-{}.{b},category {c}", offset % 7, offset % 11);
        batch.push(offset, offset as i64, Some(b"key"), Some(text.as_bytes()), Headers::default());
    }
    batch
}

#[test]
fn nothing_is_allocated_for_a_record() {
    let (mut pipeline, mut rows, mut chain) = (pipeline(), Rows::default(), Chain::default());
    let (mut decoder, mut effects) = (pipeline.inputs()[0].decoder(), Effects::default());
    let mut pass = |batch: &Batch| {
        rows.clear();
        decoder.decode(0, batch, &mut rows);
        batch.iter().for_each(|record| chain.add(&record));
        effects.clear();
        let run = Run { input: 0, partition: 0, batch, rows: &rows, range: 0..batch.len() };
        pipeline.step(Input::Records(run), &mut effects);
        assert_eq!(effects.outputs.len() as u64, BATCH_ROWS);
    };
    let batches: Vec<Batch> = (0..2 * BATCHES).map(|index| batch(index * BATCH_ROWS)).collect();
    let (warm, measured) = batches.split_at(BATCHES as usize);
    warm.iter().for_each(&mut pass);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    measured.iter().for_each(&mut pass);
    let counted = ALLOCATIONS.load(Ordering::Relaxed) - before;
    // Three metrics of three judges, each computed anew once a batch; and as much again.
    assert!(counted <= 18 * BATCHES, "{counted} allocations in {BATCHES} batches");
    assert!(counted < BATCHES * BATCH_ROWS / 50, "{counted} allocations");
}
