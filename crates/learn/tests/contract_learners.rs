//! What every learner promises, held against every entry of the table: a new entry is picked up
//! by itself. `UPDATE_EXPECT=1` writes the golden curves and adds the stored states that are
//! missing; read them in review.
//!
//! An example has as many dense slots as its shape; the plan guarantees it.
// A test that fails may say so with a panic, in its helpers too.
#![allow(clippy::unwrap_used)]

#[path = "support/counting_alloc.rs"]
mod counting_alloc;
#[path = "support/golden.rs"]
mod golden;
#[path = "support/judge.rs"]
mod judge;
#[path = "support/streams.rs"]
mod streams;

use std::fmt::Write;

use alluvium_learn::{
    ConfigError, Label, LabelShape, Learner, Prediction, Reader, Shape, Span, Task, Writer,
    detectors::DetectorConfig,
    learners::LearnerConfig,
    math::{hash64, random_bits},
    surround::{ByKey, ClassWeight, ResetOn},
};
use counting_alloc::{assert_footprint, assert_modest, largest_request, live_bytes};
use golden::{Stored, check_each, check_no_orphans, check_text, stored_states};
use judge::{Judge, assert_sound};
use streams::{Example, LABELS, LAYOUTS, Stream};

/// What every other learner has to beat, and so need not beat itself.
const BASELINES: [&str; 7] =
    ["no_change", "majority", "mean", "class_weight", "reset_on", "by", "by cusum"];

/// What surrounds a learner is a learner: here around a baseline.
const SURROUNDS: [&str; 3] = ["by", "class_weight", "reset_on"];

/// Settings away from the defaults, as they stand in a pipeline file, where they reach other code.
/// They keep the contract too, but have no golden files.
const VARIANTS: [&str; 4] = [
    "by cusum",
    r#"{ "cusum": { "slack": 0.1, "half_life": "1 min" } }"#,
    r#"{ "k_means": { "k": 4, "half_life": "10 min" } }"#,
    r#"{ "k_means": { "k": 2, "half_life": "500 records", "warmup_records": 2 } }"#,
];

/// Everything with golden files.
fn names() -> Vec<&'static str> {
    LearnerConfig::NAMES.iter().copied().chain(SURROUNDS).collect()
}

fn build(name: &str, shape: &Shape) -> Result<Box<dyn Learner>, ConfigError> {
    let entry = |name| LearnerConfig::by_name(name).unwrap().build(shape);
    match name {
        "by" | "by cusum" => by_key(name, shape),
        "class_weight" => Ok(Box::new(ClassWeight::new(entry("majority")?, vec![1.0, 2.5])?)),
        "reset_on" => {
            let inner = entry("majority").or_else(|_| entry("mean"))?;
            let detector = DetectorConfig::by_name("adwin").unwrap().build(shape)?;
            Ok(Box::new(ResetOn::new(inner, detector)?))
        }
        variant if variant.starts_with('{') => {
            serde_json::from_str::<LearnerConfig>(variant).unwrap().build(shape)
        }
        name => entry(name),
    }
}

/// One small model for each value of the last id.
fn by_key(name: &str, shape: &Shape) -> Result<Box<dyn Learner>, ConfigError> {
    let mut inner = shape.clone();
    if inner.ids.pop().is_none() {
        return Err(ConfigError::unfit("there is no key"));
    }
    let entry = |name| LearnerConfig::by_name(name).unwrap().build(&inner);
    let inner = match name {
        "by" => entry("majority").or_else(|_| entry("mean"))?,
        _ => {
            inner.dense = Shape::numbers(1, LabelShape::None).dense;
            inner.sparse_size = 0;
            LearnerConfig::by_name("cusum").unwrap().build(&inner)?
        }
    };
    // Fewer than the stream has, so that some are forgotten.
    Ok(Box::new(ByKey::new(inner, 12, Some(Span(15_000)))?))
}

/// How much a stored state of the past has seen: enough for warm-ups to be over.
const STORED_RECORDS: u64 = 300;

/// One entry with its defaults, or a variant, on one shape that it takes.
struct Case {
    name: &'static str,
    label: &'static str,
    layout: String,
    shape: Shape,
}

impl Case {
    fn full_name(&self) -> String {
        format!("{} {} {}", self.name, self.label, self.layout)
    }

