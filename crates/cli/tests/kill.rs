//! The binary is killed at random moments of the electricity run, also while it loads, and started
//! again each time. What it leaves behind is what a run leaves that nobody disturbed: the same
//! versions, and each prediction once.
//!
//! `ALLUVIUM_KILLS` says how often (default 20; `cargo xtask chaos --kills 1000` sets it and builds
//! in release), `ALLUVIUM_SEED` fixes the moments. The seed and every delay are printed.

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use alluvium_embedded::Embedded;
use alluvium_flow::{Batch, Record};
use alluvium_ledger::log::{Log, Polled, Span};
use serde_json::Value;
use tempfile::TempDir;

/// Every record of the example.
const RECORDS: usize = 45_312;
/// The models of the example.
const MODELS: usize = 2;
/// The shortest delay before a kill, in microseconds: about when the program has begun to work.
const DELAY_MICROS_MIN: u64 = 5_000;

/// State digests by model and version.
type Versions = BTreeMap<(String, u64), String>;

/// The place in the input, and the answer, by the place in the order: step and ordinal.
type Predictions = BTreeMap<(u64, u64), (String, String)>;

/// A copy of the example in a directory of its own.
struct Run {
    folder: TempDir,
}

impl Run {
    fn new() -> Run {
        let folder = tempfile::tempdir().unwrap();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/electricity");
        for name in ["pipeline.toml", "electricity.csv.xz"] {
            fs::copy(example.join(name), folder.path().join(name)).unwrap();
        }
        Run { folder }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alluvium"));
        command.arg("run").arg(self.folder.path().join("pipeline.toml")).arg("--json");
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
    fn left(&self) -> (Versions, Predictions) {
        let mut log = Embedded::open(self.log()).unwrap();
        (versions(&mut log), predictions(&mut log))
    }
}

/// Hands every record of a topic to a function.
fn each_record(log: &mut Embedded, topic: &str, mut see: impl FnMut(Record<'_>)) {
    let ends = log.ends(topic).unwrap().unwrap();
    let spans: Vec<Span> = (0..)
        .zip(&ends.partitions)
        .map(|(partition, ends)| Span {
            topic: Arc::from(topic),
            partition,
            from: ends.earliest,
            to: Some(ends.stable),
        })
        .collect();
    let mut reader = log.reader(&spans).unwrap();
    let mut batch = Batch::new();
    while reader.poll(&mut batch).unwrap() == Polled::Records {
        batch.iter().for_each(&mut see);
    }
}

/// Every version that is there. One that was published again has to be the same.
fn versions(log: &mut Embedded) -> Versions {
    let mut found = Versions::new();
    each_record(log, "electricity.models", |record| {
        let key = std::str::from_utf8(record.key.unwrap()).unwrap();
        let parts: Vec<&str> = key.split('/').collect();
        if let (["v", model, version], Some(manifest)) = (parts.as_slice(), record.value) {
            let manifest: Value = serde_json::from_slice(manifest).unwrap();
            let digest = manifest["state_digest"].as_str().unwrap().to_string();
            let version = (model.to_string(), version.parse().unwrap());
            let before = found.insert(version, digest.clone());
            assert!(before.is_none_or(|before| before == digest), "{key} is two models");
        }
    });
    found
}

/// Every prediction, each alone at its place in the order.
fn predictions(log: &mut Embedded) -> Predictions {
    let mut found = Predictions::new();
    each_record(log, "electricity.predictions", |record| {
        let header = |name: &str| {
            std::str::from_utf8(record.headers.get(name).unwrap()).unwrap().to_string()
        };
        let order = header("order");
        let parts: Vec<u64> = order.split('.').map(|part| part.parse().unwrap()).collect();
        let answer = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
        let before = found.insert((parts[0], parts[1]), (header("at"), answer));
        assert!(before.is_none(), "the prediction {order} was released twice");
    });
    found
}

/// The versions that a run has printed.
fn printed(output: &Output) -> Versions {
    let mut found = Versions::new();
    // A killed run's last line may be cut off.
    let lines = output.stdout.split(|byte| *byte == b'\n');
    let events = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    for event in events.filter(|event| event["event"] == "version") {
        let model = event["model"].as_str().unwrap().to_string();
        let digest = event["state_digest"].as_str().unwrap().to_string();
        found.insert((model, event["version"].as_u64().unwrap()), digest);
    }
    found
}

/// The next of a stream of random bits (splitmix64).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = *state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |value| value.parse().unwrap())
}

#[test]
fn kills_change_nothing() {
    let kills = from_environment("ALLUVIUM_KILLS", 20);
    let seed = from_environment("ALLUVIUM_SEED", 7);
    let undisturbed = Run::new();
    let begun = Instant::now();
    let (is_over, output) = undisturbed.run(None);
    let whole = begun.elapsed();
    assert!(is_over);
    let (versions, predictions) = undisturbed.left();
    assert_eq!(predictions.len(), RECORDS * MODELS);
    assert_eq!(printed(&output), versions);
    eprintln!("seed {seed}: {kills} kills; a run that nobody disturbs takes {whole:?}");

    // Up to what a whole run takes: some kills come while it loads, some as it ends.
    let room = (whole.as_micros() as u64).saturating_sub(DELAY_MICROS_MIN).max(1);
    let (mut state, mut killed) = (seed, 0);
    while killed < kills {
        let run = Run::new();
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
        for (place, prediction) in &predictions {
            assert_eq!(left.1.get(place), Some(prediction), "at {place:?}, seed {seed}");
        }
        assert_eq!(left.1.len(), predictions.len(), "seed {seed}");
        eprintln!(
            "over: {} versions and {} predictions, as they should be",
            left.0.len(),
            left.1.len()
        );
    }
}
