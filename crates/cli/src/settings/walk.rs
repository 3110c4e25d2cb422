//! Walks the schema over the file: finds the mistakes, and writes the shorthands out.

use std::{collections::BTreeMap, ops::Range};

use serde_json::{Map, Value};
use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
};

use super::{
    Mistake, Places,
    nearest::{listed, nearest},
    shape::{Choice, Limits, Shape, Table, Text},
    words,
};

/// The settings written out, their places, and every mistake. The settings are whole only where
/// there is no mistake.
pub(super) fn walk(
    schema: &Value,
    tree: &Spanned<DeTable<'_>>,
    places: Places,
) -> (Value, Places, Vec<Mistake>) {
    let mut walk = Walk { root: schema, places, mistakes: Vec::new() };
    let top = At { path: String::new(), key: tree.span(), value: tree.span(), is_scalar: false };
    let value = match Shape::of(schema, schema) {
        Shape::Table(table) => walk.table(&table, tree.get_ref(), &top),
        Shape::Names { values, least } => walk.names(values, least, tree.get_ref(), &top),
        _ => Value::Null,
    };
    (value, walk.places, walk.mistakes)
}

struct Walk<'s> {
    root: &'s Value,
    places: Places,
    mistakes: Vec<Mistake>,
}

/// Where in the file the walk is.
pub(super) struct At {
    pub(super) path: String,
    key: Range<usize>,
    value: Range<usize>,
    is_scalar: bool,
}

impl At {
    /// What to underline: a plain value, or the name of a table.
    pub(super) fn span(&self) -> Range<usize> {
        if self.is_scalar { self.value.clone() } else { self.key.clone() }
    }

    /// The last name of the path.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or_default()
    }

    /// What a message is about.
    fn subject(&self) -> String {
        match self.name().split_once('[') {
            Some((list, _)) => format!("each of `{list}`"),
            None => format!("`{}`", self.name()),
        }
    }

    /// The same place, under another path: where a shorthand leaves a name out.
    fn implied(&self, name: &str) -> At {
        let path = join(&self.path, name);
        At { path, key: self.key.clone(), value: self.value.clone(), is_scalar: self.is_scalar }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}

type Entry<'a, 't> = (&'a Spanned<std::borrow::Cow<'t, str>>, &'a Spanned<DeValue<'t>>);

impl<'s> Walk<'s> {
    fn below(&mut self, at: &At, (key, value): Entry<'_, '_>) -> At {
        let is_scalar = !value.get_ref().is_table();
        let path = join(&at.path, key.get_ref());
        self.enter(At { path, key: key.span(), value: value.span(), is_scalar })
    }

    fn enter(&mut self, at: At) -> At {
        self.places.set(&at.path, at.span());
        at
    }

    fn mistake(&mut self, mistake: Mistake) -> Value {
        self.mistakes.push(mistake);
        Value::Null
    }

    fn value(&mut self, schema: &'s Value, node: &DeValue<'_>, at: &At) -> Value {
        self.shaped(&Shape::of(schema, self.root), node, at)
    }

    fn shaped(&mut self, shape: &Shape<'s>, node: &DeValue<'_>, at: &At) -> Value {
        match (shape, node) {
            (Shape::Choice(choice), DeValue::String(name)) => self.bare_kind(choice, name, at),
            (Shape::Choice(choice), DeValue::Table(table)) => self.choice(choice, table, at),
            (Shape::Table(settings), DeValue::Table(table)) => self.table(settings, table, at),
            (Shape::Table(settings), _) => self.short(settings, shape, node, at),
            (Shape::Names { values, least }, DeValue::Table(table)) => {
                self.names(values, *least, table, at)
            }
            (Shape::List { items, least }, DeValue::Array(list)) => {
                self.list(items, *least, list, at)
            }
            (Shape::Text(rules), DeValue::String(text)) => self.text(*rules, text, at),
            (Shape::Words(known), DeValue::String(text)) => self.word(known, text, at),
            (Shape::Whole(limits), DeValue::Integer(_)) => self.number(limits, node, at),
            (Shape::Number(limits), DeValue::Integer(_) | DeValue::Float(_)) => {
                self.number(limits, node, at)
            }
            (Shape::Flag, DeValue::Boolean(flag)) => Value::Bool(*flag),
            (Shape::Either(shapes), node) if shape.takes(node) => {
                self.either(shape, shapes, node, at)
            }
            (Shape::Anything, node) => words::as_json(node),
            (shape, node) => self.wrong_type(shape, node, at),
        }
    }