    fn build(&self) -> Box<dyn Learner> {
        build(self.name, &self.shape).unwrap()
    }

    fn restored(&self, state: &[u8]) -> Box<dyn Learner> {
        let mut learner = self.build();
        let mut from = Reader::new(state);
        learner.restore(&mut from).unwrap();
        from.end().unwrap();
        learner
    }

    fn stream(&self) -> Stream<'_> {
        Stream { shape: &self.shape, seed: 7 }
    }

    fn learned(&self, records: u64) -> Box<dyn Learner> {
        let mut learner = self.build();
        learn_stream(&mut *learner, &self.stream(), 0..records);
        learner
    }
}

/// Each entry on each shape that it takes.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for name in names().into_iter().chain(VARIANTS) {
        for (label, label_shape) in LABELS {
            for layout in LAYOUTS {
                let shape = layout.shape(label_shape);
                if build(name, &shape).is_ok() {
                    cases.push(Case { name, label, layout: format!("{layout:?}"), shape });
                }
            }
        }
    }
    cases
}

/// Each entry on the first layout that it takes, for each kind of label.
fn reference_cases() -> Vec<Case> {
    let mut cases = cases();
    // What is strange is known on streams without a label alone.
    cases.retain(|case| case.build().task() != Task::Score || case.label == "no_label");
    cases.dedup_by_key(|case| (case.name, case.label));
    cases
}

fn check(facts: impl Fn(&Case)) {
    check_each(&cases(), Case::full_name, facts);
}

fn learn(learner: &mut dyn Learner, example: &Example) {
    learner.learn(&example.features(), example.label, 1.0);
}

fn learn_stream(learner: &mut dyn Learner, stream: &Stream<'_>, range: std::ops::Range<u64>) {
    range.for_each(|index| learn(learner, &stream.example(index)));
}

fn saved(learner: &dyn Learner) -> Vec<u8> {
    let mut to = Writer::new();
    learner.save(&mut to);
    to.into_bytes()
}

fn answer(learner: &dyn Learner, example: &Example) -> Prediction {
    // What was in it before must not matter.
    let mut out = Prediction { value: f64::NAN, scores: vec![f64::NAN; 3], interval: None };
    out.interval = Some((f64::NAN, f64::NAN));
    learner.predict(&example.features(), &mut out);
    out
}

fn assert_answers(case: &Case, learner: &dyn Learner, example: &Example) {
    assert_sound(learner, &case.shape, &answer(learner, example));
}

#[test]
fn every_entry_takes_some_shape() {
    let cases = cases();
    for name in names() {
        assert!(cases.iter().any(|case| case.name == name), "{name} takes no shape");
    }
}

#[test]
fn it_answers_before_it_has_learned() {
    check(|case| {
        let stream = case.stream();
        for example in [stream.example(0), stream.empty(1), stream.novel(2), stream.extreme(3)] {
            assert_answers(case, &*case.build(), &example);
        }
    });
}

#[test]
fn to_answer_changes_nothing() {
    check(|case| {
        let learner = case.learned(300);
        let (before, stream) = (saved(&*learner), case.stream());
        (300..320).for_each(|index| assert_answers(case, &*learner, &stream.example(index)));
        assert_answers(case, &*learner, &stream.novel(320));
        assert_eq!(saved(&*learner), before);
    });
}

#[test]
fn same_stream_same_bytes() {
    check(|case| assert_eq!(saved(&*case.learned(600)), saved(&*case.learned(600))));
}

#[test]
fn a_restored_state_saves_the_same_bytes_and_goes_on_alike() {
    check(|case| {
        for half in [0, 1, 7, 50, 299, 430] {
            let mut unbroken = case.learned(half);
            let state = saved(&*unbroken);
            let mut restored = case.restored(&state);
            assert_eq!(saved(&*restored), state, "after {half} records");
            let stream = case.stream();
            let probe = stream.example(5000);
            assert_eq!(answer(&*unbroken, &probe), answer(&*restored, &probe));
            learn_stream(&mut *unbroken, &stream, half..600);
            learn_stream(&mut *restored, &stream, half..600);
            assert_eq!(saved(&*restored), saved(&*unbroken), "restored after {half} records");
        }
    });
}

