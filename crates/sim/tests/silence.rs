//! Silent topics: time goes on at the pace of the clock, only where something waits for it, and
//! only by what control says.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[path = "support/options.rs"]
mod options;

use std::{cell::Cell, rc::Rc, sync::Arc};

use alluvium_flow::{Batch, Effects, Headers, Pipeline, Settings, spec::Spec};
use alluvium_ledger::{
    control::{Body, Control},
    keeper::{Keeper, Next, Options, Relearn, Relearned, Signals},
    log::{
        Appender, Ends, Errand, Lease, Log, LogError, Outgoing, Policy, Polled, RecordReader, Span,
    },
};
use alluvium_sim::{Faults, VirtualLog};
use options::options;
use serde_json::json;

const GO: Signals = Signals { lease: true, stop: false };
const TEN_YEARS: i64 = 315_576_000_000;
/// The clock, when a test begins.
const NOW: i64 = 1_795_266_000_000;
/// When its records happened: 20 s before versions are due.
const THEN: i64 = 1_000_000;
const DUE: i64 = 1_020_000;
const NONE: [i64; 0] = [];

fn settings(every: &str) -> Arc<Settings> {
    let spec: Spec = serde_json::from_value(json!({
        "name": "p",
        "input": { "x": { "format": { "csv": { "columns": ["a", "y"] } } } },
        "fields": { "a": { "number": {} } },
        "label": { "field": "y", "type": { "number": {} } },
        "model": { "one": { "use": ["a"], "learner": { "mean": {} } } },
        "versions": { "every": every },
    }))
    .unwrap();
    Arc::new(Settings::of(&spec))
}

/// Payments, on one topic, wait a minute for what another topic says of them.
fn labelled() -> Arc<Settings> {
    let csv = |columns: [&str; 2]| json!({ "format": { "csv": { "columns": columns } } });
    let spec: Spec = serde_json::from_value(json!({
        "name": "p",
        "input": { "labels": csv(["id", "y"]), "x": csv(["a", "id"]) },
        "fields": { "a": { "number": {} }, "id": { "id": {} } },
        "label": {
            "field": "y", "type": { "number": {} },
            "input": "labels", "match": "id", "wait": "1 min", "absent": 0.0,
        },
        "model": { "one": { "use": ["a"], "learner": { "mean": {} } } },
        "versions": { "every": "1000 records" },
    }))
    .unwrap();
    Arc::new(Settings::of(&spec))
}

/// A log that delivers no records of inputs while this is set.
struct Mute(VirtualLog, Rc<Cell<bool>>);

struct MuteReader(Box<dyn RecordReader>, Rc<Cell<bool>>);

impl RecordReader for MuteReader {
    fn poll(&mut self, into: &mut Batch) -> Result<Polled, LogError> {
        if self.1.get() {
            into.clear();
            return Ok(Polled::Nothing);
        }
        self.0.poll(into)
    }

    fn pause(&mut self, span: usize, paused: bool) {
        self.0.pause(span, paused);
    }
}

impl Log for Mute {
    fn reader(&mut self, spans: &[Span]) -> Result<Box<dyn RecordReader>, LogError> {
        let inner = self.0.reader(spans)?;
        let is_input = spans.iter().all(|span| &*span.topic == "x");
        Ok(if is_input { Box::new(MuteReader(inner, self.1.clone())) } else { inner })
    }

