//! What a pipeline was told: the canonical form of its file, as control records it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The release of the arithmetic: it rises when the same settings and records give other bytes.
pub const KERNEL: u32 = 1;

/// The two halves of a pipeline file in canonical form: keys sorted, defaults left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The release of the arithmetic: a pipeline of another release is not guessed at.
    pub kernel: u32,
    /// What is learned: a change halts and asks.
    pub learned: Value,
    /// How it runs: changes freely.
    pub runs: Value,
}

/// What somebody decided; acts at its place in the order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Decision {
    /// Go on with these settings and the state as it is.
    Adopt {
        /// The settings.
        settings: Arc<Settings>,
    },
    /// Forget what was learned and go on from here.
    Reset {
        /// Only this model; `None`: everything, steps included.
        model: Option<String>,
    },
    /// From here on this model is the champion.
    Promote {
        /// The model.
        model: String,
        /// A version to hold on to; `None`: always the newest.
        version: Option<u64>,
    },
    /// Back to the version the champion stood at before its last change.
    Rollback,
}
