//! Models that join a pipeline, and models that leave it, each case played by hand.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, sync::Arc};

use alluvium_flow::{Decision, Headers, News, Settings, spec::Spec};
use alluvium_ledger::{
    control::Control,
    keeper::{Halt, Keeper, Next, Options, Signals},
    log::{Log, Outgoing, Policy},
};
use alluvium_sim::{Faults, VirtualLog};
use serde_json::{Value, json};

const KEEP: Policy = Policy::Delete { retention_ms: None };
const GO: Signals = Signals { lease: true, stop: false };
const SEVERAL: u64 = 200;

/// A pipeline of some of three models. The third brings a field and steps of its own, and shares
/// others.
fn file(models: &[&str]) -> Value {
    let mut file = json!({
        "name": "p",
        "input": { "x": { "format": { "json": {} } } },
        "fields": { "a": { "number": {} }, "kind": { "category": { "values_max": 4 } } },
        "label": { "field": "y", "type": { "class": { "values": ["0", "1"] } } },
        "features": {
            "scaled": { "standardize": { "of": ["a"] } },
            "before": { "lag": { "of": ["label"] } },
        },
        "model": {
            "first": { "use": ["scaled"], "learner": { "logistic_regression": {} } },
            "second": { "use": ["a", "kind"], "learner": { "hoeffding_tree": {
                "grace_period": 20, "delta": 0.2 } } },
        },
        "judge": { "metrics": [{ "accuracy": {} }], "over": "50 records",
            "drift": { "adwin": { "delta": 0.9, "clock": 1 } } },
        "versions": { "every": "30 records" },
    });
    if models.contains(&"third") {
        file["input"]["x"]["paths"] = json!({ "b": "more.b" });
        file["fields"]["b"] = json!({ "number": { "missing": "mean" } });
        file["features"]["recent"] = json!({ "window": { "over": "5 records", "make": {
            "mean": { "mean": "b" } } } });
        file["model"]["third"] = json!({
            "use": ["scaled", "recent", "before", "b"],
            "learner": { "logistic_regression": { "optimizer": { "sgd": { "step": 0.3 } } } },
        });
    }
    let model = file["model"].as_object_mut().unwrap();
    model.retain(|name, _| models.contains(&name.as_str()));
    file
}

fn settings(file: &Value) -> Arc<Settings> {
    let spec: Spec = serde_json::from_value(file.clone()).unwrap();
    Arc::new(Settings::of(&spec))
}

fn of(models: &[&str]) -> Arc<Settings> {
    settings(&file(models))
}

fn options(settings: &Arc<Settings>) -> Options {
    Options {
        prefix: "p.".into(),
        by: "a test".into(),
        settings: settings.clone(),
        follow: false,
        cut_records_max: 7,
        snapshot_steps: 1000,
        snapshot_ms: 1_000_000,
        buffer_bytes: 1 << 12,
        waiting_bytes: 1 << 20,
        cut_ms: 0,
        retry_ms: 1,
        tick_ms: None,
        refused_share_max: 1.0,
    }
}

