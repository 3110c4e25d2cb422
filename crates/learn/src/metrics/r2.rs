//! The share of the truth's variance that the answers explain: 1 less the mean squared distance
//! divided by the variance.
//!
//! - Task: number. Up to 1, higher is better; 0 is no better than always answering the mean of
//!   these very truths (which nobody knows in advance), below 0 worse. Has no unit.
//! - No value before two truths that differ.
//! - Cost: constant time and memory.
//! - Not for: windows in which the truth hardly varies; there it falls without bound although the
//!   mistakes are small. Nor for a truth that repeats itself: "no change" already looks excellent.
//! - A distance beyond 1e100, or to an answer that is no number, counts as 1e100.
//! - Source: S. Wright, "Correlation and Causation", Journal of Agricultural Research 20, 1921,
//!   pages 557-585 (the coefficient of determination). Shifted sums: T. Chan, G. Golub and
//!   R. LeVeque, "Algorithms for Computing the Sample Variance", The American Statistician 37,
//!   1983, pages 242-247.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    About, MetricComponent,
    sums::{Sum, bounded, distance, read_bounded, read_count, weight},
};
use crate::{
    Component, ConfigError, LabelShape, Metric, Outcome, Reader, Shape, State, StateError, Writer,
};

/// Settings of [`R2`]: none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// The metric. Truths are counted from the first one: of sums around 0, a small variance far from 0
/// would not be left after the subtraction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct R2 {
    count: u64,
    origin: f64,
    weight: Sum,
    truth: Sum,
    truth_squared: Sum,
    distance_squared: Sum,
}

impl Component for R2 {
    const NAME: &'static str = "r2";
    type Config = Config;

    fn new(_: Config, shape: &Shape) -> Result<R2, ConfigError> {
        match shape.label {
            LabelShape::Number => Ok(R2::default()),
            _ => Err(ConfigError::unfit("r2 needs a number as the label; try accuracy or kappa")),
        }
    }
}

impl MetricComponent for R2 {
    const ABOUT: About =
        About { title: "R2", higher_is_better: true, range: (f64::NEG_INFINITY, 1.0) };
}

/// Format 1: the count, the first truth, and four sums.
const FORMAT: u16 = 1;

impl State for R2 {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        to.u64(self.count);
        to.f64(self.origin);
        for sum in [&self.weight, &self.truth, &self.truth_squared, &self.distance_squared] {
            sum.save(to);
        }
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("r2", FORMAT)?;
        self.count = read_count(from)?;
        self.origin = read_bounded(from)?;
        self.weight = Sum::read(from)?;
        self.truth = Sum::read(from)?;
        self.truth_squared = Sum::read(from)?;
        self.distance_squared = Sum::read(from)?;
        Ok(())
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<R2>()
    }
}

impl R2 {
    /// Adds an outcome to the sums; with a negative weight, takes it out.
    fn count(&mut self, outcome: &Outcome, weight: f64) {
        let truth = bounded(outcome.truth - self.origin);
        let distance = distance(outcome);
        self.weight.add(weight);
        self.truth.add(weight * truth);
        self.truth_squared.add(weight * (truth * truth));
        self.distance_squared.add(weight * (distance * distance));
    }
}

impl Metric for R2 {
    fn add(&mut self, outcome: &Outcome) {
        if let Some(weight) = weight(outcome) {
            if self.count == 0 {
                self.origin = bounded(outcome.truth);
            }
            self.count += 1;
            self.count(outcome, weight);
        }
    }

    fn value(&self) -> Option<f64> {
        let (weight, truth) = (self.weight.total(), self.truth.total());
        if self.count < 2 || weight <= 0.0 {
            return None;
        }
        let squares = self.truth_squared.total();
        let variation = squares - truth * (truth / weight);
        // What is left of equal truths after rounding is not a variation.
        let varies = variation > 1e-12 * squares.max(0.0);
        varies
            .then(|| 1.0 - self.distance_squared.total().max(0.0) / variation)
            .filter(|value| value.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::sums::number_outcome;

    fn r2(rows: &[(f64, f64)]) -> Option<f64> {
        let mut metric = R2::new(Config {}, &Shape::numbers(1, LabelShape::Number)).unwrap();
        rows.iter().for_each(|(answer, truth)| metric.add(&number_outcome(*answer, *truth, 1.0)));
        metric.value()
    }

    #[test]
    fn three_quarters_explained() {
        // Truths 0, 2, 4, 6 vary by 9 + 1 + 1 + 9 = 20; mistakes 1, 2, 0, 0 are 5.
        assert_eq!(r2(&[(1.0, 0.0), (4.0, 2.0), (4.0, 4.0), (6.0, 6.0)]), Some(0.75));
    }

    #[test]
    fn the_mean_explains_nothing() {
        assert_eq!(r2(&[(3.0, 1.0), (3.0, 5.0)]), Some(0.0));
        assert_eq!(r2(&[(5.0, 1.0), (1.0, 5.0)]), Some(-3.0));
    }

    #[test]
    fn equal_truths_have_no_value() {
        assert_eq!(r2(&[]), None);
        assert_eq!(r2(&[(1.0, 2.0)]), None);
        assert_eq!(r2(&[(1.0, 0.1), (1.0, 0.1), (1.0, 0.1)]), None);
    }

    #[test]
    fn far_from_zero_it_is_the_same() {
        let far = 1e9;
        let rows = [(1.0, 0.0), (4.0, 2.0), (4.0, 4.0), (6.0, 6.0)];
        let rows = rows.map(|(answer, truth)| (answer + far, truth + far));
        assert_eq!(r2(&rows), Some(0.75));
    }
}
