//! The pipeline: scores each record before it learns from it, and nothing else changes its state.

mod admit;
mod adopt;
mod dictionary;
mod emit;
mod inspect;
mod join;
mod label_join;
mod labels;
mod lateness;
mod memory;
mod mistake;
mod model;
mod names;
mod paths;
mod plan;
mod predictor;
mod publish;
mod recent;
mod registry;
mod state;
mod step;
mod waiting;

use std::{collections::BTreeMap, sync::Arc};

use alluvium_learn::{LabelShape, Layout, Pair, Place, Time, judge::Judge, metrics::MetricConfig};

use self::{
    dictionary::Dictionary,
    emit::{Carried, CarriedPlace, Emitter},
    label_join::LabelJoin,
    model::{Judged, Model, bare, baseline, baselines, label_shape},
    plan::{Category, Parts, Planner, Step},
    recent::Recent,
};
pub use self::{
    inspect::Inspected,
    label_join::{Fate, Labels},
    memory::Memory,
    mistake::{Mistake, PlanError},
    plan::InputPlan,
    predictor::{Predictor, PredictorError, Scored},
    publish::{alias_key, state_digest, version_key},
    registry::{ChampionEntry, Registry, VersionEntry, Versions},
    waiting::LabelCounts,
};
use crate::{
    Settings,
    order::OrderKey,
    spec::{Answer, LabelKind, Spec},
};

/// A state as named byte strings.
pub type Sections = BTreeMap<String, Vec<u8>>;

/// A pipeline: what it reads, how it prepares it, what learns, and how that is judged.
pub struct Pipeline {
    spec: Spec,
    settings: Arc<Settings>,
    inputs: Vec<InputPlan>,
    layout: Layout,
    numbers: usize,
    /// Numbers in a decoded example, the label included if it is one and lies there.
    numbers_per_row: usize,
    categories: Vec<Category>,
    texts: Vec<usize>,
    texts_per_row: usize,
    steps: Vec<Step>,
    label: LabelShape,
    classes: Dictionary,
    models: Vec<Model>,
    baselines: Vec<Judged>,
    carried: Vec<Carried>,
    registry: Registry,
    counters: Counters,
    refusals: Recent,
    /// Where labels come by an input of their own.
    label_join: Option<Box<LabelJoin>>,
    /// How many records had been taken when versions were last published. No part of the state: it
    /// only tells whether it is worth saying that time has passed.
    published_taken: Option<u64>,
    scratch: Scratch,
}

/// What a pipeline counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counters {
    /// Steps taken: records and decisions.
    pub steps: u64,
    /// Records read.
    pub read: u64,
    /// Records learned.
    pub learned: u64,
    /// Records turned away.
    pub refused: u64,
    /// Alarms raised.
    pub alarms: u64,
    /// Classes' names that came when there was no room for one more are refusals; categories' names
    /// without room share a code, and are counted here.
    pub names_without_room: u64,
    /// The greatest event time so far.
    pub time: Option<Time>,
    /// When the next versions are due, if they are due by time.
    pub due: Option<Time>,
    /// The label before, as a number; NaN before the first.
    pub label_before: f64,
    /// Refusals by reason code.
    pub refused_by: BTreeMap<String, u64>,
    /// The next offset of each input partition.
    pub positions: BTreeMap<(Arc<str>, u32), u64>,
    /// How far event time has come for certain: the greatest key so far in the order of records, so
    /// that one record alone moves nothing. What lies far behind it is late.
    pub watermark: Option<Time>,
    /// Where each input partition stands in the order.
    pub orders: BTreeMap<(Arc<str>, u32), OrderKey>,
}

/// Room that is used again for each record.
#[derive(Default)]
struct Scratch {
    values: Vec<f64>,
    blocks: Vec<Vec<Pair>>,
    spans: Vec<(u32, u32)>,
    learn_names: Vec<(usize, (u32, u32))>,
    emitter: Emitter,
}

impl Pipeline {
    /// Builds the pipeline that settings describe, as it is before it has read anything.
    ///
    /// # Errors
    /// All mistakes, each at its place.
    pub fn build(settings: &Arc<Settings>) -> Result<Pipeline, PlanError> {
        let spec = settings.spec().map_err(|why| PlanError {
            mistakes: vec![Mistake::new("", format!("the settings: {why}"))],
        })?;
        Pipeline::plan(spec, settings.clone())
    }

    /// Builds the pipeline of a file.
    ///
    /// # Errors
    /// All mistakes, each at its place.
    pub fn of_spec(spec: &Spec) -> Result<Pipeline, PlanError> {
        Pipeline::plan(spec.clone(), Arc::new(Settings::of(spec)))
    }

