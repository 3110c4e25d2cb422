//! `cargo xtask ci`: what has to hold before a commit, cheapest first.

use std::{fs, time::Instant};

use crate::{
    command::{Command, cargo},
    repository::{self, root},
    tidy,
};

/// Runs every step; stops at the first that fails.
///
/// # Errors
/// Which step failed, and how to repeat it.
pub(crate) fn ci() -> Result<(), String> {
    let begun = Instant::now();
    step("format", "cargo xtask format", || format(true))?;
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
    eprintln!("all is well                          {:6.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Formats every Rust file, or checks that this would change nothing. `cargo fmt` follows `mod`,
/// and does not see the modules that the table of a family declares.
///
/// # Errors
/// When a file is not formatted, and that was asked.
pub(crate) fn format(check: bool) -> Result<(), String> {
    let paths = repository::paths(&root())?;
    let mut given = vec!["--edition", "2024"];
    given.extend(check.then_some("--check"));
    given.extend(paths.iter().map(String::as_str).filter(|path| path.ends_with(".rs")));
    // The command would be too long to read.
    Command::new("rustfmt", &given)
        .run()
        .map_err(|_| "not formatted; `cargo xtask format` does it".to_string())
}

/// Learns the examples in other builds than the tests': the bytes have to be the same.
///
/// # Errors
/// When they are not.
pub(crate) fn digests() -> Result<(), String> {
    let given = ["test", "--release", "--package", "alluvium", "--test", "golden"];
    let release = cargo(&given);
    step("digests in release", &release.to_string(), || release.run())?;
    if !cfg!(target_arch = "x86_64") {
        return Ok(());
    }
    // A folder of its own: else the two builds would push each other out.
    let folder = [&given[..], &["--target-dir", "target/newer-processor"]].concat();
    let newer = cargo(&folder).with("RUSTFLAGS", "-C target-cpu=x86-64-v3");
    step("digests for a newer processor", &newer.to_string(), || newer.run())
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
            eprintln!("{name:<36} {:6.1} s", begun.elapsed().as_secs_f64());
            Ok(())
        }
        Err(why) => Err(format!("{why}\n\n{name} failed; to repeat it:\n  {repeat}")),
    }
}

/// Each example runs from its file, with a log of its own that does not stay behind.
fn examples() -> Result<(), String> {
    // The data of the payments are made and not kept: their own test makes them and runs it.
    let is_example = |path: &&String| {
        let is_made = path.starts_with("examples/fraud/");
        path.starts_with("examples/") && path.ends_with(".toml") && !is_made
    };
    for file in repository::paths(&root())?.iter().filter(is_example) {
        let log = std::env::temp_dir().join(format!("alluvium-ci-{}", std::process::id()));
        let log_shown = log.display().to_string();
        let given = ["run", "--quiet", "--package", "alluvium", "--", "run", "--json", file];
        let command = cargo(&[&given[..], &["--log", &log_shown]].concat());
        let result = step(file, &command.to_string(), || command.read().map(drop));
        // Whether it was there at all does not matter.
        drop(fs::remove_dir_all(&log));
        result?;
    }
    Ok(())
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
}
