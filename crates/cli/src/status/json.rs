//! The status, as scripts read it.

use alluvium_flow::Pipeline;
use serde_json::{Map, Value, json};

use super::{Reach, Report, asked};
use crate::{labels, topics};

impl Report {
    pub(super) fn json(&self) -> Value {
        let (opened, standing) = (&self.look.opened, &self.standing);
        let reach = |reach: &Reach| {
            json!({
                "input": reach.input, "partition": reach.partition, "position": reach.position,
                "cut": reach.cut, "end": reach.end, "lag": reach.lag(self.is_held),
            })
        };
        let manifest = standing.newest.as_ref().map(|newest| {
            json!({
                "term": newest.manifest.term, "generation": newest.manifest.generation,
                "step": newest.manifest.step, "time": newest.time,
                "age_ms": self.now - newest.time,
            })
        });
        let writer = self
            .writer
            .as_ref()
            .map(|writer| json!({ "term": writer.term, "by": writer.by, "since": writer.since }));
        let holder = self
            .holder
            .as_ref()
            .map(|holder| json!({ "host": holder.host, "member": holder.member }));
        let pace = self.pace.as_ref().map(|pace| {
            json!({
                "records_per_second": pace.rate(), "records": pace.records,
                "over_ms": pace.over_ms, "newest_cut": pace.newest,
            })
        });
        let requests: Vec<Value> = standing
            .fold
            .requests
            .iter()
            .map(|(offset, ask)| json!({ "at": format!("control:{offset}"), "ask": asked(ask) }))
            .collect();
        let halted = self.halted().map(|(stopped, answers)| {
            let answers: Vec<Value> = answers
                .iter()
                .map(|(typed, then)| json!({ "type": typed, "then": then }))
                .collect();
            json!({
                "kind": stopped.kind, "why": stopped.why, "time": stopped.time,
                "answers": answers,
            })
        });
        let mut whole = json!({
            "event": "status",
            "pipeline": opened.spec.name,
            "inputs": self.reaches.iter().map(reach).collect::<Vec<Value>>(),
            "lag": self.lag(),
            "writer": writer,
            "lease_is_held": self.is_held,
            "lease_holder": holder,
            "pace": pace,
            "wrong_topics": self.faults.iter().map(topics::fault).collect::<Vec<Value>>(),
            "manifest": manifest,
            "requests": requests,
            "halted": halted,
            "waits_for": self.waits_for(),
            "settings": { "file": opened.settings.learned_digest() },
        });
        if let Some(pipeline) = standing.pipeline() {
            whole["settings"]["in_force"] = pipeline.settings().learned_digest().into();
            if let (Value::Object(whole), Value::Object(learned)) = (&mut whole, learned(pipeline))
            {
                whole.extend(learned);
            }
        }
        whole
    }
}

/// What was learned, as JSON.
fn learned(pipeline: &Pipeline) -> Value {
    let counters = pipeline.counters();
    let (mut models, mut baselines) = (Map::new(), Map::new());
    for (name, judge, is_model) in pipeline.judges() {
        let metrics = |of: &dyn Fn(usize) -> Option<f64>| -> Map<String, Value> {
            (0..judge.len()).map(|i| (judge.name(i).to_string(), json!(of(i)))).collect()
        };
        let mut entry = json!({
            "metrics": metrics(&|metric| judge.whole(metric)),
            "recent": metrics(&|metric| judge.window(metric)),
        });
        if is_model {
            let newest = pipeline.registry().of(name).and_then(|versions| versions.live.last());
            entry["version"] = newest.map_or(0, |entry| entry.version).into();
            entry["state_digest"] = newest.map(|entry| entry.state_digest.clone()).into();
            entry["version_since"] = newest.map(|entry| entry.since).into();
            entry["version_records"] = newest.map(|entry| entry.records).into();
        }
        let table = if is_model { &mut models } else { &mut baselines };
        table.insert(name.to_string(), entry);
    }
    let registry = pipeline.registry();
    let champion = registry.champion().map(|champion| {
        json!({
            "model": &*champion.model,
            "version": registry.champion_version().map(|(_, version)| version),
            "held": champion.version.is_some(),
            "why": champion.why,
            "since": champion.since,
        })
    });
    json!({
        "read": counters.read,
        "learned": counters.learned,
        "refused": counters.refused,
        "refused_by": counters.refused_by,
        "labels": pipeline.labels().map(|labels| labels::json(&labels)),
        "alarms": counters.alarms,
        "time": counters.time,
        "watermark": counters.watermark,
        "models": models,
        "baselines": baselines,
        "champion": champion,
    })
}
