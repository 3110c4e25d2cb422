//! Windows by key, against all records of the past.

use crate::{
    FeatureStep, Layout, Over, Row, SlotKind, Span, StepComponent, Texts, Time, math,
    steps::{
        shared::tests::build,
        window::{Config, Distinct, Make, Quantile, Reach, Window},
    },
};

fn layout() -> Layout {
    let mut layout = Layout::default();
    layout.add_dense("x", "x".into(), SlotKind::Number);
    layout.add_id("card");
    layout
}

fn config(over: Reach, make: &[(&str, Make)]) -> Config {
    let make = make.iter().map(|(name, make)| (name.to_string(), make.clone())).collect();
    Config { by: Some("card".into()), over, make, ..Config::default() }
}

fn of_x(make: fn(String) -> Make) -> Make {
    make("x".into())
}

fn sliding(over: &str) -> Reach {
    Reach::Sliding(over.parse().unwrap())
}

/// What a step makes of a record; then it observes it.
fn next(step: &mut Window, made: usize, card: u64, x: f64, time: Time) -> Vec<f64> {
    let mut values = vec![77.0; 1 + made];
    values[0] = x;
    let (blocks, texts) = (&mut [][..], Texts::default());
    let mut row = Row { values: &mut values, blocks, ids: &[card], texts, time };
    step.apply(&mut row);
    step.observe(&row);
    values.split_off(1)
}

fn window(config: Config) -> Window {
    build(config, &mut layout()).unwrap()
}

#[test]
fn each_key_has_a_window_of_its_own() {
    let make = [("n", Make::Count), ("sum", of_x(Make::Sum))];
    let mut step = window(config(sliding("10 ms"), &make));
    assert_eq!(next(&mut step, 2, 7, 1.0, 0), [0.0, 0.0]);
    assert_eq!(next(&mut step, 2, 8, 10.0, 1), [0.0, 0.0]);
    assert_eq!(next(&mut step, 2, 7, 2.0, 9), [1.0, 1.0]);
    // What lies exactly the span back is out: the record at 0, whoever's.
    assert_eq!(next(&mut step, 2, 7, 4.0, 10), [1.0, 2.0]);
    assert_eq!(next(&mut step, 2, 8, 0.0, 11), [0.0, 0.0]);
    // Late by 8: it sees what is there at the clock, and counts from then on.
    assert_eq!(next(&mut step, 2, 7, 8.0, 3), [2.0, 6.0]);
    assert_eq!(next(&mut step, 2, 7, 0.0, 20), [1.0, 8.0]);
}

