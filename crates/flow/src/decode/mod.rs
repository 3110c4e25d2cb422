//! From the bytes of a record to numbers, texts and identities; or to a refusal.
//!
//! A verdict depends on the record's bytes and the plan alone, never on its neighbours, on which
//! thread decodes it, or on which fields a model uses.

mod check;
mod csv;
mod json;
mod lines;
mod number;
mod place;
mod refusal;
mod time;

use alluvium_learn::Time;

use crate::Batch;

pub use lines::{Framing, Lines};
pub(crate) use time::shown;
pub use time::{TIME_MAX, TIME_MIN};

/// The most bytes a record's value may have: 1 MiB. Larger ones are refused as
/// [`Reason::TooLarge`], whatever the plan says.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// The most bytes of a name that gets a code: a class's or a category's. Dictionaries are bounded
/// by it and by how many names they hold.
pub const NAME_BYTES_MAX: usize = 1024;

/// Makes the decoder of an input.
///
/// # Panics
/// When [`Plan::check`] finds a mistake in the plan: check a plan that comes from a person first.
pub fn build(plan: &Plan) -> Box<dyn Decoder> {
    if let Err(mistake) = plan.check() {
        panic!("the plan was to be checked before: {mistake}");
    }
    match &plan.format {
        Format::Csv { columns, delimiter } => {
            Box::new(csv::CsvDecoder::new(plan, columns, *delimiter))
        }
        Format::Json => Box::new(json::JsonDecoder::new(plan)),
    }
}

/// How an input's records are read: made once, when the pipeline is built.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The format of the value.
    pub format: Format,
    /// The fields, in the order of the pipeline file.
    pub fields: Vec<Field>,
    /// The label, if this input carries it.
    pub label: Option<LabelField>,
    /// Where the event time is; the log's timestamp if nowhere.
    pub time: Option<TimeField>,
}

/// The format of a record's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    /// One line of comma-separated values (RFC 4180).
    Csv {
        /// The columns' names, in order; `_` for one that nobody reads.
        columns: Vec<String>,
        /// What separates them: one ASCII character.
        delimiter: u8,
    },
    /// One JSON object.
    Json,
}

/// Where in a record a value is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Path {
    /// In the value: a column of CSV, or keys from the outside in for JSON (`a.b[0].c` is
    /// `[Key(a), Key(b), Index(0), Key(c)]`).
    Value(Vec<Step>),
    /// The record's key, as text: `$key`.
    Key,
    /// A header, as text: `$headers.NAME`.
    Header(String),
    /// The log's timestamp, in milliseconds: `$time`.
    Time,
    /// The partition: `$partition`.
    Partition,
}

/// One step of a path into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The value of a key, or a column.
    Key(String),
    /// An element of an array, from 0.
    Index(usize),
}

/// One field.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name, for refusals.
    pub name: String,
    /// Where it is found.
    pub path: Path,
    /// What it is.
    pub kind: Kind,
    /// Whether a missing or bad value is a gap (NaN, or no text) instead of a refusal. An identity
    /// has no gap: it is refused in any case.
    pub gaps: bool,
}

/// What a field is, and so where it goes.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A finite number within bounds, both included. Goes to [`Rows::numbers`].
    Number {
        /// The least; `-inf` for no bound.
        min: f64,
        /// The most; `inf` for no bound.
        max: f64,
    },
    /// So many numbers: that column and those after it, or an array of exactly so many. A gap in
    /// one of them is NaN there alone.
    Numbers {
        /// How many.
        count: usize,
    },
    /// `true` or `false`, `1` or `0`. Goes to [`Rows::numbers`] as 1 or 0.
    Flag,
    /// Text: a category or free text. Goes to [`Rows::texts`]. JSON numbers, true and false are
    /// taken as they are written.
    Text {
        /// The most bytes; longer ones are refused.
        bytes_max: usize,
    },
    /// An identity, as text or an integer. Goes to [`Rows::ids`], hashed.
    Id,
}

