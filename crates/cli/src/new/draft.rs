//! What a pipeline file will say, before it is written.

use alluvium_flow::decode::Reason;

use super::sample::Form;

/// A pipeline to be written.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    /// The pipeline's name, and the input's.
    pub name: String,
    /// What the sample is called.
    pub sample: String,
    /// Where a run reads it.
    pub from: From,
    /// What it is.
    pub form: Form,
    /// The columns, in the order of the file.
    pub parts: Vec<Part>,
    /// What is to be foretold.
    pub label: Option<Label>,
    /// Where the event time is.
    pub time: Option<EventTime>,
    /// Records in all; of a file as many as were read.
    pub records: u64,
    /// Records that were read.
    pub read: u64,
    /// The share of refused records at which a run may not halt, if the default would.
    pub refused_share: Option<f64>,
}

/// Where a run reads what was looked at.
#[derive(Clone, Debug)]
pub(super) enum From {
    /// In a file, which fills the topic; its path, seen from the pipeline file.
    File(String),
    /// In a topic that is there.
    Topic {
        /// Its name.
        topic: String,
        /// How the pipeline file says where its log is: keys and values.
        log: Vec<(&'static str, String)>,
    },
}

/// A column, and what becomes of it.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Its name in the pipeline.
    pub name: String,
    /// The column, or the place in a JSON object.
    pub path: String,
    /// What becomes of it.
    pub what: What,
    /// The share of records that lack it, or hold something else; `None` where none does.
    pub gaps: Option<f64>,
    /// What a reader should know.
    pub note: Option<String>,
}

/// What becomes of a column.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    /// A number.
    Number,
    /// So many numbers.
    Numbers(usize),
    /// True or false.
    Flag,
    /// One of these names, or, where there are none, of at most so many.
    Category {
        /// The names; none where there are too many to list.
        values: Vec<String>,
        /// How many there are room for.
        room: u32,
    },
    /// An identity that comes again and again.
    Id,
    /// Not read: the note says why.
    LeftOut,
}

/// What is to be foretold.
#[derive(Clone, Debug)]
pub(super) struct Label {
    /// Its name in the pipeline.
    pub name: String,
    /// The column, or the place in a JSON object.
    pub path: String,
    /// What it is.
    pub kind: LabelKind,
    /// Why it was taken, if nobody said so.
    pub guess: Option<&'static str>,
}

/// What a label is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum LabelKind {
    /// One of these classes, and how often each came.
    Classes(Vec<(String, u64)>),
    /// One of too many classes to list.
    ManyClasses(u32),
    /// A number.
    Number,
}

/// Where the event time is.
#[derive(Clone, Debug)]
pub(super) struct EventTime {
    /// `rfc3339`, `s` or `ms`.
    pub unit: &'static str,
    /// The column, or the place in a JSON object.
    pub path: String,
}

/// Why a part of a record was refused, in words.
pub(super) fn words(reason: Reason) -> &'static str {
    match reason {
        Reason::Empty => "it is empty",
        Reason::TooLarge => "it is too large",
        Reason::NotUtf8 => "it is not UTF-8",
        Reason::Malformed => "it is not in the format",
        Reason::TooComplex => "it is nested too deep",
        Reason::DuplicateKey => "a key stands twice in it",
        Reason::ColumnCount => "it has another number of columns",
        Reason::Missing => "it is not there",
        Reason::WrongKind => "it is of another kind",
        Reason::NotFinite => "it is not a finite number",
        Reason::OutOfRange => "it is out of range",
        Reason::UnknownClass => "it is no class",
        Reason::BadTime => "it cannot be read as a time",
        Reason::Ahead => "it lies in the future",
        Reason::Late => "it is too late",
    }
}

impl Draft {
    /// The parts that are read.
    pub(super) fn used(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| part.what != What::LeftOut)
    }

    /// The names of the parts of which something is true.
    pub(super) fn names(&self, is: impl Fn(&What) -> bool) -> Vec<String> {
        self.used().filter(|part| is(&part.what)).map(|part| part.name.clone()).collect()
    }

    /// Names for steps that no field has.
    pub(super) fn step(&self, name: &str) -> String {
        let mut name = name.to_string();
        while self.used().any(|part| part.name == name) {
            name.push('_');
        }
        name
    }
}
