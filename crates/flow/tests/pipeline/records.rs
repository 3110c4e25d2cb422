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

/// A sensor that measures what another one always does has jumped, for all that.
#[test]
fn each_sensor_has_a_model_of_its_own() {
    let mut file = file();
    file.as_object_mut().unwrap().remove("label");
    file["model"] = json!({ "jump": { "use": ["a"], "by": "who", "learner": { "cusum": {} } } });
    file["predictions"] = json!({ "carry": ["who"] });
    let mut pipeline = pipeline(&file);
    let sensors = ["hall", "oven"];
    let celsius = |sensor: usize, index: usize| [20, 220][sensor] + (index % 3) as i64;
    for index in 0..20 {
        for (sensor, who) in sensors.iter().enumerate() {
            let seen =
                outputs(&read(&mut pipeline, &[&format!("{},0,{who},", celsius(sensor, index))]));
            assert_eq!(seen[0]["anomaly"], json!(false));
        }
    }
    let seen = outputs(&read(&mut pipeline, &["220,0,hall,", "221,0,oven,", "220,0,garden,"]));
    let anomalies: Vec<_> = seen.iter().map(|output| &output["anomaly"]).collect();
    assert_eq!(anomalies, [true, false, false]);
    assert_eq!(seen[0]["carry"]["who"], "hall");
    assert!(seen[0]["answer"].as_f64().is_some_and(|score| score > 0.9), "{}", seen[0]);
}

#[test]
fn only_anomalies_are_written_where_that_is_asked_for() {
    let mut file = file();
    file.as_object_mut().unwrap().remove("label");
    file["model"] = json!({ "jump": { "use": ["a"], "learner": { "cusum": {} } } });
    let rows: Vec<String> =
        (0..40).map(|n| format!("{},0,me,", 20 + n % 3 + n / 39 * 90)).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let mut all = pipeline(&file);
    let written = outputs(&read(&mut all, &rows));
    file["predictions"] = json!({ "only": "anomalies" });
    let mut few = pipeline(&file);
    let anomalies = outputs(&read(&mut few, &rows));
    let expected = written.iter().filter(|output| output["anomaly"] == json!(true));
    assert_eq!((written.len(), anomalies.len()), (40, 1));
    assert!(expected.eq(&anomalies));
    assert_eq!(few.state_digest("jump"), all.state_digest("jump"), "it learns all of them");
    // Where no model can find one, nothing would ever be written.
    file["model"] = json!({ "k": { "use": ["a"], "learner": { "k_means": { "k": 2 } } } });
    let spec = serde_json::from_value(file).unwrap();
    let mistakes = alluvium_flow::Pipeline::of_spec(&spec).err().unwrap().mistakes;
    assert_eq!(mistakes[0].path, "predictions.only");
}
