//! The smallest cases of mistakes that the simulator has found, each played by hand.
#![allow(clippy::unwrap_used)]

#[path = "support/append.rs"]
mod append;
#[path = "support/options.rs"]
mod options;

use std::{cell::Cell, rc::Rc, sync::Arc};

use alluvium_flow::{
    Batch, Decision, Effects, Gap, Headers, News, Pipeline, Run, Settings, spec::Spec,
};
use alluvium_ledger::{
    control::{Control, Fold, Stopped},
    keeper::{Halt, Keeper, Next, Options, Relearn, Relearned, Signals},
    log::{
        Appender, Ends, Errand, Lease, Log, LogError, Outgoing, Policy, Polled, RecordReader,
        Route, Settled, Span, Ticket,
    },
    manifest::StateKey,
    read::Observer,
};
use alluvium_sim::{Faults, VirtualLog};
use append::append;
use options::options;
use serde_json::json;

const KEEP: Policy = Policy::Delete { retention_ms: None };
const GO: Signals = Signals { lease: true, stop: false };

/// The smallest pipeline: the mean of a number.
fn settings(runs: &str) -> Arc<Settings> {
    settings_with(runs, json!({}))
}

/// The same, with more tables.
fn settings_with(runs: &str, more: serde_json::Value) -> Arc<Settings> {
    let mut file = json!({
        "name": "p",
        "input": { "x": { "format": { "csv": { "columns": ["a", "y"] } } } },
        "fields": { "a": { "number": {} } },
        "label": { "field": "y", "type": { "number": {} } },
        "model": { "one": { "use": ["a"], "learner": { "mean": {} } } },
        "versions": { "every": runs },
    });
    file.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let spec: Spec = serde_json::from_value(file).unwrap();
    Arc::new(Settings::of(&spec))
}

/// A log with an input of so many records, and a control topic.
fn log_with(records: u64) -> VirtualLog {
    let mut log = VirtualLog::new(7, Faults::none());
    for topic in ["x", "p.control"] {
        log.create(topic, 1, KEEP).unwrap();
    }
    for record in 0..records {
        append(&mut log, "x", format!("{record},{record}").as_bytes());
    }
    log
}

fn request(log: &mut VirtualLog, ask: Decision) {
    append(log, "p.control", &Control::Request { ask, by: "a test".into(), id: None }.encode());
}

fn finish(keeper: &mut Keeper<VirtualLog>) -> Result<(), Halt> {
    for now in 0..10_000 {
        if keeper.turn(now, GO)? == Next::Done {
            return Ok(());
        }
    }
    panic!("no end: {:?}", keeper.progress());
}

/// A turn each millisecond.
fn turn(keeper: &mut Keeper<impl Log>, times: std::ops::Range<i64>) {
    for now in times {
        keeper.turn(now, GO).unwrap();
    }
}

/// How many manifests the state topic holds.
fn manifests(log: &mut VirtualLog) -> usize {
    let ends = log.ends("p.state").unwrap().unwrap().partitions[0];
    let span = Span { topic: "p.state".into(), partition: 0, from: 0, to: Some(ends.stable) };
    let (mut reader, mut batch) = (log.reader(&[span]).unwrap(), Batch::new());
    let mut manifests = 0;
    while reader.poll(&mut batch).unwrap() == Polled::Records {
        let keys = batch.iter().filter(|record| record.value.is_some());
        let keys = keys.filter_map(|record| StateKey::decode(record.key.unwrap()));
        manifests += keys.filter(|key| key.page == 0).count();
    }
    manifests
}

#[test]
fn a_request_may_come_before_there_are_settings() {
    let mut log = log_with(2);
    request(&mut log, Decision::Rollback);
    let mut keeper = Keeper::new(log.client(), options(&settings("10 records")));
    finish(&mut keeper).unwrap();
    assert_eq!(keeper.progress().step, 3, "two records and a decision");
}

/// The same pipeline, with a feature more or less in what is learned.
fn learning_otherwise(settings: &Arc<Settings>) -> Arc<Settings> {
    let mut other = Settings::clone(settings);
    other.learned["fields"]["a"]["number"] = json!({ "min": -5.0 });
    Arc::new(other)
}

#[test]
fn a_change_of_how_it_runs_undoes_no_decision() {
    let mut log = log_with(2);
    let (before, after) = (settings("10 records"), settings("5 records"));
    finish(&mut Keeper::new(log.client(), options(&before))).unwrap();
    // Two edits at once: what runs says how it runs, and adopts what somebody decided.
    let decided = learning_otherwise(&after);
    request(&mut log, Decision::Adopt { settings: decided.clone() });
    let mut old = Keeper::new(log.client(), options(&after));
    assert!(matches!(finish(&mut old), Err(Halt::Changed { .. })), "its file is the old one");
    finish(&mut Keeper::new(log.client(), options(&decided))).unwrap();
}