    /// Several shapes: by the names they know, then by the type of the value.
    fn either(
        &mut self,
        whole: &Shape<'s>,
        shapes: &[Shape<'s>],
        node: &DeValue<'_>,
        at: &At,
    ) -> Value {
        let knows = |shape: &&Shape<'s>| node.as_str().is_some_and(|text| shape.knows(text));
        let is_open = |shape: &&Shape<'s>| {
            shape.takes(node) && !(node.is_str() && matches!(shape, Shape::Words(_)))
        };
        let shape = shapes.iter().find(knows).or_else(|| shapes.iter().find(is_open));
        match shape {
            Some(shape) => self.shaped(shape, node, at),
            None => {
                let must_be = whole.must_be(self.root);
                let message = format!("{} must be {must_be}", at.subject());
                let mistake = Mistake::new(&at.path, at.span(), message);
                let known = shapes.iter().flat_map(|shape| match shape {
                    Shape::Words(known) => known.as_slice(),
                    _ => &[],
                });
                let near = nearest(node.as_str().unwrap_or_default(), known.copied());
                self.mistake(mistake.label(words::did_you_mean_text(near)))
            }
        }
    }

    fn bare_kind(&mut self, choice: &Choice<'s>, name: &str, at: &At) -> Value {
        if choice.words.contains(&name) {
            return Value::String(name.into());
        }
        let Some(settings) = choice.kind(name) else {
            let near = nearest(name, choice.names());
            let unknown = words::unknown_kind(choice, name, at.path.as_str(), at.span());
            return self.mistake(unknown.label(words::did_you_mean(near)));
        };
        let inner = self.enter(at.implied(name));
        match Shape::of(settings, self.root) {
            Shape::Table(table) => tagged(name, self.table(&table, &DeTable::new(), &inner)),
            shape @ Shape::Names { least: 0, .. } => {
                let none = DeValue::Table(DeTable::new());
                tagged(name, self.shaped(&shape, &none, &inner))
            }
            shape => {
                let message = format!("`{name}` needs a value: {}", shape.must_be(self.root));
                let mistake = Mistake::new(&inner.path, at.span(), message);
                self.mistake(mistake.help(format!("write `{}.{name} = ...`", at.name())))
            }
        }
    }

    fn choice(&mut self, choice: &Choice<'s>, table: &DeTable<'_>, at: &At) -> Value {
        let mut entries: Vec<Entry<'_, '_>> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let is_kind = |(key, _): &&Entry<'_, '_>| choice.names().any(|name| name == key.get_ref());
        let kinds: Vec<Entry<'_, '_>> = entries.iter().filter(is_kind).copied().collect();
        for (key, _) in entries.iter().filter(|entry| !is_kind(entry)) {
            let path = join(&at.path, key.get_ref());
            let chosen = kinds.first().map(|(key, _)| key.get_ref().as_ref());
            let span = key.span();
            let no_kind = words::no_kind(choice, chosen, key.get_ref(), &path, span, self.root);
            self.mistake(no_kind);
        }
        if let [(first, _), (second, _), ..] = kinds.as_slice() {
            let both = format!("`{}` and `{}`", first.get_ref(), second.get_ref());
            let message = format!("two kinds in one place: {both}");
            let mut mistake = Mistake::new(&at.path, second.span(), message).help("keep one");
            mistake.other = Some((first.span(), String::new()));
            self.mistake(mistake);
        }
        if entries.is_empty() {
            let message = format!("`{}` must be one of {}", at.name(), listed(choice.names()));
            return self.mistake(Mistake::new(&at.path, at.span(), message));
        }
        // The settings of each kind are looked at, also where one is too many.
        let mut value = Value::Null;
        for entry in kinds {
            value = self.chosen(choice, entry, at);
        }
        value
    }

    fn chosen(&mut self, choice: &Choice<'s>, entry: Entry<'_, '_>, at: &At) -> Value {
        let name = entry.0.get_ref().as_ref();
        let inner = self.below(at, entry);
        match choice.kind(name) {
            Some(settings) => tagged(name, self.value(settings, entry.1.get_ref(), &inner)),
            None if entry.1.get_ref().as_table().is_some_and(|table| table.is_empty()) => {
                Value::String(name.into())
            }
            None => {
                let message = format!("`{name}` has no settings");
                let help = format!("write `{} = {name:?}`", at.name());
                self.mistake(Mistake::new(&inner.path, inner.span(), message).help(help))
            }
        }
    }

    /// A bare value in place of a table.
    fn short(
        &mut self,
        settings: &Table<'s>,
        shape: &Shape<'s>,
        node: &DeValue<'_>,
        at: &At,
    ) -> Value {
        match settings.short_shape(self.root) {
            Some((name, short)) if short.takes(node) => {
                let inner = self.enter(at.implied(name));
                let value = self.shaped(&short, node, &inner);
                let others = settings.required.iter().filter(|required| **required != name);
                for missing in others.copied().collect::<Vec<_>>() {
                    self.missing(settings, missing, at);
                }
                tagged(name, value)
            }
            _ => self.wrong_type(shape, node, at),
        }
    }

