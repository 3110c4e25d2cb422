//! What can become of a topic under a pipeline, on a real Apache Kafka: each state ends in words
//! that name the place, with what can be typed, and `status` tells it afterwards. Nothing is reset
//! in silence, and no process sits there and does nothing.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::{Read, Seek, SeekFrom, Write},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use alluvium_broker::{Broker, Options};
use alluvium_flow::Headers;
use alluvium_kafka::{KafkaLog, Settings};
use alluvium_ledger::log::{Log, Outgoing, Policy};
use serde_json::Value;

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(90);
const KEEP: Policy = Policy::Delete { retention_ms: None };
const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";

struct Bench {
    folder: tempfile::TempDir,
    broker: Broker,
}

impl Bench {
    /// A pipeline of that name, whose input is the topic `NAME-in` with so many partitions and
    /// records.
    fn pipeline(&self, name: &str, partitions: u32, records: u64) {
        let text = format!(
            r#"
name = "{name}"
[input.x]
topic = "{name}-in"
format.csv = ["a", "b", "class"]
[fields]
a = "number"
b = "number"
[label]
field = "class"
type.class = ["no", "yes"]
[model.linear]
use = ["a", "b"]
learner = "logistic_regression"
[versions]
every = "20 records"
"#
        );
        fs::write(self.folder.path().join(format!("{name}.toml")), text).unwrap();
        self.log().create(&format!("{name}-in"), partitions, KEEP).unwrap();
        for partition in 0..partitions {
            self.append(name, partition, records);
        }
    }

    fn log(&self) -> KafkaLog {
        KafkaLog::open(&Settings::new(self.broker.servers(), None)).unwrap()
    }

