//! `cargo xtask ci`: what has to hold before a commit, cheapest first.

use std::{fs, path::Path, time::Instant};

use crate::{
    command::{Command, cargo},
    repository::root,
    tidy,
};

/// Runs every step; stops at the first that fails.
///
/// # Errors
/// Which step failed, and how to repeat it.
pub(crate) fn ci() -> Result<(), String> {
    let begun = Instant::now();
    step("format", "cargo fmt --check", || cargo(&["fmt", "--check"]).run())?;
    step("tidy", "cargo xtask tidy", tidy::tidy)?;
    let steps = [
        ("clippy", clippy()),
        ("tests", cargo(&["test", "--workspace", "--quiet"])),
        ("documentation", documentation()),
        ("binary", cargo(&["build", "--quiet", "--package", "alluvium"])),
    ];
    for (name, command) in steps {
        step(name, &command.to_string(), || command.run())?;
    }
    examples()?;
    eprintln!("all is well                {:6.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}

fn clippy() -> Command {
    cargo(&["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

fn documentation() -> Command {
    cargo(&["doc", "--quiet", "--workspace", "--no-deps"]).with("RUSTDOCFLAGS", "-D warnings")
}

fn step(
    name: &str,
    repeat: &str,
    check: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    eprintln!("{name}");
    let begun = Instant::now();
    match check() {
        Ok(()) => {
            eprintln!("{name:<26} {:6.1} s", begun.elapsed().as_secs_f64());
            Ok(())
        }
        Err(why) => Err(format!("{why}\n\n{name} failed; to repeat it:\n  {repeat}")),
    }
}

/// Each example runs from its file, in a directory of its own, so that no log stays behind.
fn examples() -> Result<(), String> {
    let folder = root().join("examples");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .map_err(|error| format!("{}: {error}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path().join("pipeline.toml")))
        .filter(|file| file.is_file())
        .collect();
    files.sort();
    for file in files {
        let file = file.strip_prefix(root()).unwrap_or(&file);
        let name = format!("example {}", example_name(file));
        let log = std::env::temp_dir().join(format!("alluvium-ci-{}", std::process::id()));
        let (shown, log_shown) = (file.display().to_string(), log.display().to_string());
        let given = ["run", "--quiet", "--package", "alluvium", "--", "run", "--json", &shown];
        let command = cargo(&[&given[..], &["--log", &log_shown]].concat());
        let result = step(&name, &command.to_string(), || command.read().map(drop));
        // Whether it was there at all does not matter.
        drop(fs::remove_dir_all(&log));
        result?;
    }
    Ok(())
}

fn example_name(file: &Path) -> String {
    let folder = file.parent().and_then(Path::file_name).unwrap_or_default();
    folder.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_fails_says_how_to_repeat_it() {
        let failed = step("tests", "cargo test", || Err("red".into())).unwrap_err();
        assert_eq!(failed, "red\n\ntests failed; to repeat it:\n  cargo test");
        step("tests", "cargo test", || Ok(())).unwrap();
    }

    #[test]
    fn an_example_is_called_after_its_folder() {
        assert_eq!(example_name(Path::new("examples/electricity/pipeline.toml")), "electricity");
    }
}
