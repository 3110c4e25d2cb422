//! What stands in each column: counted over the first records, in bounded memory.

use std::collections::BTreeMap;

use super::{
    sample::{Form, Sample},
    value::{self, Written},
    walk,
};
use crate::cells;

/// So many records are looked at to see what the columns are.
pub(super) const RECORDS_MAX: u64 = 100_000;
/// So many different keys of JSON are looked at; what comes later is not read.
const COLUMNS_MAX: usize = 2000;
/// So many different texts of a column are kept apart; of numbers fewer.
const TEXTS_MAX: usize = 10_000;
const NUMBERS_MAX: usize = 101;
/// A longer text is no name.
const NAME_BYTES_MAX: usize = 100;

/// One value, as it was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    /// Nothing, or null.
    Missing,
    /// A number that is one in the format: a text of digits is none in JSON.
    Number(f64),
    /// True or false.
    Flag(bool),
    /// Any other text.
    Text(&'a str),
    /// An array of so many numbers.
    Numbers(usize),
    /// Any other array.
    Other,
}

/// A column of CSV, or a place in a JSON object.
#[derive(Clone, Debug, Default)]
pub(super) struct Column {
    /// The column's name, or the keys that lead there: `a.b`.
    pub path: String,
    /// Whether a pipeline file can say where it is.
    pub is_reachable: bool,
    /// What was counted.
    pub counts: Counts,
}

/// What was counted of a column.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    /// Records in which there is something.
    pub present: u64,
    /// Finite numbers.
    pub numbers: u64,
    /// Of those, whole ones.
    pub whole: u64,
    /// Of those, 0 and 1.
    pub bits: u64,
    /// Of those, the number before and 1.
    pub steps_of_one: u64,
    /// Numbers below the one before.
    pub falls: u64,
    /// True and false.
    pub flags: u64,
    /// Words that mean a gap.
    pub gap_words: u64,
    /// Times with a zone, and without.
    pub times: u64,
    /// Times without a zone.
    pub times_no_zone: u64,
    /// Numbers with a decimal comma.
    pub decimal_commas: u64,
    /// Arrays of numbers.
    pub arrays: u64,
    /// How long those are, if all are the same.
    pub array_len: Option<usize>,
    /// What is none of this: arrays of other things, arrays of another length.
    pub others: u64,
    /// Texts that are too long for a name, or of several words.
    pub long: u64,
    /// The least and the greatest number.
    pub range: Option<(f64, f64)>,
    /// How often each value came, as text.
    pub values: BTreeMap<Box<str>, u64>,
    /// Whether there were more different values than are kept.
    pub is_full: bool,
    /// How many records had been counted when `values` was full.
    pub full_at: u64,
    last: f64,
}

impl Counts {
    /// Takes a value in. `text` is how it is written.
    fn add(&mut self, cell: Cell<'_>, text: &str) {
        if cell == Cell::Missing {
            return;
        }
        self.present += 1;
        match cell {
            Cell::Missing => {}
            Cell::Number(value) => self.number(value),
            Cell::Flag(_) => self.flags += 1,
            Cell::Text(text) => self.text(text),
            Cell::Numbers(length) => {
                let same = *self.array_len.get_or_insert(length) == length;
                if same {
                    self.arrays += 1
                } else {
                    self.others += 1
                }
                return;
            }
            Cell::Other => {
                self.others += 1;
                return;
            }
        }
        self.keep(text);
    }

    fn number(&mut self, value: f64) {
        if self.numbers > 0 {
            self.steps_of_one += u64::from(value == self.last + 1.0);
            self.falls += u64::from(value < self.last);
        }
        self.last = value;
        self.numbers += 1;
        self.whole += u64::from(value.fract() == 0.0 && value.abs() < 1e15);
        self.bits += u64::from(value == 0.0 || value == 1.0);
        let (least, most) = self.range.unwrap_or((value, value));
        self.range = Some((least.min(value), most.max(value)));
    }

    fn text(&mut self, text: &str) {
        self.gap_words += u64::from(value::is_gap_word(text));
        self.decimal_commas += u64::from(value::is_decimal_comma(text));
        match value::is_time(text) {
            Some(Written::Rfc3339) => self.times += 1,
            Some(Written::NoZone) => self.times_no_zone += 1,
            None => {}
        }
        let words = text.split_whitespace().count();
        self.long += u64::from(text.len() > NAME_BYTES_MAX || words > 4);
    }

