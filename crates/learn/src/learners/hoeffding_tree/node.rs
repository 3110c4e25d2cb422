//! The tree as an arena: nodes, the leaves they end in, and the tables of many-way branches.

use super::{
    Config, LeafAnswer,
    observer::{Observers, Slots, reserve_tight},
};
use crate::{Features, Prediction, math};

/// Bytes a node is counted with (see the observers' sizes), with the room a growing list keeps.
pub(super) const NODE_BYTES: u64 = 27;
/// Bytes a leaf is counted with, beside its classes and what it observes.
pub(super) const LEAF_BYTES: u64 = 72;
/// Bytes of one class of a leaf.
pub(super) const CLASS_BYTES: u64 = 18;
/// Bytes of a many-way branch, beside its ways.
pub(super) const TABLE_BYTES: u64 = 27;
/// Bytes of one way of a many-way branch.
pub(super) const WAY_BYTES: u64 = 18;

/// One node. Invariant of the arena: a child's index is above its parent's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Node {
    /// A leaf, by its index.
    Leaf(u32),
    /// At most the threshold: `first`; above: `first + 1`.
    Threshold {
        /// The dense slot.
        slot: u32,
        /// The first child.
        first: u32,
        /// The threshold.
        threshold: f64,
    },
    /// This code: `first`; any other: `first + 1`.
    Equal {
        /// The dense slot.
        slot: u32,
        /// The first child.
        first: u32,
        /// The code.
        code: u32,
    },
    /// A branch for each code, by the index of its table.
    Each {
        /// The dense slot.
        slot: u32,
        /// The table.
        table: u32,
    },
}

/// One way of a many-way branch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Way {
    /// The code that goes this way.
    pub(super) code: u32,
    /// Where it leads.
    pub(super) node: u32,
    /// The weight of the examples that went there.
    pub(super) weight: f64,
}

/// The weight of one class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ClassWeight {
    /// The class.
    pub(super) class: u32,
    /// Its weight, 0 or more.
    pub(super) weight: f64,
}

/// The sum of the weights, in their order.
pub(super) fn total(classes: &[ClassWeight]) -> f64 {
    classes.iter().map(|entry| entry.weight).sum()
}

/// One leaf. Invariant: no class twice.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaf {
    /// Distance from the root.
    pub(super) depth: u32,
    /// The classes in the order of first sight, those its parent left it first.
    pub(super) classes: Vec<ClassWeight>,
    /// The weight at the last look for a split.
    pub(super) looked_at: f64,
    /// The weight of the examples that the heaviest class would have got right.
    pub(super) majority_right: f64,
    /// The weight of the examples that naive Bayes would have got right.
    pub(super) naive_bayes_right: f64,
    /// What it observes; none while it is switched off.
    pub(super) observers: Option<Box<Observers>>,
}

impl Leaf {
    /// A leaf that observes from here on.
    pub(super) fn new(depth: u32, mut classes: Vec<ClassWeight>) -> Leaf {
        classes.shrink_to_fit();
        let looked_at = total(&classes);
        Leaf { depth, classes, looked_at, ..Leaf::default() }
    }

    /// Whether observing has a use: for a split, or for naive Bayes.
    pub(super) fn may_observe(&self, config: &Config) -> bool {
        self.depth < config.depth_max || config.leaf != LeafAnswer::Majority
    }

    /// The weight it would get wrong by the heaviest class: what a split could gain.
    pub(super) fn promise(&self) -> f64 {
        let heaviest = self.classes.iter().map(|entry| entry.weight).fold(0.0, f64::max);
        total(&self.classes) - heaviest
    }

    /// The bytes it is counted with, beside what it observes.
    pub(super) fn counted_bytes(&self) -> u64 {
        LEAF_BYTES + CLASS_BYTES * self.classes.len() as u64
    }

    /// Heap bytes.
    pub(super) fn heap_bytes(&self) -> usize {
        self.classes.capacity() * size_of::<ClassWeight>()
            + self.observers.as_ref().map_or(0, |observers| observers.boxed_bytes())
    }

