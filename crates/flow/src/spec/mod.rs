//! The settings of a pipeline, as the pipeline file holds them.
//!
//! Plain data: the doc comments are the manual, and the JSON Schema made of them is what reads
//! the file. Every setting has a default that is safe and never changes once it was released,
//! unless its comment says that it is required.
//!
//! `input`, `fields`, `label`, `features` and `model` are what is learned; all other tables are how
//! it runs. [`Spec::learned_json`] and [`Spec::running_json`] are the two halves.

mod canonical;
mod fields;
mod input;
mod keep;
mod label;
mod model;
mod run;

use std::collections::BTreeMap;

use alluvium_learn::steps::StepConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use fields::{
    CategoryField, CategoryMissing, Field, FlagField, FlagMissing, IdField, LastSeen, NumberField,
    NumberMissing, NumbersField, StandIn, TextField,
};
pub(crate) use input::one_hour;
pub use input::{Csv, EventTime, Format, Input, Json};
pub use keep::Keep;
pub use label::{Absent, ClassLabel, Correct, Label, LabelKind, Late, NumberLabel};
pub use model::Model;
pub use run::{
    Answer, Champion, EmbeddedLog, Judge, KafkaLog, LogChoice, Only, Predictions, Refusals,
    Versions,
};

/// A pipeline: what it reads, what it learns and how it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The pipeline's name: the first part of the names of its topics. Required. Range: 1 to 100
    /// letters, digits, `-` and `_`.
    #[schemars(length(min = 1, max = 100))]
    pub name: String,

    /// The inputs, by name: the topics that examples come from. Required, at least one.
    #[schemars(extend("minProperties" = 1))]
    pub input: BTreeMap<String, Input>,

    /// The fields, by name: what is read of each record. What is not named is not read. A missing
    /// or bad value refuses the record, unless the field has `missing`. Default: none.
    #[serde(default)]
    pub fields: BTreeMap<String, Field>,

    /// What the models are to foretell. It is no field, so that no model can name it and leak the
    /// answer. Default: none, for clusters and anomalies.
    #[serde(default)]
    pub label: Option<Label>,

    /// The feature steps, by name: `name.kind = settings`. A step makes new features and overwrites
    /// none; one for each field read is `step.field`, one from several is `step`. Default: none.
    #[serde(default)]
    pub features: BTreeMap<String, StepConfig>,

    /// The models, by name, that learn side by side. Required, at least one.
    #[schemars(extend("minProperties" = 1))]
    pub model: BTreeMap<String, Model>,

    /// How the models are judged, each record before it is learned.
    #[serde(default)]
    pub judge: Judge,

    /// The model that answers.
    #[serde(default)]
    pub champion: Champion,

    /// When a model is published, and how long it is kept.
    #[serde(default)]
    pub versions: Versions,

    /// Which answers are written, and what goes with them.
    #[serde(default)]
    pub predictions: Predictions,

    /// How many records may be turned away before the run halts.
    #[serde(default)]
    pub refusals: Refusals,

    /// Where the topics live. Default: the embedded log.
    #[serde(default)]
    pub log: LogChoice,
}

impl Spec {
    /// The model that answers at first: the one that the file names, else the first by name.
    /// `None` only where there is no model.
    pub fn first_champion(&self) -> Option<&str> {
        let named = self.champion.first.as_deref();
        named.or_else(|| self.model.keys().next().map(String::as_str))
    }

    /// The names in an input's `columns`, and how many columns each stands for: the name that a
    /// field of so many numbers reads stands for so many.
    pub fn columns<'a>(
        &'a self,
        input: &'a str,
        csv: &'a Csv,
    ) -> impl Iterator<Item = (&'a str, u32)> {
        let width = move |column: &'a String| self.width(input, column, |_| true);
        csv.columns.iter().map(move |column| (column.as_str(), width(column)))
    }
}

#[cfg(test)]
mod tests;