#[test]
fn a_fork_learns_on_its_own() {
    check(|case| {
        let original = case.learned(250);
        let before = saved(&*original);
        let mut fork = original.fork();
        assert_eq!(saved(&*fork), before);
        learn_stream(&mut *fork, &case.stream(), 250..600);
        assert_eq!(saved(&*original), before);
        assert_eq!(saved(&*fork), saved(&*case.learned(600)));
    });
}

#[test]
fn empty_short_and_novel_rows_are_fine() {
    check(|case| {
        let stream = case.stream();
        let odd = |index| match index % 4 {
            0 => stream.empty(index),
            1 => stream.short(index),
            2 => stream.novel(index),
            _ => stream.example(index),
        };
        // Odd from the first record on, and odd after a usual past.
        for mut learner in [case.build(), case.learned(300)] {
            for index in 300..400 {
                assert_answers(case, &*learner, &odd(index));
                learn(&mut *learner, &odd(index));
                assert_answers(case, &*learner, &odd(index));
            }
            case.restored(&saved(&*learner));
        }
    });
}

#[test]
fn a_record_without_a_label_is_fine() {
    check(|case| {
        let mut learner = case.learned(100);
        let example = case.stream().example(100);
        learner.learn(&example.features(), Label::None, 1.0);
        assert_answers(case, &*learner, &example);
    });
}

#[test]
fn weight_zero_changes_nothing() {
    check(|case| {
        for past in [0, 1, 300] {
            let mut learner = case.learned(past);
            let (before, stream) = (saved(&*learner), case.stream());
            for example in [stream.example(past), stream.novel(301), stream.extreme(302)] {
                learner.learn(&example.features(), example.label, 0.0);
            }
            assert_eq!(saved(&*learner), before, "after {past} records");
        }
    });
}

#[test]
fn extreme_numbers_leave_it_finite() {
    const WEIGHTS: [f64; 5] = [1.0, 1e9, 5e-324, 0.0, 1.0];
    check(|case| {
        let stream = case.stream();
        for mut learner in [case.build(), case.learned(300)] {
            for index in 300..600 {
                let usual = index % 3 == 2;
                let example = if usual { stream.example(index) } else { stream.extreme(index) };
                let weight = WEIGHTS[(random_bits(3, index) % 5) as usize];
                learner.learn(&example.features(), example.label, weight);
                assert_answers(case, &*learner, &stream.example(index + 1));
                assert_answers(case, &*learner, &stream.extreme(index + 1));
            }
            let state = saved(&*learner);
            assert_eq!(saved(&*case.restored(&state)), state);
        }
    });
}

#[test]
fn footprint_is_what_the_allocator_saw() {
    check(|case| {
        for records in [0, 1, 100, 1000] {
            let (learner, seen) = live_bytes(|| case.learned(records));
            assert_footprint(learner.footprint_bytes(), seen);
        }
        let state = saved(&*case.learned(500));
        let (learner, seen) = live_bytes(|| case.restored(&state));
        assert_footprint(learner.footprint_bytes(), seen);
    });
}

#[test]
fn damaged_states_never_panic() {
    check(|case| {
        // During a warm-up, and after it.
        for records in [100, 300] {
            let learner = case.learned(records);
            let (state, footprint) = (saved(&*learner), learner.footprint_bytes());
            for part in 0..64 {
                let bytes = state.len() * part / 64;
                let is_accepted = try_to_restore(case, &state[..bytes], footprint);
                assert!(!is_accepted, "{bytes} of {} bytes", state.len());
            }
            for bytes in damaged(&state) {
                try_to_restore(case, &bytes, footprint);
            }
        }
    });
}

/// One bit flipped in each, then random bytes behind the right format number.
fn damaged(state: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let flipped = (0..300).map(|counter| {
        let bits = random_bits(11, counter);
        // Half of the flips hit the head, where the counts and lengths are.
        let within = if counter % 2 == 0 { state.len().min(64) } else { state.len() };
        let mut bytes = state.to_vec();
        bytes[(bits >> 8) as usize % within] ^= 1 << (bits & 7);
        bytes
    });
    let random = (0..100).map(|counter| {
        let random = (0..8 * counter).map(|index| random_bits(counter, index) as u8);
        state[..2].iter().copied().chain(random).collect()
    });
    flipped.chain(random)
}

