//! Rules for any text: white space, width, and nothing of the machine it was written on.

use super::Finding;
use crate::repository::{Text, numbered};

/// The width that `rustfmt.toml` says.
const WIDTH_MAX: usize = 100;

/// Where a file may send a build to. A mirror belongs in the settings of the machine.
const HOSTS: [&str; 3] = ["github.com", "index.crates.io", "rustup.rs"];

/// All rules for one text.
pub(super) fn check(text: &Text) -> Vec<Finding> {
    [white_space(text), machine_paths(text), hosts(text)].concat()
}

fn white_space(text: &Text) -> Vec<Finding> {
    let mut found = Vec::new();
    // What others wrote, and what tests write.
    if text.path.contains("/golden/") || text.path.contains("/oracles/") {
        return found;
    }
    for (number, line) in text.lines() {
        if line.ends_with([' ', '\t', '\r']) {
            found.push(Finding::new(&text.path, number, "white space ends the line", "delete it"));
        }
        if text.is_rust() && line.contains('\t') {
            found.push(Finding::new(&text.path, number, "a tab", "four spaces, or `\\t`"));
        }
    }
    let last = text.lines().count().saturating_sub(1).max(1);
    if !text.text.is_empty() && (!text.text.ends_with('\n') || text.text.ends_with("\n\n")) {
        found.push(Finding::new(&text.path, last, "the file's end", "end it with one line break"));
    }
    found
}

/// Wide lines of Rust; `bare` is the bare code. A string may be wide, and so may an address and a
/// table's row in a comment, which cannot be broken.
pub(super) fn width(text: &Text, bare: &str) -> Vec<Finding> {
    let is_bound = |line: &str, bare: &str| {
        let line = line.trim_start();
        let is_comment = line.starts_with("//");
        let is_row = is_comment && line.trim_start_matches(['/', '!', ' ']).starts_with('|');
        is_row || line.contains("://") || !is_comment && bare.trim() != line
    };
    let lines = text.lines().zip(numbered(bare));
    let wide = lines
        .filter(|((_, line), (_, bare))| line.chars().count() > WIDTH_MAX && !is_bound(line, bare));
    let say = |number| Finding::new(&text.path, number, "a wide line", "100 columns at most");
    wide.map(|((number, _), _)| say(number)).collect()
}

/// Paths that exist on one machine only.
fn machine_paths(text: &Text) -> Vec<Finding> {
    // Written in halves, so that the rule does not find itself.
    let begins = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    let begins = begins.iter().chain(&[concat!("/Us", "ers/"), concat!("C:", "\\")]);
    let mut found = Vec::new();
    for begin in begins {
        for (number, line) in text.lines() {
            let stands_alone = line.match_indices(begin).any(|(at, _)| {
                !line[..at]
                    .ends_with(|before: char| before.is_alphanumeric() || "._-}".contains(before))
            });
            if stands_alone {
                let what = format!("a path of one machine, `{begin}`");
                found.push(Finding::new(&text.path, number, what, "a path from the root"));
            }
        }
    }
    found
}

/// Where builds fetch from.
fn hosts(text: &Text) -> Vec<Finding> {
    let is_build = text.name() == "Cargo.lock"
        || text.name() == "Cargo.toml"
        || text.path.starts_with(".cargo/")
        || text.path.starts_with(".ci/");
    if !is_build {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (number, line) in text.lines() {
        for (at, _) in line.match_indices("://") {
            let rest = &line[at + 3..];
            let end = rest.find(['/', '"', ' ', '\'', ':']).unwrap_or(rest.len());
            if !HOSTS.contains(&&rest[..end]) {
                let instead = format!("one of {HOSTS:?}, or the machine's own settings");
                found.push(Finding::new(&text.path, number, "a host to fetch from", instead));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::{file, lines};
    use super::*;

    #[test]
    fn white_space_is_found() {
        assert_eq!(lines(&white_space(&file("a.md", "a \nb\n"))), [1]);
        assert_eq!(lines(&white_space(&file("a.rs", "a\n\tb\n"))), [2]);
        assert_eq!(lines(&white_space(&file("a.md", "a\n\tb\n"))), [0; 0]);
        assert_eq!(lines(&white_space(&file("a.md", "a\nb"))), [1]);
        assert_eq!(lines(&white_space(&file("a.md", "a\n\n"))), [2]);
    }

    #[test]
    fn only_strings_rows_and_addresses_may_be_wide() {
        let long = "x".repeat(101);
        let text = format!("{long}\n\"{long}\"\n// {long}\n// | {long}\n// a://{long}\n");
        assert_eq!(lines(&width(&file("a.rs", &text), &crate::code::bare(&text))), [1, 3]);
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        let path = concat!("/wo", "rk/x");
        assert_eq!(lines(&machine_paths(&file("a.md", &format!("a\nin {path}\n")))), [2]);
        assert!(
            machine_paths(&file("a.md", &format!("a/frame{path}, {{root}}{path}\n"))).is_empty()
        );
    }

    #[test]
    fn builds_fetch_from_public_places_only() {
        let text = "a = \"https://github.com/x\"\nb = \"https://mirror.example/x\"\n";
        assert_eq!(lines(&hosts(&file("Cargo.lock", text))), [2]);
        assert!(hosts(&file("README.md", text)).is_empty());
    }
}
