//! Goal: every feature step keeps the promises that the rest of the product builds on.
//! Method: each entry of the table of steps is built on one layout, with the settings of [`CASES`],
//! and led through streams, tame and wild. A new entry needs a row there; nothing else.
//! Golden outputs are rewritten with `UPDATE_EXPECT=1`, and read in review.

#[path = "support/counting_alloc_steps.rs"]
mod counting_alloc;

use std::fmt::Write;

use alluvium_learn::{
    FeatureStep, Label, LabelShape, Layout, Pair, Place, Reader, Row, Scope, SlotKind, StateError,
    Texts, Time, Writer, math, steps::StepConfig,
};
use counting_alloc::{allocations, live_bytes};
use expect_test::expect_file;

const YES_OR_NO: LabelShape = LabelShape::Class { values_max: 2 };
const FOUR: LabelShape = LabelShape::Class { values_max: 4 };

/// Name, settings, label: at least one row for each entry.
const CASES: &[(&str, &str, LabelShape)] = &[
    ("clip", r#"{ "of": ["x", "y"], "min": -1.5, "max": 2.0 }"#, YES_OR_NO),
    ("clip", r#"{ "of": ["x"], "min": 0.0 }"#, YES_OR_NO),
    (
        "clip",
        r#"{ "of": ["x", "y"], "hampel": { "over": "5 records", "deviations": 1.5 } }"#,
        YES_OR_NO,
    ),
    (
        "clip",
        r#"{ "of": ["x"], "max": 3.5, "hampel": { "over": "4 records" }, "by": "colour" }"#,
        YES_OR_NO,
    ),
    ("cross", r#"{ "of": ["who", "colour"], "bits": 4 }"#, YES_OR_NO),
    ("cross", r#"{ "of": ["note", "colour", "who"] }"#, YES_OR_NO),
    ("difference", r#"{ "of": ["x", "y"] }"#, YES_OR_NO),
    ("hash", r#"{ "of": ["colour", "who", "note", "x", "y"], "bits": 4 }"#, YES_OR_NO),
    ("hash", r#"{ "of": ["who", "colour"] }"#, YES_OR_NO),
    ("impute", r#"{ "of": ["gap", "x"] }"#, YES_OR_NO),
    ("impute", r#"{ "of": ["gap", "gap_colour"], "with": "previous" }"#, YES_OR_NO),
    ("impute", r#"{ "of": ["gap"], "with": "zero" }"#, YES_OR_NO),
    ("impute", r#"{ "of": ["gap"], "with": -2.5 }"#, YES_OR_NO),
    ("impute", r#"{ "of": ["gap_colour"], "with": "unknown" }"#, YES_OR_NO),
    ("lag", r#"{ "of": ["x", "colour", "label"] }"#, YES_OR_NO),
    ("lag", r#"{ "of": ["label", "y", "colour"], "back": [3, 1, 12] }"#, FOUR),
    ("lag", r#"{ "of": ["label"], "back": [1, 10000] }"#, LabelShape::Number),
    ("lag", r#"{ "of": ["x", "colour"], "back": [2, 3], "by": "who" }"#, YES_OR_NO),
    ("lag", r#"{ "of": ["y"], "by": "colour", "keys_max": 3 }"#, YES_OR_NO),
    ("log1p", r#"{ "of": ["x", "y"] }"#, YES_OR_NO),
    ("min_max", r#"{ "of": ["x", "y"] }"#, YES_OR_NO),
    ("one_hot", r#"{ "of": ["colour"] }"#, YES_OR_NO),
    ("ratio", r#"{ "of": ["x", "y"] }"#, YES_OR_NO),
    ("standardize", r#"{ "of": ["x", "y"] }"#, YES_OR_NO),
    ("standardize", r#"{ "of": ["x", "y"], "by": "who", "keys_max": 20 }"#, YES_OR_NO),
    ("standardize", r#"{ "of": ["x"], "by": "colour", "forget_after": "9 ms" }"#, YES_OR_NO),
    (
        "window",
        r#"{ "over": "7 records", "make": { "n": "count", "sum": { "sum": "x" },
            "mean": { "mean": "x" }, "variance": { "variance": "x" }, "min": { "min": "y" },
            "max": { "max": "y" } } }"#,
        YES_OR_NO,
    ),
    (
        "window",
        r#"{ "over": "20 ms", "records_max": 50, "make": { "n": "count", "max": { "max": "x" },
            "mean": { "mean": "y" }, "variance": { "variance": "x" } } }"#,
        YES_OR_NO,
    ),
    (
        "window",
        r#"{ "over": "1 h", "records_max": 100, "make": { "n": "count", "max": { "max": "y" } } }"#,
        YES_OR_NO,
    ),
    ("window", r#"{ "over": "1 h", "make": { "n": "count" } }"#, YES_OR_NO),
    ("window", r#"{ "over": "1 records", "make": { "n": "count" } }"#, YES_OR_NO),
    (
        "window",
        r#"{ "by": "who", "over": "300 ms", "panes": 5, "make": { "n": "count",
            "sum": { "sum": "x" }, "mean": { "mean": "y" }, "variance": { "variance": "x" },
            "min": { "min": "x" }, "max": { "max": "y" }, "idle": "time_since",
            "notes": { "distinct": { "of": "note", "bits": 64 } },
            "median": { "quantile": { "of": "x", "newest": 7 } } } }"#,
        YES_OR_NO,
    ),
    (
        "window",
        r#"{ "by": "who", "over": "9 records", "keys_max": 10, "forget_after": "90 ms",
            "make": { "n": "count", "sum": { "sum": "x" } } }"#,
        YES_OR_NO,
    ),
    (
        "window",
        r#"{ "by": "colour", "over": { "tumbling": "100 ms" }, "make": { "n": "count",
            "variance": { "variance": "y" } } }"#,
        YES_OR_NO,
    ),
    (
        "window",
        r#"{ "by": "colour", "over": { "session": "20 ms" }, "make": { "n": "count",
            "whos": { "distinct": { "of": "who" } }, "idle": "time_since" } }"#,
        YES_OR_NO,
    ),
    (
        "window",
        r#"{ "by": "who", "over": { "decay": "1 s" }, "make": { "n": "count",
            "mean": { "mean": "x" }, "variance": { "variance": "x" }, "sum": { "sum": "y" } } }"#,
        YES_OR_NO,
    ),
    (
        "window",
        r#"{ "over": { "decay": "5 records" }, "make": { "n": "count", "mean": { "mean": "x" },
            "variance": { "variance": "y" } } }"#,
        YES_OR_NO,
    ),
    (
        "window",
        r#"{ "over": "50 records", "panes": 7, "make": { "n": "count",
            "high": { "quantile": { "of": "x", "at": 0.9 } },
            "colours": { "distinct": { "of": "colour" } } } }"#,
        YES_OR_NO,
    ),
];

/// Name, settings, and the setting that is named when they are refused.
const REFUSED: &[(&str, &str, &str)] = &[
    ("clip", r#"{ "of": ["x"] }"#, "min"),
    ("clip", r#"{ "of": ["x"], "min": 2.0, "max": 1.0 }"#, "max"),
    ("clip", r#"{ "of": ["colour"], "min": 2.0 }"#, "of"),
    ("clip", r#"{ "of": ["x"], "hampel": { "over": "2 records" } }"#, "hampel.over"),
    ("clip", r#"{ "of": ["x"], "hampel": { "over": "5 min" } }"#, "hampel.over"),
    ("clip", r#"{ "of": ["x"], "hampel": { "deviations": 0.0 } }"#, "hampel.deviations"),
    ("clip", r#"{ "of": ["x"], "min": 0.0, "by": "who" }"#, "by"),
    ("cross", r#"{ "of": ["who"] }"#, "of"),
    ("cross", r#"{ "of": ["who", "x"] }"#, "of"),
    ("cross", r#"{ "of": ["who", "colour"], "bits": 3 }"#, "bits"),
    ("difference", r#"{ "of": ["x"] }"#, "of"),
    ("difference", r#"{ "of": ["x", "y", "x"] }"#, "of"),
    ("difference", r#"{ "of": ["x", "colour"] }"#, "of"),
    ("hash", r#"{ "of": ["who"], "bits": 3 }"#, "bits"),
    ("hash", r#"{ "of": ["who"], "bits": 29 }"#, "bits"),
    ("hash", r#"{ "of": ["label"] }"#, "of"),
    ("impute", r#"{ "of": ["gap_colour"] }"#, "with"),
    ("impute", r#"{ "of": ["gap"], "with": "unknown" }"#, "with"),
    ("impute", r#"{ "of": ["who"] }"#, "of"),
    ("lag", r#"{ "of": ["x"], "back": [0] }"#, "back"),
    ("lag", r#"{ "of": ["x"], "back": [10001] }"#, "back"),
    ("lag", r#"{ "of": ["x"], "back": [] }"#, "back"),
    ("lag", r#"{ "of": ["x"], "back": [2, 2] }"#, "back"),
    ("lag", r#"{ "of": ["note"] }"#, "of"),
    ("lag", r#"{ "of": ["label"], "by": "who" }"#, "of"),
    ("lag", r#"{ "of": ["x"], "by": "y" }"#, "by"),
    ("log1p", r#"{ "of": ["note"] }"#, "of"),
    ("min_max", r#"{ "of": ["colour"] }"#, "of"),
    ("one_hot", r#"{ "of": ["x"] }"#, "of"),
    ("ratio", r#"{ "of": ["x"] }"#, "of"),
    ("standardize", r#"{ "of": ["label"] }"#, "of"),
    ("standardize", r#"{ "of": ["x"], "by": "note" }"#, "by"),
    ("standardize", r#"{ "of": ["x"], "by": "who", "keys_max": 0 }"#, "keys_max"),
    ("window", r#"{ "over": "10000001 records", "make": { "n": "count" } }"#, "over"),
    ("window", r#"{ "records_max": 0, "make": { "n": "count" } }"#, "records_max"),
    ("window", r#"{ "records_max": 10000001, "make": { "n": "count" } }"#, "records_max"),
    ("window", r#"{ "make": { "a.b": "count" } }"#, "make"),
    ("window", r#"{ "make": { "n": { "sum": "colour" } } }"#, "make.n.sum"),
    ("window", r#"{ "make": { "n": { "max": "nothing" } } }"#, "make.n.max"),
    ("window", r#"{ "by": "x", "make": { "n": "count" } }"#, "by"),
    ("window", r#"{ "by": "nothing", "make": { "n": "count" } }"#, "by"),
    ("window", r#"{ "by": "who", "keys_max": 0, "make": { "n": "count" } }"#, "keys_max"),
    ("window", r#"{ "by": "who", "panes": 0, "make": { "n": "count" } }"#, "panes"),
    (
        "window",
        r#"{ "by": "who", "forget_after": "0 s", "make": { "n": "count" } }"#,
        "forget_after",
    ),
    (
        "window",
        r#"{ "make": { "n": { "distinct": { "of": "who", "bits": 100 } } } }"#,
        "make.n.distinct.bits",
    ),
    ("window", r#"{ "make": { "n": { "quantile": { "of": "who" } } } }"#, "make.n.quantile.of"),
    (
        "window",
        r#"{ "make": { "n": { "quantile": { "of": "x", "at": 1.5 } } } }"#,
        "make.n.quantile.at",
    ),
    ("window", r#"{ "over": { "decay": "1 h" }, "make": { "n": { "max": "x" } } }"#, "make.n"),
];

/// The fields every step is built on.
fn fields() -> Layout {
    let mut layout = Layout::default();
    for name in ["x", "y", "gap"] {
        layout.add_dense(name, name.into(), SlotKind::Number);
    }
    for name in ["colour", "gap_colour"] {
        layout.add_dense(name, name.into(), SlotKind::Nominal { values: COLOURS });
    }
    layout.add_id("who");
    layout.add_text("note");
    layout
}

const COLOURS: u32 = 5;
const FIELDS: usize = 5;

fn parse(name: &str, settings: &str) -> StepConfig {
    let text = format!(r#"{{ "{name}": {settings} }}"#);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A step, with a slot and a block behind its own that are not its.
struct Built {
    title: String,
    label: LabelShape,
    step: Box<dyn FeatureStep>,
    layout: Layout,
    own_dense: std::ops::Range<usize>,
    own_blocks: usize,
}

fn build(name: &str, settings: &str, label: LabelShape) -> Built {
    let mut layout = fields();
    let step = parse(name, settings)
        .build(&mut Scope::new(&mut layout, "made", label))
        .unwrap_or_else(|error| panic!("{name} with {settings}: {error}"));
    let (own_dense, own_blocks) = (FIELDS..layout.dense, layout.blocks);
    layout.add_dense("behind", "behind".into(), SlotKind::Number);
    layout.add_block("behind", "behind".into(), 16);
    let title = format!("{name} with {settings}");
    Built { title, label, step, layout, own_dense, own_blocks }
}

fn each_case(check: impl Fn(Built)) {
    for (name, settings, label) in CASES {
        check(build(name, settings, *label));
    }
}

/// One record, and the answer that arrives after it.
struct Record {
    values: Vec<f64>,
    ids: [u64; 1],
    text: Vec<u8>,
    time: Time,
    answer: u32,
}

/// Numbers that a record may legally have, and that break careless arithmetic.
const WILD: [f64; 10] =
    [f64::MAX, -f64::MAX, 1e308, -1e308, 5e-324, -5e-324, 0.0, -0.0, 1e-300, 1e150];

fn record(seed: u64, index: u64, wild: bool) -> Record {
    let draw = |what: u64, below: u64| math::random_bits(seed, index * 16 + what) % below;
    let number = |what: u64| match wild && draw(what + 8, 2) == 0 {
        true => WILD[draw(what, WILD.len() as u64) as usize],
        false => draw(what, 33) as f64 / 4.0 - 4.0,
    };
    let code = |what: u64| draw(what, u64::from(COLOURS)) as f64;
    let or_gap = |what: u64, value: f64| if draw(what, 3) == 0 { f64::NAN } else { value };
    let values = vec![number(0), number(1), or_gap(2, number(2)), code(3), or_gap(4, code(4))];
    let time = match wild && draw(5, 20) == 0 {
        true => [i64::MIN, 0, -5, 1 << 40][draw(6, 4) as usize],
        false => index as i64 * 3 - draw(5, 9) as i64,
    };
    let text = format!("note {}", draw(6, 4)).into_bytes();
    Record { values, ids: [draw(7, 50)], text, time, answer: draw(15, 4) as u32 }
}

fn stream(seed: u64, count: u64, wild: bool) -> Vec<Record> {
    (0..count).map(|index| record(seed, index, wild)).collect()
}

/// Room for one row.
struct Room {
    values: Vec<f64>,
    blocks: Vec<Vec<Pair>>,
}

const NOT_ITS: Pair = Pair { slot: 3, field: 0, value: 0.5 };

impl Room {
    fn new(built: &Built) -> Room {
        let mut blocks = vec![Vec::new(); built.layout.blocks];
        blocks[built.own_blocks].push(NOT_ITS);
        Room { values: vec![f64::NAN; built.layout.dense], blocks }
    }

    /// The row of a record. What the step has to write is NaN, so that a slot left out shows.
    fn row<'a>(&'a mut self, record: &'a Record, span: &'a [(u32, u32)]) -> Row<'a> {
        self.values.fill(f64::NAN);
        self.values[..FIELDS].copy_from_slice(&record.values);
        Row {
            values: &mut self.values,
            blocks: &mut self.blocks,
            ids: &record.ids,
            texts: Texts { spans: span, bytes: &record.text },
            time: record.time,
        }
    }
}

fn answer(label: LabelShape, record: &Record) -> Label<'static> {
    match label {
        LabelShape::None => Label::None,
        LabelShape::Class { values_max } => Label::Class(record.answer % values_max),
        LabelShape::Number => Label::Number(record.values[0]),
    }
}

/// Leads a record through a step.
fn feed(built: &mut Built, room: &mut Room, record: &Record) {
    let span = [(0, record.text.len() as u32)];
    let mut row = room.row(record, &span);
    built.step.apply(&mut row);
    built.step.observe(&row);
    built.step.observe_label(answer(built.label, record));
}

fn save(step: &dyn FeatureStep) -> Vec<u8> {
    let mut to = Writer::new();
    step.save(&mut to);
    to.into_bytes()
}

fn restore(step: &mut dyn FeatureStep, bytes: &[u8]) -> Result<(), StateError> {
    let mut from = Reader::new(bytes);
    step.restore(&mut from)?;
    from.end()
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Everything a learner relies on in what a step made.
fn check_made(built: &Built, room: &Room) {
    let title = &built.title;
    for column in &built.layout.columns()[FIELDS..] {
        match column.place {
            Place::Dense { slot, kind } if built.own_dense.contains(&slot) => {
                let value = room.values[slot];
                let is_right = match kind {
                    SlotKind::Number => value.is_finite(),
                    SlotKind::Nominal { values } => {
                        value.trunc() == value && (0.0..f64::from(values)).contains(&value)
                    }
                };
                assert!(is_right, "{title}: {} is {value}", column.name);
            }
            Place::Sparse { block, size } if block < built.own_blocks => {
                let pairs = &room.blocks[block];
                assert!(pairs.is_sorted_by(|a, b| a.slot < b.slot), "{title}: {pairs:?}");
                for pair in pairs {
                    assert!(pair.slot < size && pair.value.is_finite(), "{title}: {pair:?}");
                }
            }
            _ => {}
        }
    }
}

#[test]
fn every_entry_has_a_case() {
    for name in StepConfig::NAMES {
        let has_case = CASES.iter().any(|(case, _, _)| case == name);
        assert!(has_case, "{name} is new: give it a row in CASES of {}", file!());
        let is_refused = REFUSED.iter().any(|(case, _, _)| case == name);
        assert!(is_refused, "{name} is new: give it a row in REFUSED of {}", file!());
    }
}

#[test]
fn apply_changes_its_own_slots_and_nothing_else() {
    each_case(|mut built| {
        let mut room = Room::new(&built);
        for record in stream(1, 60, true) {
            feed(&mut built, &mut room, &record);
            let before = save(&*built.step);
            let span = [(0, record.text.len() as u32)];
            let mut row = room.row(&record, &span);
            row.time = row.time.saturating_add(1000);
            built.step.apply(&mut row);
            assert_eq!(before, save(&*built.step), "{}: apply changed the state", built.title);
            assert_eq!(bits(&room.values[..FIELDS]), bits(&record.values), "{}", built.title);
            assert!(room.values[built.own_dense.end].is_nan(), "{}", built.title);
            assert_eq!(room.blocks[built.own_blocks], [NOT_ITS], "{}", built.title);
        }
    });
}

#[test]
fn every_number_that_comes_out_is_finite_and_every_code_in_range() {
    each_case(|mut built| {
        let mut room = Room::new(&built);
        for record in stream(2, 400, true) {
            feed(&mut built, &mut room, &record);
            check_made(&built, &room);
        }
    });
}

#[test]
fn a_restored_step_goes_on_as_if_nothing_had_been() {
    for (name, settings, shape) in CASES {
        for (wild, pause) in [(false, 0), (false, 1), (false, 33), (true, 90), (true, 131)] {
            let mut unbroken = build(name, settings, *shape);
            let mut room = Room::new(&unbroken);
            let records = stream(3, 200, wild);
            let (before, after) = records.split_at(pause);
            before.iter().for_each(|record| feed(&mut unbroken, &mut room, record));

            let bytes = save(&*unbroken.step);
            let mut broken = build(name, settings, *shape);
            restore(&mut *broken.step, &bytes).unwrap();
            assert_eq!(bytes, save(&*broken.step), "{}", broken.title);

            let mut forked = build(name, settings, *shape);
            forked.step = unbroken.step.fork();
            let mut all = [unbroken, broken, forked];
            let mut rooms = all.each_ref().map(Room::new);
            for record in after {
                all.iter_mut().zip(&mut rooms).for_each(|(built, room)| feed(built, room, record));
                let [unbroken, others @ ..] = &rooms;
                for other in others {
                    assert_eq!(bits(&unbroken.values), bits(&other.values), "{}", all[0].title);
                    assert_eq!(unbroken.blocks, other.blocks, "{}", all[0].title);
                }
            }
            let [unbroken, broken, forked] = all.each_ref().map(|built| save(&*built.step));
            assert!(unbroken == broken && unbroken == forked, "{}", all[0].title);
        }
    }
}

#[test]
fn bytes_that_are_no_state_never_panic() {
    for (name, settings, shape) in CASES {
        let mut built = build(name, settings, *shape);
        let mut room = Room::new(&built);
        let records = stream(4, 40, false);
        records.iter().for_each(|record| feed(&mut built, &mut room, record));
        let good = save(&*built.step);
        for seed in 0..200u64 {
            let draw =
                |counter: u64, below: usize| math::random_bits(seed, counter) as usize % below;
            let mut bytes = good.clone();
            match seed % 4 {
                0 => bytes = (0..draw(0, 200)).map(|i| draw(i as u64 + 1, 256) as u8).collect(),
                1 => bytes.truncate(draw(0, good.len())),
                2 => {
                    // Just behind the format: lengths, counts and flags.
                    let at = (2 + draw(0, 40)).min(good.len() - 1);
                    bytes[at] = draw(1, 256) as u8;
                }
                _ => (0..4).for_each(|i| bytes[draw(i, good.len())] = draw(i + 4, 256) as u8),
            }
            let mut other = build(name, settings, *shape);
            if restore(&mut *other.step, &bytes).is_err() {
                continue;
            }
            assert_eq!(save(&*other.step), bytes, "{}: reads what it does not write", other.title);
            for record in stream(seed, 20, true) {
                feed(&mut other, &mut room, &record);
                check_made(&other, &room);
            }
        }
    }
}

#[test]
fn the_footprint_is_what_the_allocator_saw() {
    for (name, settings, shape) in CASES {
        for count in [0, 1, 5, 300] {
            let mut built = build(name, settings, *shape);
            let mut room = Room::new(&built);
            stream(5, count, false).iter().for_each(|record| feed(&mut built, &mut room, record));
            let Built { title, step, .. } = built;
            let stated = step.footprint_bytes();
            let before = live_bytes();
            drop(step);
            let seen = before - live_bytes();
            let apart = stated.abs_diff(seen);
            assert!(apart * 10 <= seen, "{title}: {stated} bytes stated, {seen} seen");
        }
    }
}

#[test]
fn nothing_is_allocated_for_a_record_in_the_steady_state() {
    each_case(|mut built| {
        let mut room = Room::new(&built);
        // 2,048 is where room that doubles has just grown.
        let records = stream(6, 2300, false);
        let (before, after) = records.split_at(2100);
        before.iter().for_each(|record| feed(&mut built, &mut room, record));
        let count = allocations();
        after.iter().for_each(|record| feed(&mut built, &mut room, record));
        assert_eq!(allocations(), count, "{}", built.title);
    });
}

#[test]
fn what_comes_out_is_what_always_came_out() {
    for name in StepConfig::NAMES {
        let mut text = String::new();
        for (_, settings, shape) in CASES.iter().filter(|(case, _, _)| case == name) {
            let mut built = build(name, settings, *shape);
            let mut room = Room::new(&built);
            writeln!(text, "{}", built.title).unwrap();
            for column in &built.layout.columns()[fields().columns().len()..] {
                if column.group == "made" {
                    writeln!(text, "makes {} {:?}", column.name, column.place).unwrap();
                }
            }
            for record in stream(7, 24, false) {
                feed(&mut built, &mut room, &record);
                write!(text, "x {:?} y {:?}:", record.values[0], record.values[1]).unwrap();
                for value in &room.values[built.own_dense.clone()] {
                    write!(text, " {value:?}").unwrap();
                }
                for Pair { slot, field, value } in room.blocks[..built.own_blocks].iter().flatten()
                {
                    write!(text, " {slot}({field})={value:?}").unwrap();
                }
                text.push('\n');
            }
            let bytes = save(&*built.step);
            writeln!(text, "state {} bytes {:016x}\n", bytes.len(), math::hash64(&bytes, 0))
                .unwrap();
        }
        expect_file![format!("golden/steps/{name}.txt")].assert_eq(&text);
    }
}

#[test]
fn a_setting_that_cannot_be_is_refused_by_name() {
    for (name, settings, field) in REFUSED {
        let mut layout = fields();
        let mut scope = Scope::new(&mut layout, "made", YES_OR_NO);
        match parse(name, settings).build(&mut scope) {
            Ok(_) => panic!("{name} takes {settings}"),
            Err(error) => assert_eq!(error.field, *field, "{name} with {settings}: {error}"),
        }
    }
}

#[test]
fn a_name_that_stands_for_nothing_is_refused_by_name() {
    for (name, settings, _) in CASES {
        let mut value: serde_json::Value = serde_json::from_str(settings).unwrap();
        if let Some(of) = value.get_mut("of") {
            of[0] = "nothing".into();
            let mut layout = fields();
            let mut scope = Scope::new(&mut layout, "made", YES_OR_NO);
            let error = parse(name, &value.to_string()).build(&mut scope).err().unwrap();
            assert_eq!((error.field.as_str(), error.value.as_str()), ("of", "nothing"), "{name}");
        }
        let mut unknown: serde_json::Value = serde_json::from_str(settings).unwrap();
        unknown["no_such_setting"] = 1.into();
        let text = format!(r#"{{ "{name}": {unknown} }}"#);
        let error = serde_json::from_str::<StepConfig>(&text).unwrap_err().to_string();
        assert!(error.contains("no_such_setting"), "{name}: {error}");
    }
}

#[test]
fn settings_read_back_as_they_were_written() {
    for (name, settings, _) in CASES {
        let config = parse(name, settings);
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<StepConfig>(&text).unwrap(), config, "{text}");
        assert!(StepConfig::by_name(name).is_some_and(|config| config.name() == *name));
        assert!(!config.reads().is_empty() || text.contains(r#""n":"count""#), "{text}");
    }
}