    fn plan(spec: Spec, settings: Arc<Settings>) -> Result<Pipeline, PlanError> {
        let label = label_shape(&spec);
        let mut planner = Planner { spec: &spec, label, mistakes: Vec::new() };
        let parts = planner.parts();
        planner.names(&parts);
        let mut models = Vec::new();
        for (name, model) in &spec.model {
            let (gather, shape) = planner.gather(name, model, &parts.layout);
            let Some(learner) = planner.learner(name, model, &shape) else { continue };
            let task = learner.task();
            let judged = planner.judged(name, task, learner, true);
            let settings = spec.model_json(name).unwrap_or_default();
            models.extend(judged.map(|judged| Model { judged, gather, shape, settings }));
        }
        let mut judged_baselines = Vec::new();
        for name in baselines(label) {
            if let Ok(learner) = baseline(name, &bare(label)) {
                judged_baselines.extend(planner.judged(name, learner.task(), learner, false));
            }
        }
        let carried = planner.carried(&parts);
        let label_join = planner.label_join(&parts, &models);
        planner.only(&models);
        planner.champion();
        planner.refusals();
        let mistakes = std::mem::take(&mut planner.mistakes);
        if !mistakes.is_empty() {
            return Err(PlanError { mistakes });
        }
        Ok(Pipeline {
            label_join,
            ..Pipeline::assemble(spec, settings, parts, models, judged_baselines, carried)
        })
    }

    fn assemble(
        spec: Spec,
        settings: Arc<Settings>,
        parts: Parts,
        models: Vec<Model>,
        baselines: Vec<Judged>,
        carried: Vec<Carried>,
    ) -> Pipeline {
        let label = label_shape(&spec);
        let classes = match spec.label.as_ref().map(|label| &label.kind) {
            Some(LabelKind::Class(class)) => Dictionary::new(&class.values, class.values_max),
            _ => Dictionary::new(&[], 0),
        };
        let names = models.iter().map(|model| (model.judged.name.clone(), Versions::default()));
        let mut registry = Registry { models: names.collect(), ..Registry::default() };
        if let Some(first) = spec.first_champion() {
            // The planner has seen to it that there is such a model.
            registry.promote(first, None, 0, 0, "first").unwrap_or_default();
        }
        let Parts { inputs, layout, numbers, categories, texts, texts_per_row, steps, .. } = parts;
        let scratch = Scratch {
            values: vec![0.0; layout.dense],
            blocks: vec![Vec::new(); layout.blocks],
            ..Scratch::default()
        };
        let refusals_max = match spec.refusals.over {
            alluvium_learn::Over::Records(count) => count as usize,
            alluvium_learn::Over::Time(_) => 0,
        };
        let is_within = spec.label.as_ref().is_some_and(|label| label.input.is_none());
        let [is_number, is_class] =
            [label == LabelShape::Number, matches!(label, LabelShape::Class { .. })];
        Pipeline {
            numbers_per_row: numbers + usize::from(is_within && is_number),
            texts_per_row: texts_per_row + usize::from(is_within && is_class),
            spec,
            settings,
            inputs,
            layout,
            numbers,
            categories,
            texts,
            steps,
            label,
            classes,
            models,
            baselines,
            carried,
            registry,
            counters: Counters { label_before: f64::NAN, ..Counters::default() },
            refusals: Recent::new(refusals_max),
            label_join: None,
            published_taken: None,
            scratch,
        }
    }

    /// The settings in force.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// The settings in force, with defaults filled in.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The inputs, in the order that breaks ties.
    pub fn inputs(&self) -> &[InputPlan] {
        &self.inputs
    }

    /// Every column of a row.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The names of the steps, each after those it reads; those that fill a field's gaps end in
    /// `~`.
    pub fn step_names(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(|step| step.name.as_str())
    }

    /// How many steps were taken since the beginning.
    pub fn steps(&self) -> u64 {
        self.counters.steps
    }

    /// What was counted since the beginning.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The versions and the champion.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// How many of the newest records were refused, and how many those are: 0 until as many have
    /// come as the settings ask for.
    pub fn refused_recently(&self) -> (u64, u64) {
        self.refusals.counted()
    }

    /// [`Pipeline::refused_recently`], if that is a greater share than may be refused.
    pub fn refused_beyond(&self, share_max: f64) -> Option<(u64, u64)> {
        let (refused, of) = self.refused_recently();
        (of > 0 && refused as f64 > share_max * of as f64).then_some((refused, of))
    }

    /// Each model with its judge, then each baseline with its own.
    pub fn judges(&self) -> impl Iterator<Item = (&Arc<str>, &Judge, bool)> {
        let models =
            self.models.iter().map(|model| (&model.judged.name, &model.judged.judge, true));
        let baselines = self.baselines.iter().map(|one| (&one.name, &one.judge, false));
        models.chain(baselines)
    }

    /// The memory each model takes now, by its own account.
    pub fn footprints(&self) -> impl Iterator<Item = (&Arc<str>, usize)> {
        self.models.iter().map(|model| (&model.judged.name, model.judged.learner.footprint_bytes()))
    }

