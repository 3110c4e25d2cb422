//! The verbs that look: they read what a run has written, beside it or after it, and never more.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::{BufRead, BufReader, Seek, SeekFrom, Write},
    process::{Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, UNIX_EPOCH},
};

use alluvium_embedded::Embedded;
use alluvium_ledger::{
    log::{Log, Outgoing, Policy, Settled},
    read::Observer,
};
use serde_json::Value;

const ROWS: u64 = 450;

fn settings(partitions: u32, learner: &str) -> String {
    format!(
        r#"
name = "p"

[input.x]
load = "x.csv"
partitions = {partitions}
format.csv = {{ columns = ["a", "b", "colour", "class"] }}

[fields]
a = "number"
b = "number"
colour.category = {{ values_max = 10 }}

[label]
field = "class"
type.class = ["no", "yes"]

[features]
scaled.standardize = ["a", "b"]
before.lag = ["label"]
painted.one_hot = ["colour"]

[model.linear]
use = ["scaled", "before", "painted"]
learner{learner}

[model.tree]
use = ["a", "b", "colour"]
learner.hoeffding_tree = {{ grace_period = 50 }}

[judge]
metrics = ["accuracy", "log_loss"]
over = "100 records"

[champion]
first = "linear"

[versions]
every = "100 records"

[predictions]
carry = ["colour"]
"#
    )
}

const LOGISTIC: &str = r#" = "logistic_regression""#;

/// A row of which the answer can be learned, by its number.
fn row(number: u64) -> String {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (a, b) = ((mixed >> 40) % 1000, (mixed >> 20) % 1000);
    let colour = ["red", "green", "blue"][(mixed >> 13) as usize % 3];
    let class = if a > b { "yes" } else { "no" };
    format!("{}.{},{},{colour},{class}", a, number % 10, b)
}

/// A directory with a pipeline file and its data.
struct Home(tempfile::TempDir);

impl Home {
    fn new(partitions: u32) -> Home {
        let home = Home(tempfile::tempdir().unwrap());
        home.write(&settings(partitions, LOGISTIC));
        let rows: Vec<String> = (0..ROWS).map(row).collect();
        // One row is turned away.
        let text = format!("a,b,colour,class\n{}\nnothing,1,red,no\n", rows.join("\n"));
        fs::write(home.0.path().join("x.csv"), text).unwrap();
        home
    }

    fn ran(partitions: u32) -> Home {
        let home = Home::new(partitions);
        home.ok(&["run"]);
        home
    }

    fn write(&self, settings: &str) {
        fs::write(self.0.path().join("pipeline.toml"), settings).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alluvium"));
        command.args(arguments).current_dir(self.0.path());
        command
    }

