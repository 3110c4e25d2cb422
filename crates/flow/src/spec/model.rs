//! A learner, the features it uses, and what surrounds it.

use std::collections::BTreeMap;

use alluvium_learn::{detectors::DetectorConfig, learners::LearnerConfig};
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
