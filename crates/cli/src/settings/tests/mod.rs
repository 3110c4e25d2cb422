//! What a file of settings is read as, and how its mistakes are shown.

mod after;
mod names;
mod syntax;
mod values;

use alluvium_flow::spec::Spec;
use alluvium_learn::{Bytes, Over, Span};
use expect_test::{Expect, expect};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::*;

/// A file without a mistake, to be spoiled.
const GOOD: &str = r#"name = "electricity"

[input.electricity]
load = "electricity.csv.xz"
format.csv = { columns = ["period", "price", "class"] }

[fields]
period = "number"
price.number = { min = 0.0, missing = "mean" }

[label]
field = "class"
type.class = ["0", "1"]

[features]
scaled.standardize = ["period", "price"]

[model.same]
use = ["scaled"]
learner = "no_change"

[judge]
metrics = ["accuracy"]
over = "1000 records"

[versions]
every = "10000 records"
keep = "20 versions"
"#;

/// Shapes that the settings of components have, so that the words can be seen before there are
/// such components.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Toy {
    /// How many. Range: 1 to 100. Default: 10.
    #[schemars(range(min = 1, max = 100))]
    bins: u32,
    /// How sure. Range: above 0 and below 1. Default: 0.5.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    delta: f64,
    /// How much memory. Default: `"64 MiB"`.
    memory_max: Bytes,
    /// How long. Default: `"30 d"`.
    forget_after: Span,
    /// How far back. Default: `"1000 records"`.
    over: Option<Over>,
    /// How to split. Default: `"gini"`.
    split: Split,
    /// How to step. Default: sgd.
    optimizer: Option<Optimizer>,
    /// Whether to. Default: false.
    flag: bool,
    /// Steps back. Default: none.
    back: Vec<u32>,
    /// Small. Default: 0.
    small: u8,
}

#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Split {
    /// One way.
    #[default]
    Gini,
    /// Another way.
    InfoGain,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Optimizer {
    Ftrl(Ftrl),
    Sgd(Sgd),
    Plain,
}

#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Ftrl {
    alpha: f64,
}

#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "step"))]
struct Sgd {
    step: f64,
}

impl Default for Toy {
    fn default() -> Toy {
        Toy {
            bins: 10,
            delta: 0.5,
            memory_max: Bytes(64 << 20),
            forget_after: Span(1),
            over: None,
            split: Split::Gini,
            optimizer: None,
            flag: false,
            back: Vec::new(),
            small: 0,
        }
    }
}

fn spec(text: &str) -> Spec {
    read("pipeline.toml", text).unwrap().value
}

#[track_caller]
fn check(text: &str, shown: Expect) {
    let mistakes = read::<Spec>("pipeline.toml", text).unwrap_err();
    shown.assert_eq(&mistakes.show(false));
}

/// The good file, with one part of it replaced.
#[track_caller]
fn check_spoiled(from: &str, to: &str, shown: Expect) {
    assert!(GOOD.contains(from));
    check(&GOOD.replacen(from, to, 1), shown);
}

#[track_caller]
fn check_toy(text: &str, shown: Expect) {
    let mistakes = read::<Toy>("toy.toml", text).unwrap_err();
    shown.assert_eq(&mistakes.show(false));
}

#[test]
fn the_good_file_is_good() {
    let spec = spec(GOOD);
    let json = json!({ "csv": { "columns": ["period", "price", "class"], "delimiter": "," } });
    assert_eq!(serde_json::to_value(&spec.input["electricity"].format).unwrap(), json);
    assert_eq!(spec.input["electricity"].load, ["electricity.csv.xz"]);
    assert_eq!(spec.judge.metrics.len(), 1);
}

