//! What every metric promises, held against every entry of the table on every label that it takes:
//! a new entry is picked up by itself. `UPDATE_EXPECT=1` writes the golden files; read them in
//! review.
// A test that fails may say so with a panic, in its helpers too.
#![allow(clippy::unwrap_used)]

#[path = "support/counting_alloc.rs"]
mod counting_alloc;
#[path = "support/golden.rs"]
mod golden;

use std::{fmt::Write, ops::Range};

use alluvium_learn::{
    Label, LabelShape, Metric, Outcome, Over, Prediction, Reader, Shape, State, StateError, Task,
    Writer,
    judge::Judge,
    math::{hash64, random_bits, random_unit},
    metrics::MetricConfig,
};
use counting_alloc::{assert_footprint, assert_modest, largest_request, live_bytes};
use golden::{Stored, check_each, check_no_orphans, check_text, stored_states};

const LABELS: [(&str, LabelShape); 5] = [
    ("two_classes", LabelShape::Class { values_max: 2 }),
    ("five_classes", LabelShape::Class { values_max: 5 }),
    ("thousand_classes", LabelShape::Class { values_max: 1000 }),
    ("number", LabelShape::Number),
    ("no_label", LabelShape::None),
];

/// Settings away from the defaults, held to the contract too.
const SETTINGS: [&str; 4] = [
    r#"{ "roc_auc": { "window": 50 } }"#,
    r#"{ "log_loss": { "floor": 0.01 } }"#,
    r#"{ "recall_at": { "share": 0.3 } }"#,
    r#"{ "precision_at": { "share": 0.5 } }"#,
];

/// Where even perfect answers need not come to the best figure there can be: there may be more to
/// find than the share of alerts holds, or fewer.
const CAPPED: [&str; 2] = ["precision_at", "recall_at"];

/// One entry with its settings, on one label that it takes.
struct Case {
    name: String,
    metric: MetricConfig,
    label: LabelShape,
}

impl Case {
    fn build(&self) -> Box<dyn Metric> {
        self.metric.build(&Shape::numbers(0, self.label)).unwrap()
    }

    fn restored(&self, state: &[u8]) -> Result<Box<dyn Metric>, StateError> {
        let mut metric = self.build();
        let mut from = Reader::new(state);
        metric.restore(&mut from)?;
        from.end()?;
        Ok(metric)
    }

    /// The reference stream: outcomes of a learner that is right more often than not.
    fn outcome(&self, index: u64) -> Outcome {
        outcome(self.label, index)
    }

    fn added(&self, range: Range<u64>) -> Box<dyn Metric> {
        let mut metric = self.build();
        range.for_each(|index| metric.add(&self.outcome(index)));
        metric
    }
}

/// The truth: rare classes are rare, and it comes in runs of three records.
fn truth(label: LabelShape, index: u64) -> f64 {
    let unit = random_unit(1, index / 3);
    match label {
        LabelShape::Class { values_max } => (unit * unit * f64::from(values_max)).floor(),
        LabelShape::Number => 50.0 + 10.0 * unit + random_unit(2, index),
        LabelShape::None => 4.0 * unit,
    }
}

fn outcome(label: LabelShape, index: u64) -> Outcome {
    let truth_before = if index == 0 { f64::NAN } else { truth(label, index - 1) };
    let (truth, unit) = (truth(label, index), random_unit(3, index));
    let weight = if random_bits(4, index).is_multiple_of(3) { 0.1 } else { 1.0 };
    let mut outcome =
        Outcome { answer: unit, truth, truth_before, probability: 0.0, second: 0.0, weight };
    match label {
        LabelShape::Class { values_max } => {
            let is_right = unit < 0.7;
            let wrong = (truth + 1.0) % f64::from(values_max);
            outcome.answer = if is_right { truth } else { wrong };
            outcome.probability = (1.0 - unit).max(0.01);
            let second = truth == 1.0;
            // Rounded, so that there are ties.
            let probability = (outcome.probability * 16.0).round() / 16.0;
            outcome.second = if second { probability } else { 1.0 - probability };
        }
        LabelShape::Number => outcome.answer = truth + 4.0 * (unit - 0.5),
        LabelShape::None => outcome.answer = (unit * 3.0).floor(),
    }
    outcome
}

/// An outcome of an answer that could not be better.
fn perfect(label: LabelShape, index: u64) -> Outcome {
    let mut outcome = outcome(label, index);
    if label == LabelShape::None {
        outcome.truth = 0.0;
    }
    let second = f64::from(u8::from(outcome.truth == 1.0));
    Outcome { answer: outcome.truth, probability: 1.0, second, ..outcome }
}

