//! Sizes: what fits a screen, and what clippy has to know for it.

use super::Finding;
use crate::{
    code,
    repository::{Repository, Text},
};

/// The most lines a file has, tests aside.
const LINES_MAX: usize = 500;

/// What the root's `clippy.toml` has to say.
const FUNCTION_LINES: &str = "too-many-lines-threshold = 70";

/// Files that are too long; `bare` is the file's bare code.
pub(super) fn check(text: &Text, bare: &str) -> Vec<Finding> {
    let is_test = text.path.contains("/tests/") || text.name() == "tests.rs";
    let lines = code::lines_without_tests(bare);
    if is_test || lines <= LINES_MAX {
        return Vec::new();
    }
    let instead = format!("{LINES_MAX} at most: look for the second idea");
    vec![Finding::new(&text.path, lines, format!("{lines} lines without tests"), instead)]
}

/// Clippy reads the nearest `clippy.toml` only and merges nothing, so a crate's own one has to
/// repeat the root's lines; those of `learn` and `flow` are one text.
pub(super) fn check_clippy(repository: &Repository) -> Vec<Finding> {
    let root = repository.text("clippy.toml");
    let mut found = Vec::new();
    if !root.lines().any(|line| line == FUNCTION_LINES) {
        found.push(Finding::new("clippy.toml", 1, "no limit of a function", FUNCTION_LINES));
    }
    let nested = |text: &&Text| text.path != "clippy.toml" && text.name() == "clippy.toml";
    for text in repository.texts.iter().filter(nested) {
        found.extend(repeats(root, text));
    }
    let (learn, flow) = ("crates/learn/clippy.toml", "crates/flow/clippy.toml");
    if repository.text(learn) != repository.text(flow) {
        found.push(Finding::new(flow, 1, "other rules than in learn", format!("as in {learn}")));
    }
    found
}

fn repeats(root: &str, text: &Text) -> Vec<Finding> {
    let is_rule = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let missing =
        root.lines().filter(is_rule).filter(|line| !text.text.lines().any(|l| l == *line));
    let say = |line: &str| {
        let what = format!("no line `{line}`");
        Finding::new(&text.path, 1, what, "repeat it: clippy merges nothing")
    };
    missing.map(say).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{file, lines};
    use super::*;

    #[test]
    fn tests_may_be_long() {
        let long = "fn a() {}\n".repeat(501);
        assert_eq!(lines(&check(&file("a/src/b.rs", &long), &long)), [501]);
        assert!(check(&file("a/tests/b.rs", &long), &long).is_empty());
        let tests = format!("#[cfg(test)]\nmod tests {{\n{long}}}\n");
        assert!(check(&file("a/src/b.rs", &tests), &tests).is_empty());
    }

    #[test]
    fn a_crates_own_rules_repeat_the_shared_ones() {
        let root = "# why\na = 1\nb = 2\n";
        assert!(repeats(root, &file("c/clippy.toml", "b = 2\na = 1\nc = 3\n")).is_empty());
        let found = repeats(root, &file("c/clippy.toml", "a = 1\n"));
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().contains("b = 2"), "{found:?}");
    }
}
