//! In which order the partitions of an input are fetched, and how far one of them lags, changes
//! nothing of what is learned.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use alluvium_flow::{Headers, Settings, spec::Spec};
use alluvium_ledger::{
    keeper::{Keeper, Next, Options, Signals},
    log::{Appender, Log, Outgoing, Policy},
};
use alluvium_sim::{Faults, VirtualLog};
use serde_json::json;

/// Records of each of the three partitions.
const RECORDS: i64 = 80;
const HOUR: i64 = 3_600_000;

fn settings() -> Arc<Settings> {
    let spec: Spec = serde_json::from_value(json!({
        "name": "p",
        "input": { "x": { "format": { "csv": { "columns": ["a", "y"] } } } },
        "fields": { "a": { "number": {} } },
        "label": { "field": "y", "type": { "number": {} } },
        "features": { "before": { "lag": { "of": ["a", "label"] } }, "scaled": { "standardize": { "of": ["a"] } } },
        "model": { "one": { "use": ["scaled", "before"], "learner": { "linear_regression": {} } } },
        "versions": { "every": "50 records" },
    }))
    .unwrap();
    Arc::new(Settings::of(&spec))
}

/// Three partitions; the records of the last are hours older than those of the others.
fn log_of(seed: u64, faults: Faults) -> VirtualLog {
    let mut log = VirtualLog::new(seed, Faults::none());
    log.create("x", 3, Policy::Delete { retention_ms: None }).unwrap();
    let mut appender = log.appender().unwrap();
    for partition in 0..3 {
        let route = appender.route("x", partition).unwrap();
        for number in 0..RECORDS {
            let lag = if partition == 2 { 5 * HOUR } else { 0 };
            // Now and then two partitions have the same time.
            let time = 10 * HOUR + number * 150_000 + i64::from(partition % 2) * (number % 3) - lag;
            let value = format!("{},{}", number % 17 + i64::from(partition), number % 5);
            let (value, headers) = (Some(value.as_bytes()), Headers::default());
            appender.submit(route, Outgoing { time, key: None, value, headers });
        }
    }
    appender.poll(&mut Vec::new()).unwrap();
    log.set_faults(faults);
    log
}

/// The digest of what is learned, and the digests of all versions.
fn learned(seed: u64, faults: Faults, options: Options) -> (String, Vec<String>) {
    let log = log_of(seed, faults);
    let mut keeper = Keeper::new(log.client(), options);
    for now in 0..1_000_000 {
        log.turn_world();
        if keeper.turn(now, Signals { lease: true, stop: false }).unwrap() == Next::Done {
            let pipeline = keeper.pipeline().unwrap();
            assert_eq!(pipeline.counters().learned, 3 * RECORDS as u64);
            let versions = &pipeline.registry().models[0].1.live;
            let digests = versions.iter().map(|version| version.state_digest.clone()).collect();
            return (pipeline.state_digest("one").unwrap(), digests);
        }
    }
    panic!("seed {seed}: no end");
}

fn options() -> Options {
    Options {
        prefix: "p.".into(),
        by: "a test".into(),
        settings: settings(),
        follow: false,
        cut_records_max: 1_000,
        snapshot_steps: 1000,
        snapshot_ms: 1_000_000,
        buffer_bytes: 1 << 20,
        waiting_bytes: 1 << 20,
        cut_ms: 0,
        retry_ms: 1,
        tick_ms: None,
        refused_share_max: 1.0,
    }
}

#[test]
fn a_thousand_orders_of_fetches_learn_the_same() {
    let expected = learned(0, Faults::none(), options());
    assert!(expected.1.len() >= 4);
    for seed in 1..=1_000 {
        let faults = Faults { batch_records_max: 1 + seed % 9, ..Faults::delays() };
        let cut_records_max = [1, 5, 40, 1_000][seed as usize % 4];
        let buffer_bytes = [100, 2_000, 1 << 20][seed as usize % 3];
        let options = Options { cut_records_max, buffer_bytes, ..options() };
        assert!(learned(seed, faults, options) == expected, "seed {seed}");
    }
}
