//! What becomes of single records.

use serde_json::json;

use crate::{file, outputs, pipeline, read};

#[test]
fn an_unknown_class_is_the_labels_mistake_whatever_is_carried() {
    for carry in [json!([]), json!(["who"])] {
        let mut file = file();
        file["predictions"] = json!({ "carry": carry });
        let letters = outputs(&read(&mut pipeline(&file), &["1,2,me,maybe"]));
        assert_eq!(letters[0]["reason"], "unknown_class");
        assert_eq!(letters[0]["field"], json!(null), "no field is to blame");
        let explained = "label \"class\" is a class that is not in the list";
        assert_eq!(letters[0]["explained"], explained);
    }
}

#[test]
fn a_class_with_a_very_long_name_is_no_class() {
    let mut file = file();
    file["label"]["type"] = json!({ "class": {} });
    file["model"]["linear"]["learner"] = json!({ "hoeffding_tree": {} });
    let mut pipeline = pipeline(&file);
    let [fits, long] = [1024, 1025].map(|length| format!("1,2,me,{}", "x".repeat(length)));
    let letters = outputs(&read(&mut pipeline, &[&fits, &long]));
    assert_eq!(pipeline.counters().learned, 1);
    assert_eq!(letters[1]["explained"], "label \"class\" is larger than allowed");
}
