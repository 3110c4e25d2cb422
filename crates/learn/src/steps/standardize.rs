//! Shifts and scales numbers to mean 0 and variance 1, as known so far.
//!
//! - Makes: `step.field`, a number for each number read; 0 while the variance is 0.
//! - Cost: constant time and memory for each number.
//! - Not for: heavy tails (see `clip`, `log1p`), bounded ranges (see `min_max`).
//! - Paper: B. P. Welford, "Note on a Method for Calculating Corrected Sums of Squares and
//!   Products", Technometrics 4 (3), 1962, pages 419-420.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ConfigError, FeatureStep, Reader, Row, Scope, State, StateError, StepComponent, Writer,
};

/// Settings of [`Standardize`]. A bare list is `of`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "of"))]
pub struct Config {
    /// The numbers to scale: fields, steps or `step.field`.
    pub of: Vec<String>,
}

/// The step. Invariant: `moments` has one entry for each of `from` and of `to`.
#[derive(Clone, Debug)]
pub struct Standardize {
    from: Vec<usize>,
    to: Range<usize>,
    count: f64,
    moments: Vec<Moments>,
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
        let inputs = scope.numbers("of", &config.of)?;
        let to = scope.features(&inputs);
        let from: Vec<usize> = inputs.into_iter().map(|(_, slot)| slot).collect();
        let moments = vec![Moments::default(); from.len()];
        Ok(Standardize { from, to, count: 0.0, moments })
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
        self.count = from.f64()?;
        if from.len(16)? != self.moments.len() {
            return Err(StateError::Unfit { what: "standardize has another number of inputs" });
        }
        for moments in &mut self.moments {
            *moments = Moments { mean: from.f64()?, squares: from.f64()? };
        }
        Ok(())
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<Standardize>()
            + size_of_val(self.from.as_slice())
            + size_of_val(self.moments.as_slice())
    }
}

impl FeatureStep for Standardize {
    fn apply(&self, row: &mut Row<'_>) {
        for ((from, to), moments) in self.from.iter().zip(self.to.clone()).zip(&self.moments) {
            let variance = moments.squares / self.count.max(1.0);
            let scaled = (row.values[*from] - moments.mean) / variance.sqrt();
            row.values[to] = if scaled.is_finite() { scaled } else { 0.0 };
        }
    }

    fn observe(&mut self, row: &Row<'_>) {
        self.count += 1.0;
        for (from, moments) in self.from.iter().zip(&mut self.moments) {
            let value = row.values[*from];
            let delta = value - moments.mean;
            moments.mean += delta / self.count;
            moments.squares += delta * (value - moments.mean);
        }
    }

    fn fork(&self) -> Box<dyn FeatureStep> {
        Box::new(self.clone())
    }
}
