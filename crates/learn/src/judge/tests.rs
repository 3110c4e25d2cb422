//! Judges held against sums that are made anew each time.

use super::*;
use crate::{
    math::{random_bits, random_unit},
    metrics::accuracy,
};

fn class_shape() -> Shape {
    Shape::numbers(1, LabelShape::Class { values_max: 2 })
}

fn named(names: &[&str]) -> Vec<MetricConfig> {
    names.iter().map(|name| MetricConfig::by_name(name).unwrap()).collect()
}

fn accuracy_over(over: Over) -> Judge {
    let metrics = vec![MetricConfig::Accuracy(accuracy::Config {})];
    Judge::new(metrics, over, &class_shape(), Task::Class).unwrap()
}

/// Answers 1, where the truth is 1 or 0.
fn answer(judge: &mut Judge, is_right: bool, time: Time) {
    let mut answer = Prediction::default();
    answer.set_binary(0.8);
    let label = Label::Class(is_right.into());
    assert!(judge.update(&answer, label, f64::NAN, time).is_some());
}

/// A number that is far off once in a while, as labels are.
fn wild_number(index: u64) -> Outcome {
    let scale = if random_bits(3, index).is_multiple_of(50) { 1e10 } else { 1.0 };
    Outcome {
        answer: random_unit(1, index),
        truth: random_unit(2, index) * scale,
        truth_before: f64::NAN,
        probability: 0.0,
        second: 0.0,
        weight: 1.0,
    }
}

fn saved(judge: &Judge) -> Vec<u8> {
    let mut to = Writer::new();
    judge.save(&mut to);
    to.into_bytes()
}

#[test]
fn a_window_of_records_holds_the_newest() {
    let mut judge = accuracy_over(Over::Records(4));
    for is_right in [true, false, true, true, true, true] {
        answer(&mut judge, is_right, 0);
    }
    assert_eq!(judge.window(0), Some(1.0));
    assert_eq!(judge.whole(0), Some(5.0 / 6.0));
    assert_eq!((judge.judged(), judge.window_len(), judge.len()), (6, 4, 1));
    assert_eq!((judge.name(0), judge.about(0).higher_is_better), ("accuracy", true));
}

#[test]
fn a_window_of_time_ends_at_the_greatest_time() {
    let mut judge = accuracy_over(Over::Time(100));
    answer(&mut judge, false, 1000);
    answer(&mut judge, true, 1050);
    assert_eq!(judge.window(0), Some(0.5));
    answer(&mut judge, true, 1100);
    assert_eq!((judge.window(0), judge.window_len()), (Some(1.0), 2));

    // A late one counts from now on, and does not set the clock back.
    answer(&mut judge, false, 0);
    assert_eq!((judge.window(0), judge.window_len()), (Some(2.0 / 3.0), 3));
    judge.advance(1199);
    assert_eq!((judge.window(0), judge.window_len()), (Some(0.5), 2));
    judge.advance(1200);
    assert_eq!((judge.window(0), judge.window_len()), (None, 0));
    assert_eq!(judge.whole(0), Some(0.5));
}

#[test]
fn the_ends_of_time_are_fine() {
    let mut judge = accuracy_over(Over::Time(u64::MAX));
    for time in [Time::MIN, 0, Time::MAX, Time::MIN] {
        answer(&mut judge, true, time);
    }
    assert_eq!(judge.window_len(), 3);
}

#[test]
fn nothing_to_judge_changes_nothing() {
    let mut judge = accuracy_over(Over::Records(4));
    let before = saved(&judge);
    assert_eq!(judge.update(&Prediction::default(), Label::None, f64::NAN, 5), None);
    assert_eq!(saved(&judge), before);
}

