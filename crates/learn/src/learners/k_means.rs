//! Online k-means: each row moves the nearest of `k` centres towards itself.
//!
//! A centre is the mean of the rows that were nearest to it when they came. With a half-life, rows
//! of the past weigh less and less, so that the centres follow a stream that moves.
//!
//! The first `warmup_records` rows are kept. Until they are there, there is one cluster, whose
//! centre is their mean; then the centres are chosen among them (see `seeding`), and the rows are
//! learned once more in their order. Clusters keep their indices from there on. Where the rows kept
//! were not `k` different ones, every later row that lies on no centre becomes one, until there
//! are `k`.
//!
//! - Task: cluster. `value` is the index of the nearest centre, the first where two are as near;
//!   `scores` are the squared distances to all centres. The label is ignored.
//! - Takes: numbers. Scale them (see `standardize`): a slot with a wide range decides alone.
//! - Cost: time O(k × slots) a record; once, after the warm-up, O(warmup_records × k × slots).
//!   Memory 8 × (k + 1) × slots bytes, and until the centres are chosen
//!   8 × warmup_records × (slots + 2).
//! - A half-life of time goes by the greatest event time so far; a record that comes late weighs as
//!   much as the newest. So one record from the far future makes all before it weigh nothing, and
//!   nothing fades until the log has caught up: refuse such records where they enter.
//! - Not for: clusters of very different size or density, a `k` that is not known, centres that
//!   die: one that gets no rows any more stays where it was.
//! - Papers: J. MacQueen, "Some Methods for Classification and Analysis of Multivariate
//!   Observations", 5th Berkeley Symposium, 1967, pages 281-297 (the update). The half-life makes
//!   each weight an exponentially decayed count (G. Cormode et al., "Forward Decay: A Practical
//!   Time Decay Model for Streaming Systems", ICDE 2009).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Component, ConfigError, Features, Label, Learner, Over, Prediction, Reader, Shape, State,
    StateError, Task, Time, Writer, check_count, math,
};

mod seeding;

/// Settings of [`KMeans`]. A bare number is `k`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "k"))]
pub struct Config {
    /// How many clusters. Range: 1 to 1000. Default: 3. Raise it for smaller clusters; memory and
    /// time grow with it.
    pub k: u64,
    /// After how many records, or how much event time, a row weighs half: `"10000 records"`,
    /// `"10 min"`. Default: left out, and all rows weigh the same for ever, so that the centres
    /// come to rest. Raise it for calmer centres that follow more slowly. Below some 10 k records
    /// the centres follow single rows.
    pub half_life: Option<Over>,
    /// How many records to keep before the centres are chosen among them. Range: k to 1,000,000.
    /// Default: left out, for 20 k, but at least 200. Raise it where clusters are rare or the
    /// stream begins oddly; it costs memory until then, and time at that record.
    pub warmup_records: Option<u64>,
    /// Where the choice of centres begins: any number. Default: 0. Another one gives another
    /// choice, and the same one always the same.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config { k: 3, half_life: None, warmup_records: None, seed: 0 }
    }
}

/// The learner. Invariants: `centres` holds `width` numbers for each of `weights`, at most `k`; all
/// numbers are finite, weights 0 or more; `warmup` is empty once `is_seeded`.
#[derive(Clone, Debug)]
pub struct KMeans {
    k: usize,
    width: usize,
    warmup_records: usize,
    seed: u64,
    half_life: Option<Over>,
    /// What a weight keeps from one record to the next.
    kept_a_record: f64,
    centres: Vec<f64>,
    weights: Vec<f64>,
    /// The greatest time so far.
    time: Option<Time>,
    is_seeded: bool,
    warmup: Warmup,
}

/// The rows from which the centres will be chosen.
#[derive(Clone, Debug, Default)]
struct Warmup {
    rows: Vec<f64>,
    weights: Vec<f64>,
    times: Vec<Time>,
}

impl Component for KMeans {
    const NAME: &'static str = "k_means";
    type Config = Config;

    fn new(config: Config, shape: &Shape) -> Result<KMeans, ConfigError> {
        let k = check_count("k", config.k, 1, 1000)?;
        let warmup_records = match config.warmup_records {
            Some(records) => check_count("warmup_records", records, k, 1_000_000)?,
            None => (20 * k).max(200),
        };
        if let Some(slot) = shape.first_nominal() {
            return Err(ConfigError::unfit(format!(
                "k_means takes numbers alone, and {} holds categories; try one_hot",
                slot.name
            )));
        }
        if shape.sparse_size > 0 {
            return Err(ConfigError::unfit("k_means takes numbers alone, and no hashed features"));
        }
        if shape.dense.is_empty() {
            return Err(ConfigError::unfit("k_means needs at least one number"));
        }
        Ok(KMeans {
            k: k as usize,
            width: shape.dense.len(),
            warmup_records: warmup_records as usize,
            seed: config.seed,
            half_life: config.half_life,
            kept_a_record: match config.half_life {
                Some(Over::Records(records)) => halved(1.0, records),
                _ => 1.0,
            },
            centres: Vec::new(),
            weights: Vec::new(),
            time: None,
            is_seeded: false,
            warmup: Warmup::default(),
        })
    }
}