fn log() -> VirtualLog {
    let mut log = VirtualLog::new(7, Faults::none());
    for topic in ["x", "p.control"] {
        log.create(topic, 1, KEEP).unwrap();
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

/// Lets records arrive; some are turned away, and some have gaps.
fn arrive(log: &mut VirtualLog, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let (a, b) = (number * 37 % 101, number * 53 % 89);
        let label = u64::from(a > 50) ^ u64::from(number % 11 == 0);
        let b = if number % 5 == 0 { Value::Null } else { json!(b) };
        let mut record = json!({ "a": a, "kind": format!("k{}", number % 6), "y": label,
            "more": { "b": b } });
        match number % 13 {
            0 => record["a"] = json!("x"),
            1 => drop(record.as_object_mut().unwrap().remove("more")),
            _ => {}
        }
        append(log, "x", record.to_string().as_bytes());
    }
}

fn request(log: &mut VirtualLog, ask: Decision) {
    append(log, "p.control", &Control::Request { ask, by: "a test".into(), id: None }.encode());
}

/// Runs to the end of what is there, and returns the news.
fn run(log: &VirtualLog, options: Options) -> Result<Vec<News>, Halt> {
    let mut keeper = Keeper::new(log.client(), options);
    finish(&mut keeper)
}

fn finish(keeper: &mut Keeper<VirtualLog>) -> Result<Vec<News>, Halt> {
    let mut news = Vec::new();
    for now in 0..100_000 {
        let next = keeper.turn(now, GO)?;
        keeper.take_news(&mut news);
        if next == Next::Done {
            return Ok(news);
        }
    }
    panic!("no end: {:?}", keeper.progress());
}

/// The identity of each model where all is learned.
fn digests(log: &VirtualLog, settings: &Arc<Settings>) -> BTreeMap<String, String> {
    let mut keeper = Keeper::new(log.client(), options(settings));
    finish(&mut keeper).unwrap();
    let pipeline = keeper.pipeline().unwrap();
    let names = pipeline.judges().filter(|(_, _, is_model)| *is_model);
    names.map(|(name, ..)| (name.to_string(), pipeline.state_digest(name).unwrap())).collect()
}

/// Model, records and digest of each version of some models, by what was learned.
fn versions(news: &[News], models: &[&str]) -> Vec<(String, String, String)> {
    let versions = news.iter().filter_map(|news| match news {
        News::Version { model, at, state_digest, .. } if models.contains(&&**model) => {
            Some((model.to_string(), at.clone(), state_digest.clone()))
        }
        _ => None,
    });
    versions.collect()
}

const TWO: [&str; 2] = ["first", "second"];
const THREE: [&str; 3] = ["first", "second", "third"];

/// A pipeline that a model joins: two models first, three from the middle on.
fn joined(ask: impl Fn(&mut VirtualLog)) -> (VirtualLog, Vec<News>) {
    let mut log = log();
    arrive(&mut log, 0..SEVERAL);
    let mut news = run(&log, options(&of(&TWO))).unwrap();
    ask(&mut log);
    arrive(&mut log, SEVERAL..SEVERAL + 45);
    news.extend(run(&log, options(&of(&THREE))).unwrap());
    arrive(&mut log, SEVERAL + 45..2 * SEVERAL);
    news.extend(run(&log, options(&of(&THREE))).unwrap());
    (log, news)
}

/// The same with one and the same file all the way.
fn all_along(models: &[&str], ask: impl Fn(&mut VirtualLog)) -> (VirtualLog, Vec<News>) {
    let mut log = log();
    let settings = of(models);
    arrive(&mut log, 0..SEVERAL);
    let mut news = run(&log, options(&settings)).unwrap();
    ask(&mut log);
    arrive(&mut log, SEVERAL..SEVERAL + 45);
    news.extend(run(&log, options(&settings)).unwrap());
    arrive(&mut log, SEVERAL + 45..2 * SEVERAL);
    news.extend(run(&log, options(&settings)).unwrap());
    (log, news)
}

#[test]
fn a_model_that_joins_is_what_it_were_had_it_always_been_there() {
    let decisions: [fn(&mut VirtualLog); 3] = [
        |_| (),
        |log| request(log, Decision::Reset { model: None }),
        |log| {
            request(log, Decision::Reset { model: Some("first".into()) });
            request(log, Decision::Promote { model: "second".into(), version: None });
        },
    ];
    for ask in decisions {
        let (log, news) = joined(ask);
        let (three, _) = all_along(&THREE, ask);
        assert_eq!(digests(&log, &of(&THREE)), digests(&three, &of(&THREE)));
        let (_, without) = all_along(&TWO, ask);
        assert_eq!(versions(&news, &TWO), versions(&without, &TWO), "the others are as they were");
        assert!(news.iter().any(|news| matches!(news, News::Joined { .. })));
    }
}
