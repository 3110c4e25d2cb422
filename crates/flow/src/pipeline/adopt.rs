//! Other settings for the same state.
//!
//! A state has no names in it: weights are numbers in a row. So before it is read by what other
//! settings build, their names are compared with those it was learned by.

use std::sync::Arc;

use alluvium_learn::{StateError, Time};
use serde_json::Value;

use super::{Pipeline, Sections, plan::FILLED};
use crate::{Settings, spec::Spec};

impl Pipeline {
    /// Goes on with other settings and the state as it is. Judges begin anew where they are other
    /// ones; where the champion's model was left out, the first one answers.
    pub(super) fn adopt(&mut self, settings: &Arc<Settings>, since: Time) -> Result<(), String> {
        let sections = self.save();
        self.go_on_with(settings, since, sections)
    }

    /// The same, where what the settings name more begins with nothing learned.
    pub(super) fn begin(&mut self, settings: &Arc<Settings>, since: Time) -> Result<(), String> {
        let sections = self.begun(settings)?;
        self.go_on_with(settings, since, sections)
    }

    fn go_on_with(
        &mut self,
        settings: &Arc<Settings>,
        since: Time,
        sections: Sections,
    ) -> Result<(), String> {
        let mut next = self.adopted(settings, since, &sections)?;
        if self.spec.judge == next.spec.judge {
            next.restore_judges(&sections).map_err(|why| why.to_string())?;
        }
        if let (Some(next), Some(known)) = (&mut next.label_join, &mut self.label_join) {
            next.watched = known.watched.take();
        }
        *self = next;
        Ok(())
    }

    /// The state, and beside it that of what other settings name more.
    fn begun(&self, settings: &Arc<Settings>) -> Result<Sections, String> {
        let fresh = Pipeline::build(settings).map_err(|error| error.to_string())?;
        let mut sections = fresh.save();
        sections.extend(self.save());
        Ok(sections)
    }

    /// Whether [`Decision::Begin`](crate::Decision::Begin) could be carried out here.
    ///
    /// # Errors
    /// Why it could not.
    pub fn could_begin(&self, settings: &Arc<Settings>) -> Result<(), String> {
        self.adopted(settings, 0, &self.begun(settings)?).map(drop)
    }

    /// Whether [`Pipeline`] could go on with other settings and this state.
    ///
    /// # Errors
    /// Why it could not.
    pub fn could_adopt(&self, settings: &Arc<Settings>) -> Result<(), String> {
        self.adopted(settings, 0, &self.save()).map(drop)
    }

    /// A pipeline of other settings with what this one learned.
    fn adopted(
        &self,
        settings: &Arc<Settings>,
        since: Time,
        sections: &Sections,
    ) -> Result<Pipeline, String> {
        let mut next = Pipeline::build(settings).map_err(|error| error.to_string())?;
        for model in &next.models {
            let name = &model.judged.name;
            let known = self.models.iter().find(|known| known.judged.name == *name);
            if known.is_some_and(|known| known.shape != model.shape) {
                return Err(format!("model {name} would see other features than it has learned"));
            }
        }
        is_learned_alike(&self.spec, &next.spec)?;
        if let Some(added) = next.save().keys().find_map(|name| added(name, sections)) {
            return Err(format!("{added} was added, and has learned nothing"));
        }
        next.restore_learned(sections).map_err(|why| match why {
            // Its own, of a moment ago: the settings have made another thing of it.
            StateError::Format { of, .. } => format!("{of} would keep another state"),
            why => format!("the state does not fit the new settings: {why}"),
        })?;
        let champion = next.registry.champion().map(|champion| champion.model.clone());
        if champion.is_some_and(|model| next.registry.of(&model).is_none())
            && let Some(first) = next.spec.first_champion()
        {
            let step = next.counters.steps;
            next.registry.promote(first, None, step, since, "adopt")?;
        }
        Ok(next)
    }
}

/// What a section is of that is not among others; judges may begin anew.
fn added(section: &str, known: &Sections) -> Option<String> {
    let (kind, name) = section.split_once('/').filter(|(kind, _)| *kind != "judge")?;
    // A step that fills a field's gaps has the field's name.
    let shown = match name.strip_suffix(FILLED) {
        Some(field) => format!("what fills the gaps of field {field}"),
        None => format!("{kind} {name}"),
    };
    (!known.contains_key(section)).then_some(shown)
}

/// Whether models, steps and fields that both settings name are of the same kind, and read the
/// same.
fn is_learned_alike(from: &Spec, to: &Spec) -> Result<(), String> {
    let comes_by =
        |spec: &Spec| spec.label.as_ref().map(|label| (label.input.clone(), label.matches.clone()));
    if comes_by(from) != comes_by(to) {
        return Err("labels would come in another way".into());
    }
    for (name, model) in &to.model {
        let known = from.model.get(name).map(|known| known.learner.name());
        if known.is_some_and(|known| known != model.learner.name()) {
            return Err(format!("model {name} would be another learner"));
        }
    }
    for (name, step) in &to.features {
        let known = from.features.get(name);
        if known.is_some_and(|known| (known.name(), known.reads()) != (step.name(), step.reads())) {
            return Err(format!("step {name} would be another one, or read something else"));
        }
    }
    for (name, field) in &to.fields {
        let known = from.fields.get(name).map(stand_in);
        if known.is_some_and(|known| !known.is_null() && known != stand_in(field)) {
            return Err(format!("field {name} would fill its gaps in another way"));
        }
    }
    Ok(())
}

/// What stands in for a field's gaps; null for nothing.
fn stand_in(field: &crate::spec::Field) -> Value {
    let said = serde_json::to_value(field).unwrap_or_default();
    let settings = said.as_object().and_then(|kinds| kinds.values().next());
    settings.map_or(Value::Null, |settings| settings["missing"].clone())
}
