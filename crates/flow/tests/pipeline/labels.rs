//! Labels that come by an input of their own, held against a plain join that keeps everything.

use std::collections::{BTreeMap, VecDeque};

use alluvium_flow::{
    Batch, Effects, Headers, Input, LabelCounts, Pipeline, Run, Settings, decode::Rows,
};
use alluvium_learn::{
    Features, Label, LabelShape, Learner, Prediction, Shape, Writer,
    learners::LearnerConfig,
    math::{hash64, random_bits, random_unit},
};
use serde_json::{Value, json};

use super::{mistakes, outputs, pipeline};

/// Payments, whose truth comes by chargebacks.
fn file() -> Value {
    json!({
        "name": "p",
        "input": {
            "chargebacks": { "format": { "json": {} }, "time": { "ms": "at" } },
            "payments": { "format": { "json": {} }, "time": { "ms": "at" } },
        },
        "fields": { "a": { "number": {} }, "b": { "number": {} }, "id": { "id": {} } },
        "label": {
            "input": "chargebacks", "match": "id", "field": "fraud", "wait": "1 s", "absent": "no",
            "type": { "class": { "values": ["no", "yes"] } },
        },
        "model": { "linear": { "use": ["a", "b"], "learner": { "logistic_regression": {} } } },
        "predictions": { "carry": ["id"] },
    })
}

/// What comes next, in the merged order.
#[derive(Clone, Debug)]
enum Event {
    Payment { id: u64, time: i64, a: f64, b: f64 },
    Chargeback { id: u64, time: i64, is_fraud: bool },
}

impl Event {
    /// The input, in the order of their names, and the record.
    fn record(&self) -> (usize, String) {
        match self {
            Event::Payment { id, time, a, b } => {
                (1, json!({ "id": format!("p{id}"), "at": time, "a": a, "b": b }).to_string())
            }
            Event::Chargeback { id, time, is_fraud } => {
                let fraud = if *is_fraud { "yes" } else { "no" };
                (0, json!({ "id": format!("p{id}"), "at": time, "fraud": fraud }).to_string())
            }
        }
    }
}

/// Payments a few milliseconds apart; labels before them, soon, late, twice, of two minds, and for
/// nobody; now and then a time from the past.
fn events(seed: u64, count: u64) -> Vec<Event> {
    let mut due: BTreeMap<(i64, u64), Event> = BTreeMap::new();
    for id in 0..count {
        let draw = |what: u64| random_unit(seed * 100 + what, id);
        let on_time = 10_000 + id as i64 * 7;
        let time = on_time - if draw(0) < 0.05 { 60 } else { 0 };
        let (a, b) = (draw(1) * 4.0 - 2.0, draw(2) * 10.0);
        let shown = if draw(3) < 0.03 { id.saturating_sub(3) } else { id };
        due.insert((on_time, id * 10), Event::Payment { id: shown, time, a, b });
        let delays = [(0.4, 300.0), (0.1, 2_500.0), (0.05, -200.0)];
        for (place, (share, spread)) in delays.into_iter().enumerate() {
            let place = place as u64;
            if draw(10 + place) < share {
                let time = on_time + (draw(20 + place) * spread) as i64;
                let is_fraud = draw(30 + place) < 0.5;
                let of = if draw(40 + place) < 0.04 { count + id } else { id };
                due.insert(
                    (time, id * 10 + 1 + place),
                    Event::Chargeback { id: of, time, is_fraud },
                );
            }
        }
    }
    due.into_values().collect()
}

/// Steps through events, each in a run of its own.
fn take(pipeline: &mut Pipeline, events: &[Event], offsets: &mut [u64; 2]) -> Vec<Value> {
    let mut said = Vec::new();
    for event in events {
        let (input, value) = event.record();
        let mut batch = Batch::new();
        let offset = &mut offsets[input];
        batch.push(*offset, 0, None, Some(value.as_bytes()), Headers::default());
        *offset += 1;
        let mut rows = Rows::default();
        pipeline.inputs()[input].decoder().decode(0, &batch, &mut rows);
        let mut effects = Effects::default();
        let run = Run { input, partition: 0, batch: &batch, rows: &rows, range: 0..1 };
        pipeline.step(Input::Records(run), &mut effects);
        said.extend(outputs(&effects));
    }
    said
}

