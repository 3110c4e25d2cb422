//! The natural logarithm of 1 plus a number, for amounts and counts with a long tail.
//!
//! - Makes: `step.field`, a number for each number read: `ln(1 + x)`. A negative number is treated
//!   as its opposite, and the sign put back: `-ln(1 - x)`. So it is defined everywhere, 0 stays 0,
//!   and the order is kept.
//! - Cost: constant time, no state.
//! - Not for: numbers far below 1, which it leaves as they are (`ln(1 + x)` is about `x` there).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::Each;
use crate::{
    ConfigError, FeatureStep, Reader, Row, Scope, State, StateError, StepComponent, Writer, math,
};

/// Settings of [`Log1p`]. A bare list is `of`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "of"))]
pub struct Config {
    /// The numbers to take the logarithm of: fields, steps or `step.field`. At least one. Default:
    /// none, so it has to be given.
    pub of: Vec<String>,
}

/// The step.
#[derive(Clone, Debug)]
pub struct Log1p {
    each: Each,
}

impl StepComponent for Log1p {
    const NAME: &'static str = "log1p";
    type Config = Config;

    fn reads(config: &Config) -> Vec<String> {
        config.of.clone()
    }

    fn new(config: Config, scope: &mut Scope<'_>) -> Result<Log1p, ConfigError> {
        Ok(Log1p { each: Each::new(scope, &config.of)? })
    }
}

/// Format 1: nothing.
const FORMAT: u16 = 1;

impl State for Log1p {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("log1p", FORMAT).map(|_| ())
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<Log1p>() + self.each.heap_bytes()
    }
}

impl FeatureStep for Log1p {
    fn apply(&self, row: &mut Row<'_>) {
        for (from, to) in self.each.slots() {
            let value = row.values[from];
            row.values[to] = math::ln_1p(value.abs()).copysign(value);
        }
    }

    fn observe(&mut self, _: &Row<'_>) {}

    fn fork(&self) -> Box<dyn FeatureStep> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::shared::tests::*;
    use super::*;

    #[test]
    fn both_signs_have_a_logarithm() {
        let mut step: Log1p = build(Config { of: of(&["x"]) }, &mut numbers(&["x"])).unwrap();
        let e_less_one = std::f64::consts::E - 1.0;
        assert_eq!(next(&mut step, &[0.0], 1, 0), [0.0]);
        assert_eq!(next(&mut step, &[e_less_one], 1, 0), [1.0]);
        assert_eq!(next(&mut step, &[-e_less_one], 1, 0), [-1.0]);
        assert_eq!(next(&mut step, &[-1.0], 1, 0), [-std::f64::consts::LN_2]);
        assert!((next(&mut step, &[f64::MAX], 1, 0)[0] - 709.782712893384).abs() < 1e-12);
    }
}
