//! The examples learn the very same models on every machine and in every build.
//!
//! `UPDATE_EXPECT=1 cargo test -p alluvium --test golden` writes the golden files anew.
//! `cargo xtask digests` runs this test in a release build and for a newer processor as well.

#![allow(clippy::unwrap_used)]

use std::{fs, path::Path, process::Command};

use expect_test::expect_file;

/// Runs an example in a directory of its own and gives the identity of every version.
fn digests(example: &str, file: &str) -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(example);
    let directory = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(&source).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), directory.path().join(entry.file_name())).unwrap();
        }
    }
    let run = Command::new(env!("CARGO_BIN_EXE_alluvium"))
        .args(["run", "--json", file])
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let mut lines = String::new();
    for line in String::from_utf8(run.stdout).unwrap().lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        if event["event"] == "version" {
            let text = |key: &str| event[key].to_string().replace('"', "");
            let (model, version) = (text("model"), text("version"));
            lines += &format!("{model}@{version} {}\n", text("state_digest"));
        }
    }
    assert!(!lines.is_empty(), "no version was published");
    lines
}

#[test]
fn electricity_is_learned_to_the_same_bytes() {
    let golden = expect_file!["golden/electricity.txt"];
    golden.assert_eq(&digests("electricity", "pipeline.toml"));
}

/// Steps and models by a key, without a label.
#[test]
fn sensors_are_learned_to_the_same_bytes() {
    let golden = expect_file!["golden/sensors.txt"];
    golden.assert_eq(&digests("sensors", "pipeline.toml"));
}
