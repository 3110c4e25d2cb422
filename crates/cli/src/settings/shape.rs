//! What a JSON Schema, as schemars makes it of settings, says may stand in a place.

use serde_json::{Map, Value};
use toml::de::DeValue;

use super::{
    nearest::{listed, one_of},
    units::Unit,
};

/// What may stand in a place.
pub(super) enum Shape<'s> {
    /// One kind of several.
    Choice(Choice<'s>),
    /// Settings with known names.
    Table(Table<'s>),
    /// Names of the user's own, all with values of one schema; at least so many.
    Names { values: &'s Value, least: u64 },
    /// At least so many entries of one schema.
    List { items: &'s Value, least: u64 },
    /// A string.
    Text(Text),
    /// One of these strings.
    Words(Vec<&'s str>),
    /// A whole number.
    Whole(Limits),
    /// A number.
    Number(Limits),
    /// True or false.
    Flag,
    /// Any of these, told apart by the type of the value.
    Either(Vec<Shape<'s>>),
    /// The schema says nothing.
    Anything,
}

/// A choice between kinds, each with settings of its own.
pub(super) struct Choice<'s> {
    /// Names, and the schema of the settings.
    pub(super) kinds: Vec<(&'s str, &'s Value)>,
    /// Kinds that have no settings.
    pub(super) words: Vec<&'s str>,
    /// What it is a choice of: `learner`, `field`; empty if nobody knows.
    pub(super) of: String,
}

/// Settings with known names.
pub(super) struct Table<'s> {
    pub(super) settings: Option<&'s Map<String, Value>>,
    pub(super) required: Vec<&'s str>,
    /// The setting that a bare value stands for.
    pub(super) short: Option<&'s str>,
    /// Whether names that are not known are taken.
    pub(super) open: bool,
}

/// A string.
#[derive(Clone, Copy)]
pub(super) struct Text {
    pub(super) unit: Option<Unit>,
    /// How many characters, at least and at most.
    pub(super) least: u64,
    pub(super) most: Option<u64>,
}

/// The ends of a range.
#[derive(Clone, Copy, Default)]
pub(super) struct Limits {
    least: Option<f64>,
    above: Option<f64>,
    most: Option<f64>,
    below: Option<f64>,
}

impl<'s> Shape<'s> {
    /// Of a schema in the document `root`, which holds what it refers to.
    pub(super) fn of(schema: &'s Value, root: &'s Value) -> Shape<'s> {
        let (schema, name) = resolve(schema, root);
        if let Some(alternatives) = alternatives(schema) {
            return Shape::of_alternatives(alternatives, root, name);
        }
        let count = |limit: &str| schema[limit].as_u64();
        match type_of(schema) {
            "object" => match &schema["additionalProperties"] {
                values @ Value::Object(_) => {
                    Shape::Names { values, least: count("minProperties").unwrap_or(0) }
                }
                open => Shape::Table(Table::of(schema, *open != Value::Bool(false))),
            },
            "array" => {
                Shape::List { items: &schema["items"], least: count("minItems").unwrap_or(0) }
            }
            "string" => match words(schema) {
                Some(words) => Shape::Words(words),
                None => Shape::Text(Text {
                    unit: schema["x-unit"].as_str().and_then(Unit::named),
                    least: count("minLength").unwrap_or(0),
                    most: count("maxLength"),
                }),
            },
            "integer" => Shape::Whole(Limits::of(schema)),
            "number" => Shape::Number(Limits::of(schema)),
            "boolean" => Shape::Flag,
            _ => Shape::Anything,
        }
    }

    fn of_alternatives(
        alternatives: &'s [Value],
        root: &'s Value,
        name: Option<&str>,
    ) -> Shape<'s> {
        let mut choice = Choice { kinds: Vec::new(), words: Vec::new(), of: noun(name) };
        let mut others = Vec::new();
        for alternative in alternatives {
            let (resolved, _) = resolve(alternative, root);
            if let Some(kind) = kind(resolved) {
                choice.kinds.push(kind);
            } else if let Some(words) = words(resolved) {
                choice.words.extend(words);
            } else if type_of(resolved) != "null" {
                others.push(Shape::of(alternative, root));
            }
        }
        match (choice.kinds.is_empty(), choice.words.is_empty()) {
            (true, true) => {}
            (true, false) => others.insert(0, Shape::Words(choice.words)),
            (false, _) => others.insert(0, Shape::Choice(choice)),
        }
        match others.len() {
            1 => others.remove(0),
            _ => Shape::Either(others),
        }
    }

    /// Whether a value of this TOML type can stand here.
    pub(super) fn takes(&self, value: &DeValue<'_>) -> bool {
        match self {
            Shape::Choice(_) => value.is_str() || value.is_table(),
            Shape::Table(_) | Shape::Names { .. } => value.is_table(),
            Shape::List { .. } => value.is_array(),
            Shape::Text(_) | Shape::Words(_) => value.is_str(),
            Shape::Whole(_) => value.is_integer(),
            Shape::Number(_) => value.is_integer() || value.is_float(),
            Shape::Flag => value.is_bool(),
            Shape::Either(shapes) => shapes.iter().any(|shape| shape.takes(value)),
            Shape::Anything => true,
        }
    }

    /// Whether this very string is a name it knows.
    pub(super) fn knows(&self, text: &str) -> bool {
        match self {
            Shape::Choice(choice) => choice.names().any(|name| name == text),
            Shape::Words(words) => words.contains(&text),
            _ => false,
        }
    }

    /// What would be right, to follow "must be".
    pub(super) fn must_be(&self, root: &'s Value) -> String {
        match self {
            Shape::Choice(choice) => format!("one of {}", listed(choice.names())),
            Shape::Table(table) => match table.short_shape(root) {
                Some((name, short)) => {
                    format!("{} (its `{name}`), or a table", short.must_be(root))
                }
                None => "a table of settings".into(),
            },
            Shape::Names { .. } => "a table of names".into(),
            Shape::List { items, .. } => match Shape::of(items, root) {
                Shape::Text(_) => "a list of strings".into(),
                Shape::Whole(_) => "a list of whole numbers".into(),
                Shape::Number(_) => "a list of numbers".into(),
                Shape::Choice(Choice { of, .. }) if !of.is_empty() => format!("a list of {of}s"),
                _ => "a list".into(),
            },
            Shape::Text(Text { unit: Some(unit), .. }) => unit.must_be.to_string(),
            Shape::Text(_) => "a string".into(),
            Shape::Words(_) => one_of(&self.each(root), "or"),
            Shape::Whole(limits) => format!("a whole number{}", limits.in_words(" ")),
            Shape::Number(limits) => format!("a number{}", limits.in_words(" ")),
            Shape::Flag => "true or false".into(),
            Shape::Either(_) => one_of(&self.each(root), "or"),
            Shape::Anything => "something else".into(),
        }
    }

    /// Each of the things that would be right.
    fn each(&self, root: &'s Value) -> Vec<String> {
        match self {
            Shape::Words(words) => words.iter().map(|word| format!("{word:?}")).collect(),
            Shape::Either(shapes) => shapes.iter().flat_map(|shape| shape.each(root)).collect(),
            shape => vec![shape.must_be(root)],
        }
    }
}

impl<'s> Choice<'s> {
    /// The names of all kinds.
    pub(super) fn names(&self) -> impl Iterator<Item = &'s str> + Clone {
        self.kinds.iter().map(|(name, _)| *name).chain(self.words.iter().copied())
    }

    /// The settings of a kind.
    pub(super) fn kind(&self, name: &str) -> Option<&'s Value> {
        self.kinds.iter().find(|(kind, _)| *kind == name).map(|(_, schema)| *schema)
    }
}