/// Whether the bytes are accepted as a state; if so, it must be able to answer.
fn try_to_restore(case: &Case, bytes: &[u8], footprint: usize) -> bool {
    let mut learner = case.build();
    let work = || learner.restore(&mut Reader::new(bytes));
    let (result, largest) = largest_request(work);
    assert_modest(largest, bytes.len(), footprint);
    if result.is_ok() {
        answer(&*learner, &case.stream().example(301));
    }
    result.is_ok()
}

/// Learns the reference stream; calls `at` after so many records.
fn judged(case: &Case, records: u64, mut at: impl FnMut(u64, &Judge)) -> Box<dyn Learner> {
    let (mut learner, stream) = (case.build(), case.stream());
    let mut judge = Judge::new(learner.task(), &stream);
    for index in 0..records {
        let example = stream.example(index);
        judge.add(&answer(&*learner, &example), &example);
        learn(&mut *learner, &example);
        at(index + 1, &judge);
    }
    learner
}

#[test]
fn it_beats_the_constant_guess() {
    let cases: Vec<Case> =
        reference_cases().into_iter().filter(|case| !BASELINES.contains(&case.name)).collect();
    if cases.is_empty() {
        return;
    }
    check_each(&cases, Case::full_name, |case| {
        judged(case, 4000, |records, judge| {
            if records == 4000 {
                let (loss, constant) = (judge.loss(2000), judge.loss_of_constant(2000));
                assert!(loss < constant, "{loss} against {constant} of a constant");
            }
        });
    });
}

#[test]
fn probabilities_of_classes_sum_to_one() {
    let mut cases = cases();
    cases.retain(|case| matches!(case.shape.label, LabelShape::Class { .. }));
    check_each(&cases, Case::full_name, |case| {
        let learner = case.learned(500);
        if learner.task() == Task::Class {
            // The newest it has learned: whatever goes by a key knows that one.
            let scores = answer(&*learner, &case.stream().example(499)).scores;
            assert!((scores.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{scores:?}");
        }
    });
}

#[test]
fn its_curve_is_the_golden_one() {
    check_each(
        &names(),
        |name| name.to_string(),
        |name| {
            let mut text = String::new();
            for case in reference_cases().iter().filter(|case| case.name == *name) {
                let unit = Judge::new(case.build().task(), &case.stream()).unit();
                writeln!(text, "{} {}\nrecords  {unit}", case.label, case.layout).unwrap();
                let learner = judged(case, 4000, |records, judge| {
                    if [500, 1000, 2000, 4000].contains(&records) {
                        writeln!(text, "{records:7}  {:.3}", judge.loss(0)).unwrap();
                    }
                });
                let state = saved(&*learner);
                writeln!(text, "state {:016x}, {} bytes\n", hash64(&state, 0), state.len())
                    .unwrap();
            }
            text.truncate(text.trim_end().len() + 1);
            check_text("learners", name, &text);
        },
    );
    check_no_orphans("learners", &names());
}

#[test]
fn states_of_the_past_still_load() {
    let (cases, references) = (cases(), reference_cases());
    check_each(
        &names(),
        |name| name.to_string(),
        |name| {
            let named = |full_name: &str| cases.iter().find(|case| case.full_name() == full_name);
            let digest = |case: &Case, learner: &dyn Learner| {
                let Prediction { value, scores, .. } =
                    answer(learner, &case.stream().example(STORED_RECORDS));
                let numbers = [value].into_iter().chain(scores);
                hash64(&numbers.flat_map(f64::to_le_bytes).collect::<Vec<u8>>(), 0)
            };
            let store = |case: &Case| {
                let learner = case.learned(STORED_RECORDS);
                let (state, answer) = (saved(&*learner), digest(case, &*learner));
                Stored { case: case.full_name(), state, answer }
            };
            let newest: Vec<Stored> =
                references.iter().filter(|case| case.name == *name).map(store).collect();
            for stored in stored_states("states", name, &newest) {
                let case = named(&stored.case).expect("a shape once taken is taken for ever");
                let learner = case.restored(&stored.state);
                assert_eq!(digest(case, &*learner), stored.answer, "it answers as it did");
            }
        },
    );
    check_no_orphans("states", &names());
}
