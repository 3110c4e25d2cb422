//! A worker is killed at each place where something is written: once when it has handed the record
//! over, once when it has heard that it landed. What its successors leave is what one leaves that
//! nobody disturbed, in the embedded log and on a real Kafka.
//!
//! The worker is this program again, with [`MOMENT`] in its environment: it works as `alluvium run`
//! does, through a log that kills it.

#![allow(clippy::unwrap_used)]

#[path = "support/left.rs"]
mod left;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    env, fs,
    path::Path,
    process::{self, Command, ExitStatus, Stdio},
    rc::Rc,
    thread,
    time::Duration,
};

use alluvium::{args::Named, clock, open::Opened, run, store::Store};
use alluvium_broker::{Broker, Options};
use alluvium_embedded::Embedded;
use alluvium_kafka::{KafkaLog, Settings};
use alluvium_ledger::{
    control::{Body, Control},
    keeper::{Keeper, Next, Signals},
    log::{
        Appender, Ends, Errand, Lease, Log, LogError, Outgoing, Policy, RecordReader, Route,
        Settled, Span, Ticket,
    },
    manifest::StateKey,
};
use left::left;
use tempfile::TempDir;

/// When the worker dies: what is written, a colon, and `handed over` or `landed`.
const MOMENT: &str = "ALLUVIUM_DIES_AT";
/// The worker's pipeline: file, name and log.
const PIPELINE: [&str; 3] = ["ALLUVIUM_FILE", "ALLUVIUM_NAME", "ALLUVIUM_PLACE"];
/// What is written, in the order in which a pipeline writes each for the first time.
const WRITTEN: [&str; 11] = [
    "term",
    "settings",
    "catchup",
    "cut",
    "prediction",
    "alarm",
    "version page",
    "version",
    "alias",
    "page",
    "manifest",
];

