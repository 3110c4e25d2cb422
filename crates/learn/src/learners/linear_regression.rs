//! Linear regression: a number as the weighted sum of the features.
//!
//! Learns in one pass by the gradient of the squared error, with the optimizer of the settings.
//! With `normalized` the label is shifted and scaled inside too, so that its unit does not matter
//! either.
//!
//! - Task: a number.
//! - Takes: numbers and hashed features, in any unit (see `normalized`).
//! - Cost: time O(numbers + hashed features), about 75 ns to answer and learn 20 numbers with
//!   `sgd`; memory 16 to 72 bytes a number and 16 bytes a hashed slot.
//! - Not for: labels with a few wild values, which pull everything (squared error; see `clip`), and
//!   interactions between features, unless a step crosses them.
//! - Papers: S. Ross, P. Mineiro and J. Langford, "Normalized Online Learning", UAI 2013, section 2,
//!   for `normalized`; those of the optimizers stand at their settings.

use super::linear::{Linear, Loss, bounded, read_number};
use crate::{
    Component, ConfigError, Features, Label, LabelShape, Learner, Prediction, Reader, Shape, State,
    StateError, Task, Writer,
};

pub use super::linear::{AdaGrad, Config, Ftrl, Optimizer, Sgd};

/// The learner.
#[derive(Clone, Debug)]
pub struct LinearRegression {
    linear: Linear,
    /// None: the label is taken as it is.
    unit: Option<Unit>,
}

/// The squared error.
struct Squared;

impl Loss for Squared {
    const CURVATURE_MAX: f64 = 2.0;

    fn gradient(answer: f64, truth: f64) -> f64 {
        bounded(2.0 * (answer - truth))
    }
}

/// Mean and deviation of the labels so far (Welford, 1962). Invariant: finite.
#[derive(Clone, Copy, Debug, Default)]
struct Unit {
    count: f64,
    mean: f64,
    /// The sum of squared distances to the mean.
    squares: f64,
    deviation: f64,
}

/// Labels beyond this size count as this: their squares would overflow.
const LABEL_MAX: f64 = 1e100;

impl Unit {
    /// Takes a label in and returns it in deviations from the mean.
    fn observe(&mut self, label: f64) -> f64 {
        let label = label.clamp(-LABEL_MAX, LABEL_MAX);
        self.count += 1.0;
        let delta = label - self.mean;
        self.mean += delta / self.count;
        self.squares += delta * (label - self.mean);
        self.deviation = (self.squares / self.count).sqrt();
        let scaled = (label - self.mean) / self.deviation;
        if scaled.is_finite() { scaled } else { 0.0 }
    }
}

impl Component for LinearRegression {
    const NAME: &'static str = "linear_regression";
    type Config = Config;

    fn new(config: Config, shape: &Shape) -> Result<LinearRegression, ConfigError> {
        match shape.label {
            LabelShape::Number => {}
            LabelShape::Class { .. } => {
                return Err(ConfigError::unfit(
                    "linear_regression needs a number as the label; for two classes use \
                     logistic_regression",
                ));
            }
            LabelShape::None => {
                return Err(ConfigError::unfit("linear_regression needs a number as the label"));
            }
        }
        let unit = config.normalized.then(Unit::default);
        Ok(LinearRegression { linear: Linear::new(Self::NAME, &config, shape)?, unit })
    }
}

/// Format 1: with `normalized` the label's count, mean, squares and deviation; then as logistic
/// regression.
const FORMAT: u16 = 1;

impl State for LinearRegression {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        if let Some(Unit { count, mean, squares, deviation }) = self.unit {
            for value in [count, mean, squares, deviation] {
                to.f64(value);
            }
        }
        self.linear.save(to);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("linear_regression", FORMAT)?;
        if let Some(unit) = &mut self.unit {
            *unit = Unit {
                count: read_number(from, 0.0)?,
                mean: read_number(from, f64::MIN)?,
                squares: read_number(from, 0.0)?,
                deviation: read_number(from, 0.0)?,
            };
        }
        self.linear.restore(from)
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<LinearRegression>() + self.linear.heap_bytes()
    }
}

impl Learner for LinearRegression {
    fn task(&self) -> Task {
        Task::Number
    }

    fn predict(&self, x: &Features<'_>, out: &mut Prediction) {
        out.clear();
        let answer = self.linear.answer(x);
        out.value = match self.unit {
            Some(unit) => (unit.mean + unit.deviation * answer).clamp(f64::MIN, f64::MAX),
            None => answer,
        };
    }

    fn learn(&mut self, x: &Features<'_>, y: Label<'_>, weight: f64) {
        if let Label::Number(truth) = y
            && weight > 0.0
        {
            let truth = self.unit.as_mut().map_or(truth, |unit| unit.observe(truth));
            self.linear.learn::<Squared>(x, truth, weight);
        }
    }

    /// In the label's unit, from the mean of the labels on.
    fn explain(&self, x: &Features<'_>, out: &mut Vec<f64>) -> bool {
        self.linear.explain(x, self.unit.map_or(1.0, |unit| unit.deviation), out);
        true
    }
}
