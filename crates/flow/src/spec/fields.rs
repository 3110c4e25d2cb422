//! What is read of each record.

use alluvium_learn::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A field: what it is, and so where it can be used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// A finite number.
    Number(NumberField),
    /// So many numbers: in CSV its name in `columns` stands for so many columns, elsewhere it is an
    /// array.
    Numbers(NumbersField),
    /// One of a bounded set of names, coded in the order of first sight.
    Category(CategoryField),
    /// True or false.
    Flag(FlagField),
    /// Free text.
    Text(TextField),
    /// An identity: user, card, sensor. Never a number.
    Id(IdField),
}

/// Settings of a number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NumberField {
    /// The least that is taken; a record with less is refused. Raising it refuses more. Default:
    /// no bound.
    pub min: Option<f64>,

    /// The most that is taken; a record with more is refused. Raising it refuses less. Default: no
    /// bound.
    pub max: Option<f64>,

    /// What stands in for a missing or bad value: `"mean"`, `"previous"`, `"zero"`, or a number.
    /// Default: none, the record is refused.
    pub missing: Option<NumberMissing>,
}

/// Settings of a run of numbers. A bare number is `count`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-short" = "count"))]
pub struct NumbersField {
    /// How many numbers: columns in CSV, elements of an array elsewhere; a record with another
    /// number of them is refused. Required. Range: 1 to 65536.
    #[schemars(range(min = 1, max = 65_536))]
    pub count: u32,

    /// What stands in for each missing or bad value: `"mean"`, `"previous"`, `"zero"`, or a number.
    /// Default: none, the record is refused.
    #[serde(default)]
    pub missing: Option<NumberMissing>,
}

/// Settings of a category. A bare list is `values`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "values"))]
pub struct CategoryField {
    /// The names it can have, in the order of their codes; any other one shares one code, "other".
    /// Default: as they come, in the order of first sight.
    pub values: Vec<String>,

    /// The most names that get a code of their own, where `values` does not list them; those that
    /// come later share one, "other". Raising it tells more of them apart and takes more memory in
    /// every model that uses the field. Range: 1 to 1000000. Default: 1000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub values_max: u32,

    /// What stands in for a missing value: `"previous"`, or a name. Default: none, the record is
    /// refused.
    pub missing: Option<CategoryMissing>,
}

impl Default for CategoryField {
    fn default() -> CategoryField {
        CategoryField { values: Vec::new(), values_max: 1000, missing: None }
    }
}

/// Settings of a flag.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FlagField {
    /// What stands in for a missing or bad value: `"previous"`, true or false. Default: none, the
    /// record is refused.
    pub missing: Option<FlagMissing>,
}

/// Settings of a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TextField {
    /// The longest text that is taken; a record with a longer one is refused. Raising it refuses
    /// less and costs time with each long text. Default: `"64 KiB"`.
    pub bytes_max: Bytes,
}

impl Default for TextField {
    fn default() -> TextField {
        TextField { bytes_max: Bytes(64 << 10) }
    }
}

/// Settings of an identity: none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IdField {}

/// What stands in for a number that is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum NumberMissing {
    /// A value that is known by then.
    Known(StandIn),
    /// Always this one.
    Constant(f64),
}

/// A number that is known when another is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StandIn {
    /// The mean of those before; 0 at first.
    Mean,
    /// The last one before; 0 at first.
    Previous,
    /// 0.
    Zero,
}

/// What stands in for a name that is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum CategoryMissing {
    /// The last one before; "other" at first.
    Known(LastSeen),
    /// Always this one.
    Constant(String),
}

/// What stands in for a flag that is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FlagMissing {
    /// The last one before; false at first.
    Known(LastSeen),
    /// Always this one.
    Constant(bool),
}

/// The value of the record before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LastSeen {
    /// The last one before.
    Previous,
}