    fn call(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// What a call that succeeds prints.
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.call(arguments, "");
        assert!(output.status.success(), "{arguments:?}: {}", errors(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same, as a JSON object a line.
    fn json(&self, arguments: &[&str]) -> Vec<Value> {
        self.ok(arguments).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What a call that ends with this code complains about.
    fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.call(arguments, "");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", errors(&output));
        errors(&output) + &String::from_utf8(output.stdout).unwrap()
    }

    fn status(&self) -> Value {
        self.json(&["status", "--json"]).remove(0)
    }

    fn log(&self) -> Embedded {
        Embedded::open(self.0.path().join("alluvium")).unwrap()
    }
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn waits_for(status: &Value) -> String {
    status["waits_for"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

/// Copies a topic into another log; `change` may change a record's value.
fn copy(from: &mut Embedded, to: &mut Embedded, topic: &str, change: impl Fn(u64, &mut Vec<u8>)) {
    let ends = from.ends(topic).unwrap().unwrap();
    let count = ends.partitions.len() as u32;
    to.create(topic, count, Policy::Delete { retention_ms: None }).unwrap();
    let mut appender = to.appender().unwrap();
    let mut settled = Vec::new();
    for partition in 0..count {
        let route = appender.route(topic, partition).unwrap();
        let mut idle = |_| true;
        let mut observer = Observer { log: from, idle: &mut idle };
        let (known, mut last) = (ends.partitions[partition as usize], None);
        let each = |record: alluvium_flow::Record<'_>| {
            let mut value = record.value.map(<[u8]>::to_vec);
            value.as_mut().into_iter().for_each(|value| change(record.offset, value));
            let (time, key, headers) = (record.time, record.key, record.headers);
            let value = value.as_deref();
            last = Some(appender.submit(route, Outgoing { time, key, value, headers }));
        };
        observer.each(topic, partition, known.earliest, known.stable, each).unwrap();
        while settled.last().map(|settled: &Settled| settled.ticket) < last {
            appender.poll(&mut settled).unwrap();
            thread::yield_now();
        }
    }
}

#[test]
fn status_says_how_far_it_is_and_what_it_waits_for() {
    let home = Home::new(2);
    assert!(waits_for(&home.status()).contains("has not run yet"));
    assert!(home.ok(&["status"]).contains("alluvium run pipeline.toml"));
    home.ok(&["load", "pipeline.toml"]);
    let status = home.status();
    assert_eq!(status["lag"], ROWS + 1);
    assert!(waits_for(&status).contains("has not run yet"));

    home.ok(&["run"]);
    let status = home.status();
    assert_eq!((&status["lag"], &status["waits_for"]), (&0.into(), &Value::Array(Vec::new())));
    assert_eq!(status["learned"], ROWS);
    assert_eq!((&status["refused"], &status["refused_by"]["wrong_kind"]), (&1.into(), &1.into()));
    assert_eq!(status["lease_is_held"], false);
    assert!(status["writer"]["by"].as_str().unwrap().contains("pid"));
    assert!(status["models"]["linear"]["metrics"]["accuracy"].as_f64().unwrap() > 0.8);
    assert_eq!(status["champion"]["model"], "linear");
    let text = home.ok(&["status"]);
    assert!(text.contains("linear") && text.contains("majority") && text.contains("wrong_kind 1"));
}

#[test]
fn a_run_that_is_going_on_holds_the_lease() {
    let home = Home::ran(1);
    let mut run = home.command(&["run", "--follow"]);
    let mut child = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while home.status()["lease_is_held"] == false {
        thread::yield_now();
    }
    home.ok(&["models", "promote", "pipeline.toml", "tree"]);
    // What it has adopted is kept at the latest when it stops.
    while home.status()["requests"] != Value::Array(Vec::new()) {
        thread::yield_now();
    }
    assert!(home.ok(&["status"]).contains("x:0"));
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    child.wait().unwrap();
    assert_eq!(home.status()["champion"]["model"], "tree");
}

#[test]
fn models_are_listed_as_the_run_printed_them() {
    let home = Home::new(2);
    let printed: Vec<Value> = home
        .json(&["run", "--json"])
        .into_iter()
        .filter(|event| event["event"] == "version")
        .collect();
    let listed = home.json(&["models", "list", "--json"]);
    assert_eq!(listed, printed);
    assert_eq!(listed.len(), 10, "four by count and one at the end, of two models");
    assert!(home.ok(&["models", "list"]).contains("linear@5 *"));

    let shown = &home.json(&["models", "show", "pipeline.toml", "tree@2", "--json"])[0];
    assert_eq!((&shown["records"], &shown["verified"]), (&200.into(), &true.into()));
    assert!(shown["settings"]["model"]["learner"]["hoeffding_tree"].is_object());
    let text = home.ok(&["models", "show", "pipeline.toml", "tree"]);
    assert!(text.contains("tree@5") && text.contains("every page is what was published"));
    let why = home.fails(2, &["models", "show", "pipeline.toml", "tree@9"]);
    assert!(why.contains("tree@1, tree@2"), "{why}");
    home.fails(2, &["models", "show", "pipeline.toml", "tree@x"]);
}

#[test]
fn promote_and_rollback_act_at_the_next_run() {
    let home = Home::ran(1);
    let live = || home.json(&["models", "at", "pipeline.toml", "2100-01-01T00:00:00Z", "--json"]);
    let live = || {
        let live = live().remove(0);
        (live["model"].as_str().unwrap().to_string(), live["version"].as_u64())
    };
    assert_eq!(live(), ("linear".into(), Some(5)));
    let said = home.ok(&["models", "promote", "pipeline.toml", "tree@2"]);
    assert!(said.contains("tree@2 answers") && said.contains("alluvium run"), "{said}");
    assert_eq!(live(), ("linear".into(), Some(5)), "nothing acts before a writer adopts it");
    assert!(waits_for(&home.status()).contains("promote tree@2"));
    let before = i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    home.ok(&["run"]);
    assert_eq!(live(), ("tree".into(), Some(2)));
    assert!(home.ok(&["models", "at", "pipeline.toml", "4102444800000"]).contains("promote"));
    // It is dated by when it took effect: the records are older.
    let since = home.status()["champion"]["since"].as_i64().unwrap();
    assert!((before..before + 600_000).contains(&since), "{since} is not just after {before}");
    let then = home.json(&["models", "at", "pipeline.toml", &(before).to_string(), "--json"]);
    assert_eq!((&then[0]["model"], &then[0]["version"]), (&"linear".into(), &5.into()));
    home.ok(&["models", "rollback"]);
    home.ok(&["run"]);
    assert_eq!(live(), ("linear".into(), Some(5)));
    home.fails(2, &["models", "promote", "pipeline.toml", "oak"]);
    home.fails(2, &["models", "promote", "pipeline.toml", "tree@77"]);
    home.fails(2, &["models", "at", "pipeline.toml", "tuesday"]);
    home.ok(&["verify", "pipeline.toml", "--all"]);
}

#[test]
fn outputs_are_shown_in_the_order_of_learning() {
    let home = Home::ran(3);
    let all = home.json(&["show", "pipeline.toml", "predictions", "--last", "0", "--json"]);
    assert_eq!(all.len() as u64, 2 * ROWS);
    let step = |value: &Value| -> u64 {
        value["order"].as_str().unwrap().split('.').next().unwrap().parse().unwrap()
    };
    assert!(all.windows(2).all(|pair| step(&pair[0]) <= step(&pair[1])));
    let last = home.json(&["show", "pipeline.toml", "predictions", "--last", "5", "--json"]);
    assert_eq!(last, all[all.len() - 5..]);
    assert!(last[0]["at"].as_str().unwrap().starts_with("x:"));
    assert!(home.ok(&["show", "pipeline.toml", "predictions"]).lines().count() == 21);
    let whole = home.ok(&["show", "pipeline.toml", "predictions", "--last", "0"]);
    assert_eq!(whole.lines().count() as u64, 2 * ROWS + 1);
    let letters = home.json(&["show", "pipeline.toml", "dead-letters", "--json"]);
    assert_eq!((letters.len(), &letters[0]["reason"]), (1, &"wrong_kind".into()));
    assert!(home.json(&["show", "pipeline.toml", "alarms", "--json"]).is_empty());
}

#[test]
fn a_record_is_shown_as_it_was() {
    let home = Home::ran(2);
    for offset in [0, 1, 57, 224] {
        let place = format!("x:1:{offset}");
        let shown = &home.json(&["show", "pipeline.toml", &place, "--json"])[0];
        assert_eq!(shown["value"], row(2 * offset + 1));
        assert_eq!(shown["is_learned"], true);
        let fields = shown["fields"].as_object().unwrap();
        assert_eq!(fields.keys().collect::<Vec<_>>(), ["a", "b", "colour"]);
        assert!(shown["features"]["scaled.a"].is_number());
        let written = shown["written"].as_array().unwrap();
        assert_eq!(written.len(), 2);
        for prediction in written {
            let answer = &shown["answers"][prediction["model"].as_str().unwrap()];
            assert_eq!(answer["answer"], prediction["answer"]);
            assert_eq!(answer["score"], prediction["score"]);
        }
    }
    let text = home.ok(&["show", "pipeline.toml", "x:1:57"]);
    assert!(text.contains("scaled.a") && text.contains("label"), "{text}");
    let refused = home.json(&["show", "pipeline.toml", &format!("x:0:{}", ROWS / 2), "--json"]);
    assert_eq!(refused[0]["refused"]["reason"], "wrong_kind");
    assert_eq!(refused[0]["written"].as_array().unwrap().len(), 1);
    home.fails(2, &["show", "pipeline.toml", "x:1:99999"]);
    home.fails(2, &["show", "pipeline.toml", "y:0:0"]);
    home.fails(2, &["show", "pipeline.toml", "everything"]);

    home.call(&["load", "pipeline.toml", "-"], &row(7));
    let fresh = &home.json(&["show", "pipeline.toml", "x:0:226", "--json"])[0];
    assert_eq!(fresh["is_learned"], false);
}

#[test]
fn a_version_answers_what_the_run_answered_next() {
    let home = Home::ran(1);
    let written = home.json(&["show", "pipeline.toml", "predictions", "--last", "0", "--json"]);
    for model in ["linear", "tree"] {
        for version in 1..=4 {
            let name = format!("{model}@{version}");
            let scored = home.json(&["score", "pipeline.toml", "--model", &name]);
            assert_eq!(scored.len() as u64, ROWS + 1);
            let next = &scored[100 * version];
            let is_same = |value: &&Value| value["at"] == next["at"] && value["model"] == model;
            let run = written.iter().find(is_same).unwrap();
            assert_eq!(run["version"], version);
            assert_eq!(next["model"], name);
            assert_eq!((&next["answer"], &next["score"]), (&run["answer"], &run["score"]));
        }
    }
}

#[test]
fn rows_from_elsewhere_are_answered_or_refused() {
    let home = Home::ran(1);
    let rows = "a,b,colour,class\n900,1,red,\n1,900,violet,\nx,1,red,no\n1,2\n";
    let output = home.call(&["score", "pipeline.toml", "-"], rows);
    assert!(output.status.success(), "{}", errors(&output));
    assert!(errors(&output).contains("2 records answered, 2 refused"), "{}", errors(&output));
    let lines: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let answers: Vec<&Value> = lines.iter().map(|line| &line["answer"]).collect();
    assert_eq!(answers, [&"yes".into(), &"no".into(), &Value::Null, &Value::Null]);
    assert_eq!(lines[0]["model"], "linear@5");
    assert_eq!(lines[0]["at"], "standard input:1");
    assert_eq!(lines[2]["refused"], "wrong_kind");
    assert_eq!(lines[3]["refused"], "column_count");

    let from_file = home.json(&["score", "pipeline.toml", "x.csv", "--model", "tree"]);
    assert_eq!(from_file.len() as u64, ROWS + 1);
    let wrong = home.call(&["score", "pipeline.toml", "-"], "b,a,colour,class\n1,2,red,no\n");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(home.fails(2, &["score", "pipeline.toml", "-", "--model", "oak"]).contains("linear@1"));
    let fresh = Home::new(1);
    fresh.ok(&["load", "pipeline.toml"]);
    assert!(fresh.fails(1, &["score", "pipeline.toml"]).contains("no version"));
}

#[test]
fn rows_without_the_label_are_answered() {
    let home = Home::ran(1);
    let score = |rows: &str| {
        let output = home.call(&["score", "pipeline.toml", "-"], rows);
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (lines, output)
    };
    let (whole, _) = score("a,b,colour,class\n900,1,red,no\n1,900,blue,no\n");
    assert_eq!(whole[0]["answer"], "yes");
    for rows in ["a,b,colour\n900,1,red\n1,900,blue\n", "900,1,red\n1,900,blue\n"] {
        assert_eq!(score(rows).0, whole);
    }
    let (lines, output) = score("x,1,red\n");
    assert_eq!(lines[0]["refused"], "wrong_kind");
    assert_eq!(output.status.code(), Some(1));
    let said = errors(&output);
    assert!(said.contains("every record was refused") && said.contains("field \"a\""), "{said}");
}

#[test]
fn json_without_the_label_is_answered() {
    let home = Home::new(1);
    let format = r#"format.csv = { columns = ["a", "b", "colour", "class"] }"#;
    let file = settings(1, LOGISTIC).replace(format, r#"format = "json""#);
    home.write(&file.replace("x.csv", "x.jsonl"));
    let json = |label: &str| format!("{{\"a\":900,\"b\":1,\"colour\":\"red\"{label}}}\n");
    let rows: String = [r#","class":"yes""#, r#","class":"no""#].map(json).concat().repeat(60);
    fs::write(home.0.path().join("x.jsonl"), rows).unwrap();
    home.ok(&["run"]);
    for label in ["", r#","class":null"#] {
        let output = home.call(&["score", "pipeline.toml", "-"], &json(label));
        assert!(output.status.success(), "{}", errors(&output));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(answer["answer"].is_string(), "{answer}");
    }
}

/// `score --follow`, and what it says.
struct Follow {
    child: std::process::Child,
    lines: mpsc::Receiver<String>,
}

impl Follow {
    fn begin(home: &Home, given: &[&str]) -> Follow {
        let mut follow = home.command(&["score", "pipeline.toml", "--follow", "--json"]);
        follow.args(given).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = follow.spawn().unwrap();
        let (to, lines) = mpsc::channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|l| to.send(l)));
        Follow { child, lines }
    }

    /// The next event of a kind.
    #[track_caller]
    fn next(&self, kind: &str) -> Value {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(60)).expect(kind);
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["event"] == kind {
                return event;
            }
        }
    }

    /// Asks it to finish.
    fn finish(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
        self.next("summary");
    }
}

/// The places and versions of the answers in `p.scores`.
fn scores(home: &Home) -> Vec<(String, String)> {
    let mut log = Embedded::open(home.0.path().join("alluvium")).unwrap();
    let Some(ends) = log.ends("p.scores").unwrap() else { return Vec::new() };
    let (mut found, mut idle) = (Vec::new(), alluvium::look::waits);
    let mut observer = Observer { log: &mut log, idle: &mut idle };
    for (partition, ends) in (0..).zip(&ends.partitions) {
        let each = |record: alluvium_flow::Record<'_>| {
            let text = |name| String::from_utf8(record.headers.get(name).unwrap().into()).unwrap();
            found.push((text("at"), format!("{}@{}", text("model"), text("version"))));
        };
        observer.each("p.scores", partition, ends.earliest, ends.stable, each).unwrap();
    }
    found
}

/// Waits until so many records are answered.
#[track_caller]
fn scored(home: &Home, count: usize) -> Vec<(String, String)> {
    for _ in 0..600 {
        let found = scores(home);
        if found.len() >= count {
            return found;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("{} of {count} answers", scores(home).len());
}

#[test]
fn following_swaps_to_each_new_version_and_goes_on_where_it_ended() {
    let home = Home::new(2);
    let follow = Follow::begin(&home, &["--from", "beginning"]);
    assert!(follow.next("waiting")["why"].as_str().unwrap().contains("no topic x yet"));
    home.ok(&["run"]);
    assert_eq!(follow.next("version")["version"], 5);
    let places: Vec<Value> = follow.next("partitions")["partitions"].as_array().unwrap().to_vec();
    assert_eq!(places.len(), 2);
    assert_eq!(follow.next("refused")["records"], 1);
    let found = scored(&home, ROWS as usize);
    assert!(found.iter().all(|(_, version)| version == "linear@5"));
    home.ok(&["models", "promote", "pipeline.toml", "tree"]);
    home.ok(&["run"]);
    assert_eq!(follow.next("version")["model"], "tree");
    home.call(&["load", "pipeline.toml", "-"], &row(ROWS));
    let found = scored(&home, ROWS as usize + 1);
    assert!(found.iter().any(|(_, version)| version.starts_with("tree@")));
    // Another one stands by, and takes over.
    let second = Follow::begin(&home, &[]);
    assert!(second.next("waiting")["why"].as_str().unwrap().contains("another process"));
    follow.finish();
    second.next("partitions");
    home.call(&["load", "pipeline.toml", "-"], &row(ROWS + 1));
    scored(&home, ROWS as usize + 2);
    second.finish();
    home.call(&["load", "pipeline.toml", "-"], &row(ROWS + 2));
    let third = Follow::begin(&home, &[]);
    let mut places: Vec<String> =
        scored(&home, ROWS as usize + 3).into_iter().map(|(at, _)| at).collect();
    third.finish();
    assert_eq!(places.len() as u64, ROWS + 3, "each once");
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len() as u64, ROWS + 3, "each once");
}

#[test]
fn a_change_of_what_is_learned_waits_for_a_decision() {
    let home = Home::ran(1);
    let before = home.status()["settings"]["in_force"].clone();
    home.write(&settings(1, ".logistic_regression = { l2 = 0.001 }"));
    home.fails(3, &["run"]);
    assert!(waits_for(&home.status()).contains("alluvium decide adopt"));
    let said = home.ok(&["decide", "adopt"]);
    assert!(said.contains("l2") && said.contains("alluvium run pipeline.toml"), "{said}");
    assert!(home.ok(&["decide", "adopt"]).contains("already"));
    assert!(!waits_for(&home.status()).contains("decide adopt"));
    home.ok(&["run"]);
    let status = home.status();
    assert_ne!(status["settings"]["in_force"], before);
    assert_eq!(status["settings"]["in_force"], status["settings"]["file"]);
    assert!(home.ok(&["decide", "adopt"]).contains("nothing to adopt"));
    home.ok(&["verify", "pipeline.toml", "--all"]);

    home.write(
        &settings(1, LOGISTIC).replace(r#"["scaled", "before", "painted"]"#, r#"["scaled"]"#),
    );
    let why = home.fails(2, &["decide", "adopt"]);
    assert!(why.contains("does not fit") && why.contains("--as p-2"), "{why}");
}

#[test]
fn a_reset_forgets_at_its_place_and_is_verified() {
    let home = Home::ran(1);
    home.fails(2, &["decide", "reset", "--model", "oak"]);
    home.ok(&["decide", "reset", "--model", "tree"]);
    home.ok(&["run"]);
    for number in 0..60 {
        home.call(&["load", "pipeline.toml", "-"], &(row(number) + "\n" + &row(number + 60)));
    }
    home.ok(&["run"]);
    let status = home.status();
    let version = |model: &str| status["models"][model]["version"].as_u64().unwrap();
    assert!(version("tree") > 5 && version("linear") > 5);
    home.ok(&["verify", "pipeline.toml", "--all"]);
}

#[test]
fn versions_are_learned_again_to_the_same_bytes() {
    let home = Home::ran(3);
    let all = home.json(&["verify", "pipeline.toml", "--all", "--json"]);
    let (summary, versions) = all.split_last().unwrap();
    assert_eq!(versions.len(), 10);
    assert!(versions.iter().all(|version| version["verdict"] == "same"));
    assert_eq!((&summary["failed"], &summary["records"]), (&0.into(), &(ROWS + 1).into()));
    assert!(home.ok(&["verify", "pipeline.toml", "tree@3"]).contains("same bytes"));
    assert!(home.ok(&["verify", "pipeline.toml", "linear"]).contains("linear@5"));
    home.fails(2, &["verify", "pipeline.toml", "linear@6"]);
}

/// A directory whose log holds what another's does, but for what is changed.
fn forged(from: &Home, models: &Home, change: impl Fn(u64, &mut Vec<u8>)) -> Home {
    let home = Home::new(2);
    let mut to = home.log();
    copy(&mut from.log(), &mut to, "x", change);
    for topic in ["p.control", "p.state", "p.predictions", "p.alarms", "p.dead-letters"] {
        copy(&mut from.log(), &mut to, topic, |_, _| {});
    }
    copy(&mut models.log(), &mut to, "p.models", |_, _| {});
    home
}

#[test]
fn a_changed_log_and_a_changed_model_are_told_apart() {
    let home = Home::ran(2);
    let same = forged(&home, &home, |_, _| {});
    same.ok(&["verify", "pipeline.toml", "--all"]);

    let log = forged(&home, &home, |offset, value| {
        if offset == 40 {
            value[0] = if value[0] == b'1' { b'2' } else { b'1' };
        }
    });
    let why = log.fails(1, &["verify", "pipeline.toml", "--all"]);
    assert!(why.contains("the log has changed"), "{why}");

    let other = Home::new(2);
    other.write(&settings(2, ".logistic_regression = { l2 = 0.001 }"));
    // Two loads have other times, and several partitions then another order.
    copy(&mut home.log(), &mut other.log(), "x", |_, _| {});
    other.ok(&["run"]);
    let model = forged(&home, &other, |_, _| {});
    let why = model.fails(1, &["verify", "pipeline.toml", "linear@2"]);
    assert!(why.contains("not the same model"), "{why}");
    assert!(model.ok(&["verify", "pipeline.toml", "tree@2"]).contains("same bytes"));
}

#[test]
fn a_log_that_lost_records_is_told() {
    let home = Home::ran(2);
    let short = Home::new(2);
    let (mut from, mut to) = (home.log(), short.log());
    to.create("x", 2, Policy::Delete { retention_ms: None }).unwrap();
    for topic in ["p.control", "p.state", "p.models"] {
        copy(&mut from, &mut to, topic, |_, _| {});
    }
    let why = short.fails(1, &["verify", "pipeline.toml", "linear@1"]);
    assert!(why.contains("lost records"), "{why}");
}

#[test]
fn a_damaged_page_is_never_used() {
    let home = Home::ran(2);
    let damaged = Home::new(2);
    let (mut from, mut to) = (home.log(), damaged.log());
    for topic in ["x", "p.control", "p.state"] {
        copy(&mut from, &mut to, topic, |_, _| {});
    }
    copy(&mut from, &mut to, "p.models", |_, value| {
        // Pages are bytes, everything else is JSON.
        if value.first() != Some(&b'{') {
            *value.last_mut().unwrap() ^= 1;
        }
    });
    for call in [&["score", "pipeline.toml"][..], &["models", "show", "pipeline.toml", "linear@1"]]
    {
        let why = damaged.fails(1, call);
        assert!(why.contains("not what was published"), "{why}");
    }
    let why = damaged.fails(1, &["verify", "pipeline.toml", "linear@1"]);
    assert!(why.contains("damaged"), "{why}");
}

#[test]
fn looking_writes_nothing() {
    let home = Home::ran(1);
    let ends = |home: &Home| {
        let mut log = home.log();
        ["x", "p.control", "p.state", "p.models", "p.predictions", "p.alarms", "p.dead-letters"]
            .map(|topic| log.ends(topic).unwrap())
    };
    let before = ends(&home);
    for call in [
        &["status"][..],
        &["models", "list"],
        &["models", "show", "pipeline.toml", "tree"],
        &["models", "at", "pipeline.toml", "0"],
        &["show", "pipeline.toml", "predictions"],
        &["show", "pipeline.toml", "x:0:3"],
        &["score", "pipeline.toml"],
        &["verify", "pipeline.toml", "--all"],
    ] {
        home.ok(call);
    }
    assert_eq!(ends(&home), before);
}

#[test]
fn a_halt_is_an_event_with_its_answers() {
    let home = Home::ran(1);
    home.write(&settings(1, ".logistic_regression = { l2 = 0.001 }"));
    let output = home.call(&["run", "--json"], "");
    assert_eq!(output.status.code(), Some(3));
    let event: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(event["event"], "halt");
    let why = event["why"].as_str().unwrap();
    assert!(why.contains("what is learned was changed"), "{why}");
    assert_eq!(event["answers"][0], "alluvium decide adopt pipeline.toml");
    let asked = &home.json(&["decide", "adopt", "--json"])[0];
    assert_eq!((&asked["event"], asked["at"].is_string()), (&"asked".into(), true));
    assert_eq!(home.json(&["decide", "adopt", "--json"])[0]["event"], "unasked");
    home.ok(&["run"]);
    let asked = &home.json(&["models", "promote", "pipeline.toml", "tree", "--json"])[0];
    assert_eq!(asked["event"], "asked");
    home.ok(&["run"]);
    let asked = &home.json(&["models", "rollback", "--json"])[0];
    assert_eq!(asked["event"], "asked");
    let loaded = &home.json(&["load", "pipeline.toml", "--json"])[0];
    assert_eq!((&loaded["event"], &loaded["appended"]), (&"loaded".into(), &0.into()));
}

#[test]
fn figures_of_another_judge_say_from_where_they_count() {
    let home = Home::ran(1);
    assert!(!home.ok(&["run"]).contains("counted anew"));
    let file = settings(1, LOGISTIC);
    home.write(&file.replace(r#"["accuracy", "log_loss"]"#, r#"["kappa"]"#));
    let said = home.ok(&["run"]);
    assert!(said.contains(&format!("changed: counted anew from record {}", ROWS + 1)), "{said}");
}

#[test]
fn what_is_not_there_is_said_plainly() {
    let home = Home::ran(1);
    for (arguments, said) in [
        (&["show", "pipeline.toml", "x:0:99999"][..], format!("there are 0 to {ROWS}")),
        (&["show", "pipeline.toml", "x:7:0"], "no partition 7".into()),
        (&["load", "pipeline.toml", "--input", "zz"], "there is no input `zz`".into()),
        (&["verify", "pipeline.toml"], "alluvium verify pipeline.toml --all".into()),
    ] {
        let why = home.fails(2, arguments);
        assert!(why.contains(&said), "{why}");
    }
    let why = home.fails(1, &["load", "pipeline.toml", "http://somewhere/x.csv"]);
    assert!(why.contains("tcp://HOST:PORT"), "{why}");
    let all = home.ok(&["verify", "pipeline.toml", "--all"]);
    assert!(all.ends_with("all 10 are what was published\n"), "{all}");
    let first = &home.json(&["show", "pipeline.toml", "x:0:0", "--json"])[0];
    assert!(["red", "green", "blue"].iter().any(|name| first["fields"]["colour"] == *name));
}

#[cfg(unix)]
#[test]
fn a_load_that_waits_for_data_ends_when_it_is_asked_to() {
    let home = Home::ran(1);
    let mut load = home.command(&["load", "pipeline.toml", "-"]);
    let piped = load.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = piped.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{}", row(1)).unwrap();
    // It listens before it appends: once the record is there, so is the ear.
    while home.status()["lag"] != 1 {
        thread::yield_now();
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    // The other end of the pipe is still open: nothing else has ended it.
    drop(input);
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().contains("1 record"));
}

#[test]
fn status_names_a_halt_and_the_answers_that_work() {
    let home = Home::ran(1);
    let file = settings(1, LOGISTIC);
    // A step that reads something else: it cannot be adopted, and nothing says that it could.
    let other = file.replacen("use = [", "use = [\"b\", ", 1);
    assert_ne!(other, file);
    home.write(&other);
    let said = home.fails(3, &["run"]);
    assert!(said.contains("other features") && !said.contains("decide adopt"), "{said}");
    let status = home.status();
    assert_eq!(status["halted"]["kind"], "changed");
    assert_eq!(status["halted"]["answers"].as_array().unwrap().len(), 1, "{status}");
    let text = home.ok(&["status"]);
    assert!(text.contains("halted") && text.contains("--as") && !text.contains("adopt"), "{text}");
    let said = home.fails(2, &["decide", "reset"]);
    assert!(said.contains("has halted"), "{said}");
    // Put back, it goes on.
    home.write(&file);
    home.ok(&["run"]);
    assert_eq!(home.status()["halted"], Value::Null);
}

#[test]
fn a_halt_for_refusals_is_found_afterwards() {
    let home = Home::new(1);
    let file = settings(1, LOGISTIC);
    let strict = format!("{file}\n[refusals]\nshare_max = 0.0\nover = \"20 records\"\n");
    home.write(&strict);
    let said = home.fails(3, &["run"]);
    assert!(said.contains("1 of the last 20 records were refused"), "{said}");
    let status = home.status();
    assert_eq!(status["halted"]["kind"], "refused");
    assert!(waits_for(&status).contains("share_max"), "{status}");
    assert!(home.ok(&["show", "pipeline.toml", "dead-letters"]).contains("wrong_kind"));
}

#[test]
fn damaged_records_are_passed_over_when_somebody_says_so() {
    let home = Home::ran(1);
    let load = |name: &str, colour: &str| {
        let text = row(1).replace("blue", colour).replace("red", colour).replace("green", colour);
        let rows = format!("{text}\n").repeat(100) + &format!("{}\n", row(1)).repeat(100);
        fs::write(home.0.path().join(name), rows).unwrap();
        home.ok(&["load", "pipeline.toml", name]);
    };
    load("bad.csv", "needle");
    load("good.csv", "red");
    let data = home.0.path().join("alluvium").join("data.mdb");
    let bytes = fs::read(&data).unwrap();
    let mut file = fs::File::options().write(true).open(&data).unwrap();
    // Wherever it lies: the log may have written it more than once.
    for (at, _) in bytes.windows(6).enumerate().filter(|(_, window)| window == b"needle") {
        file.seek(SeekFrom::Start(at as u64 + 2)).unwrap();
        file.write_all(b"!").unwrap();
    }
    drop(file);

    let said = home.fails(3, &["run"]);
    assert!(said.contains("x:0 from offset 451") && said.contains("decide skip"), "{said}");
    assert!(waits_for(&home.status()).contains("decide skip"));
    // Only what is still to be read can be passed over, and only what is there.
    let said = home.fails(2, &["decide", "skip", "pipeline.toml", "--span", "x:0:400..651"]);
    assert!(said.contains("was read up to 451"), "{said}");
    home.fails(2, &["decide", "skip", "pipeline.toml", "--span", "x:0:451..999"]);
    home.fails(2, &["decide", "skip", "pipeline.toml", "--span", "x:0"]);
    let said = home.ok(&["decide", "skip"]);
    let to = said.split("x:0:451..").nth(1).and_then(|rest| rest.split(' ').next());
    let to: u64 = to.unwrap().parse().unwrap();
    // All that the damaged block holds, and no more.
    assert!((551..=651).contains(&to), "{said}");
    let events = home.json(&["run", "--json"]);
    assert!(events.iter().any(|event| event["span"] == format!("x:0:451..{to}")), "{events:?}");
    let status = home.status();
    assert_eq!((&status["learned"], &status["lag"]), (&(ROWS + 851 - to).into(), &0.into()));
    // A record that was learned lies in the damaged block as well: it cannot be learned again.
    let said = home.fails(1, &["verify", "pipeline.toml", "--all"]);
    assert!(said.contains("x:0 from offset 450"), "{said}");
    assert!(home.fails(2, &["decide", "skip"]).contains("has not halted"));
}

#[cfg(unix)]
#[test]
fn a_load_at_a_pace_that_is_stopped_leaves_no_row_out() {
    let home = Home::ran(1);
    let rows: Vec<String> = (0..12_000).map(|number| row(number + 7)).collect();
    fs::write(home.0.path().join("more.csv"), rows.join("\n")).unwrap();
    let first = home.status()["lag"].as_u64().unwrap();
    for stop in 1..=3 {
        let mut load = home.command(&["load", "pipeline.toml", "more.csv", "--rate", "4000"]);
        let mut child = load.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while home.status()["lag"].as_u64().unwrap() < first + stop * 900 {
            thread::yield_now();
        }
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        assert!(child.wait().unwrap().success());
    }
    home.ok(&["load", "pipeline.toml", "more.csv"]);
    let (mut log, mut found) = (home.log(), Vec::new());
    let mut idle = |_| true;
    let mut observer = Observer { log: &mut log, idle: &mut idle };
    let take = |record: alluvium_flow::Record<'_>| {
        found.push(String::from_utf8(record.value.unwrap().to_vec()).unwrap());
    };
    observer.each("x", 0, ROWS + 1, ROWS + 1 + 12_000, take).unwrap();
    assert!(found == rows, "rows were left out, or others came instead");
}
