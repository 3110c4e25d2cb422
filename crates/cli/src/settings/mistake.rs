//! Mistakes in a file, and the two forms they are shown in.

use std::{fmt, ops::Range, sync::Arc};

use serde_json::{Value, json};

use super::show;

/// One mistake. Messages are lower case, without a full stop, and say what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The setting, as a path from the top: `model.tree.learner.hoeffding_tree.delta`.
    pub path: String,
    /// Where it stands: bytes of the text.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// A word to what is underlined; may be empty.
    pub label: String,
    /// Another place that has to do with it, and a word to it.
    pub other: Option<(Range<usize>, String)>,
    /// What would be right, or what to choose from; may be empty.
    pub help: String,
    /// Whether something is not there, rather than wrong.
    pub is_missing: bool,
}

impl Mistake {
    /// A mistake with neither label nor help yet.
    pub fn new(path: &str, span: Range<usize>, message: impl Into<String>) -> Mistake {
        Mistake {
            path: path.into(),
            span,
            message: message.into(),
            label: String::new(),
            other: None,
            help: String::new(),
            is_missing: false,
        }
    }

    /// With a word to what is underlined.
    pub fn label(mut self, label: impl Into<String>) -> Mistake {
        self.label = label.into();
        self
    }

    /// With what would be right.
    pub fn help(mut self, help: impl Into<String>) -> Mistake {
        self.help = help.into();
        self
    }
}

/// All mistakes of one file, in the order of the file. Shown as text by `Display`, without colour.
#[derive(Clone, PartialEq, Eq)]
pub struct Mistakes {
    file_name: Arc<str>,
    text: Arc<str>,
    list: Vec<Mistake>,
}

impl Mistakes {
    pub(super) fn new(file_name: Arc<str>, text: Arc<str>, mut list: Vec<Mistake>) -> Mistakes {
        list.sort_by_key(|mistake| (mistake.span.start, mistake.span.end));
        Mistakes { file_name, text, list }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Each of them.
    pub fn list(&self) -> &[Mistake] {
        &self.list
    }

    /// For a reader: each mistake with its line, what is wrong underlined, and what would be right.
    pub fn show(&self, colour: bool) -> String {
        show::show(&self.file_name, &self.text, &self.list, colour)
    }

    /// For a program: an array of `{file, path, line, column, message, help}`. Lines and columns
    /// (in characters) count from 1.
    pub fn to_json(&self) -> Value {
        let one = |mistake: &Mistake| {
            let (line, column) = show::line_and_column(&self.text, mistake.span.start);
            json!({
                "file": &*self.file_name,
                "path": mistake.path,
                "line": line,
                "column": column,
                "message": mistake.message,
                "help": mistake.advice(),
            })
        };
        self.list.iter().map(one).collect()
    }
}

impl Mistake {
    /// Label and help as one line, for those who do not see what is underlined.
    fn advice(&self) -> String {
        let parts = [self.label.as_str(), self.help.as_str()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.show(false))
    }
}

impl fmt::Debug for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.show(false))
    }
}

impl std::error::Error for Mistakes {}
