//! The repository as the rules see it: its text files, read once, and what cargo says of it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::command::{Command, cargo};

/// A text file.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    /// Its path from the root, with `/`.
    pub(crate) path: String,
    /// What is in it.
    pub(crate) text: String,
}

/// The repository.
pub(crate) struct Repository {
    /// Every file, text or not, by its path from the root.
    pub(crate) paths: BTreeSet<String>,
    /// The text files, in the order of their paths.
    pub(crate) texts: Vec<Text>,
    /// What `cargo metadata` says.
    pub(crate) metadata: Value,
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

impl Text {
    /// A file's name without its directories.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Whether it is Rust.
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Its lines with their numbers, from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        numbered(&self.text)
    }
}

/// Lines with their numbers, from 1.
pub(crate) fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split('\n').enumerate().map(|(index, line)| (index + 1, line))
}

impl Repository {
    /// Reads it.
    ///
    /// # Errors
    /// When git, cargo or a file fails.
    pub(crate) fn read() -> Result<Repository, String> {
        let root = root();
        let paths = paths(&root)?;
        let mut texts = Vec::new();
        for path in &paths {
            let bytes = fs::read(root.join(path)).map_err(|error| format!("{path}: {error}"))?;
            if let Ok(text) = String::from_utf8(bytes) {
                texts.push(Text { path: path.clone(), text });
            }
        }
        // Of one platform, wherever we run: the same findings everywhere, and nothing to fetch that
        // a build did not fetch.
        let platform = ["--filter-platform", "x86_64-unknown-linux-gnu"];
        let given = ["metadata", "--format-version", "1", "--locked"];
        let metadata = cargo(&[&given[..], &platform].concat()).read()?;
        let metadata = serde_json::from_str(&metadata).map_err(|error| error.to_string())?;
        Ok(Repository { paths, texts, metadata })
    }

    /// The text of a file; empty when it is not there.
    pub(crate) fn text(&self, path: &str) -> &str {
        self.texts.iter().find(|text| text.path == path).map_or("", |text| text.text.as_str())
    }

    /// The Rust files.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &Text> {
        self.texts.iter().filter(|text| text.is_rust())
    }
}

/// What git tracks or would track. Where git cannot say, in an unpacked archive, all files.
///
/// # Errors
/// When neither git nor the directory can be read.
pub(crate) fn paths(root: &Path) -> Result<BTreeSet<String>, String> {
    let given = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let listed = match Command::new("git", &given).read() {
        Ok(listed) => listed.lines().map(str::to_string).collect(),
        Err(_) => {
            let mut found = BTreeSet::new();
            walk(root, "", &mut found).map_err(|error| format!("listing the files: {error}"))?;
            found
        }
    };
    Ok(listed.into_iter().filter(|path| root.join(path).is_file()).collect())
}

fn walk(directory: &Path, path: &str, found: &mut BTreeSet<String>) -> std::io::Result<()> {
    const IGNORED: [&str; 3] = [".git", "target", "alluvium"];
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        if entry.file_type()?.is_dir() {
            if !IGNORED.contains(&name.as_str()) {
                walk(&entry.path(), &path, found)?;
            }
        } else {
            found.insert(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_and_a_walk_both_find_the_sources() {
        let found = paths(&root()).unwrap();
        assert!(found.contains("crates/xtask/src/repository.rs"), "{found:?}");
        let mut walked = BTreeSet::new();
        walk(&root(), "", &mut walked).unwrap();
        assert!(walked.contains("crates/xtask/src/repository.rs"));
        assert!(!walked.iter().any(|path| path.starts_with("target/")));
    }
}
