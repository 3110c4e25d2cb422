//! Values of earlier records: of fields, of features, and of the label.
//!
//! - Makes: `step.field` for each column read, the value `back` records ago; with more than one
//!   `back`, `step.field_1`, `step.field_24`, ... A category stays a category. The label counts by
//!   answers that have *arrived*: `back` 1 is the newest one known when the record is scored, not
//!   the answer of the record before. A label of two classes becomes the number 0 or 1, one of more
//!   classes a category, a number a number.
//! - Before there is a value: 0; for a category the code that stands for "not seen before".
//! - `by` a key: its own earlier records, which are not those of other keys; a key that was not
//!   seen before, or is forgotten, begins anew. Keys are bounded by `keys_max` and forgotten in the
//!   order of event time, of several seen last at one time the least key first. Time is the
//!   greatest event time so far, of any key. The label has no key: it is no field of the record it
//!   belongs to.
//! - Cost: constant time for each column and `back`; memory 8 bytes a column times the greatest
//!   `back`, taken at the start; with `by` so much and 24 bytes for each key, times 1.3 to 2.7, and
//!   16 to 32.
//! - Not for: means over a time (see `window`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    by_key::ByKey,
    shared::{fits, nothing, read_len, read_number},
};
use crate::{
    Ahead, Column, ConfigError, FeatureStep, Label, LabelShape, Place, Reader, Row, Scope,
    SlotKind, Span, State, StateError, StepComponent, Writer, check_count,
};

/// Settings of [`Lag`]. A bare list is `of`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "of"))]
pub struct Config {
    /// What to look back at: numbers and categories as fields, steps or `step.field`; or `label`,
    /// the newest answer that has arrived. At least one. Default: none, so it has to be given.
    pub of: Vec<String>,
    /// How far back, in records; for the label, in answers. Range: at least one, each from 1 to
    /// 10,000, none twice. Default: `[1]`. Each makes one feature a column; raise one to look
    /// further back, for 8 bytes a column and record.
    pub back: Vec<u32>,
    /// The name of an id or a category: a past for each of its values. Default: left out, for one
    /// over all records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The most keys; beyond it the one unseen for longest goes. Range: 1 to 100,000,000. Default:
    /// 1,000,000. Raise it for more keys, at the memory that each of them takes.
    pub keys_max: u64,
    /// After how much event time an unseen key is forgotten. Range: 1 ms and more. Default: left
    /// out: never. Without effect without `by`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forget_after: Option<Span>,
}

impl Default for Config {
    fn default() -> Config {
        Config { of: Vec::new(), back: vec![1], by: None, keys_max: 1_000_000, forget_after: None }
    }
}

/// The step.
#[derive(Clone, Debug)]
pub struct Lag {
    back: Box<[u32]>,
    rings: Box<[Ring]>,
    /// The past of each key, where there is one: how many records it had, then the newest values
    /// of each ring's column, one column after the other. The rings hold nothing then.
    keyed: Option<ByKey>,
}

/// The past of one column. Invariant: `values` has as many entries as the greatest `back`, all of
/// them finite and, for a category, codes; `next` is the index of the oldest.
#[derive(Clone, Debug)]
struct Ring {
    from: From,
    kind: SlotKind,
    /// The first of its slots: as many as there are `back`, side by side.
    to: usize,
    values: Box<[f64]>,
    next: usize,
}

/// Where a column is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Slot(usize),
    Label,
}

/// What a column holds once it is a feature, and where it is read.
fn source(column: &Column) -> Result<(From, SlotKind), ConfigError> {
    match column.place {
        Place::Dense { slot, kind } => Ok((From::Slot(slot), kind)),
        Place::Label(LabelShape::Class { values_max: values_max @ 3.. }) => {
            let values = values_max.saturating_add(1);
            Ok((From::Label, SlotKind::Nominal { values }))
        }
        Place::Label(_) => Ok((From::Label, SlotKind::Number)),
        Place::Sparse { .. } | Place::Id(_) | Place::Text(_) => {
            let must_be = "the name of a number or a category, or `label`";
            Err(ConfigError::new("of", &column.name, must_be))
        }
    }
}