/// What is left of 1 after `past`, if half is left after `half_life`.
fn halved(past: f64, half_life: u64) -> f64 {
    math::exp(-std::f64::consts::LN_2 * past / half_life as f64)
}

/// Format 1: centres and their weights, the greatest time, whether the centres were chosen, then
/// the rows kept with their weights and times.
const FORMAT: u16 = 1;

impl State for KMeans {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        to.f64s(&self.centres);
        to.f64s(&self.weights);
        to.bool(self.time.is_some());
        to.i64(self.time.unwrap_or(0));
        to.bool(self.is_seeded);
        to.f64s(&self.warmup.rows);
        to.f64s(&self.warmup.weights);
        for time in &self.warmup.times {
            to.i64(*time);
        }
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("k_means", FORMAT)?;
        self.centres = from.f64s()?;
        self.weights = from.f64s()?;
        let has_time = from.bool()?;
        let time = from.i64()?;
        self.time = has_time.then_some(time);
        self.is_seeded = from.bool()?;
        let rows = from.f64s()?;
        let weights = from.f64s()?;
        let times = weights.iter().map(|_| from.i64()).collect::<Result<_, _>>()?;
        self.warmup = Warmup { rows, weights, times };
        self.check()
    }

    fn footprint_bytes(&self) -> usize {
        let Warmup { rows, weights, times } = &self.warmup;
        let numbers = self.centres.capacity() + self.weights.capacity();
        let kept = rows.capacity() + weights.capacity() + times.capacity();
        size_of::<KMeans>() + 8 * (numbers + kept)
    }
}

impl Learner for KMeans {
    fn task(&self) -> Task {
        Task::Cluster
    }

    fn predict(&self, x: &Features<'_>, out: &mut Prediction) {
        out.clear();
        let mut least = f64::INFINITY;
        for (index, centre) in self.centres().enumerate() {
            let distance = math::squared_distance(centre, x.dense);
            out.scores.push(distance);
            if distance < least {
                (out.value, least) = (index as f64, distance);
            }
        }
    }

    fn learn(&mut self, x: &Features<'_>, _: Label<'_>, weight: f64) {
        if weight == 0.0 {
            return;
        }
        self.move_nearest(x.dense, x.time, weight);
        if !self.is_seeded {
            self.warmup.rows.extend(x.dense);
            self.warmup.weights.push(weight);
            self.warmup.times.push(x.time);
            if self.warmup.times.len() >= self.warmup_records {
                self.choose_centres();
            }
        }
    }
}

impl KMeans {
    fn centres(&self) -> impl Iterator<Item = &[f64]> {
        self.centres.chunks_exact(self.width)
    }

    /// The nearest centre and its squared distance; `None` before the first row.
    fn nearest(&self, row: &[f64]) -> Option<(usize, f64)> {
        let mut best: Option<(usize, f64)> = None;
        for (index, centre) in self.centres().enumerate() {
            let distance = math::squared_distance(centre, row);
            if best.is_none_or(|(_, least)| distance < least) {
                best = Some((index, distance));
            }
        }
        best
    }

    /// MacQueen's step, with the weights of the past decayed first.
    fn move_nearest(&mut self, row: &[f64], time: Time, weight: f64) {
        self.decay(time);
        let centres_max = if self.is_seeded { self.k } else { 1 };
        let index = match self.nearest(row) {
            Some((index, distance)) if distance == 0.0 || self.weights.len() >= centres_max => {
                index
            }
            _ => {
                self.centres.extend(row);
                self.weights.push(0.0);
                self.weights.len() - 1
            }
        };
        self.weights[index] = (self.weights[index] + weight).min(f64::MAX);
        let share = weight / self.weights[index];
        let start = index * self.width;
        for (centre, value) in self.centres[start..start + self.width].iter_mut().zip(row) {
            *centre = math::toward(*centre, *value, share);
        }
    }

    /// Lets all weights fade by what has passed since the record before. A record that comes late
    /// weighs as much as the newest.
    fn decay(&mut self, time: Time) {
        let kept = match (self.half_life, self.time) {
            (None, _) | (Some(Over::Time(_)), None) => 1.0,
            (Some(Over::Records(_)), _) => self.kept_a_record,
            (Some(Over::Time(half_life)), Some(before)) => {
                halved(time.saturating_sub(before).max(0) as f64, half_life)
            }
        };
        if let Some(Over::Time(_)) = self.half_life {
            self.time = Some(self.time.map_or(time, |before| before.max(time)));
        }
        if kept < 1.0 {
            self.weights.iter_mut().for_each(|weight| *weight *= kept);
        }
    }

