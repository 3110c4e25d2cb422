//! `alluvium show`: what was written, newest last, or one record all the way.

use std::{
    collections::{BTreeSet, VecDeque},
    thread,
    time::Duration,
};

use alluvium_flow::{Batch, OutKey, OutTopic, Record};
use alluvium_ledger::{log::Polled, read::Stretch};
use serde_json::{Map, Value};

use crate::{
    args,
    failure::Failure,
    look::Look,
    plain, record,
    screen::{note, say},
    table::Layout,
};

/// So many rows say how a table is laid out; those after them are printed as they come.
const LAYOUT_ROWS: usize = 1_000;

/// `alluvium show`.
///
/// # Errors
/// When the log fails, or what is asked for is not there.
pub fn run(call: &args::Show) -> Result<(), Failure> {
    let mut look = Look::open(&call.file, &call.named)?;
    let topic = match call.what.as_str() {
        "predictions" => OutTopic::Predictions,
        "alarms" => OutTopic::Alarms,
        "dead-letters" => OutTopic::DeadLetters,
        place => return record::show(&mut look, &record::Place::parse(place)?, call.json),
    };
    if look.ends(&look.opened.topic(topic.name()))?.is_empty() {
        return Err(look.never_ran());
    }
    let mut printer = if call.json { Printer::Json } else { Printer::Table(Rows::default()) };
    let mut newest = VecDeque::new();
    let mut count = 0;
    merged(&mut look, topic, call.last, |value| {
        count += 1;
        if call.last == 0 {
            return printer.print(value);
        }
        newest.push_back(value);
        if newest.len() as u64 > call.last {
            newest.pop_front();
        }
    })?;
    newest.into_iter().for_each(|value| printer.print(value));
    if let Printer::Table(rows) = &mut printer {
        match count {
            0 => note(&format!("no {} yet", call.what)),
            _ => rows.begin(),
        }
    }
    Ok(())
}

/// Prints outputs one by one.
enum Printer {
    Json,
    Table(Rows),
}

impl Printer {
    fn print(&mut self, value: Value) {
        match self {
            Printer::Json => say(&plain::json(&value)),
            Printer::Table(rows) => rows.push(value),
        }
    }
}

/// A table of any length: its first rows are held back until they are enough to lay it out by.
#[derive(Default)]
struct Rows {
    held: Vec<Value>,
    layout: Option<(Vec<String>, Layout)>,
}

impl Rows {
    fn push(&mut self, value: Value) {
        match &self.layout {
            Some((names, layout)) => say(&line(names, layout, &value)),
            None => {
                self.held.push(value);
                if self.held.len() >= LAYOUT_ROWS {
                    self.begin();
                }
            }
        }
    }

    /// Prints what was held back, under its header.
    fn begin(&mut self) {
        if self.layout.is_some() {
            return;
        }
        let names = names(&self.held);
        let rows: Vec<Vec<String>> =
            self.held.drain(..).map(|value| cells(&names, &value)).collect();
        let layout = Layout::of(&names, &rows);
        say(&layout.whole(&rows));
        self.layout = Some((names, layout));
    }
}

/// One partition of an output topic, being merged.
struct Head {
    stretch: Stretch,
    batch: Batch,
    row: usize,
}

impl Head {
    /// The next record; reads on where the batch ends. `None`: there is none left.
    fn fill(&mut self) -> Result<bool, Failure> {
        while self.row >= self.batch.len() {
            self.row = 0;
            match self.stretch.read(&mut self.batch)? {
                None => return Ok(false),
                Some(Polled::Nothing) => thread::sleep(Duration::from_millis(1)),
                Some(Polled::Records) => {}
            }
        }
        Ok(true)
    }
}