/// The same, plainly: every example and label that ever came is kept.
struct Plain {
    learner: Box<dyn Learner>,
    now: i64,
    waits: VecDeque<(u64, i64)>,
    parked: VecDeque<(u64, i64)>,
    seen: BTreeMap<u64, Features64>,
    labels: BTreeMap<u64, bool>,
    /// When an id that is settled is forgotten, and its label.
    settled: BTreeMap<u64, (i64, Option<bool>)>,
    counts: LabelCounts,
    scores: Vec<f64>,
    dead: Vec<String>,
    late: &'static str,
}

type Features64 = [f64; 2];

const WAIT: i64 = 1000;

impl Plain {
    fn new(late: &'static str) -> Plain {
        let shape = Shape::numbers(2, LabelShape::Class { values_max: 2 });
        Plain {
            learner: LearnerConfig::by_name("logistic_regression").unwrap().build(&shape).unwrap(),
            now: i64::MIN,
            waits: VecDeque::new(),
            parked: VecDeque::new(),
            seen: BTreeMap::new(),
            labels: BTreeMap::new(),
            settled: BTreeMap::new(),
            counts: LabelCounts::default(),
            scores: Vec::new(),
            dead: Vec::new(),
            late,
        }
    }

    fn learn(&mut self, id: u64, label: bool, weight: f64) {
        let dense = self.seen[&id];
        let x = Features { dense: &dense, ..Features::default() };
        self.learner.learn(&x, Label::Class(label.into()), weight);
    }

    fn settle(&mut self, id: u64, label: Option<bool>) {
        self.waits.retain(|(waits, _)| *waits != id);
        self.settled.insert(id, (self.now + WAIT, label));
    }

    fn take(&mut self, event: &Event) {
        match *event {
            Event::Payment { id, time, a, b } => {
                self.now = self.now.max(time);
                self.payment(id, [a, b]);
            }
            Event::Chargeback { id, time, is_fraud } => {
                self.now = self.now.max(time);
                self.chargeback(id, is_fraud);
            }
        }
        self.pass();
    }

    fn payment(&mut self, id: u64, dense: Features64) {
        let mut answer = Prediction::default();
        let x = Features { dense: &dense, ..Features::default() };
        self.learner.predict(&x, &mut answer);
        self.scores.push(answer.probability(1));
        let is_settled = self.settled.get(&id).is_some_and(|(until, _)| *until > self.now);
        if is_settled || self.waits.iter().any(|(waits, _)| *waits == id) {
            self.counts.repeated += 1;
            return;
        }
        self.seen.insert(id, dense);
        match self.labels.remove(&id) {
            Some(label) => {
                self.parked.retain(|(parked, _)| *parked != id);
                self.counts.early += 1;
                self.counts.labelled += 1;
                self.learn(id, label, 1.0);
                self.settle(id, Some(label));
            }
            None => self.waits.push_back((id, self.now + WAIT)),
        }
    }

    fn chargeback(&mut self, id: u64, label: bool) {
        let settled = self.settled.get(&id).filter(|(until, _)| *until > self.now);
        let known = self.labels.get(&id).copied().or(settled.and_then(|(_, label)| *label));
        if self.waits.iter().any(|(waits, _)| *waits == id) {
            self.counts.labelled += 1;
            self.learn(id, label, 1.0);
            self.settle(id, Some(label));
        } else if let Some(known) = known {
            if known == label {
                self.counts.duplicate += 1;
            } else {
                self.counts.conflicting += 1;
                self.dead.push("label_conflict".into());
            }
        } else if settled.is_some() {
            self.counts.late += 1;
            match self.late {
                "correct" if label => {
                    self.counts.corrected += 1;
                    self.learn(id, label, 2.0);
                    self.settle(id, Some(label));
                }
                "dead_letter" => self.dead.push("label_late".into()),
                _ => {}
            }
        } else {
            self.labels.insert(id, label);
            self.parked.push_back((id, self.now + WAIT));
        }
    }

    fn pass(&mut self) {
        while let Some((id, _)) = self.waits.front().copied().filter(|(_, due)| *due <= self.now) {
            self.counts.absent += 1;
            self.learn(id, false, 1.0);
            self.settle(id, None);
        }
        while let Some((id, _)) = self.parked.front().copied().filter(|(_, due)| *due <= self.now) {
            self.parked.pop_front();
            self.labels.remove(&id);
            self.counts.unmatched += 1;
            self.dead.push("label_unmatched".into());
        }
    }
}

