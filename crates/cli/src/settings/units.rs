//! The settings with a unit: strings that a type of the rooms below reads (`x-unit` in the schema).

use std::str::FromStr;

use alluvium_flow::spec::Keep;
use alluvium_learn::{Bytes, Over, Span};

/// How a setting with a unit is written.
#[derive(Clone, Copy)]
pub(super) struct Unit {
    name: &'static str,
    /// What would be right, to follow "must be".
    pub(super) must_be: &'static str,
    /// The unit that a bare number most likely lacks.
    pub(super) likely: &'static str,
    refusal: fn(&str) -> Option<String>,
}

const UNITS: [Unit; 4] = [
    Unit {
        name: "Bytes",
        must_be: "a size with a unit (B, KiB, MiB, GiB)",
        likely: "MiB",
        refusal: refusal::<Bytes>,
    },
    Unit {
        name: "Span",
        must_be: "a time with a unit (ms, s, min, h, d)",
        likely: "min",
        refusal: refusal::<Span>,
    },
    Unit {
        name: "Over",
        must_be: "so many records, or a time with a unit (ms, s, min, h, d)",
        likely: "records",
        refusal: refusal::<Over>,
    },
    Unit {
        name: "Keep",
        must_be: "so many versions, or a time with a unit (ms, s, min, h, d)",
        likely: "versions",
        refusal: refusal::<Keep>,
    },
];

fn refusal<T: FromStr<Err = String>>(text: &str) -> Option<String> {
    text.parse::<T>().err()
}

impl Unit {
    /// The one that the schema names. One that is not known here is left to serde.
    pub(super) fn named(name: &str) -> Option<Unit> {
        UNITS.into_iter().find(|unit| unit.name == name)
    }

    /// What the text must be instead; `None` if it is right.
    pub(super) fn refuse(&self, text: &str) -> Option<String> {
        let refusal = (self.refusal)(text)?;
        let prefix = format!("{text:?} must be ");
        Some(refusal.strip_prefix(&prefix).unwrap_or(&refusal).to_string())
    }
}
