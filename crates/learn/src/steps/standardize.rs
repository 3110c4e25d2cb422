//! Shifts and scales numbers to mean 0 and variance 1, as known so far.
//!
//! - Makes: `step.field`, a number for each number read; 0 while the variance is 0.
//! - Bounds: a value beyond ±1e140 counts as ±1e140, so that no square can overflow.
//! - `by` a key: each has a mean and a variance of its own; a key that was not seen before, or is
//!   forgotten, begins anew. Keys are bounded by `keys_max` and forgotten in the order of event
//!   time, of several seen last at one time the least key first. Time is the greatest event time so
//!   far, of any key.
//! - Cost: constant time and memory for each number; with `by` 24 bytes a key and 16 for each
//!   number, times 1.3 to 2.7, and 16 to 32.
//! - Not for: heavy tails (see `clip`, `log1p`), bounded ranges (see `min_max`).
//! - Paper: B. P. Welford, "Note on a Method for Calculating Corrected Sums of Squares and
//!   Products", Technometrics 4 (3), 1962, pages 419-420.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    by_key::ByKey,
    shared::{Each, bounded, read_len, read_number},
};
use crate::{
    Ahead, ConfigError, FeatureStep, Reader, Row, Scope, Span, State, StateError, StepComponent,
    Writer,
};

/// Settings of [`Standardize`]. A bare list is `of`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "of"))]
pub struct Config {
    /// The numbers to scale: fields, steps or `step.field`. At least one. Default: none, so it has
    /// to be given.
    pub of: Vec<String>,
    /// The name of an id or a category: a mean and a variance for each of its values. Default: left
    /// out, for one over all records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The most keys; beyond it the one unseen for longest goes. Range: 1 to 100,000,000. Default:
    /// 1,000,000. Raise it for more keys, at the memory that each of them takes.
    pub keys_max: u64,
    /// After how much event time an unseen key is forgotten. Range: 1 ms and more. Default: left
    /// out: never. Without effect without `by`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forget_after: Option<Span>,
}

impl Default for Config {
    fn default() -> Config {
        Config { of: Vec::new(), by: None, keys_max: 1_000_000, forget_after: None }
    }
}

/// The step. Invariant: `moments` has one entry for each of `each`, and all of it is finite.
#[derive(Clone, Debug)]
pub struct Standardize {
    each: Each,
    /// Of all records.
    count: f64,
    moments: Box<[Moments]>,
    /// Of each key, where there is one: how many records, then mean and squares of each number.
    keyed: Option<ByKey>,
}

/// Mean, and the sum of squared distances to it.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    mean: f64,
    squares: f64,
}

impl Moments {
    /// How far a value lies from the mean, in deviations.
    fn scaled(self, value: f64, count: f64) -> f64 {
        let variance = self.squares / count.max(1.0);
        let scaled = (bounded(value) - self.mean) / variance.sqrt();
        if scaled.is_finite() { scaled } else { 0.0 }
    }

    /// Takes a value in; the count has it already.
    fn add(&mut self, value: f64, count: f64) {
        let value = bounded(value);
        let delta = value - self.mean;
        self.mean += delta / count;
        self.squares += delta * (value - self.mean);
    }
}

impl StepComponent for Standardize {
    const NAME: &'static str = "standardize";
    type Config = Config;

    fn reads(config: &Config) -> Vec<String> {
        config.of.iter().chain(&config.by).cloned().collect()
    }

    fn new(config: Config, scope: &mut Scope<'_>) -> Result<Standardize, ConfigError> {
        let Config { of, by, keys_max, forget_after } = config;
        let each = Each::new(scope, &of)?;
        let keyed = ByKey::new(scope, by.as_ref(), keys_max, forget_after, 1 + 2 * each.len())?;
        let moments = vec![Moments::default(); each.len()].into();
        Ok(Standardize { each, count: 0.0, moments, keyed: by.map(|_| keyed) })
    }
}

/// Format 1: the count, then mean and squares of each number. Format 2: the same for each key.
const FORMAT: u16 = 1;
const FORMAT_BY_KEY: u16 = 2;

impl State for Standardize {
    fn save(&self, to: &mut Writer) {
        if let Some(keyed) = &self.keyed {
            to.u16(FORMAT_BY_KEY);
            return keyed.save(to);
        }
        to.u16(FORMAT);
        to.f64(self.count);
        to.len(self.moments.len());
        for Moments { mean, squares } in &self.moments {
            to.f64(*mean);
            to.f64(*squares);
        }
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        let is_by_key = from.format("standardize", FORMAT_BY_KEY)? == FORMAT_BY_KEY;
        let not_negative = |value: f64| value.is_finite() && value >= 0.0;
        if is_by_key != self.keyed.is_some() {
            return Err(StateError::Unfit { what: "standardize goes by another key" });
        }
        if let Some(keyed) = &mut self.keyed {
            return keyed.restore(from, |words| {
                let is_mean = |mean: f64| bounded(mean) == mean;
                let number = f64::from_bits;
                number(words[0]) >= 1.0
                    && number(words[0]).is_finite()
                    && words[1..]
                        .chunks_exact(2)
                        .all(|pair| is_mean(number(pair[0])) && not_negative(number(pair[1])))
            });
        }
        self.count = read_number(from, "standardize has no such count", not_negative)?;
        read_len(from, self.moments.len(), "standardize has another number of inputs")?;
        for moments in &mut self.moments {
            let mean = read_number(from, "a mean out of bounds", |mean| bounded(mean) == mean)?;
            let squares = read_number(from, "a sum of squares out of bounds", not_negative)?;
            *moments = Moments { mean, squares };
        }
        Ok(())
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<Standardize>()
            + self.each.heap_bytes()
            + size_of_val(&*self.moments)
            + self.keyed.as_ref().map_or(0, ByKey::heap_bytes)
    }
}