fn saved(learner: &dyn Learner) -> Vec<u8> {
    let mut to = Writer::new();
    learner.save(&mut to);
    to.into_bytes()
}

fn scores(said: &[Value]) -> Vec<f64> {
    said.iter().filter_map(|value| value["score"].as_f64()).collect()
}

fn reasons(said: &[Value]) -> Vec<String> {
    said.iter().filter_map(|value| value["reason"].as_str().map(String::from)).collect()
}

#[test]
fn it_joins_as_a_plain_program_does() {
    for (seed, late) in [(1, "drop"), (2, "dead_letter"), (3, "correct")] {
        let mut file = file();
        file["label"]["late"] = match late {
            "correct" => json!({ "correct": { "within": "1 s", "weight": 2.0 } }),
            late => late.into(),
        };
        let (mut pipeline, mut plain) = (pipeline(&file), Plain::new(late));
        let events = events(seed, 3_000);
        let mut said = Vec::new();
        let mut offsets = [0, 0];
        for chunk in events.chunks(97) {
            said.extend(take(&mut pipeline, chunk, &mut offsets));
            chunk.iter().for_each(|event| plain.take(event));
            // A restart changes nothing.
            let sections = pipeline.save();
            pipeline = self::pipeline(&file);
            pipeline.restore(&sections).unwrap();
            assert_eq!(pipeline.save(), sections);
        }
        let labels = pipeline.labels().unwrap();
        assert_eq!(labels.counts, plain.counts, "{late}");
        assert_eq!(
            (labels.examples, labels.labels),
            (plain.waits.len() as u64, plain.parked.len() as u64,)
        );
        assert_eq!(scores(&said), plain.scores);
        assert_eq!(reasons(&said), plain.dead);
        assert_eq!(pipeline.save()["model/linear"], saved(plain.learner.as_ref()));
        let learned = plain.counts.labelled + plain.counts.absent + plain.counts.corrected;
        assert_eq!(pipeline.counters().learned, learned);
        let happened = plain.counts.named();
        let is_absent = |(name, count): &(&str, u64)| {
            *count == 0 && *name != "pushed_out" && (*name != "corrected" || late == "correct")
        };
        assert!(!happened.iter().any(is_absent), "every case must come about: {happened:?}");
    }
}

/// Time that is said to pass does what a record's does.
#[test]
fn a_silent_topic_closes_waits_when_it_is_told_that_time_has_passed() {
    let mut pipeline = pipeline(&file());
    let payment = Event::Payment { id: 1, time: 100, a: 1.0, b: 2.0 };
    take(&mut pipeline, &[payment], &mut [0, 0]);
    let mut tick = |time| {
        pipeline.step(Input::Tick(time), &mut Effects::default());
        let labels = pipeline.labels().unwrap();
        (labels.examples, labels.counts.absent)
    };
    assert_eq!(tick(1_099), (1, 0));
    assert_eq!(tick(1_100), (0, 1));
    // What was judged then is part of the state.
    let sections = pipeline.save();
    let mut again = self::pipeline(&file());
    again.restore(&sections).unwrap();
    assert_eq!(again.save(), sections);
}

/// The answer that was issued is judged, by the models and the baselines alike.
#[test]
fn the_answer_that_was_issued_is_judged() {
    let mut pipeline = pipeline(&file());
    let mut events = Vec::new();
    for id in 0..200 {
        let a = if id % 2 == 0 { 1.0 } else { -1.0 };
        events.push(Event::Payment { id, time: id as i64, a, b: 0.0 });
    }
    for id in 0..200 {
        events.push(Event::Chargeback { id, time: 200, is_fraud: id % 2 == 0 });
    }
    take(&mut pipeline, &events, &mut [0, 0]);
    let accuracy = |wanted: &str| {
        let judges: Vec<_> = pipeline.judges().collect();
        let (_, judge, _) = judges.iter().find(|(name, _, _)| ***name == *wanted).unwrap();
        judge.whole(0).unwrap()
    };
    // All were answered before anything was known.
    assert_eq!((accuracy("linear"), accuracy("majority"), accuracy("no_change")), (0.5, 0.5, 0.5));
    let later: Vec<Event> = (200..300)
        .flat_map(|id| {
            let (is_fraud, time) = (id % 2 == 0, 200 + id as i64);
            let a = if is_fraud { 1.0 } else { -1.0 };
            let payment = Event::Payment { id, time, a, b: 0.0 };
            [payment, Event::Chargeback { id, time, is_fraud }]
        })
        .collect();
    take(&mut pipeline, &later, &mut [200, 200]);
    let judges: Vec<_> = pipeline.judges().collect();
    let of = |wanted: &str| {
        judges.iter().find(|(name, _, _)| ***name == *wanted).unwrap().1.whole(0).unwrap()
    };
    assert!((of("linear") - 200.0 / 300.0).abs() < 1e-12, "{}", of("linear"));
    assert!(of("no_change") < 0.4, "labels alternate");
}

