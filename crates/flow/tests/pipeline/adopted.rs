//! What may be adopted: settings that the state fits, by name and not by size alone.

use std::sync::Arc;

use alluvium_flow::{Decision, Effects, Input, News};
use serde_json::{Value, json};

use crate::{file, pipeline, read, settings};

fn with_step() -> Value {
    let mut file = file();
    file["fields"]["c"] = json!({ "number": {} });
    file["input"]["x"]["paths"] = json!({ "c": "b" });
    file["features"] = json!({ "scaled": { "standardize": { "of": ["a", "b"] } } });
    file["model"]["second"] =
        json!({ "use": ["scaled"], "learner": { "logistic_regression": {} } });
    file
}

/// Why settings cannot be adopted by a pipeline that has learned by others; `None`: they can.
fn refusal(from: &Value, to: &Value) -> Option<String> {
    let mut pipeline = pipeline(from);
    read(&mut pipeline, &["1,2,me,no", "3,4,me,yes"]);
    let wanted = settings(to);
    let could = pipeline.could_adopt(&wanted).err();
    let before = pipeline.save();
    let mut effects = Effects::default();
    pipeline.step(Input::Decided(&Decision::Adopt { settings: Arc::clone(&wanted) }), &mut effects);
    let refused = effects.news.iter().any(|news| matches!(news, News::Refused { .. }));
    assert_eq!(could.is_some(), refused, "what is said before is what happens");
    if refused {
        let after = pipeline.save();
        let differs = before.iter().filter(|(name, bytes)| after[*name] != **bytes);
        assert_eq!(differs.map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["counters"]);
    }
    could
}

#[test]
fn weights_are_never_given_to_other_features() {
    let from = with_step();
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut to = with_step();
        change(&mut to);
        refusal(&from, &to).is_some()
    };
    assert!(!changed(&|_| ()));
    assert!(!changed(&|to| to["fields"]["a"] = json!({ "number": { "min": 0.0 } })));
    assert!(changed(&|to| to["model"]["linear"]["use"] = json!(["b", "a"])));
    assert!(changed(&|to| to["model"]["linear"]["use"] = json!(["a", "c"])));
    assert!(changed(&|to| to["features"]["scaled"]["standardize"]["of"] = json!(["b", "a"])));
    assert!(changed(&|to| {
        to["features"]["scaled"] = json!({ "min_max": { "of": ["a", "b"] } });
    }));
    let filled = |missing: Value| json!({ "number": { "missing": missing } });
    let (mut from, mut to) = (with_step(), with_step());
    (from["fields"]["a"], to["fields"]["a"]) = (filled(json!(5.0)), filled(json!(7.0)));
    assert!(refusal(&from, &to).is_some(), "5 would go on standing in");
    from["fields"]["a"] = filled(json!("mean"));
    assert!(refusal(&from, &to).is_some(), "the mean would stand in for good");
}

#[test]
fn a_champion_that_was_left_out_hands_over_to_the_first() {
    let from = with_step();
    let mut to = with_step();
    to["model"].as_object_mut().unwrap().remove("linear");
    let mut pipeline = pipeline(&from);
    read(&mut pipeline, &["1,2,me,no", "3,4,me,yes"]);
    let mut effects = Effects::default();
    pipeline.step(Input::Publish, &mut effects);
    assert_eq!(&**pipeline.registry().champion_version().unwrap().0, "linear");
    effects.clear();
    pipeline.step(Input::Decided(&Decision::Adopt { settings: settings(&to) }), &mut effects);
    assert_eq!(&**pipeline.registry().champion_version().unwrap().0, "second");
    assert!(effects.models.iter().any(|record| record.key.starts_with("alias/champion/")));
    assert!(effects.news.iter().any(|news| matches!(news, News::Champion { .. })));
}
