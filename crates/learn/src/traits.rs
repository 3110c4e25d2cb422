//! The seams: what a learner, a metric and a detector are. Feature steps have their own page.

use std::fmt;

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Features, Label, Outcome, Prediction, Reader, Shape, StateError, Task, Writer, learners::Rule,
};

/// Anything that learns, and so has to be kept.
pub trait State: Send + Sync {
    /// Writes the state, a format number first. Equal states write equal bytes.
    fn save(&self, to: &mut Writer);

    /// Reads what [`State::save`] wrote, into a fresh object with the same settings. Never panics,
    /// whatever the bytes.
    ///
    /// # Errors
    /// When the bytes are not a state of this object. The object is then not to be used.
    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError>;

    /// The memory taken, the object itself included. Within a tenth of what the allocator saw.
    fn footprint_bytes(&self) -> usize;
}

/// Copies an object behind a box: for frozen predictors and ensembles.
pub trait Fork {
    /// A copy that learns on its own from here on.
    fn fork(&self) -> Box<dyn Learner>;
}

impl<L: Learner + Clone + 'static> Fork for L {
    fn fork(&self) -> Box<dyn Learner> {
        Box::new(self.clone())
    }
}

/// Learns from one example after the other, and answers at any time.
///
/// Finite before it has learned. [`Learner::predict`] changes nothing. Weight 0 changes nothing.
/// A class first seen at record one million is fine: codes may rise up to the shape's bound.
pub trait Learner: State + Fork {
    /// What it answers; checked against the label when the plan is built.
    fn task(&self) -> Task;

    /// The answer for one example. Overwrites all of `out`.
    fn predict(&self, x: &Features<'_>, out: &mut Prediction);

    /// Learns one example. `weight` is finite and 0 or more.
    fn learn(&mut self, x: &Features<'_>, y: Label<'_>, weight: f64);

    /// What each dense slot contributed to the answer, if that can be said.
    fn explain(&self, _x: &Features<'_>, _out: &mut Vec<f64>) -> bool {
        false
    }

    /// What it does without its state, where that is a few words: so a model for each of many keys
    /// costs those words and no more.
    fn rule(&self) -> Option<Box<dyn Rule>> {
        None
    }

    /// Reads what the rows that come next will need, so that it is near when they come. Changes
    /// nothing. `keys` are those of the rows, where the learner goes by a key.
    fn look_ahead(&self, _keys: &[u64]) {}
}

/// What a detector makes of the newest value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing has changed.
    Stable,
    /// Something may be changing.
    Warning,
    /// Something has changed. The detector has begun anew.
    Drift,
}

/// Watches one signal for change.
pub trait Detector: State {
    /// Takes the next value, finite.
    fn update(&mut self, value: f64) -> Verdict;

    /// A copy that watches on its own from here on.
    fn fork(&self) -> Box<dyn Detector>;
}

/// Judges answers against the truth: all it has met since it was made. A sliding window makes a new
/// one of the outcomes in it.
pub trait Metric: State {
    /// Takes one outcome in.
    fn add(&mut self, outcome: &Outcome);

    /// Takes outcomes in, one after the other.
    fn add_all(&mut self, outcomes: &[Outcome]) {
        outcomes.iter().for_each(|outcome| self.add(outcome));
    }

    /// The value so far; `None` before it has one (no outcomes, or only one class for AUC).
    fn value(&self) -> Option<f64>;
}

/// Something with a name and settings, listed in its family's table.
pub trait Component: State + Clone + 'static {
    /// Its name in settings, metrics and versions. Never changes.
    const NAME: &'static str;

    /// Its settings. Every setting has a default that never changes once it was released: settings
    /// equal to their default are no part of a pipeline's identity.
    type Config: Clone + Default + PartialEq + Serialize + DeserializeOwned + JsonSchema;

    /// Builds it.
    ///
    /// # Errors
    /// Names the setting, its value and what would be right.
    fn new(config: Self::Config, shape: &Shape) -> Result<Self, ConfigError>;
}

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The setting, as a path below the component's own table: `step`, `optimizer.ftrl.alpha`.
    /// Empty: the component as a whole does not fit where it stands.
    pub field: String,
    /// The value it has.
    pub value: String,
    /// What would be right, to follow "must be" or to stand alone: "above 0 and at most 1".
    pub must_be: String,
}

impl ConfigError {
    /// A setting out of its range.
    pub fn new(field: &str, value: impl fmt::Display, must_be: &str) -> ConfigError {
        ConfigError { field: field.into(), value: value.to_string(), must_be: must_be.into() }
    }

    /// A component that does not fit where it stands: the label, or a slot it cannot take.
    pub fn unfit(must_be: impl Into<String>) -> ConfigError {
        ConfigError { field: String::new(), value: String::new(), must_be: must_be.into() }
    }

    /// The same mistake, seen from the table above.
    pub fn below(mut self, table: &str) -> ConfigError {
        self.field = match self.field.as_str() {
            "" => table.into(),
            field => format!("{table}.{field}"),
        };
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.field.as_str(), self.value.as_str()) {
            ("", _) => write!(f, "{}", self.must_be),
            (field, "") => write!(f, "{field}: {}", self.must_be),
            (field, value) => write!(f, "{field} is {value}, but must be {}", self.must_be),
        }
    }
}

impl std::error::Error for ConfigError {}

/// Checks a number's range:
/// `check_range("step", 0.0, "above 0 and at most 1", |v| v > 0.0 && v <= 1.0)`.
///
/// # Errors
/// When the number is not finite, or `is_right` says no.
pub fn check_number(
    field: &str,
    value: f64,
    must_be: &str,
    is_right: impl Fn(f64) -> bool,
) -> Result<f64, ConfigError> {
    if value.is_finite() && is_right(value) {
        Ok(value)
    } else {
        Err(ConfigError::new(field, value, must_be))
    }
}

/// Checks a count's range, both ends included.
///
/// # Errors
/// When the count is outside.
pub fn check_count(field: &str, value: u64, least: u64, most: u64) -> Result<u64, ConfigError> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(ConfigError::new(field, value, &format!("from {least} to {most}")))
    }
}
