//! What scripts read: a JSON object for each event, and one for the summary.

use alluvium_flow::{News, Pipeline};
use serde_json::{Map, Value, json};

use crate::labels;

/// News as a JSON event.
pub fn event(news: &News) -> Value {
    match news {
        News::Version { model, version, state_digest, at } => json!({
            "event": "version", "model": &**model, "version": version,
            "state_digest": state_digest, "at": at,
        }),
        News::Alarm { model, detector, at, records } => json!({
            "event": "alarm", "model": &**model, "detector": detector, "at": at, "records": records,
        }),
        News::Champion { model, version } => json!({
            "event": "champion", "model": &**model, "version": version,
        }),
        News::Reset { model } => json!({ "event": "reset", "model": model.as_deref() }),
        News::Skipped { gap } => json!({ "event": "skipped", "span": gap.to_string() }),
        News::Joined { names, records } => {
            let names: Vec<&str> = names.iter().map(|name| &**name).collect();
            json!({ "event": "joined", "models": names, "records": records })
        }
        News::Refused { why } => json!({ "event": "refused_decision", "why": why }),
    }
}

/// The summary of a run as a JSON event: totals since the beginning of the pipeline, but for `new`.
pub fn summary(pipeline: &Pipeline, new: u64, seconds: f64) -> Value {
    let counters = pipeline.counters();
    let (mut models, mut baselines) = (Map::new(), Map::new());
    for (name, judge, is_model) in pipeline.judges() {
        let metrics: Map<String, Value> =
            (0..judge.len()).map(|i| (judge.name(i).to_string(), json!(judge.whole(i)))).collect();
        let window: Map<String, Value> =
            (0..judge.len()).map(|i| (judge.name(i).to_string(), json!(judge.window(i)))).collect();
        if is_model {
            let newest = pipeline.registry().of(name).and_then(|versions| versions.live.last());
            let entry = json!({
                "version": newest.map_or(0, |entry| entry.version),
                "state_digest": newest.map(|entry| &entry.state_digest),
                "metrics": metrics,
                "window": window,
            });
            models.insert(name.to_string(), entry);
        } else {
            baselines.insert(name.to_string(), Value::Object(metrics));
        }
    }
    json!({
        "event": "summary",
        "pipeline": pipeline.spec().name,
        "read": counters.read,
        "learned": counters.learned,
        "refused": counters.refused,
        "new": new,
        "models": models,
        "baselines": baselines,
        "labels": pipeline.labels().map(|labels| labels::json(&labels)),
        "alarms": counters.alarms,
        "seconds": seconds,
    })
}
