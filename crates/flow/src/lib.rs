//! Records, their order, and the pipeline that scores each record before it learns from it.
//!
//! Pure: no ports, no Kafka, no HTTP, no TOML, no clock.
#![warn(missing_docs)]

mod batch;
mod chain;
pub mod decode;
mod effects;
mod joins;
pub mod order;
mod pipeline;
mod run;
mod settings;
pub mod spec;

pub use batch::{Batch, HeaderIter, Headers, Meta, Record};
pub use chain::Chain;
pub use effects::{Effects, ModelRecord, News, OutKey, OutTopic, Output};
pub use joins::Joins;
pub use pipeline::{
    ChampionEntry, Counters, Fate, InputPlan, Inspected, LabelCounts, Labels, Memory, Mistake,
    Pipeline, PlanError, Predictor, PredictorError, Registry, Scored, Sections, VersionEntry,
    Versions, alias_key, state_digest, version_key,
};
pub use run::{Input, Run};
pub use settings::{Decision, Gap, KERNEL, Settings};