/// What no learner should answer and no label should be, weights included.
fn extreme(index: u64) -> Outcome {
    const VALUES: [f64; 12] = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN,
        1e200,
        5e-324,
        -0.0,
        0.0,
        1.0,
        0.5,
        4e9,
    ];
    const WEIGHTS: [f64; 8] =
        [1.0, f64::MAX, 5e-324, 0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let pick = |key| VALUES[(random_bits(key, index) % 12) as usize];
    Outcome {
        answer: pick(10),
        truth: pick(11),
        truth_before: pick(12),
        probability: pick(13),
        second: pick(14),
        weight: WEIGHTS[(random_bits(15, index) % 8) as usize],
    }
}

fn saved(metric: &dyn Metric) -> Vec<u8> {
    let mut to = Writer::new();
    metric.save(&mut to);
    to.into_bytes()
}

/// Each entry with its defaults and with other settings, on each label that it takes.
fn cases() -> Vec<Case> {
    let defaults = MetricConfig::NAMES.iter().map(|name| MetricConfig::by_name(name).unwrap());
    let settings = SETTINGS.iter().map(|text| serde_json::from_str(text).unwrap());
    let mut cases = Vec::new();
    for metric in defaults.chain(settings) {
        for (name, label) in LABELS {
            if metric.build(&Shape::numbers(0, label)).is_ok() {
                let name = format!("{} {name}", serde_json::to_string(&metric).unwrap());
                cases.push(Case { name, metric: metric.clone(), label });
            }
        }
    }
    cases
}

fn check(facts: impl Fn(&Case)) {
    check_each(&cases(), |case| case.name.clone(), facts);
}

/// There is no value, or it is one that the metric says there can be.
fn assert_sound(case: &Case, metric: &dyn Metric) {
    let (least, most) = case.metric.about().range;
    if let Some(value) = metric.value() {
        assert!(value.is_finite() && (least..=most).contains(&value), "{value}");
    }
}

fn assert_near(found: Option<f64>, expected: Option<f64>, what: &str) {
    let is_near =
        |(found, expected): (f64, f64)| (found - expected).abs() <= 1e-9 * expected.abs().max(1.0);
    let is_right = match (found, expected) {
        (Some(found), Some(expected)) => is_near((found, expected)),
        (found, expected) => found == expected,
    };
    assert!(is_right, "{found:?} for {expected:?}: {what}");
}

#[test]
fn every_entry_takes_some_label_and_refuses_others_with_advice() {
    for name in MetricConfig::NAMES {
        let metric = MetricConfig::by_name(name).unwrap();
        let build = |(_, label)| metric.build(&Shape::numbers(0, label));
        let refusals: Vec<String> =
            LABELS.into_iter().filter_map(|label| build(label).err()).map(|e| e.must_be).collect();
        assert!(refusals.len() < LABELS.len(), "{name} takes no label");
        assert!(!refusals.is_empty(), "{name} takes a class and a number alike");
        assert!(refusals.iter().all(|text| text.contains(name) && text.contains("try")));
    }
}

#[test]
fn every_entry_says_which_way_is_better() {
    let titles: Vec<&str> = cases().iter().map(|case| case.metric.about().title).collect();
    assert!(titles.iter().all(|title| !title.is_empty() && title.len() <= 20));
    check(|case| {
        let about = case.metric.about();
        let usual = case.added(0..900).value().unwrap();
        let mut metric = case.build();
        (0..900).for_each(|index| metric.add(&perfect(case.label, index)));
        let perfect = metric.value().unwrap();
        if CAPPED.contains(&case.metric.name()) {
            assert!(usual < perfect && perfect <= about.best(), "perfect answers: {perfect}");
        } else {
            assert_eq!(perfect, about.best(), "perfect answers");
        }
        assert_eq!(about.best() > usual, about.higher_is_better);
    });
}

#[test]
fn there_is_no_value_before_the_first_outcome() {
    check(|case| assert_eq!(case.build().value(), None));
}

#[test]
fn a_value_is_one_there_can_be() {
    check(|case| {
        let mut metric = case.build();
        for index in 0..500 {
            metric.add(&case.outcome(index));
            assert_sound(case, &*metric);
        }
        assert!(metric.value().is_some());
    });
}

#[test]
fn same_stream_same_bytes() {
    check(|case| assert_eq!(saved(&*case.added(0..600)), saved(&*case.added(0..600))));
}

#[test]
fn a_restored_state_saves_the_same_bytes_and_goes_on_alike() {
    check(|case| {
        for half in [0, 1, 2, 49, 50, 300] {
            let mut unbroken = case.added(0..half);
            let state = saved(&*unbroken);
            let mut restored = case.restored(&state).unwrap();
            assert_eq!(saved(&*restored), state, "after {half} outcomes");
            assert_eq!(restored.value(), unbroken.value());
            for metric in [&mut unbroken, &mut restored] {
                (half..600).for_each(|index| metric.add(&case.outcome(index)));
            }
            assert_eq!(saved(&*restored), saved(&*unbroken), "restored after {half} outcomes");
        }
    });
}