    /// How many slots a model sees: dense, and hashed.
    pub fn sizes(&self) -> impl Iterator<Item = (&Arc<str>, usize, u32)> {
        self.models
            .iter()
            .map(|model| (&model.judged.name, model.shape.dense.len(), model.shape.sparse_size))
    }

    /// A model's settings in canonical form.
    pub fn model_settings(&self, name: &str) -> Option<&serde_json::Value> {
        self.models.iter().find(|m| *m.judged.name == *name).map(|model| &model.settings)
    }

    fn answers_backlog(&self) -> bool {
        self.spec.predictions.answer == Answer::All
    }
}

impl Planner<'_> {
    fn judged(
        &mut self,
        name: &str,
        task: alluvium_learn::Task,
        learner: Box<dyn alluvium_learn::Learner>,
        is_model: bool,
    ) -> Option<Judged> {
        let shape = bare(self.label);
        let metrics = match self.spec.judge.metrics.as_slice() {
            // A score has no truth to be held against.
            _ if task == alluvium_learn::Task::Score => Vec::new(),
            [] => default_metrics(task),
            metrics => metrics.to_vec(),
        };
        let judge = match Judge::new(metrics, self.spec.judge.over, &shape, task) {
            Ok(judge) => judge,
            Err(error) => {
                let mistake = self.config_mistake("judge", &error);
                if !self.mistakes.contains(&mistake) {
                    self.mistakes.push(mistake);
                }
                return None;
            }
        };
        let mut detector = None;
        if let Some(config) = self.spec.judge.drift.as_ref().filter(|_| is_model) {
            match config.build(&shape) {
                Ok(built) => detector = Some((config.name(), built)),
                Err(error) => {
                    let path = format!("judge.drift.{}", config.name());
                    let mistake = self.config_mistake(&path, &error);
                    if !self.mistakes.contains(&mistake) {
                        self.mistakes.push(mistake);
                    }
                }
            }
        }
        Some(Judged::new(name, learner, judge, detector))
    }

    fn carried(&mut self, parts: &Parts) -> Vec<Carried> {
        let mut carried = Vec::new();
        for (index, name) in self.spec.predictions.carry.iter().enumerate() {
            if let Some((_, text)) = parts.carried_ids.iter().find(|(id, _)| id == name) {
                let what = CarriedPlace::Text(*text);
                carried.push(Carried { name: name.clone(), what });
                continue;
            }
            let before = carried.len();
            for column in parts.layout.find(name) {
                let category = parts.categories.iter().find(|c| c.name == column.name);
                let what = match (category, column.place) {
                    (Some(category), _) => CarriedPlace::Text(category.text),
                    (None, Place::Text(index)) => CarriedPlace::Text(parts.texts[index]),
                    (None, place) => CarriedPlace::Column(place),
                };
                carried.push(Carried { name: column.name.clone(), what });
            }
            if carried.len() == before && !self.is_mistaken_step(&parts.layout, name) {
                let message = format!("there is no field or step `{name}`");
                let mut mistake = Mistake::new(format!("predictions.carry[{index}]"), message);
                mistake.help = self.nearest_column(&parts.layout, name);
                self.mistakes.push(mistake);
            }
        }
        carried
    }

    fn refusals(&mut self) {
        if let alluvium_learn::Over::Time(_) = self.spec.refusals.over {
            let message = "the share of refused records is taken of a number of records";
            let mistake = Mistake::new("refusals.over", message);
            self.mistakes.push(mistake.help("write `over = \"1000 records\"`"));
        }
    }

    /// Answers that nobody gives must not be all that is written.
    fn only(&mut self, models: &[Model]) {
        let finds = |model: &Model| model.judged.task == alluvium_learn::Task::Score;
        if self.spec.predictions.only.is_some() && !models.iter().any(finds) {
            let message = "no model here finds anomalies, so no answer would be written";
            let help = "a learner without a label does, such as `cusum`, `ewma` or `robust_z`";
            self.mistakes.push(Mistake::new("predictions.only", message).help(help));
        }
    }

    fn champion(&mut self) {
        if let Some(first) = &self.spec.champion.first
            && !self.spec.model.contains_key(first)
        {
            let message = format!("there is no model `{first}`");
            let mut mistake = Mistake::new("champion.first", message);
            mistake.help = paths::nearest(first, self.spec.model.keys().map(String::as_str));
            self.mistakes.push(mistake);
        }
    }
}

/// The metrics that suit a task, where the file names none.
fn default_metrics(task: alluvium_learn::Task) -> Vec<MetricConfig> {
    let names: &[&str] = match task {
        alluvium_learn::Task::Class => &["accuracy", "kappa_t", "log_loss"],
        alluvium_learn::Task::Number => &["mae", "rmse", "r2"],
        alluvium_learn::Task::Cluster => &["sum_of_squares"],
        _ => &[],
    };
    names.iter().filter_map(|name| MetricConfig::by_name(name)).collect()
}