#[test]
fn shorthands_mean_what_they_stand_for() {
    let long = GOOD
        .replace(r#"period = "number""#, "period.number = {}")
        .replace(r#"type.class = ["0", "1"]"#, r#"type.class = { values = ["0", "1"] }"#)
        .replace(r#"["period", "price"]"#, r#"{ of = ["period", "price"] }"#)
        .replace(r#""no_change""#, "{ no_change = {} }")
        .replace(r#"["accuracy"]"#, "[{ accuracy = {} }]")
        .replace(r#""electricity.csv.xz""#, r#"["electricity.csv.xz"]"#);
    assert_eq!(spec(&long), spec(GOOD));
    let toy = |text| serde_json::to_value(read::<Toy>("", text).unwrap().value).unwrap();
    assert_eq!(toy("optimizer = \"sgd\"")["optimizer"], json!({ "sgd": { "step": 0.0 } }));
    assert_eq!(toy("optimizer.sgd = 1")["optimizer"], json!({ "sgd": { "step": 1.0 } }));
    assert_eq!(toy("optimizer = \"plain\"")["optimizer"], json!("plain"));
    assert_eq!(toy("[optimizer.plain]")["optimizer"], json!("plain"));
    assert_eq!(toy("split = \"info_gain\"")["split"], json!("info_gain"));
}

#[test]
fn all_mistakes_are_shown_at_once_in_the_order_of_the_file() {
    let text = r#"
[judge]
metric = ["accuracy"]
over = "10 m"

[model.same]
learner = "no_chnge"
use = []

[fields]
price.numbr = { min = "0" }
"#;
    check(
        text,
        expect![[r#"
            error: missing `name`
             --> pipeline.toml:1:1
              |
            1 |
              | ^
              |
              = help: `name` is the pipeline's name: the first part of the names of its topics

            error: missing `input`
             --> pipeline.toml:1:1
              |
            1 |
              | ^
              |
              = help: `input` is the inputs, by name: the topics that examples come from

            error: unknown key `metric` in `judge`
             --> pipeline.toml:3:1
              |
            3 | metric = ["accuracy"]
              | ^^^^^^ did you mean `metrics`?
              |
              = help: known here: `drift`, `metrics`, `over`

            error: `over` must be a time with a unit: "10 min" for minutes
             --> pipeline.toml:4:8
              |
            4 | over = "10 m"
              |        ^^^^^^

            error: unknown kind of learner: `no_chnge`
             --> pipeline.toml:7:11
              |
            7 | learner = "no_chnge"
              |           ^^^^^^^^^^ did you mean `no_change`?
              |
              = help: one of `cusum`, `ewma`, `hoeffding_tree`, `k_means`, `linear_regression`,
                      `logistic_regression`, `majority`, `mean`, `no_change`, `robust_z`

            error: `use` must have at least 1 entry
             --> pipeline.toml:8:7
              |
            8 | use = []
              |       ^^

            error: unknown kind of field: `numbr`
              --> pipeline.toml:11:7
               |
            11 | price.numbr = { min = "0" }
               |       ^^^^^ did you mean `number`?
               |
               = help: one of `number`, `numbers`, `category`, `flag`, `text`, `id`

            pipeline.toml: 7 mistakes"#]],
    );
}

/// Jobs that the format was tried on. Some use what is still to come.
#[test]
fn pipelines_of_many_jobs_are_read_but_for_what_is_still_to_come() {
    let files =
        std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/settings/tests/pipelines"));
    let mut files_read = 0;
    for file in files.unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        files_read += 1;
        let Err(mistakes) = read::<Spec>(&path.display().to_string(), &text) else { continue };
        for mistake in mistakes.list() {
            // The last is `only.below`, a bound on the answers that are written.
            let beginnings = ["unknown k", "`only` must be"];
            let is_unknown = beginnings.iter().any(|begin| mistake.message.starts_with(begin));
            let is_to_come = is_unknown || mistake.is_missing;
            assert!(is_to_come, "{mistakes}");
        }
    }
    assert_eq!(files_read, 15);
}

#[test]
fn no_text_makes_the_reader_panic() {
    let bytes: Vec<char> = GOOD.chars().collect();
    for cut in 0..bytes.len() {
        let start: String = bytes[..cut].iter().collect();
        drop(read::<Spec>("x", &start).map_err(|mistakes| mistakes.show(false)));
        for other in ['"', '[', '=', '.', '\n', 'é', '{', '0'] {
            let mut changed = bytes.clone();
            changed[cut] = other;
            let changed: String = changed.iter().collect();
            drop(read::<Spec>("x", &changed).map_err(|mistakes| mistakes.show(false)));
        }
    }
}
