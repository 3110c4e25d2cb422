//! One record, all the way: as it lies in the topic, as it was read, what was made of it, and what
//! was answered.
//!
//! The features of a record are what the steps made of it when it came. They are not kept, so
//! everything before it is learned again: the same code, the same bytes.

use std::{thread, time::Duration};

use alluvium_flow::{Effects, Fate, Inspected, OutTopic, Pipeline, Run};
use alluvium_ledger::keeper::{Relearn, Relearned};
use serde_json::{Map, Value, json};

use crate::{
    failure::Failure,
    look::Look,
    plain,
    screen::{note, say},
    show::{cell, written},
    tell,
    verify::not_again,
};

/// Records learned in one turn.
const RUN_RECORDS: usize = 8192;

/// From so many records before it on it is said that it will take a while.
const MANY_RECORDS: u64 = 500_000;

/// A place in an input: a topic's or an input's name, a partition, an offset.
pub struct Place {
    pub name: String,
    pub partition: u32,
    pub offset: u64,
}

impl Place {
    /// Reads `TOPIC:PARTITION:OFFSET`.
    ///
    /// # Errors
    /// When it is no such place.
    pub fn parse(text: &str) -> Result<Place, Failure> {
        let mut parts = text.rsplitn(3, ':');
        let mut next = || parts.next();
        let place = || -> Option<Place> {
            let (offset, partition) = (next()?.parse().ok()?, next()?.parse().ok()?);
            Some(Place { name: next()?.into(), partition, offset })
        };
        let mut place = place;
        place().ok_or_else(|| {
            let what = "predictions, alarms, dead-letters, or a record: TOPIC:PARTITION:OFFSET";
            Failure::Usage(format!("`{text}` cannot be shown: there are {what}"))
        })
    }
}

/// What is known of a record.
struct Seen {
    /// What the pipeline saw, just before it learned it.
    inspected: Result<Inspected, Refused>,
    /// The step it was.
    step: u64,
    /// What became of it, where its label comes by an input of its own. `None`: it waits.
    fate: Option<Option<Fate>>,
}

/// Why it was turned away.
struct Refused {
    code: &'static str,
    explained: String,
}

/// Shows one record.
///
/// # Errors
/// When it is not there, or the log fails.
pub fn show(look: &mut Look, place: &Place, is_json: bool) -> Result<(), Failure> {
    let (input, topic) = find_input(look, place)?;
    let Place { partition, offset, .. } = *place;
    let at = format!("{input}:{partition}:{offset}");
    let ends = look.ends(&topic)?;
    let known = ends.get(partition as usize).copied().unwrap_or_default();
    if !(known.earliest..known.stable).contains(&offset) {
        let (from, count) = (known.earliest, ends.len());
        let why = match known.stable.checked_sub(1) {
            _ if ends.is_empty() => format!("topic {topic} is not there yet"),
            _ if partition as usize >= count => {
                let last = count - 1;
                format!("topic {topic} has no partition {partition}: there are 0 to {last}")
            }
            Some(last) if last >= from => {
                format!("{topic}:{partition} has no record {offset}: there are {from} to {last}")
            }
            _ => format!("{topic}:{partition} holds no record"),
        };
        return Err(Failure::Usage(why));
    }
    let batch = look.with(|observer| observer.record(&topic, partition, offset))?;
    let batch = batch.ok_or_else(|| Failure::Usage(format!("there is no record at {at}")))?;
    let seen = learn_up_to(look, &input, partition, offset)?;
    let mut predictions = written(look, OutTopic::Predictions, &at, partition)?;
    predictions.extend(written(look, OutTopic::DeadLetters, &at, partition)?);
    let record = batch.get(0);
    let text =
        |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let headers: Map<String, Value> = record
        .headers
        .into_iter()
        .map(|(name, value)| {
            let shown = |bytes| String::from_utf8_lossy(bytes).into_owned();
            (shown(name), shown(value).into())
        })
        .collect();
    let mut whole = json!({
        "event": "record", "at": at, "topic": topic, "time": record.time,
        "key": text(record.key), "headers": headers, "value": text(record.value),
        "is_learned": seen.is_some(), "written": predictions,
    });
    if let Some(seen) = seen {
        whole["step"] = seen.step.into();
        match seen.inspected {
            Ok(inspected) => add(&mut whole, inspected, seen.fate),
            Err(refused) => {
                whole["refused"] =
                    json!({ "reason": refused.code, "explained": refused.explained });
            }
        }
    }
    say(&if is_json { plain::json(&whole) } else { as_text(&whole) });
    Ok(())
}

