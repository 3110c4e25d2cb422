//! What joins a pipeline that has learned already: models, steps and fields that its settings did
//! not name so far.
//!
//! What joins learns the past first, along the same order, and alone: [`Joins::alone`] makes the
//! settings for that. Nothing of what the others learn may hang on it, so a field that joins must
//! never turn a record away.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    Settings,
    spec::{Answer, Champion, Field, LogChoice, Predictions, Spec},
};

/// Names that later settings have and earlier ones have not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joins {
    /// Models.
    pub models: BTreeSet<String>,
    /// Feature steps.
    pub steps: BTreeSet<String>,
    /// Fields.
    pub fields: BTreeSet<String>,
}

impl Joins {
    /// What settings name that those in force do not.
    ///
    /// # Errors
    /// When this release cannot read one of them.
    pub fn between(from: &Settings, to: &Settings) -> Result<Joins, String> {
        let (from, to) = (from.spec()?, to.spec()?);
        let missing = |names: Vec<&String>, is_known: &dyn Fn(&str) -> bool| {
            names.into_iter().filter(|name| !is_known(name)).cloned().collect()
        };
        Ok(Joins {
            models: missing(to.model.keys().collect(), &|name| from.model.contains_key(name)),
            steps: missing(to.features.keys().collect(), &|name| from.features.contains_key(name)),
            fields: missing(to.fields.keys().collect(), &|name| from.fields.contains_key(name)),
        })
    }

    /// Whether settings need only that something joins to be those wanted, or are those already.
    pub fn lead_from(asked: &Settings, wanted: &Settings) -> bool {
        let rest = || Joins::between(asked, wanted)?.left_out(wanted);
        asked.learned == wanted.learned || rest().is_ok_and(|rest| rest.learned == asked.learned)
    }

    /// Whether nothing joins.
    pub fn is_empty(&self) -> bool {
        self.models.is_empty() && self.steps.is_empty() && self.fields.is_empty()
    }

    /// What joins, for people: its models, or what else it is.
    pub fn names(&self) -> Vec<Arc<str>> {
        let shown = [&self.models, &self.steps, &self.fields];
        let first = shown.into_iter().find(|names| !names.is_empty());
        first.into_iter().flatten().map(|name| name.as_str().into()).collect()
    }

    /// The settings without what joins. Where they are those in force, nothing else was changed.
    ///
    /// # Errors
    /// When this release cannot read them.
    pub fn left_out(&self, to: &Settings) -> Result<Settings, String> {
        let mut spec = to.spec()?;
        spec.model.retain(|name, _| !self.models.contains(name));
        spec.features.retain(|name, _| !self.steps.contains(name));
        spec.fields.retain(|name, _| !self.fields.contains(name));
        for input in spec.input.values_mut() {
            input.paths.retain(|name, _| !self.fields.contains(name));
        }
        let learned = spec.learned_json();
        Ok(Settings { kernel: to.kernel, learned, runs: to.runs.clone() })
    }

    /// The settings to ask for where more was changed than that something joins: without what
    /// joins, and as it runs now where it could not run as the file says before it has joined.
    ///
    /// # Errors
    /// When this release cannot read them.
    pub fn adoptable(&self, from: &Settings, to: &Settings) -> Result<Arc<Settings>, String> {
        let base = Arc::new(self.left_out(to)?);
        if crate::Pipeline::build(&base).is_ok() {
            return Ok(base);
        }
        Ok(Arc::new(Settings { runs: from.runs.clone(), ..Settings::clone(&base) }))
    }

    /// Why it cannot join: what it brings would change which records the others learn.
    ///
    /// # Errors
    /// When this release cannot read the settings.
    pub fn unfit(&self, to: &Settings) -> Result<Option<String>, String> {
        let spec = to.spec()?;
        let refuses = self.fields.iter().find_map(|name| {
            let field = spec.fields.get(name).filter(|field| may_refuse(field))?;
            Some((name, field))
        });
        Ok(refuses.map(|(name, field)| {
            let others = "a record without it would be refused, and so the other models would \
                          learn other records than they have";
            let right = match field {
                Field::Number(_) | Field::Flag(_) | Field::Category(_) => {
                    format!(": give it `missing`, as in {}", example(name, field))
                }
                _ => String::new(),
            };
            format!("field {name} joins, and {others}{right}")
        }))
    }

    /// The settings by which what joins learns the past, alone: as it would have learned it beside
    /// the others under `past`, the settings in force back then. What it reads and shares with them
    /// is as they had it; what it brings is as `to` has it. All fields that turn records away are
    /// there, so that it learns the records that were learned.
    ///
    /// # Errors
    /// When this release cannot read one of them.
    pub fn alone(&self, past: &Settings, to: &Settings) -> Result<Arc<Settings>, String> {
        let (mut alone, to) = (past.spec()?, to.spec()?);
        let needed = self.needed(&to);
        for name in &needed {
            if let Some(step) = to.features.get(name)
                && (self.steps.contains(name) || !alone.features.contains_key(name))
            {
                alone.features.insert(name.clone(), step.clone());
            }
            if let Some(field) = to.fields.get(name)
                && (self.fields.contains(name) || !alone.fields.contains_key(name))
            {
                alone.fields.insert(name.clone(), field.clone());
                take_paths(name, &to, &mut alone);
            }
        }
        alone.features.retain(|name, _| needed.contains(name));
        alone.fields.retain(|name, field| needed.contains(name) || may_refuse(field));
        alone.model = to.model;
        alone.model.retain(|name, _| self.models.contains(name));
        // Nobody sees what it answers and publishes of the past.
        alone.champion = Champion::default();
        alone.predictions = Predictions { answer: Answer::Live, ..Predictions::default() };
        alone.versions.every = alluvium_learn::Over::Records(u64::MAX);
        alone.log = LogChoice::default();
        Ok(Arc::new(Settings { kernel: past.kernel, ..Settings::of(&alone) }))
    }

    /// The fields and steps that what joins is, or reads.
    fn needed(&self, to: &Spec) -> BTreeSet<String> {
        let mut needed = to.read_from(self.steps.iter().chain(&self.fields).cloned().collect());
        for model in &self.models {
            needed.extend(to.read_by(model).unwrap_or_default());
        }
        needed
    }
}

/// Whether a value can make a record be turned away.
fn may_refuse(field: &Field) -> bool {
    match field {
        Field::Number(number) => number.missing.is_none(),
        Field::Flag(flag) => flag.missing.is_none(),
        Field::Category(category) => category.missing.is_none(),
        // A record with another number of columns or elements is no gap; nor is a text or an
        // identity that is not there.
        Field::Numbers(_) | Field::Text(_) | Field::Id(_) => true,
    }
}

/// How a field is written that has what stands in for its gaps.
fn example(name: &str, field: &Field) -> String {
    match field {
        Field::Flag(_) => format!("{name}.flag = {{ missing = false }}"),
        Field::Category(_) => format!("{name}.category = {{ missing = \"unknown\" }}"),
        _ => format!("{name}.number = {{ missing = \"mean\" }}"),
    }
}

/// Where a field is found, in each input.
fn take_paths(field: &str, from: &Spec, into: &mut Spec) {
    for (name, input) in &mut into.input {
        match from.input.get(name).and_then(|input| input.paths.get(field)) {
            Some(path) => drop(input.paths.insert(field.into(), path.clone())),
            None => drop(input.paths.remove(field)),
        }
    }
}
