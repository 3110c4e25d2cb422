//! One record, all the way: what was read, what the steps made of it, what every model answers.

use std::sync::Arc;

use alluvium_learn::{Column, Place, SlotKind, Time};
use serde_json::{Map, Value, json};

use super::{
    Pipeline,
    admit::{Truth, text},
    plan::{Category, FILLED},
};
use crate::{
    Run,
    decode::{Refusal, Rows},
};

/// A record as the pipeline sees it just before it learns it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inspected {
    /// Its event time.
    pub time: Time,
    /// The fields, gaps filled; a category as its name, an identity as its hash.
    pub fields: Vec<(String, Value)>,
    /// What the steps made of them: a number, or slots and values where it is hashed.
    pub features: Vec<(String, Value)>,
    /// The label: a class's name, a number, or null.
    pub label: Value,
    /// What each model answers.
    pub answers: Vec<(Arc<str>, Value)>,
}

impl Pipeline {
    /// Looks at one decoded record, by its index in a run's batch; nothing that is kept changes.
    ///
    /// # Errors
    /// When the record is turned away.
    pub fn inspect(&mut self, run: &Run<'_>, index: usize) -> Result<Inspected, Refusal> {
        let (rows, time) = (run.rows, run.rows.times[index]);
        if let Some(refusal) = rows.refusals[index].or_else(|| self.lateness(run.input, time)) {
            return Err(refusal);
        }
        let truth = self.truth(run.input, rows, index)?;
        let label = match truth {
            Truth::Nothing => Value::Null,
            Truth::Class(code) => self.classes.name(code).into(),
            Truth::NewClass(span) => text(rows, span).into(),
            Truth::Number(value) => value.into(),
        };
        if self.inputs[run.input].is_label {
            let name = self.spec.label.as_ref().and_then(|label| label.matches.clone());
            let id = format!("{:016x}", rows.ids[index]).into();
            let fields = name.map(|name| (name, id)).into_iter().collect();
            return Ok(Inspected { time, fields, label, ..Inspected::default() });
        }
        self.score(rows, index, time);
        let (mut fields, mut features) = (Vec::new(), Vec::new());
        for column in self.layout.columns().iter().filter(|c| !c.group.ends_with(FILLED)) {
            let shown = (column.name.clone(), self.shown(column, rows, index));
            let is_field = self.spec.fields.contains_key(&column.group);
            if is_field { &mut fields } else { &mut features }.push(shown);
        }
        Ok(Inspected { time, fields, features, label, answers: self.answers() })
    }

    /// A category as the record has it; null where it has none.
    fn written(&self, category: &Category, rows: &Rows, index: usize) -> Value {
        let span = rows.texts[index * self.texts_per_row + category.text];
        Some(text(rows, span)).filter(|name| !name.is_empty()).into()
    }

    fn shown(&self, column: &Column, rows: &Rows, index: usize) -> Value {
        match column.place {
            Place::Dense { slot, kind } => {
                let value = self.scratch.values[slot];
                let category = self.categories.iter().find(|category| category.name == column.name);
                match (kind, category) {
                    (SlotKind::Nominal { .. }, Some(category)) => {
                        // A name that is seen for the first time has no code before it is learned.
                        match category.dictionary.name(value as u32) {
                            Some(name) => name.into(),
                            None => self.written(category, rows, index),
                        }
                    }
                    _ => json!(value),
                }
            }
            Place::Sparse { block, .. } => {
                let pairs = self.scratch.blocks[block].iter();
                let shown: Map<String, Value> =
                    pairs.map(|pair| (pair.slot.to_string(), json!(pair.value))).collect();
                Value::Object(shown)
            }
            Place::Id(id) => format!("{:016x}", rows.ids[index * self.layout.ids + id]).into(),
            Place::Text(place) => text(rows, self.scratch.spans[place]).into(),
            Place::Label(_) => Value::Null,
        }
    }

    fn answers(&mut self) -> Vec<(Arc<str>, Value)> {
        let Pipeline { models, classes, scratch, .. } = self;
        let answer = |model: &super::Model| {
            let judged = &model.judged;
            let mut bytes = vec![b'{'];
            scratch.emitter.answer(&mut bytes, judged.task, &judged.answer, classes);
            bytes.push(b'}');
            (judged.name.clone(), serde_json::from_slice(&bytes).unwrap_or_default())
        };
        models.iter().map(answer).collect()
    }
}
