//! The settings in one spelling, in two halves: what is learned, and how it runs.
//!
//! The canonical form is JSON with sorted keys, in which every setting that equals its default is
//! left out. So two files that mean the same give the same bytes, and so do an old file and a
//! newer program that has settings the file does not know.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use serde_json::{Map, Value};

use super::{Field, Format, Spec};

/// The tables that are what is learned.
const LEARNED: [&str; 5] = ["input", "fields", "label", "features", "model"];

/// The settings of an input that change nothing of what is learned.
const RUNNING_OF_INPUT: [&str; 3] = ["topic", "load", "partitions"];

impl Spec {
    /// What is learned, in the canonical form: a change of it is another model.
    pub fn learned_json(&self) -> Value {
        let mut halves = self.canonical();
        halves.retain(|table, _| LEARNED.contains(&table.as_str()));
        for_each_input(&mut halves, |input| {
            input.retain(|setting, _| !RUNNING_OF_INPUT.contains(&setting.as_str()));
        });
        Value::Object(halves)
    }

    /// How it runs, in the canonical form: may change at any time.
    pub fn running_json(&self) -> Value {
        let mut halves = self.canonical();
        halves.retain(|table, _| table == "input" || !LEARNED.contains(&table.as_str()));
        for_each_input(&mut halves, |input| {
            input.retain(|setting, _| RUNNING_OF_INPUT.contains(&setting.as_str()));
        });
        Value::Object(halves)
    }

    /// What one model learns, in the canonical form: the same as [`Spec::learned_json`], but with
    /// no other model, and with those fields, paths and steps alone that it reads, itself or
    /// through its steps. Its name is no part of it. `None`: there is no such model.
    pub fn model_json(&self, model: &str) -> Option<Value> {
        let mut read = self.read_by(model)?;
        // The id by which an example finds its label.
        read.extend(self.label.as_ref().and_then(|label| label.matches.clone()));
        let mut narrow = self.clone();
        narrow.model.retain(|name, _| name == model);
        narrow.fields.retain(|name, _| read.contains(name));
        narrow.features.retain(|name, _| read.contains(name));
        let label = self.label.as_ref().map(|label| label.field.as_str());
        for (name, input) in &mut narrow.input {
            if let Format::Csv(csv) = &mut input.format {
                csv.columns = self.columns_for(name, &csv.columns, &read);
            }
            let time = input.time.as_ref().map(|time| time.path());
            let is_read = |name: &str| read.contains(name) || [label, time].contains(&Some(name));
            input.paths.retain(|name, _| is_read(name));
        }
        let mut half = narrow.learned_json();
        half["model"] = half["model"][model].take();
        Some(half)
    }

    /// The columns of an input where only some fields are known: what the others would have made of
    /// one name stands there as columns that nobody reads.
    fn columns_for(
        &self,
        input: &str,
        columns: &[String],
        fields: &BTreeSet<String>,
    ) -> Vec<String> {
        let widened = |column: &String| {
            let all = self.width(input, column, |_| true);
            let known = self.width(input, column, |field| fields.contains(field));
            let unread = (known..all).map(|_| "_".to_string());
            std::iter::once(column.clone()).chain(unread).collect::<Vec<String>>()
        };
        columns.iter().flat_map(widened).collect()
    }

    /// For how many columns of an input a name in `columns` stands: as many as the field of so many
    /// numbers has that reads it, among some fields; 1 where none does.
    pub(crate) fn width(&self, input: &str, column: &str, is_among: impl Fn(&str) -> bool) -> u32 {
        let paths = self.input.get(input).map(|input| &input.paths);
        let place = |name: &String| paths.and_then(|paths| paths.get(name)).cloned();
        let count = |(name, field): (&String, &Field)| match field {
            Field::Numbers(numbers)
                if is_among(name) && place(name).as_ref().unwrap_or(name) == column =>
            {
                Some(numbers.count)
            }
            _ => None,
        };
        self.fields.iter().find_map(count).unwrap_or(1)
    }

