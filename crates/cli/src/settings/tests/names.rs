//! Keys and kinds: unknown, missing, two at once, in the wrong place.

use expect_test::expect;

use super::*;

#[test]
fn an_unknown_key_is_shown_with_the_nearest_known_one() {
    check_spoiled(
        "over =",
        "ovr =",
        expect![[r#"
            error: unknown key `ovr` in `judge`
              --> pipeline.toml:24:1
               |
            24 | ovr = "1000 records"
               | ^^^ did you mean `over`?
               |
               = help: known here: `drift`, `metrics`, `over`

            pipeline.toml: 1 mistake"#]],
    );
    check_spoiled(
        "over =",
        "evry =",
        expect![[r#"
            error: unknown key `evry` in `judge`
              --> pipeline.toml:24:1
               |
            24 | evry = "1000 records"
               | ^^^^
               |
               = help: known here: `drift`, `metrics`, `over`

            pipeline.toml: 1 mistake"#]],
    );
}

#[test]
fn a_key_in_the_wrong_table_is_sent_to_the_right_one() {
    check_spoiled(
        "over = \"1000 records\"",
        "carry = [\"period\"]",
        expect![[r#"
            error: unknown key `carry` in `judge`
              --> pipeline.toml:24:1
               |
            24 | carry = ["period"]
               | ^^^^^ this belongs in `[predictions]`
               |
               = help: known here: `drift`, `metrics`, `over`

            pipeline.toml: 1 mistake"#]],
    );
}

#[test]
fn an_unknown_table_is_shown_with_the_nearest_known_one() {
    check_spoiled(
        "[model.same]",
        "[models.same]",
        expect![[r#"
            error: unknown key `models`
              --> pipeline.toml:18:2
               |
            18 | [models.same]
               |  ^^^^^^ did you mean `model`?
               |
               = help: known here: `champion`, `features`, `fields`, `input`, `judge`, `label`, `log`,
                       `model`, `name`, `predictions`, `refusals`, `versions`

            pipeline.toml: 1 mistake"#]],
    );
}

#[test]
fn a_typo_in_a_kind_is_shown_with_the_kinds_there_are() {
    check_spoiled(
        "\"no_change\"",
        "\"nochange\"",
        expect![[r#"
            error: unknown kind of learner: `nochange`
              --> pipeline.toml:20:11
               |
            20 | learner = "nochange"
               |           ^^^^^^^^^^ did you mean `no_change`?
               |
               = help: one of `cusum`, `ewma`, `hoeffding_tree`, `k_means`, `linear_regression`,
                       `logistic_regression`, `majority`, `mean`, `no_change`, `robust_z`

            pipeline.toml: 1 mistake"#]],
    );
    check_spoiled(
        "scaled.standardize",
        "scaled.standardise",
        expect![[r#"
            error: unknown kind of step: `standardise`
              --> pipeline.toml:16:8
               |
            16 | scaled.standardise = ["period", "price"]
               |        ^^^^^^^^^^^ did you mean `standardize`?
               |
               = help: one of `clip`, `cross`, `difference`, `hash`, `impute`, `lag`, `log1p`, `min_max`,
                       `one_hot`, `ratio`, `standardize`, `window`

            pipeline.toml: 1 mistake"#]],
    );
    check_spoiled(
        "[\"accuracy\"]",
        "[\"accuracy\", \"acuracy\"]",
        expect![[r#"
            error: unknown kind of metric: `acuracy`
              --> pipeline.toml:23:24
               |
            23 | metrics = ["accuracy", "acuracy"]
               |                        ^^^^^^^^^ did you mean `accuracy`?
               |
               = help: one of `accuracy`, `balanced_accuracy`, `f1`, `log_loss`, `roc_auc`,
                       `average_precision`, `precision_at`, `recall_at`, `kappa`, `kappa_t`, `mae`,
                       `rmse`, `r2`, `sum_of_squares`

            pipeline.toml: 1 mistake"#]],
    );
    check_spoiled(
        "period = \"number\"",
        "period = \"float\"",
        expect![[r#"
            error: unknown kind of field: `float`
             --> pipeline.toml:8:10
              |
            8 | period = "float"
              |          ^^^^^^^
              |
              = help: one of `number`, `numbers`, `category`, `flag`, `text`, `id`

            pipeline.toml: 1 mistake"#]],
    );
}

#[test]
fn two_kinds_in_one_place_are_refused() {
    check_spoiled(
        "price.number = { min = 0.0, missing = \"mean\" }",
        "price.number = { min = 0.0 }\nprice.category = { values_max = 3 }",
        expect![[r#"
            error: two kinds in one place: `number` and `category`
              --> pipeline.toml:10:7
               |
             9 | price.number = { min = 0.0 }
               |       ------
            10 | price.category = { values_max = 3 }
               |       ^^^^^^^^
               |
               = help: keep one

            pipeline.toml: 1 mistake"#]],
    );
}

#[test]
fn a_setting_beside_its_kind_is_sent_into_it() {
    check_spoiled(
        "price.number = { min = 0.0, missing = \"mean\" }",
        "price.number = {}\nprice.min = 0.0",
        expect![[r#"
            error: `min` is a setting of `number`, and stands beside it
              --> pipeline.toml:10:7
               |
            10 | price.min = 0.0
               |       ^^^
               |
               = help: write `price.number.min = ...`

            pipeline.toml: 1 mistake"#]],
    );
    check_spoiled(
        "price.number = { min = 0.0, missing = \"mean\" }",
        "price.min = 0.0",
        expect![[r#"
        error: `min` is a setting of a kind, and the kind is not named
         --> pipeline.toml:9:7
          |
        9 | price.min = 0.0
          |       ^^^
          |
          = help: write `price.number.min = ...`

        pipeline.toml: 1 mistake"#]],
    );
}

#[test]
fn a_kind_that_needs_a_setting_says_which() {
    check_spoiled(
        "period = \"number\"",
        "period = \"numbers\"",
        expect![[r#"
        error: missing `count` in `fields.period.numbers`
         --> pipeline.toml:8:10
          |
        8 | period = "numbers"
          |          ^^^^^^^^^
          |
          = help: `count` is how many numbers: columns in CSV, elements of an array elsewhere; a
                  record with another number of them is refused

        pipeline.toml: 1 mistake"#]],
    );
    check_spoiled(
        "load =",
        "time = \"ms\"\nload =",
        expect![[r#"
        error: `ms` needs a value: a string
         --> pipeline.toml:4:8
          |
        4 | time = "ms"
          |        ^^^^
          |
          = help: write `time.ms = ...`

        pipeline.toml: 1 mistake"#]],
    );
}

#[test]
fn what_is_missing_is_named_with_what_it_is() {
    check(
        "",
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

        error: missing `model`
         --> pipeline.toml:1:1
          |
        1 |
          | ^
          |
          = help: `model` is the models, by name, that learn side by side

        pipeline.toml: 3 mistakes"#]],
    );
    check_spoiled(
        "learner = \"no_change\"\n",
        "",
        expect![[r#"
            error: missing `learner` in `model.same`
              --> pipeline.toml:18:8
               |
            18 | [model.same]
               |        ^^^^
               |
               = help: `learner` is how it learns: `learner = "kind"`, or `learner.kind = settings`; one
                       of `cusum`, `ewma`, `hoeffding_tree`, `k_means`, `linear_regression`,
                       `logistic_regression`, `majority`, `mean`, `no_change`, `robust_z`

            pipeline.toml: 1 mistake"#]],
    );
    check_spoiled(
        "format.csv = { columns = [\"period\", \"price\", \"class\"] }\n",
        "",
        expect![[r#"
        error: missing `format` in `input.electricity`
         --> pipeline.toml:3:8
          |
        3 | [input.electricity]
          |        ^^^^^^^^^^^
          |
          = help: `format` is the format of a record's value; one of `csv`, `json`

        pipeline.toml: 1 mistake"#]],
    );
}