#[test]
fn a_tumbling_window_begins_anew_with_each_full_span() {
    let mut step = window(config(Reach::Tumbling(Over::Time(100)), &[("n", Make::Count)]));
    let counts: Vec<f64> =
        [-1, 0, 99, 100, 150, 199].map(|time| next(&mut step, 1, 7, 1.0, time)[0]).into();
    assert_eq!(counts, [0.0, 0.0, 1.0, 0.0, 1.0, 2.0]);

    let mut step = window(config(Reach::Tumbling(Over::Records(3)), &[("n", Make::Count)]));
    let counts: Vec<f64> = (0..7).map(|_| next(&mut step, 1, 7, 1.0, 0)[0]).collect();
    assert_eq!(counts, [0.0, 1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
}

#[test]
fn a_session_ends_with_a_gap() {
    let make = [("idle", Make::TimeSince), ("n", Make::Count)];
    let mut step = window(config(Reach::Session(Span(2000)), &make));
    let mut at = |time| next(&mut step, 2, 7, 1.0, time);
    assert_eq!(at(0), [2.0, 0.0]);
    assert_eq!(at(1999), [1.999, 1.0]);
    assert_eq!(at(2000), [0.001, 2.0]);
    assert_eq!(at(4000), [2.0, 0.0]);
}

/// After a half-life 1 weighs a half: the mean of 3 and 0 is 1, and the variance 2.
#[test]
fn in_a_decaying_window_the_past_weighs_less() {
    let make = [("a", Make::Count), ("b", of_x(Make::Mean)), ("c", of_x(Make::Variance))];
    for over in [Over::Time(1000), Over::Records(1)] {
        let mut step = window(config(Reach::Decay(over), &make));
        next(&mut step, 3, 7, 0.0, 0);
        next(&mut step, 3, 7, 1.5, 1000);
        let seen = next(&mut step, 3, 7, 0.0, 1000);
        let expected = [1.5, 1.0, 0.5];
        assert!(seen.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{seen:?}");
    }
    let mut step = window(config(Reach::Decay(Over::Time(1000)), &make));
    next(&mut step, 3, 7, 1e140, 0);
    assert_eq!(next(&mut step, 3, 7, 1.0, 1_000_000), [0.0; 3], "nothing is left of it");
    assert_eq!(next(&mut step, 3, 7, 1.0, 1_000_000), [1.0, 1.0, 0.0]);
}

#[test]
fn beyond_the_most_keys_the_one_unseen_for_longest_goes() {
    let counting = config(sliding("100 records"), &[("n", Make::Count)]);
    let mut step = window(Config { keys_max: 2, ..counting });
    let mut seen = |card| next(&mut step, 1, card, 1.0, 5)[0];
    assert_eq!([seen(1), seen(2), seen(1)], [0.0, 0.0, 1.0]);
    // All were seen at one time: the least key goes.
    assert_eq!([seen(3), seen(2), seen(3)], [0.0, 1.0, 1.0]);
    assert_eq!(seen(1), 0.0);
}

#[test]
fn distinct_values_are_counted_once() {
    let distinct = Make::Distinct(Distinct { of: "x".into(), bits: 4096 });
    let mut step = window(config(sliding("1000 ms"), &[("kinds", distinct)]));
    for record in 0..900 {
        let kinds = next(&mut step, 1, 7, f64::from(record % 40), record.into())[0];
        assert!((kinds - f64::from(record.min(40))).abs() <= 1.0, "{kinds} after {record}");
    }
    // 40 to 79 come in while 0 to 39 go out.
    let kinds = (900..2000)
        .map(|record| next(&mut step, 1, 7, f64::from(40 + record % 40), record.into())[0]);
    assert!((kinds.last().unwrap() - 40.0).abs() <= 1.0);
}

/// How a window by key is made, and what is left of a key's records by the words of the manual.
struct Case {
    over: Reach,
    panes: u64,
}

impl Case {
    /// The records of one key that its newest one sees: each with its clock and number.
    fn seen<'a>(&self, past: &'a [(f64, Time)], clock: Time) -> &'a [(f64, Time)] {
        let pane_of = |position: i64, length: u64, panes: u64| {
            let width = length.div_ceil(panes) as i64;
            (position.div_euclid(width), length as i64 / width)
        };
        let out = |over: Over, panes: u64| match over {
            Over::Time(span) => {
                let (newest, count) = pane_of(clock, span, panes);
                let is_out =
                    |(_, time): &&(f64, Time)| pane_of(*time, span, panes).0 <= newest - count;
                past.iter().take_while(is_out).count()
            }
            Over::Records(records) => {
                let (newest, count) = pane_of(past.len() as i64 - 1, records, panes);
                let is_out = |number: &i64| pane_of(*number, records, panes).0 <= newest - count;
                (0..past.len() as i64).take_while(is_out).count()
            }
        };
        match self.over {
            Reach::Sliding(over) => &past[out(over, self.panes)..],
            Reach::Tumbling(over) => &past[out(over, 1)..],
            Reach::Session(gap) => {
                let mut start = past.len();
                let mut next = clock;
                while start > 0 && next.abs_diff(past[start - 1].1) < gap.0 {
                    start -= 1;
                    next = past[start].1;
                }
                &past[start..]
            }
            Reach::Decay(_) => past,
        }
    }
}

fn of_all(values: &[f64], quantile: f64, newest: usize) -> [f64; 6] {
    let (count, sum) = (values.len() as f64, values.iter().sum::<f64>());
    let mean = if count > 0.0 { sum / count } else { 0.0 };
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    let least = values.iter().copied().reduce(f64::min).unwrap_or(0.0);
    let mut samples = values[values.len().saturating_sub(newest)..].to_vec();
    samples.sort_by(f64::total_cmp);
    let rank = ((quantile * samples.len() as f64).ceil() as usize).max(1) - 1;
    let quantile = samples.get(rank).copied().unwrap_or(0.0);
    [count, sum, mean, squares / count.max(1.0), least, quantile]
}

#[test]
fn any_window_is_what_it_is_from_scratch() {
    for seed in 0..80u64 {
        let draw = |counter: u64, below: u64| math::random_bits(seed, counter) % below;
        let length = 1 + draw(0, 120);
        let over = [Over::Time(length), Over::Records(length)][draw(1, 2) as usize];
        let over = match draw(2, 4) {
            0 => Reach::Tumbling(over),
            1 => Reach::Session(Span(1 + length / 8)),
            _ => Reach::Sliding(over),
        };
        let case = Case { over, panes: 1 + draw(3, 20) };
        let (at, newest) = (draw(4, 11) as f64 / 10.0, 1 + draw(5, 30));
        let make = [
            ("a", Make::Count),
            ("b", of_x(Make::Sum)),
            ("c", of_x(Make::Mean)),
            ("d", of_x(Make::Variance)),
            ("e", of_x(Make::Min)),
            ("f", Make::Quantile(Quantile { of: "x".into(), at, newest })),
        ];
        let mut step = window(Config { panes: case.panes, ..config(over, &make) });
        let mut past: [Vec<(f64, Time)>; 4] = Default::default();
        let (mut time, mut clock) = (-300, i64::MIN);
        for index in 0..400 {
            time += draw(10 + 3 * index, 12) as i64 - 3;
            clock = clock.max(time);
            let key = draw(11 + 3 * index, 4) as usize;
            // Whole numbers, so that every order of addition gives the same sum.
            let x = draw(12 + 3 * index, 2001) as f64 - 1000.0;
            let seen = next(&mut step, 6, key as u64, x, time);
            let values: Vec<f64> =
                case.seen(&past[key], clock).iter().map(|(value, _)| *value).collect();
            let expected = of_all(&values, at, newest as usize);
            for (seen, expected) in seen.iter().zip(expected) {
                let close = (seen - expected).abs() <= 1e-11 * expected.abs();
                assert!(close, "seed {seed}, record {index}: {seen} is not {expected}");
            }
            past[key].push((x, clock));
        }
    }
}

#[test]
fn a_million_keys_through_a_thousand_places_take_no_more() {
    let counting = config(sliding("100 records"), &[("n", Make::Count), ("x", of_x(Make::Sum))]);
    let mut step = window(Config { keys_max: 1000, ..counting });
    let mut hot = 0.0;
    let mut bytes = 0;
    for record in 0..300_000u64 {
        // Every other record is of one key, which is seen too often to be forgotten.
        let card = if record % 2 == 0 { 1 } else { math::random_bits(1, record) };
        let count = next(&mut step, 2, card, 1.0, record as Time)[0];
        hot = if record % 2 == 0 { count } else { hot };
        match record {
            50_000 => bytes = crate::State::footprint_bytes(&step),
            _ if record > 50_000 => {
                assert_eq!(bytes, crate::State::footprint_bytes(&step));
            }
            _ => {}
        }
    }
    assert!((99.0..=100.0).contains(&hot), "{hot}");
}

#[test]
fn what_cannot_fade_is_refused() {
    let over = Reach::Decay(Over::Time(5));
    for make in [of_x(Make::Min), Make::Quantile(Quantile { of: "x".into(), at: 0.5, newest: 9 })] {
        let error = build::<Window>(config(over, &[("f", make)]), &mut layout()).unwrap_err();
        assert_eq!(error.field, "make.f");
    }
    assert!(Window::reads(&config(over, &[("f", of_x(Make::Sum))])) == ["card", "x"]);
}

#[test]
fn every_way_to_reach_back_is_written_as_it_is_read() {
    for (text, reach) in [
        (r#""10 min""#, sliding("10 min")),
        (r#"{"tumbling":"1 h"}"#, Reach::Tumbling(Over::Time(3_600_000))),
        (r#"{"session":"30 min"}"#, Reach::Session(Span(1_800_000))),
        (r#"{"decay":"100 records"}"#, Reach::Decay(Over::Records(100))),
    ] {
        assert_eq!(serde_json::from_str::<Reach>(text).unwrap(), reach);
        assert_eq!(serde_json::to_string(&reach).unwrap(), text);
    }
    let sliding: Reach = serde_json::from_str(r#"{"sliding":"5 s"}"#).unwrap();
    assert_eq!(sliding, Reach::Sliding(Over::Time(5000)));
    for text in [r#"{"session":"5 records"}"#, r#"{"rolling":"5 s"}"#, "5", r#""5 m""#] {
        assert!(serde_json::from_str::<Reach>(text).is_err(), "{text}");
    }
}
