//! Models that join a pipeline, and models that leave it, each case played by hand.
#![allow(clippy::unwrap_used)]

#[path = "support/append.rs"]
mod append;
#[path = "support/options.rs"]
mod options;

use std::{collections::BTreeMap, sync::Arc};

use alluvium_flow::{Batch, Decision, Effects, Gap, Joins, News, Settings, spec::Spec};
use alluvium_ledger::{
    control::{Control, Fold, Origin},
    keeper::{Halt, Keeper, Next, Options, Relearn, Relearned, Signals},
    log::{Log, Policy, Polled, Span},
};
use alluvium_sim::{Faults, VirtualLog};
use append::append;
use options::options;
use serde_json::{Value, json};

const KEEP: Policy = Policy::Delete { retention_ms: None };
const GO: Signals = Signals { lease: true, stop: false };
const SEVERAL: u64 = 200;

/// A pipeline of some of three models. The third brings a field and steps of its own, and shares
/// others.
fn file(models: &[&str]) -> Value {
    let mut file = json!({
        "name": "p",
        "input": { "x": { "format": { "json": {} } } },
        "fields": { "a": { "number": {} }, "kind": { "category": { "values_max": 4 } } },
        "label": { "field": "y", "type": { "class": { "values": ["0", "1"] } } },
        "features": {
            "scaled": { "standardize": { "of": ["a"] } },
            "before": { "lag": { "of": ["label"] } },
        },
        "model": {
            "first": { "use": ["scaled"], "learner": { "logistic_regression": {} } },
            "second": { "use": ["a", "kind"], "learner": { "hoeffding_tree": {
                "grace_period": 20, "delta": 0.2 } } },
        },
        "judge": { "metrics": [{ "accuracy": {} }], "over": "50 records",
            "drift": { "adwin": { "delta": 0.9, "clock": 1 } } },
        "versions": { "every": "30 records" },
    });
    if models.contains(&"third") {
        file["input"]["x"]["paths"] = json!({ "b": "more.b" });
        file["fields"]["b"] = json!({ "number": { "missing": "mean" } });
        file["features"]["recent"] = json!({ "window": { "over": "5 records", "make": {
            "mean": { "mean": "b" } } } });
        file["model"]["third"] = json!({
            "use": ["scaled", "recent", "before", "b"],
            "learner": { "logistic_regression": { "optimizer": { "sgd": { "step": 0.3 } } } },
        });
    }
    let model = file["model"].as_object_mut().unwrap();
    model.retain(|name, _| models.contains(&name.as_str()));
    file
}

fn settings(file: &Value) -> Arc<Settings> {
    let spec: Spec = serde_json::from_value(file.clone()).unwrap();
    Arc::new(Settings::of(&spec))
}

fn of(models: &[&str]) -> Arc<Settings> {
    settings(&file(models))
}

/// Small cuts, and little room to read ahead.
fn small(settings: &Arc<Settings>) -> Options {
    Options { cut_records_max: 7, buffer_bytes: 1 << 12, ..options(settings) }
}

fn log() -> VirtualLog {
    let mut log = VirtualLog::new(7, Faults::none());
    for topic in ["x", "p.control"] {
        log.create(topic, 1, KEEP).unwrap();
    }
    log
}

/// Lets records arrive; some are turned away, and some have gaps.
fn arrive(log: &mut VirtualLog, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let (a, b) = (number * 37 % 101, number * 53 % 89);
        let label = u64::from(a > 50) ^ u64::from(number % 11 == 0);
        let b = if number % 5 == 0 { Value::Null } else { json!(b) };
        let mut record = json!({ "a": a, "kind": format!("k{}", number % 6), "y": label,
            "more": { "b": b } });
        match number % 13 {
            0 => record["a"] = json!("x"),
            1 => drop(record.as_object_mut().unwrap().remove("more")),
            _ => {}
        }
        append(log, "x", record.to_string().as_bytes());
    }
}

fn request(log: &mut VirtualLog, ask: Decision) {
    append(log, "p.control", &Control::Request { ask, by: "a test".into(), id: None }.encode());
}

