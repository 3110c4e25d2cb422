//! How surprised the learner was: the mean of `-ln p`, where `p` is the probability it had given to
//! the class that came true.
//!
//! - Task: class. From 0 up, lower is better; ln 2 = 0.693 is a coin's, for two classes.
//! - Judges the probability, not the answer: `p = 0.51` and `p = 0.99` differ. A class that the
//!   learner had not met has the probability 0.
//! - Cost: constant time and memory; one logarithm an outcome.
//! - Not for: learners that answer without probabilities (0 or 1): each mistake costs
//!   `ln(1 / floor)`, 34.5 by default, and that is all it then says.
//! - Source: I. J. Good, "Rational Decisions", Journal of the Royal Statistical Society B 14, 1952,
//!   pages 107-114.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    About, MetricComponent,
    sums::{Mean, weight},
};
use crate::{
    Component, ConfigError, LabelShape, Metric, Outcome, Reader, Shape, State, StateError, Writer,
    check_number, math,
};

/// Settings of [`LogLoss`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The least probability told apart; a smaller one, 0 among them, counts as this. A
    /// probability. Range: 1e-300 to 0.5. Default: 1e-15. Raising it makes a mistake that was sure
    /// of itself cheaper: it costs `ln(1 / floor)`.
    pub floor: f64,
}

impl Default for Config {
    fn default() -> Config {
        Config { floor: 1e-15 }
    }
}

/// The metric.
#[derive(Clone, Debug)]
pub struct LogLoss {
    floor: f64,
    /// What a mistake costs that was sure of itself.
    loss_max: f64,
    loss: Mean,
}

impl Component for LogLoss {
    const NAME: &'static str = "log_loss";
    type Config = Config;

    fn new(config: Config, shape: &Shape) -> Result<LogLoss, ConfigError> {
        let is_right = |floor| (1e-300..=0.5).contains(&floor);
        let floor = check_number("floor", config.floor, "from 1e-300 to 0.5", is_right)?;
        match shape.label {
            LabelShape::Class { .. } => {
                let loss_max = math::ln(1.0 / floor);
                Ok(LogLoss { floor, loss_max, loss: Mean::default() })
            }
            _ => Err(ConfigError::unfit("log_loss needs a class as the label; try mae or rmse")),
        }
    }
}

impl MetricComponent for LogLoss {
    const ABOUT: About =
        About { title: "log loss", higher_is_better: false, range: (0.0, f64::INFINITY) };
}

/// Format 1: the mean loss.
const FORMAT: u16 = 1;

impl State for LogLoss {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        self.loss.save(to);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("log_loss", FORMAT)?;
        self.loss = Mean::read(from)?;
        Ok(())
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<LogLoss>()
    }
}

impl LogLoss {
    fn loss(&self, outcome: &Outcome) -> f64 {
        let probability = outcome.probability;
        // What is no number fails the comparison, and counts as the least.
        if (probability > self.floor) & (probability < 1.0) {
            // Not `-ln`, which would make a loss of -0 of a probability of 1.
            return math::ln(1.0 / probability);
        }
        // No branch here: it would be foretold wrongly as often as a sure learner is wrong.
        [self.loss_max, 0.0][usize::from(probability >= 1.0)]
    }
}

impl Metric for LogLoss {
    fn add(&mut self, outcome: &Outcome) {
        if let Some(weight) = weight(outcome) {
            self.loss.add(self.loss(outcome), weight);
        }
    }

    fn value(&self) -> Option<f64> {
        self.loss.value().map(|loss| loss.max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::sums::class_outcome;

    fn loss_of(probabilities: &[f64]) -> f64 {
        let shape = Shape::numbers(1, LabelShape::Class { values_max: 2 });
        let mut metric = LogLoss::new(Config::default(), &shape).unwrap();
        for probability in probabilities {
            metric.add(&Outcome { probability: *probability, ..class_outcome(1, 1, 1.0) });
        }
        metric.value().unwrap()
    }

    #[test]
    fn a_coin_loses_ln_two() {
        assert_eq!(loss_of(&[0.5, 0.5]), std::f64::consts::LN_2);
        assert_eq!(loss_of(&[1.0]), 0.0);
        // -(ln 1/2 + ln 1/8) / 2 = 2 ln 2
        assert!((loss_of(&[0.5, 0.125]) - 2.0 * std::f64::consts::LN_2).abs() < 1e-15);
    }

    #[test]
    fn a_sure_mistake_has_a_price() {
        let price = loss_of(&[0.0]);
        assert!((price - 15.0 * std::f64::consts::LN_10).abs() < 1e-13);
        assert_eq!(loss_of(&[f64::NAN]), price);
    }

    #[test]
    fn a_floor_out_of_range_is_refused_by_name() {
        let shape = Shape::numbers(1, LabelShape::Class { values_max: 2 });
        for floor in [0.0, -1.0, 0.6, f64::NAN, f64::INFINITY] {
            let error = LogLoss::new(Config { floor }, &shape).unwrap_err();
            assert_eq!(error.field, "floor");
        }
    }
}
