//! What `run` and `load` print: JSON lines for scripts, plain lines for a log, and a live view for a
//! terminal.

use alluvium_embedded::Embedded;
use alluvium_flow::News;
use alluvium_ledger::keeper::{Keeper, Next};

use crate::{load::Loaded, open::Opened};

/// The progress of a load.
pub struct LoadBar {
    source: String,
}

impl LoadBar {
    /// A bar for a source.
    pub fn new(source: &str) -> LoadBar {
        LoadBar { source: source.into() }
    }

    /// So many records were read.
    pub fn at(&mut self, _read: u64) {}

    /// The load is over.
    pub fn finish(&mut self, loaded: &Loaded, topic: &str) {
        eprintln!("loaded {} records into topic {topic} from {}", loaded.appended, self.source);
    }
}

/// What `run` prints.
pub struct Screen {
    json: bool,
    started: std::time::Instant,
}

impl Screen {
    /// A screen for a pipeline.
    pub fn new(_opened: &Opened, json: bool) -> Screen {
        Screen { json, started: std::time::Instant::now() }
    }

    /// A source is being loaded.
    pub fn loading(&mut self, _source: &str, _read: u64) {}

    /// A source was loaded.
    pub fn loaded(&mut self, topic: &str, loaded: &Loaded) {
        eprintln!("loaded {} records into topic {topic} from {}", loaded.appended, loaded.source);
    }

    /// Ctrl-C while loading.
    pub fn stopped_loading(&mut self) {
        eprintln!("stopped while loading; run again to go on");
    }

    /// Something happened.
    pub fn news(&mut self, news: &News) {
        if self.json {
            if let Some(line) = event(news) {
                say(&line.to_string());
            }
        } else {
            eprintln!("{news:?}");
        }
    }

    /// Called after every turn.
    pub fn tick(&mut self, _keeper: &Keeper<Embedded>, _next: Next) {}

    /// The pipeline has halted.
    pub fn halt(&mut self) {}

    /// All is done.
    pub fn finish(&mut self, keeper: &Keeper<Embedded>) {
        let Some(pipeline) = keeper.pipeline() else { return };
        if self.json {
            let seconds = self.started.elapsed().as_secs_f64();
            say(&summary(pipeline, 0, seconds).to_string());
            return;
        }
        for (name, judge, _) in pipeline.judges() {
            let shown: Vec<String> = (0..judge.len())
                .map(|i| format!("{} {:?}", judge.name(i), judge.whole(i)))
                .collect();
            say(&format!("{name} {}", shown.join(" ")));
        }
    }
}

/// Prints a line on standard output. A closed pipe is not our mistake.
pub fn say(line: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// News as a JSON event.
pub fn event(news: &News) -> Option<serde_json::Value> {
    use serde_json::json;
    Some(match news {
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
        News::Refused { why } => json!({ "event": "refused_decision", "why": why }),
    })
}

/// The summary of a run as a JSON event: totals since the beginning of the pipeline.
pub fn summary(pipeline: &alluvium_flow::Pipeline, new: u64, seconds: f64) -> serde_json::Value {
    use serde_json::{Map, Value, json};
    let counters = pipeline.counters();
    let (mut models, mut baselines) = (Map::new(), Map::new());
    for (name, judge, is_model) in pipeline.judges() {
        let metrics: Map<String, Value> =
            (0..judge.len()).map(|i| (judge.name(i).to_string(), json!(judge.whole(i)))).collect();
        if is_model {
            let newest = pipeline.registry().of(name).and_then(|versions| versions.live.last());
            let entry = json!({
                "version": newest.map_or(0, |entry| entry.version),
                "state_digest": newest.map(|entry| &entry.state_digest),
                "metrics": metrics,
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
        "alarms": counters.alarms,
        "seconds": seconds,
    })
}