#[test]
fn nothing_is_planned_while_a_change_is_being_learned() {
    let before = settings("10 records");
    let after = learning_otherwise(&before);
    for delay in 0..8 {
        let mut log = log_with(3);
        let follow = Options { follow: true, ..options(&before) };
        let mut keeper = Keeper::new(log.client(), follow);
        for now in 0..50 {
            keeper.turn(now, GO).unwrap();
        }
        // The cut that adopts the first change is read again with new decoders, and has to be
        // learned to its end before a record for the second is written.
        append(&mut log, "x", b"3,3");
        request(&mut log, Decision::Adopt { settings: after.clone() });
        for now in 50..80 {
            if now == 50 + delay {
                request(&mut log, Decision::Adopt { settings: before.clone() });
            }
            if let Err(halt) = keeper.turn(now, GO) {
                assert!(matches!(halt, Halt::Changed { .. }), "delay {delay}: {halt}");
            }
        }
        drop(keeper);
        let end = finish(&mut Keeper::new(log.client(), options(&before)));
        assert_eq!(end, Ok(()), "delay {delay}");
    }
}

/// What each output of a topic's first partition is about, in order.
fn outputs_about(log: &mut VirtualLog, topic: &str) -> Vec<String> {
    let ends = log.ends(topic).unwrap().unwrap().partitions[0];
    let span = Span { topic: topic.into(), partition: 0, from: 0, to: Some(ends.stable) };
    let (mut reader, mut batch) = (log.reader(&[span]).unwrap(), Batch::new());
    let mut about = Vec::new();
    while reader.poll(&mut batch).unwrap() == Polled::Records {
        let at = |record: alluvium_flow::Record<'_>| record.headers.get("at").unwrap().to_vec();
        about.extend(batch.iter().map(|record| String::from_utf8(at(record)).unwrap()));
        batch.clear();
    }
    about
}

#[test]
fn topics_loaded_one_after_the_other_are_learned_side_by_side() {
    let timed =
        json!({ "format": { "csv": { "columns": ["a", "y", "at"] } }, "time": { "ms": "at" } });
    let inputs = json!({ "input": { "paid": timed, "returned": timed } });
    let mut log = log_with(0);
    for (topic, logged, times) in
        [("paid", 1_000_000, ["10", "30", "50"]), ("returned", 9_000_000, ["20", "soon", "40"])]
    {
        log.create(topic, 1, KEEP).unwrap();
        let mut appender = log.appender().unwrap();
        let route = appender.route(topic, 0).unwrap();
        for time in times {
            let value = format!("1,2,{time}");
            let (value, headers) = (Some(value.as_bytes()), Headers::default());
            appender.submit(route, Outgoing { time: logged, key: None, value, headers });
        }
        appender.poll(&mut Vec::new()).unwrap();
    }
    finish(&mut Keeper::new(log.client(), options(&settings_with("9 records", inputs)))).unwrap();
    // The time before has to agree: so each goes by the lesser of two.
    let order = ["paid:0:0", "paid:0:1", "returned:0:0", "returned:0:2", "paid:0:2"];
    assert_eq!(outputs_about(&mut log, "p.predictions"), order);
    assert_eq!(outputs_about(&mut log, "p.dead-letters"), ["returned:0:1"]);
}

#[test]
fn what_expired_before_there_was_a_manifest_halts() {
    let log = log_with(3);
    let mut keeper = Keeper::new(log.client(), options(&settings("10 records")));
    while keeper.progress().step == 0 {
        keeper.turn(0, GO).unwrap();
    }
    drop(keeper);
    log.expire("x", 0, 2);
    let end = finish(&mut Keeper::new(log.client(), options(&settings("10 records"))));
    assert!(matches!(end, Err(Halt::Expired(_))), "{end:?}");
}

#[test]
fn manifests_keep_coming_while_there_is_always_more_to_learn() {
    let mut log = log_with(200);
    let settings = settings("1000 records");
    let often = Options { cut_records_max: 8, snapshot_steps: 20, ..options(&settings) };
    let mut keeper = Keeper::new(log.client(), often);
    keeper.bound_turns(3);
    while keeper.progress().step < 200 {
        keeper.turn(0, GO).unwrap();
    }
    let manifests = manifests(&mut log);
    assert!(manifests >= 7, "{manifests} manifests of 200 steps, one at least every 20 or so");
}

#[test]
fn an_output_of_a_cut_that_is_no_more_halts() {
    let mut log = log_with(3);
    let mut keeper = Keeper::new(log.client(), options(&settings("10 records")));
    while keeper.progress().step < 3 {
        keeper.turn(0, GO).unwrap();
    }
    keeper.turn(0, GO).unwrap();
    drop(keeper);
    // Control loses the cut, and something else takes its place.
    let end = log.ends("p.control").unwrap().unwrap().partitions[0].stable;
    log.cut_off("p.control", 0, end - 1);
    request(&mut log, Decision::Rollback);
    let end = finish(&mut Keeper::new(log.client(), options(&settings("10 records"))));
    assert!(matches!(end, Err(Halt::LogChanged(_))), "{end:?}");
}