#[test]
fn many_at_once_are_what_they_are_one_by_one() {
    check(|case| {
        let outcomes: Vec<Outcome> = (0..600).map(|index| case.outcome(index)).collect();
        let mut metric = case.build();
        outcomes.chunks(47).for_each(|some| metric.add_all(some));
        assert_eq!(saved(&*metric), saved(&*case.added(0..600)));
    });
}

#[test]
fn only_the_proportions_of_weights_matter() {
    check(|case| {
        let expected = case.added(0..500).value();
        for scale in [0.25, 3.0, 1e-6, 1e6] {
            let mut metric = case.build();
            for index in 0..500 {
                let outcome = case.outcome(index);
                metric.add(&Outcome { weight: outcome.weight * scale, ..outcome });
            }
            assert_near(metric.value(), expected, &format!("weights times {scale}"));
        }
    });
}

#[test]
fn extreme_outcomes_leave_it_finite() {
    check(|case| {
        let mut metric = case.build();
        let outcome =
            |index: u64| if index.is_multiple_of(3) { case.outcome(index) } else { extreme(index) };
        for index in 0..600 {
            metric.add(&outcome(index));
            assert_sound(case, &*metric);
        }
        let state = saved(&*metric);
        assert_eq!(saved(&*case.restored(&state).unwrap()), state);
    });
}

#[test]
fn a_class_may_come_late_and_the_bound_holds() {
    check(|case| {
        let LabelShape::Class { values_max } = case.label else { return };
        let mut metric = case.added(0..200);
        for code in [values_max - 1, values_max, u32::MAX] {
            let code = f64::from(code);
            metric.add(&Outcome { answer: code, truth: 0.0, ..case.outcome(200) });
            metric.add(&Outcome { answer: 0.0, truth: code, ..case.outcome(201) });
            assert_sound(case, &*metric);
        }
        let most = 1024 + 80 * values_max as usize + 16 * 10_000;
        assert!(metric.footprint_bytes() <= most, "{} bytes", metric.footprint_bytes());
    });
}

#[test]
fn footprint_is_what_the_allocator_saw() {
    check(|case| {
        for count in [0, 1, 100, 2000] {
            let (metric, seen) = live_bytes(|| case.added(0..count));
            assert_footprint(metric.footprint_bytes(), seen);
        }
        let state = saved(&*case.added(0..500));
        let (metric, seen) = live_bytes(|| case.restored(&state).unwrap());
        assert_footprint(metric.footprint_bytes(), seen);
    });
}

/// States cut short, with a bit flipped, and of random bytes after the right format.
fn damaged(state: &[u8]) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> =
        (0..64).map(|part| state[..state.len() * part / 64].to_vec()).collect();
    for counter in 0..300 {
        let bits = random_bits(11, counter);
        // Half of the flips hit the head, where the counts and lengths are.
        let within = if counter % 2 == 0 { state.len().min(64) } else { state.len() };
        let mut bytes = state.to_vec();
        bytes[(bits >> 8) as usize % within] ^= 1 << (bits & 7);
        all.push(bytes);
    }
    for counter in 0..100 {
        let random = (0..8 * counter).map(|index| random_bits(counter, index) as u8);
        all.push(state[..2].iter().copied().chain(random).collect());
    }
    all
}

#[test]
fn damaged_states_never_panic() {
    check(|case| {
        let metric = case.added(0..200);
        let (state, footprint) = (saved(&*metric), metric.footprint_bytes());
        for bytes in damaged(&state) {
            let (result, largest) = largest_request(|| case.restored(&bytes));
            assert_modest(largest, bytes.len(), footprint);
            // What was accepted can go on.
            let Ok(mut metric) = result else { continue };
            assert_sound(case, &*metric);
            (200..210).for_each(|index| metric.add(&case.outcome(index)));
            assert_sound(case, &*metric);
            case.restored(&saved(&*metric)).unwrap();
        }
    });
}

