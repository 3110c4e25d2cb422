//! Reference streams for learners: each example is a function of its index.

use alluvium_learn::{
    Features, Label, LabelShape, Pair, Shape, Slot, SlotKind, math::random_bits, math::random_unit,
};

/// What kind of features a stream has. The order is that of preference for the golden curves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Layout {
    /// Four numbers.
    Numbers,
    /// Two numbers and two nominal slots.
    Mixed,
    /// Two numbers and hashed features of two steps.
    Hashed,
    /// Two identities, nothing else.
    Ids,
    /// Some of everything.
    All,
    /// No features at all.
    Bare,
}

pub(crate) const LAYOUTS: [Layout; 6] =
    [Layout::Numbers, Layout::Mixed, Layout::Hashed, Layout::Ids, Layout::All, Layout::Bare];

pub(crate) const LABELS: [(&str, LabelShape); 4] = [
    ("two_classes", LabelShape::Class { values_max: 2 }),
    ("five_classes", LabelShape::Class { values_max: 5 }),
    ("number", LabelShape::Number),
    ("no_label", LabelShape::None),
];

/// Codes of the two nominal slots; the last code of each stands for a value not seen before.
const NOMINAL: [u32; 2] = [4, 6];
/// Hashed slots of each of two steps.
const STEP_SLOTS: u32 = 32;
const USERS: u64 = 20;

impl Layout {
    pub(crate) fn shape(self, label: LabelShape) -> Shape {
        let (numbers, nominal, hashed, ids) = match self {
            Layout::Numbers => (4, false, false, false),
            Layout::Mixed => (2, true, false, false),
            Layout::Hashed => (2, false, true, false),
            Layout::Ids => (0, false, false, true),
            Layout::All => (2, true, true, true),
            Layout::Bare => (0, false, false, false),
        };
        let mut shape = Shape::numbers(numbers, label);
        if nominal {
            shape.dense.extend(NOMINAL.iter().enumerate().map(|(index, values)| Slot {
                name: format!("n{index}"),
                kind: SlotKind::Nominal { values: *values },
            }));
        }
        if hashed {
            shape.sparse_size = 2 * STEP_SLOTS;
            shape.sparse_fields = 2;
        }
        if ids {
            shape.ids = vec!["user".into(), "item".into()];
        }
        shape
    }
}

/// One example, owned.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    pub(crate) dense: Vec<f64>,
    pub(crate) sparse: Vec<Pair>,
    pub(crate) ids: Vec<u64>,
    pub(crate) time: i64,
    pub(crate) label: Label<'static>,
    /// For streams without a label: a row far from all others.
    pub(crate) strange: bool,
}

impl Example {
    pub(crate) fn features(&self) -> Features<'_> {
        Features { dense: &self.dense, sparse: &self.sparse, ids: &self.ids, time: self.time }
    }
}

/// A stream of one shape. A number's effect on the label is linear, a code's or an identity's is
/// a constant of its own.
pub(crate) struct Stream<'a> {
    pub(crate) shape: &'a Shape,
    pub(crate) seed: u64,
}

