//! What a model's settings are made of, and so its identity.

use alluvium_flow::{Effects, Input, ModelRecord, Predictor, Sections};
use serde_json::{Value, json};

use crate::{file, pipeline, read, spec};

/// The settings and the sections of the newest version among effects.
fn version(effects: &Effects) -> (Value, Sections) {
    let of_version = |record: &&ModelRecord| record.key.starts_with("v/");
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
    let (settings, sections) = version(&effects);
    Predictor::new(&settings, "linear", &sections).unwrap();
}
