//! The rows of a source that are to be answered: with their label or without it.
//!
//! What is to be foretold need not be there. JSON may leave it out; a row of CSV without the
//! label's column gets an empty cell in its place, so that the other columns are where the pipeline
//! file says.

use std::io::{ErrorKind, Read};

use alluvium_flow::{
    Batch, Headers,
    decode::Lines,
    spec::{Csv, Spec},
};
use anyhow::{Context, anyhow};

use crate::{
    cells, clock,
    header::{self, First},
    source::Source,
};

/// How much of a source is read at once.
const CHUNK_BYTES: usize = 1 << 20;

/// The rows of a source, in batches.
pub struct SourceRows {
    source: Source,
    lines: Lines,
    form: Option<Form>,
    chunk: Vec<u8>,
    read: u64,
    is_over: bool,
}

impl SourceRows {
    /// The rows of a source that is like an input of a pipeline.
    pub fn new(source: Source, spec: &Spec, input: &str) -> SourceRows {
        let form = Form::of(spec, input);
        SourceRows {
            source,
            lines: Lines::new(header::framing(form.as_ref().map(|form| &form.whole))),
            form,
            chunk: vec![0; CHUNK_BYTES],
            read: 0,
            is_over: false,
        }
    }

    /// Reads the next rows; says whether there may be more. A row's offset is its number, from 1,
    /// its time is now.
    ///
    /// # Errors
    /// When the source cannot be read, or its first line names other columns.
    pub fn read(&mut self, batch: &mut Batch) -> anyhow::Result<bool> {
        batch.clear();
        if self.is_over {
            return Ok(false);
        }
        let SourceRows { source, lines, form, chunk, read, is_over } = self;
        let count = match source.bytes.read(chunk) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(true),
            count => count.with_context(|| format!("reading {}", source.name))?,
        };
        let (now, mut wrong) = (clock::now(), None);
        let each = |line: &[u8]| {
            let line = match form {
                None => line,
                Some(form) => match form.row(line) {
                    Row::Line(line) => line,
                    Row::Header => return,
                    Row::WrongHeader(found) => {
                        wrong.get_or_insert((found, form.whole.columns.join(", ")));
                        return;
                    }
                },
            };
            *read += 1;
            batch.push(*read, now, None, Some(line), Headers::default());
        };
        if count == 0 {
            *is_over = true;
            lines.finish(each);
        } else {
            lines.feed(&chunk[..count], each);
        }
        if let Some((found, known)) = wrong {
            let name = &source.name;
            return Err(anyhow!("{name} begins with `{found}`, but the file names `{known}`"));
        }
        Ok(true)
    }
}

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
enum Row<'a> {
    /// A row with all columns.
    Line(&'a [u8]),
    Header,
    WrongHeader(String),
}

/// How the lines of CSV look.
struct Form {
    /// All columns.
    whole: Csv,
    /// All but the label's, and where that is among all; `None`: these rows have no label.
    unlabelled: Option<(Csv, usize)>,
    /// Whether the first line lacks the label's column, and so all may; `None`: it has not come.
    lacks_label: Option<bool>,
    /// Where the delimiters of a line are.
    ends: Vec<usize>,
    /// A row with an empty cell put in.
    mended: Vec<u8>,
}

impl Form {
    fn of(spec: &Spec, input: &str) -> Option<Form> {
        let whole = header::expected(spec, input)?;
        let unlabelled = spec.label.as_ref().and_then(|label| {
            let paths = &spec.input[input].paths;
            let column = paths.get(&label.field).unwrap_or(&label.field);
            let place = whole.columns.iter().position(|name| name == column)?;
            let mut others = whole.clone();
            others.columns.remove(place);
            (!others.columns.is_empty()).then_some((others, place))
        });
        Some(Form { whole, unlabelled, lacks_label: None, ends: Vec::new(), mended: Vec::new() })
    }

    fn row<'a>(&'a mut self, line: &'a [u8]) -> Row<'a> {
        if self.lacks_label.is_none() {
            let first = self.first(line);
            match first {
                First::Header => return Row::Header,
                First::WrongHeader(found) => return Row::WrongHeader(found),
                First::Record => {}
            }
        }
        match &self.unlabelled {
            Some((others, place)) if self.lacks_label == Some(true) => {
                let delimiter = others.delimiter as u8;
                cells::ends(line, delimiter, &mut self.ends);
                if self.ends.len() != others.columns.len() {
                    return Row::Line(line);
                }
                // The last end is that of the line: nothing stands there that could be after it.
                let at = place.checked_sub(1).map_or(0, |before| self.ends[before]);
                self.mended.clear();
                self.mended.extend_from_slice(&line[..at]);
                self.mended.push(delimiter);
                self.mended.extend_from_slice(&line[at..]);
                Row::Line(&self.mended)
            }
            _ => Row::Line(line),
        }
    }

    /// Looks at the first line: with the label's column, or without it.
    fn first(&mut self, line: &[u8]) -> First {
        cells::ends(line, self.whole.delimiter as u8, &mut self.ends);
        let is_short = |(others, _): &&(Csv, usize)| self.ends.len() == others.columns.len();
        let others = self.unlabelled.as_ref().filter(is_short);
        self.lacks_label = Some(others.is_some());
        header::judge(others.map_or(&self.whole, |(others, _)| others), line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(columns: &str, lines: &[&str]) -> Vec<Option<String>> {
        let columns: Vec<&str> = columns.split(',').collect();
        let file = serde_json::json!({
            "name": "p", "input": { "p": { "format": { "csv": { "columns": columns } } } },
            "fields": {}, "label": { "field": "class", "type": { "class": {} } }, "model": {},
        });
        let spec: Spec = serde_json::from_value(file).unwrap();
        let mut form = Form::of(&spec, "p").unwrap();
        let mut row = |line: &&str| match form.row(line.as_bytes()) {
            Row::Line(line) => Some(String::from_utf8(line.to_vec()).unwrap()),
            Row::Header => None,
            Row::WrongHeader(found) => Some(format!("wrong: {found}")),
        };
        lines.iter().map(&mut row).collect()
    }

    fn of(texts: &[&str]) -> Vec<Option<String>> {
        texts.iter().map(|text| Some(text.to_string()).filter(|text| text != "-")).collect()
    }

    #[test]
    fn a_row_without_its_label_gets_an_empty_cell_in_its_place() {
        assert_eq!(rows("a,b,class", &["a,b", "1,2", "1"]), of(&["-", "1,2,", "1"]));
        assert_eq!(rows("a,class,b", &["1,\"x,\"\"y\"", "3,4"]), of(&["1,,\"x,\"\"y\"", "3,,4"]));
        assert_eq!(rows("class,a,b", &["a,b", "1,2", "0,1,2"]), of(&["-", ",1,2", "0,1,2"]));
        assert_eq!(rows("class,a", &["1"]), of(&[",1"]));
    }

    #[test]
    fn a_source_that_has_labels_is_taken_as_it_is() {
        assert_eq!(rows("a,b,class", &["a,b,class", "1,2"]), of(&["-", "1,2"]));
        assert_eq!(rows("a,b,class", &["1,2,0", "1,2"]), of(&["1,2,0", "1,2"]));
        assert_eq!(rows("a,b,class", &["b,a"]), of(&["wrong: b,a"]));
        assert_eq!(rows("a,b,class", &["a,class"]), of(&["wrong: a,class"]));
    }
}
