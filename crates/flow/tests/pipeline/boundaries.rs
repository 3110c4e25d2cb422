//! Wherever batches, threads and cuts lie, the bytes are the same: for every kind of field, every
//! step, every format and every kind of label.

use std::{collections::BTreeMap, sync::Arc};

use alluvium_flow::{
    Batch, Chain, Effects, Headers, Input, OutTopic, Pipeline, Predictor, Run, Scored, Sections,
    Settings, decode::Rows,
};
use alluvium_learn::math::random_bits;
use serde_json::Value;

use crate::{
    digests::version,
    everything::{Lane, TRUTHS, Truth, file, lanes, merged},
    settings,
};

/// How a history is cut up.
#[derive(Clone, Copy, Debug)]
struct Cutting {
    seed: u64,
    /// The most records of a batch, of a run, and from one crash to the next.
    batch_max: u64,
    run_max: u64,
    life_max: u64,
    threads: usize,
}

/// All that came of a history, in bytes.
#[derive(Debug, Default, PartialEq)]
struct Brought {
    outputs: Vec<String>,
    models: Vec<(String, Option<Vec<u8>>)>,
    news: Vec<String>,
    chains: Vec<[u8; 32]>,
    sections: Sections,
}

/// A batch, what was decoded of it, and the index of its first record.
struct Decoded {
    batch: Batch,
    rows: Rows,
    first: usize,
}

/// Cuts a lane into batches.
fn batches(lane: &Lane, cutting: Cutting) -> Vec<Decoded> {
    let (mut batches, mut first) = (Vec::new(), 0);
    while first < lane.records.len() {
        let left = lane.records.len() - first;
        let bits = random_bits(cutting.seed, (first + 1_000 * lane.partition as usize) as u64);
        let count = (1 + bits % cutting.batch_max).min(left as u64) as usize;
        let mut batch = Batch::new();
        for record in &lane.records[first..first + count] {
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            batch.push(record.offset, record.time, key, value, Headers::default());
        }
        batches.push(Decoded { batch, rows: Rows::default(), first });
        first += count;
    }
    batches
}

/// Decodes all batches, each on one of several threads that have decoders of their own and meet the
/// batches in an order of their own.
fn decode(settings: &Arc<Settings>, lanes: &[Lane], cutting: Cutting) -> Vec<Vec<Decoded>> {
    let pipeline = Pipeline::build(settings).unwrap();
    let plans = pipeline.inputs();
    let mut all: Vec<Vec<Decoded>> = lanes.iter().map(|lane| batches(lane, cutting)).collect();
    let mut shares: Vec<Vec<(&Lane, &mut Decoded)>> = Vec::new();
    shares.resize_with(cutting.threads, Vec::new);
    for (lane, batches) in lanes.iter().zip(&mut all) {
        for (index, decoded) in batches.iter_mut().enumerate() {
            let bits = random_bits(cutting.seed, (index + 500 * lane.input) as u64 + 77_777);
            let share = &mut shares[bits as usize % cutting.threads];
            let place = (bits >> 32) as usize % (share.len() + 1);
            share.insert(place, (lane, decoded));
        }
    }
    std::thread::scope(|scope| {
        for share in shares {
            scope.spawn(move || {
                let mut decoders: Vec<_> = plans.iter().map(|plan| plan.decoder()).collect();
                for (lane, decoded) in share {
                    let decoder = &mut decoders[lane.input];
                    decoder.decode(lane.partition, &decoded.batch, &mut decoded.rows);
                }
            });
        }
    });
    all
}

/// Learns a history.
fn history(settings: &Arc<Settings>, lanes: &[Lane], cutting: Cutting) -> Brought {
    let decoded = decode(settings, lanes, cutting);
    let mut pipeline = Pipeline::build(settings).unwrap();
    let (mut brought, mut effects) = (Brought::default(), Effects::default());
    let mut chains = vec![Chain::default(); lanes.len()];
    let order = merged(lanes);
    let (mut at, mut dies) = (0, random_bits(cutting.seed, 1) % cutting.life_max);
    while at < order.len() {
        let (lane, index) = order[at];
        let batches = &decoded[lane];
        let batch = &batches[batches.partition_point(|batch| batch.first <= index) - 1];
        let longest = 1 + random_bits(cutting.seed, at as u64 + 5_000) % cutting.run_max;
        let end = batch.first + batch.batch.len();
        let follows = |ahead: &usize| {
            order.get(at + ahead) == Some(&(lane, index + ahead)) && index + ahead < end
        };
        let count = 1 + (1..longest as usize).take_while(follows).count();
        let range = index - batch.first..index - batch.first + count;
        for row in range.clone() {
            chains[lane].add(&batch.batch.get(row));
        }
        let Lane { input, partition, .. } = lanes[lane];
        let run = Run { input, partition, batch: &batch.batch, rows: &batch.rows, range };
        pipeline.step(Input::Records(run), &mut effects);
        at += count;
        if random_bits(cutting.seed, at as u64 + 9_000).is_multiple_of(3) {
            brought.take(&mut effects);
        }
        if at as u64 >= dies {
            let mut next = Pipeline::build(settings).unwrap();
            next.restore(&pipeline.save()).unwrap();
            pipeline = next;
            dies = at as u64 + 1 + random_bits(cutting.seed, at as u64) % cutting.life_max;
        }
    }
    brought.take(&mut effects);
    brought.chains = chains.iter().map(Chain::digest).collect();
    brought.sections = pipeline.save();
    brought
}

