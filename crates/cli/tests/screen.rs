//! What the program says, and what it tells the shell, from a file of CSV to the end.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Read, Write as _},
    net::{Shutdown, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::Value;

/// A directory of its own with a pipeline file and its data; it goes when it is dropped.
struct Place {
    directory: PathBuf,
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.directory).unwrap_or_default();
    }
}

const PIPELINE: &str = r#"
name = "small"

[input.small]
load = "small.csv"
format.csv = { columns = ["at", "x", "y", "class"] }
time.ms = "at"

[fields]
x = "number"
y = "number"

[label]
field = "class"
type.class = ["no", "yes"]

[features]
scaled.standardize = ["x", "y"]

[model.linear]
use = ["scaled"]
learner = "logistic_regression"

[judge]
metrics = ["accuracy", "log_loss"]
over = "100 records"
drift = "adwin"

[versions]
every = "1000 records"
keep = "3 versions"
"#;

impl Place {
    /// So many records; the class is told by `x`, and turns round half way.
    fn new(records: u32) -> Place {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("alluvium-screen-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        let (mut csv, mut seed) = (String::from("at,x,y,class\n"), 1u32);
        for record in 0..records {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (x, y) = (i64::from(seed >> 16) - 32_768, seed & 0xff);
            let class = if (x > 0) == (record < records / 2) { "yes" } else { "no" };
            writeln!(csv, "{},{x},{y},{class}", 1_000 * i64::from(record)).unwrap();
        }
        fs::write(directory.join("small.csv"), csv).unwrap();
        let place = Place { directory };
        place.write(PIPELINE);
        place
    }

    fn write(&self, pipeline: &str) {
        fs::write(self.directory.join("pipeline.toml"), pipeline).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        command(&self.directory, arguments)
    }

    fn call(&self, arguments: &[&str]) -> Called {
        Called::of(self.command(arguments).output().unwrap())
    }
}

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alluvium"));
    command.args(arguments).current_dir(directory).stdin(Stdio::null());
    command
}

