//! What to make of the records in a window.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ConfigError, Scope, check_count, check_number};

/// The most samples of a quantile.
pub(super) const SAMPLES_MAX: u64 = 1000;

/// What to make of the records in a window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Make {
    /// How many there are.
    Count,
    /// The sum of this number: a field or `step.field`.
    Sum(String),
    /// The mean of this number.
    Mean(String),
    /// The mean squared distance of this number to its mean.
    Variance(String),
    /// The least of this number.
    Min(String),
    /// The greatest of this number.
    Max(String),
    /// About how many different values this has: a category, an id, a text or a number.
    Distinct(Distinct),
    /// A quantile of this number.
    Quantile(Quantile),
    /// How long ago the newest record was, in seconds of event time. Where there is none: the span
    /// of the window, the gap of a session, or `forget_after`; 0 where there is none of these.
    TimeSince,
}

/// Settings of `distinct`. A bare string is `of`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-short" = "of"))]
pub struct Distinct {
    /// What to tell apart. Required.
    pub of: String,
    /// How many bits stand for the values, in each pane. Range: 64 to 65,536, a power of two.
    /// Default: 256: a few values are counted exactly most times, up to 250 with a standard error
    /// of about 5 %, 1,000 with one of 11 %; beyond 1,420 the figure stays. Raise it for more
    /// values, at 1 byte a pane for each 8 bits.
    #[serde(default = "bits_default")]
    pub bits: u64,
}

fn bits_default() -> u64 {
    256
}

/// Settings of `quantile`. A bare string is `of`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-short" = "of"))]
pub struct Quantile {
    /// The number. Required.
    pub of: String,
    /// Which quantile: the least value that this share of the values do not exceed. Range: 0 to 1.
    /// Default: 0.5, the median.
    #[serde(default = "at_default")]
    pub at: f64,
    /// Of how many of the newest values in the window, at most. Range: 1 to 1000. Default: 100.
    /// Raise it for quantiles near the ends; it costs 16 bytes a value and key, and time.
    #[serde(default = "newest_default")]
    pub newest: u64,
}

fn at_default() -> f64 {
    0.5
}

fn newest_default() -> u64 {
    100
}

impl Make {
    /// Its name in the settings.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Make::Count => "count",
            Make::Sum(_) => "sum",
            Make::Mean(_) => "mean",
            Make::Variance(_) => "variance",
            Make::Min(_) => "min",
            Make::Max(_) => "max",
            Make::Distinct(_) => "distinct",
            Make::Quantile(_) => "quantile",
            Make::TimeSince => "time_since",
        }
    }

    /// What it reads.
    pub(super) fn reads(&self) -> Option<&String> {
        match self {
            Make::Count | Make::TimeSince => None,
            Make::Sum(of) | Make::Mean(of) | Make::Variance(of) => Some(of),
            Make::Min(of) | Make::Max(of) => Some(of),
            Make::Distinct(distinct) => Some(&distinct.of),
            Make::Quantile(quantile) => Some(&quantile.of),
        }
    }

    /// Whether a window that knows all its records can make it.
    pub(super) fn is_exact(&self) -> bool {
        !matches!(self, Make::Distinct(_) | Make::Quantile(_) | Make::TimeSince)
    }

    /// The slot of the number it reads, if it reads one.
    pub(super) fn number(
        &self,
        name: &str,
        scope: &Scope<'_>,
    ) -> Result<Option<usize>, ConfigError> {
        let Some(of) = self.reads() else { return Ok(None) };
        let setting = match self {
            Make::Quantile(_) => format!("make.{name}.quantile.of"),
            _ => format!("make.{name}.{}", self.kind()),
        };
        match scope.numbers(&setting, std::slice::from_ref(of))?.as_slice() {
            [(_, slot)] => Ok(Some(*slot)),
            _ => Err(ConfigError::new(&setting, of, "the name of one number: `step.field`")),
        }
    }
}

impl Distinct {
    /// How many words of 64 bits.
    pub(super) fn words(&self, name: &str) -> Result<usize, ConfigError> {
        let setting = format!("make.{name}.distinct.bits");
        let bits = check_count(&setting, self.bits, 64, 65_536)?;
        match bits.is_power_of_two() {
            true => Ok(bits as usize / 64),
            false => Err(ConfigError::new(&setting, bits, "a power of two from 64 to 65536")),
        }
    }
}

impl Quantile {
    /// Which quantile, of at most how many values.
    pub(super) fn checked(&self, name: &str) -> Result<(f64, usize), ConfigError> {
        let setting = |what: &str| format!("make.{name}.quantile.{what}");
        let at =
            check_number(&setting("at"), self.at, "from 0 to 1", |at| (0.0..=1.0).contains(&at))?;
        Ok((at, check_count(&setting("newest"), self.newest, 1, SAMPLES_MAX)? as usize))
    }
}
