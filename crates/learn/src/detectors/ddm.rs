//! DDM: alarms when the share of errors has risen well above its lowest.
//!
//! While a stream stays as it is, a learner's share of errors `p` falls or stays, and its standard
//! deviation `s = sqrt(p (1 - p) / n)` falls. The least `p + s` so far is kept; a rise of `p + s`
//! above it by some of the deviations it had then is a warning, by more of them an alarm. After an
//! alarm the detector begins anew, with the next value.
//!
//! - For errors of classes, 0 or 1. A value below 0 counts as 0, one above 1 as 1.
//! - The least `p + s` is kept from the first error on: before it there is no deviation, and the
//!   first error of all would be an alarm.
//! - Cost: constant time and memory, 40 bytes.
//! - Not for: a change late in a long stream, as `p` is of all values so far and moves the slower
//!   the more there are (see `adwin`); errors of numbers.
//! - Paper: J. Gama, P. Medas, G. Castillo and P. Rodrigues, "Learning with Drift Detection", SBIA
//!   2004, section 3.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Component, ConfigError, Detector, Reader, Shape, State, StateError, Verdict, Writer,
    check_count, check_number, math,
};

/// Settings of [`Ddm`]. A bare number is `drift`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "drift"))]
pub struct Config {
    /// By how many deviations the share of errors rises for an alarm. Range: above 0 and at most
    /// 100, not below `warning`. Default: 3. Raise it for fewer false alarms, and later ones.
    pub drift: f64,
    /// By how many deviations it rises for a warning. Range: above 0 and at most 100. Default: 2.
    /// Raise it for fewer warnings.
    pub warning: f64,
    /// How many values before the first comparison. Range: 1 to 1,000,000. Default: 30. Raise it
    /// where the first values of a stream are odd.
    pub grace_period: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config { drift: 3.0, warning: 2.0, grace_period: 30 }
    }
}

/// The detector. Invariant: `share` and both of `least` are from 0 to 1.
#[derive(Clone, Debug)]
pub struct Ddm {
    config: Config,
    /// Values since the last alarm.
    count: u64,
    /// The share of errors among them.
    share: f64,
    /// Share and deviation where their sum was least.
    least: Option<(f64, f64)>,
}

impl Component for Ddm {
    const NAME: &'static str = "ddm";
    type Config = Config;

    fn new(config: Config, _: &Shape) -> Result<Ddm, ConfigError> {
        let is_right = |deviations| deviations > 0.0 && deviations <= 100.0;
        let warning = config.warning;
        check_number("warning", warning, "above 0 and at most 100", is_right)?;
        let must_be = format!("at most 100 and not below `warning`, which is {warning}");
        let is_right = |deviations| (warning..=100.0).contains(&deviations);
        check_number("drift", config.drift, &must_be, is_right)?;
        check_count("grace_period", config.grace_period, 1, 1_000_000)?;
        Ok(Ddm { config, count: 0, share: 0.0, least: None })
    }
}

/// Format 1: count, share, whether there is a least, its share and deviation.
const FORMAT: u16 = 1;

impl State for Ddm {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        to.u64(self.count);
        to.f64(self.share);
        to.bool(self.least.is_some());
        if let Some((share, deviation)) = self.least {
            to.f64(share);
            to.f64(deviation);
        }
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("ddm", FORMAT)?;
        self.count = from.u64()?;
        self.share = from.f64()?;
        self.least = if from.bool()? { Some((from.f64()?, from.f64()?)) } else { None };
        let (share, deviation) = self.least.unwrap_or((0.0, 0.0));
        let is_share = |value| (0.0..=1.0).contains(&value);
        match [self.share, share, deviation].into_iter().all(is_share) {
            true => Ok(()),
            false => Err(StateError::Unfit { what: "ddm has a share out of range" }),
        }
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<Ddm>()
    }
}

impl Detector for Ddm {
    fn update(&mut self, value: f64) -> Verdict {
        self.count = self.count.saturating_add(1);
        let count = self.count as f64;
        self.share = math::toward(self.share, value.clamp(0.0, 1.0), 1.0 / count);
        if self.count < self.config.grace_period || self.share == 0.0 {
            return Verdict::Stable;
        }
        let deviation = (self.share * (1.0 - self.share) / count).sqrt();
        let now = self.share + deviation;
        let (share, spread) = match self.least {
            Some((share, spread)) if share + spread < now => (share, spread),
            _ => *self.least.insert((self.share, deviation)),
        };
        if now > share + self.config.drift * spread {
            (self.count, self.share, self.least) = (0, 0.0, None);
            Verdict::Drift
        } else if now > share + self.config.warning * spread {
            Verdict::Warning
        } else {
            Verdict::Stable
        }
    }

    fn fork(&self) -> Box<dyn Detector> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LabelShape;

    fn ddm(config: Config) -> Result<Ddm, ConfigError> {
        Ddm::new(config, &Shape::numbers(0, LabelShape::None))
    }

    /// By hand: an error at every tenth of 100 values gives p = 0.1 and s = 0.03; the sum is least
    /// just before an error, at 99 values: p = 1/11, s = 0.02889, so a warning is due above 0.14869
    /// and an alarm above 0.17758. With errors alone from there on, at 106 values p = 16/106 and s
    /// = 0.03477, together 0.18571.
    #[test]
    fn the_bounds_are_the_papers() {
        let mut ddm = ddm(Config { grace_period: 90, ..Config::default() }).unwrap();
        for index in 1..=99u32 {
            assert_eq!(ddm.update(f64::from(u8::from(index.is_multiple_of(10)))), Verdict::Stable);
        }
        let (share, spread) = ddm.least.unwrap();
        assert!((share - 9.0 / 99.0).abs() < 1e-15 && (spread - 0.028_893).abs() < 1e-6);
        let verdicts: Vec<Verdict> = (100..=106).map(|_| ddm.update(1.0)).collect();
        assert_eq!(verdicts[..2], [Verdict::Stable; 2]);
        assert_eq!(verdicts[2..6], [Verdict::Warning; 4]);
        assert_eq!(verdicts[6], Verdict::Drift);
        assert_eq!((ddm.count, ddm.least), (0, None), "it has begun anew");
    }

    #[test]
    fn the_first_error_of_all_is_no_alarm() {
        let mut ddm = ddm(Config::default()).unwrap();
        (0..1000).for_each(|_| assert_eq!(ddm.update(0.0), Verdict::Stable));
        assert_eq!(ddm.update(1.0), Verdict::Stable);
    }

    #[test]
    fn a_fall_is_no_alarm() {
        let mut ddm = ddm(Config::default()).unwrap();
        let errors = (0..2000u32).map(|index| u8::from(index < 1000 && index % 2 == 0));
        assert!(errors.map(|error| ddm.update(f64::from(error))).all(|v| v == Verdict::Stable));
    }

    #[test]
    fn a_setting_out_of_range_is_refused_by_name() {
        let refused = |config| ddm(config).unwrap_err().field;
        assert_eq!(refused(Config { warning: 0.0, ..Config::default() }), "warning");
        assert_eq!(refused(Config { drift: 1.9, ..Config::default() }), "drift");
        assert_eq!(refused(Config { drift: 101.0, ..Config::default() }), "drift");
        assert_eq!(refused(Config { grace_period: 0, ..Config::default() }), "grace_period");
    }
}
