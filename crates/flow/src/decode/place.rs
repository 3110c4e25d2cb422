//! Where values go: the plan compiled to places in a row, and the row that takes them.

use alluvium_learn::{Time, math};

use super::{Kind, Path, Plan, Reason, Refusal, Rows, Step, TimeUnit, number, time};
use crate::Record;

/// One value of a row: what it must be, where it goes, and what happens if it is not there.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) what: What,
    /// Its number in refusals.
    pub(super) field: u16,
    missing_is_gap: bool,
    bad_is_gap: bool,
}

/// What a value must be, and its place among the row's numbers, texts or identities.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Number { place: usize, min: f64, max: f64 },
    Flag { place: usize },
    Text { place: usize, bytes_max: usize },
    Id { place: usize },
    Time { unit: TimeUnit, ahead_max: u64 },
}

/// An array that must have exactly so many elements, each of which has a target of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count {
    /// The target of its first element.
    pub(super) first: usize,
    pub(super) count: usize,
}

/// The plan's targets, each with its path, and the room of a row.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    /// The targets. Those of [`Kind::Numbers`] lie one after the other.
    pub(super) targets: Vec<Target>,
    /// Steps into the value, and the target that is found there.
    pub(super) in_value: Vec<(Vec<Step>, usize)>,
    /// The arrays of [`Kind::Numbers`]; their elements are in `in_value` too.
    pub(super) counts: Vec<(Vec<Step>, Count)>,
    /// What is found beside the value.
    pub(super) beside: Vec<(Path, usize)>,
    numbers: usize,
    texts: usize,
    ids: usize,
}

impl Layout {
    pub(super) fn new(plan: &Plan) -> Layout {
        let mut layout = Layout::default();
        for (index, field) in plan.fields.iter().enumerate() {
            let (index, gaps) = (index as u16, field.gaps);
            let what = match field.kind {
                Kind::Number { min, max } => layout.number(min, max),
                Kind::Numbers { count } => {
                    layout.add_numbers(&field.path, count, index, gaps);
                    continue;
                }
                Kind::Flag => What::Flag { place: next(&mut layout.numbers) },
                Kind::Text { bytes_max } => {
                    What::Text { place: next(&mut layout.texts), bytes_max }
                }
                Kind::Id => What::Id { place: next(&mut layout.ids) },
            };
            let gaps = gaps && field.kind != Kind::Id;
            let target = Target { what, field: index, missing_is_gap: gaps, bad_is_gap: gaps };
            layout.add(&field.path, target);
        }
        let field = plan.fields.len() as u16;
        if let Some(label) = &plan.label {
            let what = match label.is_class {
                true => {
                    let bytes_max = super::NAME_BYTES_MAX;
                    What::Text { place: next(&mut layout.texts), bytes_max }
                }
                false => layout.number(f64::NEG_INFINITY, f64::INFINITY),
            };
            let target = Target { what, field, missing_is_gap: true, bad_is_gap: false };
            layout.add(&label.path, target);
        }
        if let Some(time) = &plan.time {
            let what = What::Time { unit: time.unit, ahead_max: time.ahead_max };
            let field = field + 1;
            let target = Target { what, field, missing_is_gap: false, bad_is_gap: false };
            layout.add(&time.path, target);
        }
        layout
    }

    fn number(&mut self, min: f64, max: f64) -> What {
        What::Number { place: next(&mut self.numbers), min, max }
    }

    fn add(&mut self, path: &Path, target: Target) {
        match path {
            Path::Value(steps) => self.in_value.push((steps.clone(), self.targets.len())),
            _ => self.beside.push((path.clone(), self.targets.len())),
        }
        self.targets.push(target);
    }

    fn add_numbers(&mut self, path: &Path, count: usize, field: u16, gaps: bool) {
        let Path::Value(steps) = path else { return };
        self.counts.push((steps.clone(), Count { first: self.targets.len(), count }));
        for index in 0..count {
            let what = self.number(f64::NEG_INFINITY, f64::INFINITY);
            let steps = steps.iter().cloned().chain([Step::Index(index)]).collect();
            let target = Target { what, field, missing_is_gap: gaps, bad_is_gap: gaps };
            self.add(&Path::Value(steps), target);
        }
    }
}

/// The next free place.
fn next(places: &mut usize) -> usize {
    *places += 1;
    *places - 1
}

/// A row being filled. All its values are gaps at first.
pub(super) struct Row<'a> {
    pub(super) numbers: &'a mut [f64],
    texts: &'a mut [(u32, u32)],
    bytes: &'a mut Vec<u8>,
    ids: &'a mut [u64],
    time: &'a mut Time,
    /// The log's timestamp.
    logged: Time,
    refusal: Option<Refusal>,
}

