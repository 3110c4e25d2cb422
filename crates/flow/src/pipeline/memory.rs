//! What the learned state takes.

use alluvium_learn::State;

use super::Pipeline;

/// The memory of a pipeline's learned state now, in bytes, by its own account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The models' learners, and those of the baselines.
    pub models: usize,
    /// The steps.
    pub steps: usize,
    /// The metrics of models and baselines, and the detectors beside them.
    pub metrics: usize,
    /// The names of categories and classes, and the list of versions.
    pub names: usize,
    /// Examples that wait for their labels, and what is known of those that were settled.
    pub waiting: usize,
}

impl Memory {
    /// All of it.
    pub fn sum(&self) -> usize {
        self.models + self.steps + self.metrics + self.names + self.waiting
    }
}

impl Pipeline {
    /// What the learned state takes now.
    pub fn memory(&self) -> Memory {
        let mut memory = Memory::default();
        let models = self.models.iter().map(|model| &model.judged);
        for judged in models.chain(&self.baselines) {
            memory.models += judged.learner.footprint_bytes();
            memory.metrics += judged.judge.footprint_bytes();
            let detector = judged.detector.as_ref();
            memory.metrics += detector.map_or(0, |(_, detector)| detector.footprint_bytes());
        }
        memory.steps = self.steps.iter().map(|step| step.object.0.footprint_bytes()).sum();
        let names = self.categories.iter().map(|category| category.dictionary.footprint_bytes());
        memory.names = names.sum::<usize>() + self.classes.footprint_bytes();
        memory.names += self.registry.footprint_bytes();
        memory.waiting = self.label_join.as_ref().map_or(0, |join| join.waiting.footprint_bytes());
        memory
    }
}
