//! The example with labels that come late, held against plain code that knows nothing of flow or
//! ledger: which label met which payment, how often each thing happened, and every answer of both
//! models, bit by bit.

#![allow(clippy::unwrap_used)]

#[path = "support/plain_join.rs"]
mod plain_join;
#[path = "support/plain_model.rs"]
mod plain_model;

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use alluvium_fraud::Plan;
use plain_join::{Counts, Join, Record, bookings, merged, payments};
use plain_model::Plain;
use serde_json::{Value, json};

/// How long the example waits, in milliseconds.
const WAIT: i64 = 45 * 86_400_000;

/// Payments and their answers of one model, by the payment's id.
type Scores = BTreeMap<String, f64>;

fn call(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alluvium"));
    let output = command.args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What was counted, as `status --json` says it.
fn counts(folder: &Path) -> Counts {
    let status: Value =
        serde_json::from_str(&call(folder, &["status", "pipeline.toml", "--json"])).unwrap();
    assert_eq!(status["refused"], 0);
    for none in ["repeated", "corrected", "pushed_out"] {
        assert_eq!(status["labels"][none], 0, "{none}");
    }
    let count = |name: &str| status["labels"][name].as_u64().unwrap();
    assert_eq!(status["learned"].as_u64().unwrap(), count("labelled") + count("absent"));
    Counts {
        labelled: count("labelled"),
        early: count("early"),
        absent: count("absent"),
        waiting: count("examples_waiting"),
        duplicate: count("duplicate"),
        conflicting: count("conflicting"),
        late: count("late"),
        unmatched: count("unmatched"),
        parked: count("labels_waiting"),
    }
}

/// What each model answered.
fn answers(folder: &Path) -> BTreeMap<String, Scores> {
    let mut answers: BTreeMap<String, Scores> = BTreeMap::new();
    let shown = call(folder, &["show", "pipeline.toml", "predictions", "--json", "--last", "0"]);
    for line in shown.lines() {
        let answer: Value = serde_json::from_str(line).unwrap();
        let id = answer["carry"]["payment_id"].as_str().unwrap().to_string();
        let score = answer["score"].as_f64().unwrap();
        let model = answer["model"].as_str().unwrap().to_string();
        assert_eq!(answers.entry(model).or_default().insert(id, score), None);
    }
    answers
}

/// The two models of the example.
fn models() -> [(&'static str, Plain); 2] {
    let ftrl = json!({ "ftrl": { "alpha": 0.3, "l1": 1.0 } });
    let linear = json!({ "logistic_regression": { "optimizer": ftrl } });
    let tree = json!({ "hoeffding_tree": {
        "grace_period": 2000, "split": "gini", "leaf": "majority", "tau": 0.1, "bins": 50,
        "branch_share_min": 0.0005, "majority_share_max": 0.9995,
    } });
    let seen = ["log", "usual", "velocity", "card_10min.count", "card_24h", "pulse", "present"];
    [
        ("linear", Plain::new(linear, &["scaled", "present", "pairs"], 5.0)),
        ("tree", Plain::new(tree, &seen, 20.0)),
    ]
}

#[test]
fn counts_and_answers_are_those_of_plain_code() {
    let made = alluvium_fraud::make(&Plan { payments: 100_000, seed: 2, cards: None });
    let folder = tempfile::tempdir().unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/fraud/pipeline.toml");
    fs::copy(example, folder.path().join("pipeline.toml")).unwrap();
    made.write(&folder.path().join("data")).unwrap();
    call(folder.path(), &["run", "pipeline.toml", "--json"]);

    let [paid, booked] =
        [made.payments(), made.chargebacks()].map(|text| String::from_utf8(text).unwrap());
    let order = merged(vec![(payments(&paid), 3), (bookings(&booked), 2)]);
    let join = Join::of(&order, WAIT);
    assert_eq!(counts(folder.path()), join.counts);

    // What is so by construction. Which of two that are seconds apart comes first is the order's.
    let truth = &made.truth;
    assert_eq!(join.counts.labelled, truth.labelled());
    assert_eq!(join.counts.absent + join.counts.waiting, truth.absent() + truth.waiting);
    assert_eq!(join.counts.duplicate, truth.doubled);
    assert_eq!(join.counts.conflicting, truth.conflicting);
    assert_eq!(join.counts.late, truth.late);
    assert_eq!(join.counts.unmatched + join.counts.parked, truth.unknown);

    let answers = answers(folder.path());
    for (name, mut model) in models() {
        let scores = model.run(&order, &join.events);
        assert_eq!((scores.len(), answers[name].len()), (100_000, 100_000));
        for (place, score) in scores {
            let Record::Payment(payment) = &order[place] else { panic!("{place} is no payment") };
            let given = answers[name][&payment.id];
            assert_eq!(given.to_bits(), score.to_bits(), "{name} of {}", payment.id);
        }
    }
}
