//! What every detector promises, held against every entry of the table with its defaults: a new
//! entry is picked up by itself. `UPDATE_EXPECT=1` writes the golden files; read them in review.
// A test that fails may say so with a panic, in its helpers too.
#![allow(clippy::unwrap_used)]

#[path = "support/counting_alloc.rs"]
mod counting_alloc;
#[path = "support/golden.rs"]
mod golden;

use std::{fmt::Write, ops::Range};

use alluvium_learn::{
    Detector, LabelShape, Reader, Shape, StateError, Verdict, Writer,
    detectors::DetectorConfig,
    math::{hash64, random_bits, random_unit},
};
use counting_alloc::{assert_footprint, assert_modest, largest_request, live_bytes};
use golden::{Stored, check_each, check_no_orphans, check_text, stored_states};

fn check(facts: impl Fn(&str)) {
    check_each(DetectorConfig::NAMES, |name| name.to_string(), |name| facts(name));
}

fn build(name: &str) -> Box<dyn Detector> {
    let shape = Shape::numbers(0, LabelShape::None);
    DetectorConfig::by_name(name).unwrap().build(&shape).unwrap()
}

/// The reference stream: errors of 0 or 1, whose share changes every 3000 values.
fn error(index: u64) -> f64 {
    let share = [0.2, 0.5, 0.2, 0.4][(index / 3000) as usize % 4];
    f64::from(u8::from(random_unit(9, index) < share))
}

/// The verdicts over a part of the reference stream.
fn watch(detector: &mut dyn Detector, range: Range<u64>) -> Vec<Verdict> {
    range.map(|index| detector.update(error(index))).collect()
}

fn watched(name: &str, values: u64) -> Box<dyn Detector> {
    let mut detector = build(name);
    watch(&mut *detector, 0..values);
    detector
}

fn saved(detector: &dyn Detector) -> Vec<u8> {
    let mut to = Writer::new();
    detector.save(&mut to);
    to.into_bytes()
}

fn restored(name: &str, state: &[u8]) -> Result<Box<dyn Detector>, StateError> {
    let mut detector = build(name);
    let mut from = Reader::new(state);
    detector.restore(&mut from)?;
    from.end()?;
    Ok(detector)
}

#[test]
fn same_stream_same_bytes() {
    check(|name| assert_eq!(saved(&*watched(name, 5000)), saved(&*watched(name, 5000))));
}

#[test]
fn a_restored_state_saves_the_same_bytes_and_goes_on_alike() {
    check(|name| {
        for half in [0, 1, 31, 500, 3100, 4000] {
            let mut unbroken = watched(name, half);
            let state = saved(&*unbroken);
            let mut again = restored(name, &state).unwrap();
            assert_eq!(saved(&*again), state, "after {half} values");
            let verdicts = watch(&mut *unbroken, half..7000);
            assert_eq!(watch(&mut *again, half..7000), verdicts, "restored after {half} values");
            assert_eq!(saved(&*again), saved(&*unbroken), "restored after {half} values");
        }
    });
}

#[test]
fn a_fork_watches_on_its_own() {
    check(|name| {
        let original = watched(name, 500);
        let before = saved(&*original);
        let mut fork = original.fork();
        watch(&mut *fork, 500..4000);
        assert_eq!(saved(&*original), before);
        assert_eq!(saved(&*fork), saved(&*watched(name, 4000)));
    });
}

#[test]
fn what_stays_the_same_is_no_alarm() {
    check(|name| {
        for value in [0.0, 0.5, 1.0] {
            let mut detector = build(name);
            let drifts = |_: &u32| detector.update(value) == Verdict::Drift;
            assert_eq!((0..5000).filter(drifts).count(), 0, "always {value}");
        }
    });
}

#[test]
fn a_large_rise_is_found_within_a_thousand_values() {
    check(|name| {
        let mut detector = watched(name, 3000);
        assert!(watch(&mut *detector, 3000..4000).contains(&Verdict::Drift));
    });
}

#[test]
fn extreme_values_leave_a_state_that_loads() {
    const VALUES: [f64; 8] = [1e308, -1e308, 5e-324, 0.0, -0.0, f64::MAX, f64::MIN, 1.0];
    check(|name| {
        for past in [0, 500] {
            let mut detector = watched(name, past);
            for index in 0..2000 {
                detector.update(VALUES[(random_bits(4, index) % 8) as usize]);
            }
            // A state with a number that is not finite would be refused.
            let state = saved(&*detector);
            assert_eq!(saved(&*restored(name, &state).unwrap()), state);
        }
    });
}

#[test]
fn footprint_is_what_the_allocator_saw() {
    check(|name| {
        for values in [0, 1, 100, 10_000] {
            let (detector, seen) = live_bytes(|| watched(name, values));
            assert_footprint(detector.footprint_bytes(), seen);
        }
        let state = saved(&*watched(name, 2000));
        let (detector, seen) = live_bytes(|| restored(name, &state).unwrap());
        assert_footprint(detector.footprint_bytes(), seen);
    });
}

#[test]
fn damaged_states_never_panic() {
    check(|name| {
        let detector = watched(name, 2000);
        let (state, footprint) = (saved(&*detector), detector.footprint_bytes());
        let try_to_restore = |bytes: &[u8]| {
            let (result, largest) = largest_request(|| restored(name, bytes));
            assert_modest(largest, bytes.len(), footprint);
            match result {
                // Accepted: then it can go on.
                Ok(mut detector) => !watch(&mut *detector, 2000..2200).is_empty(),
                Err(_) => false,
            }
        };
        for bytes in 0..state.len() {
            assert!(!try_to_restore(&state[..bytes]), "{bytes} of {} bytes", state.len());
        }
        for bit in 0..8 * state.len().min(1000) {
            let mut bytes = state.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            try_to_restore(&bytes);
        }
        for counter in 0..100 {
            let random = (0..8 * counter).map(|index| random_bits(counter, index) as u8);
            let bytes: Vec<u8> = state[..2].iter().copied().chain(random).collect();
            try_to_restore(&bytes);
        }
    });
}

#[test]
fn its_alarms_are_the_golden_ones() {
    check(|name| {
        let mut detector = build(name);
        let mut text =
            String::from("share of errors 0.2, 0.5 from 3000, 0.2 from 6000, 0.4 from 9000\n");
        for (index, verdict) in watch(&mut *detector, 0..12_000).into_iter().enumerate() {
            if verdict == Verdict::Drift {
                writeln!(text, "drift at {index}").unwrap();
            }
        }
        let state = saved(&*detector);
        writeln!(text, "state {:016x}, {} bytes", hash64(&state, 0), state.len()).unwrap();
        check_text("detectors", name, &text);
    });
    check_no_orphans("detectors", DetectorConfig::NAMES);
}

#[test]
fn states_of_the_past_still_load() {
    check(|name| {
        let digest = |detector: &mut dyn Detector| {
            let verdicts = watch(detector, 3000..4000).into_iter();
            hash64(&verdicts.map(|verdict| verdict as u8).collect::<Vec<u8>>(), 0)
        };
        let mut detector = watched(name, 3000);
        let state = saved(&*detector);
        let newest = Stored { case: name.into(), state, answer: digest(&mut *detector) };
        for stored in stored_states("detector_states", name, &[newest]) {
            let mut detector = restored(name, &stored.state).unwrap();
            assert_eq!(digest(&mut *detector), stored.answer, "it goes on as it did");
        }
    });
    check_no_orphans("detector_states", DetectorConfig::NAMES);
}
