//! One record on its way through the feature steps, and how a step finds its place in it.
//!
//! A row is flat: fields first, then what each step makes. A step is built with a [`Scope`], which
//! turns names into slots once; nothing looks up a name per record. A step writes only slots of its
//! own, so `observe` still sees what `apply` saw.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use crate::{ConfigError, Label, LabelShape, Pair, SlotKind, State, Time};

/// One record, as steps see it. A number may be NaN only in a field's own slot, when the field says
/// how gaps are filled; the step that fills it writes another slot.
#[derive(Debug)]
pub struct Row<'a> {
    /// Every dense slot: fields first, then what the steps make.
    pub values: &'a mut [f64],
    /// A block for each step that makes hashed features: pairs ascending by slot, no slot twice.
    pub blocks: &'a mut [Vec<Pair>],
    /// Identities, hashed.
    pub ids: &'a [u64],
    /// Texts.
    pub texts: Texts<'a>,
    /// The record's event time.
    pub time: Time,
}

/// The texts of one record.
#[derive(Clone, Copy, Debug, Default)]
pub struct Texts<'a> {
    /// Where each text lies in `bytes`.
    pub spans: &'a [(u32, u32)],
    /// UTF-8, checked when the record was decoded.
    pub bytes: &'a [u8],
}

impl<'a> Texts<'a> {
    /// One text, as bytes of UTF-8.
    pub fn get(&self, index: usize) -> &'a [u8] {
        let (start, end) = self.spans[index];
        &self.bytes[start as usize..end as usize]
    }
}

/// Makes features of fields and other features.
///
/// `apply` runs before the answer is given and changes nothing but the row; `observe` runs after.
/// So a model that serves can never learn by accident, and never sees what training did not.
pub trait FeatureStep: State {
    /// Writes this step's features into its own slots.
    fn apply(&self, row: &mut Row<'_>);

    /// Learns from the row it was applied to.
    fn observe(&mut self, row: &Row<'_>);

    /// Learns from a label, when it arrives.
    fn observe_label(&mut self, _label: Label<'_>) {}

    /// Reads what the rows that come next will need, so that it is near when they come. Changes
    /// nothing, and need not be called: it saves time where a step knows many keys, as reads of
    /// memory that wait for each other one by one can wait together.
    fn look_ahead(&self, _next: Ahead<'_>) {}

    /// A copy that learns on its own from here on.
    fn fork(&self) -> Box<dyn FeatureStep>;
}

/// The identities of the rows that come next, some 32 of them.
#[derive(Clone, Copy, Debug)]
pub struct Ahead<'a> {
    /// Row by row, as in [`Row::ids`].
    pub ids: &'a [u64],
    /// How many a row has, 1 or more.
    pub width: usize,
}

impl<'a> Ahead<'a> {
    /// One identity of each row.
    pub fn column(self, index: usize) -> impl Iterator<Item = u64> + Clone + use<'a> {
        self.ids.chunks_exact(self.width).map(move |ids| ids[index])
    }
}

/// A feature step with a name and settings, listed in the table of steps.
pub trait StepComponent: FeatureStep + Clone + 'static {
    /// Its name in settings. Never changes.
    const NAME: &'static str;

    /// Its settings.
    type Config: Clone + Default + PartialEq + Serialize + DeserializeOwned + JsonSchema;

    /// The names it reads: fields, steps, `step.field`, or `label`. They are built before it.
    fn reads(config: &Self::Config) -> Vec<String>;

    /// Builds it: finds its inputs and takes its slots.
    ///
    /// # Errors
    /// Names the setting, its value and what would be right.
    fn new(config: Self::Config, scope: &mut Scope<'_>) -> Result<Self, ConfigError>;
}

/// Where one named thing lies in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In [`Row::values`].
    Dense {
        /// The slot.
        slot: usize,
        /// What it holds.
        kind: SlotKind,
    },
    /// In [`Row::blocks`].
    Sparse {
        /// The block.
        block: usize,
        /// One above the largest slot in it.
        size: u32,
    },
    /// In [`Row::ids`].
    Id(usize),
    /// In [`Row::texts`].
    Text(usize),
    /// The label: for steps that look back alone.
    Label(LabelShape),
}

/// One column: a field, or one feature of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its whole name: `amount`, `scaled.amount`.
    pub name: String,
    /// What it belongs to: the field's or the step's name.
    pub group: String,
    /// Where it lies.
    pub place: Place,
}

impl Column {
    /// The last part of its name: what a step that reads it calls its own feature.
    pub fn field(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }
}

/// All columns of a pipeline's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    columns: Vec<Column>,
    /// How many dense slots a row has.
    pub dense: usize,
    /// How many hashed blocks a row has.
    pub blocks: usize,
    /// How many identities a row has.
    pub ids: usize,
    /// How many texts a row has.
    pub texts: usize,
}

