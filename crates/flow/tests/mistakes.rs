//! Settings of the right form that cannot be: each is one mistake, at its place.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use alluvium_flow::{Pipeline, Settings, spec::Spec};
use serde_json::{Value, json};

/// The places and messages of the mistakes of a pipeline with these steps and that model.
fn mistakes(features: Value, model: Value) -> Vec<(String, String)> {
    let file = json!({
        "name": "mistaken",
        "input": { "rows": { "format": { "csv": { "columns": ["y", "a"] } } } },
        "fields": { "a": { "number": {} } },
        "label": { "field": "y", "type": { "class": { "values": ["no", "yes"] } } },
        "features": features,
        "model": { "one": model },
    });
    let spec: Spec = serde_json::from_value(file).unwrap();
    match Pipeline::build(&Arc::new(Settings::of(&spec))) {
        Ok(_) => Vec::new(),
        Err(error) => error.mistakes.into_iter().map(|one| (one.path, one.message)).collect(),
    }
}

#[test]
fn a_class_weight_out_of_range_is_one_mistake_at_its_class() {
    let weighted = |weight: f64| {
        let weights = json!({ "yes": weight });
        mistakes(
            json!({}),
            json!({ "use": ["a"], "learner": { "majority": {} }, "class_weight": weights }),
        )
    };
    for weight in [0.0, 0.5, 1e9] {
        assert_eq!(weighted(weight), []);
    }
    for weight in [-1.0, 1.1e9, 1e300] {
        let place = "model.one.class_weight.yes".to_string();
        assert_eq!(weighted(weight), [(place, format!("the weight is {weight}"))]);
    }
}

/// 16 times 2^28 is one more than a slot's number can count.
#[test]
fn more_hashed_slots_than_can_be_counted_are_refused() {
    let used = |count: usize| {
        let names: Vec<String> = (0..count).map(|index| format!("hashed_{index:02}")).collect();
        let step = json!({ "hash": { "of": ["a"], "bits": 28 } });
        let features = names.iter().map(|name| (name.clone(), step.clone()));
        let features = Value::Object(features.collect());
        mistakes(features, json!({ "use": names, "learner": { "majority": {} } }))
    };
    assert_eq!(used(15), []);
    let found = used(16);
    let [(place, message)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(place, "model.one.use[15]");
    assert!(message.contains("hashed slots"), "{message}");
}

#[test]
fn a_cycle_is_one_mistake_and_names_the_steps_in_it_alone() {
    let standardize = |of: &str| json!({ "standardize": { "of": [of] } });
    let features = json!({
        "first": standardize("last"), "last": standardize("first"), "reader": standardize("first"),
    });
    let one = json!({ "use": ["reader", "last"], "learner": { "majority": {} } });
    let found = mistakes(features, one.clone());
    let said = "these steps read each other: first, last";
    assert_eq!(found, [("features.first".to_string(), said.to_string())]);
    let features = json!({ "reader": standardize("reader"), "last": standardize("a") });
    let said = "`reader` reads itself";
    assert_eq!(mistakes(features, one), [("features.reader".to_string(), said.to_string())]);
}

#[test]
fn what_reads_a_mistaken_step_is_no_mistake() {
    let step = |of: &str| json!({ "one_hot": { "of": [of] } });
    let features = json!({ "first": step("a"), "second": step("first") });
    let one = json!({ "use": ["first.a", "second"], "learner": { "majority": {} } });
    let found = mistakes(features, one);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "features.first.one_hot.of");
}

#[test]
fn a_model_goes_by_an_id_or_a_category() {
    let by = |by: &str| {
        let model = json!({ "use": ["a"], "by": by, "learner": { "majority": {} } });
        mistakes(json!({}), model)
    };
    let place = || "model.one.by".to_string();
    assert_eq!(by("a"), [(place(), "`a` is neither an id nor a category".to_string())]);
    assert_eq!(by("card"), [(place(), "there is no field or step `card`".to_string())]);
}
