//! `score --follow` on a real Apache Kafka: processes share the partitions while one learns, one is
//! killed, the broker goes and comes back, and every record is answered with what the version that
//! is named says of it offline.

#![allow(clippy::unwrap_used)]

#[path = "support/records.rs"]
mod records;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use alluvium_broker::{Broker, Options};
use alluvium_flow::Headers;
use alluvium_kafka::{KafkaLog, Settings};
use alluvium_ledger::log::{Log, Outgoing, Policy};
use records::each_record;
use serde_json::Value;

/// Every record of the example.
const RECORDS: u64 = 45_312;
const PARTITIONS: u64 = 3;
/// How many records a second are loaded: slow enough that versions are published meanwhile.
const RATE: &str = "3000";
/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(90);
const KEEP: Policy = Policy::Delete { retention_ms: None };

/// The example in a directory of its own.
struct Bench {
    folder: tempfile::TempDir,
    broker: Broker,
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/electricity");
        let text = fs::read_to_string(example.join("pipeline.toml")).unwrap();
        let source = "electricity.csv.xz";
        fs::copy(example.join(source), folder.path().join(source)).unwrap();
        let load = format!("load = \"{source}\"");
        assert!(text.contains(&load));
        let text = text.replace(&load, &format!("partitions = {PARTITIONS}   #"));
        fs::write(folder.path().join("pipeline.toml"), text).unwrap();
        Bench { folder, broker: Broker::start(Options::default()).unwrap() }
    }

    fn log(&self) -> KafkaLog {
        KafkaLog::open(&Settings::new(self.broker.servers(), None)).unwrap()
    }

    fn call(&self, verb: &str, given: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alluvium"));
        command.args([verb, "pipeline.toml"]).args(given).current_dir(self.folder.path());
        command.args(["--log", &format!("kafka://{}", self.broker.servers())]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn scorer(&self, given: &[&str]) -> Scorer {
        let mut command = self.call("score", &[&["--follow", "--json"], given].concat());
        let mut child = command.stderr(Stdio::inherit()).spawn().unwrap();
        let events: Arc<Mutex<Vec<Value>>> = Arc::default();
        let (out, to) = (BufReader::new(child.stdout.take().unwrap()), events.clone());
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                to.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Scorer { child, events }
    }

    /// How many answers there are, those that were given twice included.
    fn given(&self) -> u64 {
        let ends = until("the ends", || self.log().ends("electricity.scores").ok());
        ends.map_or(0, |ends| ends.partitions.iter().map(|ends| ends.stable).sum())
    }
}

/// A process that answers, and what it has said.
struct Scorer {
    child: Child,
    events: Arc<Mutex<Vec<Value>>>,
}

impl Drop for Scorer {
    /// A test that fails leaves nothing behind.
    fn drop(&mut self) {
        drop(self.child.kill());
    }
}

impl Scorer {
    fn said(&self, event: &str) -> Vec<Value> {
        let events = self.events.lock().unwrap();
        events.iter().filter(|found| found["event"] == event).cloned().collect()
    }

    /// Waits until the newest event of a kind is as it shall be.
    #[track_caller]
    fn says(&self, event: &str, is_meant: impl Fn(&Value) -> bool) {
        let newest = || self.said(event).last().is_some_and(&is_meant).then_some(());
        until(&format!("{event} among {:?}", self.events), newest);
    }

    /// How many partitions are its own.
    fn shares(&self, count: usize) -> bool {
        let newest = self.said("partitions").pop();
        newest.is_some_and(|event| event["partitions"].as_array().unwrap().len() == count)
    }

    /// Asks it to finish; it has to end well.
    fn finish(mut self) -> Vec<Value> {
        signal(&self.child, "-INT");
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {:?}", self.events);
        until("the summary", || (!self.said("summary").is_empty()).then_some(()));
        let events = self.events.lock().unwrap();
        events.clone()
    }
}

#[track_caller]
fn until<T>(what: &str, mut tried: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = tried() {
            return found;
        }
        assert!(since.elapsed() < PATIENCE, "waiting for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

fn ended(child: Child) -> Output {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// An answer: version, and what it says.
type Said = (String, Value);
/// Answers by partition and offset of the record.
type Answers = BTreeMap<(u64, u64), BTreeSet<String>>;

/// All answers, each held against its headers; and how many there are.
fn answers(log: &mut KafkaLog) -> (Answers, u64) {
    let (mut found, mut count) = (Answers::new(), 0);
    each_record(log, "electricity.scores", |partition, record| {
        let header = |name: &str| {
            std::str::from_utf8(record.headers.get(name).unwrap()).unwrap().to_string()
        };
        let answer: Value = serde_json::from_slice(record.value.unwrap()).unwrap();
        assert_eq!(header("model"), answer["model"].as_str().unwrap());
        assert_eq!(header("version"), answer["version"].to_string());
        let at = header("at");
        let parts: Vec<&str> = at.split(':').collect();
        assert_eq!(parts[0], "electricity");
        let (of, offset): (u64, u64) = (parts[1].parse().unwrap(), parts[2].parse().unwrap());
        assert_eq!(of, u64::from(partition), "an answer lies where its record does");
        found.entry((of, offset)).or_default().insert(answer.to_string());
        count += 1;
    });
    (found, count)
}

/// What a version says of every row of the file, by the place of the row in the topic.
fn offline(bench: &Bench, version: &str) -> BTreeMap<(u64, u64), Value> {
    let output = bench.call("score", &["electricity.csv.xz", "--model", version]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let rows = text.lines().zip(0..).map(|(line, row): (&str, u64)| {
        let mut answer: Value = serde_json::from_str(line).unwrap();
        let answer_of = answer.as_object_mut().unwrap();
        answer_of.remove("at");
        assert_eq!(answer_of.remove("model").unwrap(), version);
        ((row % PARTITIONS, row / PARTITIONS), answer)
    });
    let rows: BTreeMap<(u64, u64), Value> = rows.collect();
    assert_eq!(rows.len() as u64, RECORDS, "{}", String::from_utf8_lossy(&output.stderr));
    rows
}

/// Every record is answered, and each answer is what its version gives offline. Returns the
/// versions, and how many answers there are.
fn check(bench: &Bench) -> (BTreeSet<String>, u64) {
    let (found, count) = answers(&mut bench.log());
    let (mut versions, mut known) = (BTreeSet::new(), BTreeMap::new());
    for row in 0..RECORDS {
        let place = (row % PARTITIONS, row / PARTITIONS);
        let answers = found.get(&place).unwrap_or_else(|| panic!("{place:?} has no answer"));
        for answer in answers {
            let mut answer: Value = serde_json::from_str(answer).unwrap();
            let fields = answer.as_object_mut().unwrap();
            let model = fields.remove("model").unwrap();
            let number = fields.remove("version").unwrap();
            let version = format!("{}@{number}", model.as_str().unwrap());
            let rows = known.entry(version.clone()).or_insert_with(|| offline(bench, &version));
            let said: Said = (version, answer);
            assert_eq!(said.1, rows[&place], "{place:?} by {}", said.0);
            versions.insert(said.0);
        }
    }
    (versions, count)
}

#[test]
fn processes_share_what_is_answered() {
    let mut bench = Bench::new();
    let mut log = bench.log();
    log.create("electricity", PARTITIONS as u32, KEEP).unwrap();

    // There is no version yet: they wait for one, and say so.
    let all = ["--from", "beginning"];
    let (first, mut second) = (bench.scorer(&all), bench.scorer(&all));
    let is_missing = |event: &Value| event["why"].as_str().unwrap().contains("no version");
    first.says("waiting", is_missing);

    let learner = bench.call("run", &["--follow", "--json"]).spawn().unwrap();
    let load = bench.call("load", &["electricity.csv.xz", "--rate", RATE]).spawn().unwrap();
    until("two shares", || {
        let both = (first.shares(1) && second.shares(2)) || (first.shares(2) && second.shares(1));
        both.then_some(())
    });
    let before = bench.given();
    until("answers of both", || (bench.given() > before + 3_000).then_some(()));
    second.child.kill().unwrap();
    second.child.wait().unwrap();
    until("the share of the killed one", || first.shares(3).then_some(()));
    let third = bench.scorer(&all);
    until("another share", || (!third.said("partitions").is_empty()).then_some(()));
    ended(load);
    let all_are_answered = || {
        let is_enough = bench.given() >= RECORDS;
        (is_enough && answers(&mut bench.log()).0.len() as u64 == RECORDS).then_some(())
    };
    until(&format!("all answers {:?} {:?}", first.events, third.events), all_are_answered);

    let (versions, count) = check(&bench);
    eprintln!("{count} answers to {RECORDS} records, by {versions:?}");
    assert!(versions.len() > 1, "a newer version has answered, too: {versions:?}");
    let swaps = first.said("version");
    assert!(swaps.len() > 1, "each version from when it is there: {swaps:?}");

    others_are_taken(&bench, &first);
    outages_are_sat_out(&mut bench, &first);
    third.finish();
    let said = first.finish();
    assert!(said.last().unwrap()["answered"].as_u64().unwrap() > 0);
    signal(&learner, "-INT");
    ended(learner);
    who_comes_back_goes_on(&bench);
    a_model_of_ones_own(&bench);
}

/// Appends a record with a key to the first partition.
fn append(bench: &Bench, key: &str, value: &str) -> u64 {
    let mut appender = bench.log().appender().unwrap();
    let route = appender.route("electricity", 0).unwrap();
    let (time, key, value) = (5, Some(key.as_bytes()), Some(value.as_bytes()));
    appender.submit(route, Outgoing { time, key, value, headers: Headers::default() });
    let mut settled = Vec::new();
    until("an acknowledgement", || {
        appender.poll(&mut settled).unwrap();
        settled.last().map(|settled| settled.offset)
    })
}

const ROW: &str = "0,0.056443,0.439155,0.003467,0.422915,0.414912,1";

/// The answers to records with that key.
fn answered(bench: &Bench, wanted: &str) -> Vec<Value> {
    let mut found = Vec::new();
    each_record(&mut bench.log(), "electricity.scores", |_, record| {
        if record.key == Some(wanted.as_bytes()) {
            found.push(serde_json::from_slice(record.value.unwrap()).unwrap());
        }
    });
    found
}

/// The key goes along; what is no record of this pipeline has no answer, and is counted; another
/// champion answers from when it is one.
fn others_are_taken(bench: &Bench, scorer: &Scorer) {
    append(bench, "bad", "this is no row");
    append(bench, "good", ROW);
    until("the answer", || (!answered(bench, "good").is_empty()).then_some(()));
    assert!(answered(bench, "bad").is_empty());
    let mut promote = Command::new(env!("CARGO_BIN_EXE_alluvium"));
    promote.args(["models", "promote", "pipeline.toml", "tree", "--log"]);
    promote.arg(format!("kafka://{}", bench.broker.servers())).current_dir(bench.folder.path());
    assert!(promote.output().unwrap().status.success());
    scorer.says("version", |event| event["model"] == "tree");
    until("an answer of the tree", || {
        append(bench, "tree", ROW);
        thread::sleep(Duration::from_millis(200));
        answered(bench, "tree").iter().any(|answer| answer["model"] == "tree").then_some(())
    });
}

/// The broker goes and comes back.
fn outages_are_sat_out(bench: &mut Bench, scorer: &Scorer) {
    bench.broker.kill(1).unwrap();
    scorer.says("waiting", |event| event["why"].as_str().unwrap().contains("is Kafka running"));
    bench.broker.start_node(1).unwrap();
    append(bench, "again", ROW);
    until("an answer after the outage", || (!answered(bench, "again").is_empty()).then_some(()));
}

/// After an end in good order nothing is answered twice.
fn who_comes_back_goes_on(bench: &Bench) {
    let before = bench.given();
    append(bench, "while nobody was there", ROW);
    let scorer = bench.scorer(&[]);
    let missed = || answered(bench, "while nobody was there").len() as u64;
    until("what came meanwhile", || (missed() > 0).then_some(()));
    append(bench, "last", ROW);
    until("the last", || (!answered(bench, "last").is_empty()).then_some(()));
    scorer.finish();
    assert_eq!(bench.given(), before + 2, "each of them once");
}

/// A model that is named has a group of its own, which begins at the end.
fn a_model_of_ones_own(bench: &Bench) {
    let before = bench.given();
    let scorer = bench.scorer(&["--model", "linear@1"]);
    scorer.says("partitions", |event| {
        event["by"] == "group alluvium.electricity.score.linear@1"
            && event["partitions"].as_array().unwrap().len() == 3
    });
    append(bench, "own", ROW);
    until("its answer", || (!answered(bench, "own").is_empty()).then_some(()));
    scorer.finish();
    let found = answered(bench, "own");
    assert!(found[0]["model"] == "linear" && found[0]["version"] == 1, "{found:?}");
    assert_eq!(bench.given(), before + 1);
    let wrong = bench.call("score", &["--follow", "--model", "oak"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    let output = bench.call("score", &["--follow", "rows.csv"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "rows are answered once, and not followed");
}
