//! JSON Schemas in words: what a setting takes, what its default is, and which further tables it
//! leads to.

use serde_json::Value;

use super::{
    FAMILIES,
    markdown::{cell, table, toml},
};

/// Writes the settings of one page, and of the tables they lead to, each once.
pub(super) struct Sections<'s> {
    root: &'s Value,
    /// From the page to the index.
    to_index: &'static str,
    /// Tables met so far, in the order of their sections: name in the schema, and title.
    met: Vec<(&'s str, String)>,
}

/// The kinds of a choice: name and settings.
pub(super) fn kinds(schema: &Value) -> Vec<(&str, &Value)> {
    let kind =
        |one: &'_ Value| -> bool { one["properties"].as_object().is_some_and(|p| p.len() == 1) };
    let alternatives = alternatives(schema).iter().filter(|one| kind(one));
    alternatives
        .filter_map(|one| one["properties"].as_object()?.iter().next())
        .map(|(name, settings)| (name.as_str(), settings))
        .collect()
}

fn alternatives(schema: &Value) -> &[Value] {
    let list = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array());
    list.map(Vec::as_slice).unwrap_or_default()
}

/// Follows references to where a schema is written down, with the last name on the way.
pub(super) fn resolve<'s>(schema: &'s Value, root: &'s Value) -> (&'s Value, Option<&'s str>) {
    if let Some(name) = schema["$ref"].as_str().and_then(|at| at.strip_prefix("#/$defs/")) {
        let (found, inner) = resolve(&root["$defs"][name], root);
        return (found, inner.or(Some(name)));
    }
    // An optional thing is the thing: it is left out, never null.
    let mut there = alternatives(schema).iter().filter(|one| one["type"] != "null");
    match (there.next(), there.next()) {
        (Some(only), None) if alternatives(schema).len() == 2 => resolve(only, root),
        _ => (schema, None),
    }
}

