//! Hoeffding tree (VFDT): a decision tree that grows while the stream passes.
//!
//! Every leaf counts what it sees. After each [`Config::grace_period`] it compares the best test it
//! could put in its place with the second best, and is split when the difference is larger than
//! chance explains (the Hoeffding bound), or when the two are as good as equal. So each example is
//! looked at once, and with high probability the tree is the one that all examples at once would
//! have given.
//!
//! - Task: class. New classes may come at any time, up to the label's bound.
//! - Papers: P. Domingos and G. Hulten, "Mining High-Speed Data Streams", KDD 2000, table 1 and
//!   section 3; Gaussians for numbers and the adaptive choice of naive Bayes in the leaves: B.
//!   Pfahringer, G. Holmes and R. Kirkby, "Handling Numeric Attributes in Hoeffding Trees", PAKDD
//!   2008, section 2.5; G. Holmes, R. Kirkby and B. Pfahringer, "Stress-Testing Hoeffding Trees",
//!   PKDD 2005, section 2.
//! - Cost: an answer takes the depth plus, by naive Bayes, classes × slots; an example the same
//!   again, and every grace period slots × bins × classes. Memory: 40 bytes for each number and
//!   class of each leaf, up to [`Config::memory_max`].
//! - Not for: hashed features; streams whose rule changes (a split is never taken back: see the
//!   adaptive trees and forests); a smooth linear boundary, which it cuts into steps.
//!
//! Numbers beyond 1e100 count as 1e100, and an example's weight beyond 1e12 as 1e12.
//!
//! # Held against River 0.26.1
//!
//! With the defaults this is River's `HoeffdingTreeClassifier` with its defaults: the same answers,
//! row by row, to 1e-14 (`tests/river_tree.rs`). That includes two habits of River and MOA: a leaf
//! where one class has nearly all of the weight forgets what it observed at each look, and in naive
//! Bayes a number without spread (so a class of one example) says nothing.
//!
//! One thing can part the two: whether a look comes at the 200th example or at the 201st hangs on
//! the last bit of a leaf's weight, hence of the platform's `erf`; ours is the same everywhere,
//! River's is its machine's. On the electricity stream with the label before as a feature that
//! happens at record 19,250, and the accuracy is .860942 against .860920; with our `erf` put into
//! River, every answer is ours again. Where the two differ on purpose:
//!
//! - A class of weight 0 in a leaf has no vote in naive Bayes; in River it has the logarithm 0,
//!   which is certainty.
//! - A nominal code that was never seen with a class is rare (Laplace's rule); in River it changes
//!   nothing, as if it were certain.
//! - A leaf at `depth_max` goes on answering by naive Bayes; in River it falls back to the
//!   majority.
//! - Memory is counted by the tree itself at every example, not estimated by a walk through objects
//!   once in a million.
//! - A row with a code that a many-way branch does not know takes the way most examples took; in
//!   River the one whose leaves have the most weight now, which a split makes less.

mod grow;
mod memory;
mod node;
mod observer;
mod save;
mod split;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::{
    node::{Leaf, Node, Way},
    observer::{Observers, Slots},
};
use crate::{
    Bytes, Component, ConfigError, Features, Label, LabelShape, Learner, Prediction, Shape, Task,
    check_count, check_number,
};

/// By what splits are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Information gain, in bits.
    #[default]
    InfoGain,
    /// The Gini index.
    Gini,
}

/// How a leaf answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeafAnswer {
    /// By the shares of the classes it saw.
    Majority,
    /// By naive Bayes on what it observed.
    NaiveBayes,
    /// By whichever of the two would have been right more often in this leaf.
    #[default]
    NaiveBayesAdaptive,
}

/// How a slot of codes may be split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NominalSplit {
    /// A branch for each code, or one code against all others: whichever is better.
    #[default]
    Multiway,
    /// One code against all others.
    Binary,
}

