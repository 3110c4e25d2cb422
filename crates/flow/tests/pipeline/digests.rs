//! What a model's settings are made of, and so its identity.

use alluvium_flow::{Effects, Input, ModelRecord, Predictor, Sections};
use serde_json::{Value, json};

use crate::{file, mistakes, pipeline, read, spec};

/// The settings and the sections of the version of a model among effects.
pub(crate) fn version(effects: &Effects, model: &str) -> (Value, Sections) {
    let prefix = format!("v/{model}/");
    let of_version =
        |record: &&ModelRecord| record.key.starts_with(&prefix) && record.value.is_some();
    let records = || effects.models.iter().filter(of_version);
    let manifest = records().find(|record| record.key.matches('/').count() == 2);
    let manifest: Value =
        serde_json::from_slice(manifest.unwrap().value.as_ref().unwrap()).unwrap();
    let pages = records().filter(|record| record.key.matches('/').count() == 3);
    let mut sections = Sections::new();
    for (page, record) in manifest["pages"].as_array().unwrap().iter().zip(pages) {
        let section = sections.entry(page["section"].as_str().unwrap().to_string()).or_default();
        section.extend_from_slice(record.value.as_ref().unwrap());
    }
    (manifest["settings"].clone(), sections)
}

#[test]
fn a_field_with_a_point_in_its_name_is_part_of_the_model_that_reads_it() {
    let mut dotted = file();
    dotted["input"]["x"]["format"]["csv"]["columns"] = json!(["a.b", "b", "who", "class"]);
    dotted["fields"] = json!({ "a.b": { "number": { "min": 0.0 } }, "b": { "number": {} } });
    dotted["features"] = json!({ "log": { "log1p": { "of": ["a.b"] } } });
    dotted["model"]["linear"]["use"] = json!(["a.b", "log.b"]);
    let model = spec(&dotted).model_json("linear").unwrap();
    assert_eq!(model["fields"], json!({ "a.b": { "number": { "min": 0.0 } } }));

    let mut pipeline = pipeline(&dotted);
    read(&mut pipeline, &["1,2,me,no", "3,4,me,yes"]);
    let mut effects = Effects::default();
    pipeline.step(Input::Publish, &mut effects);
    let (settings, sections) = version(&effects, "linear");
    Predictor::new(&settings, "linear", &sections).unwrap();
}

#[test]
fn a_model_that_leaves_a_field_of_many_columns_out_still_counts_them() {
    let mut wide = file();
    wide["input"]["x"]["format"]["csv"]["columns"] = json!(["v", "a", "b", "who", "class"]);
    wide["fields"]["f"] = json!({ "numbers": { "count": 3 } });
    wide["input"]["x"]["paths"] = json!({ "f": "v" });
    wide["model"]["all"] = json!({ "use": ["f"], "learner": { "logistic_regression": {} } });
    assert_eq!(mistakes(&wide), []);
    let columns = |model: &str| {
        let settings = spec(&wide).model_json(model).unwrap();
        settings["input"]["x"]["format"]["csv"]["columns"].clone()
    };
    assert_eq!(columns("linear"), json!(["v", "_", "_", "a", "b", "who", "class"]));
    assert_eq!(columns("all"), json!(["v", "a", "b", "who", "class"]), "the field says how many");
}