    /// Ends the warm-up: chooses the centres among its rows, then learns them again. A centre
    /// starts with weight 0, so the first row that is nearest to it replaces it, and what was
    /// chosen does not count twice.
    fn choose_centres(&mut self) {
        let Warmup { rows, weights, times } = std::mem::take(&mut self.warmup);
        let chosen = seeding::choose(&rows, self.width, self.k, self.seed);
        self.centres = Vec::with_capacity(self.k * self.width);
        for index in &chosen {
            self.centres.extend(&rows[index * self.width..][..self.width]);
        }
        self.weights = Vec::with_capacity(self.k);
        self.weights.resize(chosen.len(), 0.0);
        self.time = None;
        self.is_seeded = true;
        for (row, (weight, time)) in rows.chunks_exact(self.width).zip(weights.iter().zip(&times)) {
            self.move_nearest(row, *time, *weight);
        }
    }

    /// Whether what was read keeps the invariants.
    fn check(&self) -> Result<(), StateError> {
        let Warmup { rows, weights, times } = &self.warmup;
        let centres_max = if self.is_seeded { self.k } else { 1 };
        let rows_max = if self.is_seeded { 0 } else { self.warmup_records - 1 };
        let is_sized = self.weights.len() <= centres_max
            && self.centres.len() == self.weights.len() * self.width
            && times.len() <= rows_max
            && rows.len() == times.len() * self.width;
        let is_weight = |weight: &f64| weight.is_finite() && *weight >= 0.0;
        let is_sound = self.weights.iter().chain(weights).all(is_weight)
            && self.centres.iter().chain(rows).all(|value| value.is_finite());
        match (is_sized, is_sound) {
            (true, true) => Ok(()),
            (false, _) => Err(StateError::Unfit { what: "k_means has another shape" }),
            (true, false) => Err(StateError::Unfit { what: "k_means has a number out of range" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LabelShape;

    fn learner(config: Config) -> KMeans {
        KMeans::new(config, &Shape::numbers(1, LabelShape::None)).unwrap()
    }

    fn learn(learner: &mut KMeans, value: f64, time: Time) {
        let x = Features { dense: &[value], time, ..Features::default() };
        learner.learn(&x, Label::None, 1.0);
    }

    #[test]
    fn centres_are_the_means_of_their_rows() {
        let mut learner = learner(Config { k: 2, warmup_records: Some(4), ..Config::default() });
        for value in [0.0, 10.0, 1.0, 11.0, 2.0, 15.0] {
            learn(&mut learner, value, 0);
        }
        let mut out = Prediction::default();
        learner.predict(&Features { dense: &[13.0], ..Features::default() }, &mut out);
        assert_eq!(out.scores[out.value as usize], 1.0);
        let mut centres = learner.centres.clone();
        centres.sort_by(f64::total_cmp);
        assert_eq!(centres, [1.0, 12.0]);
    }

    #[test]
    fn until_the_centres_are_chosen_there_is_one() {
        let mut learner = learner(Config::default());
        learn(&mut learner, 1.0, 0);
        learn(&mut learner, 4.0, 0);
        let mut out = Prediction::default();
        learner.predict(&Features { dense: &[2.5], ..Features::default() }, &mut out);
        assert_eq!((out.value, out.scores), (0.0, vec![0.0]));
    }

    #[test]
    fn after_a_half_life_a_row_weighs_half() {
        for half_life in [Over::Records(1), Over::Time(1000)] {
            let config =
                Config { k: 1, half_life: Some(half_life), warmup_records: Some(1), seed: 0 };
            let mut learner = learner(config);
            learn(&mut learner, 0.0, 0);
            learn(&mut learner, 3.0, 1000);
            // (0.5 * 0 + 1 * 3) / 1.5
            assert!((learner.centres[0] - 2.0).abs() < 1e-12, "{:?}", learner.centres);
        }
    }

    #[test]
    fn where_all_rows_are_alike_the_next_different_one_becomes_a_centre() {
        let mut learner = learner(Config { k: 2, warmup_records: Some(5), ..Config::default() });
        for _ in 0..6 {
            learn(&mut learner, 7.0, 0);
        }
        assert_eq!(learner.centres, [7.0]);
        learn(&mut learner, 8.0, 0);
        assert_eq!(learner.centres, [7.0, 8.0]);
    }

    #[test]
    fn a_setting_out_of_range_is_refused_by_name() {
        let refused = |config| {
            KMeans::new(config, &Shape::numbers(1, LabelShape::None)).unwrap_err().to_string()
        };
        let error = refused(Config { k: 0, ..Config::default() });
        assert_eq!(error, "k is 0, but must be from 1 to 1000");
        let error = refused(Config { warmup_records: Some(2), ..Config::default() });
        assert_eq!(error, "warmup_records is 2, but must be from 3 to 1000000");
    }
}
