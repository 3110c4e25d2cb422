//! One model: the features it uses, its learner, and how it is judged.

use std::sync::Arc;

use alluvium_learn::{
    Ahead, ConfigError, Detector, Features, Label, LabelShape, Layout, Learner, Pair, Place,
    Prediction, Reader, Row, Shape, Slot, SlotKind, State, StateError, Task, Time, Writer,
    judge::Judge,
    learners::LearnerConfig,
    surround::{ByKey, ClassWeight, ResetOn},
};

use super::{Mistake, dictionary::Dictionary, plan::Planner};
use crate::spec::{LabelKind, Model as ModelSpec, Spec};

/// Which parts of a row a model sees.
#[derive(Clone, Debug, Default)]
pub(super) struct Gather {
    slots: Vec<usize>,
    /// Hashed blocks, and where each begins among the model's hashed slots.
    blocks: Vec<(usize, u32)>,
    ids: Vec<usize>,
    /// What the model goes `by`: the last of its identities.
    key: Option<Key>,
    dense: Vec<f64>,
    sparse: Vec<Pair>,
    identities: Vec<u64>,
}

/// Where the key of a row is.
#[derive(Clone, Copy, Debug)]
enum Key {
    Id(usize),
    /// The code of a category.
    Code(usize),
}

impl Gather {
    /// Copies the model's features out of a row.
    pub(super) fn fill(&mut self, row: &Row<'_>) {
        self.dense.clear();
        self.dense.extend(self.slots.iter().map(|slot| row.values[*slot]));
        self.sparse.clear();
        for (field, (block, base)) in self.blocks.iter().enumerate() {
            self.sparse.extend(row.blocks[*block].iter().map(|pair| Pair {
                slot: base + pair.slot,
                field: field as u16,
                value: pair.value,
            }));
        }
        self.identities.clear();
        self.identities.extend(self.ids.iter().map(|id| row.ids[*id]));
        self.identities.extend(self.key.map(|key| match key {
            Key::Id(id) => row.ids[id],
            Key::Code(slot) => row.values[slot] as u64,
        }));
    }

    /// The model's keys of the next rows. False where it has none, or they are not known yet.
    pub(super) fn keys(&self, next: Ahead<'_>, keys: &mut [u64]) -> bool {
        let Some(Key::Id(id)) = self.key else { return false };
        keys.iter_mut().zip(next.column(id)).for_each(|(key, id)| *key = id);
        true
    }

    /// Writes the features, so that they can be learned later.
    pub(super) fn write(&self, to: &mut Writer) {
        to.f64s(&self.dense);
        to.u64s(&self.identities);
        to.len(self.sparse.len());
        for pair in &self.sparse {
            to.u32(pair.slot);
            to.u16(pair.field);
            to.u32(pair.value.to_bits());
        }
    }

    /// Takes what [`Gather::write`] wrote.
    pub(super) fn read(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        self.dense.clear();
        for _ in 0..from.len(8)? {
            self.dense.push(from.f64()?);
        }
        self.identities.clear();
        for _ in 0..from.len(8)? {
            self.identities.push(from.u64()?);
        }
        self.sparse.clear();
        for _ in 0..from.len(10)? {
            let (slot, field) = (from.u32()?, from.u16()?);
            self.sparse.push(Pair { slot, field, value: f32::from_bits(from.u32()?) });
        }
        Ok(())
    }

    /// The features as a learner sees them.
    pub(super) fn features(&self, time: Time) -> Features<'_> {
        Features { dense: &self.dense, sparse: &self.sparse, ids: &self.identities, time }
    }
}

