//! `alluvium models diff`: by how much two versions differ, in what they have learned and in what
//! they answer.

use std::collections::BTreeSet;

use alluvium_flow::{
    Batch, Scored, Sections,
    decode::{Decoder, Rows},
};
use alluvium_ledger::versions::{Published, Version};
use serde_json::{Map, Value, json};

use crate::{
    args::Named,
    failure::Failure,
    look::{Look, find_version},
    plain,
    score::Loaded,
    screen::say,
    tell,
};

/// One of the two.
struct Side {
    /// As it was named.
    name: String,
    look: Look,
    published: Published,
    version: Version,
    sections: Sections,
}

/// What both answered.
#[derive(Default)]
struct Answers {
    records: u64,
    different: u64,
    /// Records that only one of them turned away.
    refused_by_one: u64,
    /// The largest difference of what they give as `score`.
    score_max: Option<f64>,
    /// The newest record that they answer differently, and how.
    example: Option<(String, Value, Value)>,
}

/// A section in both: name, bytes here and there, how many bytes at its beginning and elsewhere are
/// the same at the same place.
struct Section {
    name: String,
    bytes: [Option<usize>; 2],
    equal: usize,
}

/// `alluvium models diff`.
///
/// # Errors
/// When a version is not there or not what was published, or the log fails.
pub fn run(
    look: Look,
    (first, second): (&str, &str),
    records: u64,
    is_json: bool,
) -> Result<(), Failure> {
    let mut sides = [side(&look, first)?, side(&look, second)?];
    let sections = sections(&sides[0], &sides[1]);
    let answers = answers(&mut sides, records)?;
    say(&match is_json {
        true => plain::json(&as_json(&sides, &sections, &answers)),
        false => as_text(&sides, &sections, &answers),
    });
    Ok(())
}

/// Finds a version: of this pipeline, or of another one in the same log.
fn side(look: &Look, text: &str) -> Result<Side, Failure> {
    let (other, version) = match text.split_once('/') {
        Some((pipeline, version)) => (Some(pipeline.to_string()), version),
        None => (look.opened.named.name.clone(), text),
    };
    let named = Named { name: other, log: look.opened.named.log.clone() };
    let mut look = Look::open(&look.opened.file, &named)?;
    let published = look.published()?;
    let version = find_version(&published, version)?.clone();
    let topic = look.opened.topic("models");
    let sections = look.with(|observer| observer.sections(&topic, &published, &version));
    let sections = sections.map_err(|why| Failure::Failed(anyhow::anyhow!("{text}: {why}")))?;
    let name = format!("{}@{}", version.model, version.version);
    let name = text.split_once('/').map_or(name.clone(), |(other, _)| format!("{other}/{name}"));
    Ok(Side { name, look, published, version, sections })
}

/// The sections of both. A model's own has the model's name, which is no part of what it is.
fn sections(a: &Side, b: &Side) -> Vec<Section> {
    let own = |side: &Side, name: &str| match name {
        "model" => side.sections.get(&format!("model/{}", side.version.model)).cloned(),
        name => side.sections.get(name).cloned(),
    };
    let shown = |name: &String| match name.starts_with("model/") {
        true => "model".to_string(),
        false => name.clone(),
    };
    let names: BTreeSet<String> = a.sections.keys().chain(b.sections.keys()).map(shown).collect();
    let compared = |name: String| {
        let (here, there) = (own(a, &name), own(b, &name));
        let pairs = here.iter().flatten().zip(there.iter().flatten());
        let equal = pairs.filter(|(here, there)| here == there).count();
        let bytes = [here.map(|bytes| bytes.len()), there.map(|bytes| bytes.len())];
        Section { name, bytes, equal }
    };
    names.into_iter().map(compared).collect()
}

/// Lets both answer the newest records of the inputs that both read.
fn answers(sides: &mut [Side; 2], most: u64) -> Result<Answers, Failure> {
    let mut loaded = Vec::new();
    for side in sides.iter_mut() {
        let topic = side.look.opened.topic("models");
        loaded.push(Loaded::load(&mut side.look.log, &topic, &side.published, &side.version)?);
    }
    let look = &mut sides[0].look;
    let mut places = Vec::new();
    for (name, topic) in look.opened.topics() {
        let index = |side: usize| {
            loaded[side].predictor.inputs().iter().position(|input| *input.name == *name)
        };
        let (Some(a), Some(b)) = (index(0), index(1)) else { continue };
        for (partition, ends) in look.ends(&topic)?.into_iter().enumerate() {
            places.push((name.clone(), topic.clone(), partition as u32, ends, [a, b]));
        }
    }
    let mut answers = Answers::default();
    let share = most.div_ceil(places.len().max(1) as u64);
    for (name, topic, partition, ends, inputs) in places {
        let (from, to) = (ends.earliest.max(ends.stable.saturating_sub(share)), ends.stable);
        let mut batch = Batch::new();
        look.with(|observer| {
            observer.each(&topic, partition, from, to, |record| {
                batch.push(record.offset, record.time, record.key, record.value, record.headers);
            })
        })?;
        compare(&mut loaded, inputs, (&name, partition), &batch, &mut answers);
    }
    Ok(answers)
}