#[test]
fn a_later_terms_manifest_may_know_more_of_the_outputs() {
    let mut log = log_with(6);
    let settings = settings("1000 records");
    let small = Options { cut_records_max: 3, ..options(&settings) };
    // Two cuts are accepted, and what came of the second is not there yet.
    let mut first = Keeper::new(log.client(), small.clone());
    while first.progress().step < 6 {
        first.turn(0, GO).unwrap();
    }
    drop(first);
    // One opens a term and falls asleep; another releases everything and dies; a third writes a
    // manifest of the first cut.
    let mut asleep = Keeper::new(log.client(), small.clone());
    for _ in 0..2 {
        asleep.turn(0, GO).unwrap();
    }
    let mut second = Keeper::new(log.client(), small.clone());
    while second.progress().step < 6 {
        second.turn(0, GO).unwrap();
    }
    second.turn(0, GO).unwrap();
    drop(second);
    let mut third = Keeper::new(log.client(), Options { snapshot_steps: 1, ..small });
    third.bound_turns(1);
    while manifests(&mut log) == 0 {
        third.turn(0, GO).unwrap();
    }
    drop(third);
    assert_eq!(finish(&mut asleep), Ok(()), "it knows less of the outputs than that manifest");
}

/// The same pipeline, with another input before or behind the first.
fn with_inputs(names: &[&str]) -> Arc<Settings> {
    let format = json!({ "format": { "csv": { "columns": ["a", "y"] } } });
    let inputs: serde_json::Map<String, serde_json::Value> =
        names.iter().map(|name| ((*name).to_string(), format.clone())).collect();
    let spec: Spec = serde_json::from_value(json!({
        "name": "p",
        "input": inputs,
        "fields": { "a": { "number": {} } },
        "label": { "field": "y", "type": { "number": {} } },
        "model": { "one": { "use": ["a"], "learner": { "mean": {} } } },
        "versions": { "every": "1000 records" },
    }))
    .unwrap();
    Arc::new(Settings::of(&spec))
}

#[test]
fn an_adopted_file_may_name_more_inputs() {
    let (before, after) = (with_inputs(&["x"]), with_inputs(&["w", "x"]));
    let mut log = log_with(3);
    log.create("w", 1, KEEP).unwrap();
    finish(&mut Keeper::new(log.client(), options(&before))).unwrap();
    (0..2).for_each(|_| append(&mut log, "w", b"5,5"));
    append(&mut log, "x", b"3,3");
    request(&mut log, Decision::Adopt { settings: after.clone() });
    let mut keeper = Keeper::new(log.client(), options(&after));
    finish(&mut keeper).unwrap();
    let positions = keeper.pipeline().unwrap().counters().positions.clone();
    let place = |input: &str| positions.get(&(input.into(), 0)).copied();
    assert_eq!((place("w"), place("x")), (Some(2), Some(4)), "{positions:?}");
    // Whoever comes after stands where it stood.
    append(&mut log, "x", b"4,4");
    let mut next = Keeper::new(log.client(), options(&after));
    finish(&mut next).unwrap();
    assert_eq!(next.pipeline().unwrap().counters().read, 7);
}

#[test]
fn an_adopted_file_may_name_fewer_inputs() {
    let (before, after) = (with_inputs(&["w", "x"]), with_inputs(&["x"]));
    let mut log = log_with(3);
    log.create("w", 1, KEEP).unwrap();
    append(&mut log, "w", b"5,5");
    finish(&mut Keeper::new(log.client(), options(&before))).unwrap();
    append(&mut log, "x", b"3,3");
    request(&mut log, Decision::Adopt { settings: after.clone() });
    let mut keeper = Keeper::new(log.client(), options(&after));
    finish(&mut keeper).unwrap();
    append(&mut log, "x", b"4,4");
    let mut next = Keeper::new(log.client(), options(&after));
    finish(&mut next).unwrap();
    assert_eq!(next.pipeline().unwrap().counters().read, 6);
}

/// The terms that control holds.
fn terms(log: &mut VirtualLog) -> usize {
    let ends = log.ends("p.control").unwrap().unwrap().partitions[0];
    let span = Span { topic: "p.control".into(), partition: 0, from: 0, to: Some(ends.stable) };
    let (mut reader, mut batch) = (log.reader(&[span]).unwrap(), Batch::new());
    let mut terms = 0;
    while reader.poll(&mut batch).unwrap() == Polled::Records {
        let decoded = batch.iter().filter_map(|record| Control::decode(record.value?));
        terms += decoded.filter(|control| matches!(control, Control::Term { .. })).count();
    }
    terms
}

#[test]
fn control_that_ends_before_the_newest_manifest_halts_at_once() {
    let mut log = log_with(3);
    let settings = settings("10 records");
    finish(&mut Keeper::new(log.client(), options(&settings))).unwrap();
    log.cut_off("p.control", 0, 1);
    let end = finish(&mut Keeper::new(log.client(), options(&settings)));
    assert!(matches!(end, Err(Halt::LogChanged(_))), "{end:?}");
    assert!(terms(&mut log) <= 2, "it opened {} terms to find out", terms(&mut log));
}

#[test]
fn a_clock_that_is_set_back_holds_no_manifest_up() {
    let mut log = log_with(3);
    let settings = settings("1000 records");
    let often = Options { follow: true, snapshot_ms: 100, ..options(&settings) };
    let mut keeper = Keeper::new(log.client(), often);
    let year = 365 * 86_400_000;
    turn(&mut keeper, year..year + 200);
    let before = manifests(&mut log);
    append(&mut log, "x", b"3,3");
    turn(&mut keeper, 0..300);
    assert!(manifests(&mut log) > before, "no manifest since the clock was set back");
}

