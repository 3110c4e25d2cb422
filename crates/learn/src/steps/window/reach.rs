//! How far a window reaches back: `over = "10 min"`, or `over.tumbling`, `.session`, `.decay`.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};

use crate::{Over, Span};

/// How far a window reaches back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Over the newest records, or the newest span of time. Written as it is: `over = "10 min"`.
    Sliding(Over),
    /// From the last full span on, counted from 1970, or from the last full number of records.
    Tumbling(Over),
    /// Over all records since the last gap of that length.
    Session(Span),
    /// Over all records, which weigh half after that time, or so many records.
    Decay(Over),
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reach::Sliding(over) | Reach::Tumbling(over) | Reach::Decay(over) => over.fmt(f),
            Reach::Session(gap) => gap.fmt(f),
        }
    }
}

/// As it stands in a table.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Table {
    Sliding(Over),
    Tumbling(Over),
    Session(Span),
    Decay(Over),
}

impl Serialize for Reach {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let name = match self {
            Reach::Sliding(over) => return over.serialize(to),
            Reach::Tumbling(_) => "tumbling",
            Reach::Session(_) => "session",
            Reach::Decay(_) => "decay",
        };
        let mut map = to.serialize_map(Some(1))?;
        map.serialize_entry(name, &self.to_string())?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Reach {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Reach, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Reach;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("so many records, a time, or one of tumbling, session and decay")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Reach, E> {
                text.parse().map(Reach::Sliding).map_err(E::custom)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Reach, A::Error> {
                let table = Table::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(match table {
                    Table::Sliding(over) => Reach::Sliding(over),
                    Table::Tumbling(over) => Reach::Tumbling(over),
                    Table::Session(gap) => Reach::Session(gap),
                    Table::Decay(over) => Reach::Decay(over),
                })
            }
        }

        from.deserialize_any(Visitor)
    }
}

impl JsonSchema for Reach {
    fn schema_name() -> Cow<'static, str> {
        "Reach".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut described = |text: &str, schema: fn(&mut SchemaGenerator) -> Schema| {
            let mut schema = schema(generator);
            schema.insert("description".into(), text.into());
            schema
        };
        let over: fn(&mut SchemaGenerator) -> Schema = Over::json_schema;
        let sliding = described(
            "The newest so many records, or so much event time: what a bare value is. Default: left out.",
            over,
        );
        let tumbling = described(
            "Begins anew with each full span of event time, counted from 1970, or after so many \
             records. Default: left out.",
            over,
        );
        let session = described(
            "All records since the last gap of at least this length. Default: left out.",
            Span::json_schema,
        );
        let decay = described(
            "All records; each weighs half after this time, or so many records. Default: left out.",
            over,
        );
        json_schema!({
            "type": "object",
            "description": "How far a window reaches back.",
            "x-short": "sliding",
            "properties": {
                "sliding": sliding, "tumbling": tumbling, "session": session, "decay": decay
            },
            "additionalProperties": false,
            "maxProperties": 1
        })
    }
}