/// Compares the answers to one partition's records.
fn compare(
    loaded: &mut [Loaded],
    inputs: [usize; 2],
    (name, partition): (&str, u32),
    batch: &Batch,
    answers: &mut Answers,
) {
    let mut rows = [Rows::default(), Rows::default()];
    for ((one, input), rows) in loaded.iter_mut().zip(inputs).zip(&mut rows) {
        let decoder: &mut dyn Decoder = one.decoders[input].as_mut();
        decoder.decode(partition, batch, rows);
    }
    for (index, meta) in batch.metas().iter().enumerate() {
        let mut said = loaded.iter_mut().zip(&rows).map(|(one, rows)| {
            let mut line = Vec::new();
            match one.predictor.score(rows, index, &mut line) {
                Scored::Answered => serde_json::from_slice(&line).unwrap_or(Value::Null),
                Scored::Refused(refusal) => json!({ "refused": refusal.reason.code() }),
            }
        });
        let (Some(here), Some(there)) = (said.next(), said.next()) else { continue };
        answers.records += 1;
        let scores = here["score"].as_f64().zip(there["score"].as_f64());
        if let Some(by) = scores.map(|(here, there)| (here - there).abs()) {
            answers.score_max = Some(answers.score_max.map_or(by, |most| most.max(by)));
        }
        answers.refused_by_one += u64::from(here["refused"] != there["refused"]);
        if here["answer"] != there["answer"] {
            answers.different += 1;
            let at = format!("{name}:{partition}:{}", meta.offset);
            answers.example = Some((at, here, there));
        }
    }
}

fn share_of(part: u64, whole: u64) -> String {
    format!("{:.1} %", 100.0 * part as f64 / whole.max(1) as f64)
}

fn as_text(sides: &[Side; 2], sections: &[Section], answers: &Answers) -> String {
    let [a, b] = sides;
    let both = |what: &str, of: &dyn Fn(&Side) -> String| vec![what.to_string(), of(a), of(b)];
    let bytes = |side: &Side| side.sections.values().map(Vec::len).sum::<usize>() as u64;
    let mut rows = vec![
        both("at", &|side| side.version.at()),
        both("records", &|side| tell::count(side.version.records)),
        both("learned", &|side| tell::count(side.version.learned)),
        both("state", &|side| tell::digest(&side.version.state_digest).to_string()),
        both("bytes", &|side| tell::count(bytes(side))),
    ];
    let metrics: BTreeSet<&String> =
        sides.iter().flat_map(|side| side.version.metrics.keys()).collect();
    rows.extend(metrics.into_iter().map(|metric| {
        both(metric, &|side| tell::figure(side.version.metrics.get(metric).copied().flatten()))
    }));
    let whole = tell::table_beside(&tell::header(&["", &a.name, &b.name]), &rows);
    let shown = |bytes: Option<usize>| bytes.map_or("-".into(), |bytes| tell::count(bytes as u64));
    let parts: Vec<Vec<String>> = sections
        .iter()
        .map(|section| {
            let [here, there] = section.bytes;
            let most = here.max(there).unwrap_or_default() as u64;
            let equal = share_of(section.equal as u64, most);
            vec![section.name.clone(), shown(here), shown(there), equal]
        })
        .collect();
    let header = tell::header(&["", "bytes", "bytes", "the same"]);
    let is_same = a.version.state_digest == b.version.state_digest;
    let mut lines = vec![
        ("versions", whole),
        (
            "state",
            match is_same {
                true => "the same bytes".into(),
                false => tell::table_beside(&header, &parts),
            },
        ),
        ("answers", told(answers)),
    ];
    if let Some((at, here, there)) = &answers.example {
        lines.push(("example", format!("{at}\n{} {here}\n{} {there}", a.name, b.name)));
    }
    tell::labelled(&lines)
}

fn told(answers: &Answers) -> String {
    let Answers { records, different, refused_by_one, score_max, .. } = answers;
    if *records == 0 {
        return "no record that both could answer".into();
    }
    let mut line = format!(
        "to {} of the newest {} they differ, {}",
        tell::count(*different),
        tell::count(*records),
        share_of(*different, *records)
    );
    if let Some(most) = score_max {
        line.push_str(&format!("; scores by {most:.4} at most"));
    }
    if *refused_by_one > 0 {
        line.push_str(&format!("; {} are refused by one alone", tell::count(*refused_by_one)));
    }
    line
}

fn as_json(sides: &[Side; 2], sections: &[Section], answers: &Answers) -> Value {
    let side = |side: &Side| {
        let Version { records, learned, state_digest, metrics, .. } = &side.version;
        json!({
            "version": side.name, "at": side.version.at(), "records": records,
            "learned": learned, "state_digest": state_digest, "metrics": metrics,
        })
    };
    let parts: Map<String, Value> = sections
        .iter()
        .map(|section| {
            (section.name.clone(), json!({ "bytes": section.bytes, "equal": section.equal }))
        })
        .collect();
    let example = answers.example.as_ref();
    json!({
        "event": "diff",
        "versions": sides.iter().map(side).collect::<Vec<Value>>(),
        "sections": parts,
        "answers": {
            "records": answers.records,
            "different": answers.different,
            "refused_by_one": answers.refused_by_one,
            "score_difference_max": answers.score_max,
            "example": example.map(|(at, here, there)| json!({ "at": at, "answers": [here, there] })),
        },
    })
}