impl Ring {
    fn new(from: From, kind: SlotKind, to: usize, room: usize) -> Ring {
        Ring { from, kind, to, values: vec![nothing(kind); room].into(), next: 0 }
    }

    /// The value so many records ago: 1 is the newest.
    fn back(&self, records: u32) -> f64 {
        let room = self.values.len();
        self.values[(self.next + room - records as usize) % room]
    }

    fn push(&mut self, value: f64) {
        self.values[self.next] = value;
        self.next = (self.next + 1) % self.values.len();
    }
}

impl StepComponent for Lag {
    const NAME: &'static str = "lag";
    type Config = Config;

    fn reads(config: &Config) -> Vec<String> {
        config.of.iter().chain(&config.by).cloned().collect()
    }

    fn new(config: Config, scope: &mut Scope<'_>) -> Result<Lag, ConfigError> {
        let Config { of, back, by, keys_max, forget_after } = config;
        for (index, records) in back.iter().enumerate() {
            check_count("back", u64::from(*records), 1, 10_000)?;
            if back[..index].contains(records) {
                return Err(ConfigError::new("back", format!("{back:?}"), "a list of none twice"));
            }
        }
        let Some(room) = back.iter().max() else {
            return Err(ConfigError::new("back", "[]", "a list of at least one number of records"));
        };
        let mut rings = Vec::new();
        let room = *room as usize;
        for column in scope.columns("of", &of)? {
            let (from, kind) = source(&column)?;
            if by.is_some() && from == From::Label {
                let must_be = "a number or a category: a label has no key";
                return Err(ConfigError::new("of", "label", must_be));
            }
            let mut slots = back.iter().map(|records| match back.len() {
                1 => scope.feature(column.field(), kind),
                _ => scope.feature(&format!("{}_{records}", column.field()), kind),
            });
            let to = slots.next().unwrap_or(0);
            slots.for_each(drop);
            rings.push(Ring::new(from, kind, to, if by.is_some() { 0 } else { room }));
        }
        let words = 1 + rings.len() * room;
        let keyed = ByKey::new(scope, by.as_ref(), keys_max, forget_after, words)?;
        Ok(Lag { back: back.into(), rings: rings.into(), keyed: by.map(|_| keyed) })
    }
}

/// The value of a column so many records ago, of a key that had so many; `values` are its newest.
fn back_of(values: &[u64], kind: SlotKind, had: u64, records: u32) -> f64 {
    match had.checked_sub(u64::from(records)) {
        Some(number) => f64::from_bits(values[(number % values.len() as u64) as usize]),
        None => nothing(kind),
    }
}

/// Format 1: the past of each column, oldest first. Format 2: for each key how many records it had,
/// and the past of each column.
const FORMAT: u16 = 1;
const FORMAT_BY_KEY: u16 = 2;

impl State for Lag {
    fn save(&self, to: &mut Writer) {
        if let Some(keyed) = &self.keyed {
            to.u16(FORMAT_BY_KEY);
            return keyed.save(to);
        }
        to.u16(FORMAT);
        to.len(self.rings.len());
        for ring in &self.rings {
            to.len(ring.values.len());
            let (newer, older) = ring.values.split_at(ring.next);
            for value in older.iter().chain(newer) {
                to.f64(*value);
            }
        }
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        let is_by_key = from.format("lag", FORMAT_BY_KEY)? == FORMAT_BY_KEY;
        if is_by_key != self.keyed.is_some() {
            return Err(StateError::Unfit { what: "lag goes by another key" });
        }
        if let Some(keyed) = &mut self.keyed {
            let rings = &self.rings;
            return keyed.restore(from, |words| {
                let room = (words.len() - 1) / rings.len();
                let columns = rings.iter().zip(words[1..].chunks_exact(room));
                let had = words[0];
                // What it had not yet is 0, whatever the column.
                let is_right = |kind, (place, word): (u64, &u64)| match place < had {
                    true => fits(kind, f64::from_bits(*word)),
                    false => *word == 0,
                };
                had > 0
                    && columns
                        .flat_map(|(ring, values)| {
                            (0..).zip(values).map(|value| (ring.kind, value))
                        })
                        .all(|(kind, value)| is_right(kind, value))
            });
        }
        read_len(from, self.rings.len(), "lag has another number of inputs")?;
        for ring in &mut self.rings {
            read_len(from, ring.values.len(), "lag looks back further or less far")?;
            for index in 0..ring.values.len() {
                let what = "lag holds a value its column cannot have";
                ring.values[index] = read_number(from, what, |value| fits(ring.kind, value))?;
            }
            ring.next = 0;
        }
        Ok(())
    }