impl FeatureStep for Standardize {
    fn apply(&self, row: &mut Row<'_>) {
        let Some(keyed) = &self.keyed else {
            for ((from, to), moments) in self.each.slots().zip(&self.moments) {
                row.values[to] = moments.scaled(row.values[from], self.count);
            }
            return;
        };
        let known = keyed.get(row).map(|words| (f64::from_bits(words[0]), &words[1..]));
        for (index, (from, to)) in self.each.slots().enumerate() {
            row.values[to] = known.map_or(0.0, |(count, words)| {
                let [mean, squares] =
                    [2 * index, 2 * index + 1].map(|at| f64::from_bits(words[at]));
                Moments { mean, squares }.scaled(row.values[from], count)
            });
        }
    }

    fn observe(&mut self, row: &Row<'_>) {
        let Some(keyed) = &mut self.keyed else {
            self.count += 1.0;
            for (from, moments) in self.each.from().zip(&mut self.moments) {
                moments.add(row.values[from], self.count);
            }
            return;
        };
        let words = keyed.see(row);
        let count = f64::from_bits(words[0]) + 1.0;
        words[0] = count.to_bits();
        for (from, pair) in self.each.from().zip(words[1..].chunks_exact_mut(2)) {
            let [mean, squares] = [pair[0], pair[1]].map(f64::from_bits);
            let mut moments = Moments { mean, squares };
            moments.add(row.values[from], count);
            (pair[0], pair[1]) = (moments.mean.to_bits(), moments.squares.to_bits());
        }
    }

    fn look_ahead(&self, next: Ahead<'_>) {
        if let Some(keyed) = &self.keyed {
            keyed.look_ahead(next);
        }
    }

    fn fork(&self) -> Box<dyn FeatureStep> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::shared::tests::*;
    use super::*;

    fn step() -> Standardize {
        build(Config { of: of(&["x"]), ..Config::default() }, &mut numbers(&["x"])).unwrap()
    }

    /// 1 and 3: mean 2, variance 1, so 5 lies 3 deviations above.
    #[test]
    fn a_value_becomes_its_distance_to_the_mean_in_deviations() {
        let mut step = step();
        assert_eq!(next(&mut step, &[1.0], 1, 0), [0.0]);
        assert_eq!(next(&mut step, &[3.0], 1, 0), [0.0]);
        assert_eq!(next(&mut step, &[5.0], 1, 0), [3.0]);
    }

    #[test]
    fn a_constant_becomes_zero() {
        let mut step = step();
        for _ in 0..5 {
            assert_eq!(next(&mut step, &[0.1], 1, 0), [0.0]);
        }
    }

    #[test]
    fn the_largest_numbers_leave_the_state_finite() {
        let mut step = step();
        for value in [f64::MAX, -f64::MAX, 1e308, 0.0, -1e308] {
            assert!(next(&mut step, &[value], 1, 0)[0].is_finite());
        }
        let Moments { mean, squares } = step.moments[0];
        assert!(mean.is_finite() && squares.is_finite() && squares > 0.0);
    }

    #[test]
    fn each_key_has_a_mean_of_its_own() {
        let mut layout = numbers(&["x"]);
        layout.add_dense("kind", "kind".into(), crate::SlotKind::Nominal { values: 3 });
        let by = Some("kind".to_string());
        let config = Config { of: of(&["x"]), by, keys_max: 2, ..Config::default() };
        let mut step: Standardize = build(config, &mut layout).unwrap();
        let mut scaled = |x, kind, time| next(&mut step, &[x, kind], 1, time)[0];
        assert_eq!([scaled(1.0, 0.0, 0), scaled(10.0, 1.0, 1)], [0.0, 0.0]);
        assert_eq!([scaled(3.0, 0.0, 2), scaled(30.0, 1.0, 3)], [0.0, 0.0]);
        assert_eq!([scaled(5.0, 0.0, 4), scaled(30.0, 1.0, 5)], [3.0, 1.0]);
        // A third key takes the place of the first, which begins anew.
        assert_eq!([scaled(0.0, 2.0, 6), scaled(5.0, 0.0, 7)], [0.0, 0.0]);
    }
}
