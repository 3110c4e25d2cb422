//! Logistic regression: the probability of the second of two classes.
//!
//! One weight a feature; the weighted sum goes through the logistic function. Learns in one pass by
//! the gradient of the log loss, with the optimizer of the settings.
//!
//! - Task: one of two classes; `scores` is the probability of each.
//! - Takes: numbers and hashed features, in any unit (see `normalized`).
//! - Cost: time O(numbers + hashed features), about 75 ns to answer and learn 20 numbers with
//!   `sgd`; memory 16 to 72 bytes a number and 16 bytes a hashed slot.
//! - Not for: interactions between features, unless a step crosses them (see `hoeffding_tree`);
//!   columns with a few wild values, which widen the scale for good (see `clip`, `log1p`).
//! - Papers: S. Ross, P. Mineiro and J. Langford, "Normalized Online Learning", UAI 2013, section 2,
//!   for `normalized`; those of the optimizers stand at their settings.

use super::linear::{Linear, Loss};
use crate::{
    Component, ConfigError, Features, Label, LabelShape, Learner, Prediction, Reader, Shape, State,
    StateError, Task, Writer, math,
};

pub use super::linear::{AdaGrad, Config, Ftrl, Optimizer, Sgd};

/// The learner.
#[derive(Clone, Debug)]
pub struct LogisticRegression {
    linear: Linear,
}

/// `ln(1 + e^-answer)` for the second class, `ln(1 + e^answer)` for the first.
struct LogLoss;

impl Loss for LogLoss {
    const CURVATURE_MAX: f64 = 0.25;

    fn gradient(answer: f64, truth: f64) -> f64 {
        math::sigmoid(answer) - truth
    }
}

impl Component for LogisticRegression {
    const NAME: &'static str = "logistic_regression";
    type Config = Config;

    fn new(config: Config, shape: &Shape) -> Result<LogisticRegression, ConfigError> {
        match shape.label {
            LabelShape::Class { values_max: 2 } => {}
            LabelShape::Class { values_max } => {
                return Err(ConfigError::unfit(format!(
                    "logistic_regression tells two classes apart, not {values_max}: use a learner \
                     of several classes, such as hoeffding_tree"
                )));
            }
            LabelShape::Number => {
                return Err(ConfigError::unfit(
                    "logistic_regression needs two classes as the label; for a number use \
                     linear_regression",
                ));
            }
            LabelShape::None => {
                return Err(ConfigError::unfit("logistic_regression needs a label of two classes"));
            }
        }
        Ok(LogisticRegression { linear: Linear::new(Self::NAME, &config, shape)? })
    }
}

/// Format 1: examples learned, their summed size, the intercept, the dense slots' weights and sums,
/// the hashed slots', and with `normalized` the scales.
const FORMAT: u16 = 1;

impl State for LogisticRegression {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        self.linear.save(to);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("logistic_regression", FORMAT)?;
        self.linear.restore(from)
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<LogisticRegression>() + self.linear.heap_bytes()
    }
}

impl Learner for LogisticRegression {
    fn task(&self) -> Task {
        Task::Class
    }

    fn predict(&self, x: &Features<'_>, out: &mut Prediction) {
        out.set_binary(math::sigmoid(self.linear.answer(x)));
    }

    fn learn(&mut self, x: &Features<'_>, y: Label<'_>, weight: f64) {
        if let Label::Class(code @ (0 | 1)) = y
            && weight > 0.0
        {
            self.linear.learn::<LogLoss>(x, f64::from(code), weight);
        }
    }

    /// In units of the logarithm of the odds.
    fn explain(&self, x: &Features<'_>, out: &mut Vec<f64>) -> bool {
        self.linear.explain(x, 1.0, out);
        true
    }
}
