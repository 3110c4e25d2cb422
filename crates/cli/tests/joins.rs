//! A model joins the electricity run while the binary is killed at random moments. What is left is
//! what a run leaves that had the model from the beginning; and what it wrote can be verified.
//!
//! `ALLUVIUM_KILLS` says how often (default 8), `ALLUVIUM_SEED` fixes the moments. The seed and
//! every delay are printed.

#![allow(clippy::unwrap_used)]

#[path = "support/killed.rs"]
mod killed;
#[path = "support/left.rs"]
mod left;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use alluvium_embedded::Embedded;
use killed::{from_environment, printed, random};
use left::{Predictions, Versions, left};
use serde_json::Value;
use tempfile::TempDir;

/// The shortest delay before a kill, in microseconds.
const DELAY_MICROS_MIN: u64 = 5_000;

/// What joins: a model with a field and a step of its own, that shares a step.
const LATE: &str = r#"
[model.late]
use = ["before", "late_mean", "late_price"]
learner.hoeffding_tree = { grace_period = 100 }
"#;

/// A copy of the example in a directory of its own, with the third model or without.
struct Run {
    folder: TempDir,
}

impl Run {
    fn new() -> Run {
        let folder = tempfile::tempdir().unwrap();
        let example = example();
        fs::copy(example.join("electricity.csv.xz"), folder.path().join("electricity.csv.xz"))
            .unwrap();
        let run = Run { folder };
        run.name(false);
        run
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("pipeline.toml")
    }

    /// Writes the file anew.
    fn name(&self, late: bool) {
        let mut file = fs::read_to_string(example().join("pipeline.toml")).unwrap();
        if late {
            let added = |file: &mut String, header: &str, line: &str| {
                assert!(file.contains(header), "the example has {header}");
                *file = file.replacen(header, &format!("{header}\n{line}"), 1);
            };
            added(&mut file, "[input.electricity]", "paths.late_price = \"vicprice\"");
            added(&mut file, "[fields]", "late_price.number = { missing = \"mean\" }");
            added(
                &mut file,
                "[features]",
                "late_mean.window = { over = \"48 records\", make.mean.mean = \"late_price\" }",
            );
            file.push_str(LATE);
        }
        fs::write(self.file(), file).unwrap();
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alluvium"));
        command.arg(verb).arg(self.file()).arg("--json");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs until it ends, or is killed after a delay. Whether it ended by itself.
    fn run(&self, delay: Option<Duration>) -> (bool, Output) {
        let mut child = self.command("run").spawn().unwrap();
        if let Some(delay) = delay {
            thread::sleep(delay);
            // It may be over already.
            drop(child.kill());
        }
        let output = child.wait_with_output().unwrap();
        let is_over = output.status.success();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(is_over || output.status.code().is_none(), "{}: {said}", output.status);
        (is_over, output)
    }
}

impl Run {
    /// What it has left in the log.
    fn left(&self) -> (Versions, Predictions) {
        left(&mut Embedded::open(self.folder.path().join("alluvium")).unwrap(), "electricity")
    }
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/electricity")
}

/// The newest state of each model, as the summary has it.
fn states(output: &Output) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let mut events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let summary = events.rfind(|event| event["event"] == "summary").unwrap();
    let models = summary["models"].as_object().unwrap().iter();
    models.map(|(name, model)| (name.clone(), model["state_digest"].to_string())).collect()
}

#[test]
fn a_model_joins_whatever_is_killed() {
    let kills = from_environment("ALLUVIUM_KILLS", 8);
    let seed = from_environment("ALLUVIUM_SEED", 11);
    let all_along = Run::new();
    all_along.name(true);
    let begun = Instant::now();
    let (is_over, expected) = all_along.run(None);
    let whole = begun.elapsed();
    assert!(is_over);
    let without = Run::new();
    without.run(None);
    let without = without.left();
    eprintln!("seed {seed}: {kills} kills; a run that nobody disturbs takes {whole:?}");

    let room = (whole.as_micros() as u64).saturating_sub(DELAY_MICROS_MIN).max(1);
    let (mut state, mut killed) = (seed, 0);
    while killed < kills {
        // The first of them learns with two models, up to anywhere.
        let run = Run::new();
        let delay =
            |state: &mut u64| Duration::from_micros(DELAY_MICROS_MIN + random(state) % room);
        let mut versions = printed(&run.run(Some(delay(&mut state))).1);
        run.name(true);
        let last = loop {
            let delay = delay(&mut state);
            let (is_over, output) = run.run((killed < kills).then_some(delay));
            versions.extend(printed(&output));
            if is_over {
                break output;
            }
            killed += 1;
            eprintln!("kill {killed} after {delay:?}");
        };
        assert_eq!(states(&last), states(&expected), "seed {seed}");
        let (published, predictions) = run.left();
        for (version, digest) in &without.0 {
            assert_eq!(published.get(version), Some(digest), "{version:?}, seed {seed}");
        }
        for (version, digest) in &versions {
            assert_eq!(published.get(version), Some(digest), "{version:?}, seed {seed}");
        }
        // A decision is a step of the order, so these are elsewhere in it; each is there once.
        let of = |predictions: &Predictions| -> BTreeSet<(String, String)> {
            let answers = predictions.values().cloned();
            answers.filter(|(_, answer)| !answer.starts_with("{\"model\":\"late\"")).collect()
        };
        assert!(of(&predictions) == of(&without.1), "seed {seed}: other answers");
        let verified = run.command("verify").arg("--all").output().unwrap();
        let said = String::from_utf8_lossy(&verified.stdout);
        assert!(verified.status.success(), "{said}{}", String::from_utf8_lossy(&verified.stderr));
        assert!(said.contains("late"), "{said}");
    }
}