impl<'s> Sections<'s> {
    pub(super) fn new(root: &'s Value, to_index: &'static str) -> Sections<'s> {
        Sections { root, to_index, met: Vec::new() }
    }

    /// The table of a schema's settings.
    pub(super) fn settings(&mut self, schema: &'s Value) -> String {
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut rows = Vec::new();
        for (name, setting) in schema["properties"].as_object().into_iter().flatten() {
            let default = match &setting["default"] {
                _ if required.contains(&name.as_str()) => "required".into(),
                Value::Null | Value::Object(_) => String::new(),
                value => format!("`{}`", toml(value)),
            };
            let about = cell(setting["description"].as_str().unwrap_or_default());
            rows.push(vec![format!("`{name}`"), self.takes(setting, name), default, about]);
        }
        match rows.is_empty() {
            true => "No settings.\n".into(),
            false => table(&["Setting", "Takes", "Default", "What it is"], &rows),
        }
    }

    /// What a setting takes.
    fn takes(&mut self, setting: &'s Value, name: &'s str) -> String {
        let (schema, place) = resolve(setting, self.root);
        if let Some(family) = FAMILIES.iter().find(|family| Some(family.schema) == place) {
            return format!("a [{}]({}#{})", family.one, self.to_index, family.folder);
        }
        if let Some(unit) = unit(schema) {
            return unit;
        }
        let alternatives = alternatives(schema);
        if schema["properties"].is_object() || !alternatives.is_empty() {
            let words: Vec<String> = alternatives.iter().filter_map(bare_word).collect();
            if !words.is_empty() && words.len() == alternatives.len() && place.is_none() {
                return words.join(", ");
            }
            return match place {
                Some(place) => self.link(place, name),
                None => {
                    let all: Vec<String> =
                        alternatives.iter().map(|one| self.takes(one, name)).collect();
                    all.join(", or ")
                }
            };
        }
        self.plain_type(schema, name)
    }

    fn plain_type(&mut self, schema: &'s Value, name: &'s str) -> String {
        if let Some(words) = schema["enum"].as_array() {
            let words: Vec<String> = words.iter().map(|word| format!("`{}`", toml(word))).collect();
            return words.join(", ");
        }
        let types =
            [&schema["type"]].into_iter().chain(schema["type"].as_array().into_iter().flatten());
        let mut types = types.filter_map(Value::as_str).filter(|name| *name != "null");
        match types.next().unwrap_or_default() {
            "integer" => "a whole number".into(),
            "number" => "a number".into(),
            "boolean" => "`true` or `false`".into(),
            "string" => bare_word(schema).unwrap_or_else(|| "a text".into()),
            "array" => format!("a list: {}", self.takes(&schema["items"], name)),
            "object" if schema["additionalProperties"].is_object() => {
                format!("by name: {}", self.takes(&schema["additionalProperties"], name))
            }
            _ => "a table".into(),
        }
    }

    /// A link to the section of a table; the section will be written.
    fn link(&mut self, place: &'s str, name: &'s str) -> String {
        if !self.met.iter().any(|(met, _)| *met == place) {
            let mut title = name.to_string();
            while self.met.iter().any(|(_, taken)| *taken == title) {
                title.push_str(" (another)");
            }
            self.met.push((place, title));
        }
        let found = self.met.iter().find(|(met, _)| *met == place);
        let title = found.map_or("", |(_, title)| title.as_str());
        let anchor: String = title
            .chars()
            .filter(|letter| letter.is_alphanumeric() || "_- ".contains(*letter))
            .map(|letter| if letter == ' ' { '-' } else { letter })
            .collect();
        format!("[{title}](#{anchor})")
    }

    /// The sections of all tables that were met, and of those they lead to.
    pub(super) fn rest(&mut self) -> String {
        let mut text = String::new();
        let mut at = 0;
        while at < self.met.len() {
            let (place, title) = self.met[at].clone();
            at += 1;
            let schema = &self.root["$defs"][place];
            text.push_str(&format!("\n## `{title}`\n\n"));
            let about = cell(schema["description"].as_str().unwrap_or_default());
            if !about.is_empty() {
                text.push_str(&format!("{about}\n\n"));
            }
            match schema["properties"].is_object() {
                true => text.push_str(&self.settings(schema)),
                false => text.push_str(&self.choice(schema)),
            }
        }
        text
    }

    /// The kinds of a choice, each with its settings.
    fn choice(&mut self, schema: &'s Value) -> String {
        let mut rows = Vec::new();
        for one in alternatives(schema) {
            let about = cell(one["description"].as_str().unwrap_or_default());
            let kind = one["properties"].as_object().and_then(|kind| kind.iter().next());
            let (name, takes) = match (kind, bare_word(one)) {
                (Some((name, settings)), _) => (format!("`{name}`"), self.takes(settings, name)),
                (None, Some(word)) => (word, String::new()),
                (None, None) => {
                    let words = one["enum"].as_array().into_iter().flatten();
                    let words: Vec<String> = words.map(|w| format!("`{}`", toml(w))).collect();
                    match words.is_empty() {
                        true => (self.takes(one, "value"), String::new()),
                        false => (words.join(", "), String::new()),
                    }
                }
            };
            rows.push(vec![name, takes, about]);
        }
        match rows.is_empty() {
            true => format!("Takes {}.\n", self.plain_type(schema, "value")),
            false => table(&["Kind", "Takes", "What it is"], &rows),
        }
    }
}

/// `"word"`, where a schema is one word.
fn bare_word(schema: &Value) -> Option<String> {
    Some(format!("`{:?}`", schema["const"].as_str()?))
}

/// A text with a unit in it.
fn unit(schema: &Value) -> Option<String> {
    let shown = match schema["x-unit"].as_str()? {
        "Bytes" => "a size: `\"64 MiB\"`",
        "Span" => "a time: `\"10 min\"`",
        "Over" => "records or a time: `\"1000 records\"`, `\"10 min\"`",
        "Keep" => "versions or a time: `\"20 versions\"`, `\"90 d\"`",
        _ => "a text with a unit",
    };
    Some(shown.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_and_the_tables_they_lead_to() {
        let root = json!({
            "properties": {
                "name": {"type": "string", "description": "The name."},
                "inner": {"$ref": "#/$defs/Inner", "description": "More."},
                "size": {"type": ["integer", "null"], "default": 3},
            },
            "required": ["name"],
            "$defs": {"Inner": {"description": "Inside.", "oneOf": [
                {"const": "a", "description": "A."},
                {"properties": {"b": {"type": "boolean"}}, "required": ["b"]},
            ]}},
        });
        let mut sections = Sections::new(&root, "README.md");
        let settings = sections.settings(&root);
        assert!(settings.contains("| `name` | a text | required | The name. |"), "{settings}");
        assert!(settings.contains("| `inner` | [inner](#inner) |  | More. |"), "{settings}");
        assert!(settings.contains("| `size` | a whole number | `3` |  |"), "{settings}");
        let rest = sections.rest();
        assert!(rest.starts_with("\n## `inner`\n\nInside.\n\n"), "{rest}");
        assert!(rest.contains("| `\"a\"` |  | A. |"), "{rest}");
        assert!(rest.contains("| `b` | `true` or `false` |  |"), "{rest}");
    }
}
