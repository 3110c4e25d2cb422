//! The root of the mean squared distance between the answer and the truth, in the label's unit.
//!
//! - Task: number. From 0 up, lower is better. Its least is reached by answering the mean.
//! - Cost: constant time and memory.
//! - Not for: streams with outliers, where the few largest mistakes decide alone (see `mae`).
//! - A distance beyond 1e100, or to an answer that is no number, counts as 1e100.
//! - Source: C. J. Willmott and K. Matsuura, "Advantages of the Mean Absolute Error (MAE) over the
//!   Root Mean Square Error (RMSE)", Climate Research 30, 2005, pages 79-82.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    About, MetricComponent,
    sums::{Mean, distance, weight},
};
use crate::{
    Component, ConfigError, LabelShape, Metric, Outcome, Reader, Shape, State, StateError, Writer,
};

/// Settings of [`Rmse`]: none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// The metric.
#[derive(Clone, Debug, Default)]
pub struct Rmse {
    square: Mean,
}

impl Component for Rmse {
    const NAME: &'static str = "rmse";
    type Config = Config;

    fn new(_: Config, shape: &Shape) -> Result<Rmse, ConfigError> {
        match shape.label {
            LabelShape::Number => Ok(Rmse::default()),
            _ => Err(ConfigError::unfit("rmse needs a number as the label; try accuracy")),
        }
    }
}

impl MetricComponent for Rmse {
    const ABOUT: About =
        About { title: "RMSE", higher_is_better: false, range: (0.0, f64::INFINITY) };
}

/// Format 1: the mean squared distance.
const FORMAT: u16 = 1;

impl State for Rmse {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        self.square.save(to);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("rmse", FORMAT)?;
        self.square = Mean::read(from)?;
        Ok(())
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<Rmse>()
    }
}

fn square(outcome: &Outcome) -> f64 {
    let distance = distance(outcome);
    distance * distance
}

impl Metric for Rmse {
    fn add(&mut self, outcome: &Outcome) {
        if let Some(weight) = weight(outcome) {
            self.square.add(square(outcome), weight);
        }
    }

    fn value(&self) -> Option<f64> {
        // A square root is rounded alike on every machine (IEEE 754).
        self.square.value().map(|mean| mean.max(0.0).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::sums::number_outcome;

    #[test]
    fn large_mistakes_count_more() {
        let mut metric = Rmse::new(Config {}, &Shape::numbers(1, LabelShape::Number)).unwrap();
        assert_eq!(metric.value(), None);
        // Distances 1 and 7: the root of 50 / 2.
        metric.add(&number_outcome(1.0, 0.0, 1.0));
        metric.add(&number_outcome(0.0, 7.0, 1.0));
        assert_eq!(metric.value(), Some(5.0));
    }
}