    fn footprint_bytes(&self) -> usize {
        let pasts: usize = self.rings.iter().map(|ring| size_of_val(&*ring.values)).sum();
        let keyed = self.keyed.as_ref().map_or(0, ByKey::heap_bytes);
        size_of::<Lag>() + size_of_val(&*self.back) + size_of_val(&*self.rings) + pasts + keyed
    }
}

impl FeatureStep for Lag {
    fn apply(&self, row: &mut Row<'_>) {
        if let Some(keyed) = &self.keyed {
            let (had, values) =
                keyed.get(row).map_or((0, &[][..]), |words| (words[0], &words[1..]));
            let room = values.len() / self.rings.len();
            for (index, ring) in self.rings.iter().enumerate() {
                let values = &values[index * room..(index + 1) * room];
                for (slot, records) in (ring.to..).zip(&self.back) {
                    row.values[slot] = back_of(values, ring.kind, had, *records);
                }
            }
            return;
        }
        for ring in &self.rings {
            for (slot, records) in (ring.to..).zip(&self.back) {
                row.values[slot] = ring.back(*records);
            }
        }
    }

    fn observe(&mut self, row: &Row<'_>) {
        if let Some(keyed) = &mut self.keyed {
            let words = keyed.see(row);
            let room = (words.len() - 1) / self.rings.len();
            let place = (words[0] % room as u64) as usize;
            words[0] = words[0].saturating_add(1);
            for (index, ring) in self.rings.iter().enumerate() {
                if let From::Slot(slot) = ring.from {
                    words[1 + index * room + place] = row.values[slot].to_bits();
                }
            }
            return;
        }
        for ring in &mut self.rings {
            if let From::Slot(slot) = ring.from {
                ring.push(row.values[slot]);
            }
        }
    }

    fn observe_label(&mut self, label: Label<'_>) {
        let value = match label {
            Label::Class(class) => f64::from(class),
            Label::Number(value) if value.is_finite() => value,
            _ => return,
        };
        for ring in self.rings.iter_mut().filter(|ring| ring.from == From::Label) {
            ring.push(match ring.kind {
                SlotKind::Number => value,
                // A class beyond the bound is one not seen before.
                SlotKind::Nominal { .. } => value.min(nothing(ring.kind)),
            });
        }
    }

    fn look_ahead(&self, next: Ahead<'_>) {
        if let Some(keyed) = &self.keyed {
            keyed.look_ahead(next);
        }
    }

    fn fork(&self) -> Box<dyn FeatureStep> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::shared::tests::*;
    use super::*;
    use crate::Layout;

    fn config(names: &[&str], back: &[u32]) -> Config {
        Config { of: of(names), back: back.to_vec(), ..Config::default() }
    }

    #[test]
    fn features_are_named_by_how_far_back_they_lie() {
        assert_eq!(made::<Lag>(config(&["x"], &[1]), &["x"]), ["step.x"]);
        let names = ["step.x_1", "step.x_24", "step.y_1", "step.y_24"];
        assert_eq!(made::<Lag>(config(&["x", "y"], &[1, 24]), &["x", "y"]), names);
    }

