//! Event times that are too late, or from the future; and time that passes without records.

use alluvium_flow::{Batch, Effects, Headers, Input, Pipeline};
use serde_json::{Value, json};

use crate::{file, mistakes, outputs, pipeline, take};

const HOUR: i64 = 3_600_000;

/// The small file with an event time, and more settings of its input.
fn timed(more: Value) -> Value {
    let mut file = file();
    let input = &mut file["input"]["x"];
    input["format"]["csv"]["columns"] = json!(["a", "b", "who", "class", "at"]);
    input["time"] = json!({ "ms": "at" });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    file
}

/// Lets a pipeline read records of these event times, logged at another time.
fn at(pipeline: &mut Pipeline, logged: i64, times: &[i64]) -> Effects {
    let mut batch = Batch::new();
    for (offset, time) in (pipeline.counters().read..).zip(times) {
        let value = format!("1,2,me,no,{time}");
        batch.push(offset, logged, None, Some(value.as_bytes()), Headers::default());
    }
    take(pipeline, &batch)
}

fn refused(pipeline: &Pipeline) -> Vec<(&str, u64)> {
    let counted = pipeline.counters().refused_by.iter();
    counted.map(|(code, count)| (code.as_str(), *count)).collect()
}

#[test]
fn what_is_later_than_late_max_is_refused_and_told_with_both_times() {
    let mut pipeline = pipeline(&timed(json!({ "late_max": "10 s" })));
    let base = 1_795_266_000_000;
    let effects = at(&mut pipeline, base, &[base, base - 10_000, base - 10_001, base + 1]);
    assert_eq!(refused(&pipeline), [("late", 1)]);
    let counters = pipeline.counters();
    assert_eq!((counters.read, counters.learned, counters.refused), (4, 3, 1));
    assert_eq!(counters.time, Some(base + 1));
    let all = outputs(&effects);
    let letter = all.iter().find(|output| output["reason"] == "late").unwrap();
    assert_eq!(letter["at"], "x:0:2");
    assert_eq!(
        letter["explained"],
        "the event time is further behind the watermark than `late_max`: \
         2026-11-21T12:59:49.999Z after 2026-11-21T13:00:00.000Z"
    );
}

/// A sparse partition is read as early as its record before, so its times must not make those of a
/// busy one late.
#[test]
fn one_record_alone_makes_nothing_late() {
    let mut pipeline = pipeline(&timed(json!({ "late_max": "10 s" })));
    let times = [1_000, 2_000, HOUR, 3_000, 4_000].map(|time| time + HOUR);
    at(&mut pipeline, 3 * HOUR, &times);
    assert_eq!((refused(&pipeline), pipeline.counters().time), (vec![], Some(2 * HOUR)));
    // Two of them agree.
    at(&mut pipeline, 3 * HOUR, &[2 * HOUR, 2 * HOUR, HOUR + 5_000]);
    assert_eq!(refused(&pipeline), [("late", 1)]);
    let mut again = crate::pipeline(&timed(json!({ "late_max": "10 s" })));
    again.restore(&pipeline.save()).unwrap();
    assert_eq!((again.counters(), again.save()), (pipeline.counters(), pipeline.save()));
}

#[test]
fn without_late_max_nothing_is_too_late() {
    let mut pipeline = pipeline(&timed(json!({})));
    at(&mut pipeline, 5 * HOUR, &[5 * HOUR, 0]);
    assert_eq!(refused(&pipeline), []);
}

#[test]
fn a_record_from_2099_never_moves_time() {
    let file = timed(json!({ "late_max": "0 ms" }));
    let mut pipeline = pipeline(&file);
    let wild = 4_070_908_800_000;
    let effects = at(&mut pipeline, 9 * HOUR, &[9 * HOUR, wild, 10 * HOUR, 10 * HOUR + 1]);
    assert_eq!(refused(&pipeline), [("ahead", 2)]);
    assert_eq!(pipeline.counters().time, Some(10 * HOUR));
    let told = &outputs(&effects).into_iter().find(|one| one["reason"] == "ahead").unwrap();
    assert_eq!(
        told["explained"],
        "the event time is further ahead of the log's own timestamp than `ahead_max`: \
         2099-01-01T00:00:00.000Z in a record of 1970-01-01T09:00:00.000Z"
    );
    let mut further = crate::pipeline(&timed(json!({ "ahead_max": "50000 d" })));
    at(&mut further, 9 * HOUR, &[wild]);
    assert_eq!(further.counters().time, Some(wild));
}

#[test]
fn records_that_come_too_late_count_in_the_budget_of_refusals() {
    let mut file = timed(json!({ "late_max": "1 s" }));
    file["refusals"] = json!({ "over": "4 records" });
    let mut pipeline = pipeline(&file);
    at(&mut pipeline, HOUR, &[HOUR, 0, 1, HOUR]);
    assert_eq!(pipeline.refused_recently(), (2, 4));
}

#[test]
fn a_passed_time_makes_late_what_it_leaves_behind() {
    let mut pipeline = pipeline(&timed(json!({ "late_max": "1 s" })));
    at(&mut pipeline, HOUR, &[HOUR]);
    pipeline.step(Input::Tick(HOUR + 2_000), &mut Effects::default());
    at(&mut pipeline, HOUR, &[HOUR + 500]);
    assert_eq!(refused(&pipeline), [("late", 1)]);
}

#[test]
fn what_cannot_be_ahead_has_no_ahead_max() {
    let mut file = file();
    for (text, count) in [("1 h", 0), ("60 min", 0), ("2 h", 1)] {
        file["input"]["x"]["ahead_max"] = text.into();
        let found = mistakes(&file);
        assert_eq!(found.len(), count, "{found:?}");
        for mistake in found {
            assert_eq!(mistake.path, "input.x.ahead_max");
        }
    }
    // The log's own timestamp can be late all the same.
    file["input"]["x"] = json!({ "format": file["input"]["x"]["format"], "late_max": "1 s" });
    assert_eq!(mistakes(&file), []);
}

#[test]
fn something_is_due_only_by_time_and_only_if_something_was_learned() {
    let mut file = timed(json!({}));
    file["versions"] = json!({ "every": "1 h" });
    let mut by_time = pipeline(&file);
    assert_eq!(by_time.due(), None);
    at(&mut by_time, HOUR, &[10]);
    assert_eq!(by_time.due(), Some(HOUR));
    let mut effects = Effects::default();
    by_time.step(Input::Tick(HOUR - 1), &mut effects);
    assert_eq!((by_time.due(), effects.models.len()), (Some(HOUR), 0));
    by_time.step(Input::Tick(HOUR), &mut effects);
    assert_eq!(by_time.registry().of("linear").unwrap().newest, 1);
    assert_eq!(by_time.due(), None);
    // A record that is refused teaches nothing.
    at(&mut by_time, HOUR, &[i64::MAX]);
    assert_eq!(by_time.due(), None);
    at(&mut by_time, HOUR, &[HOUR]);
    assert_eq!(by_time.due(), Some(2 * HOUR));

    file["versions"] = json!({ "every": "1 records" });
    let mut by_count = pipeline(&file);
    at(&mut by_count, HOUR, &[10]);
    assert_eq!(by_count.due(), None);
    let before = by_count.registry().of("linear").unwrap().newest;
    by_count.step(Input::Tick(HOUR), &mut effects);
    assert_eq!(by_count.registry().of("linear").unwrap().newest, before);
}