#[test]
fn its_values_are_the_golden_ones() {
    let cases = cases();
    let name = |name: &&str| name.to_string();
    check_each(MetricConfig::NAMES, name, |name| {
        let mut text = String::new();
        for case in cases.iter().filter(|case| case.metric.name() == *name) {
            let about = case.metric.about();
            let better = if about.higher_is_better { "higher" } else { "lower" };
            writeln!(text, "{}: {}, {better} is better", case.name, about.title).unwrap();
            writeln!(text, "records  whole                   newest 200").unwrap();
            let mut whole = case.build();
            for index in 0..1000 {
                whole.add(&case.outcome(index));
                if [1, 2, 10, 100, 400, 1000].contains(&(index + 1)) {
                    let figure = |metric: &dyn Metric| {
                        metric.value().map_or("none".into(), |value| format!("{value:?}"))
                    };
                    let newest = case.added(index.saturating_sub(199)..index + 1);
                    let (whole, newest) = (figure(&*whole), figure(&*newest));
                    writeln!(text, "{:7}  {whole:22}  {newest}", index + 1).unwrap();
                }
            }
            let state = saved(&*whole);
            writeln!(text, "state {:016x}, {} bytes\n", hash64(&state, 0), state.len()).unwrap();
        }
        text.truncate(text.trim_end().len() + 1);
        check_text("metrics", name, &text);
    });
    check_no_orphans("metrics", MetricConfig::NAMES);
}

#[test]
fn states_of_the_past_still_load() {
    let cases = cases();
    let name = |name: &&str| name.to_string();
    let digest = |metric: &dyn Metric| metric.value().map_or(0, f64::to_bits);
    check_each(MetricConfig::NAMES, name, |name| {
        let store = |case: &Case| {
            let metric = case.added(0..40);
            let (state, answer) = (saved(&*metric), digest(&*metric));
            Stored { case: case.name.clone(), state, answer }
        };
        // A thousand classes make large files that say no more than five do.
        let is_stored =
            |case: &&Case| case.metric.name() == *name && !case.name.ends_with("thousand_classes");
        let newest: Vec<Stored> = cases.iter().filter(is_stored).map(store).collect();
        for stored in stored_states("metric_states", name, &newest) {
            let case = cases.iter().find(|case| case.name == stored.case);
            let case = case.expect("a label once taken is taken for ever");
            let metric = case.restored(&stored.state).unwrap();
            assert_eq!(digest(&*metric), stored.answer, "it has the value it had");
        }
    });
    check_no_orphans("metric_states", MetricConfig::NAMES);
}

/// Every metric that takes two classes, the cheapest to read first.
fn judge(over: Over) -> Judge {
    let two_classes = Shape::numbers(0, LABELS[0].1);
    let defaults = MetricConfig::NAMES.iter().map(|name| MetricConfig::by_name(name).unwrap());
    let metrics = defaults.filter(|metric| metric.build(&two_classes).is_ok()).collect();
    Judge::new(metrics, over, &two_classes, Task::Class).unwrap()
}

/// Judges a part of the reference stream; the time is 10 ms a record.
fn judge_stream(judge: &mut Judge, range: Range<u64>) {
    range.for_each(|index| judge.add(&outcome(LABELS[0].1, index), 10 * index as i64));
}

#[test]
fn a_judge_takes_no_memory_once_its_windows_are_full() {
    for over in [Over::Records(100), Over::Time(1000)] {
        let mut judge = judge(over);
        // 10,000 fill the AUC's own, and the curve has no point from 12,033 to 12,287.
        judge_stream(&mut judge, 0..12_040);
        let answer = Prediction { value: 1.0, scores: vec![0.2, 0.8], interval: None };
        let (outcome, largest) = largest_request(|| {
            judge_stream(&mut judge, 12_040..12_280);
            judge.update(&answer, Label::Class(1), 0.0, 122_800)
        });
        assert!(outcome.is_some());
        assert_eq!(largest, 0, "bytes asked for at once");
    }
}

#[test]
fn a_judge_knows_its_footprint() {
    for over in [Over::Records(1), Over::Records(3000), Over::Time(9000)] {
        for records in [0, 10, 5000] {
            let build = || {
                let mut judge = judge(over);
                judge_stream(&mut judge, 0..records);
                judge
            };
            let (judge, seen) = live_bytes(|| Box::new(build()));
            assert_footprint(judge.footprint_bytes(), seen);
        }
    }
}

#[test]
fn damaged_states_of_a_judge_never_panic() {
    for over in [Over::Records(20), Over::Time(300)] {
        let mut whole = judge(over);
        judge_stream(&mut whole, 0..150);
        let mut to = Writer::new();
        whole.save(&mut to);
        for bytes in damaged(to.bytes()) {
            let mut judge = judge(over);
            let (result, largest) = largest_request(|| judge.restore(&mut Reader::new(&bytes)));
            assert_modest(largest, bytes.len(), whole.footprint_bytes());
            if result.is_ok() {
                judge_stream(&mut judge, 150..1400);
                (0..judge.len()).for_each(|metric| {
                    assert!(judge.whole(metric).is_none_or(f64::is_finite));
                    assert!(judge.window(metric).is_none_or(f64::is_finite));
                });
            }
        }
    }
}