    #[test]
    fn a_record_sees_the_ones_before_it() {
        let mut step: Lag = build(config(&["x"], &[1, 3]), &mut numbers(&["x"])).unwrap();
        let seen: Vec<Vec<f64>> =
            (1..=5).map(|value| next(&mut step, &[f64::from(value)], 2, 0)).collect();
        assert_eq!(seen, [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 1.0], [4.0, 2.0]]);
    }

    #[test]
    fn a_category_starts_with_the_code_of_the_unseen() {
        let mut layout = Layout::default();
        layout.add_dense("colour", "colour".into(), SlotKind::Nominal { values: 4 });
        let mut step: Lag = build(config(&["colour"], &[1]), &mut layout).unwrap();
        let Place::Dense { kind, .. } = layout.columns()[1].place else { unreachable!() };
        assert_eq!(kind, SlotKind::Nominal { values: 4 });
        assert_eq!(next(&mut step, &[1.0], 1, 0), [3.0]);
        assert_eq!(next(&mut step, &[2.0], 1, 0), [1.0]);
    }

    fn of_label(label: LabelShape) -> (Lag, SlotKind) {
        let mut layout = Layout::default();
        let mut scope = Scope::new(&mut layout, "before", label);
        let step = Lag::new(config(&["label"], &[1]), &mut scope).unwrap();
        assert_eq!(layout.columns()[0].name, "before.label");
        let Place::Dense { kind, .. } = layout.columns()[0].place else { unreachable!() };
        (step, kind)
    }

    #[test]
    fn the_newest_label_is_the_one_that_arrived_last() {
        let (mut two, kind) = of_label(LabelShape::Class { values_max: 2 });
        assert_eq!(kind, SlotKind::Number);
        assert_eq!(next(&mut two, &[], 1, 0), [0.0]);
        two.observe_label(Label::Class(1));
        assert_eq!(next(&mut two, &[], 1, 0), [1.0]);
        two.observe_label(Label::None);
        assert_eq!(next(&mut two, &[], 1, 0), [1.0]);

        let (mut five, kind) = of_label(LabelShape::Class { values_max: 5 });
        assert_eq!(kind, SlotKind::Nominal { values: 6 });
        assert_eq!(next(&mut five, &[], 1, 0), [5.0]);
        five.observe_label(Label::Class(3));
        assert_eq!(next(&mut five, &[], 1, 0), [3.0]);
        five.observe_label(Label::Class(u32::MAX));
        assert_eq!(next(&mut five, &[], 1, 0), [5.0]);

        let (mut number, kind) = of_label(LabelShape::Number);
        assert_eq!(kind, SlotKind::Number);
        number.observe_label(Label::Number(2.5));
        assert_eq!(next(&mut number, &[], 1, 0), [2.5]);
    }

    #[test]
    fn a_way_back_that_cannot_be_is_refused() {
        for back in [&[][..], &[0], &[10_001], &[2, 2]] {
            let error = build::<Lag>(config(&["x"], back), &mut numbers(&["x"])).unwrap_err();
            assert_eq!(error.field, "back");
        }
    }

    #[test]
    fn each_key_has_a_past_of_its_own() {
        let mut layout = Layout::default();
        layout.add_dense("x", "x".into(), SlotKind::Number);
        layout.add_dense("kind", "kind".into(), SlotKind::Nominal { values: 4 });
        let keyed = Config { by: Some("kind".into()), ..config(&["x", "kind"], &[2]) };
        let mut step: Lag = build(keyed, &mut layout).unwrap();
        let mut seen = |x: f64, kind: f64| next(&mut step, &[x, kind], 2, 0);
        assert_eq!(seen(1.0, 0.0), [0.0, 3.0]);
        assert_eq!(seen(10.0, 2.0), [0.0, 3.0]);
        assert_eq!(seen(2.0, 0.0), [0.0, 3.0]);
        assert_eq!(seen(3.0, 0.0), [1.0, 0.0]);
        assert_eq!(seen(20.0, 2.0), [0.0, 3.0]);
        assert_eq!(seen(30.0, 2.0), [10.0, 2.0]);
        assert_eq!(seen(4.0, 0.0), [2.0, 0.0]);
    }

    #[test]
    fn a_label_has_no_key() {
        let mut layout = Layout::default();
        layout.add_id("card");
        let mut scope = Scope::new(&mut layout, "before", LabelShape::Number);
        let keyed = Config { by: Some("card".into()), ..config(&["label"], &[1]) };
        assert_eq!(Lag::new(keyed, &mut scope).unwrap_err().field, "of");
    }
}