/// Runs to the end of what is there, and returns the news.
fn run(log: &VirtualLog, options: Options) -> Result<Vec<News>, Halt> {
    let mut keeper = Keeper::new(log.client(), options);
    finish(&mut keeper)
}

fn finish(keeper: &mut Keeper<VirtualLog>) -> Result<Vec<News>, Halt> {
    let mut news = Vec::new();
    for now in 0..100_000 {
        let next = keeper.turn(now, GO)?;
        keeper.take_news(&mut news);
        if next == Next::Done {
            return Ok(news);
        }
    }
    panic!("no end: {:?}", keeper.progress());
}

/// The identity of each model where all is learned.
fn digests(log: &VirtualLog, settings: &Arc<Settings>) -> BTreeMap<String, String> {
    let mut keeper = Keeper::new(log.client(), small(settings));
    finish(&mut keeper).unwrap();
    let pipeline = keeper.pipeline().unwrap();
    let names = pipeline.judges().filter(|(_, _, is_model)| *is_model);
    names.map(|(name, ..)| (name.to_string(), pipeline.state_digest(name).unwrap())).collect()
}

/// Model, records and digest of each version of some models, by what was learned.
fn versions(news: &[News], models: &[&str]) -> Vec<(String, String, String)> {
    let versions = news.iter().filter_map(|news| match news {
        News::Version { model, at, state_digest, .. } if models.contains(&&**model) => {
            Some((model.to_string(), at.clone(), state_digest.clone()))
        }
        _ => None,
    });
    versions.collect()
}

const TWO: [&str; 2] = ["first", "second"];
const THREE: [&str; 3] = ["first", "second", "third"];

/// A pipeline that a model joins: two models first, three from the middle on.
fn joined(ask: impl Fn(&mut VirtualLog)) -> (VirtualLog, Vec<News>) {
    let mut log = log();
    arrive(&mut log, 0..SEVERAL);
    let mut news = run(&log, small(&of(&TWO))).unwrap();
    ask(&mut log);
    arrive(&mut log, SEVERAL..SEVERAL + 45);
    news.extend(run(&log, small(&of(&THREE))).unwrap());
    arrive(&mut log, SEVERAL + 45..2 * SEVERAL);
    news.extend(run(&log, small(&of(&THREE))).unwrap());
    (log, news)
}

/// The same with one and the same file all the way.
fn all_along(models: &[&str], ask: impl Fn(&mut VirtualLog)) -> (VirtualLog, Vec<News>) {
    let mut log = log();
    let settings = of(models);
    arrive(&mut log, 0..SEVERAL);
    let mut news = run(&log, small(&settings)).unwrap();
    ask(&mut log);
    arrive(&mut log, SEVERAL..SEVERAL + 45);
    news.extend(run(&log, small(&settings)).unwrap());
    arrive(&mut log, SEVERAL + 45..2 * SEVERAL);
    news.extend(run(&log, small(&settings)).unwrap());
    (log, news)
}

#[test]
fn a_model_that_joins_is_what_it_were_had_it_always_been_there() {
    let decisions: [fn(&mut VirtualLog); 3] = [
        |_| (),
        |log| request(log, Decision::Reset { model: None }),
        |log| {
            request(log, Decision::Reset { model: Some("first".into()) });
            request(log, Decision::Promote { model: "second".into(), version: None });
        },
    ];
    for ask in decisions {
        let (log, news) = joined(ask);
        let (three, _) = all_along(&THREE, ask);
        assert_eq!(digests(&log, &of(&THREE)), digests(&three, &of(&THREE)));
        let (_, without) = all_along(&TWO, ask);
        assert_eq!(versions(&news, &TWO), versions(&without, &TWO), "the others are as they were");
        assert!(news.iter().any(|news| matches!(news, News::Joined { .. })));
    }
}

/// The third model's versions, with their numbers.
fn numbers(news: &[News], name: &str) -> Vec<u64> {
    let versions = news.iter().filter_map(|news| match news {
        News::Version { model, version, .. } if **model == *name => Some(*version),
        _ => None,
    });
    versions.collect()
}

