//! Shifts and scales numbers to mean 0 and variance 1, as known so far.
//!
//! - Makes: `step.field`, a number for each number read; 0 while the variance is 0.
//! - Bounds: a value beyond ±1e140 counts as ±1e140, so that no square can overflow.
//! - Cost: constant time and memory for each number.
//! - Not for: heavy tails (see `clip`, `log1p`), bounded ranges (see `min_max`).
//! - Paper: B. P. Welford, "Note on a Method for Calculating Corrected Sums of Squares and
//!   Products", Technometrics 4 (3), 1962, pages 419-420.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::{Each, bounded, read_len, read_number};
use crate::{
    ConfigError, FeatureStep, Reader, Row, Scope, State, StateError, StepComponent, Writer,
};

/// Settings of [`Standardize`]. A bare list is `of`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "of"))]
pub struct Config {
    /// The numbers to scale: fields, steps or `step.field`. At least one. Default: none, so it has
    /// to be given.
    pub of: Vec<String>,
}

/// The step. Invariant: `moments` has one entry for each of `each`, and all of it is finite.
#[derive(Clone, Debug)]
pub struct Standardize {
    each: Each,
    count: f64,
    moments: Box<[Moments]>,
}

/// Mean, and the sum of squared distances to it.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    mean: f64,
    squares: f64,
}

impl StepComponent for Standardize {
    const NAME: &'static str = "standardize";
    type Config = Config;

    fn reads(config: &Config) -> Vec<String> {
        config.of.clone()
    }

    fn new(config: Config, scope: &mut Scope<'_>) -> Result<Standardize, ConfigError> {
        let each = Each::new(scope, &config.of)?;
        let moments = vec![Moments::default(); each.len()].into();
        Ok(Standardize { each, count: 0.0, moments })
    }
}

/// Format 1: the count, then mean and squares of each number.
const FORMAT: u16 = 1;

impl State for Standardize {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        to.f64(self.count);
        to.len(self.moments.len());
        for Moments { mean, squares } in &self.moments {
            to.f64(*mean);
            to.f64(*squares);
        }
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("standardize", FORMAT)?;
        let not_negative = |value: f64| value.is_finite() && value >= 0.0;
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
        size_of::<Standardize>() + self.each.heap_bytes() + size_of_val(&*self.moments)
    }
}

impl FeatureStep for Standardize {
    fn apply(&self, row: &mut Row<'_>) {
        for ((from, to), moments) in self.each.slots().zip(&self.moments) {
            let variance = moments.squares / self.count.max(1.0);
            let scaled = (bounded(row.values[from]) - moments.mean) / variance.sqrt();
            row.values[to] = if scaled.is_finite() { scaled } else { 0.0 };
        }
    }

    fn observe(&mut self, row: &Row<'_>) {
        self.count += 1.0;
        for (from, moments) in self.each.from().zip(&mut self.moments) {
            let value = bounded(row.values[from]);
            let delta = value - moments.mean;
            moments.mean += delta / self.count;
            moments.squares += delta * (value - moments.mean);
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
        build(Config { of: of(&["x"]) }, &mut numbers(&["x"])).unwrap()
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
}