/// A learner under judgement: a model, or a baseline.
pub(super) struct Judged {
    pub(super) name: Arc<str>,
    pub(super) task: Task,
    pub(super) learner: Box<dyn Learner>,
    pub(super) judge: Judge,
    /// Watches its error; raises alarms, and changes no model.
    pub(super) detector: Option<(&'static str, Box<dyn Detector>)>,
    pub(super) answer: Prediction,
    /// What every answer begins with: `{"model":NAME,`.
    pub(super) opening: Vec<u8>,
}

impl Judged {
    /// A learner that has answered nothing yet.
    pub(super) fn new(
        name: &str,
        learner: Box<dyn Learner>,
        judge: Judge,
        detector: Option<(&'static str, Box<dyn Detector>)>,
    ) -> Judged {
        let mut opening = b"{\"model\":".to_vec();
        super::emit::text(&mut opening, name);
        opening.push(b',');
        let (task, answer) = (learner.task(), Prediction::default());
        Judged { name: name.into(), task, learner, judge, detector, answer, opening }
    }

    /// Holds its answer against the truth. Says whether the detector saw a change. The judge takes
    /// it in when it is settled, at the latest at the end of the step.
    pub(super) fn judge(&mut self, label: Label<'_>, before: f64, time: Time) -> bool {
        let Some(outcome) = self.judge.note(&self.answer, label, before, time) else {
            return false;
        };
        let error = outcome.error(self.task);
        let drift = alluvium_learn::Verdict::Drift;
        self.detector.as_mut().is_some_and(|(_, detector)| detector.update(error) == drift)
    }
}

/// A model.
pub(super) struct Model {
    pub(super) judged: Judged,
    pub(super) gather: Gather,
    pub(super) shape: Shape,
    /// Its settings in canonical form: with the state, its identity.
    pub(super) settings: serde_json::Value,
}

impl Planner<'_> {
    /// Finds what a model uses.
    pub(super) fn gather(
        &mut self,
        name: &str,
        model: &ModelSpec,
        layout: &Layout,
    ) -> (Gather, Shape) {
        let (mut gather, mut size) = (Gather::default(), 0u32);
        let label = self.label;
        let mut shape =
            Shape { dense: Vec::new(), sparse_size: 0, sparse_fields: 0, ids: Vec::new(), label };
        for (index, used) in model.uses.iter().enumerate() {
            let path = format!("model.{name}.use[{index}]");
            let mut found = false;
            for column in layout.find(used) {
                found = true;
                match column.place {
                    Place::Dense { slot, kind } => {
                        gather.slots.push(slot);
                        shape.dense.push(Slot { name: column.name.clone(), kind });
                    }
                    Place::Sparse { block, size: slots } => {
                        let more = size.checked_add(slots).zip(shape.sparse_fields.checked_add(1));
                        let Some((more, fields)) = more else {
                            let message = format!("with `{used}` there are too many hashed slots");
                            let help = format!("at most {} in all: lower `bits`", u32::MAX);
                            self.mistakes.push(Mistake::new(&path, message).help(help));
                            continue;
                        };
                        gather.blocks.push((block, size));
                        (size, shape.sparse_fields) = (more, fields);
                    }
                    Place::Id(id) => {
                        gather.ids.push(id);
                        shape.ids.push(column.name.clone());
                    }
                    Place::Text(_) | Place::Label(_) => {
                        let message = format!("`{used}` is a text, and no learner reads texts");
                        let help = format!("make features of it: words.hash = [\"{used}\"]");
                        self.mistakes.push(Mistake::new(&path, message).help(help));
                    }
                }
            }
            // A step that could not be built has a mistake of its own.
            if !found && !self.is_mistaken_step(layout, used) {
                let message = format!("there is no field or step `{used}`");
                let mistake = Mistake::new(&path, message);
                let is_label = self.spec.label.as_ref().is_some_and(|l| l.field == *used);
                let mistake = match self.nearest_column(layout, used) {
                    _ if is_label || used == "label" => mistake.help(
                        "the label is no feature; a step that looks back may read it: \
                         before.lag = [\"label\"]",
                    ),
                    Some(help) => mistake.help(help),
                    None => mistake,
                };
                self.mistakes.push(mistake);
            }
        }
        shape.sparse_size = size;
        gather.key = model.by.as_ref().and_then(|by| self.key(name, by, layout));
        (gather, shape)
    }

    /// Finds what a model goes by.
    fn key(&mut self, name: &str, by: &str, layout: &Layout) -> Option<Key> {
        let columns: Vec<Place> = layout.find(by).map(|column| column.place).collect();
        match columns.as_slice() {
            [Place::Id(id)] => return Some(Key::Id(*id)),
            [Place::Dense { slot, kind: SlotKind::Nominal { .. } }] => {
                return Some(Key::Code(*slot));
            }
            [] if self.is_mistaken_step(layout, by) => return None,
            _ => {}
        }
        let path = format!("model.{name}.by");
        let mistake = match columns.is_empty() {
            true => Mistake::new(path, format!("there is no field or step `{by}`")),
            false => Mistake::new(path, format!("`{by}` is neither an id nor a category")),
        };
        let help = self.nearest_column(layout, by).filter(|_| columns.is_empty());
        let help = help.unwrap_or(format!("make it one: [fields] {by} = \"id\""));
        self.mistakes.push(mistake.help(help));
        None
    }

