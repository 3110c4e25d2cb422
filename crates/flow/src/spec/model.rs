//! A learner, the features it uses, and what surrounds it.

use std::collections::BTreeMap;

use alluvium_learn::{Span, detectors::DetectorConfig, learners::LearnerConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// What it sees: fields, steps or `step.field`, in this order. Required. Range: at least one.
    #[serde(rename = "use")]
    #[schemars(length(min = 1))]
    pub uses: Vec<String>,

    /// How it learns: `learner = "kind"`, or `learner.kind = settings`. Required.
    pub learner: LearnerConfig,

    /// The name of an id or a category: one small model for each of its values. Default: left out,
    /// for one model of all records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,

    /// The most keys of `by`; beyond it the one unseen for longest goes, and begins anew when it
    /// comes back. Raise it for more keys, at the memory of a model each. Range: 1 to 100,000,000.
    /// Default: 1,000,000. Without effect without `by`.
    #[serde(default = "keys_max_default")]
    pub keys_max: u64,

    /// After how much event time an unseen key of `by` is forgotten. Range: 1 ms and more. Default:
    /// left out: never. Without effect without `by`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forget_after: Option<Span>,

    /// How much each class counts when it is learned, by the class's name; 1 for one that is not
    /// named. Raising it finds more of that class and takes more others for it; examples of a class
    /// of 0 are not learned. Range: 0 to 1,000,000,000. Default: none.
    #[serde(default)]
    #[schemars(extend("additionalProperties" = { "type": "number", "minimum": 0, "maximum": 1e9 }))]
    pub class_weight: BTreeMap<String, f64>,

    /// Watches the model's own error, and makes it begin anew when that changes: `reset_on =
    /// "adwin"`, or `reset_on.adwin = settings`. Default: none.
    #[serde(default)]
    pub reset_on: Option<DetectorConfig>,
}

fn keys_max_default() -> u64 {
    1_000_000
}
