//! The words of the mistakes that the walk finds.

use std::ops::Range;

use serde_json::{Number, Value};
use toml::de::{DeInteger, DeValue};

use super::{
    Mistake,
    nearest::{listed, nearest},
    shape::{Choice, Shape, Table},
    walk::At,
};

/// Names beyond so many are listed only where none is near.
const FEW: usize = 12;

/// A value as JSON, whatever it is; a date as its text, and null for what JSON cannot hold.
pub(super) fn as_json(node: &DeValue<'_>) -> Value {
    match node {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(integer) => integer_json(integer),
        DeValue::Float(float) => {
            let number = float.as_str().parse().ok().and_then(Number::from_f64);
            number.map_or(Value::Null, Value::Number)
        }
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(date) => Value::String(date.to_string()),
        DeValue::Array(list) => list.iter().map(|entry| as_json(entry.get_ref())).collect(),
        DeValue::Table(table) => {
            let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<_>)| {
                let key: &std::borrow::Cow<'_, str> = key.get_ref();
                (key.to_string(), as_json(value.get_ref()))
            };
            Value::Object(table.iter().map(entry).collect())
        }
    }
}

fn integer_json(integer: &DeInteger<'_>) -> Value {
    let (digits, radix) = (integer.as_str(), integer.radix());
    let signed = i64::from_str_radix(digits, radix).map(Value::from);
    signed.or_else(|_| u64::from_str_radix(digits, radix).map(Value::from)).unwrap_or(Value::Null)
}

/// What a value is.
pub(super) fn type_of(node: &DeValue<'_>) -> &'static str {
    match node {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(true) => "true",
        DeValue::Boolean(false) => "false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// How to write what was probably meant; empty if nobody knows.
pub(super) fn instead(shape: &Shape<'_>, node: &DeValue<'_>, at: &At, root: &Value) -> String {
    let written = match node {
        DeValue::Integer(integer) => integer.to_string(),
        DeValue::Float(float) => float.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::String(text) => text.to_string(),
        _ => String::new(),
    };
    match (shape, node) {
        (Shape::Table(table), _) => match table.short_shape(root) {
            Some((_, short)) => instead(&short, node, at, root),
            None => String::new(),
        },
        (Shape::Names { .. }, DeValue::Array(_)) => {
            format!("give each a name: `[{}.NAME]`", at.path)
        }
        (Shape::List { items, .. }, _) if Shape::of(items, root).takes(node) => match node {
            DeValue::String(text) => format!("write `[{:?}]`", text.as_ref()),
            _ if written.is_empty() => String::new(),
            _ => format!("write `[{written}]`"),
        },
        (Shape::Text(text), DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_)) => {
            match (text.unit, node) {
                (Some(unit), DeValue::Integer(_)) => {
                    format!("write `\"{written} {}\"`", unit.likely)
                }
                (Some(_), _) => String::new(),
                (None, _) => format!("write `{written:?}`"),
            }
        }
        (Shape::Whole(_) | Shape::Number(_), DeValue::String(text)) if is_number(text) => {
            format!("without quotes: `{text}`")
        }
        (Shape::Whole(_), DeValue::Float(_)) => {
            written.strip_suffix(".0").map_or(String::new(), |whole| format!("write `{whole}`"))
        }
        (Shape::Flag, DeValue::String(text)) if ["true", "false"].contains(&text.as_ref()) => {
            format!("without quotes: `{text}`")
        }
        _ => String::new(),
    }
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// The label of a name that is not known.
pub(super) fn did_you_mean(near: Option<&str>) -> String {
    near.map_or(String::new(), |near| format!("did you mean `{near}`?"))
}

/// The label of a string that is not known.
pub(super) fn did_you_mean_text(near: Option<&str>) -> String {
    near.map_or(String::new(), |near| format!("did you mean {near:?}?"))
}

/// A kind that is not known. The caller adds the label.
pub(super) fn unknown_kind(
    choice: &Choice<'_>,
    name: &str,
    path: &str,
    span: Range<usize>,
) -> Mistake {
    let of = if choice.of.is_empty() { String::new() } else { format!(" of {}", choice.of) };
    let message = format!("unknown kind{of}: `{name}`");
    Mistake::new(path, span, message).help(format!("one of {}", listed(choice.names())))
}

/// A name that stands where a kind should: a kind that is not known, or a setting of one.
pub(super) fn no_kind(
    choice: &Choice<'_>,
    chosen: Option<&str>,
    name: &str,
    path: &str,
    span: Range<usize>,
    root: &Value,
) -> Mistake {
    let above = path.strip_suffix(name).and_then(|above| above.strip_suffix('.'));
    let place = above.and_then(|above| above.rsplit('.').next()).unwrap_or_default();
    let has_setting = |kind: &&str| match choice.kind(kind).map(|schema| Shape::of(schema, root)) {
        Some(Shape::Table(table)) => table.get(name).is_some(),
        _ => false,
    };
    let chosen_has = chosen.filter(has_setting);
    if let Some(kind) = chosen_has.or_else(|| choice.names().find(has_setting)) {
        let message = format!("`{name}` is a setting of `{kind}`, and stands beside it");
        let message = if chosen.is_some() {
            message
        } else {
            format!("`{name}` is a setting of a kind, and the kind is not named")
        };
        let help = format!("write `{place}.{kind}.{name} = ...`");
        return Mistake::new(path, span, message).help(help);
    }
    let near = nearest(name, choice.names());
    unknown_kind(choice, name, path, span).label(did_you_mean(near))
}

/// A name that no setting has.
pub(super) fn unknown_key(
    table: &Table<'_>,
    span: Range<usize>,
    at: &At,
    above: &At,
    root: &Value,
) -> Mistake {
    let (name, is_top) = (at.name(), above.path.is_empty());
    let near = nearest(name, table.names());
    let place = if is_top { String::new() } else { format!(" in `{}`", above.path) };
    let mistake = Mistake::new(&at.path, span, format!("unknown key `{name}`{place}"));
    let belongs = table_with(name, root).filter(|_| near.is_none());
    let mistake = match belongs {
        Some(other) => mistake.label(format!("this belongs in `[{other}]`")),
        None => mistake.label(did_you_mean(near)),
    };
    let all: Vec<&str> = table.names().collect();
    match all.len() {
        0 => mistake.help(format!("`{}` has no settings", above.name())),
        count if count <= FEW || near.is_none() && belongs.is_none() => {
            mistake.help(format!("known here: {}", listed(all)))
        }
        _ => mistake,
    }
}

/// The table at the top that has a setting of that name.
fn table_with<'s>(name: &str, root: &'s Value) -> Option<&'s str> {
    let Shape::Table(top) = Shape::of(root, root) else { return None };
    top.names().find(|table| match top.get(table).map(|schema| Shape::of(schema, root)) {
        Some(Shape::Table(table)) => table.get(name).is_some(),
        _ => false,
    })
}

/// What a missing setting is, from the manual, and what to choose from.
pub(super) fn what_it_is(name: &str, schema: &Value, root: &Value) -> String {
    let manual = schema["description"].as_str().unwrap_or_default().replace('\n', " ");
    let first = manual.split(". ").next().unwrap_or_default().trim_end_matches('.');
    let mut letters = first.chars();
    let first: String =
        letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect();
    let one_of = match Shape::of(schema, root) {
        Shape::Choice(choice) => format!("; one of {}", listed(choice.names())),
        _ => String::new(),
    };
    if first.is_empty() { one_of } else { format!("`{name}` is {first}{one_of}") }
}
