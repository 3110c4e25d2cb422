//! What runs have left in a log, and said.

#[path = "records.rs"]
pub(crate) mod records;

use std::{collections::BTreeMap, process::Output};

use alluvium_ledger::log::Log;
use records::each_record;
use serde_json::Value;

/// State digests by model and version.
pub(crate) type Versions = BTreeMap<(String, u64), String>;

/// The place in the input, and the answer, by the place in the order: step and ordinal.
pub(crate) type Predictions = BTreeMap<(u64, u64), (String, String)>;

/// The versions and the predictions of a pipeline.
pub(crate) fn left(log: &mut dyn Log, pipeline: &str) -> (Versions, Predictions) {
    let (models, answers) = (format!("{pipeline}.models"), format!("{pipeline}.predictions"));
    (versions(log, &models), predictions(log, &answers))
}

/// Every version that is there. One that was published again has to be the same.
fn versions(log: &mut dyn Log, topic: &str) -> Versions {
    let mut found = Versions::new();
    each_record(log, topic, |_, record| {
        let key = std::str::from_utf8(record.key.unwrap()).unwrap();
        let parts: Vec<&str> = key.split('/').collect();
        if let (["v", model, version], Some(manifest)) = (parts.as_slice(), record.value) {
            let manifest: Value = serde_json::from_slice(manifest).unwrap();
            let digest = manifest["state_digest"].as_str().unwrap().to_string();
            let version = (model.to_string(), version.parse().unwrap());
            let before = found.insert(version, digest.clone());
            assert!(before.is_none_or(|before| before == digest), "{key} is two models");
        }
    });
    found
}

/// Every prediction, each alone at its place in the order.
fn predictions(log: &mut dyn Log, topic: &str) -> Predictions {
    let mut found = Predictions::new();
    each_record(log, topic, |_, record| {
        let header = |name: &str| {
            std::str::from_utf8(record.headers.get(name).unwrap()).unwrap().to_string()
        };
        let order = header("order");
        let parts: Vec<u64> = order.split('.').map(|part| part.parse().unwrap()).collect();
        let answer = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
        let before = found.insert((parts[0], parts[1]), (header("at"), answer));
        assert!(before.is_none(), "the prediction {order} was released twice");
    });
    found
}

/// The versions that a run has printed.
pub(crate) fn printed(output: &Output) -> Versions {
    let mut found = Versions::new();
    // A killed run's last line may be cut off.
    let lines = output.stdout.split(|byte| *byte == b'\n');
    let events = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    for event in events.filter(|event| event["event"] == "version") {
        let model = event["model"].as_str().unwrap().to_string();
        let digest = event["state_digest"].as_str().unwrap().to_string();
        found.insert((model, event["version"].as_u64().unwrap()), digest);
    }
    found
}

/// The next of a stream of random bits (splitmix64).
pub(crate) fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = *state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

pub(crate) fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |value| value.parse().unwrap())
}
