//! Windows without a key.

use super::{exact::FORMAT, *};
use crate::{Time, math, steps::shared::tests::*};

fn config(over: &str, make: &[(&str, Make)]) -> Config {
    let make = make.iter().map(|(name, make)| (name.to_string(), make.clone())).collect();
    Config { over: Reach::Sliding(over.parse().unwrap()), make, ..Config::default() }
}

/// Every kind of feature, in the order of the names.
fn every_kind(over: &str) -> Config {
    let x = || "x".to_string();
    config(
        over,
        &[
            ("a_count", Make::Count),
            ("b_sum", Make::Sum(x())),
            ("c_mean", Make::Mean(x())),
            ("d_variance", Make::Variance(x())),
            ("e_min", Make::Min(x())),
            ("f_max", Make::Max(x())),
        ],
    )
}

#[test]
fn features_are_named_by_make_in_the_order_of_the_names() {
    let config = config("2 records", &[("spend", Make::Sum("x".into())), ("n", Make::Count)]);
    assert_eq!(made::<Window>(config, &["x"]), ["step.n", "step.spend"]);
}

/// Over 2 records: 1 and 5 have mean 3 and variance 4; 5 and 3 have mean 4 and variance 1.
#[test]
fn a_record_sees_the_records_before_it() {
    let mut step: Window = build(every_kind("2 records"), &mut numbers(&["x"])).unwrap();
    assert_eq!(next(&mut step, &[1.0], 6, 0), [0.0; 6]);
    assert_eq!(next(&mut step, &[5.0], 6, 0), [1.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
    assert_eq!(next(&mut step, &[3.0], 6, 0), [2.0, 6.0, 3.0, 4.0, 1.0, 5.0]);
    assert_eq!(next(&mut step, &[0.0], 6, 0), [2.0, 8.0, 4.0, 1.0, 3.0, 5.0]);
}

#[test]
fn what_lies_a_whole_span_back_is_out() {
    let config = config("10 ms", &[("sum", Make::Sum("x".into()))]);
    let mut step: Window = build(config, &mut numbers(&["x"])).unwrap();
    assert_eq!(next(&mut step, &[1.0], 1, 0), [0.0]);
    assert_eq!(next(&mut step, &[2.0], 1, 9), [1.0]);
    assert_eq!(next(&mut step, &[4.0], 1, 10), [2.0]);
    // Late by 7: it sees what is there at the clock, and counts from then on.
    assert_eq!(next(&mut step, &[8.0], 1, 3), [6.0]);
    assert_eq!(next(&mut step, &[0.0], 1, 19), [12.0]);
    assert_eq!(next(&mut step, &[0.0], 1, 20), [0.0]);
}

/// At both ends of what a time can be, and over a span longer than all of them.
#[test]
fn the_least_and_the_greatest_time_are_times_like_others() {
    let counts = |over: &str, times: &[Time]| -> Vec<f64> {
        let config = config(over, &[("count", Make::Count)]);
        let mut step: Window = build(config, &mut numbers(&["x"])).unwrap();
        times.iter().map(|time| next(&mut step, &[1.0], 1, *time)[0]).collect()
    };
    let (least, greatest) = (Time::MIN, Time::MAX);
    assert_eq!(counts("10 ms", &[least, least + 9, least + 10]), [0.0, 1.0, 1.0]);
    assert_eq!(counts("10 ms", &[greatest - 9, greatest, greatest]), [0.0, 1.0, 2.0]);
    assert_eq!(counts("10 ms", &[least, greatest]), [0.0, 0.0]);
    let longest = format!("{} ms", u64::MAX);
    assert_eq!(counts(&longest, &[least, 0, greatest - 1, greatest]), [0.0, 1.0, 2.0, 2.0]);
}

#[test]
fn beyond_the_most_records_the_oldest_go() {
    let counting = config("1 h", &[("sum", Make::Sum("x".into()))]);
    let config = Config { records_max: 3, ..counting };
    let mut step: Window = build(config, &mut numbers(&["x"])).unwrap();
    let sums: Vec<f64> =
        (1..=6).map(|value| next(&mut step, &[f64::from(value)], 1, 0)[0]).collect();
    assert_eq!(sums, [0.0, 1.0, 3.0, 6.0, 9.0, 12.0]);
}

#[test]
fn asking_about_the_future_forgets_nothing() {
    let config = config("10 ms", &[("count", Make::Count)]);
    let mut step: Window = build(config, &mut numbers(&["x"])).unwrap();
    next(&mut step, &[1.0], 1, 0);
    let ask = |step: &Window, time| {
        let mut values = [0.0; 2];
        let (blocks, texts) = (&mut [][..], Default::default());
        step.apply(&mut Row { values: &mut values, blocks, ids: &[], texts, time });
        values[1]
    };
    assert_eq!([5, 10, 5].map(|time| ask(&step, time)), [1.0, 0.0, 1.0]);
    step.observe(&Row {
        values: &mut [1.0, 0.0],
        blocks: &mut [],
        ids: &[],
        texts: Default::default(),
        time: 5,
    });
    assert_eq!(ask(&step, 5), 2.0);
}

/// The window, recomputed from all records for each one.
fn naive(span: Option<i64>, records_max: usize, records: &[(f64, Time)]) -> Vec<[f64; 6]> {
    let mut answers = Vec::new();
    let mut clock = i64::MIN;
    let mut past: Vec<(f64, Time)> = Vec::new();
    for (value, time) in records {
        clock = clock.max(*time);
        let is_in = |(_, stamp): &&(f64, Time)| span.is_none_or(|span| *stamp > clock - span);
        let newest = &past[past.len().saturating_sub(records_max)..];
        let values: Vec<f64> = newest.iter().filter(is_in).map(|(value, _)| *value).collect();
        let (count, sum) = (values.len() as f64, values.iter().sum::<f64>());
        let mean = if count > 0.0 { sum / count } else { 0.0 };
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let least = values.iter().copied().reduce(f64::min).unwrap_or(0.0);
        let greatest = values.iter().copied().reduce(f64::max).unwrap_or(0.0);
        answers.push([count, sum, mean, squares / count.max(1.0), least, greatest]);
        past.push((*value, clock));
    }
    answers
}

#[test]
fn any_window_is_what_it_is_from_scratch() {
    for seed in 0..60u64 {
        let draw = |counter: u64, below: u64| math::random_bits(seed, counter) % below;
        let length = 1 + draw(0, 80);
        let records_max = 1 + draw(1, 60);
        let timed = draw(2, 2) == 0;
        let mut time = -500;
        let records: Vec<(f64, Time)> = (0..300)
            .map(|index| {
                // Whole numbers, so that every order of addition gives the same sum.
                time += draw(10 + 3 * index, 12) as i64 - 3;
                let jump = if draw(11 + 3 * index, 40) == 0 { 70 } else { 0 };
                (draw(12 + 3 * index, 2001) as f64 - 1000.0, time + jump)
            })
            .collect();
        let (over, most) = match timed {
            true => (format!("{length} ms"), records_max),
            false => (format!("{records_max} records"), records_max),
        };
        let config = Config { records_max, ..every_kind(&over) };
        let mut step: Window = build(config, &mut numbers(&["x"])).unwrap();
        let expected = naive(timed.then_some(length as i64), most as usize, &records);
        for (index, ((value, time), expected)) in records.iter().zip(expected).enumerate() {
            let seen = next(&mut step, &[*value], 6, *time);
            for (seen, expected) in seen.iter().zip(expected) {
                let close = (seen - expected).abs() <= 1e-12 * expected.abs();
                assert!(close, "seed {seed}, record {index}: {seen} is not {expected}");
            }
        }
    }
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let refused = |config: Config| build::<Window>(config, &mut numbers(&["x", "y"])).unwrap_err();
    let count = [("count", Make::Count)];
    let over =
        Config { over: Reach::Sliding(Over::Records(RECORDS_MAX + 1)), ..config("1 s", &count) };
    assert_eq!(refused(over).field, "over");
    let most = Config { records_max: 0, ..config("1 s", &count) };
    assert_eq!(refused(most).field, "records_max");
    assert_eq!(refused(Config::default()).field, "make");
    assert_eq!(refused(config("1 s", &[("a.b", Make::Count)])).field, "make");
    let error = refused(config("1 s", &[("spend", Make::Sum("z".into()))]));
    assert_eq!(error.field, "make.spend.sum");
}

/// With nothing but a count, a record takes no bytes, so the bytes that are there bound
/// nothing.
#[test]
fn a_state_of_impossible_numbers_is_refused_at_once() {
    let restored = |first: u64, count: usize| {
        let config = config("9 records", &[("count", Make::Count)]);
        let mut step: Window = build(config, &mut numbers(&["x"])).unwrap();
        let mut to = Writer::new();
        to.u16(FORMAT);
        to.u64(first);
        to.bool(false);
        to.len(count);
        step.restore(&mut Reader::new(to.bytes()))
    };
    let refused = Err(StateError::Unfit { what: "window has too many records" });
    assert_eq!(restored(0, 9), Ok(()));
    assert_eq!(restored(0, 10), refused);
    assert_eq!(restored(0, usize::MAX), refused);
    assert_eq!(restored(u64::MAX, 9), refused);
}

#[test]
fn a_choice_is_a_word_or_a_kind_and_its_number() {
    let text =
        r#"{ "over": "10 min", "make": { "count": "count", "heat": { "mean": "celsius" } } }"#;
    let read: Config = serde_json::from_str(text).unwrap();
    assert_eq!(read.over, Reach::Sliding(Over::Time(600_000)));
    assert_eq!(read.make["count"], Make::Count);
    assert_eq!(read.make["heat"], Make::Mean("celsius".into()));
}