/// Settings of [`HoeffdingTree`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Weight of the examples (their number, where each counts 1) that a leaf sees between two
    /// looks for a split. Range: 1 to 1,000,000,000. Default: 200. Raise it for speed; the tree
    /// then grows a little later.
    pub grace_period: u32,
    /// The probability that a split is not the best one (δ in the paper). Range: above 0, below 1.
    /// Default: 1e-7. Raise it for earlier splits, some of them wrong.
    pub delta: f64,
    /// Where the Hoeffding bound is below this, the best two tests count as equally good and the
    /// leaf is split by the better one (τ). In the unit of the merit. Range: 0 to 1. Default: 0.05.
    /// Raise it for earlier splits; 0 waits for a clear winner, maybe for ever.
    pub tau: f64,
    /// By what splits are compared: `info_gain` or `gini`. Default: `info_gain`.
    pub split: Split,
    /// How a leaf answers: `majority`, `naive_bayes`, or `naive_bayes_adaptive`, which takes what
    /// was right more often in that leaf. Default: `naive_bayes_adaptive`.
    pub leaf: LeafAnswer,
    /// Thresholds tried for each number, evenly between the least and the greatest value a leaf
    /// saw. Range: 1 to 1000. Default: 10. Raise it for finer splits, at that much more time a
    /// look.
    pub bins: u32,
    /// The most tests between the root and a leaf. Range: 1 to 1000. Default: 100. Lower it for a
    /// tree to read, or to keep it from growing for ever on a stream without end.
    pub depth_max: u32,
    /// The most memory the tree takes. Range: 64 KiB to 1024 GiB. Default: 64 MiB. When it is
    /// reached, the leaves that have least to gain from a split are switched off: they answer by
    /// their classes' shares until there is room again. Half of it at most is for the tree itself;
    /// where that is full, no leaf is split any more. Raise it for large trees of many features or
    /// classes.
    pub memory_max: Bytes,
    /// Whether a leaf is split only where the test is better than none, by as much as chance does
    /// not explain: the paper's pre-pruning. Default: false, as in MOA and River: then the better
    /// of two useless tests splits a leaf too, once enough was seen to call them equal, and where
    /// there is but one test, as on a stream of one number, it splits at once. Set it for few or
    /// weak features.
    pub prune: bool,
    /// How a slot of codes may be split: `multiway`, a branch for each code or one code against all
    /// others, or `binary`, only the latter. Default: `multiway`.
    pub nominal_split: NominalSplit,
    /// At least two branches of a split must each take more than this share of the examples. Range:
    /// 0 to 0.5. Default: 0.01. Raise it against splits that cut off a few outliers.
    pub branch_share_min: f64,
    /// Where one class has more than this share of a leaf, the leaf is left whole and observes
    /// anew. Range: 0.5 to 1. Default: 0.99. Raise it when the class to find is rare.
    pub majority_share_max: f64,
    /// A leaf answers by naive Bayes from this weight of examples on. Range: 0 to 1e9. Default: 0.
    /// Raise it when young leaves are too sure of themselves.
    pub naive_bayes_weight_min: f64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            grace_period: 200,
            delta: 1e-7,
            tau: 0.05,
            split: Split::InfoGain,
            leaf: LeafAnswer::NaiveBayesAdaptive,
            bins: 10,
            depth_max: 100,
            memory_max: Bytes(64 << 20),
            prune: false,
            nominal_split: NominalSplit::Multiway,
            branch_share_min: 0.01,
            majority_share_max: 0.99,
            naive_bayes_weight_min: 0.0,
        }
    }
}

