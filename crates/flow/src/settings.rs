//! What a pipeline was told: the canonical form of its file, as control records it.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::spec::Spec;

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

/// Records of one partition that are passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// The input.
    pub input: Arc<str>,
    /// The partition.
    pub partition: u32,
    /// The first offset passed over: where the input had been read to.
    pub from: u64,
    /// The offset that is read next.
    pub to: u64,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}..{}", self.input, self.partition, self.from, self.to)
    }
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
    /// Go on with these settings and the state as it is; what they name more has learned nothing,
    /// and begins here.
    Begin {
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
    /// Pass over records that cannot be read, and that no cut holds yet.
    Skip(Gap),
}

impl Decision {
    /// The settings that it makes those in force.
    pub fn settings(&self) -> Option<&Arc<Settings>> {
        match self {
            Decision::Adopt { settings } | Decision::Begin { settings } => Some(settings),
            _ => None,
        }
    }
}

impl Settings {
    /// The canonical form of a pipeline file. Where the log is, is no part of it.
    pub fn of(spec: &Spec) -> Settings {
        let mut runs = spec.running_json();
        if let Some(tables) = runs.as_object_mut() {
            tables.remove("log");
        }
        Settings { kernel: KERNEL, learned: spec.learned_json(), runs }
    }

    /// The settings with every default filled in again.
    ///
    /// # Errors
    /// When another release wrote them and this one cannot read them.
    pub fn spec(&self) -> Result<Spec, String> {
        if self.kernel > KERNEL {
            return Err(format!(
                "they need an alluvium with kernel {}, and this one has {KERNEL}",
                self.kernel
            ));
        }
        let mut whole = self.learned.clone();
        merge(&mut whole, &self.runs);
        serde_json::from_value(whole).map_err(|error| error.to_string())
    }

    /// The identity of what is learned: BLAKE3, hexadecimal, 16 digits.
    pub fn learned_digest(&self) -> String {
        let bytes = serde_json::to_vec(&(self.kernel, &self.learned)).expect("plain data");
        blake3::hash(&bytes).to_hex()[..16].to_string()
    }

    /// The identity of what one model learns: the fields, steps and settings that it uses, and
    /// nothing of another one's. BLAKE3, hexadecimal, 16 digits. `None`: there is no such model.
    pub fn model_digest(&self, model: &str) -> Option<String> {
        let learned = self.spec().ok()?.model_json(model)?;
        let bytes = serde_json::to_vec(&(self.kernel, &learned)).expect("plain data");
        Some(blake3::hash(&bytes).to_hex()[..16].to_string())
    }

    /// The models that two settings do not make alike: other ones, changed ones, and those that
    /// only one of them has.
    pub fn models_touched(&self, to: &Settings) -> Vec<String> {
        let (Ok(from), Ok(to)) = (self.spec(), to.spec()) else { return Vec::new() };
        let names: std::collections::BTreeSet<&String> =
            from.model.keys().chain(to.model.keys()).collect();
        let is_touched = |name: &&&String| from.model_json(name) != to.model_json(name);
        names.iter().filter(is_touched).map(|name| (*name).clone()).collect()
    }

    /// The identity of how it runs: BLAKE3, hexadecimal, 16 digits.
    pub fn runs_digest(&self) -> String {
        let bytes = serde_json::to_vec(&self.runs).expect("plain data");
        blake3::hash(&bytes).to_hex()[..16].to_string()
    }
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}
