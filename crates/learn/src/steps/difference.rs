//! One number less another.
//!
//! - Makes: `step`, one number: the first less the second. A difference too large for a number is
//!   the largest number, with its sign.
//! - Cost: constant time, no state.
//! - Not for: the change since the record before; give it the number and its `lag` for that.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::{finite, two_numbers};
use crate::{
    ConfigError, FeatureStep, Reader, Row, Scope, SlotKind, State, StateError, StepComponent,
    Writer,
};

/// Settings of [`Difference`]. A bare list is `of`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "of"))]
pub struct Config {
    /// The number to start from, then the number to take away: fields or `step.field`. Range:
    /// exactly two. Default: none, so they have to be given.
    pub of: Vec<String>,
}

/// The step.
#[derive(Clone, Debug)]
pub struct Difference {
    from: usize,
    less: usize,
    to: usize,
}

impl StepComponent for Difference {
    const NAME: &'static str = "difference";
    type Config = Config;

    fn reads(config: &Config) -> Vec<String> {
        config.of.clone()
    }

    fn new(config: Config, scope: &mut Scope<'_>) -> Result<Difference, ConfigError> {
        let [from, less] = two_numbers(scope, &config.of)?;
        Ok(Difference { from, less, to: scope.single(SlotKind::Number) })
    }
}

/// Format 1: nothing.
const FORMAT: u16 = 1;

impl State for Difference {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("difference", FORMAT).map(|_| ())
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<Difference>()
    }
}

impl FeatureStep for Difference {
    fn apply(&self, row: &mut Row<'_>) {
        row.values[self.to] = finite(row.values[self.from] - row.values[self.less]);
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
    fn the_second_is_taken_from_the_first() {
        let config = Config { of: of(&["b", "a"]) };
        assert_eq!(made::<Difference>(config.clone(), &["a", "b"]), ["step"]);
        let mut step: Difference = build(config, &mut numbers(&["a", "b"])).unwrap();
        assert_eq!(next(&mut step, &[3.0, 4.5], 1, 0), [1.5]);
        assert_eq!(next(&mut step, &[1e308, -1e308], 1, 0), [-f64::MAX]);
    }

    #[test]
    fn one_or_three_numbers_are_refused() {
        for names in [&["a"][..], &["a", "b", "a"]] {
            let config = Config { of: of(names) };
            let error = build::<Difference>(config, &mut numbers(&["a", "b"])).unwrap_err();
            assert_eq!(error.field, "of");
        }
    }
}
