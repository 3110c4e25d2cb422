//! What runs have left in a log.

use std::{collections::BTreeMap, thread, time::Duration};

use alluvium_flow::Record;
use alluvium_ledger::{log::Log, read::Observer};
use serde_json::Value;

/// State digests by model and version.
pub(crate) type Versions = BTreeMap<(String, u64), String>;

/// The place in the input, and the answer, by the place in the order: step and ordinal.
pub(crate) type Predictions = BTreeMap<(u64, u64), (String, String)>;

/// Hands every record of a topic to a function.
pub(crate) fn each_record(log: &mut dyn Log, topic: &str, mut see: impl FnMut(u32, Record<'_>)) {
    let ends = log.ends(topic).unwrap().unwrap();
    let mut idle = |_| {
        thread::sleep(Duration::from_millis(1));
        true
    };
    let mut observer = Observer { log, idle: &mut idle };
    for (partition, ends) in (0..).zip(&ends.partitions) {
        let see = |record: Record<'_>| see(partition, record);
        observer.each(topic, partition, ends.earliest, ends.stable, see).unwrap();
    }
}

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
