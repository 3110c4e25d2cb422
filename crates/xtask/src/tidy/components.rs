//! The manual of components is in their files: these rules see to it that it is complete.

use super::Finding;
use crate::{
    code,
    repository::{Repository, Text, numbered},
};

/// A family: its folder, and what the head of an entry has to say. Of the words of one line any
/// will do.
const FAMILIES: [(&str, &[&[&str]]); 4] = [
    ("crates/learn/src/learners", &[&["Task"], &["Cost"], &["Not for"], PAPER]),
    ("crates/learn/src/steps", &[&["Makes"], &["Cost"], &["Not for"]]),
    ("crates/learn/src/metrics", &[&["Task"], &["Cost"], &["Not for"]]),
    ("crates/learn/src/detectors", &[&["Cost"], &["Not for"], PAPER]),
];

/// Where the method comes from.
const PAPER: &[&str] = &["Paper", "Papers", "Source", "Sources"];

/// Entries whose heads leave something out.
pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    let mut found = Vec::new();
    for (folder, wanted) in FAMILIES {
        let table = format!("{folder}/mod.rs");
        for (module, _) in code::family_entries(&code::bare(repository.text(&table))) {
            let is_entry = |text: &&Text| {
                text.path == format!("{folder}/{module}.rs")
                    || text.path == format!("{folder}/{module}/mod.rs")
            };
            match repository.texts.iter().find(is_entry) {
                Some(text) => found.extend(check_head(text, wanted)),
                None => found.push(Finding::new(&table, 1, "an entry without a file", module)),
            }
        }
    }
    found
}

fn check_head(text: &Text, wanted: &[&[&str]]) -> Vec<Finding> {
    let head = code::head(&text.text);
    let says = |word: &str| head.iter().any(|line| line.starts_with(&format!("- {word}:")));
    let missing = wanted.iter().filter(|words| !words.iter().any(|word| says(word)));
    let say = |words: &&[&str]| {
        let what = format!("the head says nothing of `{}`", words[0]);
        Finding::new(&text.path, 1, what, format!("a line `//! - {}: ...`", words[0]))
    };
    missing.map(say).collect()
}

/// Settings of components whose comments leave the default out.
pub(super) fn check_settings(text: &Text, bare: &str) -> Vec<Finding> {
    if !text.path.starts_with("crates/learn/src/") {
        return Vec::new();
    }
    let whole: Vec<&str> = text.text.lines().collect();
    let (mut found, mut inside) = (Vec::new(), false);
    for (number, line) in numbered(bare) {
        inside = match line.trim_end() {
            "pub struct Config {" => true,
            "}" => false,
            _ => inside,
        };
        let setting = line.trim_start().strip_prefix("pub ").filter(|_| inside);
        let Some((name, _)) = setting.and_then(|setting| setting.split_once(':')) else { continue };
        let above = whole[..number - 1].iter().rev().map(|line| line.trim_start());
        let comment = above.take_while(|line| line.starts_with("///") || line.starts_with("#["));
        let comment: Vec<&str> = comment.collect();
        if !comment.iter().any(|line| line.contains("Default") || line.contains("Required")) {
            let what = format!("`{name}` does not say its default");
            found.push(Finding::new(&text.path, number, what, "a comment with `Default: ...`"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::{file, lines};
    use super::*;

    #[test]
    fn a_head_that_leaves_something_out_is_found() {
        let text = "//! A mean.\n//!\n//! - Task: number.\n//! - Source: S.\n\nfn a() {}\n";
        let found = check_head(&file("a.rs", text), &[&["Task"], &["Not for"], PAPER]);
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().contains("Not for"), "{found:?}");
    }

    #[test]
    fn a_setting_says_its_default() {
        let text = "pub struct Config {\n    /// Default: 1.\n    #[x]\n    pub a: u8,\n\n    /// How \
                    many.\n    pub b: u8,\n}\npub struct Other {\n    pub c: u8,\n}\n";
        let found = check_settings(&file("crates/learn/src/a.rs", text), &code::bare(text));
        assert_eq!(lines(&found), [7]);
    }
}
