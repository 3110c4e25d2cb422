//! How long versions are kept.

use std::{borrow::Cow, fmt, str::FromStr};

use alluvium_learn::Span;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// How many versions are kept, or for how long. Written `"20 versions"` or `"90 d"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// So many of each model, 1 or more.
    Versions(u64),
    /// Those of so much event time, in milliseconds, 1 or more.
    Time(u64),
}

impl FromStr for Keep {
    type Err = String;

    fn from_str(text: &str) -> Result<Keep, String> {
        let must_be = |what: &str| Err(format!("{text:?} must be {what}"));
        let Some((count, unit)) = text.trim().split_once(' ') else {
            return must_be(r#""20 versions", or a time as "90 d""#);
        };
        let keep = match unit.trim() {
            "version" | "versions" => match count.replace('_', "").parse() {
                Ok(count) => Keep::Versions(count),
                Err(_) => return must_be(r#"a whole number of versions: "20 versions""#),
            },
            _ => Keep::Time(text.parse::<Span>()?.0),
        };
        match keep {
            Keep::Versions(0) | Keep::Time(0) => must_be("1 or more"),
            keep => Ok(keep),
        }
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Keep::Versions(count) => write!(f, "{count} versions"),
            Keep::Time(span) => Span(*span).fmt(f),
        }
    }
}

impl Serialize for Keep {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Keep {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Keep, D::Error> {
        Cow::<'de, str>::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Keep {
    fn schema_name() -> Cow<'static, str> {
        "Keep".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "so many versions, or a time with a unit",
            "pattern": r"^[0-9_]+ (versions?|ms|s|min|h|d)$",
            "x-unit": "Keep",
        })
    }
}