/// The input that a place means, and its topic.
///
/// # Errors
/// When it is no input of the pipeline.
pub fn find_input(look: &Look, place: &Place) -> Result<(String, String), Failure> {
    let topics = look.opened.topics();
    let is_meant =
        |(input, topic): &&(String, String)| *input == place.name || *topic == place.name;
    topics.iter().find(is_meant).cloned().ok_or_else(|| {
        let known: Vec<&str> = topics.iter().map(|(_, topic)| topic.as_str()).collect();
        let known = known.join(", ");
        Failure::Usage(format!("{} is no input of this pipeline: there are {known}", place.name))
    })
}

/// Learns everything before a record again, and looks at it; where its label comes by an input of
/// its own, on to where that came. `None`: it is not learned yet.
fn learn_up_to(
    look: &mut Look,
    input: &str,
    partition: u32,
    offset: u64,
) -> Result<Option<Seen>, Failure> {
    let control = look.opened.topic("control");
    if look.ends(&control)?.is_empty() {
        return Ok(None);
    }
    if offset >= MANY_RECORDS {
        note("learning what came before it again: this takes a while");
    }
    let mut relearn = Relearn::new(&mut look.log, &control).map_err(|why| not_again(&why))?;
    let mut effects = Effects::default();
    let mut seen = None;
    let mut watch = |pipeline: &mut Pipeline, run: &Run<'_>| {
        if *pipeline.inputs()[run.input].name != *input || run.partition != partition {
            return usize::MAX;
        }
        let metas = &run.batch.metas()[run.range.clone()];
        match metas.iter().position(|meta| meta.offset == offset) {
            Some(0) => {
                let (step, row) = (pipeline.steps() + 1, run.range.start);
                let inspected = inspect(pipeline, run, row);
                let id = pipeline.match_id(run, row).filter(|_| inspected.is_ok());
                id.into_iter().for_each(|id| pipeline.watch(id));
                seen = Some(Seen { inspected, step, fate: id.map(|_| None) });
                1
            }
            Some(before) => before,
            None => usize::MAX,
        }
    };
    loop {
        let turn = relearn.turn(&mut look.log, RUN_RECORDS, &mut effects, &mut watch);
        match turn.map_err(|why| not_again(&why))? {
            Relearned::Some(_) => {}
            Relearned::NotYet => thread::sleep(Duration::from_millis(1)),
            Relearned::Done => break,
        }
        let learned = relearn.pipeline().and_then(|pipeline| {
            pipeline.counters().positions.get(&(input.into(), partition)).copied()
        });
        if learned.is_none_or(|position| position <= offset) {
            continue;
        }
        let fate = relearn.pipeline().and_then(Pipeline::fate).is_some();
        if fate || !awaits_label(relearn.pipeline(), input) {
            break;
        }
    }
    let fate = relearn.pipeline().and_then(Pipeline::fate).cloned();
    if let Some(awaited) = seen.as_mut().and_then(|seen| seen.fate.as_mut()) {
        *awaited = fate;
    }
    Ok(seen)
}

/// Whether the records of an input wait for their labels.
fn awaits_label(pipeline: Option<&Pipeline>, input: &str) -> bool {
    let inputs = pipeline.filter(|pipeline| pipeline.labels().is_some()).map(Pipeline::inputs);
    inputs.into_iter().flatten().any(|one| *one.name == *input && !one.is_label)
}