struct Called {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Called {
    fn of(output: Output) -> Called {
        Called {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn events(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    #[track_caller]
    fn says(&self, code: i32, parts: &[&str]) {
        let all = format!("{}\n---\n{}", self.stdout, self.stderr);
        assert_eq!(self.code, Some(code), "{all}");
        for part in parts {
            assert!(all.contains(part), "{part:?} is not in\n{all}");
        }
    }
}

#[test]
fn a_run_tells_what_it_learned_and_the_next_one_that_there_is_nothing_new() {
    let place = Place::new(3_000);
    let first = place.call(&["run"]);
    first.says(
        0,
        &[
            "loaded     3,000 records from small.csv into topic small",
            "learned    3,000 records in ",
            "model       accuracy   last 100   log loss   since the beginning",
            "linear *",
            "no change",
            "majority",
            "verdict    linear beats",
            "drift      linear at ",
            "versions   linear@1 .. linear@3",
            "alluvium verify pipeline.toml linear@3",
            "alluvium show pipeline.toml small:0:",
            "alarm      linear at small:0:",
        ],
    );
    assert!(first.stderr.lines().all(|line| !line.contains("beats")), "the summary is output");
    assert!(!first.stdout.contains('\u{1b}'), "no colour without a terminal");
    let second = place.call(&["run"]);
    second.says(0, &["nothing new since 20", "3,000 records since the beginning", "linear *"]);
    assert!(!second.stdout.contains("loaded"));
}

#[test]
fn events_are_json_with_the_fields_that_scripts_rely_on() {
    let place = Place::new(3_000);
    let run = place.call(&["run", "--json"]);
    run.says(0, &[]);
    assert_eq!(run.stderr, "");
    let events = run.events();
    let of = |kind: &str| -> Vec<&Value> {
        events.iter().filter(|event| event["event"] == kind).collect()
    };
    assert_eq!(of("version").len(), 3);
    for (index, version) in of("version").into_iter().enumerate() {
        assert_eq!(version["model"], "linear");
        assert_eq!(version["version"], index as u64 + 1);
        assert!(version["state_digest"].as_str().unwrap().len() >= 16);
    }
    assert!(!of("alarm").is_empty());
    assert!(of("alarm").iter().all(|alarm| alarm["detector"] == "adwin"));
    let summary = events.last().unwrap();
    assert_eq!(summary["event"], "summary");
    assert_eq!(summary["pipeline"], "small");
    for key in ["read", "learned", "new"] {
        assert_eq!(summary[key], 3_000, "{key}");
    }
    assert_eq!(summary["refused"], 0);
    assert_eq!(summary["alarms"], of("alarm").len());
    let linear = &summary["models"]["linear"];
    assert_eq!(linear["version"], 3);
    assert_eq!(linear["state_digest"], of("version")[2]["state_digest"]);
    assert!(linear["metrics"]["accuracy"].as_f64().unwrap() > 0.5);
    for baseline in ["no_change", "majority"] {
        assert!(summary["baselines"][baseline]["accuracy"].is_f64());
    }
    assert!(summary["seconds"].as_f64().unwrap() > 0.0);

    let again = place.call(&["run", "--json"]).events();
    assert_eq!(again.len(), 1);
    assert_eq!((&again[0]["new"], &again[0]["learned"]), (&0.into(), &3_000.into()));
}

#[test]
fn every_mistake_of_a_file_is_shown_with_exit_code_2() {
    let place = Place::new(10);
    let wrong = PIPELINE.replace("\"scaled\"]", "\"scalde\"]").replace("first", "frist");
    place.write(&wrong.replace("keep = \"3 versions\"", "kep = \"3 versions\""));
    place.call(&["run"]).says(2, &["kep", "pipeline.toml"]);
    place.write(&wrong.replace("\"x\", \"y\"]\n\n[model", "\"x\", \"z\"]\n\n[model"));
    place.call(&["run"]).says(2, &["scalde", "`of` has `z`", "2 mistakes"]);
    let checked = place.call(&["check", "--json"]);
    checked.says(2, &[]);
    let plan: Value = serde_json::from_str(&checked.stdout).unwrap();
    assert!(plan["mistakes"].as_array().unwrap().len() >= 2);
}

#[test]
fn a_changed_learning_setting_halts_with_the_difference_and_the_answers() {
    let place = Place::new(1_000);
    place.call(&["run"]).says(0, &[]);
    let learner = "learner = \"logistic_regression\"";
    // What cannot be adopted is not offered.
    place.write(&PIPELINE.replace(learner, &format!("{learner}\nclass_weight = {{ yes = 2.0 }}")));
    let halted = place.call(&["run"]);
    let shown = ["model.linear.class_weight", "is   {\"yes\":2.0}", "would keep another state"];
    halted.says(3, &shown);
    assert!(!halted.stderr.contains("decide adopt"));
    place.write(&PIPELINE.replace(learner, "learner.logistic_regression = { l2 = 0.001 }"));
    place.call(&["run"]).says(
        3,
        &[
            "model.linear.learner.logistic_regression.l2",
            "was  its default",
            "is   0.001",
            "alluvium decide adopt pipeline.toml",
            "alluvium run pipeline.toml --as small-2",
            "put the file back",
        ],
    );
    place
        .call(&["run", "--as", "small-2"])
        .says(0, &["verify pipeline.toml linear@1 --as small-2"]);
}

#[test]
fn refused_records_are_counted_and_the_way_to_them_is_shown() {
    let place = Place::new(2_000);
    let path = place.directory.join("small.csv");
    let csv = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{csv}1,many,2,no\n")).unwrap();
    place.call(&["run"]).says(
        0,
        &["refused    1 record of all (0.05 %)", "alluvium show pipeline.toml dead-letters"],
    );
}

#[test]
fn an_empty_topic_says_how_to_fill_it() {
    let place = Place::new(1);
    place.write(&PIPELINE.replace("load = \"small.csv\"\n", ""));
    let says = "topic small is empty: alluvium load pipeline.toml SOURCE";
    place.call(&["run"]).says(0, &[says]);
    let loaded = "loaded     1 record from small.csv into topic small";
    place.call(&["load", "pipeline.toml", "small.csv"]).says(0, &[loaded]);
    let again = "nothing new: 1 record of small.csv are in topic small already";
    place.call(&["load", "pipeline.toml", "small.csv"]).says(0, &[again]);
}

#[test]
fn check_tells_the_plan_and_makes_nothing() {
    let place = Place::new(1_000);
    place.call(&["check"]).says(
        0,
        &[
            "topic small   not there yet",
            "which run makes",
            "number   x, y   2 slots   a gap refuses the record",
            "class: no or yes; yes is the one to find",
            "scaled   standardize of x, y   2 features   scaled.x .. scaled.y",
            "linear *",
            "logistic_regression with its defaults",
            "no_change and majority",
            "what is learned ",
            "alluvium run pipeline.toml",
        ],
    );
    assert!(!place.directory.join("alluvium").exists());
    place.call(&["run"]).says(0, &[]);
    place
        .call(&["check"])
        .says(0, &["1,000 records in 1 partition", "small.control holds", "speed", "as last kept"]);
    let plan: Value = serde_json::from_str(&place.call(&["check", "--json"]).stdout).unwrap();
    assert_eq!(plan["inputs"][0]["records"], 1_000);
    assert_eq!(plan["models"][0]["slots"], 2);
    let (first, kept) = (&plan["memory"]["at_first"], &plan["memory"]["kept"]);
    for part in ["models", "steps", "metrics", "names"] {
        assert!(kept[part].as_u64().unwrap() >= first[part].as_u64().unwrap(), "{plan}");
    }
    let window = 100 * std::mem::size_of::<f64>() as u64;
    let grown = kept["metrics"].as_u64().unwrap() - first["metrics"].as_u64().unwrap();
    assert!(grown > window, "the metrics hold a window of 100 records: {plan}");
    assert_eq!(plan["last_run"]["records"], 1_000);
}

#[test]
fn usage_is_shown_with_exit_code_2() {
    let place = Place::new(1);
    place.call(&[]).says(2, &["Usage: alluvium", "run", "check"]);
    place.call(&["rnu"]).says(2, &["no verb `rnu`", "did you mean `run`?"]);
    place.call(&["xyzzy"]).says(2, &["unrecognized subcommand", "--help"]);
    place.call(&["pipeline.toml"]).says(2, &["alluvium run pipeline.toml"]);
    place.call(&["run", "other.toml"]).says(2, &["there is no pipeline file other.toml", "new"]);
}

#[test]
fn a_closed_pipe_is_silent() {
    let place = Place::new(1_000);
    let mut command = place.command(&["run", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let called = Called::of(child.wait_with_output().unwrap());
    assert_eq!((called.code, called.stderr.as_str()), (Some(0), ""));
}

#[test]
fn what_was_stopped_goes_on_to_the_same_bytes() {
    let records = 120_000;
    let whole = Place::new(records).call(&["run", "--json"]);
    let stopped = Place::new(records);
    let mut command = stopped.command(&["run", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    output.read_to_string(&mut line).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{line}");
    let last = line.lines().last().unwrap();
    let summary: Value = serde_json::from_str(last).unwrap();
    assert_eq!(summary["event"], "summary");
    let rest = stopped.call(&["run", "--json"]);
    let (end, expected) = (rest.events().pop().unwrap(), whole.events().pop().unwrap());
    assert_eq!(end["models"], expected["models"]);
    assert_eq!(end["learned"], records);
    let done = summary["new"].as_u64().unwrap() + end["new"].as_u64().unwrap();
    assert_eq!(done, u64::from(records));
}

#[test]
fn numbers_are_judged_beside_the_mean() {
    let place = Place::new(500);
    let number = PIPELINE
        .replace(
            "field = \"class\"\ntype.class = [\"no\", \"yes\"]",
            "field = \"y\"\ntype = \"number\"",
        )
        .replace("y = \"number\"\n", "")
        .replace("[\"x\", \"y\"]", "[\"x\"]")
        .replace("logistic_regression", "linear_regression")
        .replace("metrics = [\"accuracy\", \"log_loss\"]\n", "");
    place.write(&number);
    place.call(&["run"]).says(0, &["mean absolute error", "no change", "mean  ", "linear *"]);
}

/// The pipeline, fed by standard input.
fn fed() -> String {
    PIPELINE.replace("load = \"small.csv\"", "load = \"-\"")
}

#[test]
fn a_run_learns_all_that_its_stream_brought() {
    let place = Place::new(700);
    place.write(&fed());
    // However soon the stream ends: before there is a pipeline, and while one learns.
    for round in 1..=5 {
        let mut command = place.command(&["run", "--json"]);
        command.stdin(fs::File::open(place.directory.join("small.csv")).unwrap());
        let called = Called::of(command.output().unwrap());
        let newest = format!("\"at\":\"small:0:{}\",\"event\":\"version\"", 700 * round);
        called.says(0, &[&newest]);
        assert_eq!(called.events().pop().unwrap()["read"], 700 * round);
    }
}

#[test]
fn streams_are_read_side_by_side_and_the_end_of_one_ends_nothing() {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = listeners.each_ref().map(|one| format!("tcp://{}", one.local_addr().unwrap()));
    let place = Place::new(1);
    place.write(&PIPELINE.replace("load = \"small.csv\"", &format!("load = {addresses:?}")));
    let mut command = place.command(&["run", "--json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Both are connected to before either has ended.
    let mut streams = listeners.each_ref().map(|one| one.accept().unwrap().0);
    for stream in streams.iter_mut().rev() {
        stream.write_all(b"0,1,2,no\n1,-1,2,yes").unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
    }
    let called = Called::of(child.wait_with_output().unwrap());
    called.says(0, &[]);
    assert_eq!(called.events().pop().unwrap()["learned"], 4);
}

#[test]
fn a_stream_that_cannot_be_read_ends_a_run_that_would_wait_for_ever() {
    let place = Place::new(1);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    drop(listener);
    place.write(&PIPELINE.replace("small.csv", &address));
    place.call(&["run", "--follow"]).says(1, &["connecting to", "is something listening there?"]);
}

#[test]
fn another_file_of_a_name_that_was_loaded_is_turned_away() {
    let place = Place::new(3);
    let load = |path: &str| place.call(&["load", "pipeline.toml", path]);
    let write = |path: &str, text: &str| {
        let path = place.directory.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    load("small.csv").says(0, &["3 records"]);
    let three = fs::read_to_string(place.directory.join("small.csv")).unwrap();
    write("moved/small.csv", &three);
    load("moved/small.csv").says(0, &["nothing new: 3 records of small.csv"]);
    write("grown/small.csv", &format!("{three}9000,1,1,no\n"));
    load("grown/small.csv").says(0, &["1 record from small.csv"]);
    // As long, shorter, and longer: from the first record on, and from the newest.
    for other in
        ["9,9,9,no\n", &three.replace("0,", "1,"), &format!("{three}9000,2,2,yes\n1,1,1,no\n")]
    {
        write("other/small.csv", other);
        load("other/small.csv").says(1, &["of small.csv is not the one", "another name"]);
    }
    let status: Value = serde_json::from_str(&place.call(&["check", "--json"]).stdout).unwrap();
    assert_eq!(status["inputs"][0]["records"], 4);
}

#[test]
fn what_comes_through_a_pipe_is_never_taken_for_what_came_before() {
    let place = Place::new(3);
    for _ in 0..2 {
        let mut command = place.command(&["load", "pipeline.toml", "/dev/stdin"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"0,1,2,no\n1000,3,4,yes\n").unwrap();
        Called::of(child.wait_with_output().unwrap()).says(0, &["2 records"]);
    }
}

#[test]
fn two_files_of_one_name_are_a_mistake() {
    let place = Place::new(3);
    place.write(&PIPELINE.replace("\"small.csv\"", "[\"small.csv\", \"more/small.csv\"]"));
    place.call(&["check"]).says(2, &["have the same name, small.csv", "pipeline.toml:5:"]);
}

#[test]
fn what_is_to_be_typed_names_the_pipeline_that_halted() {
    let place = Place::new(100);
    let run = ["run", "--as", "two", "--log", "my log"];
    place.call(&run).says(0, &[]);
    let other = "learner.logistic_regression = { l2 = 0.001 }";
    place.write(&PIPELINE.replace("learner = \"logistic_regression\"", other));
    place.call(&run).says(
        3,
        &[
            "alluvium decide adopt pipeline.toml --as two --log 'my log' ",
            "alluvium run pipeline.toml --as two-2 --log 'my log' ",
        ],
    );
    let adopt = ["decide", "adopt", "pipeline.toml", "--as", "two", "--log", "my log"];
    place
        .call(&adopt)
        .says(0, &["the next one: alluvium run pipeline.toml --as two --log 'my log'"]);
    place.call(&run).says(0, &[]);
}

#[test]
fn models_without_labels_have_no_empty_tables() {
    let place = Place::new(200);
    let (head, _) = PIPELINE.split_once("[label]").unwrap();
    let rest = r#"
[model.jump]
use = ["x", "y"]
learner.cusum = { slack = 0.0, threshold = 2.0 }

[model.odd_ones]
use = ["x"]
learner.ewma = { share = 1.0, threshold = 1.5 }

[predictions]
only = "anomalies"
"#;
    place.write(&format!("{head}{rest}"));
    let first = place.call(&["run"]);
    first.says(
        0,
        &[
            "\n\nmodels     jump * and odd_ones: not judged, as there is no metric\n\nversions   jump@1",
            "alluvium show pipeline.toml predictions   the newest anomalies\n",
            "alluvium verify pipeline.toml jump@1      prove it from the log\n",
        ],
    );
    let again = place.call(&["run"]);
    again.says(0, &["learned    nothing new since ", "the newest anomalies\n"]);
    for absent in ["verdict", "since the beginning (", "judge "] {
        assert!(!first.stdout.contains(absent), "{absent}: {}", first.stdout);
    }
    let status = place.call(&["status"]);
    status.says(
        0,
        &["versions  jump@1        after 200 records, ", " odd_ones@1    after 200 records, "],
    );
    let shown = place.call(&["show", "pipeline.toml", "predictions", "--json"]).events();
    assert!(!shown.is_empty() && shown.iter().all(|answer| answer["anomaly"] == true));
    place.call(&["show", "pipeline.toml", "small:0:150"]).says(0, &["\nlabel     none\n"]);
}

#[test]
fn records_cannot_move_the_cursor() {
    let place = Place::new(1);
    place.write(
        r#"
name = "hostile"

[input.hostile]
format = "json"

[fields]
x = "number"
word.category = { values_max = 20 }

[features]
words.one_hot = ["word"]

[model.groups]
use = ["x", "words"]
learner.k_means = { k = 2 }

[predictions]
carry = ["word"]
"#,
    );
    let word = "a\\u001b[31m\\u009b2J\\u007f\\u202e\\n";
    let odd = "\u{9b}2J\u{202e}\u{1b}[2J";
    let records =
        format!("{{\"x\":1,\"word\":\"{word}\"}}\n{{\"x\":2,{odd}}}\n{{\"x\":3,\"word\":\"b\"}}\n");
    fs::write(place.directory.join("hostile.ndjson"), records).unwrap();
    place.call(&["load", "pipeline.toml", "hostile.ndjson"]).says(0, &["3 records"]);
    place.call(&["run"]).says(0, &[]);
    fs::write(place.directory.join("wrong.csv"), format!("at,x,{odd},class\n")).unwrap();
    let show =
        |what: &str, json: &[&str]| place.call(&[&["show", "pipeline.toml", what], json].concat());
    for what in ["predictions", "dead-letters", "hostile:0:0", "hostile:0:1", "hostile:0:2"] {
        for json in [&[][..], &["--json"]] {
            let shown = show(what, json);
            shown.says(0, &[]);
            let is_odd = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
            assert!(!shown.stdout.contains(is_odd), "{what}: {:?}", shown.stdout);
        }
    }
    // In JSON nothing is lost.
    let record: Value = serde_json::from_str(&show("hostile:0:1", &["--json"]).stdout).unwrap();
    assert_eq!(record["value"], format!("{{\"x\":2,{odd}}}"));
    place.write(PIPELINE);
    let wrong = place.call(&["load", "pipeline.toml", "wrong.csv"]);
    wrong.says(1, &["wrong.csv begins with"]);
    assert!(!wrong.stderr.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{:?}", wrong.stderr);
}

#[test]
fn what_is_learned_again_after_a_kill_is_not_new() {
    let records = 120_000;
    let place = Place::new(records);
    let mut command = place.command(&["run", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut String::new()).unwrap();
    let answers = |last| {
        place.call(&["show", "pipeline.toml", "predictions", "--last", last, "--json"]).events()
    };
    while answers("1").is_empty() {}
    child.kill().unwrap();
    child.wait().unwrap();
    // Each record has one answer: what has been answered was learned.
    let known = answers("0").len() as u64;
    let summary = place.call(&["run", "--json"]).events().pop().unwrap();
    assert_eq!(summary["learned"], records);
    assert_eq!(summary["new"], u64::from(records) - known);
}

#[test]
fn names_that_cannot_be_are_mistakes() {
    let place = Place::new(1);
    let mistake = |from: &str, to: &str, says: &[&str]| {
        assert!(PIPELINE.contains(from));
        place.write(&PIPELINE.replace(from, to));
        place.call(&["check"]).says(2, says);
    };
    let input = "load = \"small.csv\"";
    let class = "type.class = [\"no\", \"yes\"]";
    mistake("name = \"small\"", "name = \"a/b\"", &["cannot be a pipeline's name", ":2:8"]);
    mistake(input, "topic = \"small.control\"", &["writes itself", ":5:9"]);
    mistake(input, "load = [\"-\", \"-\"]", &["`-` is listed twice", ":5:14"]);
    mistake(class, "type.class = [\"no\", \"no\"]", &["`no` is listed twice", ":15:21"]);
    let words = "y.category = [\"a\", \"b\", \"a\"]";
    mistake("y = \"number\"", words, &["`a` is listed twice", ":11:25"]);
    place.write(PIPELINE);
    for name in ["", "../x", &"x".repeat(240)] {
        place.call(&["check", "--as", name]).says(2, &["cannot be a pipeline's name"]);
    }
    fs::write(place.directory.join("pipeline.toml"), b"name = \"\xff\"").unwrap();
    place.call(&["check"]).says(2, &["is not UTF-8"]);
}
