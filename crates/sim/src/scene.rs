//! What a run is played with: inputs, pipeline files and how large it all is.

mod labels;

use std::{collections::BTreeMap, sync::Arc};

use alluvium_flow::{Decision, Settings, spec::Spec};
use alluvium_learn::Time;
use serde_json::{Value, json};

use self::labels::Labels;
use crate::{
    Kind,
    log::Kept,
    random::{Random, mix},
};

/// What the pipeline's own topics begin with.
pub(crate) const PREFIX: &str = "p.";

/// How large a run is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) records_max: u64,
    pub(crate) keepers: usize,
    pub(crate) events: u64,
    pub(crate) requests: u64,
    /// The most steps from one manifest to the next.
    pub(crate) snapshot_steps_max: u64,
}

impl Size {
    pub(crate) fn of(kind: Kind) -> Size {
        let base = Size {
            records_max: 24,
            keepers: 3,
            events: 1_500,
            requests: 4,
            snapshot_steps_max: 30,
        };
        match kind {
            Kind::Base | Kind::Lossy | Kind::Truncate | Kind::Labels => base,
            Kind::Small => Size { records_max: 5, keepers: 2, events: 600, requests: 2, ..base },
            Kind::Long => Size { records_max: 120, events: 6_000, requests: 8, ..base },
            Kind::Heavy => {
                Size { records_max: 40, events: 2_000, requests: 3, snapshot_steps_max: 3, ..base }
            }
            Kind::Joining => Size { events: 2_000, ..base },
            Kind::Finished => Size { events: 1_000, requests: 0, ..base },
        }
    }
}

/// An input topic and all that will ever arrive in it.
#[derive(Clone, Debug)]
pub(crate) struct InputTopic {
    pub(crate) name: &'static str,
    pub(crate) partitions: Vec<Vec<Kept>>,
}

/// A pipeline file: which of the learning halves, and which of the running ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct File {
    pub(crate) learned: u64,
    pub(crate) runs: u64,
    /// How many models it names that others do not.
    pub(crate) joins: u64,
}

/// Inputs and files.
pub(crate) struct Scene {
    pub(crate) inputs: Vec<InputTopic>,
    /// A partition whose records arrive long after all others, by input and number.
    pub(crate) held: Option<(usize, usize)>,
    /// What everybody begins with.
    pub(crate) first: File,
    settings: BTreeMap<File, Arc<Settings>>,
    shape: Shape,
}

/// What all files of a scene have in common.
#[derive(Clone, Copy, Debug)]
struct Shape {
    has_two_inputs: bool,
    /// Whether records have a time of their own; how late they may be.
    times: Option<Option<&'static str>>,
    /// How labels come, where they have an input of their own.
    labels: Option<Labels>,
}

impl Scene {
    /// The scene of a seed. Of most kinds a quarter have labels that come by their own input.
    pub(crate) fn new(kind: Kind, size: Size, seed: u64) -> Scene {
        let has_labels = match kind {
            Kind::Labels => true,
            Kind::Truncate => false,
            _ => Random::new(mix(seed, 5)).chance(250),
        };
        let random = &mut Random::new(mix(seed, 1));
        let has_two_inputs = random.chance(400);
        let late_max = [None, None, Some("300 ms"), Some("20 min")];
        let times = random.chance(400).then(|| *random.pick(&late_max));
        if has_labels {
            return Scene::labelled(size, times, random);
        }
        let names: &[&str] = if has_two_inputs { &["x", "y"] } else { &["x"] };
        let topic = |(number, name): (usize, &&'static str)| {
            let count = random.between(1, if has_two_inputs { 2 } else { 3 });
            // One topic after the other, hours after what they tell of.
            let loaded = times.map(|_| LOADED_MS + number as Time * HOUR_MS * 2);
            let partitions = (0..count).map(|_| records(size.records_max, loaded, random));
            InputTopic { name, partitions: partitions.collect() }
        };
        let inputs = names.iter().enumerate().map(topic).collect();
        let shape = Shape { has_two_inputs, times, labels: None };
        Scene::of(inputs, None, shape, random)
    }

    /// Examples and, by an input of their own, their labels.
    fn labelled(size: Size, times: Option<Option<&'static str>>, random: &mut Random) -> Scene {
        let labels = Labels::new(random);
        let loaded = times.map(|_| LOADED_MS);
        let inputs = labels.topics(size.records_max, loaded, random);
        let is_held = random.chance(300);
        let held = is_held.then(|| (1, random.index(inputs[1].partitions.len())));
        let shape = Shape { has_two_inputs: false, times, labels: Some(labels) };
        Scene::of(inputs, held, shape, random)
    }

