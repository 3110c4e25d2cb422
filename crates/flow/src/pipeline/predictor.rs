//! A published version, frozen: it answers and never learns.

use std::sync::Arc;

use alluvium_learn::{LabelShape, StateError};
use serde_json::{Map, Value, json};

use super::{
    InputPlan, Pipeline, PlanError, Sections,
    model::saved,
    state::{CLASSES, of_field, of_model, of_step, read},
};
use crate::{
    Settings,
    decode::{Refusal, Rows},
    settings::KERNEL,
};

/// Answers with one version of one model. Holds no way to learn: what trains is not reachable.
pub struct Predictor {
    pipeline: Pipeline,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scored {
    /// The answer was written.
    Answered,
    /// The record was turned away.
    Refused(Refusal),
}

/// Why a version cannot be used.
#[derive(Clone, Debug)]
pub enum PredictorError {
    /// Its settings cannot be built.
    Plan(PlanError),
    /// Its state cannot be read.
    State(StateError),
}

impl std::fmt::Display for PredictorError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PredictorError::Plan(error) => write!(f, "its settings: {error}"),
            PredictorError::State(error) => write!(f, "its state: {error}"),
        }
    }
}

impl std::error::Error for PredictorError {}

impl Predictor {
    /// Takes a version's settings (those of one model, in canonical form), its model's name and its
    /// sections.
    ///
    /// # Errors
    /// When they do not make a model.
    pub fn new(
        settings: &Value,
        model: &str,
        sections: &Sections,
    ) -> Result<Predictor, PredictorError> {
        let mut learned = settings.clone();
        let only = learned["model"].take();
        learned["model"] = Value::Object(Map::from_iter([(model.to_string(), only)]));
        let runs = json!({ "name": "predictor" });
        let settings = Arc::new(Settings { kernel: KERNEL, learned, runs });
        let mut pipeline = Pipeline::build(&settings).map_err(PredictorError::Plan)?;
        pipeline.forget_label();
        pipeline.restore_version(sections, model).map_err(PredictorError::State)?;
        Ok(Predictor { pipeline })
    }

    /// The inputs whose records it can answer. Their labels are not read: they may be missing.
    pub fn inputs(&self) -> &[InputPlan] {
        self.pipeline.inputs()
    }

    /// Appends the answer to one decoded record as a JSON object: `{"answer":...}`.
    pub fn score(&mut self, rows: &Rows, index: usize, to: &mut Vec<u8>) -> Scored {
        if let Some(refusal) = rows.refusals[index] {
            return Scored::Refused(refusal);
        }
        self.pipeline.score(rows, index, rows.times[index]);
        let Pipeline { models, classes, scratch, .. } = &mut self.pipeline;
        let judged = &models[0].judged;
        to.push(b'{');
        scratch.emitter.answer(to, judged.task, &judged.answer, classes);
        to.push(b'}');
        Scored::Answered
    }
}

impl Pipeline {
    /// Rows come without a label from here on: what is to be foretold is not known yet.
    fn forget_label(&mut self) {
        let is_within = self.label_join.take().is_none();
        self.inputs.retain(|input| !input.is_label);
        self.inputs.iter_mut().for_each(|input| input.decode.label = None);
        self.numbers_per_row = self.numbers;
        let is_class = matches!(self.label, LabelShape::Class { .. });
        self.texts_per_row -= usize::from(is_within && is_class);
    }

    fn restore_version(&mut self, sections: &Sections, model: &str) -> Result<(), StateError> {
        read(sections, CLASSES, |from| alluvium_learn::State::restore(&mut self.classes, from))?;
        for category in &mut self.categories {
            read(sections, &of_field(&category.name), |from| {
                alluvium_learn::State::restore(&mut category.dictionary, from)
            })?;
        }
        for step in &mut self.steps {
            read(sections, &of_step(&step.name), |from| step.object.0.restore(from))?;
        }
        let learner = &mut self.models[0].judged.learner;
        read(sections, &of_model(model), |from| learner.restore(from))?;
        debug_assert_eq!(saved(learner.as_ref()), sections[&of_model(model)]);
        Ok(())
    }
}