#[test]
fn a_joined_model_answers_and_is_published_from_there_on() {
    let (mut log, news) = joined(|_| ());
    let numbers = numbers(&news, "third");
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    let mut answered = Vec::new();
    for (offset, value) in values(&mut log, "p.predictions") {
        let answer: Value = serde_json::from_slice(&value).unwrap();
        answered.extend((answer["model"] == "third").then_some(offset));
    }
    let first = news.iter().find_map(|news| match news {
        News::Joined { records, .. } => Some(*records),
        _ => None,
    });
    let refused = |range: std::ops::Range<u64>| range.filter(|n| n % 13 == 0).count();
    let since = first.unwrap();
    assert!((SEVERAL..SEVERAL + 45).contains(&since), "{since}");
    let learned = (2 * SEVERAL - since) as usize - refused(since..2 * SEVERAL);
    assert_eq!(answered.len(), learned);
}

/// The values of a topic, with their offsets.
fn values(log: &mut VirtualLog, topic: &str) -> Vec<(u64, Vec<u8>)> {
    let ends = log.ends(topic).unwrap().unwrap().partitions[0];
    let span = Span { topic: topic.into(), partition: 0, from: 0, to: Some(ends.stable) };
    let (mut reader, mut batch) = (log.reader(&[span]).unwrap(), Batch::new());
    let mut values = Vec::new();
    while reader.poll(&mut batch).unwrap() == Polled::Records {
        let found = batch.iter().filter_map(|one| Some((one.offset, one.value?.to_vec())));
        values.extend(found);
    }
    values
}

#[test]
fn whoever_dies_while_something_joins_is_followed() {
    let (expected, _) = all_along(&THREE, |_| ());
    let expected = digests(&expected, &of(&THREE));
    // A turn learns little, so that each of these deaths is another one.
    for deaths in [1, 2, 5, 9, 14, 20, 21, 22, 23, 24, 25, 26, 27, 28, 30, 40, 60] {
        let mut log = log();
        arrive(&mut log, 0..SEVERAL);
        run(&log, small(&of(&TWO))).unwrap();
        arrive(&mut log, SEVERAL..2 * SEVERAL);
        let mut keeper = Keeper::new(log.client(), small(&of(&THREE)));
        keeper.bound_turns(40);
        for now in 0..deaths * 3 {
            keeper.turn(now, GO).unwrap();
        }
        drop(keeper);
        assert_eq!(digests(&log, &of(&THREE)), expected, "died after {} turns", deaths * 3);
        // Whoever learns all of it again comes to the same versions, the joined model's too.
        let mut relearn = Relearn::new(&mut log, "p.control").unwrap();
        let mut effects = Effects::default();
        while relearn.turn(&mut log, 64, &mut effects, &mut |_, _| usize::MAX).unwrap()
            != Relearned::Done
        {}
        let pipeline = relearn.pipeline().unwrap();
        for (model, digest) in &expected {
            assert_eq!(pipeline.state_digest(model).as_ref(), Some(digest), "{model}");
        }
    }
}

#[test]
fn the_present_goes_on_while_the_past_is_learned() {
    let mut log = log();
    arrive(&mut log, 0..SEVERAL);
    run(&log, small(&of(&TWO))).unwrap();
    let mut keeper = Keeper::new(log.client(), Options { follow: true, ..small(&of(&THREE)) });
    keeper.bound_turns(8);
    let (mut joining, mut news, mut now) = (Vec::new(), Vec::new(), 0);
    while !news.iter().any(|news| matches!(news, News::Joined { .. })) {
        if now % 4 == 0 && now < 400 {
            arrive(&mut log, SEVERAL + now / 4..SEVERAL + now / 4 + 1);
        }
        keeper.turn(now as i64, GO).unwrap();
        keeper.take_news(&mut news);
        let progress = keeper.progress();
        joining.extend(progress.joining.map(|joining| (joining.read, progress.step)));
        now += 1;
    }
    assert!(joining.iter().any(|(past, step)| *past < 100 && *step > SEVERAL), "{joining:?}");
    assert!(joining.is_sorted(), "{joining:?}");
    for now in now..now + 100 {
        keeper.turn(now as i64, GO).unwrap();
    }
    assert_eq!(keeper.progress().joining, None, "a manifest holds it");
}

