//! Records that are one line of comma-separated values (RFC 4180).
//!
//! A cell is quoted if a quote is its first character; inside, a quote is doubled, and delimiters
//! and line ends are text. Nothing may stand between the closing quote and the next delimiter. In a
//! cell that is not quoted a quote is an ordinary character. One line end after the last cell is no
//! part of it; another one outside quotes is a second record, and `Malformed`. So is a NUL (binary
//! data, or UTF-16) and a byte order mark: `load` takes the one off that starts a file.
//!
//! Most records have no quote and are read in place, cell by cell, in one pass. Both ways give the
//! same verdicts.

use super::place::{Layout, Row, Target, What, is_utf8};
use super::{Decoder, Plan, RECORD_BYTES_MAX, Reason, Rows, Step, number};
use crate::Batch;

pub(super) struct CsvDecoder {
    layout: Layout,
    columns: Vec<Column>,
    /// The targets of [`Column::Several`].
    several: Vec<usize>,
    delimiter: u8,
    /// A quoted cell with its quotes undone.
    unquoted: Vec<u8>,
}

/// What a column is for.
#[derive(Clone, Debug)]
enum Column {
    Unread,
    /// One number, the case to be quick for. `place`, `min` and `max` are those of its target.
    Number {
        place: usize,
        min: f64,
        max: f64,
        target: usize,
    },
    /// Any other field, or more than one of them: a range of `several`.
    Several {
        start: usize,
        end: usize,
    },
}

impl CsvDecoder {
    pub(super) fn new(plan: &Plan, names: &[String], delimiter: u8) -> CsvDecoder {
        let layout = Layout::new(plan);
        let mut by_column: Vec<Vec<usize>> = vec![Vec::new(); names.len()];
        for (steps, target) in &layout.in_value {
            let Some(Step::Key(name)) = steps.first() else { continue };
            let beyond = if let Some(Step::Index(index)) = steps.get(1) { *index } else { 0 };
            let column = names.iter().position(|known| known == name);
            if let Some(targets) = column.and_then(|first| by_column.get_mut(first + beyond)) {
                targets.push(*target);
            }
        }
        let mut several = Vec::new();
        let mut compile = |targets: Vec<usize>| match targets.as_slice() {
            [] => Column::Unread,
            [target] if let What::Number { place, min, max } = layout.targets[*target].what => {
                Column::Number { place, min, max, target: *target }
            }
            _ => {
                let start = several.len();
                several.extend(targets);
                Column::Several { start, end: several.len() }
            }
        };
        let columns = by_column.into_iter().map(&mut compile).collect();
        CsvDecoder { layout, columns, several, delimiter, unquoted: Vec::new() }
    }
}

impl Decoder for CsvDecoder {
    fn decode(&mut self, partition: u32, batch: &Batch, into: &mut Rows) {
        let CsvDecoder { layout, columns, several, delimiter, unquoted } = self;
        let reader = Reader { targets: &layout.targets, columns, several, delimiter: *delimiter };
        let all_are_plain = is_plain(batch.bytes());
        for record in batch.iter() {
            into.add(layout, partition, &record, |row| {
                let value = record.value.unwrap_or_default();
                if value.len() > RECORD_BYTES_MAX {
                    return Err(Reason::TooLarge);
                }
                let line = without_line_end(value);
                if line.is_empty() {
                    return Err(Reason::Empty);
                }
                if (all_are_plain && line.len() == value.len()) || is_plain(line) {
                    return reader.plain(line, row);
                }
                reader.any(line, unquoted, row)
            });
        }
    }
}

/// The decoder's tables, borrowed while a row is written.
struct Reader<'a> {
    targets: &'a [Target],
    columns: &'a [Column],
    several: &'a [usize],
    delimiter: u8,
}

