//! The rules that no compiler knows. Each is a small function over text, or over what
//! `cargo metadata` says, and names the file, the line, what is there and what would be right.

mod components;
mod licences;
mod links;
mod modules;
mod rooms;
mod size;
mod text;
mod uses;
mod words;

use std::fmt;

use crate::{code, repository::Repository};

/// What a rule found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    file: String,
    line: usize,
    what: String,
    instead: String,
}

impl Finding {
    fn new(
        file: impl Into<String>,
        line: usize,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) -> Finding {
        Finding { file: file.into(), line, what: what.into(), instead: instead.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.what, self.instead)
    }
}

/// `cargo xtask tidy`.
///
/// # Errors
/// All findings, a line each.
pub(crate) fn tidy() -> Result<(), String> {
    let findings = findings(&Repository::read()?);
    if findings.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    Err(format!("{}\n{} to tidy", lines.join("\n"), lines.len()))
}

/// Everything all rules find, in the order of the files.
fn findings(repository: &Repository) -> Vec<Finding> {
    let mut found = Vec::new();
    for text in &repository.texts {
        found.extend(text::check(text));
        found.extend(links::check(text, &repository.paths));
    }
    for rust in repository.rust() {
        let bare = code::bare(&rust.text);
        found.extend(text::width(rust, &bare));
        found.extend(size::check(rust, &bare));
        found.extend(words::check(rust, &bare));
        found.extend(components::check_settings(rust, &bare));
    }
    found.extend(size::check_clippy(repository));
    found.extend(components::check(repository));
    found.extend(modules::check(repository));
    found.extend(rooms::check(&repository.metadata));
    found.extend(uses::check(repository));
    found.extend(licences::check(&repository.metadata, repository.text("deny.toml")));
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::Text;

    #[test]
    fn the_repository_is_tidy() {
        if let Err(findings) = tidy() {
            panic!("{findings}");
        }
    }

    #[test]
    fn a_finding_says_where_what_and_what_would_be_right() {
        let finding = Finding::new("a.rs", 3, "a tab", "four spaces");
        assert_eq!(finding.to_string(), "a.rs:3: a tab: four spaces");
    }

    /// A file of tiny text, for the tests of the rules.
    pub(super) fn file(path: &str, text: &str) -> Text {
        Text { path: path.into(), text: text.into() }
    }

    /// The lines that findings name.
    pub(super) fn lines(findings: &[Finding]) -> Vec<usize> {
        findings.iter().map(|finding| finding.line).collect()
    }
}