#[test]
fn a_past_that_has_expired_halts_and_what_joins_may_begin_here() {
    let mut log = log();
    arrive(&mut log, 0..SEVERAL);
    run(&log, small(&of(&TWO))).unwrap();
    log.expire("x", 0, 50);
    let wanted = of(&THREE);
    let Err(Halt::Changed { unfit: Some(why), .. }) = run(&log, small(&wanted)) else { panic!() };
    assert!(why.starts_with("third would learn the past first: offset 0 of x:0"), "{why}");
    request(&mut log, Decision::Begin { settings: wanted.clone() });
    arrive(&mut log, SEVERAL..2 * SEVERAL);
    let news = run(&log, small(&wanted)).unwrap();
    assert_eq!(numbers(&news, "third")[0], 1);
    let (_, without) = all_along(&TWO, |_| ());
    let without: Vec<_> = versions(&without, &TWO).into_iter().rev().take(2).collect();
    let with: Vec<_> = versions(&news, &TWO).into_iter().rev().take(2).collect();
    assert_eq!(with, without, "the others are as they were");
}

#[test]
fn a_field_that_turns_records_away_does_not_join() {
    let mut log = log();
    arrive(&mut log, 0..SEVERAL);
    run(&log, small(&of(&TWO))).unwrap();
    let mut wanted = file(&THREE);
    wanted["fields"]["b"] = json!({ "number": {} });
    let halted = run(&log, small(&settings(&wanted)));
    let Err(Halt::Changed { unfit: Some(why), .. }) = halted else { panic!("{halted:?}") };
    let says = ["field b joins", "would be refused", "b.number = { missing = \"mean\" }"];
    assert!(says.iter().all(|part| why.contains(part)), "{why}");
    assert!(run(&log, small(&of(&TWO))).is_ok(), "the file was put back");
}

#[test]
fn what_leaves_changes_nothing_of_the_others_and_may_come_again() {
    let mut log = log();
    arrive(&mut log, 0..SEVERAL);
    let mut news = run(&log, small(&of(&THREE))).unwrap();
    let before = numbers(&news, "third").len() as u64;
    request(&mut log, Decision::Adopt { settings: of(&TWO) });
    arrive(&mut log, SEVERAL..SEVERAL + 45);
    news.extend(run(&log, small(&of(&TWO))).unwrap());
    arrive(&mut log, SEVERAL + 45..2 * SEVERAL);
    let again = run(&log, small(&of(&THREE))).unwrap();
    let (three, all) = all_along(&THREE, |_| ());
    assert_eq!(digests(&log, &of(&THREE)), digests(&three, &of(&THREE)));
    assert_eq!(numbers(&again, "third")[0], before + 1, "no number is used twice");
    news.extend(again);
    assert_eq!(versions(&news, &TWO), versions(&all, &TWO));
}

#[test]
fn a_rename_is_a_leave_and_a_join() {
    let mut log = log();
    arrive(&mut log, 0..SEVERAL);
    run(&log, small(&of(&THREE))).unwrap();
    let mut renamed = file(&THREE);
    let third = renamed["model"].as_object_mut().unwrap().remove("third").unwrap();
    renamed["model"]["fourth"] = third;
    let wanted = settings(&renamed);
    let halted = run(&log, small(&wanted));
    assert!(matches!(halted, Err(Halt::Changed { unfit: None, .. })), "{halted:?}");
    let joins = Joins::between(&of(&THREE), &wanted).unwrap();
    let settings = joins.adoptable(&of(&THREE), &wanted).unwrap();
    request(&mut log, Decision::Adopt { settings });
    let news = run(&log, small(&wanted)).unwrap();
    assert!(
        matches!(&news[..], [.., News::Version { model, version: 1, .. }] if &**model == "fourth")
    );
    let digest = digests(&log, &wanted)["fourth"].clone();
    assert_eq!(digest, digests(&all_of_the_first(), &of(&THREE))["third"], "by another name");
}