/// The label.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelField {
    /// Its name, for refusals.
    pub name: String,
    /// Where it is found.
    pub path: Path,
    /// A class's name (as text of at most [`NAME_BYTES_MAX`], in [`Rows::texts`], the last of a
    /// row), or a finite number (in [`Rows::numbers`], the last of a row).
    pub is_class: bool,
}

/// Where the event time is, and in which unit.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeField {
    /// Where it is found.
    pub path: Path,
    /// How it is written.
    pub unit: TimeUnit,
    /// How far it may lie ahead of the log's timestamp, in milliseconds. A record to which the log
    /// gives no time, which is to say a negative one, cannot be held to it.
    pub ahead_max: u64,
}

/// How an event time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// Milliseconds since 1970, an integer or a number.
    Milliseconds,
    /// Seconds since 1970, an integer or a number.
    Seconds,
    /// RFC 3339: `2026-11-21T13:00:00Z`, with any offset.
    Rfc3339,
}

/// Why a record is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Reason {
    /// The value is not there: a tombstone, or empty.
    Empty,
    /// The value is larger than [`RECORD_BYTES_MAX`]; or, of a field, a text than its `bytes_max`.
    TooLarge,
    /// Not UTF-8: the value, anywhere in it; or, of a field, the key or header it is read from.
    NotUtf8,
    /// Not in the format: a quote that never ends, JSON that does not parse.
    Malformed,
    /// JSON nested deeper than 64, more than 10,000 keys or 100,000 elements in all.
    TooComplex,
    /// A key stands twice in one JSON object.
    DuplicateKey,
    /// Another number of columns than the format names.
    ColumnCount,
    /// A field is not there, or null, or an empty cell.
    Missing,
    /// A field is not of its kind.
    WrongKind,
    /// A number is not finite (`nan`, `inf`), or beyond what a double holds.
    NotFinite,
    /// A number is outside its bounds.
    OutOfRange,
    /// A class that is not in the list.
    UnknownClass,
    /// The event time cannot be read.
    BadTime,
    /// The event time lies too far ahead of the log's timestamp.
    Ahead,
    /// The event time lies too far behind the greatest one so far. The pipeline's verdict, never a
    /// decoder's: it depends on what came before.
    Late,
}

/// A record turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// Which field: an index into [`Plan::fields`]; the label is one beyond, the time two. `None`:
    /// the record as a whole.
    pub field: Option<u16>,
}

/// Decoded records, row after row, reused from batch to batch.
///
/// Every row takes the same room: `numbers_per_row` numbers (fields in the order of the plan, then
/// the label if it is a number), `texts_per_row` texts (fields, then the label if it is a class)
/// and `ids_per_row` identities. A refused row takes its room too, and what is in it means nothing.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Numbers; NaN is a gap.
    pub numbers: Vec<f64>,
    /// Where each text lies in `bytes`; [`Rows::GAP`] is a gap.
    pub texts: Vec<(u32, u32)>,
    /// The texts: UTF-8.
    pub bytes: Vec<u8>,
    /// Identities, as XXH3-64 of their text (an integer's text is its decimal digits).
    pub ids: Vec<u64>,
    /// Event times, from [`TIME_MIN`] to [`TIME_MAX`]; the log's own timestamp is brought there. Of
    /// a row that was refused as [`Reason::Ahead`] the time that it was refused for.
    pub times: Vec<Time>,
    /// Why a row was turned away; `None` for a good one.
    pub refusals: Vec<Option<Refusal>>,
}

impl Rows {
    /// A text that is not there.
    pub const GAP: (u32, u32) = (u32::MAX, u32::MAX);

    /// Forgets the rows and keeps the room.
    pub fn clear(&mut self) {
        self.numbers.clear();
        self.texts.clear();
        self.bytes.clear();
        self.ids.clear();
        self.times.clear();
        self.refusals.clear();
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.refusals.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.refusals.is_empty()
    }
}

/// Reads records. Holds room of its own, so that nothing is allocated per record.
pub trait Decoder: Send {
    /// Appends a row for each record of the batch, in order.
    fn decode(&mut self, partition: u32, batch: &Batch, into: &mut Rows);
}
