//! The state of a pipeline as sections, and what becomes of it when it is forgotten.

use alluvium_learn::{Reader, State, StateError, Writer};

use super::{Counters, Pipeline, Sections, model::saved};
use crate::order::OrderKey;

/// The section of the classes' names; part of every version.
pub(super) const CLASSES: &str = "classes";
const COUNTERS: &str = "counters";
const REGISTRY: &str = "registry";

pub(super) fn of_field(name: &str) -> String {
    format!("field/{name}")
}

pub(super) fn of_step(name: &str) -> String {
    format!("step/{name}")
}

pub(super) fn of_model(name: &str) -> String {
    format!("model/{name}")
}

/// Whether a section is what steps have learned, or the names that have codes.
pub(super) fn is_prepared(section: &str) -> bool {
    section.starts_with("field/") || section.starts_with("step/")
}

fn of_judge(name: &str) -> String {
    format!("judge/{name}")
}

impl Pipeline {
    /// Every part of the state, by name.
    pub fn save(&self) -> Sections {
        let mut sections = Sections::new();
        sections.insert(CLASSES.into(), saved(&self.classes));
        sections.insert(COUNTERS.into(), self.save_counters());
        sections.insert(REGISTRY.into(), saved(&self.registry));
        for category in &self.categories {
            sections.insert(of_field(&category.name), saved(&category.dictionary));
        }
        for step in &self.steps {
            sections.insert(of_step(&step.name), saved(step.object.0.as_ref()));
        }
        for model in &self.models {
            let name = &model.judged.name;
            sections.insert(of_model(name), saved(model.judged.learner.as_ref()));
        }
        for baseline in &self.baselines {
            let name = format!("baseline/{}", baseline.name);
            sections.insert(name, saved(baseline.learner.as_ref()));
        }
        let models = self.models.iter().map(|model| &model.judged);
        for judged in models.chain(&self.baselines) {
            let mut to = Writer::new();
            judged.judge.save(&mut to);
            if let Some((_, detector)) = &judged.detector {
                detector.save(&mut to);
            }
            sections.insert(of_judge(&judged.name), to.into_bytes());
        }
        if let Some(join) = &self.label_join {
            join.waiting.save(&mut sections);
        }
        sections
    }

    /// Takes the state that [`Pipeline::save`] gave, into a pipeline fresh from the same settings.
    ///
    /// # Errors
    /// When the sections are not those of such a pipeline.
    pub fn restore(&mut self, sections: &Sections) -> Result<(), StateError> {
        self.restore_learned(sections)?;
        self.restore_judges(sections)
    }

    pub(super) fn restore_learned(&mut self, sections: &Sections) -> Result<(), StateError> {
        read(sections, CLASSES, |from| self.classes.restore(from))?;
        read(sections, COUNTERS, |from| self.restore_counters(from))?;
        read(sections, REGISTRY, |from| self.registry.restore(from))?;
        for category in &mut self.categories {
            read(sections, &of_field(&category.name), |from| category.dictionary.restore(from))?;
        }
        for step in &mut self.steps {
            read(sections, &of_step(&step.name), |from| step.object.0.restore(from))?;
        }
        for model in &mut self.models {
            let name = of_model(&model.judged.name);
            read(sections, &name, |from| model.judged.learner.restore(from))?;
        }
        for baseline in &mut self.baselines {
            let name = format!("baseline/{}", baseline.name);
            read(sections, &name, |from| baseline.learner.restore(from))?;
        }
        self.label_join.as_mut().map_or(Ok(()), |join| join.waiting.restore(sections))
    }

    pub(super) fn restore_judges(&mut self, sections: &Sections) -> Result<(), StateError> {
        let models = self.models.iter_mut().map(|model| &mut model.judged);
        for judged in models.chain(&mut self.baselines) {
            read(sections, &of_judge(&judged.name), |from| {
                judged.judge.restore(from)?;
                match &mut judged.detector {
                    Some((_, detector)) => detector.restore(from),
                    None => Ok(()),
                }
            })?;
        }
        Ok(())
    }

