//! No dependency stands in a manifest for nothing.

use super::{Finding, words::stands_in};
use crate::{
    code,
    repository::{Repository, Text, numbered},
};

/// Dependencies that no crate takes, and those that a crate takes and never names.
pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    let manifests: Vec<&Text> = repository
        .texts
        .iter()
        .filter(|text| text.path.starts_with("crates/") && text.name() == "Cargo.toml")
        .collect();
    let mut found = Vec::new();
    let root = repository.text("Cargo.toml");
    for (number, name) in declared(root).filter(|(_, _, table)| *table == "workspace").map(two) {
        let is_taken = |text: &&Text| declared(&text.text).any(|(_, taken, _)| taken == name);
        if !manifests.iter().any(is_taken) {
            let what = format!("no crate takes `{name}`");
            found.push(Finding::new("Cargo.toml", number, what, "delete it"));
        }
    }
    for manifest in manifests {
        let folder = manifest.path.trim_end_matches("Cargo.toml");
        let sources = repository.rust().filter(|text| text.path.starts_with(folder));
        let code: Vec<String> = sources.map(|text| code::bare(&text.text)).collect();
        for (number, name) in declared(&manifest.text).map(two) {
            let word = name.replace('-', "_");
            if !code.iter().any(|code| stands_in(code, &word)) {
                let what = format!("`{name}` is never named");
                found.push(Finding::new(&manifest.path, number, what, "delete it"));
            }
        }
    }
    found
}

fn two<'a>((number, name, _): (usize, &'a str, &str)) -> (usize, &'a str) {
    (number, name)
}

/// The dependencies of a manifest: line, name, and the table's first word.
fn declared(manifest: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    let mut table = "";
    numbered(manifest).filter_map(move |(number, line)| {
        if let Some(header) = line.strip_prefix('[') {
            table = header.trim_end_matches(']');
        }
        let end = line.find(|l: char| !(l.is_alphanumeric() || l == '-' || l == '_'))?;
        let is_one = end > 0 && table.ends_with("dependencies");
        is_one.then(|| (number, &line[..end], table.split(['.', '-']).next().unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::tests::file;
    use super::*;

    #[test]
    fn what_nobody_takes_or_names_is_found() {
        let texts = vec![
            file("Cargo.toml", "[workspace.dependencies]\nserde-x = 1\nidle = 1\n"),
            file(
                "crates/a/Cargo.toml",
                "[dependencies]\nserde-x.workspace = true\n[dev-dependencies]\nunnamed = 1\n",
            ),
            file("crates/a/src/lib.rs", "use serde_x::A; // unnamed\n"),
        ];
        let (paths, metadata) = (BTreeSet::new(), serde_json::Value::Null);
        let found = check(&Repository { paths, texts, metadata });
        let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "Cargo.toml:3: no crate takes `idle`: delete it",
                "crates/a/Cargo.toml:4: `unnamed` is never named: delete it",
            ]
        );
    }
}
