//! What runs have left in a log.

#[path = "records.rs"]
pub(crate) mod records;

use std::collections::BTreeMap;

use alluvium_ledger::log::Log;
use records::each_record;
use serde_json::Value;

/// State digests by model and version.
pub(crate) type Versions = BTreeMap<(String, u64), String>;

/// What was answered, and what went to the dead letters: the place in the input, and the text, by
/// the place in the order: step and ordinal.
pub(crate) type Outputs = BTreeMap<(u64, u64), (String, String)>;

/// The versions and the outputs of a pipeline.
pub(crate) fn left(log: &mut dyn Log, pipeline: &str) -> (Versions, Outputs) {
    let mut outputs = Outputs::new();
    for topic in ["predictions", "dead-letters"] {
        take(log, &format!("{pipeline}.{topic}"), &mut outputs);
    }
    (versions(log, &format!("{pipeline}.models")), outputs)
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

/// Every output of a topic, each alone at its place in the order.
fn take(log: &mut dyn Log, topic: &str, found: &mut Outputs) {
    each_record(log, topic, |_, record| {
        let header = |name: &str| {
            std::str::from_utf8(record.headers.get(name).unwrap()).unwrap().to_string()
        };
        let order = header("order");
        let parts: Vec<u64> = order.split('.').map(|part| part.parse().unwrap()).collect();
        let text = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
        let before = found.insert((parts[0], parts[1]), (header("at"), text));
        assert!(before.is_none(), "the output {order} was released twice");
    });
}