    fn save_counters(&self) -> Vec<u8> {
        let Counters { steps, read, learned, refused, alarms, .. } = self.counters;
        let mut to = Writer::new();
        to.u16(2);
        for count in [steps, read, learned, refused, alarms, self.counters.names_without_room] {
            to.u64(count);
        }
        for time in [self.counters.time, self.counters.due] {
            to.bool(time.is_some());
            to.i64(time.unwrap_or(0));
        }
        to.f64(self.counters.label_before);
        to.len(self.counters.refused_by.len());
        for (reason, count) in &self.counters.refused_by {
            to.str(reason);
            to.u64(*count);
        }
        to.len(self.counters.positions.len());
        for ((input, partition), position) in &self.counters.positions {
            to.str(input);
            to.u32(*partition);
            to.u64(*position);
        }
        to.blob(&self.refusals.to_bytes());
        to.bool(self.counters.watermark.is_some());
        to.i64(self.counters.watermark.unwrap_or(0));
        to.len(self.counters.orders.len());
        for ((input, partition), order) in &self.counters.orders {
            to.str(input);
            to.u32(*partition);
            order.save(&mut to);
        }
        to.into_bytes()
    }

    fn restore_counters(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        let format = from.format("the counters", 2)?;
        let mut counters = Counters {
            steps: from.u64()?,
            read: from.u64()?,
            learned: from.u64()?,
            refused: from.u64()?,
            alarms: from.u64()?,
            names_without_room: from.u64()?,
            ..Counters::default()
        };
        for time in [&mut counters.time, &mut counters.due] {
            let is_some = from.bool()?;
            *time = Some(from.i64()?).filter(|_| is_some);
        }
        counters.label_before = from.f64()?;
        for _ in 0..from.len(16)? {
            let reason = from.str()?.to_string();
            counters.refused_by.insert(reason, from.u64()?);
        }
        for _ in 0..from.len(20)? {
            let place = (from.str()?.into(), from.u32()?);
            counters.positions.insert(place, from.u64()?);
        }
        self.refusals.restore(from.blob()?);
        // Format 1 had no watermark of its own.
        if format > 1 {
            let is_some = from.bool()?;
            counters.watermark = Some(from.i64()?).filter(|_| is_some);
            for _ in 0..from.len(13)? {
                let place = (from.str()?.into(), from.u32()?);
                counters.orders.insert(place, OrderKey::read(from)?);
            }
        }
        self.counters = counters;
        Ok(())
    }

    /// Forgets what a model learned, or everything.
    pub(super) fn reset(&mut self, model: Option<&str>) -> Result<(), String> {
        let fresh = Pipeline::build(&self.settings).map_err(|error| error.to_string())?;
        match model {
            None => {
                let kept = (self.counters.clone(), self.registry.clone());
                let refusals = std::mem::take(&mut self.refusals);
                *self = fresh;
                (self.counters, self.registry) = kept;
                (self.counters.label_before, self.refusals) = (f64::NAN, refusals);
            }
            Some(name) => {
                let index = self.models.iter().position(|model| *model.judged.name == *name);
                let index = index.ok_or_else(|| format!("there is no model {name}"))?;
                let model = fresh.models.into_iter().nth(index);
                self.models[index] = model.ok_or("the same settings build the same models")?;
            }
        }
        Ok(())
    }
}

/// Reads one section to its end.
pub(super) fn read(
    sections: &Sections,
    name: &str,
    restore: impl FnOnce(&mut Reader<'_>) -> Result<(), StateError>,
) -> Result<(), StateError> {
    let bytes = sections.get(name).ok_or(StateError::Unfit { what: "a section is not there" })?;
    let mut from = Reader::new(bytes);
    restore(&mut from)?;
    from.end()
}
