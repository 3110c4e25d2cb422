//! TOML's own rules: what is written wrong, in words for someone who does not know TOML.

use std::{collections::BTreeSet, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Mistake, show::line_and_column};

/// The tree of a file as far as it can be read, and where it is no TOML.
pub(super) struct Syntax<'t> {
    pub(super) tree: Spanned<DeTable<'t>>,
    mistakes: Vec<Mistake>,
    /// Whether parts of the file could not be read: then nothing is known to be missing.
    pub(super) broken: bool,
}

const DUPLICATE: &str = "duplicate key";

impl Syntax<'_> {
    pub(super) fn parse(text: &str) -> Syntax<'_> {
        let (tree, errors) = DeTable::parse_recoverable(text);
        let broken = errors.iter().any(|error| error.message() != DUPLICATE);
        let explain = |error: toml::de::Error| {
            let span = error.span().unwrap_or(0..0);
            match error.message() {
                DUPLICATE => duplicate(text, span, tree.get_ref()),
                message => explain(text, message, span),
            }
        };
        let mut mistakes: Vec<Mistake> = errors.into_iter().map(explain).collect();
        below_headers(text, &mut mistakes);
        Syntax { tree, mistakes, broken }
    }

    /// The first mistake in syntax of each line, and those of the settings that do not merely
    /// follow from them.
    pub(super) fn merge(self, text: &str, found: Vec<Mistake>) -> Vec<Mistake> {
        let line = |mistake: &Mistake| line_and_column(text, mistake.span.start).0;
        let mut lines = BTreeSet::new();
        let mut merged = self.mistakes;
        merged.retain(|mistake| lines.insert(line(mistake)));
        let stands_alone =
            |mistake: &Mistake| !mistake.is_missing && !lines.contains(&line(mistake));
        merged.extend(found.into_iter().filter(|mistake| !self.broken || stands_alone(mistake)));
        merged
    }
}

fn explain(text: &str, message: &str, span: Range<usize>) -> Mistake {
    let written = text.get(span.clone()).unwrap_or_default();
    let (what, _) = message.split_once(", expected").unwrap_or((message, ""));
    let mistake = |message: &str, help: &str| Mistake::new("", span.clone(), message).help(help);
    match what {
        "string values must be quoted" if written.is_empty() => {
            mistake("a value is missing here", "")
        }
        "string values must be quoted" => {
            mistake("a string goes in quotes", &format!("write `{written:?}`"))
        }
        "invalid boolean" => {
            mistake("this is no value", "write `true`, `false`, or a string in quotes")
        }
        "invalid mantissa" | "invalid fraction" => {
            mistake("a number has digits before and after its point", "")
        }
        "unclosed table" => mistake("the table's name does not end", "close it with `]`"),
        "unclosed array table" => mistake("the table's name does not end", "close it with `]]`"),
        "unclosed array" => mistake("the list does not end", "close it with `]`"),
        "unclosed inline table" => mistake("the table does not end", "close it with `}`"),
        "missing comma between array elements" => {
            mistake("a comma is missing between two entries, or the list does not end with `]`", "")
        }
        "missing comma between key-value pairs" => mistake(
            "a comma is missing between two settings, or the table does not end with `}`",
            "",
        ),
        "key with no value" => {
            mistake("a setting without a value", "write `name = value`; a name has no spaces")
        }
        "invalid unquoted key" => mistake("a name with such a letter goes in quotes", ""),
        "invalid basic string" if message.ends_with("`\"`") => {
            mistake("the string does not end", "close it with `\"`")
        }
        "invalid literal string" if message.ends_with("`'`") => {
            mistake("the string does not end", "close it with `'`")
        }
        _ => mistake(&format!("no valid TOML: {message}"), ""),
    }
}

/// What stands twice below the header of a table that stands twice is the same mistake.
fn below_headers(text: &str, mistakes: &mut Vec<Mistake>) {
    let header_of = |at: usize| {
        let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
        let line = text[start..].lines().next().unwrap_or_default();
        line.trim_start().starts_with('[').then_some((start, line.trim()))
    };
    let mut twice = Vec::new();
    for mistake in mistakes.iter_mut().filter(|mistake| !mistake.label.is_empty()) {
        let Some((start, header)) = header_of(mistake.span.start) else { continue };
        let first = text[..start].lines().find(|line| line.trim() == header);
        if let Some(first) = first.filter(|_| mistake.other.is_none()) {
            // Both are parts of one text.
            let at = first.as_ptr().addr() - text.as_ptr().addr();
            let name = mistake.span.len();
            let within = first.find(&text[mistake.span.clone()]).unwrap_or_default();
            mistake.other = Some((at + within..at + within + name, "the first time".into()));
        }
        let end = text[start..].find("\n[").map_or(text.len(), |end| start + end + 1);
        twice.push((mistake.span.end, end));
    }
    let is_below =
        |at: usize| twice.iter().any(|(start, end): &(usize, usize)| (*start..*end).contains(&at));
    mistakes.retain(|mistake| mistake.label.is_empty() || !is_below(mistake.span.start));
}

fn duplicate(text: &str, span: Range<usize>, tree: &DeTable<'_>) -> Mistake {
    let name = text.get(span.clone()).unwrap_or_default();
    let message = format!("`{name}` is written twice");
    let mut mistake = Mistake::new("", span.clone(), message).label("the second time");
    let mut before = Vec::new();
    keys_before(text, tree, name, &span, &mut before);
    // The same table: the inline table around it, or the nearest place before it.
    let first = before.into_iter().max_by_key(|(is_around, first)| (*is_around, first.start));
    mistake.other = first.map(|(_, first)| (first, "the first time".to_string()));
    mistake
}

/// Every key of that name that ends before the second one, and whether it lies in an inline table
/// that is still open there.
fn keys_before(
    text: &str,
    table: &DeTable<'_>,
    name: &str,
    second: &Range<usize>,
    found: &mut Vec<(bool, Range<usize>)>,
) {
    for (key, value) in table {
        if text.get(key.span()) == Some(name) && key.span().end <= second.start {
            found.push((false, key.span()));
        }
        if let DeValue::Table(inner) = value.get_ref() {
            let outside = found.len();
            keys_before(text, inner, name, second, found);
            let is_inline = text[value.span()].starts_with('{');
            let is_around = is_inline && value.span().end >= second.end;
            match (is_inline, is_around) {
                (true, false) => found.truncate(outside),
                (true, true) => found[outside..].iter_mut().for_each(|(around, _)| *around = true),
                (false, _) => {}
            }
        }
    }
}