impl Config {
    fn check(&self) -> Result<(), ConfigError> {
        check_count("grace_period", self.grace_period.into(), 1, 1_000_000_000)?;
        check_number("delta", self.delta, "above 0 and below 1", |v| v > 0.0 && v < 1.0)?;
        check_number("tau", self.tau, "from 0 to 1", |v| (0.0..=1.0).contains(&v))?;
        check_count("bins", self.bins.into(), 1, 1000)?;
        check_count("depth_max", self.depth_max.into(), 1, 1000)?;
        if !(64 << 10..=1 << 40).contains(&self.memory_max.0) {
            return Err(ConfigError::new("memory_max", self.memory_max, "from 64 KiB to 1024 GiB"));
        }
        let half = |v| (0.0..=0.5).contains(&v);
        check_number("branch_share_min", self.branch_share_min, "from 0 to 0.5", half)?;
        let upper = |v| (0.5..=1.0).contains(&v);
        check_number("majority_share_max", self.majority_share_max, "from 0.5 to 1", upper)?;
        let weight = |v| (0.0..=1e9).contains(&v);
        check_number(
            "naive_bayes_weight_min",
            self.naive_bayes_weight_min,
            "from 0 to 1e9",
            weight,
        )?;
        Ok(())
    }
}

/// The learner.
///
/// Invariant: `nodes[0]` is the root; every other node, every leaf and every table has one parent,
/// and a child's index is above its parent's. `fixed_bytes`, `observed_bytes` and `inactive` follow
/// from the rest.
#[derive(Clone, Debug)]
pub struct HoeffdingTree {
    config: Config,
    slots: Slots,
    classes_max: u32,
    /// One above the greatest class seen.
    classes: u32,
    /// Examples learned.
    learned: u64,
    nodes: Vec<Node>,
    leaves: Vec<Leaf>,
    tables: Vec<Vec<Way>>,
    /// Counted bytes of the tree itself.
    fixed_bytes: u64,
    /// Counted bytes of what the leaves observe.
    observed_bytes: u64,
    /// Leaves that are switched off though observing would have a use.
    inactive: u32,
}

impl Component for HoeffdingTree {
    const NAME: &'static str = "hoeffding_tree";
    type Config = Config;

    fn new(config: Config, shape: &Shape) -> Result<HoeffdingTree, ConfigError> {
        config.check()?;
        let LabelShape::Class { values_max } = shape.label else {
            return Err(ConfigError::unfit("hoeffding_tree needs a class as the label"));
        };
        if shape.sparse_size > 0 {
            return Err(ConfigError::unfit(
                "hoeffding_tree takes numbers and categories, not hashed features; give those to a \
                 linear learner",
            ));
        }
        let mut tree = HoeffdingTree {
            slots: Slots::new(shape, config.leaf != LeafAnswer::Majority),
            config,
            classes_max: values_max,
            classes: 0,
            learned: 0,
            nodes: vec![Node::Leaf(0)],
            leaves: vec![Leaf::new(0, Vec::new())],
            tables: Vec::new(),
            fixed_bytes: 0,
            observed_bytes: 0,
            inactive: 0,
        };
        tree.leaves[0].observers = Some(Box::default());
        tree.count_bytes();
        Ok(tree)
    }
}

impl Learner for HoeffdingTree {
    fn task(&self) -> Task {
        Task::Class
    }

    fn predict(&self, x: &Features<'_>, out: &mut Prediction) {
        out.clear();
        out.scores.resize(self.classes.max(2) as usize, 0.0);
        let leaf = &self.leaves[self.leaf_of(x)];
        leaf.answer(&self.config, &self.slots, x, out);
        out.set_value_from_scores();
    }

    fn learn(&mut self, x: &Features<'_>, y: Label<'_>, weight: f64) {
        let Label::Class(class) = y else { return };
        if weight.is_nan() || weight <= 0.0 || class >= self.classes_max {
            return;
        }
        self.grow(x, node::ClassWeight { class, weight: weight.min(WEIGHT_MAX) });
    }
}

/// A heavier example counts as this, so that no sum overflows.
const WEIGHT_MAX: f64 = 1e12;

#[cfg(test)]
mod tests;