#[test]
fn a_failure_that_stays_opens_few_terms() {
    let mut log = log_with(3);
    let retry = Options { retry_ms: 100, ..options(&settings("10 records")) };
    let mut keeper = Keeper::new(log.client(), retry);
    // Two writers that both believe in the lease: each opens a term over the other's.
    for now in 0..60_000 {
        if now % 7 == 0 {
            append(&mut log, "p.control", &Control::Term { by: "another".into() }.encode());
        }
        keeper.turn(now, GO).unwrap();
    }
    let others = 60_000 / 7;
    let own = terms(&mut log) - others;
    assert!(own < 30, "{own} terms in a minute");
}

#[test]
fn what_arrives_is_cut_fifty_times_a_second_at_most() {
    let mut log = log_with(1);
    let slow = Options { follow: true, cut_ms: 20, ..options(&settings("1000 records")) };
    let mut keeper = Keeper::new(log.client(), slow);
    for now in 0..1_000 {
        append(&mut log, "x", b"1,1");
        keeper.turn(now, GO).unwrap();
    }
    turn(&mut keeper, 1_000..1_020);
    assert_eq!(keeper.progress().step, 1_001);
    let control = log.ends("p.control").unwrap().unwrap().partitions[0].stable;
    assert!(control < 60, "{control} records of control in a second");
}

#[test]
fn what_a_later_release_wrote_halts() {
    let log = log_with(3);
    let settings = settings("10 records");
    finish(&mut Keeper::new(log.client(), options(&settings))).unwrap();
    let mut later = log.client();
    let mut appender = later.appender().unwrap();
    let route = appender.route("p.state", 0).unwrap();
    let key = StateKey { term: 1, generation: 99, page: 0 }.encode();
    let value = Some(&b"{\"format\":2,\"pages_elsewhere\":[]}"[..]);
    let (key, headers) = (Some(key.as_bytes()), Headers::default());
    appender.submit(route, Outgoing { time: 0, key, value, headers });
    appender.poll(&mut Vec::new()).unwrap();
    let end = finish(&mut Keeper::new(log.client(), options(&settings)));
    assert!(matches!(end, Err(Halt::Settings(_))), "{end:?}");
}

#[test]
fn a_crash_after_an_adoption_changes_nothing() {
    let (before, after) = (with_inputs(&["x"]), with_inputs(&["w", "x"]));
    let mut log = log_with(3);
    log.create("w", 1, KEEP).unwrap();
    finish(&mut Keeper::new(log.client(), options(&before))).unwrap();
    (0..2).for_each(|_| append(&mut log, "w", b"5,5"));
    request(&mut log, Decision::Adopt { settings: after.clone() });
    let mut keeper = Keeper::new(log.client(), options(&after));
    while keeper.progress().step < 6 {
        keeper.turn(0, GO).unwrap();
    }
    drop(keeper);
    let mut next = Keeper::new(log.client(), options(&after));
    assert_eq!(finish(&mut next), Ok(()));
    assert_eq!(next.pipeline().unwrap().counters().read, 5);
}

/// What is wrong with a log's only input.
enum Wrong {
    /// Its records 3 and 4 are not what was written.
    Damaged,
    /// From some time on, every other question where it ends is not answered; so many were asked.
    Silent(u32),
    /// While this is set nothing is acknowledged.
    Deaf(Rc<Cell<bool>>),
    /// What lands is told as a failure, so many times.
    Forgetful(Rc<Cell<u32>>),
}

/// A log with something wrong.
struct Faulty(VirtualLog, Wrong);

/// Reads up to the damage, and then says so.
struct DamagedReader(Box<dyn RecordReader>, bool);

impl RecordReader for DamagedReader {
    fn poll(&mut self, batch: &mut Batch) -> Result<Polled, LogError> {
        let (topic, why) = ("x".to_string(), "bytes were changed".to_string());
        match self.0.poll(batch)? {
            Polled::Nothing if !self.1 => {
                Err(LogError::Damaged { topic, partition: 0, offset: 3, next: Some(5), why })
            }
            polled => Ok(polled),
        }
    }

    fn pause(&mut self, span: usize, paused: bool) {
        self.0.pause(span, paused);
        self.1 = paused;
    }
}

/// An appender that does not say what has landed.
struct Unsaid(Box<dyn Appender>, Rc<Cell<bool>>, Rc<Cell<u32>>);

impl Appender for Unsaid {
    fn route(&mut self, topic: &str, partition: u32) -> Result<Route, LogError> {
        self.0.route(topic, partition)
    }

    fn submit(&mut self, route: Route, record: Outgoing<'_>) -> Ticket {
        self.0.submit(route, record)
    }

    fn poll(&mut self, settled: &mut Vec<Settled>) -> Result<(), LogError> {
        if self.1.get() {
            return Ok(());
        }
        self.0.poll(settled)?;
        if self.2.get() > 0 {
            self.2.set(self.2.get() - 1);
            settled.clear();
            return Err(LogError::SessionEnded("a connection was lost".into()));
        }
        Ok(())
    }
}

