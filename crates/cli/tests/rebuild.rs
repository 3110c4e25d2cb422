//! A pipeline is made of another as if some records had never come, and goes on.

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

const FILE: &str = r#"
name = "p"

[input.x]
load = "x.csv"
format.csv = { columns = ["a", "b", "class"] }

[fields]
a = "number"
b.number = { missing = "mean" }

[label]
field = "class"
type.class = ["no", "yes"]

[features]
scaled.standardize = ["a", "b"]

[model.linear]
use = ["scaled"]
learner = "logistic_regression"

[model.tree]
use = ["a", "b"]
learner.hoeffding_tree = { grace_period = 50 }

[versions]
every = "300 records"
"#;

struct Home(TempDir);

impl Home {
    /// With so many rows, but for some.
    fn of(rows: u64, is_there: impl Fn(u64) -> bool) -> Home {
        let home = Home(tempfile::tempdir().unwrap());
        fs::write(home.0.path().join("pipeline.toml"), FILE).unwrap();
        let mut text = String::new();
        for row in (0..rows).filter(|row| is_there(*row)) {
            let (a, b) = (row * 37 % 101, row * 53 % 89);
            let class = if (a > 50) ^ (row % 11 == 0) { "yes" } else { "no" };
            writeln!(text, "{a},{b},{class}").unwrap();
        }
        fs::write(home.0.path().join("x.csv"), text).unwrap();
        home
    }

    fn call(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alluvium"));
        command.args(arguments).current_dir(self.0.path()).output().unwrap()
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.call(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.call(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        said
    }
}

/// The newest state of each model among events.
fn states(events: &str) -> BTreeMap<String, String> {
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let versions = events.filter(|event| event["event"] == "version");
    let state = |event: Value| {
        let text = |name: &str| event[name].as_str().unwrap().to_string();
        (text("model"), text("state_digest"))
    };
    versions.map(state).collect()
}

#[test]
fn what_is_rebuilt_is_what_it_were_without_the_records() {
    let home = Home::of(1_000, |_| true);
    home.ok(&["run"]);
    let spans = ["--without", "x:0:400..450", "--without", "x:0:990..1000"];
    let rebuild = [&["rebuild"], &spans[..], &["--as", "clean", "--json"]].concat();
    let made = home.ok(&rebuild);
    let without = |row| !(400..450).contains(&row) && !(990..1000).contains(&row);
    let expected = states(&Home::of(1_000, without).ok(&["run", "--json"]));
    assert_eq!(states(&made), expected);
    assert!(made.contains("\"read\":940"), "{made}");
    // By how much it differs, and that nothing differs from itself.
    let diff = |a: &str, b: &str| -> Value {
        let call = ["models", "diff", "pipeline.toml", a, b, "--records", "200", "--json"];
        serde_json::from_str(&home.ok(&call)).unwrap()
    };
    let other = diff("tree", "clean/tree@1");
    assert_eq!(other["versions"][0]["records"], 1_000);
    assert_eq!(other["versions"][1]["records"], 940);
    assert_eq!(other["answers"]["records"], 200);
    assert!(other["answers"]["score_difference_max"].as_f64().unwrap() > 0.0, "{other}");
    assert_ne!(other["sections"]["model"]["equal"], other["sections"]["model"]["bytes"][0]);
    let same = diff("linear", "linear@4");
    let (a, b) = (&same["versions"][0]["state_digest"], &same["versions"][1]["state_digest"]);
    assert_eq!((a, &same["answers"]["different"]), (b, &Value::from(0)));
    let text = home.ok(&["models", "diff", "pipeline.toml", "linear", "clean/linear"]);
    assert!(
        ["clean/linear@1", "accuracy", "model", "newest 1,000"]
            .iter()
            .all(|part| text.contains(part)),
        "{text}"
    );
    // It is a pipeline like any other: it goes on, and can be learned again.
    let more = Home::of(1_300, |row| row >= 1_000);
    fs::copy(more.0.path().join("x.csv"), home.0.path().join("more.csv")).unwrap();
    home.ok(&["load", "pipeline.toml", "more.csv"]);
    let went_on = states(&home.ok(&["run", "--as", "clean", "--json"]));
    assert_eq!(went_on, states(&Home::of(1_300, without).ok(&["run", "--json"])));
    let verified = home.ok(&["verify", "pipeline.toml", "--all", "--as", "clean"]);
    assert!(verified.contains("are what was published"), "{verified}");
    assert!(home.ok(&["verify", "pipeline.toml", "--all"]).contains("are what was published"));
}

#[test]
fn what_cannot_be_rebuilt_is_refused_with_what_would_be_right() {
    let home = Home::of(300, |_| true);
    home.ok(&["run"]);
    let said = |span: &str, name: &str| home.refused(&["rebuild", "--without", span, "--as", name]);
    assert!(said("x:0:290..310", "clean").contains("x:0 was learned from 0 to 300"));
    assert!(said("y:0:1..2", "clean").contains("no input of this pipeline"));
    assert!(said("x:3:1..2", "clean").contains("x:3 was not read yet"));
    assert!(said("x:0:5..5", "clean").contains("holds nothing"));
    assert!(said("x:0:5", "clean").contains("is no span"));
    assert!(said("x:0:1..2", "p").contains("give another name"));
    home.ok(&["rebuild", "--without", "x:0:1..2", "--as", "clean"]);
    assert!(said("x:0:1..2", "clean").contains("already"));
}