impl<'s> Table<'s> {
    fn of(schema: &'s Value, open: bool) -> Table<'s> {
        Table {
            settings: schema["properties"].as_object(),
            required: strings(&schema["required"]),
            short: schema["x-short"].as_str(),
            open,
        }
    }

    /// The names of its settings.
    pub(super) fn names(&self) -> impl Iterator<Item = &'s str> + Clone + use<'s> {
        self.settings.into_iter().flat_map(|settings| settings.keys().map(String::as_str))
    }

    /// The schema of a setting.
    pub(super) fn get(&self, name: &str) -> Option<&'s Value> {
        self.settings?.get(name)
    }

    /// The setting that a bare value stands for, and what it takes.
    pub(super) fn short_shape(&self, root: &'s Value) -> Option<(&'s str, Shape<'s>)> {
        let name = self.short?;
        Some((name, Shape::of(self.get(name)?, root)))
    }
}

impl Limits {
    fn of(schema: &Value) -> Limits {
        let least = schema["minimum"].as_f64();
        let most = schema["maximum"].as_f64();
        // schemars gives the least of an unsigned type, and leaves the most to the format.
        let (least_of_type, most_of_type) = match schema["format"].as_str().unwrap_or_default() {
            "uint8" => (None, Some(f64::from(u8::MAX))),
            "uint16" => (None, Some(f64::from(u16::MAX))),
            "uint32" => (None, Some(f64::from(u32::MAX))),
            "int8" => (Some(f64::from(i8::MIN)), Some(f64::from(i8::MAX))),
            "int16" => (Some(f64::from(i16::MIN)), Some(f64::from(i16::MAX))),
            "int32" => (Some(f64::from(i32::MIN)), Some(f64::from(i32::MAX))),
            _ => (None, None),
        };
        Limits {
            least: least.or(least_of_type),
            above: schema["exclusiveMinimum"].as_f64(),
            most: most.or(most_of_type),
            below: schema["exclusiveMaximum"].as_f64(),
        }
    }

