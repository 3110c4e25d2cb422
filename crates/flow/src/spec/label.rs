//! What the models are to foretell.

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
