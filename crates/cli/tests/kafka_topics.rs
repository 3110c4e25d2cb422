//! Topics on a real Apache Kafka that asks who is there: what is told of them before, at and
//! beside a run, and whether the commands that are told do what they say.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use alluvium_broker::{Broker, Mechanism, Options, Security, User};
use alluvium_flow::Headers;
use alluvium_kafka::{KafkaLog, Seen, Settings, TopicSettings};
use alluvium_ledger::log::{Log, Outgoing, Policy};
use serde_json::Value;
use tempfile::TempDir;

const KEEP: Policy = Policy::Delete { retention_ms: None };
const ROWS: u64 = 3_000;
/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);
/// The topics of a pipeline `p` of its own.
const OWN: [&str; 6] =
    ["p.control", "p.state", "p.models", "p.predictions", "p.alarms", "p.dead-letters"];

fn row(index: u64) -> String {
    let noise = (index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
    format!("{},{},{}", noise, index % 7, if noise > 128 { "yes" } else { "no" })
}

fn pipeline(name: &str, input: &str, client: &str, servers: &str) -> String {
    format!(
        r#"
name = "{name}"

[input.{input}]
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
every = "1000 records"

[log.kafka]
servers = "{servers}"
client = "{client}"
"#
    )
}

struct Bench {
    folder: TempDir,
    broker: Broker,
}

impl Bench {
    fn new() -> Bench {
        let options = Options { security: Security::TlsSasl, ..Options::default() };
        let bench =
            Bench { folder: tempfile::tempdir().unwrap(), broker: Broker::start(options).unwrap() };
        let (admin, guest) = (bench.broker.admin().unwrap(), bench.broker.guest().unwrap());
        bench.client("admin.client", admin);
        bench.client("guest.client", guest);
        let rows: String = (0..ROWS).map(|index| row(index) + "\n").collect();
        bench.write("rows.csv", &rows);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn client(&self, name: &str, user: &User) {
        let text = format!(
            "security.protocol=SASL_SSL\nsasl.mechanism={}\nsasl.username={}\nsasl.password={}\n\
             ssl.ca.location={}\n",
            Mechanism::ScramSha256.name(),
            user.name,
            user.password,
            self.broker.authority().unwrap().display()
        );
        self.write(name, &text);
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Writes a pipeline file, and says how it is named.
    fn pipeline(&self, name: &str, input: &str, client: &str) -> String {
        let file = format!("{name}.toml");
        self.write(&file, &pipeline(name, input, client, &self.broker.servers()));
        file
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alluvium"));
        command.args(arguments).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn call(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> (String, String) {
        let output = self.call(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", errors(&output));
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    #[track_caller]
    fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.call(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", errors(&output));
        eprintln!("{}", errors(&output));
        errors(&output)
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(arguments).0).unwrap()
    }

    /// As the user who may do everything.
    fn log(&self) -> KafkaLog {
        let client = Some(self.path("admin.client"));
        KafkaLog::open(&Settings::new(self.broker.servers(), client)).unwrap()
    }

    /// Does what a printed line says, by the class that the script calls.
    fn types(&self, line: &str) {
        let mut words = line.split_whitespace();
        let class = match words.next().unwrap() {
            "kafka-topics.sh" => "org.apache.kafka.tools.TopicCommand",
            "kafka-configs.sh" => "kafka.admin.ConfigCommand",
            "kafka-acls.sh" => "org.apache.kafka.tools.AclCommand",
            other => panic!("{other}: {line}"),
        };
        let servers = self.broker.servers();
        let begin = ["--bootstrap-server", &*servers, "--command-config", "admin.properties"];
        assert_eq!(words.by_ref().take(4).collect::<Vec<_>>(), begin, "{line}");
        self.broker.call(class, &words.collect::<Vec<_>>(), "").unwrap();
    }

    /// Appends records to a topic.
    fn append(&self, topic: &str, partitions: u32, values: impl Iterator<Item = String>) {
        let mut log = self.log();
        let mut appender = until("an appender", || log.appender().ok());
        let route = |partition| appender.route(topic, partition).unwrap();
        let routes: Vec<_> = (0..partitions).map(route).collect();
        let mut last = 0;
        for (index, value) in values.enumerate() {
            let key = index.to_string();
            let outgoing = Outgoing {
                time: 1_000 + index as i64,
                key: Some(key.as_bytes()),
                value: Some(value.as_bytes()),
                headers: Headers::default(),
            };
            last = appender.submit(routes[index % routes.len()], outgoing);
        }
        let mut settled = Vec::new();
        until("the acknowledgements", || {
            appender.poll(&mut settled).unwrap();
            settled.iter().any(|one| one.ticket == last).then_some(())
        });
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
        thread::sleep(Duration::from_millis(5));
    }
}

fn texts(value: &Value) -> Vec<String> {
    let texts = value.as_array().unwrap().iter();
    texts.map(|text| text.as_str().unwrap().to_string()).collect()
}

#[track_caller]
fn settings(log: &mut KafkaLog, topic: &str) -> TopicSettings {
    match log.topic(topic).unwrap() {
        Seen::There(found) => found.settings.unwrap(),
        other => panic!("{topic}: {other:?}"),
    }
}

#[test]
fn topics_are_told_of_and_commands_do_what_they_say() {
    let bench = Bench::new();
    the_embedded_log_needs_nothing(&bench);
    what_a_guest_needs_is_printed_and_enough(&bench);
    what_a_run_makes_is_kept_as_it_has_to_be(&bench);
    a_wrong_policy_is_said_and_mended(&bench);
    a_live_topic_becomes_a_pipeline(&bench);
    what_cannot_become_one_is_told(&bench);
    a_run_is_looked_at_from_beside(&bench);
    what_is_missing_is_waited_for(&bench);
}

fn the_embedded_log_needs_nothing(bench: &Bench) {
    let file = bench.pipeline("local", "x", "admin.client");
    let call = ["check", &*file, "--topics", "--log", "nowhere"];
    assert!(bench.ok(&call).0.contains("nothing needs creating"));
    let told = bench.json(&[&call[..], &["--json"]].concat());
    assert_eq!((&told["ready"], &told["topics"]), (&true.into(), &Value::Array(Vec::new())));
    assert!(!bench.path("nowhere").exists(), "looking makes no log");
}

/// A user who may do nothing hears what to type; once that was typed, a run goes well.
fn what_a_guest_needs_is_printed_and_enough(bench: &Bench) {
    let file = bench.pipeline("p", "rows", "guest.client");
    let text = fs::read_to_string(bench.path(&file)).unwrap();
    bench.write(&file, &text.replace("[input.rows]\n", "[input.rows]\nload = \"rows.csv\"\n"));
    let told = bench.json(&["check", &file, "--topics", "--json"]);
    assert_eq!(told["ready"], false, "{told}");
    let topics = told["topics"].as_array().unwrap();
    assert_eq!(topics.len(), 1 + OWN.len() + 1, "and what is scored");
    assert!(topics.iter().all(|topic| topic["there"].is_null() && topic["may_create"] == false));
    let (create, allow) = (texts(&told["create"]), texts(&told["allow"]));
    assert_eq!((create.len(), allow.len()), (8, 2), "{told}");
    let (text, _) = bench.ok(&["check", &file, "--topics"]);
    for line in create.iter().chain(&allow) {
        assert!(text.contains(line), "{line}\n{text}");
    }
    eprintln!("{text}");
    // One is made by hand, so that the commands for topics are tried, too.
    let of_state = create.iter().find(|line| line.contains("p.state")).unwrap();
    bench.types(of_state);
    assert!(allow[0].contains("--operation Read") && allow[0].contains("--topic p.control"));
    bench.types(&allow[0]);
    let denied = bench.fails(1, &["run", &file]);
    assert!(denied.contains("consumer group"), "{denied}");
    assert!(denied.contains("alluvium check p.toml --topics"), "{denied}");
    let told = bench.json(&["check", &file, "--topics", "--json"]);
    assert_eq!((&told["ready"], &texts(&told["allow"])[..]), (&false.into(), &allow[1..]));
    let groups = "--group alluvium.p --group alluvium.p.load.rows --group alluvium.p.score";
    assert!(allow[1].contains(groups), "{}", allow[1]);
    bench.types(&allow[1]);
    let (_, said) = bench.ok(&["run", &file]);
    assert!(!said.contains("wrong ") && !said.contains("unseen "), "{said}");
    let told = bench.json(&["check", &file, "--topics", "--json"]);
    assert_eq!(told["ready"], true, "{told}");
    for nothing in ["create", "allow", "wrong"] {
        assert!(texts(&told[nothing]).is_empty(), "{told}");
    }
}

fn what_a_run_makes_is_kept_as_it_has_to_be(bench: &Bench) {
    let mut log = bench.log();
    for topic in OWN.iter().chain(&["rows"]) {
        let found = settings(&mut log, topic);
        let is_kept = matches!(*topic, "p.state" | "p.models");
        assert_eq!((found.compacts, found.deletes), (is_kept, !is_kept), "{topic}");
        if !is_kept {
            assert_eq!((found.retention_ms, found.retention_bytes), (None, None), "{topic}");
        }
        assert_eq!(found.compression, "zstd", "{topic}");
    }
}

/// Said at the start of a run, beside it, and before it; never a halt.
fn a_wrong_policy_is_said_and_mended(bench: &Bench) {
    let file = bench.pipeline("q", "clicks", "admin.client");
    let mut log = bench.log();
    let day = Policy::Delete { retention_ms: Some(86_400_000) };
    for (topic, policy) in
        [("clicks", Policy::Compact), ("q.control", day), ("q.state", KEEP), ("q.models", day)]
    {
        log.create(topic, 1, policy).unwrap();
    }
    bench.append("clicks", 1, (0..500).map(row));
    let (_, said) = bench.ok(&["run", &file]);
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("wrong ")).collect();
    for (topic, why) in [
        ("clicks", "it is compacted: records go"),
        ("q.control", "it is kept for 1 d, and clicks for ever"),
        ("q.state", "it is not compacted: it grows"),
        ("q.models", "it is not compacted: what is still needed goes after 1 d"),
    ] {
        let expected = format!("{topic}: {why}");
        let line = lines.iter().find(|line| line.contains(&expected));
        assert!(line.is_some_and(|line| line.contains("kafka-configs.sh")), "{topic}: {said}");
    }
    assert_eq!(lines.len(), 4, "{said}");
    let status = bench.json(&["status", &file, "--json"]);
    assert_eq!(status["wrong_topics"].as_array().unwrap().len(), 4, "{status}");
    assert_eq!(status["learned"], 500);
    let told = bench.json(&["check", &file, "--topics", "--json"]);
    assert_eq!(told["ready"], false);
    let mends =
        told["wrong"].as_array().unwrap().iter().map(|fault| fault["type"].as_str().unwrap());
    thread::scope(|scope| mends.for_each(|mend| drop(scope.spawn(move || bench.types(mend)))));
    until("the right policies", || {
        let told = bench.json(&["check", &file, "--topics", "--json"]);
        (told["ready"] == true && texts(&told["wrong"]).is_empty()).then_some(())
    });
    assert_eq!(settings(&mut log, "clicks").retention_ms, None, "nothing of it goes by that");
}

fn a_live_topic_becomes_a_pipeline(bench: &Bench) {
    let servers = bench.broker.servers();
    let address = |topic: &str| format!("kafka://{servers}/{topic}");
    let new = ["new", &*address("rows"), "--client", "admin.client", "--to", "made.toml"];
    let (said, _) = bench.ok(&new);
    eprintln!("{said}");
    assert!(said.contains("3,000 of 3,000 records") && said.contains("check made.toml --topics"));
    let text = fs::read_to_string(bench.path("made.toml")).unwrap();
    let log = format!("[log.kafka]\nservers = \"{servers}\"\nclient = \"admin.client\"\n");
    for part in
        ["name = \"rows\"", "[input.rows]\nformat.csv", "type.class = [\"no\", \"yes\"]", &log]
    {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("load ="), "{text}");
    let (summary, _) = bench.ok(&["run", "made.toml", "--json"]);
    assert!(summary.contains(&format!("\"learned\":{ROWS}")), "{summary}");
    assert!(bench.fails(2, &new).contains("never overwrites"));

    let mut admin = bench.log();
    admin.create("events.v1", 3, KEEP).unwrap();
    let event = |index: u64| {
        let row = row(index);
        let cells: Vec<&str> = row.split(',').collect();
        // On several lines, as some producers write it.
        format!(
            "{{\n \"a\": {}, \"deep\": {{\"b\": {}}},\n \"class\": \"{}\"}}",
            cells[0], cells[1], cells[2]
        )
    };
    bench.append("events.v1", 3, (0..30_000).map(event));
    let new = ["new", &*address("events.v1"), "--client", "admin.client", "--to", "events.toml"];
    let (said, _) = bench.ok(&new);
    assert!(said.contains("20,000 of 30,000 records"), "{said}");
    let text = fs::read_to_string(bench.path("events.toml")).unwrap();
    let input = "[input.events_v1]\ntopic = \"events.v1\"\nformat = \"json\"";
    assert!(text.contains(input) && text.contains("deep.b"), "{text}");
    bench.ok(&["check", "events.toml"]);
}

fn what_cannot_become_one_is_told(bench: &Bench) {
    let servers = bench.broker.servers();
    let mut log = bench.log();
    log.create("hollow", 2, KEEP).unwrap();
    log.create("avro", 1, KEEP).unwrap();
    bench.append("avro", 1, ["\0\0\0\0\u{7}x".to_string()].into_iter());
    let new = |topic: &str| {
        let address = format!("kafka://{servers}/{topic}");
        bench.fails(1, &["new", &address, "--client", "admin.client", "--to", "none.toml"])
    };
    let near = new("row");
    assert!(near.contains("there is no topic row: did you mean rows?"), "{near}");
    assert!(new("zzz").contains("there is no topic zzz: there are "), "{}", new("zzz"));
    let hollow = new("hollow");
    assert!(
        hollow.contains("topic hollow is empty") && hollow.contains("alluvium load"),
        "{hollow}"
    );
    assert!(new("avro").contains("no text"), "{}", new("avro"));
    let since = Instant::now();
    for (address, why) in [
        ("kafka://no-such-host.invalid:9092/rows", "no-such-host.invalid"),
        ("kafka://127.0.0.1:1/rows", "refuses connections"),
    ] {
        let said = bench.fails(1, &["new", address, "--to", "none.toml"]);
        eprintln!("{said}");
        assert!(said.contains(why), "{said}");
    }
    assert!(since.elapsed() < Duration::from_secs(30), "{:?}", since.elapsed());
    assert!(!bench.path("none.toml").exists());
    bench.fails(2, &["new", "kafka://a:1", "--to", "none.toml"]);
    bench.fails(2, &["new", "rows.csv", "--client", "admin.client", "--to", "none.toml"]);
}

fn a_run_is_looked_at_from_beside(bench: &Bench) {
    let run = bench.command(&["run", "p.toml", "--follow", "--json"]).spawn().unwrap();
    let run = Killed(run);
    let source = "more.csv";
    let rows: String = (0..4_000).map(|index| row(index) + "\n").collect();
    bench.write(source, &rows);
    let load = bench.command(&["load", "p.toml", source, "--rate", "1000"]).spawn().unwrap();
    let status = until("a pace", || {
        let status = bench.json(&["status", "p.toml", "--json"]);
        status["pace"].is_object().then_some(status)
    });
    eprintln!("{}", bench.ok(&["status", "p.toml"]).0);
    assert_eq!(status["lease_is_held"], true, "{status}");
    assert_eq!(status["lease_holder"]["host"], "127.0.0.1", "{status}");
    let pid = format!("pid {} on", run.0.id());
    assert!(status["writer"]["by"].as_str().unwrap().contains(&pid), "{status}");
    let rate = status["pace"]["records_per_second"].as_f64().unwrap();
    assert!(rate > 100.0 && rate < 20_000.0, "{status}");
    let input = &status["inputs"][0];
    assert!(input["cut"].as_u64() >= input["position"].as_u64(), "{status}");
    assert!(status["lag"].as_u64().unwrap() < 3_000, "{status}");
    assert!(status["models"]["linear"]["version"].as_u64().unwrap() >= 3, "{status}");
    assert_eq!(status["wrong_topics"], Value::Array(Vec::new()));
    assert!(load.wait_with_output().unwrap().status.success());
    let id = run.0.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    drop(run);
    let status = until("the end", || {
        let status = bench.json(&["status", "p.toml", "--json"]);
        (status["lease_is_held"] == false).then_some(status)
    });
    assert!(status["lease_holder"].is_null() && status["lag"] == 0, "{status}");
}

/// Waits for a process, however the test ends.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        if thread::panicking() {
            drop(self.0.kill());
        }
        drop(self.0.wait());
    }
}

fn what_is_missing_is_waited_for(bench: &Bench) {
    let file = bench.pipeline("late", "nothing-yet", "admin.client");
    let status = bench.json(&["status", &file, "--json"]);
    let waits = texts(&status["waits_for"]).join("; ");
    assert!(waits.contains("it has not run yet"), "{waits}");
    assert!(waits.contains("there is no topic nothing-yet"), "{waits}");
    let told = bench.json(&["check", &file, "--topics", "--json"]);
    assert_eq!(told["ready"], true, "it makes what is missing: {told}");
    assert_eq!(texts(&told["create"]).len(), 7);

    let text = pipeline("nobody", "x", "", "127.0.0.1:1").replace("client = \"\"\n", "");
    bench.write("nobody.toml", &text);
    let output = bench.call(&["status", "nobody.toml", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let event: Value = serde_json::from_slice(&output.stdout).unwrap();
    let waits = texts(&event["waits_for"]).join("; ");
    assert!(waits.contains("refuses connections"), "{waits}");
    let said = bench.fails(1, &["check", "nobody.toml", "--topics"]);
    assert!(
        said.contains("refuses connections") && said.contains("what the client said"),
        "{said}"
    );
}