impl Layout {
    /// Every column, in the order it was added.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Adds a column of numbers or codes and returns its slot.
    pub fn add_dense(&mut self, group: &str, name: String, kind: SlotKind) -> usize {
        let slot = self.dense;
        self.dense += 1;
        self.add(group, name, Place::Dense { slot, kind });
        slot
    }

    /// Adds a block of hashed features and returns its index.
    pub fn add_block(&mut self, group: &str, name: String, size: u32) -> usize {
        let block = self.blocks;
        self.blocks += 1;
        self.add(group, name, Place::Sparse { block, size });
        block
    }

    /// Adds an identity and returns its index.
    pub fn add_id(&mut self, name: &str) -> usize {
        let index = self.ids;
        self.ids += 1;
        self.add(name, name.into(), Place::Id(index));
        index
    }

    /// Adds a text and returns its index.
    pub fn add_text(&mut self, name: &str) -> usize {
        let index = self.texts;
        self.texts += 1;
        self.add(name, name.into(), Place::Text(index));
        index
    }

    fn add(&mut self, group: &str, name: String, place: Place) {
        self.columns.push(Column { name, group: group.into(), place });
    }

    /// Lets another column answer to a name: a field whose gaps are filled is read where they are.
    pub fn redirect(&mut self, name: &str, slot: usize) {
        for column in self.columns.iter_mut().filter(|column| column.name == name) {
            if let Place::Dense { kind, .. } = column.place {
                column.place = Place::Dense { slot, kind };
            }
        }
    }

    /// The columns a name stands for: a field, every feature of a step, or one as `step.field`.
    pub fn find<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Column> {
        self.columns.iter().filter(move |column| column.group == name || column.name == name)
    }
}

/// What a step is built with: the names before it, and slots for what it makes.
#[derive(Debug)]
pub struct Scope<'a> {
    layout: &'a mut Layout,
    step: &'a str,
    label: LabelShape,
}

impl<'a> Scope<'a> {
    /// A scope for the step of that name.
    pub fn new(layout: &'a mut Layout, step: &'a str, label: LabelShape) -> Scope<'a> {
        Scope { layout, step, label }
    }

    /// The step's name.
    pub fn step(&self) -> &str {
        self.step
    }

    /// The columns that the names in a setting stand for, in the order of the setting.
    ///
    /// # Errors
    /// Names the setting when a name stands for nothing, or when none is given.
    pub fn columns(&self, setting: &str, names: &[String]) -> Result<Vec<Column>, ConfigError> {
        if names.is_empty() {
            return Err(ConfigError::new(setting, "[]", "a list of at least one field or step"));
        }
        let mut columns = Vec::new();
        for name in names {
            let before = columns.len();
            if name == "label" && self.label != LabelShape::None {
                let (name, group) = ("label".to_string(), "label".to_string());
                columns.push(Column { name, group, place: Place::Label(self.label) });
            }
            columns.extend(self.layout.find(name).cloned());
            if columns.len() == before {
                let must_be = "the name of a field, a step or `step.field`";
                return Err(ConfigError::new(setting, name, must_be));
            }
        }
        Ok(columns)
    }

    /// The same, where only numbers will do. Returns each column's short name and slot.
    ///
    /// # Errors
    /// Names the setting when a column is no number.
    pub fn numbers(
        &self,
        setting: &str,
        names: &[String],
    ) -> Result<Vec<(String, usize)>, ConfigError> {
        let number = |column: Column| match column.place {
            Place::Dense { slot, kind: SlotKind::Number } => Ok((column.field().to_string(), slot)),
            _ => Err(ConfigError::new(setting, column.name, "the name of a number")),
        };
        self.columns(setting, names)?.into_iter().map(number).collect()
    }

    /// A slot for the feature `step.field`. Two features of one short name become `field` and
    /// `field_2`.
    pub fn feature(&mut self, field: &str, kind: SlotKind) -> usize {
        let name = self.free_name(field);
        self.layout.add_dense(self.step, name, kind)
    }

    /// The slot for the one feature of a step that makes one: `step`.
    pub fn single(&mut self, kind: SlotKind) -> usize {
        self.layout.add_dense(self.step, self.step.to_string(), kind)
    }

    /// A run of number slots, one for each short name.
    pub fn features(&mut self, fields: &[(String, usize)]) -> Range<usize> {
        let start = self.layout.dense;
        for (field, _) in fields {
            self.feature(field, SlotKind::Number);
        }
        start..self.layout.dense
    }

    /// A block for hashed features, of so many slots.
    pub fn block(&mut self, size: u32) -> usize {
        self.layout.add_block(self.step, self.step.to_string(), size)
    }

    fn free_name(&self, field: &str) -> String {
        let plain = format!("{}.{field}", self.step);
        let taken = |name: &str| self.layout.columns.iter().any(|column| column.name == name);
        (2..)
            .map(|count| format!("{plain}_{count}"))
            .scan(Some(plain.clone()), |first, next| Some(first.take().unwrap_or(next)))
            .find(|name| !taken(name))
            .unwrap_or(plain)
    }
}
