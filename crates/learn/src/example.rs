//! One example as a learner sees it, and the answer a learner gives.

/// Milliseconds since 1970-01-01T00:00:00Z. May be negative.
pub type Time = i64;

/// One hashed feature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// Where its weight lies.
    pub slot: u32,
    /// Which step made it: an index, for learners that cross fields.
    pub field: u16,
    /// Its value.
    pub value: f32,
}

/// One example, borrowed. Every number is finite: gaps were filled, or the record was refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct Features<'a> {
    /// Numbers, and codes of nominal slots; [`Shape`] says which is which.
    pub dense: &'a [f64],
    /// Hashed features, ascending by slot, no slot twice.
    pub sparse: &'a [Pair],
    /// Identities: user, item, sensor.
    pub ids: &'a [u64],
    /// The record's time.
    pub time: Time,
}

/// What is known of the truth about an example.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Label<'a> {
    /// Nothing.
    None,
    /// One class, as its code in the order of first sight (or of the list in the settings).
    Class(u32),
    /// A number, finite.
    Number(f64),
    /// Several classes at once.
    Classes(&'a [u32]),
    /// What an action that was taken brought.
    Reward {
        /// The action's code.
        action: u32,
        /// What it brought.
        value: f64,
        /// The probability with which it was chosen, above 0 and at most 1.
        propensity: f64,
    },
}

/// What kind of label a pipeline has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelShape {
    /// None: clusters and anomalies.
    None,
    /// Classes, at most so many.
    Class {
        /// The most classes there will be; 2 for a question of yes or no.
        values_max: u32,
    },
    /// A number.
    Number,
}

/// What a learner answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// One class: `value` is its code, `scores` the probability of each class.
    Class,
    /// Several classes: `scores` the probability of each.
    Classes,
    /// A number: `value`.
    Number,
    /// How strange the example is: `value`, from 0 to 1, an anomaly above one half.
    Score,
    /// A cluster: `value` is its index, `scores` the squared distance to each centre.
    Cluster,
    /// An action: `value` is its code, `scores` the probability of each.
    Action,
    /// A number for each of the next steps: `scores`.
    Horizon {
        /// How many.
        steps: u32,
    },
}

/// An answer, reused from record to record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prediction {
    /// The answer: a class's code, a number, a score, a cluster's index (see [`Task`]).
    pub value: f64,
    /// What stands behind it (see [`Task`]).
    pub scores: Vec<f64>,
    /// Where the truth lies with the probability that the settings ask for.
    pub interval: Option<(f64, f64)>,
}

impl Prediction {
    /// Forgets the last answer and keeps the room it took.
    pub fn clear(&mut self) {
        self.value = 0.0;
        self.scores.clear();
        self.interval = None;
    }

    /// Writes the probabilities of two classes, and the likelier one as the value. A tie is for
    /// the first.
    pub fn set_binary(&mut self, second: f64) {
        self.clear();
        self.scores.extend([1.0 - second, second]);
        self.value = f64::from(u8::from(second > 0.5));
    }

    /// Takes the likeliest class as the value. A tie is for the first.
    pub fn set_value_from_scores(&mut self) {
        let mut best = 0;
        for (class, score) in self.scores.iter().enumerate() {
            if *score > self.scores[best] {
                best = class;
            }
        }
        self.value = best as f64;
    }

    /// Whether an answer of that task says that the example is an anomaly.
    pub fn is_anomaly(&self, task: Task) -> bool {
        task == Task::Score && self.value > 0.5
    }

    /// The probability given to a class: 0 for one the learner has not met.
    pub fn probability(&self, class: u32) -> f64 {
        self.scores.get(class as usize).copied().unwrap_or(0.0)
    }
}

/// What a dense slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotKind {
    /// A number.
    Number,
    /// The code of one of so many values, from 0 to `values - 1`. The last code stands for "a value
    /// not seen before, or beyond the bound".
    Nominal {
        /// How many codes there are, the last one included.
        values: u32,
    },
}

/// One dense slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its name in the pipeline file: a field, or `step.field`.
    pub name: String,
    /// What it holds.
    pub kind: SlotKind,
}

/// What a learner, a metric or a detector is built for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The dense slots, in their order in [`Features::dense`].
    pub dense: Vec<Slot>,
    /// One above the largest slot of [`Features::sparse`]; 0: there are no hashed features.
    pub sparse_size: u32,
    /// How many steps make hashed features ([`Pair::field`] is below it).
    pub sparse_fields: u16,
    /// Names of the identities, in their order in [`Features::ids`].
    pub ids: Vec<String>,
    /// The label.
    pub label: LabelShape,
}

impl Shape {
    /// A shape of so many numbers: for tests and examples.
    pub fn numbers(count: usize, label: LabelShape) -> Shape {
        let slot = |index| Slot { name: format!("x{index}"), kind: SlotKind::Number };
        Shape {
            dense: (0..count).map(slot).collect(),
            sparse_size: 0,
            sparse_fields: 0,
            ids: Vec::new(),
            label,
        }
    }

    /// The most classes there will be; 0 where the label is not a class.
    pub fn classes_max(&self) -> u32 {
        match self.label {
            LabelShape::Class { values_max } => values_max,
            LabelShape::None | LabelShape::Number => 0,
        }
    }

    /// The first dense slot that holds codes, for components that take numbers alone.
    pub fn first_nominal(&self) -> Option<&Slot> {
        self.dense.iter().find(|slot| slot.kind != SlotKind::Number)
    }
}
