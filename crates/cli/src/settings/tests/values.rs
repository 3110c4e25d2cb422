//! Values: of the wrong type, out of range, without their unit.

use expect_test::expect;

use super::*;

#[test]
fn a_wrong_type_says_what_it_is_and_what_would_be_right() {
    check_spoiled(
        "name = \"electricity\"",
        "name = 5",
        expect![[r#"
        error: `name` must be a string
         --> pipeline.toml:1:8
          |
        1 | name = 5
          |        ^ this is a whole number
          |
          = help: write `"5"`

        pipeline.toml: 1 mistake"#]],
    );
    check_spoiled(
        "[\"0\", \"1\"]",
        "[0, 1]",
        expect![[r#"
            error: each of `values` must be a string
              --> pipeline.toml:13:15
               |
            13 | type.class = [0, 1]
               |               ^ this is a whole number
               |
               = help: write `"0"`

            error: each of `values` must be a string
              --> pipeline.toml:13:18
               |
            13 | type.class = [0, 1]
               |                  ^ this is a whole number
               |
               = help: write `"1"`

            pipeline.toml: 2 mistakes"#]],
    );
    check_spoiled(
        "use = [\"scaled\"]",
        "use = \"scaled\"",
        expect![[r#"
        error: `use` must be a list of strings
          --> pipeline.toml:19:7
           |
        19 | use = "scaled"
           |       ^^^^^^^^ this is a string
           |
           = help: write `["scaled"]`

        pipeline.toml: 1 mistake"#]],
    );
}

#[test]
fn what_is_no_table_where_one_should_be_says_so() {
    check_spoiled(
        "scaled.standardize = [\"period\", \"price\"]",
        "scaled.standardize = 1",
        expect![[r#"
        error: `standardize` must be a list of strings (its `of`), or a table
          --> pipeline.toml:16:22
           |
        16 | scaled.standardize = 1
           |                      ^ this is a whole number

        pipeline.toml: 1 mistake"#]],
    );
    check_spoiled(
        "learner = \"no_change\"",
        "learner = 1",
        expect![[r#"
            error: `learner` must be one of `cusum`, `ewma`, `hoeffding_tree`, `k_means`, `linear_regression`, `logistic_regression`, `majority`, `mean`, `no_change`, `robust_z`
              --> pipeline.toml:20:11
               |
            20 | learner = 1
               |           ^ this is a whole number

            pipeline.toml: 1 mistake"#]],
    );
    check_spoiled(
        "[model.same]",
        "[[model]]",
        expect![[r#"
            error: `model` must be a table of names
              --> pipeline.toml:18:1
               |
            18 | [[model]]
               | ^^^^^^^^^ this is a list
               |
               = help: give each a name: `[model.NAME]`

            pipeline.toml: 1 mistake"#]],
    );
}

#[test]
fn what_stands_in_for_a_gap_is_a_word_or_a_number() {
    check_spoiled(
        "\"mean\"",
        "\"median\"",
        expect![[r#"
            error: `missing` must be "mean", "previous", "zero" or a number
             --> pipeline.toml:9:39
              |
            9 | price.number = { min = 0.0, missing = "median" }
              |                                       ^^^^^^^^ did you mean "mean"?

            pipeline.toml: 1 mistake"#]],
    );
    check_spoiled(
        "load = \"electricity.csv.xz\"",
        "load = 3",
        expect![[r#"
        error: `load` must be a string or a list of strings
         --> pipeline.toml:4:8
          |
        4 | load = 3
          |        ^ this is a whole number

        pipeline.toml: 1 mistake"#]],
    );
    check_spoiled(
        "\"mean\"",
        "true",
        expect![[r#"
            error: `missing` must be "mean", "previous", "zero" or a number
             --> pipeline.toml:9:39
              |
            9 | price.number = { min = 0.0, missing = true }
              |                                       ^^^^ this is true

            pipeline.toml: 1 mistake"#]],
    );
    spec(&GOOD.replace("\"mean\"", "-1"));
}

#[test]
fn a_number_is_in_its_range() {
    check_toy(
        "bins = 0",
        expect![[r#"
        error: `bins` must be from 1 to 100
         --> toy.toml:1:8
          |
        1 | bins = 0
          |        ^

        toy.toml: 1 mistake"#]],
    );
    check_toy(
        "delta = 1",
        expect![[r#"
        error: `delta` must be above 0 and below 1
         --> toy.toml:1:9
          |
        1 | delta = 1
          |         ^

        toy.toml: 1 mistake"#]],
    );
    check_toy(
        "small = 256",
        expect![[r#"
        error: `small` must be from 0 to 255
         --> toy.toml:1:9
          |
        1 | small = 256
          |         ^^^

        toy.toml: 1 mistake"#]],
    );
    check_toy(
        "delta = nan",
        expect![[r#"
        error: `delta` must be a finite number above 0 and below 1
         --> toy.toml:1:9
          |
        1 | delta = nan
          |         ^^^

        toy.toml: 1 mistake"#]],
    );
    check_toy(
        "bins = 123456789012345678901234567890",
        expect![[r#"
        error: `bins` must be a number of at most 64 bits
         --> toy.toml:1:8
          |
        1 | bins = 123456789012345678901234567890
          |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

        toy.toml: 1 mistake"#]],
    );
}

#[test]
fn a_whole_number_has_no_fraction_and_no_quotes() {
    check_toy(
        "bins = 20.0",
        expect![[r#"
        error: `bins` must be a whole number from 1 to 100
         --> toy.toml:1:8
          |
        1 | bins = 20.0
          |        ^^^^ this is a number with a fraction
          |
          = help: write `20`

        toy.toml: 1 mistake"#]],
    );
    check_toy(
        "bins = \"20\"",
        expect![[r#"
        error: `bins` must be a whole number from 1 to 100
         --> toy.toml:1:8
          |
        1 | bins = "20"
          |        ^^^^ this is a string
          |
          = help: without quotes: `20`

        toy.toml: 1 mistake"#]],
    );
    check_toy(
        "flag = \"true\"",
        expect![[r#"
        error: `flag` must be true or false
         --> toy.toml:1:8
          |
        1 | flag = "true"
          |        ^^^^^^ this is a string
          |
          = help: without quotes: `true`

        toy.toml: 1 mistake"#]],
    );
    check_toy(
        "back = 3",
        expect![[r#"
        error: `back` must be a list of whole numbers
         --> toy.toml:1:8
          |
        1 | back = 3
          |        ^ this is a whole number
          |
          = help: write `[3]`

        toy.toml: 1 mistake"#]],
    );
    check_toy(
        "split = \"ginni\"",
        expect![[r#"
        error: `split` must be "gini" or "info_gain"
         --> toy.toml:1:9
          |
        1 | split = "ginni"
          |         ^^^^^^^ did you mean "gini"?

        toy.toml: 1 mistake"#]],
    );
}

#[test]
fn a_unit_is_asked_for() {
    check_spoiled(
        "over = \"1000 records\"",
        "over = \"10 m\"",
        expect![[r#"
        error: `over` must be a time with a unit: "10 min" for minutes
          --> pipeline.toml:24:8
           |
        24 | over = "10 m"
           |        ^^^^^^

        pipeline.toml: 1 mistake"#]],
    );
    check_spoiled(
        "over = \"1000 records\"",
        "over = 1000",
        expect![[r#"
            error: `over` must be so many records, or a time with a unit (ms, s, min, h, d)
              --> pipeline.toml:24:8
               |
            24 | over = 1000
               |        ^^^^ this is a whole number
               |
               = help: write `"1000 records"`

            pipeline.toml: 1 mistake"#]],
    );
    check_spoiled(
        "\"20 versions\"",
        "\"0 versions\"",
        expect![[r#"
        error: `keep` must be 1 or more
          --> pipeline.toml:28:8
           |
        28 | keep = "0 versions"
           |        ^^^^^^^^^^^^

        pipeline.toml: 1 mistake"#]],
    );
    check_toy(
        "memory_max = 64",
        expect![[r#"
            error: `memory_max` must be a size with a unit (B, KiB, MiB, GiB)
             --> toy.toml:1:14
              |
            1 | memory_max = 64
              |              ^^ this is a whole number
              |
              = help: write `"64 MiB"`

            toy.toml: 1 mistake"#]],
    );
    check_toy(
        "memory_max = \"64 MB\"",
        expect![[r#"
        error: `memory_max` must be a size with a unit: "64 MiB" (B, KiB, MiB, GiB)
         --> toy.toml:1:14
          |
        1 | memory_max = "64 MB"
          |              ^^^^^^^

        toy.toml: 1 mistake"#]],
    );
    check_toy(
        "forget_after = \"5 minutes\"",
        expect![[r#"
        error: `forget_after` must be a time with a unit: "10 min" (ms, s, min, h, d)
         --> toy.toml:1:16
          |
        1 | forget_after = "5 minutes"
          |                ^^^^^^^^^^^

        toy.toml: 1 mistake"#]],
    );
}
