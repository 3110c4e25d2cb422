//! Text that is no TOML.

use expect_test::expect;

use super::*;

#[test]
fn a_name_given_twice_shows_both() {
    check_spoiled(
        "period = \"number\"",
        "period = \"number\"\nperiod = \"id\"",
        expect![[r#"
        error: `period` is written twice
         --> pipeline.toml:9:1
          |
        8 | period = "number"
          | ------ the first time
        9 | period = "id"
          | ^^^^^^ the second time

        pipeline.toml: 1 mistake"#]],
    );
    check_spoiled(
        "{ min = 0.0,",
        "{ min = 0.0, min = 1.0,",
        expect![[r#"
        error: `min` is written twice
         --> pipeline.toml:9:29
          |
        9 | price.number = { min = 0.0, min = 1.0, missing = "mean" }
          |                  ---        ^^^ the second time
          |                  |
          |                  the first time

        pipeline.toml: 1 mistake"#]],
    );
    check_spoiled(
        "[judge]",
        "[features]\n[judge]",
        expect![[r#"
            error: `features` is written twice
              --> pipeline.toml:22:2
               |
            15 | [features]
               |  -------- the first time
            ...
            22 | [features]
               |  ^^^^^^^^ the second time

            pipeline.toml: 1 mistake"#]],
    );
}

#[test]
fn what_is_no_toml_is_said_plainly() {
    check_spoiled(
        "name = \"electricity\"",
        "name = electricity",
        expect![[r#"
            error: a string goes in quotes
             --> pipeline.toml:1:8
              |
            1 | name = electricity
              |        ^^^^^^^^^^^
              |
              = help: write `"electricity"`

            pipeline.toml: 1 mistake"#]],
    );
    check_spoiled(
        "name = \"electricity\"",
        "name = \"electricity",
        expect![[r#"
        error: the string does not end
         --> pipeline.toml:1:20
          |
        1 | name = "electricity
          |                    ^
          |
          = help: close it with `"`

        pipeline.toml: 1 mistake"#]],
    );
    check_spoiled(
        "[model.same]",
        "[model.same",
        expect![[r#"
        error: the table's name does not end
          --> pipeline.toml:18:12
           |
        18 | [model.same
           |            ^
           |
           = help: close it with `]`

        pipeline.toml: 1 mistake"#]],
    );
    check_spoiled(
        "over = \"1000 records\"",
        "over = 10 min",
        expect![[r#"
            error: a string goes in quotes
              --> pipeline.toml:24:8
               |
            24 | over = 10 min
               |        ^^^^^^
               |
               = help: write `"10 min"`

            pipeline.toml: 1 mistake"#]],
    );
    check_spoiled(
        "[\"period\", \"price\"]",
        "[\"period\" \"price\"]",
        expect![[r#"
        error: a comma is missing between two entries, or the list does not end with `]`
          --> pipeline.toml:16:32
           |
        16 | scaled.standardize = ["period" "price"]
           |                                ^

        pipeline.toml: 1 mistake"#]],
    );
}

#[test]
fn a_value_that_toml_does_not_know_is_written_as_toml_does() {
    check_spoiled(
        "min = 0.0",
        "min = .5",
        expect![[r#"
        error: a number has digits before and after its point
         --> pipeline.toml:9:24
          |
        9 | price.number = { min = .5, missing = "mean" }
          |                        ^

        pipeline.toml: 1 mistake"#]],
    );
    check_spoiled(
        "min = 0.0",
        "min = 5.",
        expect![[r#"
        error: a number has digits before and after its point
         --> pipeline.toml:9:26
          |
        9 | price.number = { min = 5., missing = "mean" }
          |                          ^

        pipeline.toml: 1 mistake"#]],
    );
    check_spoiled(
        "min = 0.0",
        "min = 0,5",
        expect![[r#"
        error: no valid TOML: extra comma in inline table, expected `=`
         --> pipeline.toml:9:27
          |
        9 | price.number = { min = 0,5, missing = "mean" }
          |                           ^

        pipeline.toml: 1 mistake"#]],
    );
    check_toy(
        "flag = True",
        expect![[r#"
        error: this is no value
         --> toy.toml:1:8
          |
        1 | flag = True
          |        ^^^^
          |
          = help: write `true`, `false`, or a string in quotes

        toy.toml: 1 mistake"#]],
    );
    check_spoiled(
        "over = \"1000 records\"",
        "over =",
        expect![[r#"
        error: a value is missing here
          --> pipeline.toml:24:7
           |
        24 | over =
           |       ^

        pipeline.toml: 1 mistake"#]],
    );
}

#[test]
fn mistakes_in_toml_and_in_settings_are_shown_together() {
    let text = GOOD
        .replace("name = \"electricity\"", "name = electricity")
        .replace("\"no_change\"", "\"no_chang\"")
        .replace("\"20 versions\"", "20");
    check(
        &text,
        expect![[r#"
            error: a string goes in quotes
             --> pipeline.toml:1:8
              |
            1 | name = electricity
              |        ^^^^^^^^^^^
              |
              = help: write `"electricity"`

            error: unknown kind of learner: `no_chang`
              --> pipeline.toml:20:11
               |
            20 | learner = "no_chang"
               |           ^^^^^^^^^^ did you mean `no_change`?
               |
               = help: one of `cusum`, `ewma`, `hoeffding_tree`, `k_means`, `linear_regression`,
                       `logistic_regression`, `majority`, `mean`, `no_change`, `robust_z`

            error: `keep` must be so many versions, or a time with a unit (ms, s, min, h, d)
              --> pipeline.toml:28:8
               |
            28 | keep = 20
               |        ^^ this is a whole number
               |
               = help: write `"20 versions"`

            pipeline.toml: 3 mistakes"#]],
    );
}

#[test]
fn other_letters_and_line_ends_keep_lines_and_columns_right() {
    let text = "# Zürich – 電力\r\nname = \"Zürich\"\r\n[modell.é]\r\n";
    check(
        text,
        expect![[r#"
            error: a name with such a letter goes in quotes
             --> pipeline.toml:3:9
              |
            3 | [modell.é]
              |         ^

            pipeline.toml: 1 mistake"#]],
    );
}
