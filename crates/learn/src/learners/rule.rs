//! Learners without labels whose whole state is a few words of 8 bytes: what each is by itself, and
//! what makes a learner of it. So one small model for each of millions of keys is those words and
//! nothing else (see `surround/by.rs`).

use crate::{
    ConfigError, Features, Label, Learner, Prediction, Reader, Shape, State, StateError, Task,
    Writer,
};

/// How strange a row is, by the words that are known of those before. Fresh words are all 0.
pub trait Rule: Send + Sync {
    /// Its name in settings.
    fn name(&self) -> &'static str;

    /// How many words it needs.
    fn words(&self) -> usize;

    /// How strange a row is: from 0 to 1, an anomaly above one half.
    fn score(&self, known: &[u64], x: &Features<'_>) -> f64;

    /// Takes a row in; `weight` is above 0.
    fn learn(&self, known: &mut [u64], x: &Features<'_>, weight: f64);

    /// Whether words that were read can be.
    fn is_sound(&self, known: &[u64]) -> bool;

    /// Bytes on the heap.
    fn heap_bytes(&self) -> usize {
        0
    }

    /// A copy.
    fn fork(&self) -> Box<dyn Rule>;
}

/// One learner of a rule. Invariant: `known` has as many words as the rule needs, and is sound.
#[derive(Clone, Debug)]
pub struct Alone<R> {
    pub(super) rule: R,
    pub(super) known: Box<[u64]>,
}

impl<R: Rule> Alone<R> {
    pub(super) fn of(rule: R) -> Alone<R> {
        Alone { known: vec![0; rule.words()].into(), rule }
    }
}

/// Format 1: the words.
const FORMAT: u16 = 1;

impl<R: Rule> State for Alone<R> {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        self.known.iter().for_each(|word| to.u64(*word));
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format(self.rule.name(), FORMAT)?;
        for word in &mut self.known {
            *word = from.u64()?;
        }
        match self.rule.is_sound(&self.known) {
            true => Ok(()),
            false => {
                Err(StateError::Unfit { what: "a learner of scores has a number out of range" })
            }
        }
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<Alone<R>>() + size_of_val(&*self.known) + self.rule.heap_bytes()
    }
}

impl<R: Rule + Clone + 'static> Learner for Alone<R> {
    fn task(&self) -> Task {
        Task::Score
    }

    fn predict(&self, x: &Features<'_>, out: &mut Prediction) {
        out.clear();
        out.value = self.rule.score(&self.known, x);
    }

    fn learn(&mut self, x: &Features<'_>, _: Label<'_>, weight: f64) {
        if weight > 0.0 {
            self.rule.learn(&mut self.known, x, weight);
        }
    }

    fn rule(&self) -> Option<Box<dyn Rule>> {
        Some(self.rule.fork())
    }
}

/// A statistic from 0 to infinity as a score from 0 to 1: one half where it is the threshold.
pub(super) fn scored(statistic: f64, threshold: f64) -> f64 {
    if statistic > 0.0 { 1.0 / (1.0 + threshold / statistic) } else { 0.0 }
}

/// How many numbers a row has, if it has nothing else that would count.
pub(super) fn numbers(name: &str, shape: &Shape) -> Result<usize, ConfigError> {
    if let Some(slot) = shape.first_nominal() {
        let slot = &slot.name;
        return Err(ConfigError::unfit(format!(
            "{name} takes numbers alone, and {slot} holds categories; give it a model `by` them"
        )));
    }
    if shape.sparse_size > 0 {
        return Err(ConfigError::unfit(format!("{name} takes numbers alone, no hashed features")));
    }
    match shape.dense.len() {
        0 => Err(ConfigError::unfit(format!("{name} needs at least one number"))),
        count => Ok(count),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The score of a value; then it is learned.
    pub(in crate::learners) fn next(learner: &mut impl Learner, value: f64) -> f64 {
        let x = Features { dense: &[value], ..Features::default() };
        let mut out = Prediction::default();
        learner.predict(&x, &mut out);
        learner.learn(&x, Label::None, 1.0);
        out.value
    }
}
