//! Holds numbers between two bounds that are given.
//!
//! - Makes: `step.field`, a number for each number read: the number, or the bound it lies beyond.
//! - Cost: constant time, no state.
//! - Not for: bounds that are not known beforehand (see `min_max`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::Each;
use crate::{
    ConfigError, FeatureStep, Reader, Row, Scope, State, StateError, StepComponent, Writer,
    check_number,
};

/// Settings of [`Clip`]. At least one of `min` and `max` has to be given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The numbers to hold: fields, steps or `step.field`. At least one. Default: none, so it has
    /// to be given.
    pub of: Vec<String>,
    /// The least that comes out, in the unit of the numbers. Range: any number not above `max`.
    /// Default: no lower bound. Raise it to cut more of the low values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The most that comes out, in the unit of the numbers. Range: any number not below `min`.
    /// Default: no upper bound. Raise it to cut fewer of the high values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

/// The step. Invariant: `min` is at most `max`.
#[derive(Clone, Debug)]
pub struct Clip {
    each: Each,
    min: f64,
    max: f64,
}

impl StepComponent for Clip {
    const NAME: &'static str = "clip";
    type Config = Config;

    fn reads(config: &Config) -> Vec<String> {
        config.of.clone()
    }

    fn new(config: Config, scope: &mut Scope<'_>) -> Result<Clip, ConfigError> {
        let Config { of, min, max } = config;
        if min.is_none() && max.is_none() {
            return Err(ConfigError::new("min", "", "clip needs `min`, `max` or both"));
        }
        let min = check_number("min", min.unwrap_or(-f64::MAX), "a finite number", |_| true)?;
        let must_be = format!("a finite number, not below `min`, which is {min}");
        let max = check_number("max", max.unwrap_or(f64::MAX), &must_be, |max| min <= max)?;
        Ok(Clip { each: Each::new(scope, &of)?, min, max })
    }
}

/// Format 1: nothing.
const FORMAT: u16 = 1;

impl State for Clip {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("clip", FORMAT).map(|_| ())
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<Clip>() + self.each.heap_bytes()
    }
}

impl FeatureStep for Clip {
    fn apply(&self, row: &mut Row<'_>) {
        for (from, to) in self.each.slots() {
            row.values[to] = row.values[from].clamp(self.min, self.max);
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

    fn clip(min: Option<f64>, max: Option<f64>) -> Result<Clip, ConfigError> {
        build(Config { of: of(&["x"]), min, max }, &mut numbers(&["x"]))
    }

    #[test]
    fn what_lies_beyond_a_bound_becomes_the_bound() {
        let mut both = clip(Some(-1.0), Some(2.0)).unwrap();
        assert_eq!(next(&mut both, &[-1.5], 1, 0), [-1.0]);
        assert_eq!(next(&mut both, &[0.5], 1, 0), [0.5]);
        assert_eq!(next(&mut both, &[f64::MAX], 1, 0), [2.0]);
        let mut upper = clip(None, Some(2.0)).unwrap();
        assert_eq!(next(&mut upper, &[-f64::MAX], 1, 0), [-f64::MAX]);
    }

    #[test]
    fn bounds_are_needed_and_in_order() {
        assert_eq!(clip(None, None).unwrap_err().field, "min");
        assert_eq!(clip(Some(2.0), Some(1.0)).unwrap_err().field, "max");
        assert!(clip(Some(1.0), Some(1.0)).is_ok());
    }
}