    /// The names of the fields and steps that a model reads, itself or through its steps.
    pub(crate) fn read_by(&self, model: &str) -> Option<BTreeSet<String>> {
        let model = self.model.get(model)?;
        Some(self.read_from(model.uses.iter().chain(&model.by).cloned().collect()))
    }

    /// The names of the fields and steps that these names are, or read through steps.
    pub(crate) fn read_from(&self, mut open: Vec<String>) -> BTreeSet<String> {
        let mut read = BTreeSet::new();
        while let Some(name) = open.pop() {
            let whole = self.whole(&name);
            let is_new = read.insert(whole.to_string());
            if let Some(step) = self.features.get(whole).filter(|_| is_new) {
                open.extend(step.reads());
            }
        }
        read
    }

    /// The field or step that a name belongs to: `scaled` for `scaled.a`. A field may have points
    /// in its own name.
    pub(crate) fn whole<'a>(&self, name: &'a str) -> &'a str {
        let points = name.match_indices('.').map(|(at, _)| at);
        let mut wholes = points.chain([name.len()]).map(|end| &name[..end]).rev();
        let is_known =
            |whole: &&str| self.fields.contains_key(*whole) || self.features.contains_key(*whole);
        wholes.find(is_known).unwrap_or(name)
    }

    fn canonical(&self) -> Map<String, Value> {
        static SCHEMA: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(Spec).to_value());
        let schema = &*SCHEMA;
        // A spec holds nothing that JSON cannot: text keys, and numbers, which become null at
        // worst.
        let value = serde_json::to_value(self).expect("a spec is JSON");
        match without_defaults(&value, schema, schema) {
            Value::Object(tables) => tables,
            _ => Map::new(),
        }
    }
}

fn for_each_input(halves: &mut Map<String, Value>, change: impl Fn(&mut Map<String, Value>)) {
    let inputs = halves.get_mut("input").and_then(Value::as_object_mut).into_iter().flatten();
    inputs.filter_map(|(_, input)| input.as_object_mut()).for_each(change);
}

/// A copy with sorted keys, without the settings whose value is the default in the schema.
fn without_defaults(value: &Value, schema: &Value, root: &Value) -> Value {
    let schema = branch(resolve(schema, root), value, root);
    match value {
        Value::Object(settings) => {
            let sorted: BTreeMap<&String, &Value> = settings.iter().collect();
            let kept = sorted.into_iter().filter_map(|(name, value)| {
                let own = &schema["properties"][name];
                let own = if own.is_null() { &schema["additionalProperties"] } else { own };
                let is_default = own.get("default") == Some(value);
                (!is_default).then(|| (name.clone(), without_defaults(value, own, root)))
            });
            Value::Object(kept.collect())
        }
        Value::Array(items) => {
            let items = items.iter().map(|item| without_defaults(item, &schema["items"], root));
            Value::Array(items.collect())
        }
        plain => plain.clone(),
    }
}

/// Follows references to where a schema is written down.
fn resolve<'a>(mut schema: &'a Value, root: &'a Value) -> &'a Value {
    while let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let place = reference.strip_prefix('#').and_then(|place| root.pointer(place));
        let Some(place) = place else { break };
        schema = place;
    }
    schema
}

/// Of several alternatives, the one that describes this value.
fn branch<'a>(schema: &'a Value, value: &Value, root: &'a Value) -> &'a Value {
    let alternatives =
        schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array);
    let describes = |alternative: &&'a Value| match (alternative.get("properties"), value) {
        (Some(properties), Value::Object(settings)) => {
            settings.keys().all(|name| properties.get(name).is_some())
        }
        (Some(_), _) => false,
        (None, value) => match alternative.get("type").and_then(Value::as_str) {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            _ => !value.is_object() && !value.is_array(),
        },
    };
    let Some(alternatives) = alternatives else { return schema };
    let chosen = alternatives.iter().map(|one| resolve(one, root)).filter(|one| {
        // An optional choice is a choice within a choice.
        describes(one) || one.get("oneOf").is_some() && value.is_object()
    });
    match chosen.clone().next() {
        Some(chosen) if !std::ptr::eq(chosen, schema) => branch(chosen, value, root),
        _ => schema,
    }
}