    fn call(&self, verb: &str, name: &str, given: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alluvium"));
        command.args([verb, &format!("{name}.toml")]).args(given).current_dir(self.folder.path());
        command.args(["--log", &format!("kafka://{}", self.broker.servers())]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Learns what there is.
    fn learned(&self, name: &str) {
        let output = self.call("run", name, &[]).output().unwrap();
        assert!(output.status.success(), "{}", errors(&output));
    }

    /// Appends records one by one: each is a batch of its own.
    fn append(&self, name: &str, partition: u32, count: u64) {
        let mut log = self.log();
        let mut appender = until("an appender", || log.appender().ok());
        let topic = format!("{name}-in");
        let route = until("a route", || appender.route(&topic, partition).ok());
        for number in 0..count {
            let value =
                format!("{},{},{}", number % 7, number % 3, ["no", "yes"][number as usize % 2]);
            let (value, headers) = (Some(value.as_bytes()), Headers::default());
            let time = 1_000 * number as i64;
            let ticket = appender.submit(route, Outgoing { time, key: None, value, headers });
            let mut settled = Vec::new();
            until("an acknowledgement", || {
                appender.poll(&mut settled).unwrap();
                settled.iter().any(|one| one.ticket >= ticket).then_some(())
            });
        }
    }

    /// Deletes the beginning of a partition.
    fn delete_before(&self, name: &str, offset: u64) {
        let wanted = format!(
            r#"{{"version":1,"partitions":[{{"topic":"{name}-in","partition":0,"offset":{offset}}}]}}"#
        );
        let file = self.folder.path().join("delete.json");
        fs::write(&file, wanted).unwrap();
        let class = "org.apache.kafka.tools.DeleteRecordsCommand";
        let path = file.display().to_string();
        self.broker.call(class, &["--offset-json-file", &path], "").unwrap();
    }

    /// How many records were answered.
    fn answered(&self, name: &str) -> u64 {
        let ends = self.log().ends(&format!("{name}.predictions")).ok().flatten();
        ends.map_or(0, |ends| ends.partitions.iter().map(|ends| ends.stable).sum())
    }

    /// A run that goes on, and has learned so much.
    fn following(&self, name: &str, records: u64) -> Child {
        let run = self.call("run", name, &["--follow", "--json"]).spawn().unwrap();
        until("the learner", || (self.answered(name) >= records).then_some(()));
        run
    }

    fn status(&self, name: &str) -> Value {
        let output = self.call("status", name, &["--json"]).output().unwrap();
        assert!(output.status.success(), "{}", errors(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Passes over what a run has halted at; the next one answers the rest.
    #[track_caller]
    fn skips(&self, name: &str, span: &str, answered: u64) {
        let file = format!("{name}.toml");
        let mut command = Command::new(env!("CARGO_BIN_EXE_alluvium"));
        command.args(["decide", "skip", &file]).current_dir(self.folder.path());
        command.args(["--log", &format!("kafka://{}", self.broker.servers())]);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &errors(&output);
        assert!(output.status.success() && said.contains(span), "{said}");
        self.learned(name);
        assert_eq!(self.answered(name), answered);
    }

    /// A run has halted: it names all of this and what can be typed, and so does `status`.
    #[track_caller]
    fn halted(&self, name: &str, output: &Output, kind: &str, words: &[&str]) {
        let said = errors(output);
        eprintln!("{name}: {said}");
        assert_eq!(output.status.code(), Some(3), "{said}");
        let typed = format!("alluvium run {name}.toml --as {name}-2");
        for word in words.iter().copied().chain([&*typed]) {
            assert!(said.contains(word), "`{word}` in: {said}");
        }
        let halted = until("the halt in status", || {
            Some(self.status(name)["halted"].clone()).filter(|halted| !halted.is_null())
        });
        assert_eq!(halted["kind"], kind, "{halted}");
        let why = halted["why"].as_str().unwrap();
        assert!(words.iter().all(|word| why.contains(word)), "{why}");
        let shown = self.call("status", name, &[]).output().unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        assert!(shown.contains("halted ") && shown.contains(&typed), "{shown}");
        // And a run that comes after says the same.
        let again = self.call("run", name, &[]).output().unwrap();
        assert_eq!(again.status.code(), Some(3), "{}", errors(&again));
    }
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn until<T>(what: &str, mut tried: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = tried() {
            return found;
        }
        assert!(since.elapsed() < PATIENCE, "waiting for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Waits for the end of a process, which must come by itself.
#[track_caller]
fn ended(mut child: Child) -> Output {
    let since = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if since.elapsed() > PATIENCE {
            child.kill().unwrap();
            let output = child.wait_with_output().unwrap();
            let told = String::from_utf8_lossy(&output.stdout);
            panic!("it sits there: {told}{}", errors(&output));
        }
        thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn what_becomes_of_a_topic_is_told() {
    let mut bench = Bench {
        folder: tempfile::tempdir().unwrap(),
        broker: Broker::start(Options::default()).unwrap(),
    };
    let deleted = deleted(&bench);
    expired_between_runs(&bench);
    truncated_while_running(&bench);
    made_again_while_running(&bench);
    partitions_are_added(&bench);
    a_group_whose_place_is_gone(&bench);
    let output = ended(deleted);
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("there is no topic deleted-in any more"), "{said}");
    let shown = bench.call("status", "deleted", &[]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("there is no topic deleted-in"), "{shown}");
    a_damaged_batch(&mut bench);
}

/// Records that were not learned expire while nobody runs.
fn expired_between_runs(bench: &Bench) {
    bench.pipeline("expired", 1, 40);
    bench.learned("expired");
    bench.append("expired", 0, 20);
    bench.delete_before("expired", 50);
    let output = bench.call("run", "expired", &[]).output().unwrap();
    let words = ["expired-in:0 (input x) begins at 50, and is needed from 40 on"];
    bench.halted("expired", &output, "unreadable", &words);
    bench.skips("expired", "x:0:40..50", 50);
}

/// Records are deleted that a run has not come to.
fn truncated_while_running(bench: &Bench) {
    bench.pipeline("truncated", 1, 40);
    let run = bench.following("truncated", 40);
    // What was asked for before may still be delivered: the first of what comes.
    signal(&run, "-STOP");
    bench.append("truncated", 0, 10);
    bench.delete_before("truncated", 50);
    bench.append("truncated", 0, 2);
    signal(&run, "-CONT");
    let words = ["truncated-in:0 (input x) begins at 50, and is needed from"];
    bench.halted("truncated", &ended(run), "unreadable", &words);
}

/// A topic of the same name is another one, however long it is.
fn made_again_while_running(bench: &Bench) {
    bench.pipeline("again", 1, 40);
    let run = bench.following("again", 40);
    let mut log = bench.log();
    bench.broker.call(TOPICS, &["--delete", "--topic", "again-in"], "").unwrap();
    until("the topic to go", || log.ends("again-in").unwrap().is_none().then_some(()));
    log.create("again-in", 1, KEEP).unwrap();
    bench.append("again", 0, 60);
    let words = ["the topic again-in was deleted and made again"];
    bench.halted("again", &ended(run), "log_changed", &words);
    assert_eq!(bench.answered("again"), 40, "nothing of the new one is learned");
}

/// A run whose topic is deleted: the brokers may yet bring it back, so it is waited for a while.
fn deleted(bench: &Bench) -> Child {
    bench.pipeline("deleted", 1, 40);
    let run = bench.following("deleted", 40);
    bench.broker.call(TOPICS, &["--delete", "--topic", "deleted-in"], "").unwrap();
    run
}

/// What is added is learned from its beginning, by a run that goes on and by the next one.
fn partitions_are_added(bench: &Bench) {
    bench.pipeline("added", 1, 40);
    let run = bench.following("added", 40);
    let alter = |count| {
        let given = ["--alter", "--topic", "added-in", "--partitions", count];
        bench.broker.call(TOPICS, &given, "").unwrap();
    };
    alter("2");
    bench.append("added", 1, 10);
    until("the partition that was added", || (bench.answered("added") == 50).then_some(()));
    signal(&run, "-INT");
    assert!(ended(run).status.success());
    alter("3");
    bench.append("added", 2, 10);
    bench.learned("added");
    assert_eq!(bench.answered("added"), 60);
    let status = bench.status("added");
    assert_eq!(status["inputs"].as_array().unwrap().len(), 3);
    assert_eq!(status["lag"], 0);
    let verified = bench.call("verify", "added", &["--all"]).output().unwrap();
    assert!(verified.status.success(), "{}", errors(&verified));
}

/// Scoring goes on elsewhere only where somebody says so, and its partitions may grow, too.
fn a_group_whose_place_is_gone(bench: &Bench) {
    bench.pipeline("group", 1, 40);
    bench.learned("group");
    let score = |given: &[&str]| bench.call("score", "group", &[&["--follow"], given].concat());
    let answers = || {
        let ends = bench.log().ends("group.scores").ok().flatten();
        ends.map_or(0, |ends| ends.partitions.iter().map(|ends| ends.stable).sum::<u64>())
    };
    let finish = |child: Child| {
        signal(&child, "-INT");
        let output = ended(child);
        assert!(output.status.success(), "{}", errors(&output));
        errors(&output)
    };
    let first = score(&["--from", "beginning"]).spawn().unwrap();
    until("forty answers", || (answers() == 40).then_some(()));
    // A partition that is added while it runs is answered from its first record on.
    let given = ["--alter", "--topic", "group-in", "--partitions", "2"];
    bench.broker.call(TOPICS, &given, "").unwrap();
    bench.append("group", 1, 5);
    until("those of the new partition", || (answers() == 45).then_some(()));
    let said = finish(first);
    assert!(said.contains("group-in:1 was added since"), "{said}");

    bench.append("group", 0, 20);
    bench.delete_before("group", 50);
    let output = ended(score(&[]).spawn().unwrap());
    let said = errors(&output);
    eprintln!("{said}");
    assert_eq!(output.status.code(), Some(3), "{said}");
    for word in ["offset 40 of group-in:0", "there are 50 to 60", "--from beginning", "--from end"]
    {
        assert!(said.contains(word), "`{word}` in: {said}");
    }
    let next = score(&["--from", "beginning"]).spawn().unwrap();
    until("the ten that are left", || (answers() == 55).then_some(()));
    let said = finish(next);
    assert!(said.contains("offset 40 of group-in:0 is not there"), "{said}");

    let reading = score(&[]).spawn().unwrap();
    bench.append("group", 0, 1);
    until("one more", || (answers() == 56).then_some(()));
    bench.broker.call(TOPICS, &["--delete", "--topic", "group-in"], "").unwrap();
    let output = ended(reading);
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the topic group-in was deleted, or made again"), "{said}");
}

/// A bit of a batch is flipped on the broker's disk.
fn a_damaged_batch(bench: &mut Bench) {
    bench.pipeline("damaged", 1, 40);
    bench.learned("damaged");
    let score = bench.call("score", "damaged", &["--follow"]).spawn().unwrap();
    until("a group", || bench.log().ends("damaged.scores").unwrap());
    bench.append("damaged", 0, 1);
    until("an answer", || {
        let ends = bench.log().ends("damaged.scores").unwrap().unwrap();
        (ends.partitions[0].stable == 1).then_some(())
    });
    signal(&score, "-INT");
    assert!(ended(score).status.success());
    bench.append("damaged", 0, 5);
    let given = ["--describe", "--topic-list", "damaged-in"];
    let said = bench.broker.call("org.apache.kafka.tools.LogDirsCommand", &given, "").unwrap();
    let folder =
        said.split("\"logDir\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let path = format!("{folder}/damaged-in-0/00000000000000000000.log");
    bench.broker.stop(1).unwrap();
    flip(&path, 43);
    bench.broker.start_node(1).unwrap();

    let output = ended(bench.call("run", "damaged", &["--follow"]).spawn().unwrap());
    let words = ["the records of damaged-in:0 from offset 43 on cannot be read"];
    bench.halted("damaged", &output, "unreadable", &words);
    let output = ended(bench.call("score", "damaged", &["--follow"]).spawn().unwrap());
    let said = errors(&output);
    eprintln!("{said}");
    assert_eq!(output.status.code(), Some(3), "{said}");
    let group = "--group alluvium.damaged.score";
    for word in [words[0], "kafka-consumer-groups.sh", group] {
        assert!(said.contains(word), "`{word}` in: {said}");
    }
    // Where the damage ends is found by trying.
    bench.skips("damaged", "x:0:43..44", 45);
}

/// Flips a bit of the batch that begins at an offset.
fn flip(path: &str, wanted: u64) {
    let mut bytes = Vec::new();
    fs::File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
    let mut at = 0;
    loop {
        let base = u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
        let length = u32::from_be_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        let end = at + 12 + length;
        if base == wanted {
            let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
            file.seek(SeekFrom::Start(end as u64 - 2)).unwrap();
            file.write_all(&[bytes[end - 2] ^ 1]).unwrap();
            return;
        }
        at = end;
    }
}