    /// Builds a model's learner and what surrounds it.
    pub(super) fn learner(
        &mut self,
        name: &str,
        model: &ModelSpec,
        shape: &Shape,
    ) -> Option<Box<dyn Learner>> {
        let path = format!("model.{name}.learner.{}", model.learner.name());
        let mut learner = self.built(&path, model.learner.build(shape))?;
        if let Some(weights) = self.class_weights(name, model) {
            let path = format!("model.{name}.class_weight");
            let surrounded = ClassWeight::new(learner, weights);
            learner = Box::new(self.built(&path, surrounded)?);
        }
        if let Some(detector) = &model.reset_on {
            let path = format!("model.{name}.reset_on.{}", detector.name());
            let detector = self.built(&path, detector.build(shape))?;
            let surrounded = ResetOn::new(learner, detector);
            learner = Box::new(self.built(&path, surrounded)?);
        }
        if model.by.is_some() {
            let path = format!("model.{name}");
            let surrounded = ByKey::new(learner, model.keys_max, model.forget_after);
            learner = Box::new(self.built(&path, surrounded)?);
        }
        Some(learner)
    }

    /// What was built; a mistake at that place if it was not.
    fn built<T>(&mut self, path: &str, built: Result<T, ConfigError>) -> Option<T> {
        built.map_err(|error| self.mistakes.push(self.config_mistake(path, &error))).ok()
    }

    fn class_weights(&mut self, name: &str, model: &ModelSpec) -> Option<Vec<f64>> {
        if model.class_weight.is_empty() {
            return None;
        }
        let path = format!("model.{name}.class_weight");
        let Some(LabelKind::Class(class)) = self.spec.label.as_ref().map(|label| &label.kind)
        else {
            let message = "class_weight needs a class as the label";
            self.mistakes.push(Mistake::new(path, message));
            return None;
        };
        let mut weights = vec![1.0; class.values.len()];
        let dictionary = Dictionary::new(&class.values, class.values_max);
        for (class, weight) in &model.class_weight {
            let path = format!("{path}.{class}");
            let is_right = ClassWeight::WEIGHTS.contains(weight);
            if !is_right {
                let message = format!("the weight is {weight}");
                self.mistakes.push(Mistake::new(&path, message).help("from 0 to 1e9"));
            }
            match dictionary.code(class) {
                Some(code) if is_right => weights[code as usize] = *weight,
                Some(_) => {}
                None => {
                    let known: Vec<&str> = dictionary.names().collect();
                    let message = format!("there is no class `{class}`");
                    let help = match known.as_slice() {
                        [] => "list the classes: [label] type.class = [\"no\", \"yes\"]".into(),
                        known => format!("the classes are {}", known.join(", ")),
                    };
                    self.mistakes.push(Mistake::new(path, message).help(help));
                }
            }
        }
        Some(weights)
    }
}

/// The baselines that stand beside every model.
pub(super) fn baselines(label: LabelShape) -> &'static [&'static str] {
    match label {
        LabelShape::None => &[],
        LabelShape::Class { .. } => &["no_change", "majority"],
        LabelShape::Number => &["no_change", "mean"],
    }
}

/// A baseline's learner.
pub(super) fn baseline(name: &str, shape: &Shape) -> Result<Box<dyn Learner>, ConfigError> {
    let config = LearnerConfig::by_name(name);
    config.ok_or_else(|| ConfigError::unfit(format!("no baseline {name}")))?.build(shape)
}

/// A state's bytes.
pub(super) fn saved(state: &(impl State + ?Sized)) -> Vec<u8> {
    let mut to = alluvium_learn::Writer::new();
    state.save(&mut to);
    to.into_bytes()
}

/// What the label of a pipeline is.
pub(super) fn label_shape(spec: &Spec) -> LabelShape {
    match spec.label.as_ref().map(|label| &label.kind) {
        None => LabelShape::None,
        Some(LabelKind::Number(_)) => LabelShape::Number,
        Some(LabelKind::Class(class)) => LabelShape::Class { values_max: class.classes_max() },
    }
}

/// A shape without features, for baselines and metrics.
pub(super) fn bare(label: LabelShape) -> Shape {
    Shape { dense: Vec::new(), sparse_size: 0, sparse_fields: 0, ids: Vec::new(), label }
}