    fn appender(&mut self) -> Result<Box<dyn Appender>, LogError> {
        self.0.appender()
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

/// A keeper that follows, its log, and its clock.
struct Place {
    log: VirtualLog,
    options: Options,
    is_mute: Rc<Cell<bool>>,
    keeper: Keeper<Mute>,
    now: i64,
}

impl Place {
    fn new(every: &str) -> Place {
        Place::of(settings(every))
    }

    fn of(settings: Arc<Settings>) -> Place {
        let mut log = VirtualLog::new(7, Faults::none());
        for topic in ["labels", "x", "p.control"] {
            log.create(topic, 1, Policy::Delete { retention_ms: None }).unwrap();
        }
        let options = Options { follow: true, tick_ms: Some(1_000), ..options(&settings) };
        let is_mute = Rc::new(Cell::new(false));
        let keeper = Keeper::new(Mute(log.client(), is_mute.clone()), options.clone());
        Place { log, options, is_mute, keeper, now: NOW }
    }

    /// Another keeper takes over.
    fn succeed(&mut self, options: Options) {
        self.keeper = Keeper::new(Mute(self.log.client(), self.is_mute.clone()), options);
    }

    fn append(&mut self, time: i64) {
        self.append_to("x", time, "1,2");
    }

    fn append_to(&mut self, topic: &str, time: i64, value: &str) {
        let mut appender = self.log.appender().unwrap();
        let route = appender.route(topic, 0).unwrap();
        let (value, headers) = (Some(value.as_bytes()), Headers::default());
        let record = Outgoing { time, key: None, value, headers };
        appender.submit(route, record);
        appender.poll(&mut Vec::new()).unwrap();
    }

    /// Lets so many milliseconds go by, a turn every ten.
    fn pass(&mut self, milliseconds: i64) {
        for _ in 0..milliseconds / 10 {
            self.now += 10;
            self.turn();
        }
    }

    /// Sets the clock, and lets the keeper look at it a few times.
    fn set_clock(&mut self, by: i64) {
        self.now += by;
        (0..20).for_each(|_| self.turn());
    }

    fn turn(&mut self) {
        self.keeper.turn(self.now, GO).unwrap();
    }

    /// The times of all ticks in control.
    fn ticks(&mut self) -> Vec<i64> {
        let end = self.log.ends("p.control").unwrap().unwrap().partitions[0].stable;
        let span = Span { topic: "p.control".into(), partition: 0, from: 0, to: Some(end) };
        let (mut reader, mut batch) = (self.log.reader(&[span]).unwrap(), Batch::new());
        let mut ticks = Vec::new();
        while reader.poll(&mut batch).unwrap() == Polled::Records {
            for record in batch.iter() {
                if let Some(Control::Said { body: Body::Tick { time }, .. }) =
                    record.value.and_then(Control::decode)
                {
                    ticks.push(time);
                }
            }
            batch.clear();
        }
        ticks
    }

    /// Examples and labels that wait; how many waited in vain.
    fn waits(&self) -> [u64; 4] {
        let labels = self.keeper.pipeline().unwrap().labels().unwrap();
        [labels.examples, labels.labels, labels.counts.absent, labels.counts.unmatched]
    }

    fn versions(&self) -> u64 {
        let pipeline = self.keeper.pipeline();
        pipeline.and_then(|one| one.registry().of("one")).map_or(0, |versions| versions.newest)
    }

    /// What was learned is what anybody learns who has the log alone.
    fn is_what_a_replay_learns(&mut self) {
        let mut again = Relearn::new(&mut self.log, "p.control").unwrap();
        let mut effects = Effects::default();
        let mut all = |_: &mut Pipeline, _: &alluvium_flow::Run<'_>| usize::MAX;
        while again.turn(&mut self.log, 9, &mut effects, &mut all).unwrap() != Relearned::Done {}
        let (ours, theirs) = (self.keeper.pipeline().unwrap(), again.pipeline().unwrap());
        assert!(ours.save() == theirs.save(), "{:?}, {:?}", ours.counters(), theirs.counters());
    }
}

#[test]
fn time_goes_on_at_the_pace_of_the_clock_from_the_last_record_on() {
    let mut place = Place::new("1 min");
    place.append(THEN);
    place.pass(19_000);
    assert_eq!((place.ticks(), place.versions()), (vec![], 0), "nothing is due yet");
    place.pass(2_000);
    let ticks = place.ticks();
    assert!(ticks.len() == 1 && (DUE..DUE + 100).contains(&ticks[0]), "{ticks:?}");
    assert_eq!(place.versions(), 1);
    place.is_what_a_replay_learns();
    // Nothing is learned, so nothing waits.
    place.pass(600_000);
    assert_eq!(place.ticks(), ticks);
    // Another record comes: time goes on from where it was.
    place.append(THEN);
    place.pass(59_000);
    assert_eq!(place.ticks(), ticks);
    place.pass(2_000);
    assert_eq!((place.ticks().len(), place.versions()), (2, 2));
    place.is_what_a_replay_learns();
}

#[test]
fn where_nothing_was_ever_read_time_does_not_pass() {
    let mut place = Place::new("1 min");
    place.pass(300_000);
    place.set_clock(TEN_YEARS);
    assert_eq!(place.ticks(), NONE);
    assert_eq!(place.keeper.pipeline().unwrap().counters().time, None);
}

#[test]
fn records_keep_time_to_themselves() {
    let mut place = Place::new("1 min");
    // A clock that runs at another pace than what the records tell of.
    for record in 0..100 {
        place.append(THEN + record);
        place.pass(1_500);
    }
    assert_eq!((place.ticks(), place.versions()), (vec![], 0));
}

#[test]
fn a_clock_that_leaps_moves_next_to_nothing() {
    for leap in [TEN_YEARS, -TEN_YEARS] {
        let mut place = Place::new("1 min");
        place.append(THEN);
        place.pass(5_000);
        place.set_clock(leap);
        assert_eq!(place.ticks(), NONE, "{leap}");
        place.set_clock(-leap);
        assert_eq!(place.ticks(), NONE, "{leap}");
        place.pass(20_000);
        let ticks = place.ticks();
        // Ten seconds at most for the one leap forwards.
        assert!(ticks.len() == 1 && ticks[0] < DUE + 100, "{leap}: {ticks:?}");
        place.is_what_a_replay_learns();
    }
}

#[test]
fn a_leap_over_what_is_due_is_one_tick() {
    let mut place = Place::new("1 s");
    place.append(THEN + 500);
    place.pass(300);
    place.set_clock(TEN_YEARS);
    let ticks = place.ticks();
    assert!(ticks.len() == 1 && ticks[0] < THEN + 11_000, "{ticks:?}");
    for leap in [TEN_YEARS, -TEN_YEARS, 3_600_000, -3_600_000, TEN_YEARS] {
        place.set_clock(leap);
        place.pass(3_000);
    }
    assert_eq!(place.ticks(), ticks, "nothing was learned since");
    place.is_what_a_replay_learns();
}

#[test]
fn records_that_cannot_be_had_are_no_silence() {
    let mut place = Place::new("1 min");
    place.append(THEN);
    place.pass(5_000);
    place.is_mute.set(true);
    place.append(THEN + 4_000);
    place.pass(600_000);
    assert_eq!(place.ticks(), NONE);
    place.is_mute.set(false);
    place.pass(15_000);
    assert_eq!(place.ticks(), NONE, "it was 4 s later than it was thought to be");
    place.pass(2_000);
    assert_eq!(place.ticks().len(), 1);
    place.is_what_a_replay_learns();
}

#[test]
fn who_does_not_follow_writes_no_tick() {
    let mut place = Place::new("1 s");
    place.append(THEN + 500);
    let options = Options { follow: false, tick_ms: Some(0), ..place.options.clone() };
    place.succeed(options);
    while place.keeper.turn(place.now, GO).unwrap() != Next::Done {
        place.now += 5_000;
    }
    assert_eq!(place.ticks(), NONE);
}

#[test]
fn a_successor_goes_on_with_the_silence_from_where_it_begins() {
    let mut place = Place::new("1 min");
    place.append(THEN);
    place.pass(15_000);
    place.succeed(place.options.clone());
    place.pass(19_000);
    assert_eq!(place.ticks(), NONE, "it cannot know how long nobody was there");
    place.pass(2_000);
    assert_eq!((place.ticks().len(), place.versions()), (1, 1));
    place.is_what_a_replay_learns();
}

#[test]
fn one_payment_and_silence() {
    let mut place = Place::of(labelled());
    place.append_to("x", THEN, "1,p1");
    place.pass(59_000);
    assert_eq!((place.ticks(), place.waits()), (vec![], [1, 0, 0, 0]));
    place.pass(2_000);
    let ticks = place.ticks();
    assert!(ticks.len() == 1 && (THEN + 60_000..THEN + 60_100).contains(&ticks[0]), "{ticks:?}");
    assert_eq!(place.waits(), [0, 0, 1, 0]);
    place.is_what_a_replay_learns();
    // Nothing waits any more, and nobody says that time has passed.
    place.pass(600_000);
    assert_eq!(place.ticks(), ticks);
    // What comes now is too late; it moves no time either.
    place.append_to("labels", THEN, "p1,1");
    place.pass(100);
    let counts = place.keeper.pipeline().unwrap().labels().unwrap().counts;
    assert_eq!((counts.late, counts.labelled, place.waits()), (1, 0, [0, 0, 1, 0]));
    place.is_what_a_replay_learns();
}

#[test]
fn a_label_for_nothing_and_silence() {
    let mut place = Place::of(labelled());
    place.append_to("labels", THEN, "p1,1");
    place.pass(59_000);
    assert_eq!((place.ticks(), place.waits()), (vec![], [0, 1, 0, 0]));
    place.pass(2_000);
    assert_eq!((place.ticks().len(), place.waits()), (1, [0, 0, 0, 1]));
    place.is_what_a_replay_learns();
}

#[test]
fn each_wait_ends_at_its_own_time() {
    let mut place = Place::of(labelled());
    for payment in 0..5 {
        place.append_to("x", THEN + payment * 10_000, &format!("1,p{payment}"));
        place.pass(10_000);
    }
    // The labels of a partition that has long been silent come at last: for one in time.
    place.append_to("labels", THEN + 1, "p4,1");
    place.pass(45_000);
    assert_eq!(place.waits()[..3], [1, 0, 3]);
    place.pass(60_000);
    assert_eq!(place.waits(), [0, 0, 4, 0]);
    let ticks = place.ticks();
    let dues = (0..4).map(|payment| THEN + 60_000 + payment * 10_000);
    let is_near = |(tick, due): (&i64, i64)| (due..due + 100).contains(tick);
    assert!(ticks.len() == 4 && ticks.iter().zip(dues).all(is_near), "{ticks:?}");
    place.is_what_a_replay_learns();
}

#[test]
fn a_clock_that_leaps_ends_no_wait() {
    for leap in [TEN_YEARS, -TEN_YEARS, 3_600_000, -3_600_000] {
        let mut place = Place::of(labelled());
        place.append_to("x", THEN, "1,p1");
        place.append_to("labels", THEN, "p2,1");
        place.pass(5_000);
        place.set_clock(leap);
        place.set_clock(-leap);
        // Twenty-five seconds at most, of sixty.
        place.pass(30_000);
        assert_eq!((place.ticks(), place.waits()), (vec![], [1, 1, 0, 0]), "{leap}");
        place.pass(30_000);
        let ticks = place.ticks();
        assert!(ticks.len() == 1 && ticks[0] < THEN + 60_100, "{leap}: {ticks:?}");
        assert_eq!(place.waits(), [0, 0, 1, 1], "{leap}");
        place.is_what_a_replay_learns();
    }
}

#[test]
fn a_successor_ends_the_waits_of_its_predecessor() {
    let mut place = Place::of(labelled());
    place.append_to("x", THEN, "1,p1");
    place.pass(40_000);
    place.now -= TEN_YEARS;
    place.succeed(place.options.clone());
    place.pass(59_000);
    assert_eq!((place.ticks(), place.waits()), (vec![], [1, 0, 0, 0]));
    place.pass(2_000);
    assert_eq!((place.ticks().len(), place.waits()), (1, [0, 0, 1, 0]));
    place.is_what_a_replay_learns();
}

#[test]
fn who_does_not_follow_ends_no_wait() {
    let mut place = Place::of(labelled());
    place.append_to("x", THEN, "1,p1");
    let options = Options { follow: false, tick_ms: Some(0), ..place.options.clone() };
    place.succeed(options);
    while place.keeper.turn(place.now, GO).unwrap() != Next::Done {
        place.now += 100_000;
    }
    assert_eq!((place.ticks(), place.waits()), (vec![], [1, 0, 0, 0]));
}