#[test]
fn a_windows_figure_is_that_of_its_outcomes_alone() {
    let shape = Shape::numbers(1, LabelShape::Number);
    let new = |count| {
        let metrics = named(&["mae", "rmse", "r2"]);
        Judge::new(metrics, Over::Records(count), &shape, Task::Number).unwrap()
    };
    for count in [1, 7, 1500] {
        let mut judge = new(count);
        for index in 0..8_000 {
            judge.add(&wild_number(index), 0);
            if index % 997 != 0 || index < count {
                continue;
            }
            let mut fresh = new(count);
            (index + 1 - count..=index).for_each(|index| fresh.add(&wild_number(index), 0));
            for metric in 0..3 {
                assert_eq!(judge.window(metric), fresh.whole(metric), "{metric} at {index}");
            }
        }
    }
}

#[test]
fn noted_at_once_or_one_by_one_is_the_same() {
    for over in [Over::Records(30), Over::Time(50)] {
        let (mut noted, mut added) = (accuracy_over(over), accuracy_over(over));
        for index in 0..1000u64 {
            let mut said = Prediction::default();
            said.set_binary(random_unit(1, index));
            let (label, time) = (Label::Class(u32::from(index % 3 == 0)), index as Time);
            noted.note(&said, label, f64::NAN, time);
            added.update(&said, label, f64::NAN, time);
            if random_bits(2, index).is_multiple_of(70) {
                noted.settle();
                assert_eq!(saved(&noted), saved(&added), "after {index}");
            }
        }
    }
}

#[test]
fn a_restored_judge_goes_on_alike() {
    let names = ["log_loss", "roc_auc", "kappa_t", "f1"];
    for over in [Over::Records(30), Over::Time(500)] {
        let new = || Judge::new(named(&names), over, &class_shape(), Task::Class).unwrap();
        let outcome = |index: u64| Outcome {
            answer: f64::from(random_unit(1, index) > 0.4),
            truth: f64::from(random_unit(2, index) > 0.6),
            truth_before: f64::from(random_unit(3, index) > 0.5),
            probability: random_unit(4, index),
            second: random_unit(5, index),
            weight: 0.1 + random_unit(6, index),
        };
        let time = |index: u64| (random_bits(7, index) % 40 + 20 * index) as Time;
        let mut judge = new();
        (0..1700).for_each(|index| judge.add(&outcome(index), time(index)));
        let mut again = new();
        let bytes = saved(&judge);
        let mut from = Reader::new(&bytes);
        again.restore(&mut from).unwrap();
        assert_eq!(from.end(), Ok(()));
        assert_eq!(saved(&again), bytes);
        for index in 1700..4000 {
            judge.add(&outcome(index), time(index));
            again.add(&outcome(index), time(index));
        }
        assert_eq!(saved(&again), saved(&judge));
    }
}

#[test]
fn what_does_not_suit_is_refused_by_name() {
    let refused = |names: &[&str], over, label, task| {
        let shape = Shape::numbers(1, label);
        Judge::new(named(names), over, &shape, task).err().unwrap().field
    };
    let (over, class) = (Over::Records(10), LabelShape::Class { values_max: 3 });
    assert_eq!(refused(&["accuracy", "mae"], over, class, Task::Class), "metrics.mae");
    assert_eq!(refused(&["roc_auc"], over, class, Task::Class), "metrics.roc_auc");
    assert_eq!(refused(&["accuracy"], over, class, Task::Cluster), "metrics.accuracy");
    assert_eq!(refused(&["accuracy"], Over::Records(1_000_001), class, Task::Class), "over");
    assert_eq!(refused(&["accuracy"], over, class, Task::Score), "metrics.accuracy");
    assert_eq!(refused(&[], over, LabelShape::None, Task::Number), "");

    let shape = Shape::numbers(1, class);
    assert!(Judge::new(named(&["sum_of_squares"]), over, &shape, Task::Cluster).is_ok());
    assert!(Judge::new(named(&[]), over, &shape, Task::Score).is_ok());
}

#[test]
fn the_curve_is_of_the_window() {
    let mut judge = accuracy_over(Over::Records(2));
    for is_right in [false, true, true] {
        answer(&mut judge, is_right, 0);
    }
    assert_eq!(judge.curve().points(), [Some(0.0), Some(0.5), Some(1.0)]);
    assert_eq!(judge.curve().every(), 1);
}
