//! In which order the partitions of an input are fetched, and how far one of them lags, changes
//! nothing of what is learned.
#![allow(clippy::unwrap_used)]

#[path = "support/options.rs"]
mod options;

use std::sync::Arc;

use alluvium_flow::{Headers, Labels, Settings, spec::Spec};
use alluvium_ledger::{
    keeper::{Keeper, Next, Options, Signals},
    log::{Log, Outgoing, Policy},
};
use alluvium_sim::{Faults, Random, VirtualLog};
use options::options;
use serde_json::{Value, json};

/// Records of each of the three partitions.
const RECORDS: i64 = 80;
const HOUR: i64 = 3_600_000;

/// A record of an input: topic, partition, time and value.
type Told = (&'static str, u32, i64, String);

/// What a pipeline has learned of some records.
struct Case {
    settings: Arc<Settings>,
    /// The topics and how many partitions each has.
    topics: Vec<(&'static str, u32)>,
    told: Vec<Told>,
}

/// All that has to be the same.
#[derive(Debug, PartialEq)]
struct Learned {
    digest: String,
    versions: Vec<String>,
    learned: u64,
    labels: Option<Labels>,
}

fn settings(file: Value) -> Arc<Settings> {
    let spec: Spec = serde_json::from_value(file).unwrap();
    Arc::new(Settings::of(&spec))
}

impl Case {
    /// Three partitions; the records of the last are hours older than those of the others.
    fn plain() -> Case {
        let file = json!({
            "name": "p",
            "input": { "x": { "format": { "csv": { "columns": ["a", "y"] } } } },
            "fields": { "a": { "number": {} } },
            "label": { "field": "y", "type": { "number": {} } },
            "features": {
                "before": { "lag": { "of": ["a", "label"] } },
                "scaled": { "standardize": { "of": ["a"] } },
            },
            "model": {
                "one": { "use": ["scaled", "before"], "learner": { "linear_regression": {} } },
            },
            "versions": { "every": "50 records" },
        });
        let mut told = Vec::new();
        for partition in 0..3 {
            for number in 0..RECORDS {
                let lag = if partition == 2 { 5 * HOUR } else { 0 };
                // Now and then two partitions have the same time.
                let time =
                    10 * HOUR + number * 150_000 + i64::from(partition % 2) * (number % 3) - lag;
                let value = format!("{},{}", number % 17 + i64::from(partition), number % 5);
                told.push(("x", partition, time, value));
            }
        }
        Case { settings: settings(file), topics: vec![("x", 3)], told }
    }

    /// Payments on two partitions, and what was charged back on two others, of which one tells of
    /// everything hours later.
    fn labelled() -> Case {
        let csv = |columns: [&str; 2]| json!({ "format": { "csv": { "columns": columns } } });
        let file = json!({
            "name": "p",
            "input": { "labels": csv(["id", "y"]), "x": csv(["a", "id"]) },
            "fields": { "a": { "number": {} }, "id": { "id": {} } },
            "label": {
                "field": "y", "type": { "class": { "values": ["no", "yes"] } },
                "input": "labels", "match": "id", "wait": "1 h", "absent": "no",
                "late": { "correct": { "within": "4 h" } },
            },
            "features": {
                "before": { "lag": { "of": ["a", "label"] } },
                "scaled": { "standardize": { "of": ["a"] } },
            },
            "model": {
                "one": { "use": ["scaled", "before"], "learner": { "logistic_regression": {} } },
            },
            "versions": { "every": "50 records" },
        });
        let mut random = Random::new(24);
        let mut said = Vec::new();
        for number in 0..2 * RECORDS {
            let (partition, time) = (random.below(2) as u32, 10 * HOUR + number * 75_000);
            let id =
                if random.chance(50) { random.below(number as u64 + 1) } else { number as u64 };
            said.push(("x", partition, time, format!("{},p{id}", random.below(9))));
            let of = if random.chance(60) { "nobody" } else { "p" };
            // Half of them come in time, before the payment or a good deal later; some twice.
            for _ in 0..[0, 1, 1, 2][random.index(4)] {
                let partition = random.below(2) as u32;
                let lag = if partition == 1 { 2 * HOUR + HOUR / 2 } else { 0 };
                let came = time + random.below(HOUR as u64) as i64 - HOUR / 4 + lag;
                let y = if random.chance(300) { "yes" } else { "no" };
                said.push(("labels", partition, came, format!("{of}{id},{y}")));
            }
        }
        said.sort_by_key(|(_, _, time, _)| *time);
        Case { settings: settings(file), topics: vec![("labels", 2), ("x", 2)], told: said }
    }

    fn log(&self, seed: u64, faults: Faults) -> VirtualLog {
        let mut log = VirtualLog::new(seed, Faults::none());
        for (topic, partitions) in &self.topics {
            log.create(topic, *partitions, Policy::Delete { retention_ms: None }).unwrap();
        }
        let mut appender = log.appender().unwrap();
        for (topic, partition, time, value) in &self.told {
            let route = appender.route(topic, *partition).unwrap();
            let (value, headers) = (Some(value.as_bytes()), Headers::default());
            appender.submit(route, Outgoing { time: *time, key: None, value, headers });
        }
        appender.poll(&mut Vec::new()).unwrap();
        log.set_faults(faults);
        log
    }

    fn learned(&self, seed: u64, faults: Faults, options: Options) -> Learned {
        let log = self.log(seed, faults);
        let mut keeper = Keeper::new(log.client(), options);
        for now in 0..1_000_000 {
            log.turn_world();
            if keeper.turn(now, Signals { lease: true, stop: false }).unwrap() == Next::Done {
                let pipeline = keeper.pipeline().unwrap();
                let versions = &pipeline.registry().models[0].1.live;
                return Learned {
                    digest: pipeline.state_digest("one").unwrap(),
                    versions: versions.iter().map(|one| one.state_digest.clone()).collect(),
                    learned: pipeline.counters().learned,
                    labels: pipeline.labels(),
                };
            }
        }
        panic!("seed {seed}: no end");
    }

    fn options(&self) -> Options {
        Options { cut_records_max: 1_000, ..options(&self.settings) }
    }

    /// What comes of it, in whatever order it is fetched.
    fn check(&self) -> Learned {
        let expected = self.learned(0, Faults::none(), self.options());
        assert!(expected.versions.len() >= 4);
        for seed in 1..=1_000 {
            let faults = Faults { batch_records_max: 1 + seed % 9, ..Faults::delays() };
            let cut_records_max = [1, 5, 40, 1_000][seed as usize % 4];
            let buffer_bytes = [100, 2_000, 1 << 20][seed as usize % 3];
            let options = Options { cut_records_max, buffer_bytes, ..self.options() };
            assert_eq!(self.learned(seed, faults, options), expected, "seed {seed}");
        }
        expected
    }
}

#[test]
fn a_thousand_orders_of_fetches_learn_the_same() {
    assert_eq!(Case::plain().check().learned, 3 * RECORDS as u64);
}

#[test]
fn a_thousand_orders_of_fetches_join_the_same_labels() {
    let labels = Case::labelled().check().labels.unwrap();
    let never = |(name, count): &(&str, u64)| *count == 0 && *name != "pushed_out";
    let counts = labels.counts.named();
    assert!(!counts.iter().any(never), "every case must come about: {counts:?}");
}
