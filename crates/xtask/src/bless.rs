//! `cargo xtask bless`: writes anew what is generated. What changes is read in review.

use std::{collections::BTreeSet, fs};

use crate::{
    command::cargo,
    reference::{self, FOLDER},
    repository::{Repository, root},
};

/// Rewrites the reference, which takes a moment, then the golden files of all suites.
///
/// # Errors
/// When a suite fails for another reason than a golden file, or a file cannot be written.
pub(crate) fn bless() -> Result<(), String> {
    write_reference()?;
    let mut given = vec!["test", "--quiet"];
    // Only suites that can write; the others could only fail.
    for package in ["alluvium-learn", "alluvium-flow", "alluvium-ledger", "alluvium"] {
        given.extend(["--package", package]);
    }
    cargo(&given).with("UPDATE_EXPECT", "1").run()
}

/// Writes `docs/reference`, and deletes pages that nothing makes any more.
fn write_reference() -> Result<(), String> {
    let repository = Repository::read()?;
    let pages = reference::pages(&repository);
    let wanted: BTreeSet<&str> = pages.iter().map(|(path, _)| path.as_str()).collect();
    let said = |path: &str, error: std::io::Error| format!("{path}: {error}");
    for path in repository.paths.iter().filter(|path| path.starts_with(FOLDER)) {
        if !wanted.contains(path.as_str()) {
            fs::remove_file(root().join(path)).map_err(|error| said(path, error))?;
            eprintln!("deleted {path}");
        }
    }
    for (path, text) in &pages {
        if repository.text(path) == text {
            continue;
        }
        let file = root().join(path);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(|error| said(path, error))?;
        }
        fs::write(&file, text).map_err(|error| said(path, error))?;
        eprintln!("wrote {path}");
    }
    Ok(())
}
