//! How outputs are written: JSON, with the place in the order beside it.

use alluvium_learn::{Place, Prediction, Task};

use super::dictionary::Dictionary;
use crate::{Effects, Headers, OutKey, OutTopic, Output, Record};

/// A column that is written beside a prediction.
#[derive(Clone, Debug)]
pub(super) struct Carried {
    pub(super) name: String,
    pub(super) what: CarriedPlace,
}

/// Where it is found.
#[derive(Clone, Debug)]
pub(super) enum CarriedPlace {
    /// A number, or the code of a category.
    Column(Place),
    /// A text of the decoded row.
    Text(usize),
}

/// Writes outputs into [`Effects`].
#[derive(Clone, Default)]
pub(super) struct Emitter {
    step: u64,
    ordinal: u32,
    at: Vec<u8>,
    number: ryu::Buffer,
    integer: itoa::Buffer,
}

impl Emitter {
    /// A step begins: at a record, or by a decision.
    pub(super) fn begin(&mut self, step: u64, at: Option<(&str, u32, u64)>) {
        (self.step, self.ordinal) = (step, 0);
        self.at.clear();
        if let Some((input, partition, offset)) = at {
            self.at.extend_from_slice(input.as_bytes());
            self.at.push(b':');
            self.at.extend_from_slice(self.integer.format(partition).as_bytes());
            self.at.push(b':');
            self.at.extend_from_slice(self.integer.format(offset).as_bytes());
        }
    }

    /// The record's place: `input:partition:offset`.
    pub(super) fn at(&self) -> String {
        String::from_utf8_lossy(&self.at).into_owned()
    }

    /// Appends a number as JSON; one that is not finite as null.
    pub(super) fn number(&mut self, to: &mut Vec<u8>, value: f64) {
        if !value.is_finite() {
            to.extend_from_slice(b"null");
        } else if value.fract() == 0.0 && value.abs() < 1e15 {
            to.extend_from_slice(self.integer.format(value as i64).as_bytes());
        } else {
            to.extend_from_slice(self.number.format_finite(value).as_bytes());
        }
    }

    /// Appends an integer.
    pub(super) fn integer(&mut self, to: &mut Vec<u8>, value: u64) {
        to.extend_from_slice(self.integer.format(value).as_bytes());
    }

    /// Appends what a model answered, as the members of a JSON object.
    pub(super) fn answer(
        &mut self,
        to: &mut Vec<u8>,
        task: Task,
        answer: &Prediction,
        classes: &Dictionary,
    ) {
        to.extend_from_slice(b"\"answer\":");
        match task {
            Task::Class => {
                match classes.name(answer.value as u32) {
                    Some(name) => text(to, name),
                    None => to.extend_from_slice(b"null"),
                }
                if classes.is_two() {
                    to.extend_from_slice(b",\"score\":");
                    self.number(to, answer.probability(1));
                } else {
                    self.scores(to, answer, classes);
                }
            }
            Task::Cluster => {
                self.number(to, answer.value);
                to.extend_from_slice(b",\"distance\":");
                let squared = answer.scores.get(answer.value as usize).copied().unwrap_or(0.0);
                self.number(to, squared.sqrt());
            }
            Task::Score => {
                self.number(to, answer.value);
                to.extend_from_slice(b",\"anomaly\":");
                let flag: &[u8] = if answer.is_anomaly(task) { b"true" } else { b"false" };
                to.extend_from_slice(flag);
            }
            _ => self.number(to, answer.value),
        }
    }

    fn scores(&mut self, to: &mut Vec<u8>, answer: &Prediction, classes: &Dictionary) {
        to.extend_from_slice(b",\"scores\":{");
        let named = answer.scores.iter().zip(classes.names());
        for (index, (score, name)) in named.enumerate() {
            if index > 0 {
                to.push(b',');
            }
            text(to, name);
            to.push(b':');
            self.number(to, *score);
        }
        to.push(b'}');
    }

