//! Scales numbers to the range from 0 to 1, by the least and the greatest seen so far.
//!
//! - Makes: `step.field`, a number for each number read: 0 at the least, 1 at the greatest. A value
//!   beyond both extremes so far gives 0 or 1 when it is first met and moves the extreme
//!   afterwards. 0 while there is no range: before the first record, and while all values were
//!   equal.
//! - Cost: constant time and memory for each number.
//! - Not for: outliers, since a single one presses all others together for good (see `clip` before
//!   it, or `standardize`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::{Each, read_len, read_number};
use crate::{
    ConfigError, FeatureStep, Reader, Row, Scope, State, StateError, StepComponent, Writer,
};

/// Settings of [`MinMax`]. A bare list is `of`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "of"))]
pub struct Config {
    /// The numbers to scale: fields, steps or `step.field`. At least one. Default: none, so it has
    /// to be given.
    pub of: Vec<String>,
}

/// The step. Invariant: `extremes` has one entry for each of `each`; all are 0 until `seen`.
#[derive(Clone, Debug)]
pub struct MinMax {
    each: Each,
    seen: bool,
    extremes: Box<[Extremes]>,
}

/// The least and the greatest so far: finite, and in this order.
#[derive(Clone, Copy, Debug, Default)]
struct Extremes {
    least: f64,
    greatest: f64,
}

impl StepComponent for MinMax {
    const NAME: &'static str = "min_max";
    type Config = Config;

    fn reads(config: &Config) -> Vec<String> {
        config.of.clone()
    }

    fn new(config: Config, scope: &mut Scope<'_>) -> Result<MinMax, ConfigError> {
        let each = Each::new(scope, &config.of)?;
        let extremes = vec![Extremes::default(); each.len()].into();
        Ok(MinMax { each, seen: false, extremes })
    }
}

/// Format 1: whether a record was seen, then the least and the greatest of each number.
const FORMAT: u16 = 1;

impl State for MinMax {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        to.bool(self.seen);
        to.len(self.extremes.len());
        for Extremes { least, greatest } in &self.extremes {
            to.f64(*least);
            to.f64(*greatest);
        }
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("min_max", FORMAT)?;
        self.seen = from.bool()?;
        read_len(from, self.extremes.len(), "min_max has another number of inputs")?;
        for extremes in &mut self.extremes {
            let least = read_number(from, "an extreme that is no number", f64::is_finite)?;
            let is_right = |greatest: f64| greatest.is_finite() && greatest >= least;
            let greatest = read_number(from, "extremes out of order", is_right)?;
            *extremes = Extremes { least, greatest };
        }
        Ok(())
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<MinMax>() + self.each.heap_bytes() + size_of_val(&*self.extremes)
    }
}

impl FeatureStep for MinMax {
    fn apply(&self, row: &mut Row<'_>) {
        for ((from, to), Extremes { least, greatest }) in self.each.slots().zip(&self.extremes) {
            // Halves, because the range of numbers as large as 1e308 is no number.
            let range = greatest * 0.5 - least * 0.5;
            let above = row.values[from] * 0.5 - least * 0.5;
            row.values[to] = if range > 0.0 { (above / range).clamp(0.0, 1.0) } else { 0.0 };
        }
    }

    fn observe(&mut self, row: &Row<'_>) {
        for (from, extremes) in self.each.from().zip(&mut self.extremes) {
            let value = row.values[from];
            // Compared, not `min` and `max`: which of two zeros these return is not laid down.
            if !self.seen || value < extremes.least {
                extremes.least = value;
            }
            if !self.seen || value > extremes.greatest {
                extremes.greatest = value;
            }
        }
        self.seen = true;
    }

    fn fork(&self) -> Box<dyn FeatureStep> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::shared::tests::*;
    use super::*;

    fn outputs(inputs: &[f64]) -> Vec<f64> {
        let mut step: MinMax = build(Config { of: of(&["x"]) }, &mut numbers(&["x"])).unwrap();
        inputs.iter().map(|input| next(&mut step, &[*input], 1, 0)[0]).collect()
    }

    /// After 2 and 6 the range is 4 wide: 3 is a quarter of the way, and 10 is beyond the end.
    #[test]
    fn a_value_becomes_its_place_between_the_extremes() {
        assert_eq!(outputs(&[2.0, 6.0, 3.0, 10.0, 10.0]), [0.0, 0.0, 0.25, 1.0, 1.0]);
        assert_eq!(outputs(&[2.0, 6.0, -2.0, 0.0]), [0.0, 0.0, 0.0, 0.25]);
    }

    #[test]
    fn a_range_wider_than_any_number_still_scales() {
        assert_eq!(outputs(&[-1e308, 1e308, 0.0]), [0.0, 0.0, 0.5]);
    }
}
