//! The electricity example on a real Apache Kafka: what it leaves there is what it leaves in the
//! embedded log, to the byte, however its workers and the broker are treated meanwhile. The same
//! with labels that come by a topic of their own.
//!
//! `ALLUVIUM_KILLS` says how often a worker is killed (default 20; `cargo xtask chaos --kafka` sets
//! it), `ALLUVIUM_SEED` fixes the moments.

#![allow(clippy::unwrap_used)]

#[path = "support/killed.rs"]
mod killed;
#[path = "support/left.rs"]
mod left;
#[path = "support/payments.rs"]
mod payments;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use alluvium_broker::{Broker, Options};
use alluvium_embedded::Embedded;
use alluvium_kafka::{KafkaLog, Settings};
use alluvium_ledger::log::{Log, Outgoing, Policy};
use killed::{from_environment, printed, random};
use left::{Outputs, Versions, left, records::each_record};
use serde_json::Value;
use tempfile::TempDir;

/// Every record of the example.
const RECORDS: usize = 45_312;
/// The models of the example.
const MODELS: usize = 2;
/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);
/// State digests by model and place in the input.
type States = BTreeMap<(String, String), String>;

const KEEP: Policy = Policy::Delete { retention_ms: None };

/// The example in a directory of its own, beside an embedded log that nobody disturbed.
struct Bench {
    folder: TempDir,
    broker: Broker,
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/electricity");
        let text = fs::read_to_string(example.join("pipeline.toml")).unwrap();
        fs::copy(example.join("electricity.csv.xz"), folder.path().join("electricity.csv.xz"))
            .unwrap();
        fs::write(folder.path().join("one.toml"), &text).unwrap();
        let input = "[input.electricity]\n";
        assert!(text.contains(input));
        let three = text.replace(input, &format!("{input}topic = \"three\"\npartitions = 3\n"));
        fs::write(folder.path().join("three.toml"), three).unwrap();
        payments::write(folder.path());
        Bench { folder, broker: Broker::start(Options::default()).unwrap() }
    }

    fn embedded(&self) -> PathBuf {
        self.folder.path().join("embedded")
    }

    fn kafka(&self) -> KafkaLog {
        KafkaLog::open(&Settings::new(self.broker.servers(), None)).unwrap()
    }

    /// A call about the pipeline of that name.
    fn call(&self, verb: &str, file: &str, name: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alluvium"));
        command.args([verb.into(), self.folder.path().join(file)]).args(["--as", name]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn on_kafka(&self, verb: &str, file: &str, name: &str) -> Command {
        let mut command = self.call(verb, file, name);
        command.args(["--log", &format!("kafka://{}", self.broker.servers())]);
        command
    }

    /// What an undisturbed run leaves in the embedded log.
    fn undisturbed(&self, file: &str, name: &str) -> (Versions, Outputs) {
        let mut run = self.call("run", file, name);
        ended(run.arg("--log").arg(self.embedded()).spawn().unwrap());
        left(&mut Embedded::open(self.embedded()).unwrap(), name)
    }

    /// Copies an input topic of the embedded log, times and headers too.
    fn copy(&self, topic: &str) {
        let (mut from, mut to) = (Embedded::open(self.embedded()).unwrap(), self.kafka());
        let partitions = from.ends(topic).unwrap().unwrap().partitions.len() as u32;
        to.create(topic, partitions, KEEP).unwrap();
        let mut appender = until("an appender", || to.appender().ok());
        let routes: Vec<_> = (0..partitions)
            .map(|partition| until("a route", || appender.route(topic, partition).ok()))
            .collect();
        let mut submitted = 0;
        each_record(&mut from, topic, |partition, record| {
            let (time, key, value) = (record.time, record.key, record.value);
            let outgoing = Outgoing { time, key, value, headers: record.headers };
            appender.submit(routes[partition as usize], outgoing);
            submitted += 1;
        });
        let mut settled = Vec::new();
        until("the acknowledgements", || {
            appender.poll(&mut settled).unwrap();
            (settled.last().map(|last| last.ticket + 1) == Some(submitted)).then_some(())
        });
    }
}

fn until<T>(what: &str, mut tried: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = tried() {
            return found;
        }
        assert!(since.elapsed() < PATIENCE, "waiting for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits for a process, which has to end well.
fn ended(child: Child) -> Output {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {said}", output.status);
    output
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// How many records a pipeline has answered.
fn answered(log: &mut KafkaLog, name: &str) -> u64 {
    let ends = log.ends(&format!("{name}.predictions")).unwrap();
    let answers = ends.map_or(0, |ends| ends.partitions.iter().map(|p| p.stable).sum());
    answers / MODELS as u64
}

fn same(bench: &Bench, name: &str, expected: &(Versions, Outputs)) {
    let (versions, predictions) = left(&mut bench.kafka(), name);
    assert_eq!(versions, expected.0, "{name}");
    assert_eq!(predictions.len(), expected.1.len(), "{name}");
    assert!(predictions == expected.1, "{name}: other predictions");
}

#[test]
fn kafka_holds_what_the_embedded_log_holds() {
    let mut bench = Bench::new();
    let one = bench.undisturbed("one.toml", "electricity");
    let three = bench.undisturbed("three.toml", "spread");
    assert_eq!((one.1.len(), three.1.len()), (RECORDS * MODELS, RECORDS * MODELS));
    let joined = bench.undisturbed("payments.toml", "payments");
    assert!(joined.1.len() > payments::PAYMENTS * payments::MODELS, "and dead letters");
    ["three", "payments", "chargebacks"].iter().for_each(|topic| bench.copy(topic));

    // It loads by itself, from nothing.
    let output =
        ended(bench.on_kafka("run", "one.toml", "electricity").arg("--json").spawn().unwrap());
    assert_eq!(printed(&output), one.0);
    same(&bench, "electricity", &one);
    others_read_it(&bench);
    killed(&mut bench, "three", 20, &three);
    killed(&mut bench, "payments", 5, &joined);
    handed_on(&bench, &one);
}

/// Kafka's own console reads what was written.
fn others_read_it(bench: &Bench) {
    let class = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    let given = ["--topic", "electricity.predictions", "--from-beginning", "--max-messages", "2"];
    let shown = ["--property", "print.headers=true"];
    let said = bench.broker.call(class, &[&given[..], &shown].concat(), "").unwrap();
    let first = said.lines().next().unwrap();
    assert!(first.starts_with("order:1.0.") && first.contains(",at:electricity:0:0\t"), "{said}");
    assert!(first.contains(r#"{"model":"linear","version":0,"answer":"#), "{said}");
}

/// The worker is killed at random moments, the broker now and then.
fn killed(bench: &mut Bench, stem: &str, otherwise: u64, expected: &(Versions, Outputs)) {
    let kills = from_environment("ALLUVIUM_KILLS", otherwise);
    let seed = from_environment("ALLUVIUM_SEED", 7);
    let (mut state, mut killed, mut run) = (seed, 0, 0);
    while killed < kills {
        run += 1;
        let (file, name) = (format!("{stem}.toml"), format!("{stem}-killed{run}"));
        loop {
            let mut child = bench.on_kafka("run", &file, &name).arg("--json").spawn().unwrap();
            if killed < kills {
                thread::sleep(Duration::from_millis(50 + random(&mut state) % 1_500));
                if killed % 7 == 3 {
                    bench.broker.kill(1).unwrap();
                    thread::sleep(Duration::from_millis(random(&mut state) % 300));
                    bench.broker.start_node(1).unwrap();
                    thread::sleep(Duration::from_millis(random(&mut state) % 1_000));
                }
                // It may be over already.
                drop(child.kill());
            }
            let output = child.wait_with_output().unwrap();
            for (version, digest) in printed(&output) {
                assert_eq!(expected.0.get(&version), Some(&digest), "{version:?}, seed {seed}");
            }
            if output.status.success() {
                break;
            }
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.code().is_none(), "{}: {said}", output.status);
            killed += 1;
        }
        same(bench, &name, expected);
        eprintln!("{stem}: run {run}, {killed} kills, seed {seed}");
    }
}

/// The lease moves from worker to worker while records come in; one that was stopped for longer
/// than its session wakes up, believes it still holds the lease, and changes nothing.
fn handed_on(bench: &Bench, expected: &(Versions, Outputs)) {
    let (file, name) = ("slow.toml", "handed");
    let text = fs::read_to_string(bench.folder.path().join("one.toml")).unwrap();
    let input = "[input.electricity]\n";
    let is_load = |line: &&str| line.starts_with("load = ");
    let kept: Vec<&str> = text.lines().filter(|line| !is_load(line)).collect();
    let slow = kept.join("\n").replace(input, &format!("{input}topic = \"slow\"\n"));
    assert!(kept.len() < text.lines().count() && slow.contains("slow"));
    fs::write(bench.folder.path().join(file), slow).unwrap();
    let mut log = bench.kafka();
    log.create("slow", 1, KEEP).unwrap();
    let source = bench.folder.path().join("electricity.csv.xz");
    let load = bench.on_kafka("load", file, name).arg(source).args(["--rate", "700"]).spawn();
    let load = load.unwrap();
    let worker = || bench.on_kafka("run", file, name).args(["--follow", "--json"]).spawn().unwrap();
    let mut workers = vec![worker(), worker()];
    for _ in 0..10 {
        let (since, before) = (Instant::now(), answered(&mut log, name));
        until("progress", || (answered(&mut log, name) > before).then_some(()));
        eprintln!("somebody went on after {:?}", since.elapsed());
        // Whoever came first holds it, and stops in an orderly way.
        let first = workers.remove(0);
        signal(&first, "-INT");
        ended(first);
        workers.push(worker());
    }
    signal(&workers[0], "-STOP");
    ended(load);
    until("the other", || (answered(&mut log, name) >= RECORDS as u64).then_some(()));
    signal(&workers[0], "-CONT");
    thread::sleep(Duration::from_secs(1));
    for worker in workers {
        signal(&worker, "-INT");
        ended(worker);
    }
    same_but_for_numbers(bench, name, expected);
}

/// The same states at the same places, and the same answers; but a version is made wherever a
/// worker has caught up, so there are more of them and their numbers are others.
fn same_but_for_numbers(bench: &Bench, name: &str, expected: &(Versions, Outputs)) {
    let mut log = bench.kafka();
    let theirs = states(&mut Embedded::open(bench.embedded()).unwrap(), "electricity");
    let ours = states(&mut log, name);
    // Who follows makes none at the very end.
    let end = format!("{{\"electricity:0\":{RECORDS}}}");
    for (place, digest) in theirs.iter().filter(|((_, place), _)| *place != end) {
        assert_eq!(ours.get(place), Some(digest), "{place:?}");
    }
    let unnumbered = |predictions: &Outputs| -> Vec<Value> {
        let answers = predictions.iter().map(|(place, (at, answer))| {
            let mut answer: Value = serde_json::from_str(answer).unwrap();
            answer.as_object_mut().unwrap().remove("version").unwrap();
            serde_json::json!([place, at, answer])
        });
        answers.collect()
    };
    let (_, predictions) = left(&mut log, name);
    assert!(unnumbered(&predictions) == unnumbered(&expected.1), "other predictions");
}

/// The versions of a pipeline by where they were made, whatever their numbers.
fn states(log: &mut dyn Log, pipeline: &str) -> States {
    let mut found = States::new();
    each_record(log, &format!("{pipeline}.models"), |_, record| {
        let key = std::str::from_utf8(record.key.unwrap()).unwrap();
        let parts: Vec<&str> = key.split('/').collect();
        if let (["v", model, _], Some(manifest)) = (parts.as_slice(), record.value) {
            let manifest: Value = serde_json::from_slice(manifest).unwrap();
            let text = |key: &str| manifest[key].to_string();
            found.insert(((*model).to_string(), text("positions")), text("state_digest"));
        }
    });
    found
}
