//! Words that no code may hold.

use super::Finding;
use crate::repository::{Text, numbered};

/// Files that may hold `unsafe`, each with its reason in its head.
const UNSAFE: [&str; 5] = [
    "crates/embedded/src/open.rs",
    "crates/flow/tests/allocations.rs",
    "crates/kafka/src/native.rs",
    "crates/learn/tests/support/counting_alloc.rs",
    "crates/learn/tests/support/counting_alloc_steps.rs",
];

/// Words, and what would be right. Looked for in code, not in strings or comments.
const WORDS: [(&str, &str); 4] = [
    ("todo!", "write it, or refuse with a message"),
    ("unimplemented!", "write it, or refuse with a message"),
    ("dbg!", "delete it"),
    ("clippy::too_many_lines", "look for the second idea, and give it its own function"),
];

/// All rules for one Rust file; `bare` is its bare code.
pub(super) fn check(text: &Text, bare: &str) -> Vec<Finding> {
    let mut found = begins_with_a_head(text);
    for (number, line) in numbered(bare) {
        for (word, instead) in WORDS {
            if stands_in(line, word) {
                let what = format!("`{word}`");
                found.push(Finding::new(&text.path, number, what, instead));
            }
        }
        if stands_in(line, "unsafe_code") && !UNSAFE.contains(&text.path.as_str()) {
            let instead =
                "safe code; or name the file in crates/xtask/src/tidy/words.rs, with reasons";
            found.push(Finding::new(&text.path, number, "an allowance of `unsafe`", instead));
        }
    }
    found
}

/// Whether a word stands in a line as a word of its own.
pub(super) fn stands_in(line: &str, word: &str) -> bool {
    let is_word = |letter: Option<char>| letter.is_some_and(|l| l.is_alphanumeric() || l == '_');
    line.match_indices(word).any(|(at, _)| {
        !is_word(line[..at].chars().next_back()) && !is_word(line[at + word.len()..].chars().next())
    })
}

fn begins_with_a_head(text: &Text) -> Vec<Finding> {
    if text.text.starts_with("//! ") {
        return Vec::new();
    }
    let instead = "begin with `//! ` and what the file is";
    vec![Finding::new(&text.path, 1, "a file without a head", instead)]
}

#[cfg(test)]
mod tests {
    use super::super::tests::{file, lines};
    use super::*;

    fn check_text(path: &str, text: &str) -> Vec<usize> {
        lines(&check(&file(path, text), &crate::code::bare(text)))
    }

    #[test]
    fn words_are_found_in_code_alone() {
        assert_eq!(check_text("a.rs", "//! todo!()\ntodo!();\nlet a = \"dbg!\";\n"), [2]);
        assert_eq!(check_text("a.rs", "//! A.\n#![allow(clippy::too_many_lines)]\n"), [2]);
        assert!(check_text("a.rs", "//! A.\nmy_dbg!();\n").is_empty());
    }

    #[test]
    fn unsafe_has_a_few_places() {
        let text = "//! A.\n#![allow(unsafe_code)]\n";
        assert_eq!(check_text("crates/learn/src/lib.rs", text), [2]);
        assert!(check_text(UNSAFE[0], text).is_empty());
    }

    #[test]
    fn a_file_says_what_it_is() {
        assert_eq!(check_text("a.rs", "fn a() {}\n"), [1]);
    }
}
