//! From a decoded row to a row that steps can read.

use alluvium_learn::{Label, LabelShape, Row, Texts, Time};

use super::{Pipeline, Scratch, dictionary::Dictionary, plan::Category};
use crate::decode::{Reason, Refusal, Rows};

/// A label that was read: a class's code (or that it has none yet), a number, or nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Truth {
    Nothing,
    Class(u32),
    /// A class seen for the first time: it gets its code when it is learned.
    NewClass((u32, u32)),
    Number(f64),
}

impl Pipeline {
    /// The label of a row, or why the row is turned away for it.
    pub(super) fn truth(&self, input: usize, rows: &Rows, row: usize) -> Result<Truth, Refusal> {
        // A record of labels has nothing else of its kind.
        let (numbers, texts) = match self.inputs[input].is_label {
            true => (1, 1),
            false if self.label_join.is_some() => return Ok(Truth::Nothing),
            false => (self.numbers_per_row, self.texts_per_row),
        };
        match self.label {
            LabelShape::None => Ok(Truth::Nothing),
            LabelShape::Number => {
                let value = rows.numbers[(row + 1) * numbers - 1];
                Ok(if value.is_nan() { Truth::Nothing } else { Truth::Number(value) })
            }
            LabelShape::Class { .. } => {
                let span = rows.texts[(row + 1) * texts - 1];
                if span == Rows::GAP {
                    return Ok(Truth::Nothing);
                }
                match self.classes.code(text(rows, span)) {
                    Some(code) => Ok(Truth::Class(code)),
                    None if self.classes.has_room() => Ok(Truth::NewClass(span)),
                    None => {
                        // Counted as the decoder counts: what is carried is decoded as fields too.
                        let field = self.inputs[input].decode.fields.len() as u16;
                        Err(Refusal { reason: Reason::UnknownClass, field: Some(field) })
                    }
                }
            }
        }
    }

    /// Gives a new class its code.
    pub(super) fn label<'a>(&mut self, truth: Truth, rows: &Rows) -> Label<'a> {
        match truth {
            Truth::Nothing => Label::None,
            Truth::Class(code) => Label::Class(code),
            Truth::Number(value) => Label::Number(value),
            Truth::NewClass(span) => {
                self.classes.learn(text(rows, span)).map_or(Label::None, Label::Class)
            }
        }
    }

    /// Fills the scratch row with what was decoded.
    pub(super) fn admit(&mut self, rows: &Rows, row: usize) {
        let Scratch { values, spans, learn_names, .. } = &mut self.scratch;
        let start = row * self.numbers_per_row;
        values[..self.numbers].copy_from_slice(&rows.numbers[start..start + self.numbers]);
        let texts = &rows.texts[row * self.texts_per_row..(row + 1) * self.texts_per_row];
        learn_names.clear();
        for (index, category) in self.categories.iter().enumerate() {
            values[category.slot] = code_of(category, index, rows, texts, learn_names);
        }
        spans.clear();
        spans.extend(self.texts.iter().map(|text| texts[*text]));
    }

    /// Names that were seen for the first time get their codes, after the record was scored.
    pub(super) fn learn_names(&mut self, rows: &Rows) {
        for (index, span) in &self.scratch.learn_names {
            let dictionary: &mut Dictionary = &mut self.categories[*index].dictionary;
            if dictionary.learn(text(rows, *span)).is_none() {
                self.counters.names_without_room += 1;
            }
        }
    }
}

fn code_of(
    category: &Category,
    index: usize,
    rows: &Rows,
    texts: &[(u32, u32)],
    learn_names: &mut Vec<(usize, (u32, u32))>,
) -> f64 {
    let span = texts[category.text];
    let name = match (&category.constant, span) {
        (Some(constant), Rows::GAP) => constant,
        (None, Rows::GAP) => return f64::NAN,
        (_, span) => text(rows, span),
    };
    match category.dictionary.code(name) {
        Some(code) => f64::from(code),
        None => {
            if span != Rows::GAP {
                learn_names.push((index, span));
            }
            f64::from(category.unknown)
        }
    }
}

/// A text of a decoded row.
pub(super) fn text(rows: &Rows, (start, end): (u32, u32)) -> &str {
    std::str::from_utf8(&rows.bytes[start as usize..end as usize])
        .expect("texts are checked when they are decoded")
}

/// The scratch row, as steps see it.
pub(super) fn row<'a>(
    scratch: &'a mut Scratch,
    rows: &'a Rows,
    ids_per_row: usize,
    row: usize,
    time: Time,
) -> Row<'a> {
    Row {
        values: &mut scratch.values,
        blocks: &mut scratch.blocks,
        ids: &rows.ids[row * ids_per_row..(row + 1) * ids_per_row],
        texts: Texts { spans: &scratch.spans, bytes: &rows.bytes },
        time,
    }
}
