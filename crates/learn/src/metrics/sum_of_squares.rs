//! How tight the clusters are: the squared distance of each example to the centre it was given to,
//! as the mean over the examples.
//!
//! - Task: cluster (no label). From 0 up, lower is better, in the square of the features' unit.
//! - The sum is divided by the number of examples: so a window of 1,000 and the whole stream stand
//!   side by side on one scale, and a window of time does not rise because more records came. The
//!   sum itself is this times the examples.
//! - Cost: constant time and memory.
//! - Not for: choosing the number of clusters, as it falls with each one more; nor for comparing
//!   features on different scales.
//! - A square beyond 1e100, or that is no number, counts as 1e100.
//! - Source: J. MacQueen, "Some Methods for Classification and Analysis of Multivariate
//!   Observations", 5th Berkeley Symposium, 1967, volume 1, pages 281-297, section 1; over a
//!   stream: C. Aggarwal et al., "A Framework for Clustering Evolving Data Streams", VLDB 2003,
//!   pages 81-92 (the average SSQ).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    About, MetricComponent,
    sums::{Mean, bounded, weight},
};
use crate::{
    Component, ConfigError, LabelShape, Metric, Outcome, Reader, Shape, State, StateError, Writer,
};

/// Settings of [`SumOfSquares`]: none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// The metric.
#[derive(Clone, Debug, Default)]
pub struct SumOfSquares {
    square: Mean,
}

impl Component for SumOfSquares {
    const NAME: &'static str = "sum_of_squares";
    type Config = Config;

    fn new(_: Config, shape: &Shape) -> Result<SumOfSquares, ConfigError> {
        match shape.label {
            LabelShape::None => Ok(SumOfSquares::default()),
            _ => Err(ConfigError::unfit(
                "sum_of_squares judges clusters; for a label try accuracy or rmse",
            )),
        }
    }
}

impl MetricComponent for SumOfSquares {
    const ABOUT: About = About {
        title: "squares per example",
        higher_is_better: false,
        range: (0.0, f64::INFINITY),
    };
}

/// Format 1: the mean square.
const FORMAT: u16 = 1;

impl State for SumOfSquares {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        self.square.save(to);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("sum_of_squares", FORMAT)?;
        self.square = Mean::read(from)?;
        Ok(())
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<SumOfSquares>()
    }
}

fn square(outcome: &Outcome) -> f64 {
    bounded(outcome.truth).max(0.0)
}

impl Metric for SumOfSquares {
    fn add(&mut self, outcome: &Outcome) {
        if let Some(weight) = weight(outcome) {
            self.square.add(square(outcome), weight);
        }
    }

    fn value(&self) -> Option<f64> {
        self.square.value().map(|mean| mean.max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Label, Prediction, Task};

    #[test]
    fn the_square_to_the_chosen_centre_counts() {
        let shape = Shape::numbers(1, LabelShape::None);
        let mut metric = SumOfSquares::new(Config {}, &shape).unwrap();
        assert_eq!(metric.value(), None);
        for (chosen, squares) in [(1.0, [9.0, 4.0]), (0.0, [1.0, 16.0])] {
            let answer = Prediction { value: chosen, scores: squares.to_vec(), interval: None };
            metric.add(&Outcome::of(Task::Cluster, &answer, Label::None, f64::NAN).unwrap());
        }
        assert_eq!(metric.value(), Some((4.0 + 1.0) / 2.0));
    }
}
