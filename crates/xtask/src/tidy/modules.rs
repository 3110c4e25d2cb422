//! Every Rust file is compiled: some `mod` leads to it, or cargo does.

use std::collections::BTreeSet;

use super::Finding;
use crate::{
    code,
    repository::{Repository, Text},
};

/// Files that nothing leads to.
pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    let texts: Vec<&Text> = repository.rust().collect();
    let mut reached: BTreeSet<String> =
        texts.iter().map(|text| text.path.clone()).filter(|path| is_root(path)).collect();
    let mut ahead: Vec<String> = reached.iter().cloned().collect();
    while let Some(path) = ahead.pop() {
        let Some(text) = texts.iter().find(|text| text.path == path) else { continue };
        for module in modules(text) {
            if reached.insert(module.clone()) {
                ahead.push(module);
            }
        }
    }
    let dead = texts.iter().filter(|text| !reached.contains(&text.path));
    let say = |text: &&&Text| {
        Finding::new(&text.path, 1, "no `mod` leads here", "declare it, or delete the file")
    };
    dead.map(|text| say(&text)).collect()
}

/// Whether cargo itself finds a file: the root of a library, binary, test or example.
fn is_root(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["crates", _, "src", "lib.rs" | "main.rs"] | ["crates", _, "build.rs"] => true,
        ["crates", _, "src", "bin", _] => true,
        ["crates", _, "tests" | "examples" | "benches", rest @ ..] => {
            matches!(rest, [_] | [_, "main.rs"])
        }
        _ => false,
    }
}

/// Where the modules of a file may lie: each both as a file and as a folder.
fn modules(text: &Text) -> Vec<String> {
    let bare = code::bare(&text.text);
    let (folder, name) = text.path.rsplit_once('/').unwrap_or(("", &text.path));
    let stem = name.strip_suffix(".rs").unwrap_or(name);
    let own = match stem {
        "mod" | "main" | "lib" => folder.to_string(),
        _ if is_root(&text.path) => folder.to_string(),
        _ => format!("{folder}/{stem}"),
    };
    let mut found = Vec::new();
    let mut path = None;
    for (line, whole) in bare.lines().zip(text.text.lines()) {
        let declared = line.trim().strip_suffix(';').and_then(|line| line.rsplit_once("mod "));
        if line.trim_start().starts_with("#[path") {
            path = whole.split('"').nth(1);
        } else if let Some((_, module)) = declared {
            match path.take() {
                Some(path) => found.push(format!("{folder}/{path}")),
                None => found.extend(both(&own, module)),
            }
        }
    }
    for (module, _) in code::family_entries(&bare) {
        found.extend(both(&own, module));
    }
    found
}

fn both(folder: &str, module: &str) -> [String; 2] {
    [format!("{folder}/{module}.rs"), format!("{folder}/{module}/mod.rs")]
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    #[test]
    fn a_file_without_a_mod_is_found() {
        let texts = vec![
            file("crates/a/src/lib.rs", "mod b;\nmod tests {}\n#[path = \"x/odd.rs\"]\nmod odd;\n"),
            file("crates/a/src/b.rs", "pub(crate) mod c;\n"),
            file("crates/a/src/b/c.rs", ""),
            file("crates/a/src/x/odd.rs", ""),
            file("crates/a/src/dead.rs", ""),
            file("crates/a/tests/one.rs", "mod common;\n"),
            file("crates/a/tests/common/mod.rs", ""),
        ];
        let (paths, metadata) = (BTreeSet::new(), serde_json::Value::Null);
        let found = check(&Repository { paths, texts, metadata });
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().starts_with("crates/a/src/dead.rs:1"), "{found:?}");
    }
}