impl Reader<'_> {
    /// A line without quotes, line ends, NUL, and bytes beyond ASCII; or one that was checked.
    #[inline]
    fn plain(&self, line: &[u8], row: &mut Row<'_>) -> Result<(), Reason> {
        let (mut rest, mut left) = (line, self.columns.len());
        for column in self.columns {
            let end = self.plain_cell(column, rest, row);
            left -= 1;
            rest = match rest.get(end + 1..) {
                Some(rest) if left > 0 => rest,
                None if left == 0 => return Ok(()),
                _ => return Err(Reason::ColumnCount),
            };
        }
        Ok(())
    }

    /// Reads the cell that `rest` starts with; returns where it ends.
    #[inline]
    fn plain_cell(&self, column: &Column, rest: &[u8], row: &mut Row<'_>) -> usize {
        if let Column::Number { place, min, max, target } = *column {
            let found = number::packed(rest, self.delimiter)
                .or_else(|| number::short(rest).filter(|found| self.ends(rest, found.1)));
            return match found {
                Some((value, end)) if min <= value && value <= max => {
                    row.numbers[place] = value;
                    end
                }
                _ => self.odd_number(target, rest, row),
            };
        }
        let end = memchr::memchr(self.delimiter, rest).unwrap_or(rest.len());
        self.cell(column, &rest[..end], row);
        end
    }

    fn ends(&self, rest: &[u8], end: usize) -> bool {
        rest.get(end).is_none_or(|byte| *byte == self.delimiter)
    }

    /// A number that is long, spaced, out of range, or none at all.
    #[inline(never)]
    fn odd_number(&self, target: usize, rest: &[u8], row: &mut Row<'_>) -> usize {
        let end = memchr::memchr(self.delimiter, rest).unwrap_or(rest.len());
        row.cell(&self.targets[target], &rest[..end]);
        end
    }

    fn cell(&self, column: &Column, text: &[u8], row: &mut Row<'_>) {
        match *column {
            Column::Unread => (),
            Column::Number { target, .. } => row.cell(&self.targets[target], text),
            Column::Several { start, end } => {
                for target in &self.several[start..end] {
                    row.cell(&self.targets[*target], text);
                }
            }
        }
    }

    /// Any line at all. `scratch` is room for cells with quotes in them.
    fn any(&self, line: &[u8], scratch: &mut Vec<u8>, row: &mut Row<'_>) -> Result<(), Reason> {
        if !is_utf8(line) {
            return Err(Reason::NotUtf8);
        }
        if line.contains(&0) || line.starts_with("\u{feff}".as_bytes()) {
            return Err(Reason::Malformed);
        }
        let has_line_ends = memchr::memchr2(b'\n', b'\r', line).is_some();
        let (mut rest, mut left) = (line, self.columns.len());
        for column in self.columns {
            let end = if rest.first() == Some(&b'"') {
                let (text, end) = self.quoted_cell(rest, scratch)?;
                self.cell(column, text, row);
                end
            } else {
                let end = self.plain_cell(column, rest, row);
                if has_line_ends && memchr::memchr2(b'\n', b'\r', &rest[..end]).is_some() {
                    return Err(Reason::Malformed);
                }
                end
            };
            left -= 1;
            rest = match rest.get(end + 1..) {
                Some(rest) if left > 0 => rest,
                None if left == 0 => return Ok(()),
                _ => return Err(Reason::ColumnCount),
            };
        }
        Ok(())
    }

    /// The text of the quoted cell that `rest` starts with, and where it ends.
    fn quoted_cell<'b>(
        &self,
        rest: &'b [u8],
        scratch: &'b mut Vec<u8>,
    ) -> Result<(&'b [u8], usize), Reason> {
        scratch.clear();
        let mut start = 1;
        loop {
            let quote = memchr::memchr(b'"', &rest[start..]).ok_or(Reason::Malformed)? + start;
            if rest.get(quote + 1) == Some(&b'"') {
                scratch.extend_from_slice(&rest[start..=quote]);
                start = quote + 2;
                continue;
            }
            if !self.ends(rest, quote + 1) {
                return Err(Reason::Malformed);
            }
            if scratch.is_empty() {
                return Ok((&rest[start..quote], quote + 1));
            }
            scratch.extend_from_slice(&rest[start..quote]);
            return Ok((scratch, quote + 1));
        }
    }
}

/// Takes one line end off.
fn without_line_end(value: &[u8]) -> &[u8] {
    match value {
        [line @ .., b'\r', b'\n'] | [line @ .., b'\n' | b'\r'] => line,
        line => line,
    }
}

/// Whether there is nothing to take care of: no quote, line end or NUL, and nothing beyond ASCII.
fn is_plain(bytes: &[u8]) -> bool {
    let is_special = |byte: u8| {
        (byte >= 0x80) | (byte == b'"') | (byte == b'\n') | (byte == b'\r') | (byte == 0)
    };
    // No way out within a piece, so that it is compiled to wide compares.
    bytes
        .chunks(4096)
        .all(|piece| piece.iter().fold(0u8, |found, byte| found | u8::from(is_special(*byte))) == 0)
}
