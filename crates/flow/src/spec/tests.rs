//! What a pipeline file says, in its canonical form.

use serde_json::{Value, json};

use super::*;

fn smallest() -> Value {
    json!({
        "name": "electricity",
        "input": { "electricity": { "format": { "csv": { "columns": ["a", "b", "c", "class"] } } } },
        "fields": { "a": { "number": {} }, "b": { "number": {} }, "c": { "number": {} } },
        "label": { "field": "class", "type": { "class": { "values": ["0", "1"] } } },
        "features": { "scaled": { "standardize": { "of": ["a"] } } },
        "model": { "one": { "use": ["scaled.a", "b"], "learner": { "no_change": {} } } },
    })
}

fn spec(value: &Value) -> Spec {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn what_equals_its_default_is_left_out_of_both_halves() {
    let value = smallest();
    let mut learned = value.clone();
    learned.as_object_mut().unwrap().remove("name");
    assert_eq!(spec(&value).learned_json(), learned);
    let running = json!({ "name": "electricity", "input": { "electricity": {} } });
    assert_eq!(spec(&value).running_json(), running);
}

#[test]
fn a_default_that_is_written_out_changes_nothing() {
    let value = smallest();
    let mut full = value.clone();
    full["input"]["electricity"]["partitions"] = json!(1);
    full["input"]["electricity"]["format"]["csv"]["delimiter"] = json!(",");
    full["input"]["electricity"]["load"] = json!([]);
    full["fields"]["a"]["number"] = json!({ "min": null, "missing": null });
    full["label"]["type"]["class"]["values_max"] = json!(100);
    full["judge"] = json!({ "metrics": [], "over": "1_000 records" });
    full["log"] = json!({ "embedded": { "directory": "alluvium" } });
    full["refusals"] = json!({ "share_max": 0.05 });
    assert_eq!(spec(&full).learned_json(), spec(&value).learned_json());
    assert_eq!(spec(&full).running_json(), spec(&value).running_json());
    assert_eq!(spec(&full), spec(&value));
}

#[test]
fn a_change_shows_in_the_half_it_belongs_to() {
    let before = spec(&smallest());
    let mut value = smallest();
    value["input"]["electricity"]["topic"] = json!("other");
    value["input"]["electricity"]["load"] = json!("file.csv");
    value["judge"] = json!({ "metrics": [{ "accuracy": {} }] });
    let running = spec(&value);
    assert_eq!(running.learned_json(), before.learned_json());
    assert_eq!(running.running_json()["input"]["electricity"]["load"], json!(["file.csv"]));
    assert_eq!(running.running_json()["judge"]["metrics"], json!([{ "accuracy": {} }]));

    let mut value = smallest();
    value["fields"]["a"]["number"]["missing"] = json!("mean");
    let learned = spec(&value);
    assert_ne!(learned.learned_json(), before.learned_json());
    assert_eq!(learned.running_json(), before.running_json());
}

#[test]
fn a_model_is_told_by_what_it_reads_alone() {
    let model = spec(&smallest()).model_json("one").unwrap();
    assert_eq!(model["fields"], json!({ "a": { "number": {} }, "b": { "number": {} } }));
    assert_eq!(model["features"], json!({ "scaled": { "standardize": { "of": ["a"] } } }));
    assert_eq!(model["model"], json!({ "use": ["scaled.a", "b"], "learner": { "no_change": {} } }));

    let mut value = smallest();
    value["features"]["more"] = json!({ "standardize": { "of": ["c", "scaled"] } });
    value["input"]["electricity"]["paths"] = json!({ "c": "$key" });
    value["model"]["two"] = json!({ "use": ["more"], "learner": { "no_change": {} } });
    let both = spec(&value);
    assert_eq!(both.model_json("one").unwrap(), model);
    let second = both.model_json("two").unwrap();
    assert_eq!(second["fields"], json!({ "a": { "number": {} }, "c": { "number": {} } }));
    assert_eq!(second["input"]["electricity"]["paths"], json!({ "c": "$key" }));
    assert_eq!(both.model_json("three"), None);
}

#[test]
fn the_first_champion_is_the_one_named_or_the_first_by_name() {
    let mut value = smallest();
    value["model"]["another"] = json!({ "use": ["a"], "learner": { "no_change": {} } });
    assert_eq!(spec(&value).first_champion(), Some("another"));
    value["champion"] = json!({ "first": "one" });
    assert_eq!(spec(&value).first_champion(), Some("one"));
}

#[test]
fn keep_is_read_and_written_alike() {
    assert_eq!("20 versions".parse(), Ok(Keep::Versions(20)));
    assert_eq!("1 version".parse(), Ok(Keep::Versions(1)));
    assert_eq!("90 d".parse(), Ok(Keep::Time(90 * 86_400_000)));
    assert_eq!(Keep::Versions(20).to_string(), "20 versions");
    assert_eq!(Keep::Time(3_600_000).to_string(), "1 h");
    for wrong in ["0 versions", "many versions", "20", "0 s", "9 m", ""] {
        assert!(wrong.parse::<Keep>().is_err(), "{wrong}");
    }
}

#[test]
fn every_setting_has_a_comment_that_names_its_default_or_says_it_is_required() {
    let schema = schemars::schema_for!(Spec).to_value();
    let mut bare = Vec::new();
    let ours = |name: &&String| !name.ends_with("Config");
    let definitions = schema["$defs"].as_object().unwrap().iter().filter(|(name, _)| ours(name));
    for (name, definition) in definitions {
        for (field, setting) in definition["properties"].as_object().into_iter().flatten() {
            let comment = setting["description"].as_str().unwrap_or_default();
            if !comment.contains("Default:") && !comment.contains("Required") {
                bare.push(format!("{name}.{field}"));
            }
        }
    }
    assert_eq!(bare, Vec::<String>::new());
}