impl Stream<'_> {
    /// In [-1, 1), a function of what is drawn.
    fn draw(&self, what: u64, index: u64) -> f64 {
        2.0 * random_unit(random_bits(self.seed, what), index) - 1.0
    }

    /// One of `0..bound`.
    fn pick(&self, what: u64, index: u64, bound: u64) -> u64 {
        random_bits(random_bits(self.seed, what), index) % bound
    }

    /// About normal, with variance 1: twelve uniform numbers.
    fn normal(&self, what: u64, index: u64) -> f64 {
        (0..12).map(|part| self.draw(what, 12 * index + part)).sum::<f64>() / 2.0
    }

    pub(crate) fn example(&self, index: u64) -> Example {
        let labelled = self.shape.label != LabelShape::None;
        let strange = !labelled && self.pick(1, index, 50) == 0;
        let blob = if labelled { None } else { Some(self.pick(2, index, 3)) };
        let code = |what, bound| blob.unwrap_or_else(|| self.pick(what, index, bound));
        let dense = (0..).zip(&self.shape.dense).map(|(slot, column)| match column.kind {
            // The last code is kept for rows that are meant to be novel.
            SlotKind::Nominal { values } => code(10 + slot, u64::from(values) - 1) as f64,
            SlotKind::Number if strange => 8.0 * self.draw(10 + slot, index),
            SlotKind::Number => match blob {
                Some(blob) => {
                    4.0 * self.draw(30 + slot, blob) + 0.3 * self.normal(10 + slot, index)
                }
                None => self.normal(10 + slot, index),
            },
        });
        let sparse = (0..self.shape.sparse_fields).map(|field| {
            let slot = code(50 + u64::from(field), 10) as u32 + u32::from(field) * STEP_SLOTS;
            Pair { slot, field, value: 1.0 }
        });
        let ids = (0..).zip(&self.shape.ids).map(|(slot, _)| code(60 + slot, USERS));
        let mut example = Example {
            dense: dense.collect(),
            sparse: sparse.collect(),
            ids: ids.collect(),
            time: 1_700_000_000_000 + 1000 * index as i64,
            label: Label::None,
            strange,
        };
        example.label = self.label(&example, index);
        example
    }

    /// What the features say for one class, or for the number.
    fn signal(&self, example: &Example, class: u64) -> f64 {
        let effect = |what: u64, index: u64| 1.5 * self.draw(1000 * (class + 1) + what, index);
        let dense = (0..).zip(&example.dense).zip(&self.shape.dense);
        let dense = dense.map(|((slot, value), column)| match column.kind {
            SlotKind::Number => value * effect(slot, 0),
            SlotKind::Nominal { .. } => effect(100 + slot, *value as u64),
        });
        let sparse = example.sparse.iter().map(|pair| effect(200, u64::from(pair.slot)));
        let ids = (0..).zip(&example.ids).map(|(slot, id)| effect(300 + slot, *id));
        dense.sum::<f64>() + sparse.sum::<f64>() + ids.sum::<f64>()
    }

    fn label(&self, example: &Example, index: u64) -> Label<'static> {
        let noise = 0.3 * self.normal(3, index);
        match self.shape.label {
            LabelShape::None => Label::None,
            LabelShape::Number => Label::Number(3.0 + self.signal(example, 0) + noise),
            LabelShape::Class { values_max: 2 } => {
                Label::Class(u32::from(self.signal(example, 0) + noise > 0.0))
            }
            LabelShape::Class { values_max } => {
                let signals =
                    (0..values_max).map(|class| (class, self.signal(example, class.into())));
                let best = signals.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
                Label::Class(best.0)
            }
        }
    }

    /// Legal, and as bad as it can be: every number at an end of the range.
    pub(crate) fn extreme(&self, index: u64) -> Example {
        const NUMBERS: [f64; 8] = [1e308, -1e308, 5e-324, 0.0, -0.0, f64::MAX, f64::MIN, 1.0];
        const VALUES: [f32; 4] = [f32::MAX, f32::MIN, 1e-45, 0.0];
        let number = |what| NUMBERS[self.pick(what, index, 8) as usize];
        let mut example = self.example(index);
        for (slot, value) in example.dense.iter_mut().enumerate() {
            if self.shape.dense[slot].kind == SlotKind::Number {
                *value = number(70 + slot as u64);
            }
        }
        for (slot, pair) in (0..).zip(&mut example.sparse) {
            pair.value = VALUES[self.pick(80 + slot, index, 4) as usize];
        }
        if let Label::Number(value) = &mut example.label {
            *value = number(90);
        }
        example.time = [example.time, i64::MIN, i64::MAX, 0][self.pick(91, index, 4) as usize];
        example
    }

    /// Everything that can be new at once: the last class, unknown codes, the last hashed slot,
    /// an identity never met.
    pub(crate) fn novel(&self, index: u64) -> Example {
        let mut example = self.example(index);
        for (value, column) in example.dense.iter_mut().zip(&self.shape.dense) {
            if let SlotKind::Nominal { values } = column.kind {
                *value = f64::from(values - 1);
            }
        }
        if let Some(last) = example.sparse.last_mut() {
            last.slot = self.shape.sparse_size - 1;
        }
        example.ids.iter_mut().for_each(|id| *id = u64::MAX - index);
        if let LabelShape::Class { values_max } = self.shape.label {
            example.label = Label::Class(values_max - 1);
        }
        example
    }

    /// All numbers zero, no hashed features.
    pub(crate) fn empty(&self, index: u64) -> Example {
        let mut example = self.example(index);
        example.dense.fill(0.0);
        example.sparse.clear();
        example
    }

    /// Hashed features of one step only.
    pub(crate) fn short(&self, index: u64) -> Example {
        let mut example = self.example(index);
        example.sparse.truncate(1);
        example
    }
}
