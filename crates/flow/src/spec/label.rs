//! What the models are to foretell.

use alluvium_learn::{Bytes, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// Where it lies in the record: a column, a key, or a name that the input's `paths` place.
    /// Required.
    #[schemars(length(min = 1))]
    pub field: String,

    /// What it is. Required.
    #[serde(rename = "type")]
    pub kind: LabelKind,

    /// The input whose records are labels; all others give examples. Each example is answered at
    /// once, and learned when its label comes. Default: left out, the label lies in the record it
    /// belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,

    /// The id that a label and its example share: a field of the kind `id`, found in both by its
    /// name or by the input's `paths`. Required with `input`.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub matches: Option<String>,

    /// How long an example waits for its label, in event time from when it came; for as long again
    /// its id is known, so that a second label and one too late are told apart. Raising it learns
    /// from later labels and takes more memory. Range: 1 ms and more. Required with `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Span>,

    /// What an example was that has waited in vain: a class's name, or a number; it is judged and
    /// learned as such. Default: left out, such examples are neither judged nor learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<Absent>,

    /// What becomes of a label whose example has waited in vain: it is counted, and `"drop"`,
    /// `"dead_letter"` or `late.correct = settings`. Default: `"dead_letter"`.
    #[serde(default)]
    pub late: Late,

    /// The most memory that the waiting examples of a model take, and as much for the ids of all of
    /// them; beyond it the oldest goes, is not learned, and is counted. Raise it for longer waits
    /// and busier topics: `alluvium check` says what they need. Range: 1 MiB and more, and for all
    /// models and the ids together at most 1 GiB. Default: `"64 MiB"`.
    #[serde(default = "pending_max_default")]
    pub pending_max: Bytes,
}

fn pending_max_default() -> Bytes {
    Bytes(64 << 20)
}

/// The label of an example that has waited in vain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Absent {
    /// A class, by its name.
    Class(String),
    /// A number.
    Number(f64),
}

/// What becomes of a label that comes too late.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Late {
    /// It is counted, and that is all.
    Drop,
    /// It is counted, and goes to the dead letters.
    #[default]
    DeadLetter,
    /// The example is kept on, and learned once more with the label it should have had.
    Correct(Correct),
}

/// Learns an example again. What was judged stays judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Correct {
    /// For how long, in event time after `wait`. Raising it corrects more and takes more memory.
    /// Range: 1 ms and more. Default: `"30 d"`.
    pub within: Span,

    /// How much the corrected example counts. Raising it undoes more of what was learned wrongly.
    /// Range: 0 to 1,000,000. Default: 1.
    #[schemars(range(min = 0.0, max = 1e6))]
    pub weight: f64,
}

impl Default for Correct {
    fn default() -> Correct {
        Correct { within: Span(30 * 86_400_000), weight: 1.0 }
    }
}

/// What a label is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LabelKind {
    /// One class of several.
    Class(ClassLabel),
    /// A finite number.
    Number(NumberLabel),
}

/// One class of several. A bare list is `values`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "values"))]
pub struct ClassLabel {
    /// The classes, in the order of their codes; a record with another is refused. The second of
    /// two is the one to find. Default: as they come, in the order of first sight.
    pub values: Vec<String>,

    /// The most classes, where `values` does not list them; a record with one more is refused.
    /// Raising it takes more memory in learners that keep numbers for each class. Range: 2 to
    /// 10000. Default: 100.
    #[schemars(range(min = 2, max = 10_000))]
    pub values_max: u32,
}

impl Default for ClassLabel {
    fn default() -> ClassLabel {
        ClassLabel { values: Vec::new(), values_max: 100 }
    }
}

impl ClassLabel {
    /// The most classes there will be: as many as are listed, or `values_max` if none are.
    pub fn classes_max(&self) -> u32 {
        match u32::try_from(self.values.len()) {
            Ok(0) | Err(_) => self.values_max,
            Ok(listed) => listed,
        }
    }
}

/// A finite number. No settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NumberLabel {}
