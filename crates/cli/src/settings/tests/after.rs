//! What is made of what was read: places, the form for programs, the schema for editors.

use alluvium_learn::ConfigError;
use expect_test::expect;

use super::*;

#[test]
fn a_program_gets_line_and_column() {
    let text = GOOD.replace("over =", "ovr =").replace("\"no_change\"", "\"nochange\"");
    let mistakes = read::<Spec>("pipeline.toml", &text).unwrap_err();
    expect![[r#"
        [
          {
            "column": 11,
            "file": "pipeline.toml",
            "help": "did you mean `no_change`?; one of `cusum`, `ewma`, `hoeffding_tree`, `k_means`, `linear_regression`, `logistic_regression`, `majority`, `mean`, `no_change`, `robust_z`",
            "line": 20,
            "message": "unknown kind of learner: `nochange`",
            "path": "model.same.learner"
          },
          {
            "column": 1,
            "file": "pipeline.toml",
            "help": "did you mean `over`?; known here: `drift`, `metrics`, `over`",
            "line": 24,
            "message": "unknown key `ovr` in `judge`",
            "path": "judge.ovr"
          }
        ]"#]]
    .assert_eq(&serde_json::to_string_pretty(&mistakes.to_json()).unwrap());
}

#[test]
fn colour_is_used_when_it_is_asked_for() {
    let mistakes = read::<Toy>("toy.toml", "bins = 0").unwrap_err();
    assert!(mistakes.show(true).contains("\u{1b}["));
    assert!(!mistakes.show(false).contains("\u{1b}["));
    assert!(!read::<Toy>("t", "\"\\u001b[31m\" = 1").unwrap_err().show(false).contains('\u{1b}'));
}

#[test]
fn a_mistake_found_later_is_shown_at_its_place() {
    let toy = "bins = 3\n[optimizer]\nsgd = 0.5\n";
    let places = read::<Toy>("toy.toml", toy).unwrap().places;
    let later = vec![
        places.unfit("", &ConfigError::new("bins", 3, "even")),
        places.unfit("optimizer.sgd", &ConfigError::new("step", 0.5, "at most 0.1")),
        places.unfit("optimizer.sgd", &ConfigError::new("decay", 0, "above 0")),
        places.unfit("optimizer.sgd", &ConfigError::unfit("needs a label")),
        places.mistake("nowhere.at.all", "something", "be careful"),
    ];
    expect![[r#"
        error: something
         --> toy.toml:1:1
          |
        1 | bins = 3
          | ^
          |
          = help: be careful

        error: `bins` must be even
         --> toy.toml:1:8
          |
        1 | bins = 3
          |        ^ this is 3

        error: `step` must be at most 0.1
         --> toy.toml:3:7
          |
        3 | sgd = 0.5
          |       ^^^ this is 0.5

        error: `decay` must be above 0
         --> toy.toml:3:7
          |
        3 | sgd = 0.5
          |       ^^^ `decay` is 0 here

        error: needs a label
         --> toy.toml:3:7
          |
        3 | sgd = 0.5
          |       ^^^

        toy.toml: 5 mistakes"#]]
    .assert_eq(&places.mistakes(later).show(false));
}

#[test]
fn entries_of_a_list_have_places() {
    let places = read::<Spec>("pipeline.toml", GOOD).unwrap().places;
    let place = |path: &str| &GOOD[places.span(path)];
    assert_eq!(place("features.scaled.standardize.of[1]"), "\"price\"");
    assert_eq!(place("features.scaled.standardize.of[9]"), "[\"period\", \"price\"]");
    assert_eq!(place("judge.metrics[0].accuracy"), "\"accuracy\"");
    assert_eq!(place("model.same.learner.no_change.x.y"), "\"no_change\"");
    assert_eq!(place("model.same.class_weight"), "same");
}

#[test]
fn what_the_schema_lets_through_and_serde_does_not_is_our_own_mistake() {
    #[derive(Debug, Deserialize, JsonSchema)]
    struct Hidden {
        #[schemars(with = "String")]
        #[expect(dead_code)]
        number: u32,
    }
    let mistakes = read::<Hidden>("toy.toml", "number = \"1\"").unwrap_err();
    expect![[r#"
        error: cannot take this value: invalid type: string "1", expected u32
         --> toy.toml:1:10
          |
        1 | number = "1"
          |          ^^^
          |
          = help: the file agrees with its schema, so this is a mistake of alluvium's own

        toy.toml: 1 mistake"#]]
    .assert_eq(&mistakes.show(false));
}

#[test]
fn editors_take_the_shorthands() {
    let schema = json_schema::<Spec>();
    let learner = &schema["$defs"]["LearnerConfig"]["oneOf"];
    let bare = learner.as_array().unwrap().last().unwrap();
    assert!(bare["enum"].as_array().unwrap().contains(&json!("no_change")), "{bare}");
    let class = &schema["$defs"]["ClassLabel"]["anyOf"];
    assert_eq!(class[0]["type"], "object");
    assert_eq!(class[1]["type"], "array");
    let time = schema["$defs"]["EventTime"]["oneOf"].as_array().unwrap();
    assert!(time.iter().all(|kind| kind["type"] == "object"));
    let field = schema["$defs"]["Field"]["oneOf"].as_array().unwrap().last().unwrap();
    assert!(!field["enum"].as_array().unwrap().contains(&json!("numbers")), "{field}");
    let text = schema.to_string();
    assert!(!text.contains("[`") && !text.contains("`]"));
    let toy = json_schema::<Toy>();
    assert_eq!(toy["$defs"]["Optimizer"]["oneOf"].as_array().unwrap().len(), 4);
}
