//! The binary is killed at random moments of a run, also while it loads, and started again each
//! time. What it leaves behind is what a run leaves that nobody disturbed: the same versions, and
//! each prediction once. So with the electricity example, and with labels that come by a topic of
//! their own.
//!
//! `ALLUVIUM_KILLS` says how often (default 20; `cargo xtask chaos --kills 1000` sets it and builds
//! in release), `ALLUVIUM_SEED` fixes the moments. The seed and every delay are printed.

#![allow(clippy::unwrap_used)]

#[path = "support/killed.rs"]
mod killed;
#[path = "support/left.rs"]
mod left;
#[path = "support/payments.rs"]
mod payments;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use alluvium_embedded::Embedded;
use killed::{from_environment, printed, random};
use left::{Outputs, Versions, left};
use tempfile::TempDir;

/// The shortest delay before a kill, in microseconds: about when the program has begun to work.
const DELAY_MICROS_MIN: u64 = 5_000;

/// What is run.
struct Example {
    name: &'static str,
    /// Puts `NAME.toml`, and what it loads, into a directory.
    put: fn(&Path),
    /// How many predictions it gives.
    predictions: usize,
}

/// An example in a directory of its own.
struct Run<'a> {
    example: &'a Example,
    folder: TempDir,
}

impl Run<'_> {
    fn new(example: &Example) -> Run<'_> {
        let folder = tempfile::tempdir().unwrap();
        (example.put)(folder.path());
        Run { example, folder }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alluvium"));
        let file = self.folder.path().join(format!("{}.toml", self.example.name));
        command.arg("run").arg(file).arg("--json");
        command.arg("--log").arg(self.log());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs until it ends, or is killed after a delay. Whether it ended by itself.
    fn run(&self, delay: Option<Duration>) -> (bool, Output) {
        let mut child = self.command().spawn().unwrap();
        if let Some(delay) = delay {
            thread::sleep(delay);
            // It may be over already.
            drop(child.kill());
        }
        let output = child.wait_with_output().unwrap();
        let is_over = output.status.success();
        let said = String::from_utf8_lossy(&output.stderr);
        // A status without a code is a signal's: ours.
        assert!(is_over || output.status.code().is_none(), "{}: {said}", output.status);
        (is_over, output)
    }

    /// What it has left in the log.
    fn left(&self) -> (Versions, Outputs) {
        left(&mut Embedded::open(self.log()).unwrap(), self.example.name)
    }
}

#[test]
fn kills_change_nothing() {
    let put = |folder: &Path| {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/electricity");
        for (from, to) in
            [("pipeline.toml", "electricity.toml"), ("electricity.csv.xz", "electricity.csv.xz")]
        {
            fs::copy(example.join(from), folder.join(to)).unwrap();
        }
    };
    check(&Example { name: "electricity", put, predictions: 45_312 * 2 });
}

#[test]
fn kills_change_nothing_where_labels_come_later() {
    let predictions = payments::PAYMENTS * payments::MODELS;
    check(&Example { name: "payments", put: payments::write, predictions });
}

fn check(example: &Example) {
    let kills = from_environment("ALLUVIUM_KILLS", 20);
    let seed = from_environment("ALLUVIUM_SEED", 7);
    let undisturbed = Run::new(example);
    let begun = Instant::now();
    let (is_over, output) = undisturbed.run(None);
    let whole = begun.elapsed();
    assert!(is_over);
    let (versions, outputs) = undisturbed.left();
    let answers = outputs.values().filter(|(_, text)| text.starts_with("{\"model\":")).count();
    assert_eq!(answers, example.predictions);
    assert_eq!(printed(&output), versions);
    eprintln!("seed {seed}: {kills} kills; a run that nobody disturbs takes {whole:?}");

    // Up to what a whole run takes: some kills come while it loads, some as it ends.
    let room = (whole.as_micros() as u64).saturating_sub(DELAY_MICROS_MIN).max(1);
    let (mut state, mut killed) = (seed, 0);
    while killed < kills {
        let run = Run::new(example);
        loop {
            let delay = Duration::from_micros(DELAY_MICROS_MIN + random(&mut state) % room);
            let (is_over, output) = run.run((killed < kills).then_some(delay));
            for (version, digest) in printed(&output) {
                assert_eq!(versions.get(&version), Some(&digest), "{version:?}, seed {seed}");
            }
            if is_over {
                break;
            }
            killed += 1;
            eprintln!("kill {killed} after {delay:?}");
        }
        let left = run.left();
        assert_eq!(left.0, versions, "seed {seed}");
        // Not the maps at once: a difference of 90,624 entries is no message.
        for (place, output) in &outputs {
            assert_eq!(left.1.get(place), Some(output), "at {place:?}, seed {seed}");
        }
        assert_eq!(left.1.len(), outputs.len(), "seed {seed}");
        eprintln!(
            "over: {} versions and {} outputs, as they should be",
            left.0.len(),
            left.1.len()
        );
    }
}