/// Calls `each` with the outputs of all partitions in the order they were learned in, each once:
/// those of the newest `last` of every partition, or all.
fn merged(
    look: &mut Look,
    topic: OutTopic,
    last: u64,
    mut each: impl FnMut(Value),
) -> Result<(), Failure> {
    let name = look.opened.topic(topic.name());
    let mut heads = Vec::new();
    for (partition, ends) in look.ends(&name)?.into_iter().enumerate() {
        let from = match last {
            0 => ends.earliest,
            last => ends.stable.saturating_sub(last).max(ends.earliest),
        };
        let stretch = Stretch::open(&mut look.log, &name, partition as u32, from, ends.stable)?;
        heads.push(Head { stretch, batch: Batch::new(), row: 0 });
    }
    let mut newest: Option<OutKey> = None;
    loop {
        let mut first: Option<(OutKey, usize)> = None;
        for (index, head) in heads.iter_mut().enumerate() {
            if head.fill()? {
                let key = order(&head.batch.get(head.row)).unwrap_or_default();
                first = Some(first.map_or((key, index), |first| first.min((key, index))));
            }
        }
        let Some((key, index)) = first else { return Ok(()) };
        let head = &mut heads[index];
        // What a writer released twice is the same bytes under the same key.
        if newest.is_none_or(|newest| key > newest) {
            each(whole(&head.batch.get(head.row)));
            newest = Some(key);
        }
        head.row += 1;
    }
}

/// Where an output stands in the order.
fn order(record: &Record<'_>) -> Option<OutKey> {
    let text = std::str::from_utf8(record.headers.get("order")?).ok()?;
    let mut parts = text.split('.');
    let (step, ordinal) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some(OutKey { step, ordinal })
}

/// The value of an output, with its headers beside it.
pub fn whole(record: &Record<'_>) -> Value {
    let value = serde_json::from_slice(record.value.unwrap_or_default()).unwrap_or_default();
    let mut whole = match value {
        Value::Object(members) => members,
        other => Map::from_iter([("value".to_string(), other)]),
    };
    for (name, text) in record.headers {
        let (name, text) = (String::from_utf8_lossy(name), String::from_utf8_lossy(text));
        whole.entry(name).or_insert_with(|| text.into());
    }
    Value::Object(whole)
}

/// Members that everybody looks for come first.
const FIRST: [&str; 6] = ["at", "model", "version", "answer", "score", "reason"];

fn is_shown(name: &str) -> bool {
    name != "order"
}

/// A column for each member that any of them has.
fn names(values: &[Value]) -> Vec<String> {
    let members = |value: &Value| -> Vec<String> {
        let table = value.as_object().into_iter().flatten();
        table.map(|(name, _)| name.clone()).filter(|name| is_shown(name)).collect()
    };
    let known: BTreeSet<String> = values.iter().flat_map(members).collect();
    let first = FIRST.iter().filter(|name| known.contains(**name)).map(ToString::to_string);
    let rest = known.iter().filter(|name| !FIRST.contains(&name.as_str())).cloned();
    first.chain(rest).collect()
}

fn cells(names: &[String], value: &Value) -> Vec<String> {
    names.iter().map(|name| cell(&value[name])).collect()
}

/// A row that came after the table was laid out; what it has beside the known columns stands at its
/// end, by name.
fn line(names: &[String], layout: &Layout, value: &Value) -> String {
    let mut line = layout.row(&cells(names, value));
    for (name, value) in value.as_object().into_iter().flatten() {
        if is_shown(name) && !names.contains(name) {
            line.push_str(&format!("  {} {}", plain::line(name), cell(value)));
        }
    }
    line
}

/// A value as a cell of a table.
pub fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    plain::line(&text)
}

/// Everything that was written about one record: its predictions, and the letter if it was refused.
///
/// # Errors
/// When the log fails.
pub fn written(
    look: &mut Look,
    topic: OutTopic,
    at: &str,
    part: u32,
) -> Result<Vec<Value>, Failure> {
    let name = look.opened.topic(topic.name());
    let ends = look.ends(&name)?;
    let Some(partition) = part.checked_rem(ends.len() as u32) else { return Ok(Vec::new()) };
    let known = ends[partition as usize];
    let (mut found, mut keys) = (Vec::new(), BTreeSet::new());
    look.with(|observer| {
        observer.each(&name, partition, known.earliest, known.stable, |record| {
            let is_meant = record.headers.get("at") == Some(at.as_bytes());
            if is_meant && keys.insert(order(&record)) {
                found.push(whole(&record));
            }
        })
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_comes_after_the_layout_loses_nothing() {
        let values = [json!({"at": "a:0:1", "order": "1.2", "reason": "empty"})];
        let names = names(&values);
        assert_eq!(names, ["at", "reason"]);
        let layout = Layout::of(&names, &[cells(&names, &values[0])]);
        let later = json!({"at": "a:0:22", "order": "1.3", "field": "x"});
        let line = line(&names, &layout, &later);
        assert!(line.starts_with("a:0:22") && line.ends_with("  field x"), "{line}");
    }
}
