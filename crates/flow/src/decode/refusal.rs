//! Refusals in words: a code for the dead-letter topic, a sentence for people.

use std::fmt;

use super::{Plan, Reason, Refusal};

impl Reason {
    /// Every reason, in the order of the declaration: for tables of counters.
    pub const ALL: [Reason; 15] = [
        Reason::Empty,
        Reason::TooLarge,
        Reason::NotUtf8,
        Reason::Malformed,
        Reason::TooComplex,
        Reason::DuplicateKey,
        Reason::ColumnCount,
        Reason::Missing,
        Reason::WrongKind,
        Reason::NotFinite,
        Reason::OutOfRange,
        Reason::UnknownClass,
        Reason::BadTime,
        Reason::Ahead,
        Reason::Late,
    ];

    /// Its name in the dead-letter topic and in metrics. Never changes.
    pub fn code(&self) -> &'static str {
        match self {
            Reason::Empty => "empty",
            Reason::TooLarge => "too_large",
            Reason::NotUtf8 => "not_utf8",
            Reason::Malformed => "malformed",
            Reason::TooComplex => "too_complex",
            Reason::DuplicateKey => "duplicate_key",
            Reason::ColumnCount => "column_count",
            Reason::Missing => "missing",
            Reason::WrongKind => "wrong_kind",
            Reason::NotFinite => "not_finite",
            Reason::OutOfRange => "out_of_range",
            Reason::UnknownClass => "unknown_class",
            Reason::BadTime => "bad_time",
            Reason::Ahead => "ahead",
            Reason::Late => "late",
        }
    }

    /// What is wrong, to stand alone or after a field's name: "is missing, null or empty".
    pub fn explain(&self) -> &'static str {
        match self {
            Reason::Empty => "is empty",
            Reason::TooLarge => "is larger than allowed",
            Reason::NotUtf8 => "is not UTF-8",
            Reason::Malformed => "cannot be parsed in the input's format",
            Reason::TooComplex => {
                "is nested deeper than 64, or has over 10,000 keys or 100,000 elements"
            }
            Reason::DuplicateKey => "has a key twice in one object",
            Reason::ColumnCount => "has another number of columns than the format names",
            Reason::Missing => "is missing, null or empty",
            Reason::WrongKind => "is not of the kind the pipeline file names",
            Reason::NotFinite => "is not finite, or beyond what a double holds",
            Reason::OutOfRange => "is outside its bounds",
            Reason::UnknownClass => "is a class that is not in the list",
            Reason::BadTime => "cannot be read as an event time",
            Reason::Ahead => "is further ahead of the log's own timestamp than `ahead_max`",
            Reason::Late => "is further behind the watermark than `late_max`",
        }
    }
}

impl Refusal {
    /// The refusal in words, with the field's name from the plan and nothing from the record:
    /// `field "amount" is outside its bounds`. Safe to log.
    pub fn describe<'a>(&self, plan: &'a Plan) -> impl fmt::Display + use<'a> {
        Described { refusal: *self, plan }
    }
}

struct Described<'a> {
    refusal: Refusal,
    plan: &'a Plan,
}

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = self.plan.fields.len();
        match self.refusal.field.map(usize::from) {
            None => write!(f, "the record")?,
            Some(field) if field < fields => write!(f, "field {:?}", self.plan.fields[field].name)?,
            Some(field) if field == fields => match &self.plan.label {
                Some(label) => write!(f, "label {:?}", label.name)?,
                None => write!(f, "the label")?,
            },
            Some(_) => write!(f, "the event time")?,
        }
        write!(f, " {}", self.refusal.reason.explain())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Field, Format, Kind, LabelField, Path};

    #[test]
    fn a_refusal_names_its_field() {
        let plan = Plan {
            format: Format::Json,
            fields: vec![Field {
                name: "amount\n".into(),
                path: Path::Key,
                kind: Kind::Flag,
                gaps: false,
            }],
            label: Some(LabelField { name: "fraud".into(), path: Path::Key, is_class: true }),
            time: None,
        };
        let words = |reason, field| Refusal { reason, field }.describe(&plan).to_string();
        assert_eq!(words(Reason::OutOfRange, Some(0)), r#"field "amount\n" is outside its bounds"#);
        assert_eq!(
            words(Reason::WrongKind, Some(1)),
            r#"label "fraud" is not of the kind the pipeline file names"#
        );
        assert_eq!(
            words(Reason::BadTime, Some(2)),
            "the event time cannot be read as an event time"
        );
        assert_eq!(
            words(Reason::Late, Some(2)),
            "the event time is further behind the watermark than `late_max`"
        );
        assert_eq!(words(Reason::NotUtf8, None), "the record is not UTF-8");
    }

    #[test]
    fn codes_differ() {
        let mut codes: Vec<&str> = Reason::ALL.iter().map(Reason::code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reason::ALL.len());
    }
}