    /// Takes an example in. `with_new_class` says whether there is room for one.
    pub(super) fn add(
        &mut self,
        config: &Config,
        slots: &Slots,
        x: &Features<'_>,
        entry: ClassWeight,
        with_new_class: bool,
    ) {
        if self.observers.is_some() && config.leaf == LeafAnswer::NaiveBayesAdaptive {
            self.keep_score(slots, x, entry);
        }
        match self.classes.iter_mut().find(|known| known.class == entry.class) {
            Some(known) => known.weight += entry.weight,
            None if with_new_class => {
                reserve_tight(&mut self.classes);
                self.classes.push(entry);
            }
            None => return,
        }
        if let Some(observers) = &mut self.observers {
            observers.add(slots, x, entry.class, entry.weight);
        }
    }

    /// Counts which way to answer would have been right. A tie is for the class seen first here.
    fn keep_score(&mut self, slots: &Slots, x: &Features<'_>, truth: ClassWeight) {
        let Some(observers) = &self.observers else { return };
        let Some(first) = self.classes.first() else {
            self.majority_right += truth.weight;
            return;
        };
        let mut heaviest = *first;
        let mut likeliest: Option<(u32, f64)> = None;
        let total = total(&self.classes);
        for entry in &self.classes {
            if entry.weight > heaviest.weight {
                heaviest = *entry;
            }
            if entry.weight > 0.0 {
                let log = log_vote(observers, slots, x, *entry, total);
                if likeliest.is_none_or(|(_, best)| log > best) {
                    likeliest = Some((entry.class, log));
                }
            }
        }
        if heaviest.class == truth.class {
            self.majority_right += truth.weight;
        }
        if likeliest.is_some_and(|(class, _)| class == truth.class) {
            self.naive_bayes_right += truth.weight;
        }
    }

    /// Writes the probability of each class into `out`, whose scores are 0 and long enough.
    pub(super) fn answer(
        &self,
        config: &Config,
        slots: &Slots,
        x: &Features<'_>,
        out: &mut Prediction,
    ) {
        let total = total(&self.classes);
        if total <= 0.0 {
            let even = 1.0 / out.scores.len() as f64;
            out.scores.fill(even);
            return;
        }
        match &self.observers {
            Some(observers) if self.by_naive_bayes(config, total) => {
                self.naive_bayes(observers, slots, x, total, out);
            }
            _ => {
                for entry in &self.classes {
                    out.scores[entry.class as usize] = entry.weight / total;
                }
            }
        }
    }

    fn by_naive_bayes(&self, config: &Config, total: f64) -> bool {
        let wanted = match config.leaf {
            LeafAnswer::Majority => false,
            LeafAnswer::NaiveBayes => true,
            LeafAnswer::NaiveBayesAdaptive => self.naive_bayes_right >= self.majority_right,
        };
        wanted && total >= config.naive_bayes_weight_min
    }

    fn naive_bayes(
        &self,
        observers: &Observers,
        slots: &Slots,
        x: &Features<'_>,
        total: f64,
        out: &mut Prediction,
    ) {
        let scores = &mut out.scores;
        let mut most = f64::NEG_INFINITY;
        let present = || self.classes.iter().filter(|entry| entry.weight > 0.0);
        for entry in present() {
            let log = log_vote(observers, slots, x, *entry, total);
            scores[entry.class as usize] = log;
            most = most.max(log);
        }
        let mut sum = 0.0;
        for entry in present() {
            let score = &mut scores[entry.class as usize];
            *score = math::exp(*score - most);
            sum += *score;
        }
        for entry in present() {
            scores[entry.class as usize] /= sum;
        }
    }
}

/// The logarithm of a class's share times the example's likelihood under it.
fn log_vote(
    observers: &Observers,
    slots: &Slots,
    x: &Features<'_>,
    entry: ClassWeight,
    total: f64,
) -> f64 {
    let share = (entry.weight / total).max(f64::MIN_POSITIVE);
    math::ln(share) + observers.log_likelihood(slots, x, entry.class)
}
