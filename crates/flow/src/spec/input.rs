//! Where examples come from.

use std::collections::BTreeMap;

use alluvium_learn::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// One input: a topic, and how its records are read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The topic. Changes nothing of what is learned. Default: the input's name.
    #[serde(default)]
    pub topic: Option<String>,

    /// Sources that fill the topic once, while it is empty: a file (CSV or NDJSON, compressed or
    /// not) or `tcp://HOST:PORT`; one, or a list read in this order. Changes nothing of what is
    /// learned. Default: none.
    #[serde(default, deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub load: Vec<String>,

    /// The format of a record's value. Required.
    pub format: Format,

    /// Where a field lies in the record, for those that do not lie under their own name:
    /// `amount = "amount.value"`, `"items[0].price"`, `"$key"`, `"$headers.NAME"`, `"$time"`,
    /// `"$partition"`. Default: none.
    #[serde(default)]
    pub paths: BTreeMap<String, String>,

    /// The event time: what spans as `"10 min"` are counted in, and by which records of several
    /// partitions are merged. Default: the log's own timestamp.
    #[serde(default)]
    pub time: Option<EventTime>,

    /// How far a record's event time may lie behind the watermark, that of all inputs; one
    /// that is later than that is refused, as `late`. Raising it takes more of what comes late.
    /// Range: 0 ms and more. Default: left out, so that nothing is too late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_max: Option<Span>,

    /// How far the event time in a record may lie ahead of the log's own timestamp of it; one
    /// further ahead is refused, as `ahead`, so that one record from the year 2099 cannot move time
    /// there. Raising it takes more of what clocks that are wrong have dated. Range: 0 ms and more.
    /// Default: `"1 h"`. Only with `time`.
    #[serde(default = "one_hour")]
    pub ahead_max: Span,

    /// How many partitions the topic gets if this pipeline creates it. More let more programs
    /// read it at once; an order of all records is kept in any case. Changes nothing of a topic
    /// that is there. Range: 1 to 1000. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub partitions: u32,
}

fn one() -> u32 {
    1
}

pub(crate) fn one_hour() -> Span {
    Span(3_600_000)
}

impl Input {
    /// The topic, of the input with this name.
    pub fn topic<'a>(&'a self, name: &'a str) -> &'a str {
        self.topic.as_deref().unwrap_or(name)
    }
}

/// The format of a record's value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One line of comma-separated values.
    Csv(Csv),
    /// One JSON object.
    Json(Json),
}

/// One line of comma-separated values, by RFC 4180. A bare list is `columns`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-short" = "columns"))]
pub struct Csv {
    /// The columns' names, in order; `_` for one that nobody reads. Required. Range: at least one.
    #[schemars(length(min = 1))]
    pub columns: Vec<String>,

    /// What separates the columns. Range: one ASCII character, no quote, no line break. Default:
    /// `","`.
    #[serde(default = "comma")]
    pub delimiter: char,
}

fn comma() -> char {
    ','
}

/// One JSON object. No settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Json {}

/// Which place in the record holds the event time, and how it is written there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventTime {
    /// Milliseconds since 1970.
    Ms(String),
    /// Seconds since 1970, a fraction allowed.
    S(String),
    /// RFC 3339, with any offset: `2026-11-21T13:00:00Z`.
    Rfc3339(String),
}

impl EventTime {
    /// The place, written as in [`Input::paths`].
    pub fn path(&self) -> &str {
        let (EventTime::Ms(path) | EventTime::S(path) | EventTime::Rfc3339(path)) = self;
        path
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(match OneOrMany::deserialize(from)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}