/// What a record is, by its topic and content.
fn kind(topic: &str, record: &Outgoing<'_>) -> &'static str {
    let key = || std::str::from_utf8(record.key.unwrap()).unwrap();
    match topic.rsplit('.').next().unwrap() {
        "control" => match Control::decode(record.value.unwrap()).unwrap() {
            Control::Term { .. } => "term",
            Control::Said { body: Body::Settings(_), .. } => "settings",
            Control::Said { body: Body::Catchup { .. }, .. } => "catchup",
            Control::Said { body: Body::Cut { .. }, .. } => "cut",
            other => panic!("{other:?}"),
        },
        "state" if record.value.is_none() => "tombstone",
        "state" if StateKey::decode(record.key.unwrap()).unwrap().page == 0 => "manifest",
        "state" => "page",
        "models" if key().starts_with("alias/") => "alias",
        "models" if key().split('/').count() == 3 => "version",
        "models" => "version page",
        "predictions" => "prediction",
        "alarms" => "alarm",
        other => panic!("nothing is written to {other} here"),
    }
}

/// The moment to die at, and the record whose acknowledgement is it.
struct Fate {
    kind: String,
    at_once: bool,
    awaited: Option<(Route, Ticket)>,
}

/// A log that kills the process at a moment.
struct Deadly(Store, Rc<RefCell<Fate>>);

struct DeadlyAppender {
    inner: Box<dyn Appender>,
    topics: BTreeMap<Route, String>,
    fate: Rc<RefCell<Fate>>,
}

fn die() -> ! {
    Command::new("kill").args(["-9", &process::id().to_string()]).status().unwrap();
    loop {
        thread::sleep(Duration::from_secs(1));
    }
}

impl Appender for DeadlyAppender {
    fn route(&mut self, topic: &str, partition: u32) -> Result<Route, LogError> {
        let route = self.inner.route(topic, partition)?;
        self.topics.insert(route, topic.to_string());
        Ok(route)
    }

    fn submit(&mut self, route: Route, record: Outgoing<'_>) -> Ticket {
        let ticket = self.inner.submit(route, record);
        let mut fate = self.fate.borrow_mut();
        if fate.awaited.is_none() && kind(&self.topics[&route], &record) == fate.kind {
            fate.awaited = Some((route, ticket));
            if fate.at_once {
                // Handed over for good: it may land, or not.
                drop(self.inner.poll(&mut Vec::new()));
                die();
            }
        }
        ticket
    }

    fn poll(&mut self, settled: &mut Vec<Settled>) -> Result<(), LogError> {
        self.inner.poll(settled)?;
        let awaited = self.fate.borrow().awaited;
        let has_landed = |one: &Settled| {
            awaited.is_some_and(|(route, ticket)| one.route == route && one.ticket >= ticket)
        };
        if settled.iter().any(has_landed) {
            die();
        }
        Ok(())
    }
}

impl Log for Deadly {
    fn reader(&mut self, spans: &[Span]) -> Result<Box<dyn RecordReader>, LogError> {
        self.0.reader(spans)
    }

    fn appender(&mut self) -> Result<Box<dyn Appender>, LogError> {
        let (inner, topics, fate) = (self.0.appender()?, BTreeMap::new(), self.1.clone());
        Ok(Box::new(DeadlyAppender { inner, topics, fate }))
    }

    fn ends(&mut self, topic: &str) -> Result<Option<Ends>, LogError> {
        self.0.ends(topic)
    }

    fn offsets_at(&mut self, topic: &str, time: i64) -> Result<Vec<u64>, LogError> {
        self.0.offsets_at(topic, time)
    }

    fn create(&mut self, topic: &str, partitions: u32, policy: Policy) -> Result<(), LogError> {
        self.0.create(topic, partitions, policy)
    }

    fn lease(&mut self, pipeline: &str, errand: Errand<'_>) -> Result<Box<dyn Lease>, LogError> {
        self.0.lease(pipeline, errand)
    }
}

/// Learns to the end, or dies before.
fn worker(moment: &str) {
    let [file, name, place] = PIPELINE.map(|name| env::var(name).unwrap());
    let named = Named { name: Some(name), log: Some(place) };
    let opened = Opened::read(Path::new(&file), &named).unwrap();
    let (kind, when) = moment.split_once(':').unwrap();
    let (kind, at_once) = (kind.to_string(), when == "handed over");
    let fate = Rc::new(RefCell::new(Fate { kind, at_once, awaited: None }));
    let log = Deadly(opened.log().unwrap(), fate);
    let mut keeper = Keeper::new(log, run::options(&opened, false));
    loop {
        match keeper.turn(clock::now(), Signals { lease: true, stop: false }).unwrap() {
            Next::Done => return,
            Next::Again => {}
            _ => thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn work(file: &Path, name: &str, place: &str, moment: &str) -> ExitStatus {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "a_worker_dies_wherever_it_writes", "--nocapture"]);
    let given = [file.to_str().unwrap(), name, place];
    command.envs(PIPELINE.iter().zip(given)).env(MOMENT, moment);
    command.stdout(Stdio::null()).status().unwrap()
}

#[test]
fn a_worker_dies_wherever_it_writes() {
    if let Ok(moment) = env::var(MOMENT) {
        return worker(&moment);
    }
    let folder: TempDir = tempfile::tempdir().unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/electricity");
    let file = folder.path().join("pipeline.toml");
    fs::copy(example.join("pipeline.toml"), &file).unwrap();
    let broker = Broker::start(Options::default()).unwrap();
    let directory = folder.path().join("log").to_str().unwrap().to_string();
    let kafka = || KafkaLog::open(&Settings::new(broker.servers(), None)).unwrap();
    for place in [directory.clone(), format!("kafka://{}", broker.servers())] {
        let loaded = Command::new(env!("CARGO_BIN_EXE_alluvium"))
            .args(["load".as_ref(), file.as_os_str()])
            .arg(example.join("electricity.csv.xz"))
            .args(["--log", &place])
            .output()
            .unwrap();
        assert!(loaded.status.success(), "{loaded:?}");
        let mut log: Box<dyn Log> = match place.starts_with("kafka") {
            true => Box::new(kafka()),
            false => Box::new(Embedded::open(&directory).unwrap()),
        };
        assert!(work(&file, "undisturbed", &place, "nothing:").success());
        let expected = left(log.as_mut(), "undisturbed");
        assert_eq!((expected.0.len(), expected.1.len()), (10, 2 * 45_312));
        for (name, when) in [("one", "handed over"), ("two", "landed")] {
            for written in WRITTEN {
                let status = work(&file, name, &place, &format!("{written}:{when}"));
                assert_eq!(status.code(), None, "{written} was never {when} in {place}: {status}");
            }
            assert!(work(&file, name, &place, "nothing:").success());
            assert!(left(log.as_mut(), name) == expected, "{name} in {place}");
        }
    }
}