    fn keep(&mut self, text: &str) {
        if self.is_full || text.len() > NAME_BYTES_MAX {
            return;
        }
        if let Some(count) = self.values.get_mut(text) {
            *count += 1;
            return;
        }
        let texts = self.present - self.numbers;
        let room = if texts * 2 > self.present { TEXTS_MAX } else { NUMBERS_MAX };
        if self.values.len() >= room {
            self.is_full = true;
            self.full_at = self.present;
            return;
        }
        self.values.insert(text.into(), 1);
    }

    /// How many different values there are; of those that were kept.
    pub(super) fn different(&self) -> usize {
        self.values.len() + usize::from(self.is_full)
    }

    /// Whether nearly every value is another.
    pub(super) fn all_differ(&self) -> bool {
        let seen = if self.is_full { self.full_at } else { self.present };
        self.different() as u64 * 10 >= seen * 9
    }

    /// Whether it is numbers, but for words that mean a gap and one value in twenty.
    pub(super) fn is_number(&self) -> bool {
        self.numbers > 0 && (self.numbers + self.gap_words) * 20 >= self.present * 19
    }

    /// Whether all of its numbers are whole.
    pub(super) fn is_whole(&self) -> bool {
        self.whole == self.numbers
    }
}

/// What the first records of a file hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Survey {
    /// Records that were looked at.
    pub records: u64,
    /// Records that are not in the format.
    pub odd: u64,
    /// Whether that was all of the file.
    pub is_whole: bool,
    /// The columns in their order; of JSON, in the order of first sight.
    pub columns: Vec<Column>,
    /// Where each key of JSON is among the columns.
    places: BTreeMap<String, usize>,
}

impl Survey {
    /// Counts what stands in the first records of a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn of(sample: &Sample) -> anyhow::Result<Survey> {
        let mut survey = Survey { is_whole: sample.is_whole(), ..Survey::default() };
        if let Form::Csv { columns, .. } = &sample.form {
            // `_` is what the file calls a column that nobody reads.
            let column = |path: &String| Column {
                path: path.clone(),
                is_reachable: path != "_" && !is_special(path),
                counts: Counts::default(),
            };
            survey.columns = columns.iter().map(column).collect();
        }
        sample.each(|line| {
            if survey.records + survey.odd >= RECORDS_MAX {
                survey.is_whole = false;
                return false;
            }
            let text = std::str::from_utf8(line).ok();
            let is_taken = text.is_some_and(|text| match &sample.form {
                Form::Csv { delimiter, .. } => survey.csv(text, *delimiter),
                Form::Json => walk::object(text, |path, cell, text| survey.key(path, cell, text)),
            });
            match is_taken {
                true => survey.records += 1,
                false => survey.odd += 1,
            }
            true
        })?;
        Ok(survey)
    }

    fn csv(&mut self, line: &str, delimiter: char) -> bool {
        let cells = cells::split(line, delimiter);
        if cells.len() != self.columns.len() {
            return false;
        }
        for (column, text) in self.columns.iter_mut().zip(&cells) {
            column.counts.add(csv_cell(text), text);
        }
        true
    }

    fn key(&mut self, path: &str, cell: Cell<'_>, text: &str) {
        let place = match self.places.get(path) {
            Some(place) => *place,
            None if self.columns.len() >= COLUMNS_MAX => return,
            None => {
                let is_reachable = is_json_path(path);
                let path = path.to_string();
                self.places.insert(path.clone(), self.columns.len());
                self.columns.push(Column { path, is_reachable, counts: Counts::default() });
                self.columns.len() - 1
            }
        };
        self.columns[place].counts.add(cell, text);
    }
}

/// Names with a meaning of their own in `paths`.
fn is_special(path: &str) -> bool {
    matches!(path, "$key" | "$time" | "$partition") || path.starts_with("$headers.")
}

/// Whether `paths` can say it: [`walk::object`] writes a key that holds a dot or a bracket between
/// backticks, which no path does.
fn is_json_path(path: &str) -> bool {
    !path.starts_with('$') && !path.contains(['`', '[', ']'])
}

fn csv_cell(text: &str) -> Cell<'_> {
    let bare = text.trim_matches([' ', '\t']);
    match bare {
        "" => Cell::Missing,
        "true" => Cell::Flag(true),
        "false" => Cell::Flag(false),
        _ => value::number(bare).map_or(Cell::Text(text), Cell::Number),
    }
}
