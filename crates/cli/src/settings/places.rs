//! Where each setting stood in the file.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use alluvium_learn::ConfigError;

use super::{Mistake, Mistakes};

/// From the path of a setting to its place in the file.
#[derive(Clone, Debug, Default)]
pub struct Places {
    file_name: Arc<str>,
    text: Arc<str>,
    spans: BTreeMap<String, Range<usize>>,
}

impl Places {
    pub(super) fn new(file_name: &str, text: &str) -> Places {
        Places { file_name: file_name.into(), text: text.into(), spans: BTreeMap::new() }
    }

    pub(super) fn set(&mut self, path: &str, span: Range<usize>) {
        self.spans.insert(path.into(), span);
    }

    /// The place of a setting, in bytes of the text, or of the nearest table around it that stands
    /// in the file; the file's beginning if there is none. A path is names with dots between; an
    /// entry of a list is `list[0]`.
    pub fn span(&self, path: &str) -> Range<usize> {
        let mut path = path;
        loop {
            if let Some(span) = self.spans.get(path) {
                return span.clone();
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return 0..0,
            }
        }
    }

    /// Whether a setting is written in the file.
    pub fn knows(&self, path: &str) -> bool {
        self.spans.contains_key(path)
    }

    /// A mistake found after reading, at the place of a setting. `help` may be empty.
    pub fn mistake(&self, path: &str, message: impl Into<String>, help: &str) -> Mistake {
        Mistake::new(path, self.span(path), message).help(help)
    }

    /// A mistake that a component found in its settings; `table` is the path of its own table, as
    /// `model.tree.learner.hoeffding_tree`.
    pub fn unfit(&self, table: &str, error: &ConfigError) -> Mistake {
        let path = match error.field.as_str() {
            "" => table.to_string(),
            field if table.is_empty() => field.to_string(),
            field => format!("{table}.{field}"),
        };
        let name = error.field.rsplit('.').next().unwrap_or_default();
        let message = match name {
            "" => error.must_be.clone(),
            name => format!("`{name}` must be {}", error.must_be),
        };
        // What was not written cannot be seen in the line: say what it is.
        let label = match error.value.as_str() {
            "" => String::new(),
            value if self.spans.contains_key(&path) => format!("this is {value}"),
            value => format!("`{name}` is {value} here"),
        };
        self.mistake(&path, message, "").label(label)
    }

    /// These mistakes, to be shown with the file they are in.
    pub fn mistakes(&self, list: Vec<Mistake>) -> Mistakes {
        Mistakes::new(self.file_name.clone(), self.text.clone(), list)
    }
}