    fn of(
        inputs: Vec<InputTopic>,
        held: Option<(usize, usize)>,
        shape: Shape,
        random: &mut Random,
    ) -> Scene {
        let first = File { learned: 0, runs: 2 * u64::from(random.chance(350)), joins: 0 };
        Scene { inputs, held, first, settings: BTreeMap::new(), shape }
    }

    /// The settings of a file.
    pub(crate) fn settings(&mut self, file: File) -> Arc<Settings> {
        let shape = self.shape;
        let made = self.settings.entry(file);
        made.or_insert_with(|| Arc::new(settings(file, shape))).clone()
    }

    /// A file whose running half is another.
    pub(crate) fn other_runs(&self, file: File, random: &mut Random) -> File {
        File { runs: (file.runs + random.between(1, 3)) % 4, ..file }
    }

    /// A file that learns in another way.
    pub(crate) fn other_learning(&self, file: File, random: &mut Random) -> File {
        File { learned: (file.learned + random.between(1, 2)) % 3, ..file }
    }

    /// Something that somebody may ask for.
    pub(crate) fn request(&self, random: &mut Random) -> Decision {
        let models = ["linear", "tree", "nobody", "late"];
        match random.below(6) {
            0 => Decision::Reset { model: None },
            1 | 2 => Decision::Reset { model: Some((*random.pick(&models)).into()) },
            3 => Decision::Rollback,
            _ => {
                let version = random.chance(500).then(|| random.between(1, 9));
                Decision::Promote { model: (*random.pick(&models)).into(), version }
            }
        }
    }
}

const HOUR_MS: Time = 3_600_000;

/// When the first topic of records with a time of their own was loaded.
const LOADED_MS: Time = 11 * HOUR_MS;

/// How the records of an input are read. Other learning may mean other times: whoever adopts it
/// goes on with another order from the very next record.
fn input(columns: &[&str], file: File, shape: Shape) -> Value {
    let Some(late_max) = shape.times else {
        return json!({ "format": { "csv": { "columns": columns } } });
    };
    let columns = [columns, &["at"]].concat();
    let mut input = json!({ "format": { "csv": { "columns": columns } } });
    if let Some(late_max) = late_max {
        input["late_max"] = late_max.into();
    }
    match file.learned {
        0 => input["time"] = json!({ "ms": "at" }),
        1 => {
            input["time"] = json!({ "ms": "at" });
            input["ahead_max"] = "2 h".into();
        }
        _ => {}
    }
    input
}

fn settings(file: File, shape: Shape) -> Settings {
    let columns = ["a", "b", "cat", if shape.labels.is_some() { "id" } else { "class" }];
    let mut inputs = json!({ "x": input(&columns, file, shape) });
    if shape.has_two_inputs {
        inputs["y"] = input(&columns, file, shape);
    }
    let adwin = json!({ "adwin": { "delta": 0.9, "clock": 1, "only_increase": false } });
    let step = [0.1, 0.3, 0.7][file.learned as usize];
    let runs: [Value; 4] = [
        json!({ "every": "7 records", "keep": "2 versions" }),
        json!({ "every": "3 records", "keep": "5 versions" }),
        json!({ "every": "40 ms", "keep": "3 versions" }),
        json!({ "every": "7 records", "keep": "1 s" }),
    ];
    let carry = [json!([]), json!(["cat", "scaled.a"]), json!(["b"]), json!(["cat"])];
    let mut whole = json!({
        "name": "p",
        "input": inputs,
        "fields": {
            "a": { "number": {} },
            "b": { "number": { "missing": "mean" } },
            "cat": { "category": { "values_max": 4 } },
        },
        "label": { "field": "class", "type": { "class": { "values": ["0", "1"] } } },
        "features": {
            "scaled": { "standardize": { "of": ["a", "b"] } },
            "before": { "lag": { "of": ["label"] } },
            "recent": { "window": { "over": "5 records", "make": {
                "mean": { "mean": "a" }, "most": { "max": "b" } } } },
        },
        "model": {
            "linear": {
                "use": ["scaled", "before", "recent"],
                "learner": { "logistic_regression": {
                    "optimizer": { "sgd": { "step": step } } } },
                "reset_on": adwin,
            },
            "tree": {
                "use": ["a", "cat", "before"],
                "learner": { "hoeffding_tree": { "grace_period": 5, "delta": 0.2 } },
            },
        },
        "judge": {
            "metrics": [{ "accuracy": {} }],
            "over": if file.runs == 3 { "9 records" } else { "20 records" },
            "drift": adwin,
        },
        "versions": runs[file.runs as usize],
        "predictions": {
            "carry": carry[file.runs as usize],
            "answer": if file.runs == 1 { "live" } else { "all" },
        },
    });
    if let Some(labels) = shape.labels {
        whole["input"][labels.name] = input(&["id", "class"], file, shape);
        labels.change(&mut whole, file);
    }
    join(&mut whole, file.joins);
    let spec: Spec = serde_json::from_value(whole).expect("the settings above are right");
    Settings::of(&spec)
}