impl Rows {
    /// Appends a row, lets `fill` fill it from the record's value, adds what is found beside the
    /// value, and settles the verdict: that of `fill` on the record as a whole, or else that of the
    /// first field of the plan that was turned away.
    #[inline]
    pub(super) fn add(
        &mut self,
        layout: &Layout,
        partition: u32,
        record: &Record<'_>,
        fill: impl FnOnce(&mut Row<'_>) -> Result<(), Reason>,
    ) {
        let (numbers, texts, ids) = (self.numbers.len(), self.texts.len(), self.ids.len());
        let bytes = self.bytes.len();
        self.numbers.resize(numbers + layout.numbers, f64::NAN);
        self.texts.resize(texts + layout.texts, Rows::GAP);
        self.ids.resize(ids + layout.ids, 0);
        // A log may have no time for a record, or any: it is held where event times are.
        let mut time = record.time.clamp(time::TIME_MIN, time::TIME_MAX);
        let mut row = Row {
            numbers: &mut self.numbers[numbers..],
            texts: &mut self.texts[texts..],
            bytes: &mut self.bytes,
            ids: &mut self.ids[ids..],
            time: &mut time,
            logged: record.time,
            refusal: None,
        };
        let whole = fill(&mut row);
        if whole.is_ok() {
            for (path, target) in &layout.beside {
                row.beside(&layout.targets[*target], path, partition, record);
            }
        }
        let of_field = row.refusal;
        let refusal = whole.err().map(|reason| Refusal { reason, field: None }).or(of_field);
        if refusal.is_some() {
            self.bytes.truncate(bytes);
        }
        self.times.push(time);
        self.refusals.push(refusal);
    }
}

impl Row<'_> {
    /// A value that is not there.
    pub(super) fn missing(&mut self, target: &Target) {
        if !target.missing_is_gap {
            self.refuse(target, Reason::Missing);
        }
    }

    /// A value that cannot be taken.
    #[cold]
    pub(super) fn bad(&mut self, target: &Target, reason: Reason) {
        let reason = match target.what {
            What::Time { .. } => Reason::BadTime,
            _ => reason,
        };
        if !target.bad_is_gap {
            self.refuse(target, reason);
        }
    }

    /// Of several fields the first of the plan is named, in whatever order they were met.
    fn refuse(&mut self, target: &Target, reason: Reason) {
        let refusal = Refusal { reason, field: Some(target.field) };
        match self.refusal {
            Some(Refusal { field: Some(first), .. }) if first <= target.field => (),
            _ => self.refusal = Some(refusal),
        }
    }

    /// An array has another number of elements than its field: all of them are gaps, or refused.
    pub(super) fn wrong_count(&mut self, targets: &[Target], of: Count) {
        for target in &targets[of.first..][..of.count] {
            if let What::Number { place, .. } = target.what {
                self.numbers[place] = f64::NAN;
            }
            self.bad(target, Reason::WrongKind);
        }
    }

    /// A number as it was parsed.
    #[inline]
    pub(super) fn number(&mut self, target: &Target, value: Result<f64, Reason>) {
        let What::Number { place, min, max } = target.what else { return };
        match value {
            Ok(value) if min <= value && value <= max => self.numbers[place] = value,
            Ok(_) => self.bad(target, Reason::OutOfRange),
            Err(reason) => self.bad(target, reason),
        }
    }

    /// A flag that was read.
    pub(super) fn flag(&mut self, place: usize, value: bool) {
        self.numbers[place] = f64::from(u8::from(value));
    }

    /// A text that was read: a category, free text, an identity or a class.
    pub(super) fn text(&mut self, target: &Target, text: &[u8]) {
        match target.what {
            What::Text { bytes_max, .. } if text.len() > bytes_max => {
                self.bad(target, Reason::TooLarge);
            }
            What::Text { place, .. } => {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(text);
                let end = u32::try_from(self.bytes.len()).expect("a batch's texts are below 4 GiB");
                self.texts[place] = (start as u32, end);
            }
            What::Id { .. } if text.is_empty() => self.missing(target),
            What::Id { place } => self.ids[place] = math::hash64(text, 0),
            _ => self.bad(target, Reason::WrongKind),
        }
    }

    /// An event time as it is written.
    pub(super) fn time(&mut self, target: &Target, text: &[u8]) {
        let What::Time { unit, ahead_max } = target.what else { return };
        let Some(time) = time::parse(text, unit) else {
            return self.bad(target, Reason::BadTime);
        };
        *self.time = time;
        if self.logged >= 0 && time > self.logged.saturating_add_unsigned(ahead_max) {
            self.refuse(target, Reason::Ahead);
        }
    }

    /// A value that is nothing but text: a cell of CSV, a key, a header. Empty is missing. Spaces
    /// and tabs around numbers, flags and times are no part of them; in texts and identities they
    /// are.
    pub(super) fn cell(&mut self, target: &Target, text: &[u8]) {
        let bare = trim(text);
        match target.what {
            What::Text { .. } | What::Id { .. } if text.is_empty() => self.missing(target),
            What::Text { .. } | What::Id { .. } => self.text(target, text),
            _ if bare.is_empty() => self.missing(target),
            What::Number { .. } => self.number(target, number::parse(bare)),
            What::Flag { place } => match bare {
                b"true" | b"1" => self.flag(place, true),
                b"false" | b"0" => self.flag(place, false),
                _ => self.bad(target, Reason::WrongKind),
            },
            What::Time { .. } => self.time(target, bare),
        }
    }

    fn beside(&mut self, target: &Target, path: &Path, partition: u32, record: &Record<'_>) {
        let found = match path {
            Path::Value(_) => return,
            Path::Key => record.key,
            Path::Header(name) => record.headers.get(name),
            Path::Time => {
                return self.cell(target, itoa::Buffer::new().format(record.time).as_bytes());
            }
            Path::Partition => {
                return self.cell(target, itoa::Buffer::new().format(partition).as_bytes());
            }
        };
        match found {
            None => self.missing(target),
            Some(text) if is_utf8(text) => self.cell(target, text),
            Some(_) => self.bad(target, Reason::NotUtf8),
        }
    }
}

/// Whether bytes are UTF-8; quick where they are ASCII.
pub(super) fn is_utf8(bytes: &[u8]) -> bool {
    bytes.is_ascii() || std::str::from_utf8(bytes).is_ok()
}

/// A text without the spaces and tabs around it.
fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}