/// The first half, learned by three models.
fn all_of_the_first() -> VirtualLog {
    let mut log = log();
    arrive(&mut log, 0..SEVERAL);
    run(&log, small(&of(&THREE))).unwrap();
    log
}

/// What is born of the pipeline as it is.
fn origin(log: &mut VirtualLog, settings: &Arc<Settings>, without: Vec<Gap>) -> Origin {
    let (mut fold, mut upto) = (Fold::default(), 0);
    for (offset, value) in values(log, "p.control") {
        fold.fold(offset, &value);
        upto = offset + 1;
    }
    let (settings, partitions) = (settings.clone(), fold.partitions.clone());
    Origin { of: "p.".into(), upto, without, settings, partitions }
}

#[test]
fn whoever_dies_while_it_is_born_is_followed() {
    let gap = Gap { input: "x".into(), partition: 0, from: 150, to: 170 };
    let two = of(&TWO);
    let mut expected = None;
    for turns in [1_000, 1, 4, 8, 12, 16, 20, 24, 28, 32, 40, 50, 60] {
        let mut log = log();
        arrive(&mut log, 0..SEVERAL);
        run(&log, small(&two)).unwrap();
        let origin = origin(&mut log, &two, vec![gap.clone()]);
        let made = Options { prefix: "clean.".into(), ..small(&two) };
        log.create("clean.control", 1, KEEP).unwrap();
        let mut keeper = Keeper::new(log.client(), made.clone());
        keeper.bound_turns(20);
        keeper.begin_from(origin.clone());
        for now in 0..turns {
            keeper.turn(now, GO).unwrap();
        }
        drop(keeper);
        let mut keeper = Keeper::new(log.client(), made);
        keeper.begin_from(origin);
        finish(&mut keeper).unwrap();
        let pipeline = keeper.pipeline().unwrap();
        let digest = pipeline.state_digest("second");
        assert_eq!(pipeline.counters().read, SEVERAL - 20);
        assert_eq!(*expected.get_or_insert(digest.clone()), digest, "died after {turns} turns");
    }
}

#[test]
fn a_pipeline_is_born_of_another_as_if_records_had_never_come() {
    let gap = |from, to| Gap { input: "x".into(), partition: 0, from, to };
    let without = vec![gap(30, 37), gap(100, 101)];
    let mut log = log();
    arrive(&mut log, 0..SEVERAL);
    run(&log, small(&of(&TWO))).unwrap();
    let three = of(&THREE);
    run(&log, small(&three)).unwrap();
    let origin = origin(&mut log, &three, without);
    let made = Options { prefix: "clean.".into(), ..small(&three) };
    log.create("clean.control", 1, KEEP).unwrap();
    let mut keeper = Keeper::new(log.client(), made.clone());
    keeper.begin_from(origin);
    let news = finish(&mut keeper).unwrap();
    assert_eq!(numbers(&news, "third"), [1]);
    drop(keeper);
    // It goes on, also where nothing of it was kept but its control.
    arrive(&mut log, SEVERAL..2 * SEVERAL);
    run(&log, made.clone()).unwrap();
    let mut relearn = Relearn::new(&mut log, "clean.control").unwrap();
    let mut effects = Effects::default();
    while relearn.turn(&mut log, 64, &mut effects, &mut |_, _| usize::MAX).unwrap()
        != Relearned::Done
    {}
    let again = relearn.pipeline().unwrap();
    // The same records, without those that never came.
    let mut other = self::log();
    arrive(&mut other, 0..30);
    arrive(&mut other, 37..100);
    arrive(&mut other, 101..2 * SEVERAL);
    let mut keeper = Keeper::new(log.client(), made);
    finish(&mut keeper).unwrap();
    let pipeline = keeper.pipeline().unwrap();
    let expected = digests(&other, &three);
    for (model, digest) in &expected {
        assert_eq!(pipeline.state_digest(model).as_ref(), Some(digest), "{model}");
        assert_eq!(again.state_digest(model).as_ref(), Some(digest), "{model}, learned again");
    }
    assert_eq!(pipeline.counters().read, 2 * SEVERAL - 8);
}