/// Models that join: one with a field and a step of its own, and one that reads these as well.
fn join(whole: &mut Value, models: u64) {
    if models == 0 {
        return;
    }
    let labels = whole["label"]["input"].clone();
    let inputs = whole["input"].as_object_mut().into_iter().flatten();
    for (_, input) in inputs.filter(|(name, _)| labels != **name) {
        input["paths"] = json!({ "late_b": "b", "late_cat": "cat" });
    }
    whole["fields"]["late_b"] = json!({ "number": { "missing": "previous" } });
    whole["fields"]["late_cat"] = json!({ "category": { "values_max": 3, "missing": "c0" } });
    whole["features"]["late_mean"] =
        json!({ "window": { "over": "4 records", "make": { "mean": { "mean": "late_b" } } } });
    whole["model"]["late"] = json!({
        "use": ["scaled", "late_mean", "late_cat", "before"],
        "learner": { "hoeffding_tree": { "grace_period": 4, "delta": 0.3 } },
    });
    if models > 1 {
        whole["model"]["later"] = json!({
            "use": ["late_mean", "recent"],
            "learner": { "logistic_regression": {} },
        });
    }
}

/// Settings of the past with what was to join later, beside all else: what the newer settings name
/// and those before them did not is as the newer ones have it.
pub(crate) fn beside(past: &Settings, from: &Settings, to: &Settings) -> Arc<Settings> {
    let mut all = past.clone();
    for table in ["model", "features", "fields"] {
        let named = |settings: &Settings| settings.learned[table].as_object().cloned();
        let (known, before) = (named(from).unwrap_or_default(), named(past).unwrap_or_default());
        for (name, value) in named(to).into_iter().flatten() {
            if !known.contains_key(&name) || !before.contains_key(&name) {
                all.learned[table][name] = value;
            }
        }
    }
    let inputs = to.learned["input"].as_object();
    for (name, input) in inputs.into_iter().flatten() {
        if input["paths"].is_object() && all.learned["input"][name].is_object() {
            all.learned["input"][name]["paths"] = input["paths"].clone();
        }
    }
    Arc::new(all)
}

/// The records of one partition, with wild timestamps and some garbage. Where they were loaded, the
/// log has the time of that, and they have one of their own.
fn records(most: u64, loaded: Option<Time>, random: &mut Random) -> Vec<Kept> {
    let count = random.between(most / 2, most);
    let mut time = 1_000 + random.below(50) as Time;
    let turning = random.below(count + 1);
    let mut one = |index: u64| {
        time += random.below(20) as Time;
        let at = match random.below(20) {
            0 => time + 1_000_000,
            1 => (time - 900).max(0),
            2..=5 => time / 16 * 16,
            _ => time,
        };
        let key = random.chance(500).then(|| format!("k{}", random.below(3)).into_bytes().into());
        let value = value(index >= turning, random);
        kept(Told { time, at, key, value }, loaded, random)
    };
    (0..count).map(&mut one).collect()
}

/// A record before it is one.
struct Told {
    /// When its neighbours were.
    time: Time,
    /// When it was, or says it was.
    at: Time,
    key: Option<Box<[u8]>>,
    value: Option<String>,
}

fn kept(told: Told, loaded: Option<Time>, random: &mut Random) -> Kept {
    let Told { time, at, key, value } = told;
    let (time, value) = match loaded {
        None => (at, value),
        Some(loaded) => {
            let logged = loaded + if random.chance(50) { at } else { time };
            (logged, value.map(|value| format!("{value},{}", stated(at, logged, random))))
        }
    };
    let value = value.map(|value| value.into_bytes().into());
    Kept { time, key, value, headers: Box::default() }
}

/// The time that a record states: sometimes none, sometimes one that cannot be.
fn stated(at: Time, logged: Time, random: &mut Random) -> String {
    match random.below(40) {
        0 => "soon".to_string(),
        1 => "-5".to_string(),
        2 => (logged + HOUR_MS * 3 / 2).to_string(),
        3 => (logged + 5 * HOUR_MS).to_string(),
        _ => at.to_string(),
    }
}

fn value(turned: bool, random: &mut Random) -> Option<String> {
    Some(match random.below(24) {
        0 => return None,
        1 => "garbage".to_string(),
        2 => "1,2,c0,7".to_string(),
        3 => "x,2,c0,1".to_string(),
        _ => {
            let (a, b) = (random.below(200) as i64 - 100, random.below(100));
            let is_one = (a > 0) ^ turned ^ random.chance(100);
            let b = if random.chance(80) { String::new() } else { format!("{}.5", b) };
            format!("{a},{b},c{},{}", random.below(6), u8::from(is_one))
        }
    })
}