/// What has no room goes, the oldest first, and is counted; nothing else changes.
#[test]
fn beyond_the_bound_the_oldest_goes() {
    let mut file = file();
    file["label"]["pending_max"] = json!("1 MiB");
    file["label"]["wait"] = json!("100 d");
    let mut pipeline = pipeline(&file);
    let payments: Vec<Event> =
        (0..20_000).map(|id| Event::Payment { id, time: id as i64, a: 1.0, b: 2.0 }).collect();
    take(&mut pipeline, &payments, &mut [0, 0]);
    let labels = pipeline.labels().unwrap();
    assert!(labels.examples < 20_000 && labels.examples > 5_000, "{labels:?}");
    assert_eq!(labels.counts.pushed_out, 20_000 - labels.examples);
    let late = Event::Chargeback { id: 3, time: 20_000, is_fraud: true };
    let newest = Event::Chargeback { id: 19_999, time: 20_000, is_fraud: true };
    take(&mut pipeline, &[late, newest], &mut [0, 20_000]);
    let labels = pipeline.labels().unwrap();
    assert_eq!((labels.labels, labels.counts.labelled), (1, 1));
    assert!(pipeline.memory().waiting < 8 << 20, "{:?}", pipeline.memory());
}

/// What is done to a file.
type Change<'a> = &'a dyn Fn(&mut Value);

#[test]
fn what_cannot_be_joined_is_a_mistake() {
    let wrong = |change: Change| {
        let mut file = file();
        change(&mut file);
        let found: Vec<String> = mistakes(&file)
            .into_iter()
            .map(|mistake| format!("{}: {}", mistake.path, mistake.message))
            .collect();
        found.join("; ")
    };
    let without = |key: &'static str| {
        move |file: &mut Value| drop(file["label"].as_object_mut().unwrap().remove(key))
    };
    let with = |key: &'static str, value: Value| {
        move |file: &mut Value| file["label"][key] = value.clone()
    };
    assert_eq!(wrong(&|_| {}), "");
    let cases: [(Change, &str); 10] = [
        (&with("pending_max", "600 MiB".into()), "label.pending_max: the examples of one model"),
        (&without("wait"), "label: it is not said how long an example waits"),
        (&without("match"), "label: it is not said by which id"),
        (&with("match", "a".into()), "label.match: `a` is not an id"),
        (&with("match", "ids".into()), "label.match: there is no field `ids`"),
        (&with("input", "chargeback".into()), "label.input: there is no input `chargeback`"),
        (&with("absent", "maybe".into()), "label.absent: there is no class `maybe`"),
        (&with("absent", 0.0.into()), "label.absent: the label is no such number"),
        (&with("pending_max", "1 KiB".into()), "label.pending_max: too little"),
        (&without("input"), "label.match: the label lies in its record, so `match` says nothing"),
    ];
    for (change, says) in cases {
        let found = wrong(change);
        assert!(found.contains(says), "{found} has no {says}");
    }
    let only = wrong(&|file| drop(file["input"].as_object_mut().unwrap().remove("payments")));
    assert!(only.contains("would give labels alone"), "{only}");
}

