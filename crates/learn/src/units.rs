//! Settings with a unit: sizes and spans are written as text, `"64 MiB"`, `"10 min"`,
//! `"1000 records"`.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A size of memory or disk, in bytes. Written `"64 MiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// A length of time, in milliseconds. Written `"10 min"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub u64);

/// How far back: so many records, or so much event time. Written `"1000 records"` or `"10 min"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// So many records, 1 or more.
    Records(u64),
    /// So much event time, in milliseconds, 1 or more.
    Time(u64),
}

const SIZES: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
const TIMES: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

fn split(text: &str) -> Option<(u64, &str)> {
    let (count, unit) = text.trim().split_once(' ')?;
    Some((count.replace('_', "").parse().ok()?, unit.trim()))
}

fn scale(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (count, unit) = split(text)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    count.checked_mul(*factor)
}

fn written(value: u64, units: &[(&str, u64)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let fits = |(_, factor): &&(&str, u64)| value.is_multiple_of(*factor) && value >= *factor;
    let (name, factor) = units.iter().rev().find(fits).unwrap_or(&units[0]);
    write!(f, "{} {name}", value / factor)
}

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Bytes, String> {
        let must_be = r#"a size with a unit: "64 MiB" (B, KiB, MiB, GiB)"#;
        scale(text, &SIZES).map(Bytes).ok_or_else(|| format!("{text:?} must be {must_be}"))
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Span, String> {
        let must_be = match split(text) {
            Some((count, "m")) => format!(r#"a time with a unit: "{count} min" for minutes"#),
            _ => r#"a time with a unit: "10 min" (ms, s, min, h, d)"#.to_string(),
        };
        scale(text, &TIMES).map(Span).ok_or_else(|| format!("{text:?} must be {must_be}"))
    }
}

impl FromStr for Over {
    type Err = String;

    fn from_str(text: &str) -> Result<Over, String> {
        let over = match split(text) {
            Some((count, "record" | "records")) => Over::Records(count),
            Some(_) => Over::Time(text.parse::<Span>()?.0),
            None => {
                let must_be = r#""1000 records", or a time as "10 min""#;
                return Err(format!("{text:?} must be {must_be}"));
            }
        };
        match over {
            Over::Records(0) | Over::Time(0) => Err(format!("{text:?} must be 1 or more")),
            over => Ok(over),
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        written(self.0, &SIZES, f)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        written(self.0, &TIMES, f)
    }
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Over::Records(count) => write!(f, "{count} records"),
            Over::Time(span) => Span(*span).fmt(f),
        }
    }
}

macro_rules! as_text {
    ($($type:ident: $what:literal, $pattern:literal;)*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<$type, D::Error> {
                let text = Cow::<'de, str>::deserialize(from)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "description": $what, "pattern": $pattern, "x-unit": stringify!($type) })
            }
        }
    )*};
}

as_text! {
    Bytes: "a size with a unit: B, KiB, MiB, GiB", r"^[0-9_]+ (B|KiB|MiB|GiB)$";
    Span: "a time with a unit: ms, s, min, h, d", r"^[0-9_]+ (ms|s|min|h|d)$";
    Over: "so many records, or a time with a unit", r"^[0-9_]+ (records?|ms|s|min|h|d)$";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_and_written_alike() {
        assert_eq!("64 MiB".parse(), Ok(Bytes(64 << 20)));
        assert_eq!(Bytes(64 << 20).to_string(), "64 MiB");
        assert_eq!("90 s".parse(), Ok(Span(90_000)));
        assert_eq!(Span(90_000).to_string(), "90 s");
        assert_eq!("1_000 records".parse(), Ok(Over::Records(1000)));
        assert_eq!("10 min".parse(), Ok(Over::Time(600_000)));
        assert_eq!(Bytes(0).to_string(), "0 B");
    }

    #[test]
    fn a_bare_m_is_refused_with_min_offered() {
        let error = "10 m".parse::<Span>().unwrap_err();
        assert!(error.contains("\"10 min\""), "{error}");
        assert!("0 records".parse::<Over>().is_err());
        assert!("64".parse::<Bytes>().is_err());
    }
}
