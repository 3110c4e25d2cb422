//! Page-Hinkley: alarms when values have lain above their mean for long enough in sum.
//!
//! What each value has above the mean of all so far, less `delta`, is added up, and the sum never
//! falls below 0: that is the distance of Page's cumulative sum to its own minimum. Above
//! `threshold` it is an alarm, and the detector begins anew, with the next value.
//!
//! - One-sided as it comes, for a signal of errors ([`Config::only_increase`]). It never warns.
//! - `delta` and `threshold` are in the unit of the signal: the defaults are for errors from 0 to
//!   1. Any finite value is fine.
//! - Cost: constant time and memory, 32 bytes.
//! - Not for: signals whose unit is not known beforehand (see `adwin`); a change that is smaller
//!   than `delta`.
//! - Paper: E. S. Page, "Continuous Inspection Schemes", Biometrika 41, 1954, pages 100-115; with
//!   the mean of the values in place of a target: D. V. Hinkley, "Inference about the Change-Point
//!   from Cumulative Sum Tests", Biometrika 58, 1971, pages 509-523.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Component, ConfigError, Detector, Reader, Shape, State, StateError, Verdict, Writer,
    check_count, check_number, math,
};

/// Settings of [`PageHinkley`]. A bare number is `threshold`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "threshold"))]
pub struct Config {
    /// How large the sum becomes for an alarm, in the unit of the signal. Range: above 0. Default:
    /// 50. Raise it for fewer false alarms, and later ones: a rise by `r` is found after about
    /// `threshold / (r - delta)` values.
    pub threshold: f64,
    /// How much above the mean is nothing, in the unit of the signal. Range: 0 or more. Default:
    /// 0.005. Raise it towards half of the change that matters: fewer false alarms, and smaller
    /// changes are never found.
    pub delta: f64,
    /// How many values before the first alarm. Range: 1 to 1,000,000. Default: 30. Raise it where
    /// the first values of a stream are odd.
    pub grace_period: u64,
    /// Whether a rise alone is an alarm. Default: true, for a signal of errors, where a fall is
    /// good news. Set it to false for a signal where either is.
    pub only_increase: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config { threshold: 50.0, delta: 0.005, grace_period: 30, only_increase: true }
    }
}

/// The detector. Invariant: the numbers are finite, `risen` and `fallen` 0 or more.
#[derive(Clone, Debug)]
pub struct PageHinkley {
    config: Config,
    /// Values since the last alarm, and their mean.
    count: u64,
    mean: f64,
    /// How far the sum lies above its minimum, and the same of the values with the sign changed.
    risen: f64,
    fallen: f64,
}

impl Component for PageHinkley {
    const NAME: &'static str = "page_hinkley";
    type Config = Config;

    fn new(config: Config, _: &Shape) -> Result<PageHinkley, ConfigError> {
        check_number("threshold", config.threshold, "above 0", |threshold| threshold > 0.0)?;
        check_number("delta", config.delta, "0 or more", |delta| delta >= 0.0)?;
        check_count("grace_period", config.grace_period, 1, 1_000_000)?;
        Ok(PageHinkley { config, count: 0, mean: 0.0, risen: 0.0, fallen: 0.0 })
    }
}

/// Format 1: count, mean, and the distances to both minima.
const FORMAT: u16 = 1;

impl State for PageHinkley {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        to.u64(self.count);
        to.f64(self.mean);
        to.f64(self.risen);
        to.f64(self.fallen);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("page_hinkley", FORMAT)?;
        self.count = from.u64()?;
        self.mean = from.f64()?;
        (self.risen, self.fallen) = (from.f64()?, from.f64()?);
        let is_sum = |sum: f64| sum.is_finite() && sum >= 0.0;
        match self.mean.is_finite() && is_sum(self.risen) && is_sum(self.fallen) {
            true => Ok(()),
            false => Err(StateError::Unfit { what: "page_hinkley has a number out of range" }),
        }
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<PageHinkley>()
    }
}

/// The distance to the minimum after one more value, held at what is a number.
fn grown(sum: f64, by: f64) -> f64 {
    (sum + by).clamp(0.0, f64::MAX)
}

impl Detector for PageHinkley {
    fn update(&mut self, value: f64) -> Verdict {
        let Config { threshold, delta, grace_period, only_increase } = self.config;
        self.count = self.count.saturating_add(1);
        self.mean = math::toward(self.mean, value, 1.0 / self.count as f64);
        // Halved and doubled, so that the difference of two numbers is never infinite alone.
        let above = 2.0 * (0.5 * value - 0.5 * self.mean).clamp(-0.5 * f64::MAX, 0.5 * f64::MAX);
        self.risen = grown(self.risen, above - delta);
        self.fallen = grown(self.fallen, -above - delta);
        let is_far = self.risen > threshold || (!only_increase && self.fallen > threshold);
        if !is_far || self.count < grace_period {
            return Verdict::Stable;
        }
        (self.count, self.mean, self.risen, self.fallen) = (0, 0.0, 0.0, 0.0);
        Verdict::Drift
    }

    fn fork(&self) -> Box<dyn Detector> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LabelShape;

    fn detector(config: Config) -> Result<PageHinkley, ConfigError> {
        PageHinkley::new(config, &Shape::numbers(0, LabelShape::None))
    }

    /// Noughts, then ones: the k-th one lies `n / (n + k)` above the mean of `n` noughts and `k`
    /// ones. Of 1000 noughts the sum of `1000 / (1000 + k) - 0.5` passes 10 with the 21st one: 20
    /// come to 9.7928, 21 to 10.2722.
    #[test]
    fn a_rise_adds_up() {
        let config = Config { threshold: 10.0, delta: 0.5, ..Config::default() };
        let mut detector = detector(config).unwrap();
        (0..1000).for_each(|_| assert_eq!(detector.update(0.0), Verdict::Stable));
        (1..=20).for_each(|_| assert_eq!(detector.update(1.0), Verdict::Stable));
        assert!((detector.risen - 9.7928).abs() < 1e-4, "{}", detector.risen);
        assert_eq!(detector.update(1.0), Verdict::Drift);
        assert_eq!((detector.count, detector.risen), (0, 0.0), "it has begun anew");
    }

    #[test]
    fn a_fall_is_an_alarm_only_if_asked_for() {
        let alarms = |only_increase| {
            let config = Config { threshold: 10.0, delta: 0.5, only_increase, ..Config::default() };
            let mut detector = detector(config).unwrap();
            let values = (0..1100).map(|index| f64::from(u8::from(index < 1000)));
            values.filter(|value| detector.update(*value) == Verdict::Drift).count()
        };
        assert_eq!((alarms(true), alarms(false)), (0, 1));
    }

    #[test]
    fn the_first_values_are_no_alarm() {
        let mut detector = detector(Config::default()).unwrap();
        let mut values = [0.0].into_iter().chain(std::iter::repeat(1e9));
        let alarm = values.position(|value| detector.update(value) == Verdict::Drift);
        assert_eq!(alarm, Some(29));
    }

    #[test]
    fn a_setting_out_of_range_is_refused_by_name() {
        let refused = |config| detector(config).unwrap_err().field;
        assert_eq!(refused(Config { threshold: 0.0, ..Config::default() }), "threshold");
        assert_eq!(refused(Config { delta: -1.0, ..Config::default() }), "delta");
        assert_eq!(refused(Config { grace_period: 0, ..Config::default() }), "grace_period");
    }
}