/// Ids are hashed alike in both inputs, whatever their paths.
#[test]
fn a_label_finds_its_example_by_another_path() {
    let mut file = file();
    file["input"]["chargebacks"]["paths"] = json!({ "id": "payment.id" });
    let mut pipeline = pipeline(&file);
    take(&mut pipeline, &[Event::Payment { id: 5, time: 0, a: 1.0, b: 1.0 }], &mut [0, 0]);
    let mut batch = Batch::new();
    let value = json!({ "payment": { "id": "p5" }, "at": 1, "fraud": "yes" }).to_string();
    batch.push(0, 0, None, Some(value.as_bytes()), Headers::default());
    let mut rows = Rows::default();
    pipeline.inputs()[0].decoder().decode(0, &batch, &mut rows);
    assert_eq!(rows.ids, [hash64(b"p5", 0)]);
    let run = Run { input: 0, partition: 0, batch: &batch, rows: &rows, range: 0..1 };
    pipeline.watch(hash64(b"p5", 0));
    assert_eq!(pipeline.fate(), None);
    pipeline.step(Input::Records(run), &mut Effects::default());
    assert_eq!(pipeline.labels().unwrap().counts.labelled, 1);
    let fate = pipeline.fate().unwrap();
    assert_eq!(
        (fate.how, fate.label.as_str(), &*fate.at),
        ("labelled", Some("yes"), "chargebacks:0:0")
    );
    // A label without a label is turned away.
    let mut batch = Batch::new();
    batch.push(1, 0, None, Some(br#"{"payment":{"id":"p6"},"at":2}"#), Headers::default());
    rows.clear();
    pipeline.inputs()[0].decoder().decode(0, &batch, &mut rows);
    let run = Run { input: 0, partition: 0, batch: &batch, rows: &rows, range: 0..1 };
    let mut effects = Effects::default();
    pipeline.step(Input::Records(run), &mut effects);
    assert_eq!(reasons(&outputs(&effects)), ["missing"]);
}

/// A model that begins in the middle has nothing of what waits already, and learns what comes.
#[test]
fn a_model_that_begins_here_learns_from_here_on() {
    let mut both = file();
    both["model"]["tree"] = json!({ "use": ["a"], "learner": { "hoeffding_tree": {} } });
    let (mut pipeline, mut alone) = (pipeline(&file()), self::pipeline(&file()));
    let events = events(9, 600);
    let (before, after) = events.split_at(events.len() / 2);
    let (mut offsets, mut places) = ([0, 0], [0, 0]);
    take(&mut pipeline, before, &mut offsets);
    take(&mut alone, before, &mut places);
    let settings = std::sync::Arc::new(Settings::of(&super::spec(&both)));
    let decision = alluvium_flow::Decision::Begin { settings };
    pipeline.step(Input::Decided(&decision), &mut Effects::default());
    let fresh = pipeline.state_digest("tree").unwrap();
    assert!(pipeline.labels().unwrap().examples > 50);
    take(&mut pipeline, after, &mut offsets);
    take(&mut alone, after, &mut places);
    assert_eq!(pipeline.state_digest("linear"), alone.state_digest("linear"));
    assert_eq!(pipeline.labels().unwrap().counts, alone.labels().unwrap().counts);
    assert_ne!(pipeline.state_digest("tree").unwrap(), fresh);
    let sections = pipeline.save();
    let mut again = self::pipeline(&both);
    again.restore(&sections).unwrap();
    assert_eq!(again.save(), sections);
}

/// A second model changes nothing of the first; with another one beside it, or taken away.
#[test]
fn a_model_beside_changes_nothing_of_the_first() {
    let alone = file();
    let mut both = file();
    both["model"]["tree"] = json!({ "use": ["a"], "learner": { "hoeffding_tree": {} } });
    let events = events(7, 1_000);
    let digest = |file: &Value| {
        let mut pipeline = pipeline(file);
        take(&mut pipeline, &events, &mut [0, 0]);
        (pipeline.state_digest("linear").unwrap(), pipeline)
    };
    let ((first, _), (second, mut pipeline)) = (digest(&alone), digest(&both));
    assert_eq!(first, second);
    let settings = std::sync::Arc::new(Settings::of(&super::spec(&alone)));
    let decision = alluvium_flow::Decision::Adopt { settings };
    pipeline.step(Input::Decided(&decision), &mut Effects::default());
    assert_eq!(pipeline.state_digest("linear").unwrap(), first);
    let more =
        Event::Chargeback { id: 999, time: 7_000, is_fraud: random_bits(1, 1).is_multiple_of(2) };
    let before = pipeline.labels().unwrap().counts.labelled;
    take(&mut pipeline, &[more], &mut [5_000, 5_000]);
    assert!(pipeline.labels().unwrap().counts.labelled >= before);
}