    fn table(&mut self, settings: &Table<'s>, table: &DeTable<'_>, at: &At) -> Value {
        let mut values = Map::new();
        let meant = |name: &str| nearest(name, settings.names());
        for entry @ (key, node) in table {
            let name = key.get_ref().as_ref();
            let inner = self.below(at, entry);
            match settings.get(name) {
                Some(schema) => {
                    values.insert(name.into(), self.value(schema, node.get_ref(), &inner));
                }
                None if settings.open => {
                    values.insert(name.into(), words::as_json(node.get_ref()));
                }
                None => {
                    let unknown = words::unknown_key(settings, key.span(), &inner, at, self.root);
                    self.mistake(unknown);
                }
            }
        }
        for required in &settings.required {
            // A name written wrong is one mistake, not two.
            let is_meant =
                |name: &str| settings.get(name).is_none() && meant(name) == Some(required);
            if !values.contains_key(*required) && !table.keys().any(|key| is_meant(key.get_ref())) {
                self.missing(settings, required, at);
            }
        }
        Value::Object(values)
    }

    fn missing(&mut self, settings: &Table<'s>, name: &str, at: &At) {
        let place = if at.path.is_empty() { String::new() } else { format!(" in `{}`", at.path) };
        let message = format!("missing `{name}`{place}");
        let mut mistake = Mistake::new(&join(&at.path, name), at.span(), message);
        mistake.is_missing = true;
        if let Some(schema) = settings.get(name) {
            mistake = mistake.help(words::what_it_is(name, schema, self.root));
        }
        self.mistake(mistake);
    }

    fn names(&mut self, values: &'s Value, least: u64, table: &DeTable<'_>, at: &At) -> Value {
        let found: BTreeMap<String, Value> = table
            .iter()
            .map(|entry @ (key, node)| {
                let inner = self.below(at, entry);
                (key.get_ref().to_string(), self.value(values, node.get_ref(), &inner))
            })
            .collect();
        if (found.len() as u64) < least {
            let message = format!("`{}` must have at least {least}", at.name());
            return self.mistake(Mistake::new(&at.path, at.span(), message));
        }
        Value::Object(found.into_iter().collect())
    }

    fn list(&mut self, items: &'s Value, least: u64, list: &DeArray<'_>, at: &At) -> Value {
        if (list.len() as u64) < least {
            let entries = if least == 1 { "entry" } else { "entries" };
            let message = format!("`{}` must have at least {least} {entries}", at.name());
            return self.mistake(Mistake::new(&at.path, at.span(), message));
        }
        let entry = |(index, node): (usize, &Spanned<DeValue<'_>>)| {
            let path = format!("{}[{index}]", at.path);
            let inner = At { path, key: node.span(), value: node.span(), is_scalar: true };
            let inner = self.enter(inner);
            self.value(items, node.get_ref(), &inner)
        };
        list.iter().enumerate().map(entry).collect()
    }

    fn text(&mut self, rules: Text, text: &str, at: &At) -> Value {
        let refused = rules.unit.and_then(|unit| unit.refuse(text));
        let length = text.chars().count() as u64;
        let must_be = match (refused, rules.least, rules.most) {
            (Some(must_be), ..) => must_be,
            (_, 1, Some(1)) if length != 1 => "one character".into(),
            (_, least @ 1.., _) if length == 0 && least == 1 => "a string that is not empty".into(),
            (_, least, _) if length < least => format!("at least {least} characters long"),
            (_, _, Some(most)) if length > most => format!("at most {most} characters long"),
            _ => return Value::String(text.into()),
        };
        let message = format!("{} must be {must_be}", at.subject());
        self.mistake(Mistake::new(&at.path, at.span(), message))
    }

    fn word(&mut self, known: &[&str], text: &str, at: &At) -> Value {
        if known.contains(&text) {
            return Value::String(text.into());
        }
        let must_be = Shape::Words(known.to_vec()).must_be(self.root);
        let message = format!("{} must be {must_be}", at.subject());
        let near = nearest(text, known.iter().copied());
        let mistake = Mistake::new(&at.path, at.span(), message);
        self.mistake(mistake.label(words::did_you_mean_text(near)))
    }

    fn number(&mut self, limits: &Limits, node: &DeValue<'_>, at: &At) -> Value {
        let value = words::as_json(node);
        let number = value.as_f64().filter(|number| number.is_finite());
        let must_be = match number {
            Some(number) if limits.hold(number) => return value,
            Some(_) => limits.in_words(""),
            None if node.is_integer() => "a number of at most 64 bits".into(),
            None => format!("a finite number{}", limits.in_words(" ")),
        };
        let must_be = must_be.strip_prefix("of ").unwrap_or(&must_be);
        let message = format!("{} must be {must_be}", at.subject());
        self.mistake(Mistake::new(&at.path, at.span(), message))
    }

    fn wrong_type(&mut self, shape: &Shape<'s>, node: &DeValue<'_>, at: &At) -> Value {
        let must_be = shape.must_be(self.root);
        let message = format!("{} must be {must_be}", at.subject());
        let mistake = Mistake::new(&at.path, at.span(), message);
        let help = words::instead(shape, node, at, self.root);
        self.mistake(mistake.label(format!("this is {}", words::type_of(node))).help(help))
    }
}

fn tagged(name: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(name.to_string(), value)]))
}
