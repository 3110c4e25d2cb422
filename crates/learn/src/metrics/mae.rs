//! The mean distance between the answer and the truth, in the label's unit.
//!
//! - Task: number. From 0 up, lower is better. Its least is reached by answering the median.
//! - Cost: constant time and memory.
//! - Not for: labels of very different sizes in one stream, where the large ones decide alone.
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

/// Settings of [`Mae`]: none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// The metric.
#[derive(Clone, Debug, Default)]
pub struct Mae {
    distance: Mean,
}

impl Component for Mae {
    const NAME: &'static str = "mae";
    type Config = Config;

    fn new(_: Config, shape: &Shape) -> Result<Mae, ConfigError> {
        match shape.label {
            LabelShape::Number => Ok(Mae::default()),
            _ => Err(ConfigError::unfit("mae needs a number as the label; try accuracy")),
        }
    }
}

impl MetricComponent for Mae {
    const ABOUT: About = About {
        title: "mean absolute error",
        higher_is_better: false,
        range: (0.0, f64::INFINITY),
    };
}

/// Format 1: the mean distance.
const FORMAT: u16 = 1;

impl State for Mae {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        self.distance.save(to);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("mae", FORMAT)?;
        self.distance = Mean::read(from)?;
        Ok(())
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<Mae>()
    }
}

impl Metric for Mae {
    fn add(&mut self, outcome: &Outcome) {
        if let Some(weight) = weight(outcome) {
            self.distance.add(distance(outcome).abs(), weight);
        }
    }

    fn value(&self) -> Option<f64> {
        self.distance.value().map(|mean| mean.max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::sums::number_outcome;

    #[test]
    fn distances_on_both_sides_count() {
        let mut metric = Mae::new(Config {}, &Shape::numbers(1, LabelShape::Number)).unwrap();
        assert_eq!(metric.value(), None);
        metric.add(&number_outcome(3.0, 1.0, 1.0));
        metric.add(&number_outcome(1.0, 5.0, 3.0));
        assert_eq!(metric.value(), Some((2.0 + 3.0 * 4.0) / 4.0));
    }

    #[test]
    fn a_huge_mistake_is_bounded() {
        let mut metric = Mae::new(Config {}, &Shape::numbers(1, LabelShape::Number)).unwrap();
        metric.add(&number_outcome(-1e308, 1e308, 1.0));
        metric.add(&number_outcome(0.5, 0.0, 1.0));
        assert_eq!(metric.value(), Some(5e99));
    }
}
