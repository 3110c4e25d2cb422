//! What the linear learners can be told, and the checks of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ConfigError, check_number};

/// Settings of the linear learners.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How a mistake moves the weights: `sgd`, `adagrad` or `ftrl`. Default: `sgd`, which goes on
    /// adapting for ever; the steps of the other two shrink, which suits worlds that hold still and
    /// rare hashed features.
    pub optimizer: Optimizer,
    /// Whether numbers are shifted and scaled inside, and steps fitted to the size of an example,
    /// so that any unit of any column is safe and `step` needs no tuning. Default: true. Off gives
    /// the textbook update on the numbers as they are: standardize them first.
    pub normalized: bool,
    /// Pull of each weight towards exactly 0, at each example it takes part in, times the step: the
    /// truncated gradient. Loss a unit of weight. Range: 0 to 1000. Default: 0. Raise it for fewer
    /// weights. `ftrl` has its own.
    pub l1: f64,
    /// Shrinking of each weight at each example it takes part in, times the step. Loss a squared
    /// unit of weight. Range: 0 to 1000. Default: 0. Raise it to distrust single features. `ftrl`
    /// has its own.
    pub l2: f64,
    /// Whether there is a constant beside the features. Default: true.
    pub intercept: bool,
    /// A constant step for the intercept by plain gradient descent. Range: 0 to 100. Default: none;
    /// the optimizer then treats the intercept as a feature that is always 1. Raise it to follow a
    /// shifting base rate faster.
    pub intercept_step: Option<f64>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            optimizer: Optimizer::Sgd(Sgd::default()),
            normalized: true,
            l1: 0.0,
            l2: 0.0,
            intercept: true,
            intercept_step: None,
        }
    }
}

/// How a mistake moves the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// Gradient descent with a constant step.
    Sgd(Sgd),
    /// A step of its own for each weight, which shrinks as the weight's gradients add up.
    #[serde(rename = "adagrad")]
    AdaGrad(AdaGrad),
    /// Follow the regularised leader: as `adagrad`, with weights that stay exactly 0 until there is
    /// evidence.
    Ftrl(Ftrl),
}

/// Stochastic gradient descent. With `normalized`: S. Ross, P. Mineiro and J. Langford, "Normalized
/// Online Learning", UAI 2013, algorithm 1 (NG), with deviations in place of maxima.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "step"))]
pub struct Sgd {
    /// With `normalized`, the part of the way from the answer to the truth that a typical example
    /// moves the answer, no unit; without, the factor of the gradient, for which 0.01 is usual.
    /// Range: above 0 and at most 100. Default: 0.1. Raise it to follow change faster, at the price
    /// of noise.
    pub step: f64,
}

impl Default for Sgd {
    fn default() -> Sgd {
        Sgd { step: 0.1 }
    }
}

/// Adaptive gradient descent: J. Duchi, E. Hazan and Y. Singer, "Adaptive Subgradient Methods for
/// Online Learning and Stochastic Optimization", JMLR 12, 2011, section 1.1, diagonal. With
/// `normalized`: Ross, Mineiro and Langford as above, algorithm 2 (NAG), with deviations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "step"))]
pub struct AdaGrad {
    /// What the first step of each weight is, in units of the weight. Range: above 0 and at most
    /// 100. Default: 1; without `normalized` 0.1 is usual. Raise it to learn faster, at the price
    ///      of noise.
    pub step: f64,
}

impl Default for AdaGrad {
    fn default() -> AdaGrad {
        AdaGrad { step: 1.0 }
    }
}

/// FTRL-Proximal: H. B. McMahan et al., "Ad Click Prediction: a View from the Trenches", KDD 2013,
/// algorithm 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "alpha"))]
pub struct Ftrl {
    /// The size of the steps, in units of the weight. Range: above 0 and at most 100. Default: 0.3.
    /// Raise it to learn faster, at the price of noise.
    pub alpha: f64,
    /// What is added to the root of the summed squared gradients, in their unit. Range: 0 to
    /// 1000000. Default: 1. Raise it for smaller first steps.
    pub beta: f64,
    /// Evidence below which a weight stays exactly 0, a summed gradient. Range: 0 to 1000000.
    /// Default: 0. Raise it for fewer weights.
    pub l1: f64,
    /// Shrinking of the weights, loss a squared unit of weight. Range: 0 to 1000000. Default: 0.
    /// Raise it to distrust single features.
    pub l2: f64,
}

impl Default for Ftrl {
    fn default() -> Ftrl {
        Ftrl { alpha: 0.3, beta: 1.0, l1: 0.0, l2: 0.0 }
    }
}

/// Checks every setting's range.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let step = |name: &str, value| {
        check_number(name, value, "above 0 and at most 100", |v| v > 0.0 && v <= 100.0)
    };
    let pull = |name: &str, value, most: f64| {
        check_number(name, value, &format!("from 0 to {most}"), |v| (0.0..=most).contains(&v))
    };
    pull("l1", config.l1, 1000.0)?;
    pull("l2", config.l2, 1000.0)?;
    if let Some(value) = config.intercept_step {
        pull("intercept_step", value, 100.0)?;
    }
    match &config.optimizer {
        Optimizer::Sgd(Sgd { step: value }) => step("optimizer.sgd.step", *value)?,
        Optimizer::AdaGrad(AdaGrad { step: value }) => step("optimizer.adagrad.step", *value)?,
        Optimizer::Ftrl(Ftrl { alpha, beta, l1, l2 }) => {
            pull("optimizer.ftrl.beta", *beta, 1e6)?;
            pull("optimizer.ftrl.l1", *l1, 1e6)?;
            pull("optimizer.ftrl.l2", *l2, 1e6)?;
            for (name, value) in [("l1", config.l1), ("l2", config.l2)] {
                let must_be = format!("0 with ftrl, which has optimizer.ftrl.{name}");
                check_number(name, value, &must_be, |v| v == 0.0)?;
            }
            step("optimizer.ftrl.alpha", *alpha)?
        }
    };
    Ok(())
}
