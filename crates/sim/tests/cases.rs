//! The smallest cases of mistakes that the simulator has found, each played by hand.

use std::sync::Arc;

use alluvium_flow::{Decision, Headers, Settings, spec::Spec};
use alluvium_ledger::{
    control::Control,
    keeper::{Halt, Keeper, Next, Options, Signals},
    log::{Appender, Log, Outgoing, Policy},
};
use alluvium_sim::{Faults, VirtualLog};
use serde_json::json;

const KEEP: Policy = Policy::Delete { retention_ms: None };
const GO: Signals = Signals { lease: true, stop: false };

/// The smallest pipeline: the mean of a number.
fn settings(runs: &str) -> Arc<Settings> {
    let spec: Spec = serde_json::from_value(json!({
        "name": "p",
        "input": { "x": { "format": { "csv": { "columns": ["a", "y"] } } } },
        "fields": { "a": { "number": {} } },
        "label": { "field": "y", "type": { "number": {} } },
        "model": { "mean": { "use": ["a"], "learner": { "mean": {} } } },
        "versions": { "every": runs },
    }))
    .unwrap();
    Arc::new(Settings::of(&spec))
}

fn options(settings: &Arc<Settings>) -> Options {
    Options {
        prefix: "p.".into(),
        by: "a test".into(),
        settings: settings.clone(),
        follow: false,
        cut_records_max: 100,
        snapshot_steps: 1000,
        snapshot_ms: 1_000_000,
        buffer_bytes: 1 << 20,
        tick_ms: None,
        refused_share_max: 1.0,
    }
}

/// A log with an input of so many records, and a control topic.
fn log_with(records: u64) -> VirtualLog {
    let mut log = VirtualLog::new(7, Faults::none());
    for topic in ["x", "p.control"] {
        log.create(topic, 1, KEEP).unwrap();
    }
    for record in 0..records {
        append(&mut log, "x", format!("{record},{record}").as_bytes());
    }
    log
}

fn append(log: &mut VirtualLog, topic: &str, value: &[u8]) {
    let mut appender = log.appender().unwrap();
    let route = appender.route(topic, 0).unwrap();
    let headers = Headers::default();
    appender.submit(route, Outgoing { time: 0, key: None, value: Some(value), headers });
    appender.poll(&mut Vec::new()).unwrap();
}

fn request(log: &mut VirtualLog, ask: Decision) {
    append(log, "p.control", &Control::Request { ask, by: "a test".into() }.encode());
}

fn finish(keeper: &mut Keeper<VirtualLog>) -> Result<(), Halt> {
    for now in 0..10_000 {
        if keeper.turn(now, GO)? == Next::Done {
            return Ok(());
        }
    }
    panic!("no end: {:?}", keeper.progress());
}

#[test]
fn a_request_may_come_before_there_are_settings() {
    let mut log = log_with(2);
    request(&mut log, Decision::Rollback);
    let mut keeper = Keeper::new(log.client(), options(&settings("10 records")));
    finish(&mut keeper).unwrap();
    assert_eq!(keeper.progress().step, 3, "two records and a decision");
}
