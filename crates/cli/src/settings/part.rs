//! What can be said of a file that cannot be read as a whole.
//!
//! Two kinds of mistakes are found one after the other: what is no settings at all, and what makes
//! no pipeline. Where the first kind leaves enough, the rest is planned without it, so that both
//! are shown at once. Of what may merely follow from another mistake nothing is said: it is better
//! to show a mistake at the next try than one that is none.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Mistake, Places};

/// Tables at the top that can be left out as a whole.
const OPTIONAL: [&str; 7] =
    ["champion", "judge", "log", "predictions", "refusals", "versions", "serve"];

/// Tables of named things: one that cannot be read is left out alone.
const NAMED: [&str; 3] = ["features", "fields", "model"];

/// How often something is left out.
const ROUNDS_MAX: usize = 50;

/// What is left of settings when all that is wrong in them is taken out; `None`: too little.
#[derive(Clone, Debug)]
pub struct Part {
    value: Value,
    /// The places of what was left out as a whole.
    left_out: Vec<String>,
}

impl Part {
    /// `value` holds null wherever a mistake is.
    pub(super) fn new(value: Value) -> Part {
        let mut value = without_nulls(value).unwrap_or_default();
        if let Some(top) = value.as_object_mut() {
            top.entry("name").or_insert_with(|| "pipeline".into());
        }
        Part { value, left_out: Vec::new() }
    }

    /// The settings, without what cannot be read.
    pub fn read<T: DeserializeOwned>(&mut self) -> Option<T> {
        for _ in 0..ROUNDS_MAX {
            let error = match serde_path_to_error::deserialize(&self.value) {
                Ok(settings) => return Some(settings),
                Err(error) => error.path().to_string(),
            };
            let mut parts = error.split('.');
            let table = parts.next().filter(|table| !table.is_empty())?;
            let place = match OPTIONAL.contains(&table) {
                true => table.to_string(),
                false if NAMED.contains(&table) => {
                    let rest = error.strip_prefix(table)?.strip_prefix('.')?;
                    let name = longest_key(self.value.get(table)?, rest)?;
                    format!("{table}.{name}")
                }
                false => return None,
            };
            self.remove(&place)?;
            self.left_out.push(place);
        }
        None
    }

    /// Takes a plain setting out, so that its default stands in its place; says no where it is none
    /// of a component.
    pub fn default_at(&mut self, path: &str) -> bool {
        let is_deep = path.split('.').count() > 3 && !path.contains('[');
        is_deep && ["features.", "model."].iter().any(|table| path.starts_with(table)) && {
            let is_plain = |value: &Value| !value.is_object() && !value.is_array();
            find(&mut self.value, path).is_some_and(|value| is_plain(value))
                && self.remove(path).is_some()
        }
    }

    fn remove(&mut self, path: &str) -> Option<Value> {
        let (above, name) = split(&mut self.value, path)?;
        above.as_object_mut()?.remove(&name)
    }

    /// Whether a mistake that was found in this part can be one only since something was left out.
    pub fn follows(&self, later: &Mistake, before: &[Mistake], places: &Places) -> bool {
        let parent = |path: &str| path.rfind(['.', '[']).map_or(0, |end| end);
        let is_within = |path: &str, of: &str| {
            let rest = path.strip_prefix(of);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let is_about = |path: &str| {
            let is_beside = path[..parent(path)] == later.path[..parent(&later.path)];
            is_within(path, &later.path)
                || is_within(&later.path, path)
                || is_beside && !places.knows(&later.path)
        };
        let names_it = |path: &str| {
            let mut parts = path.split('.');
            let is_named = parts.next().is_some_and(|table| NAMED.contains(&table));
            let name = parts.next().filter(|_| is_named).unwrap_or_default();
            !name.is_empty()
                && [format!("`{name}`"), format!("`{name}.")].iter().any(|name| {
                    later.message.contains(name.as_str()) || later.help.contains(name.as_str())
                })
        };
        let paths = before.iter().map(|mistake| mistake.path.as_str());
        let mut paths = paths.chain(self.left_out.iter().map(String::as_str));
        paths.any(|path| is_about(path) || names_it(path))
    }
}

/// A value without the nulls in it; a list with one is none.
fn without_nulls(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Array(list) => list.into_iter().map(without_nulls).collect(),
        Value::Object(table) => {
            let entries = table.into_iter();
            Some(entries.filter_map(|(key, value)| Some((key, without_nulls(value)?))).collect())
        }
        value => Some(value),
    }
}

/// The key of a table that a path begins with: names may hold points themselves.
fn longest_key(table: &Value, path: &str) -> Option<String> {
    let keys = table.as_object()?.keys();
    let begins = |key: &&String| {
        path.strip_prefix(key.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    keys.filter(begins).max_by_key(|key| key.len()).cloned()
}

/// The table around a setting, and the setting's name in it.
fn split<'a>(value: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let key = longest_key(value, path)?;
    match path[key.len()..].strip_prefix('.') {
        None => Some((value, key)),
        Some(rest) => split(value.get_mut(&key)?, rest),
    }
}

fn find<'a>(value: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    let (above, name) = split(value, path)?;
    above.get_mut(&name)
}
