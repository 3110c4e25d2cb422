//! One number divided by another.
//!
//! - Makes: `step`, one number. Nothing divided by nothing is 0, and so is anything divided by 0: a
//!   rate of no cases says nothing, and a huge number in its place would drown every other feature.
//!   A quotient too large for a number is the largest number, with its sign.
//! - Cost: constant time, no state.
//! - Not for: divisors that cross 0, where the ratio jumps from one end to the other (see
//!   `difference`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::{finite, two_numbers};
use crate::{
    ConfigError, FeatureStep, Reader, Row, Scope, SlotKind, State, StateError, StepComponent,
    Writer,
};

/// Settings of [`Ratio`]. A bare list is `of`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "of"))]
pub struct Config {
    /// The number to divide, then the number to divide by: fields or `step.field`. Range: exactly
    /// two. Default: none, so they have to be given.
    pub of: Vec<String>,
}

/// The step.
#[derive(Clone, Debug)]
pub struct Ratio {
    dividend: usize,
    divisor: usize,
    to: usize,
}

impl StepComponent for Ratio {
    const NAME: &'static str = "ratio";
    type Config = Config;

    fn reads(config: &Config) -> Vec<String> {
        config.of.clone()
    }

    fn new(config: Config, scope: &mut Scope<'_>) -> Result<Ratio, ConfigError> {
        let [dividend, divisor] = two_numbers(scope, &config.of)?;
        Ok(Ratio { dividend, divisor, to: scope.single(SlotKind::Number) })
    }
}

/// Format 1: nothing.
const FORMAT: u16 = 1;

impl State for Ratio {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("ratio", FORMAT).map(|_| ())
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<Ratio>()
    }
}

impl FeatureStep for Ratio {
    fn apply(&self, row: &mut Row<'_>) {
        let (dividend, divisor) = (row.values[self.dividend], row.values[self.divisor]);
        row.values[self.to] = if divisor == 0.0 { 0.0 } else { finite(dividend / divisor) };
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
    fn the_first_is_divided_by_the_second() {
        let config = Config { of: of(&["a", "b"]) };
        assert_eq!(made::<Ratio>(config.clone(), &["a", "b"]), ["step"]);
        let mut step: Ratio = build(config, &mut numbers(&["a", "b"])).unwrap();
        assert_eq!(next(&mut step, &[3.0, 4.0], 1, 0), [0.75]);
        assert_eq!(next(&mut step, &[0.0, 0.0], 1, 0), [0.0]);
        assert_eq!(next(&mut step, &[3.0, 0.0], 1, 0), [0.0]);
        assert_eq!(next(&mut step, &[1e308, -1e-308], 1, 0), [-f64::MAX]);
    }

    #[test]
    fn one_or_three_numbers_are_refused() {
        for names in [&["a"][..], &["a", "b", "a"]] {
            let config = Config { of: of(names) };
            let error = build::<Ratio>(config, &mut numbers(&["a", "b"])).unwrap_err();
            assert_eq!(error.field, "of");
        }
    }
}
