//! The JSON Schema of a settings file, for editors: with the shorthands, which serde's own schema
//! does not know.

use schemars::JsonSchema;
use serde_json::{Map, Value, json};

use super::shape::{Shape, alternatives, kind};

/// The JSON Schema of a file of these settings: a choice is also its kind's name, and a table with
/// `x-short` is also the value of that one setting.
pub fn json_schema<T: JsonSchema>() -> Value {
    let root = schemars::schema_for!(T).to_value();
    with_shorthands(&root, &root)
}

fn with_shorthands(schema: &Value, root: &Value) -> Value {
    let inner = match schema {
        Value::Object(parts) => {
            let part = |(name, part): (&String, &Value)| {
                let part = match (name.as_str(), part) {
                    ("description", Value::String(text)) => Value::String(plain(text)),
                    // Values, not schemas: nothing in them is to be changed.
                    ("default" | "const" | "enum" | "required", part) => part.clone(),
                    (_, part) => with_shorthands(part, root),
                };
                (name.clone(), part)
            };
            Value::Object(parts.iter().map(part).collect())
        }
        Value::Array(parts) => {
            return parts.iter().map(|part| with_shorthands(part, root)).collect();
        }
        plain => return plain.clone(),
    };
    with_short(with_bare_kinds(inner, schema, root), schema)
}

/// A choice also takes the name of a kind that can do with its defaults.
fn with_bare_kinds(mut inner: Value, schema: &Value, root: &Value) -> Value {
    let stands_bare = |settings: &Value| match Shape::of(settings, root) {
        Shape::Table(table) => table.required.is_empty(),
        Shape::Names { least, .. } => least == 0,
        _ => false,
    };
    let kinds = alternatives(schema).unwrap_or_default().iter().filter_map(kind);
    let names: Vec<&str> =
        kinds.filter(|(_, settings)| stands_bare(settings)).map(|(name, _)| name).collect();
    if names.is_empty() {
        return inner;
    }
    let bare =
        json!({ "description": "A kind with its defaults.", "type": "string", "enum": names });
    for list in ["oneOf", "anyOf"] {
        if let Some(alternatives) = inner.get_mut(list).and_then(Value::as_array_mut) {
            alternatives.push(bare.clone());
        }
    }
    inner
}

/// A table with `x-short` also takes the value of that setting.
fn with_short(inner: Value, schema: &Value) -> Value {
    let Some(short) = schema.get("x-short").and_then(Value::as_str) else { return inner };
    let Value::Object(mut table) = inner else { return inner };
    let mut value = table["properties"][short].clone();
    if let Some(value) = value.as_object_mut() {
        value.remove("default");
    }
    let mut either = Map::new();
    for moved in ["description", "default", "title", "$schema", "$defs"] {
        either.extend(table.remove_entry(moved));
    }
    either.insert("anyOf".into(), json!([Value::Object(table), value]));
    Value::Object(either)
}

/// The text of a comment as an editor shows it: no links, and lines only where a paragraph ends.
fn plain(comment: &str) -> String {
    let text = comment.replace("[`", "`").replace("`]", "`");
    let paragraphs = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}
