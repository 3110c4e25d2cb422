//! How a pipeline runs: nothing here changes what is learned.

use alluvium_learn::{Over, detectors::DetectorConfig, metrics::MetricConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Keep;

/// How the models are judged. No change and majority always stand beside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Judge {
    /// The metrics, the one that matters most first. Default: those that suit the label.
    pub metrics: Vec<MetricConfig>,

    /// How far back the second figure of each metric looks; the first looks back to the beginning.
    /// Raising it makes it calmer and slower to show a change. Default: `"1000 records"`.
    pub over: Over,

    /// Watches each model's error and raises an alarm when it changes; no model is touched.
    /// `drift = "adwin"`, or `drift.adwin = settings`. Default: none.
    pub drift: Option<DetectorConfig>,
}

impl Default for Judge {
    fn default() -> Judge {
        Judge { metrics: Vec::new(), over: Over::Records(1000), drift: None }
    }
}

/// The model that answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Champion {
    /// The model that answers at first. Default: the first one by name.
    pub first: Option<String>,
}

/// When a model is published, and how long it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Versions {
    /// How often each model is published: after so many records, or so much event time. Raising it
    /// writes less; a reader's model is older. Default: `"10000 records"`.
    pub every: Over,

    /// How many versions of each model are kept, or for how long; the newest and the champion
    /// always are. Raising it takes more room. Default: `"20 versions"`.
    pub keep: Keep,
}

impl Default for Versions {
    fn default() -> Versions {
        Versions { every: Over::Records(10_000), keep: Keep::Versions(20) }
    }
}

/// Which answers are written, and what goes with them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Predictions {
    /// Which records are answered. Default: `"all"`.
    pub answer: Answer,

    /// Which answers are written: `"anomalies"` leaves out what a model without a label finds
    /// ordinary; every record is learned all the same. Default: all of them.
    pub only: Option<Only>,

    /// The fields and features written beside each answer, so that a reader knows whose it is:
    /// fields, steps or `step.field`. Default: none.
    pub carry: Vec<String>,
}

/// Which answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Only {
    /// Those that say that a record is an anomaly.
    Anomalies,
}

/// Which records are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Every one.
    #[default]
    All,
    /// Those that come while it runs; the backlog is learned and not answered.
    Live,
}

/// How many records may be turned away before the run halts: a whole topic in the wrong format
/// should stop a pipeline, one bad record should not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Refusals {
    /// The share of the newest records that may be refused; with more the run halts. Raising it
    /// bears more; 1 never halts. Range: 0 to 1. Default: 0.05.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share_max: f64,

    /// How many records, or how much event time, the share is taken of; nothing is judged before
    /// so many have come. Raising it makes the judgement later and surer. Default:
    /// `"1000 records"`.
    pub over: Over,
}

impl Default for Refusals {
    fn default() -> Refusals {
        Refusals { share_max: 0.05, over: Over::Records(1000) }
    }
}

/// Where the topics live.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogChoice {
    /// In a directory on this machine: nothing to set up.
    Embedded(EmbeddedLog),
    /// On Apache Kafka.
    Kafka(KafkaLog),
}

impl Default for LogChoice {
    fn default() -> LogChoice {
        LogChoice::Embedded(EmbeddedLog::default())
    }
}

/// A log in a directory on this machine. A bare text is `directory`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "directory"))]
pub struct EmbeddedLog {
    /// The directory, made if it is not there; relative to the pipeline file. Default:
    /// `"alluvium"`.
    pub directory: String,
}

/// Apache Kafka, 2.8 or newer. A bare text is `servers`. One of the two has to be there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "servers"))]
pub struct KafkaLog {
    /// Where to ask first: `host:port`, several with commas between. Default: what `client` says.
    pub servers: Option<String>,
    /// Kafka's own `client.properties`: encryption, users and passwords; relative to the pipeline
    /// file. Default: none, so a plain connection.
    pub client: Option<String>,
}

impl Default for EmbeddedLog {
    fn default() -> EmbeddedLog {
        EmbeddedLog { directory: "alluvium".into() }
    }
}