    pub(super) fn hold(&self, value: f64) -> bool {
        self.least.is_none_or(|least| value >= least)
            && self.above.is_none_or(|above| value > above)
            && self.most.is_none_or(|most| value <= most)
            && self.below.is_none_or(|below| value < below)
    }

    /// `from 1 to 10`, after `space`; empty if there is no limit.
    pub(super) fn in_words(&self, space: &str) -> String {
        let low = self.above.map(|above| format!("above {above}"));
        let low = low.or(self.least.map(|least| format!("at least {least}")));
        let high = self.below.map(|below| format!("below {below}"));
        let high = high.or(self.most.map(|most| format!("at most {most}")));
        match (self.least, self.most, low, high) {
            (Some(least), Some(most), _, _) => format!("{space}from {least} to {most}"),
            (_, _, Some(low), Some(high)) => format!("{space}{low} and {high}"),
            (Some(least), _, Some(_), None) => format!("{space}of {least} or more"),
            (_, _, Some(only), None) | (_, _, None, Some(only)) => format!("{space}{only}"),
            _ => String::new(),
        }
    }
}

/// Follows references to where a schema is written down; with the last name on the way.
pub(super) fn resolve<'s>(schema: &'s Value, root: &'s Value) -> (&'s Value, Option<&'s str>) {
    let (mut schema, mut name) = (schema, None);
    while let Some(reference) = schema["$ref"].as_str() {
        let Some(place) = reference.strip_prefix('#').and_then(|place| root.pointer(place)) else {
            break;
        };
        schema = place;
        name = reference.rsplit('/').next();
    }
    // An optional thing is the thing: it is left out, never null.
    let mut there =
        alternatives(schema).unwrap_or_default().iter().filter(|one| type_of(one) != "null");
    match (there.next(), there.next()) {
        (Some(only), None) if kind(only).is_none() && words(only).is_none() => resolve(only, root),
        _ => (schema, name),
    }
}

pub(super) fn alternatives(schema: &Value) -> Option<&[Value]> {
    schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()).map(Vec::as_slice)
}

/// The type, null aside.
fn type_of(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(only) => only,
        Value::Array(several) => {
            several.iter().filter_map(Value::as_str).find(|one| *one != "null").unwrap_or_default()
        }
        _ => "",
    }
}

/// A kind of a choice: an object that has to have one setting, and has no other.
pub(super) fn kind(schema: &Value) -> Option<(&str, &Value)> {
    let settings = schema["properties"].as_object()?;
    let mut settings = settings.iter();
    match (settings.next(), settings.next(), strings(&schema["required"]).as_slice()) {
        (Some((name, inner)), None, [required]) if name == required => Some((name, inner)),
        _ => None,
    }
}

/// The strings a schema names one by one.
pub(super) fn words(schema: &Value) -> Option<Vec<&str>> {
    match (schema["const"].as_str(), &schema["enum"]) {
        (Some(only), _) => Some(vec![only]),
        (None, several @ Value::Array(_)) => Some(strings(several)),
        _ => {
            let each = alternatives(schema)?.iter().map(words);
            Some(each.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
        }
    }
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// `learner` of `LearnerConfig`, `event time` of `EventTime`.
fn noun(name: Option<&str>) -> String {
    let mut words: Vec<String> = Vec::new();
    for letter in name.unwrap_or_default().chars().filter(|letter| !letter.is_ascii_digit()) {
        if letter.is_uppercase() || words.is_empty() {
            words.push(String::new());
        }
        words.iter_mut().last().into_iter().for_each(|word| word.extend(letter.to_lowercase()));
    }
    words.retain(|word| !["config", "kind", "choice"].contains(&word.as_str()));
    words.join(" ")
}