impl Brought {
    fn take(&mut self, effects: &mut Effects) {
        for output in &effects.outputs {
            let key = output.key.map(|key| effects.part(key));
            let (value, headers) = (effects.part(output.value), effects.part(output.headers));
            let text = String::from_utf8_lossy(value);
            let (topic, partition, order) = (output.topic, output.partition, output.order);
            self.outputs
                .push(format!("{topic:?} {partition} {order:?} {key:?} {text} {headers:?}"));
        }
        let models = effects.models.drain(..).map(|record| (record.key, record.value));
        self.models.extend(models);
        self.news.extend(effects.news.iter().map(|news| format!("{news:?}")));
        effects.clear();
    }
}

/// Says what differs, without all the bytes.
fn assert_same(one: &Brought, other: &Brought, what: &str) {
    let first = one.outputs.iter().zip(&other.outputs).find(|(one, other)| one != other);
    assert_eq!((first, one.outputs.len()), (None, other.outputs.len()), "outputs: {what}");
    assert_eq!(one.news, other.news, "news: {what}");
    assert_eq!(one.chains, other.chains, "digests of the inputs: {what}");
    let sections = one.sections.iter().filter(|(name, it)| other.sections.get(*name) != Some(*it));
    let names: Vec<&String> = sections.map(|(name, _)| name).collect();
    assert_eq!(names, Vec::<&String>::new(), "sections: {what}");
    assert!(one == other, "records of versions: {what}");
}

fn cutting(seed: u64) -> Cutting {
    let pick = |counter, from: &[u64]| from[random_bits(seed, counter) as usize % from.len()];
    Cutting {
        seed,
        batch_max: pick(2, &[1, 2, 7, 50, 1_000]),
        run_max: pick(3, &[1, 2, 5, 1_000]),
        life_max: pick(4, &[9, 50, 1_000_000]),
        threads: pick(5, &[1, 2, 3, 8]) as usize,
    }
}

#[test]
fn batches_threads_and_cuts_change_nothing() {
    let plain = Cutting { seed: 0, batch_max: 1, run_max: 1, life_max: 1_000_000, threads: 1 };
    for truth in TRUTHS {
        let settings = settings(&file(truth));
        for seed in 0..3 {
            let lanes = lanes(seed, truth, 120);
            let expected = history(&settings, &lanes, plain);
            says_much(&expected, truth);
            for other in 0..8 {
                let cutting = cutting(1_000 * seed + other);
                let found = history(&settings, &lanes, cutting);
                assert_same(&expected, &found, &format!("{truth:?}, seed {seed}, {cutting:?}"));
            }
        }
    }
}

#[test]
fn a_version_answers_as_the_pipeline_that_published_it() {
    for truth in TRUTHS {
        let mut pipeline = Pipeline::build(&settings(&file(truth))).unwrap();
        let (mut answered, mut refused) = (0, 0);
        for lane in &lanes(7, truth, 120) {
            for (index, record) in lane.records.iter().enumerate() {
                let mut batch = Batch::new();
                let (key, value) = (record.key.as_deref(), record.value.as_deref());
                batch.push(record.offset, record.time, key, value, Headers::default());
                let mut effects = Effects::default();
                // A version that equals the one before is not published.
                let is_due = index % 5 == 0 && pipeline.counters().read > 0;
                let name = pipeline.registry().models[0].0.clone();
                let before = pipeline.registry().of(&name).unwrap().newest;
                if is_due {
                    pipeline.step(Input::Publish, &mut effects);
                }
                let is_new = pipeline.registry().of(&name).unwrap().newest > before;
                let answer = is_new.then(|| {
                    let (settings, sections) = version(&effects, &name);
                    answer(&settings, &name, &sections, lane, &batch)
                });
                effects.clear();
                let mut rows = Rows::default();
                pipeline.inputs()[lane.input].decoder().decode(lane.partition, &batch, &mut rows);
                let Lane { input, partition, .. } = *lane;
                let run = Run { input, partition, batch: &batch, rows: &rows, range: 0..1 };
                pipeline.step(Input::Records(run), &mut effects);
                let live = effects.outputs.iter().find(|it| it.topic == OutTopic::Predictions);
                let live = live.map(|it| String::from_utf8_lossy(effects.part(it.value)));
                match (answer, live) {
                    (Some(Some(answer)), Some(live)) => {
                        let members = answer.trim_start_matches('{').trim_end_matches('}');
                        assert!(live.contains(members), "{truth:?} {answer} {live}");
                        answered += 1;
                    }
                    (Some(answer), None) => {
                        // It may be for the label alone, which a predictor does not read.
                        refused += usize::from(answer.is_none());
                    }
                    (Some(None), Some(live)) => panic!("{truth:?} refused, and live {live}"),
                    (None, _) => (),
                }
            }
        }
        assert!(answered > 20 && refused > 0, "{truth:?} {answered} {refused}");
    }
}

/// What a version's predictor answers; `None`: it turns the record away.
fn answer(
    settings: &Value,
    name: &str,
    sections: &Sections,
    lane: &Lane,
    batch: &Batch,
) -> Option<String> {
    let mut predictor = Predictor::new(settings, name, sections).unwrap();
    let (mut rows, mut bytes) = (Rows::default(), Vec::new());
    predictor.inputs()[lane.input].decoder().decode(lane.partition, batch, &mut rows);
    let scored = predictor.score(&rows, 0, &mut bytes);
    (scored == Scored::Answered).then(|| String::from_utf8(bytes).unwrap())
}

/// A history in which nothing happens would show nothing.
fn says_much(brought: &Brought, truth: Truth) {
    let mut topics: BTreeMap<&str, usize> = BTreeMap::new();
    for output in &brought.outputs {
        *topics.entry(output.split(' ').next().unwrap_or_default()).or_default() += 1;
    }
    assert!(topics["Predictions"] > 60 && topics["DeadLetters"] > 5, "{truth:?} {topics:?}");
    assert!(brought.news.iter().filter(|news| news.starts_with("Version")).count() > 2);
}