impl Log for Faulty {
    fn reader(&mut self, spans: &[Span]) -> Result<Box<dyn RecordReader>, LogError> {
        match (spans, &self.1) {
            ([span], Wrong::Damaged) if &*span.topic == "x" && span.from <= 4 => {
                let sound = Span { to: Some(3), ..span.clone() };
                Ok(Box::new(DamagedReader(self.0.reader(&[sound])?, false)))
            }
            _ => self.0.reader(spans),
        }
    }

    fn appender(&mut self) -> Result<Box<dyn Appender>, LogError> {
        let inner = self.0.appender()?;
        Ok(match &self.1 {
            Wrong::Deaf(deaf) => Box::new(Unsaid(inner, deaf.clone(), Rc::default())),
            Wrong::Forgetful(left) => Box::new(Unsaid(inner, Rc::default(), left.clone())),
            _ => inner,
        })
    }

    fn ends(&mut self, topic: &str) -> Result<Option<Ends>, LogError> {
        if let (Wrong::Silent(asked), "x") = (&mut self.1, topic) {
            *asked += 1;
            if *asked > 6 && asked.is_multiple_of(2) {
                return Err(LogError::Unavailable("nobody answers".into()));
            }
        }
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

#[test]
fn what_is_damaged_halts_behind_all_that_can_be_read_and_can_be_passed_over() {
    let mut log = log_with(9);
    let faulty = |log: &VirtualLog| {
        let follow = Options { follow: true, ..options(&settings("10 records")) };
        Keeper::new(Faulty(log.client(), Wrong::Damaged), follow)
    };
    let mut keeper = faulty(&log);
    let (mut halt, mut learned) = (None, 0);
    for now in 0..1_000 {
        learned = keeper.pipeline().map_or(learned, |pipeline| pipeline.counters().learned);
        halt = halt.or(keeper.turn(now, GO).err());
    }
    let Some(Halt::Unreadable { unread, why }) = halt else { panic!("{halt:?}") };
    assert!(why.contains("x:0") && why.contains("offset 3"), "{why}");
    assert_eq!((unread.at.offset, unread.to, learned), (3, Some(5), 3));
    assert_eq!(manifests(&mut log), 1, "what was learned is kept");
    // Nobody has answered: the next one halts there again.
    let mut again = faulty(&log);
    let halt = (0..1_000).find_map(|now| again.turn(now, GO).err());
    assert!(matches!(halt, Some(Halt::Unreadable { .. })), "{halt:?}");
    let gap = |from, to| Gap { input: "x".into(), partition: 0, from, to };
    request(&mut log, Decision::Skip(gap(2, 5)));
    request(&mut log, Decision::Skip(gap(3, 5)));
    let (mut keeper, mut news) = (faulty(&log), Vec::new());
    turn(&mut keeper, 0..1_000);
    keeper.take_news(&mut news);
    let counters = keeper.pipeline().unwrap().counters();
    assert_eq!((counters.read, counters.positions[&("x".into(), 0)]), (7, 9));
    assert!(matches!(&news[..], [News::Refused { .. }, News::Skipped { .. }]), "{news:?}");
    // Whoever learns it again passes over the same.
    let digest = keeper.pipeline().unwrap().state_digest("one");
    let mut faulty = Faulty(log.client(), Wrong::Damaged);
    let mut again = Relearn::new(&mut faulty, "p.control").unwrap();
    let mut effects = Effects::default();
    let mut all = |_: &mut Pipeline, _: &Run<'_>| usize::MAX;
    while again.turn(&mut faulty, 100, &mut effects, &mut all).unwrap() != Relearned::Done {}
    assert_eq!(again.pipeline().unwrap().state_digest("one"), digest);
}

#[test]
fn what_is_asked_for_where_nothing_can_be_read_holds_no_halt_up() {
    let mut log = log_with(9);
    let settings = settings("10 records");
    request(&mut log, Decision::Rollback);
    let mut keeper = Keeper::new(Faulty(log.client(), Wrong::Damaged), options(&settings));
    let mut halt = None;
    for now in 0..1_000 {
        if now == 500 {
            request(&mut log, Decision::Reset { model: None });
        }
        halt = halt.or(keeper.turn(now, GO).err());
    }
    assert!(matches!(halt, Some(Halt::Unreadable { .. })), "{halt:?}");
    // It came while nobody was there; the next one adopts it, and halts.
    let mut keeper = Keeper::new(Faulty(log.client(), Wrong::Damaged), options(&settings));
    let halt = (0..1_000).find_map(|now| keeper.turn(now, GO).err());
    assert!(matches!(halt, Some(Halt::Unreadable { .. })), "{halt:?}");
}

#[test]
fn what_expires_further_before_it_is_passed_over_is_asked_for_again() {
    let mut log = log_with(4);
    let settings = settings("10 records");
    finish(&mut Keeper::new(log.client(), options(&settings))).unwrap();
    (0..6).for_each(|_| append(&mut log, "x", b"1,1"));
    let gap = |from, to| Decision::Skip(Gap { input: "x".into(), partition: 0, from, to });
    log.expire("x", 0, 7);
    request(&mut log, gap(4, 7));
    log.expire("x", 0, 9);
    let mut keeper = Keeper::new(log.client(), options(&settings));
    let halt = (0..1_000).find_map(|now| keeper.turn(now, GO).err());
    let Some(Halt::Unreadable { unread, .. }) = halt else { panic!("{halt:?}") };
    assert_eq!((unread.at.offset, unread.to), (7, Some(9)));
    request(&mut log, gap(7, 9));
    let mut keeper = Keeper::new(log.client(), options(&settings));
    finish(&mut keeper).unwrap();
    assert_eq!(keeper.pipeline().unwrap().counters().read, 5);
}

#[test]
fn what_expires_before_it_is_read_can_be_passed_over() {
    let mut log = log_with(4);
    let settings = settings("10 records");
    finish(&mut Keeper::new(log.client(), options(&settings))).unwrap();
    (0..6).for_each(|_| append(&mut log, "x", b"1,1"));
    log.expire("x", 0, 7);
    let mut keeper = Keeper::new(log.client(), options(&settings));
    let halt = (0..1_000).find_map(|now| keeper.turn(now, GO).err());
    let Some(Halt::Unreadable { unread, .. }) = halt else { panic!("{halt:?}") };
    assert_eq!((unread.at.offset, unread.to), (4, Some(7)));
    request(&mut log, Decision::Skip(Gap { input: "x".into(), partition: 0, from: 4, to: 7 }));
    let mut keeper = Keeper::new(log.client(), options(&settings));
    finish(&mut keeper).unwrap();
    assert_eq!(keeper.pipeline().unwrap().counters().read, 7);
    // The same again, from the manifest and from control.
    finish(&mut Keeper::new(log.client(), options(&settings))).unwrap();
}

#[test]
fn a_topic_made_again_halts_a_keeper_that_reads_it() {
    let mut log = log_with(2);
    let follow = Options { follow: true, ..options(&settings("10 records")) };
    let mut keeper = Keeper::new(log.client(), follow);
    turn(&mut keeper, 0..100);
    log.make_again("x");
    // The new one is soon longer than the old one was: its offsets tell nothing.
    (0..9).for_each(|_| append(&mut log, "x", b"9,9"));
    let halt = (10_000..10_100).find_map(|now| keeper.turn(now, GO).err());
    assert!(matches!(halt, Some(Halt::LogChanged(_))), "{halt:?}");
}

#[test]
fn topics_of_another_make_are_refused() {
    let wrong = [
        ("p.control", 1, Policy::Compact),
        ("p.predictions", 1, Policy::Compact),
        ("p.models", 3, Policy::Compact),
    ];
    for (topic, partitions, policy) in wrong {
        let mut log = VirtualLog::new(7, Faults::none());
        log.create("x", 1, KEEP).unwrap();
        log.create(topic, partitions, policy).unwrap();
        let end = Keeper::new(log.client(), options(&settings("10 records"))).turn(0, GO);
        assert!(matches!(end, Err(Halt::Settings(_))), "{topic}: {end:?}");
    }
}

/// Nothing is lost of what is kept; so it goes on, and grows.
#[test]
fn topics_that_are_not_compacted_halt_nothing() {
    let mut log = log_with(2);
    for topic in ["p.state", "p.models"] {
        log.create(topic, 1, KEEP).unwrap();
    }
    finish(&mut Keeper::new(log.client(), options(&settings("10 records")))).unwrap();
    append(&mut log, "x", b"1,1");
    let mut again = Keeper::new(log.client(), options(&settings("10 records")));
    finish(&mut again).unwrap();
    assert_eq!(again.progress().step, 3);
}

#[test]
fn what_cannot_be_asked_for_now_ends_no_office() {
    let mut log = log_with(2);
    let follow = Options { follow: true, ..options(&settings("10 records")) };
    let mut keeper = Keeper::new(Faulty(log.client(), Wrong::Silent(0)), follow);
    for now in 0..100 {
        keeper.turn(now * 1_000, GO).unwrap();
    }
    assert_eq!(terms(&mut log), 1);
    append(&mut log, "x", b"1,1");
    for now in 100..120 {
        keeper.turn(now * 1_000, GO).unwrap();
    }
    assert_eq!(keeper.progress().step, 3);
}

/// Turns from a time on until it is done.
fn finish_at(keeper: &mut Keeper<VirtualLog>, from: i64) {
    for now in from..from + 5_000 {
        if keeper.turn(now, GO).unwrap() == Next::Done {
            return;
        }
    }
    panic!("no end: {:?}", keeper.progress());
}

#[test]
fn what_was_live_is_dated_by_control_and_not_by_the_records() {
    let mut log = log_with(3);
    let settings = settings("10 records");
    finish_at(&mut Keeper::new(log.client(), options(&settings)), 50_000);
    let promote = Decision::Promote { model: "one".into(), version: Some(1) };
    request(&mut log, promote);
    let mut keeper = Keeper::new(log.client(), options(&settings));
    finish_at(&mut keeper, 90_000);
    let registry = keeper.pipeline().unwrap().registry().clone();
    let published = registry.of("one").unwrap().live[0].since;
    let promoted = registry.champion().unwrap().since;
    assert!((50_000..55_000).contains(&published), "published at {published}");
    assert!((90_000..95_000).contains(&promoted), "promoted at {promoted}");
    // Whoever learns it again comes to the same times.
    let mut again = Relearn::new(&mut log, "p.control").unwrap();
    let mut effects = Effects::default();
    let mut all = |_: &mut Pipeline, _: &Run<'_>| usize::MAX;
    while again.turn(&mut log, 100, &mut effects, &mut all).unwrap() != Relearned::Done {}
    assert_eq!(*again.pipeline().unwrap().registry(), registry);
}

/// The halt that control tells of.
fn halt_in_control(log: &mut VirtualLog) -> Option<Stopped> {
    let ends = log.ends("p.control").unwrap().unwrap().partitions[0];
    let span = Span { topic: "p.control".into(), partition: 0, from: 0, to: Some(ends.stable) };
    let (mut reader, mut batch) = (log.reader(&[span]).unwrap(), Batch::new());
    let mut fold = Fold::default();
    while fold.next < ends.stable {
        reader.poll(&mut batch).unwrap();
        let next = fold.next;
        for record in batch.iter().filter(|record| record.offset >= next) {
            fold.fold(record.offset, record.value.unwrap());
        }
    }
    fold.halted
}

#[test]
fn the_budget_of_refusals_halts_right_behind_the_record() {
    let settings = settings_with("4 records", json!({ "refusals": { "over": "10 records" } }));
    let mut log = log_with(10);
    // The third of the newest ten is the record of the fifteenth step.
    for good in [true, false, true, false, false, true, true, true, true, true] {
        append(&mut log, "x", if good { b"1,1" } else { b"nothing" });
    }
    let strict = Options { refused_share_max: 0.2, ..options(&settings) };
    for _ in 0..2 {
        let mut keeper = Keeper::new(log.client(), strict.clone());
        let mut steps = 0;
        let halt = (0..1_000).find_map(|now| {
            let halt = keeper.turn(now, GO).err();
            steps = keeper.progress().step.max(steps);
            halt
        });
        assert_eq!(halt, Some(Halt::Refused { refused: 3, of: 10 }));
        assert_eq!(steps, 15, "the record at which it was too much is the last");
        let told = halt_in_control(&mut log).unwrap();
        assert_eq!((told.kind.as_str(), told.why), ("refused", halt.unwrap().to_string()));
        let versions = log.ends("p.models").unwrap().unwrap();
        assert!(versions.partitions[0].stable > 0, "what was published before stays");
        let letters = log.ends("p.dead-letters").unwrap().unwrap().partitions[0].stable;
        assert_eq!(letters, 3, "whoever looks for the reason finds it");
    }
    // With a greater budget it goes on, as if it had never stopped.
    let mut keeper = Keeper::new(log.client(), options(&settings));
    finish(&mut keeper).unwrap();
    assert_eq!(halt_in_control(&mut log), None);
    let mut whole = log_with(10);
    for good in [true, false, true, false, false, true, true, true, true, true] {
        append(&mut whole, "x", if good { b"1,1" } else { b"nothing" });
    }
    let mut never_halted = Keeper::new(whole.client(), options(&settings));
    finish(&mut never_halted).unwrap();
    let versions = |keeper: &Keeper<VirtualLog>| {
        let live = keeper.pipeline().unwrap().registry().of("one").unwrap().live.clone();
        live.into_iter().map(|entry| (entry.version, entry.state_digest)).collect::<Vec<_>>()
    };
    assert_eq!(versions(&keeper), versions(&never_halted));
}

#[test]
fn a_change_halts_with_answers_that_work() {
    let mut log = log_with(3);
    let before = settings("10 records");
    finish(&mut Keeper::new(log.client(), options(&before))).unwrap();
    let mut joined = Settings::clone(&before);
    joined.learned["model"]["two"] = joined.learned["model"]["one"].clone();
    joined.learned["model"]["two"]["use"] = json!(["late"]);
    joined.learned["fields"]["late"] = json!({ "number": {} });
    joined.learned["input"]["x"]["paths"] = json!({ "late": "a" });
    for (after, fits) in [(Arc::new(joined), false), (learning_otherwise(&before), true)] {
        let halt = finish(&mut Keeper::new(log.client(), options(&after))).unwrap_err();
        let Halt::Changed { unfit, .. } = &halt else { panic!("{halt:?}") };
        assert_eq!(unfit.is_none(), fits, "{unfit:?}");
        assert!(fits || unfit.as_ref().unwrap().contains("field late joins"), "{unfit:?}");
        assert_eq!(halt_in_control(&mut log).unwrap().kind, "changed");
    }
    finish(&mut Keeper::new(log.client(), options(&before))).unwrap();
    assert_eq!(halt_in_control(&mut log), None, "the file was put back");
}

#[test]
fn who_follows_publishes_by_count_alone() {
    let mut log = log_with(23);
    let settings = settings("10 records");
    let follow = Options { follow: true, ..options(&settings) };
    let mut keeper = Keeper::new(log.client(), follow);
    turn(&mut keeper, 0..200);
    let versions = |keeper: &Keeper<VirtualLog>| {
        let live = &keeper.pipeline().unwrap().registry().of("one").unwrap().live;
        live.iter().map(|entry| entry.records).collect::<Vec<_>>()
    };
    assert_eq!(versions(&keeper), [10, 20], "what was there when it began says nothing");
    drop(keeper);
    // A run that ends publishes at its end, though it finds nothing new; once.
    for _ in 0..2 {
        let mut keeper = Keeper::new(log.client(), options(&settings));
        finish(&mut keeper).unwrap();
        assert_eq!(versions(&keeper), [10, 20, 23]);
    }
    assert_eq!(terms(&mut log), 3);
}

#[test]
fn a_first_manifest_comes_early() {
    let mut log = log_with(3);
    let rare = Options { follow: true, snapshot_ms: 10_000, ..options(&settings("10 records")) };
    let mut keeper = Keeper::new(log.client(), rare.clone());
    let mut found = Vec::new();
    for now in 0..30_000 {
        if now % 50 == 0 {
            append(&mut log, "x", b"1,1");
        }
        keeper.turn(now, GO).unwrap();
        if now % 500 == 0 {
            found.push(manifests(&mut log));
        }
    }
    assert_eq!((found[1], found[3]), (0, 1), "a run that is over within a second pays nothing");
    assert!(found[60 - 1] <= 7, "and after some time they come as they are asked for: {found:?}");
    // Where there is one, the next is in no hurry.
    drop(keeper);
    let before = manifests(&mut log);
    let mut next = Keeper::new(log.client(), rare);
    append(&mut log, "x", b"1,1");
    turn(&mut next, 40_000..45_000);
    assert_eq!(manifests(&mut log), before);
}

#[test]
fn a_reset_is_announced_and_nothing_twice() {
    let mut log = log_with(25);
    let settings = settings("10 records");
    request(&mut log, Decision::Reset { model: None });
    let follow = Options { follow: true, ..options(&settings) };
    let mut keeper = Keeper::new(log.client(), follow);
    let mut news = Vec::new();
    // Another opens a term, again and again, before there is a manifest.
    for now in 0..5_000 {
        if now % 40 == 20 && now < 400 {
            append(&mut log, "p.control", &Control::Term { by: "another".into() }.encode());
        }
        keeper.turn(now, GO).unwrap();
        keeper.take_news(&mut news);
    }
    assert!(terms(&mut log) > 4);
    let count = |is: fn(&News) -> bool| news.iter().filter(|one| is(one)).count();
    assert_eq!(count(|one| matches!(one, News::Reset { model: None })), 1, "{news:?}");
    assert_eq!(count(|one| matches!(one, News::Version { .. })), 2, "{news:?}");
}

#[test]
fn who_is_asked_to_finish_does_so_though_the_log_is_away() {
    let stop = Signals { lease: true, stop: true };
    // Recovering: the term is not acknowledged.
    let mut log = log_with(3);
    let mut keeper = Keeper::new(log.client(), options(&settings("10 records")));
    keeper.turn(0, GO).unwrap();
    assert_eq!(keeper.turn(1, stop), Ok(Next::Done));
    // In office: nothing that is handed over is acknowledged any more.
    let follow = Options { follow: true, ..options(&settings("10 records")) };
    let deaf = Rc::new(Cell::new(false));
    let mut keeper = Keeper::new(Faulty(log.client(), Wrong::Deaf(deaf.clone())), follow);
    turn(&mut keeper, 0..100);
    append(&mut log, "x", b"1,1");
    let learned = (100..200).find(|now| {
        keeper.turn(*now, GO).unwrap();
        keeper.progress().step == 4
    });
    deaf.set(learned.is_some());
    turn(&mut keeper, 150..200);
    let ended = (200..20_000).find(|now| keeper.turn(*now, stop).unwrap() == Next::GivenUp);
    assert!(ended.is_some_and(|at| at < 12_000), "{ended:?}");
}

#[test]
fn a_request_whose_fate_is_not_known_is_taken_once() {
    let mut log = log_with(3);
    finish(&mut Keeper::new(log.client(), options(&settings("10 records")))).unwrap();
    let mut idle = |still| still < 1_000;
    let mut faulty = Faulty(log.client(), Wrong::Forgetful(Rc::new(Cell::new(1))));
    let mut observer = Observer { log: &mut faulty, idle: &mut idle };
    observer.ask("p.control", Decision::Rollback, "a test", 5).unwrap();
    let mut deaf = Faulty(log.client(), Wrong::Deaf(Rc::new(Cell::new(true))));
    let mut observer = Observer { log: &mut deaf, idle: &mut idle };
    let end = observer.ask("p.control", Decision::Rollback, "another", 6);
    assert!(matches!(end, Err(LogError::Unavailable(_))), "{end:?}");
    let steps = |log: &mut VirtualLog| {
        let mut keeper = Keeper::new(log.client(), options(&settings("10 records")));
        finish(&mut keeper).unwrap();
        keeper.progress().step
    };
    assert_eq!(steps(&mut log), 3 + 1, "the first landed twice and counts once");
}