    /// Finishes an output whose value was appended to the effects' bytes from `start` on.
    pub(super) fn finish(
        &mut self,
        effects: &mut Effects,
        topic: OutTopic,
        partition: u32,
        key: Option<&[u8]>,
        start: usize,
    ) {
        let value = (start as u32, effects.bytes.len() as u32);
        let mut order = [0u8; 64];
        let mut length = 0;
        for (index, part) in [self.step, u64::from(self.ordinal), effects.cut].iter().enumerate() {
            if index > 0 {
                order[length] = b'.';
                length += 1;
            }
            let digits = self.integer.format(*part).as_bytes();
            order[length..length + digits.len()].copy_from_slice(digits);
            length += digits.len();
        }
        Headers::encode(&mut effects.bytes, "order", &order[..length]);
        if !self.at.is_empty() {
            Headers::encode(&mut effects.bytes, "at", &self.at);
        }
        let headers = (value.1, effects.bytes.len() as u32);
        let key = key.map(|key| {
            let start = effects.bytes.len() as u32;
            effects.bytes.extend_from_slice(key);
            (start, start + key.len() as u32)
        });
        let order = OutKey { step: self.step, ordinal: self.ordinal };
        self.ordinal += 1;
        effects.outputs.push(Output { topic, partition, order, key, value, headers });
    }

    /// A label that nobody was found for, long after it came: where it lies, and why.
    pub(super) fn unmatched(
        &mut self,
        effects: &mut Effects,
        (input, partition, offset): (&str, u32, u64),
        explained: &str,
    ) {
        let start = effects.bytes.len();
        let to = &mut effects.bytes;
        to.extend_from_slice(b"{\"at\":");
        text(to, &format!("{input}:{partition}:{offset}"));
        to.extend_from_slice(b",\"reason\":\"label_unmatched\",\"explained\":");
        text(to, explained);
        to.push(b'}');
        self.finish(effects, OutTopic::DeadLetters, partition, None, start);
    }

    /// A record that was turned away: where, why, and its first 4 KiB.
    pub(super) fn dead_letter(
        &mut self,
        effects: &mut Effects,
        partition: u32,
        record: &Record<'_>,
        reason: &str,
        field: Option<&str>,
        explained: &str,
    ) {
        const SHOWN: usize = 4096;
        let start = effects.bytes.len();
        let to = &mut effects.bytes;
        to.extend_from_slice(b"{\"at\":\"");
        to.extend_from_slice(&self.at);
        to.extend_from_slice(b"\",\"reason\":");
        text(to, reason);
        if let Some(field) = field {
            to.extend_from_slice(b",\"field\":");
            text(to, field);
        }
        to.extend_from_slice(b",\"explained\":");
        text(to, explained);
        let value = record.value.unwrap_or_default();
        let shown = &value[..value.len().min(SHOWN)];
        to.extend_from_slice(b",\"bytes\":");
        self.integer(to, value.len() as u64);
        match std::str::from_utf8(shown) {
            _ if record.value.is_none() => to.extend_from_slice(b",\"value\":null"),
            Ok(shown) => {
                to.extend_from_slice(b",\"value\":");
                text(to, shown);
            }
            Err(error) if error.error_len().is_none() && shown.len() == SHOWN => {
                to.extend_from_slice(b",\"value\":");
                text(to, &String::from_utf8_lossy(&shown[..error.valid_up_to()]));
            }
            Err(_) => {
                to.extend_from_slice(b",\"value_hex\":\"");
                for byte in shown {
                    let digit = |d: u8| b"0123456789abcdef"[usize::from(d)];
                    to.extend([digit(byte >> 4), digit(byte & 15)]);
                }
                to.push(b'"');
            }
        }
        to.push(b'}');
        self.finish(effects, OutTopic::DeadLetters, partition, record.key, start);
    }
}

/// Appends a JSON string.
pub(super) fn text(to: &mut Vec<u8>, text: &str) {
    let is_plain = |byte: &u8| *byte >= 0x20 && *byte != b'"' && *byte != b'\\' && *byte != 0x7f;
    if text.as_bytes().iter().all(is_plain) {
        to.push(b'"');
        to.extend_from_slice(text.as_bytes());
        to.push(b'"');
    } else {
        serde_json::to_writer(to, text).expect("writing to memory does not fail");
    }
}
