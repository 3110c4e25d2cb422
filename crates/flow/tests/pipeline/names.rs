//! Names in a pipeline file: each stands for one thing, and can be said wherever it is used.

use serde_json::{Value, json};

use crate::{file, mistakes};

/// The places of the mistakes in a file.
fn places(file: &Value) -> Vec<String> {
    mistakes(file).into_iter().map(|mistake| mistake.path).collect()
}

#[test]
fn the_label_is_no_field_under_any_name() {
    let field = |name: &str, path: &str| {
        let mut file = file();
        file["fields"][name] = json!({ "category": {} });
        file["input"]["x"]["paths"] = json!({ name: path });
        file
    };
    assert_eq!(places(&field("class", "class")), ["fields.class"]);
    assert_eq!(places(&field("leak", "class")), ["fields.leak"]);
    assert_eq!(places(&field("honest", "a")), [""; 0]);

    let mut several = file();
    several["input"]["x"]["format"]["csv"]["columns"] = json!(["a", "b", "who", "f", "class"]);
    several["fields"]["f"] = json!({ "numbers": { "count": 2 } });
    assert_eq!(places(&several), [""; 0], "a column of the file stands for as many");

    let nested = |label: &str, count: u32| {
        let mut file = file();
        file["input"]["x"] = json!({ "format": { "json": {} }, "paths": { "class": label } });
        file["fields"]["f"] = json!({ "numbers": { "count": count } });
        file
    };
    assert_eq!(places(&nested("f[2]", 3)), ["fields.f"]);
    assert_eq!(places(&nested("f[3]", 3)), [""; 0]);
    assert_eq!(places(&nested("in.f[2]", 3)), [""; 0]);
}

#[test]
fn a_name_that_could_not_be_said_elsewhere_is_a_mistake() {
    let renamed = |table: &str, from: &str, to: &str| {
        let mut file = file();
        file["input"]["x"]["topic"] = json!("x");
        file["features"] = json!({ "scaled": { "standardize": { "of": ["a"] } } });
        let moved = file[table][from].take();
        file[table].as_object_mut().unwrap().remove(from);
        file[table][to] = moved;
        places(&file)
    };
    for wrong in ["", "m/1", "m@1", "m 1", "m\"", "m\n", "m.1", "m~"] {
        assert_eq!(renamed("model", "linear", wrong), [format!("model.{wrong}")], "{wrong:?}");
        assert_eq!(renamed("features", "scaled", wrong), [format!("features.{wrong}")]);
    }
    for wrong in ["", "x/1", "x\"", "x:0", "x\\"] {
        assert_eq!(renamed("input", "x", wrong), [format!("input.{wrong}")], "{wrong:?}");
    }
    for right in ["m-1", "M_2", "größe", "x1"] {
        assert_eq!(renamed("model", "linear", right), [""; 0]);
        assert_eq!(renamed("features", "scaled", right), [""; 0]);
    }
    assert_eq!(renamed("input", "x", "payments.v1"), [""; 0]);
    for (name, is_right) in [("p-1_A", true), ("../p", false), ("", false), ("a b", false)] {
        let mut file = file();
        file["name"] = json!(name);
        assert_eq!(places(&file).is_empty(), is_right, "{name:?}");
    }
}

#[test]
fn a_model_is_not_named_as_a_baseline() {
    let named = |name: &str, label: Value| {
        let mut file = file();
        file["label"]["type"] = label;
        file["model"] = json!({ name: { "use": ["a"], "learner": { "no_change": {} } } });
        places(&file)
    };
    let (class, number) = (json!({ "class": {} }), json!({ "number": {} }));
    assert_eq!(named("majority", class.clone()), ["model.majority"]);
    assert_eq!(named("no_change", class.clone()), ["model.no_change"]);
    assert_eq!(named("mean", number.clone()), ["model.mean"]);
    assert_eq!(named("mean", class), [""; 0]);
    assert_eq!(named("majority", number), [""; 0]);
}

#[test]
fn one_name_stands_for_one_column() {
    let mut twice = file();
    twice["input"]["x"]["format"] = json!({ "json": {} });
    twice["fields"]["scaled.a"] = json!({ "number": {} });
    twice["features"] = json!({ "scaled": { "standardize": { "of": ["a"] } } });
    assert_eq!(places(&twice), ["fields.scaled.a"]);
    twice["fields"].as_object_mut().unwrap().remove("scaled.a");
    twice["fields"]["other.b"] = json!({ "number": {} });
    assert_eq!(places(&twice), [""; 0]);
    twice["fields"]["b"] = json!({ "numbers": { "count": 2 } });
    twice["fields"]["b.1"] = json!({ "number": {} });
    assert_eq!(places(&twice), ["fields.b.1"]);

    let mut label = file();
    label["fields"]["label"] = json!({ "number": {} });
    label["input"]["x"]["paths"] = json!({ "label": "a" });
    assert_eq!(places(&label), ["fields.label"], "steps call the newest label so");
}

#[test]
fn a_value_is_listed_once() {
    let mut classes = file();
    classes["model"]["linear"]["learner"] = json!({ "no_change": {} });
    classes["label"]["type"] = json!({ "class": { "values": ["no", "yes", "no"] } });
    assert_eq!(places(&classes), ["label.type.class.values[2]"]);
    let mut names = file();
    names["fields"]["b"] = json!({ "category": { "values": ["x", "x"] } });
    names["model"]["linear"]["use"] = json!(["a"]);
    assert_eq!(places(&names), ["fields.b.category.values[1]"]);
}