fn inspect(pipeline: &mut Pipeline, run: &Run<'_>, row: usize) -> Result<Inspected, Refused> {
    pipeline.inspect(run, row).map_err(|refusal| Refused {
        code: refusal.reason.code(),
        explained: pipeline.explained(run, row, refusal),
    })
}

fn add(whole: &mut Value, inspected: Inspected, fate: Option<Option<Fate>>) {
    let table = |columns: Vec<(String, Value)>| Value::Object(columns.into_iter().collect());
    let answers = inspected.answers.into_iter().map(|(model, answer)| (model.to_string(), answer));
    whole["event_time"] = inspected.time.into();
    whole["fields"] = table(inspected.fields);
    whole["features"] = table(inspected.features);
    whole["label"] = inspected.label;
    if let Some(fate) = fate {
        whole["label"] = fate.as_ref().map_or(Value::Null, |fate| fate.label.clone());
        whole["label_came"] = match fate {
            None => json!({ "how": "awaited" }),
            Some(Fate { how, at, time, learned, .. }) => {
                json!({ "how": how, "at": at, "time": time, "learned": learned })
            }
        };
    }
    whole["answers"] = table(answers.collect());
}

/// How a label came that lies in no record of its example.
fn came(came: &Value) -> String {
    let time = came["time"].as_i64().map(tell::time).unwrap_or_default();
    let at = cell(&came["at"]);
    match came["how"].as_str() {
        None => String::new(),
        Some("awaited") => "    it is awaited: nothing was learned of this record yet".into(),
        Some("absent") => {
            let learned = came["learned"].as_bool().unwrap_or(false);
            let learned = if learned { "learned as this" } else { "not learned" };
            format!("    none had come by {time}: {learned}")
        }
        Some("early") => format!("    had come before it; learned at once, {time}"),
        Some(_) => format!("    came by {at}, {time}: judged and learned there"),
    }
}

fn as_text(whole: &Value) -> String {
    let table = |value: &Value| -> String {
        let columns = value.as_object().into_iter().flatten();
        let rows: Vec<Vec<String>> =
            columns.map(|(name, value)| vec![plain::line(name), cell(value)]).collect();
        let width = rows.iter().map(|row| row[0].chars().count()).max().unwrap_or(0) + 2;
        let line = |row: &Vec<String>| format!("{:width$}{}", row[0], row[1]);
        rows.iter().map(line).collect::<Vec<String>>().join("\n")
    };
    let time = |value: &Value| value.as_i64().map(tell::time).unwrap_or_default();
    let mut lines = vec![
        ("record", format!("{}    {}", cell(&whole["at"]), time(&whole["time"]))),
        ("value", plain::line(whole["value"].as_str().unwrap_or("(none)"))),
    ];
    if !whole["is_learned"].as_bool().unwrap_or(false) {
        lines.push(("learned", "not yet".into()));
    }
    if whole["refused"].is_object() {
        let refused = &whole["refused"];
        let (code, why) = (cell(&refused["reason"]), cell(&refused["explained"]));
        lines.push(("refused", format!("{code}: {why}")));
    }
    if whole["fields"].is_object() {
        lines.push(("fields", table(&whole["fields"])));
        lines.push(("features", table(&whole["features"])));
        let label = &whole["label"];
        let shown = if label.is_null() { "none".into() } else { cell(label) };
        lines.push(("label", format!("{shown}{}", came(&whole["label_came"]))));
        lines.push(("answers", table(&whole["answers"])));
    }
    let written = whole["written"].as_array().map(Vec::as_slice).unwrap_or_default();
    let written: Vec<String> = written.iter().map(plain::json).collect();
    lines.push(("written", if written.is_empty() { "nothing".into() } else { written.join("\n") }));
    tell::labelled(&lines)
}
