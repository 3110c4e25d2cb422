//! Other settings that name more, and the state of what joins: learned by itself, beside what was
//! learned here.

use std::sync::Arc;

use super::{
    Pipeline, Registry, Sections, Versions,
    state::{CLASSES, is_prepared},
    waiting,
};
use crate::{Effects, Joins, Settings};

impl Pipeline {
    /// Goes on as a pipeline of its own: no version of it was published yet, and the first champion
    /// answers.
    pub(super) fn be_born(&mut self, effects: &mut Effects) {
        let names = self.models.iter().map(|model| model.judged.name.clone());
        self.registry = Registry {
            models: names.map(|name| (name, Versions::default())).collect(),
            ..Registry::default()
        };
        if let Some(first) = self.spec.first_champion() {
            let step = self.counters.steps;
            // The planner has seen to it that there is such a model.
            self.registry.promote(first, None, step, effects.time, "first").unwrap_or_default();
        }
        self.publish(effects);
    }

    /// Takes in what joins: its state is that of a pipeline that has learned the past for it.
    /// Nothing else changes. Judges begin anew where they are other ones.
    ///
    /// # Errors
    /// When more was changed than that something joins, or when what both have learned differs;
    /// then nothing changes.
    pub(super) fn join(
        &mut self,
        settings: &Arc<Settings>,
        past: &Sections,
    ) -> Result<Vec<Arc<str>>, String> {
        let joins = Joins::between(&self.settings, settings)?;
        if joins.left_out(settings)?.learned != self.settings.learned {
            return Err("more was changed than that something joins".into());
        }
        if let Some(why) = joins.unfit(settings)? {
            return Err(why);
        }
        let mut next = Pipeline::build(settings).map_err(|error| error.to_string())?;
        let own = self.save();
        let mut sections = Sections::new();
        for name in next.save().into_keys() {
            let is_shared = name == CLASSES || is_prepared(&name);
            let bytes = match (own.get(&name), past.get(&name)) {
                (Some(own), Some(past)) if is_shared && own != past => {
                    return Err(format!("{name} was learned in another way here"));
                }
                (Some(own), _) => own,
                (None, Some(past)) => past,
                (None, None) => return Err(format!("{name} has learned nothing")),
            };
            sections.insert(name, bytes.clone());
        }
        self.take_rows(&joins, &own, past, &mut sections)?;
        let unfit = |why: alluvium_learn::StateError| why.to_string();
        next.restore_learned(&sections).map_err(unfit)?;
        if self.spec.judge == next.spec.judge {
            next.restore_judges(&sections).map_err(unfit)?;
        }
        *self = next;
        Ok(joins.names())
    }

    /// What waits for its label: all of it here, and the rows of models that join.
    fn take_rows(
        &self,
        joins: &Joins,
        own: &Sections,
        past: &Sections,
        to: &mut Sections,
    ) -> Result<(), String> {
        if self.label_join.is_none() {
            return Ok(());
        }
        if own.get(waiting::SECTION) != past.get(waiting::SECTION) {
            return Err("labels came in another way here".into());
        }
        let is_below = |name: &String, whole: &str| {
            name.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let copy = |(name, bytes): (&String, &Vec<u8>)| (name.clone(), bytes.clone());
        to.extend(own.iter().filter(|(name, _)| is_below(name, waiting::SECTION)).map(copy));
        for model in &joins.models {
            let rows = waiting::of_model(model);
            to.extend(past.iter().filter(|(name, _)| is_below(name, &rows)).map(copy));
        }
        Ok(())
    }
}
