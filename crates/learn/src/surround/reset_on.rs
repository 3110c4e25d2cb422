//! Begins anew when a detector says that the world has changed.
//!
//! Each example is answered just before it is learned, and the detector is fed with the error of
//! that answer, from 0 to 1. On [`Verdict::Drift`] the learner is replaced by a fresh one, which
//! learns that very example first, and so is the detector: what it has seen was the old learner's.
//!
//! For a class the error is 0 or 1. For a number it is `e / (e + m)`, with `e` the absolute error
//! and `m` the mean of all absolute errors since the last reset, this one included: about a half
//! while the errors stay as they are, whatever their unit, and no outlier can be more than 1.
//!
//! - Cost: one more answer an example; memory for the learner and a fresh copy of it.
//! - Not for: learners that follow a change by themselves (a half-life, an adaptive tree), or a
//!   change so slow that the old knowledge is better than none.
//! - Paper: J. Gama et al., "Learning with Drift Detection", SBIA 2004, section 3 (the learner
//!   begins anew; there it keeps the examples since the warning).

use crate::{
    ConfigError, Detector, Features, Label, Learner, Outcome, Prediction, Reader, State,
    StateError, Task, Verdict, Writer, math,
};

/// A learner that begins anew on drift. Invariant: `error_mean` is finite and 0 or more.
pub struct ResetOn {
    inner: Box<dyn Learner>,
    fresh: Box<dyn Learner>,
    detector: Box<dyn Detector>,
    fresh_detector: Box<dyn Detector>,
    resets: u64,
    /// How many errors since the last reset, and their mean: for numbers alone.
    errors: u64,
    error_mean: f64,
    /// Reused from example to example; no part of the state.
    answer: Prediction,
}

impl ResetOn {
    /// Surrounds a learner. Both must be as they were built: they are what it returns to.
    ///
    /// # Errors
    /// When the learner's task is neither a class nor a number: then there is no error.
    pub fn new(
        inner: Box<dyn Learner>,
        detector: Box<dyn Detector>,
    ) -> Result<ResetOn, ConfigError> {
        if !matches!(inner.task(), Task::Class | Task::Number) {
            return Err(ConfigError::unfit("reset_on needs a learner of classes or a number"));
        }
        Ok(ResetOn {
            fresh: inner.fork(),
            inner,
            fresh_detector: detector.fork(),
            detector,
            resets: 0,
            errors: 0,
            error_mean: 0.0,
            answer: Prediction::default(),
        })
    }

    /// How often it has begun anew.
    pub fn resets(&self) -> u64 {
        self.resets
    }

    /// The error of the answer to this example, from 0 to 1; `None` without a label.
    fn error(&mut self, x: &Features<'_>, y: Label<'_>) -> Option<f64> {
        let task = self.inner.task();
        self.inner.predict(x, &mut self.answer);
        let error = Outcome::of(task, &self.answer, y, f64::NAN)?.error(task);
        if task == Task::Class {
            return Some(error);
        }
        self.errors = self.errors.saturating_add(1);
        self.error_mean = math::toward(self.error_mean, error, 1.0 / self.errors as f64);
        // Not `e / (e + m)` as it stands: that sum can be infinite.
        Some(if error > 0.0 { 1.0 / (1.0 + self.error_mean / error) } else { 0.0 })
    }

    fn begin_anew(&mut self) {
        self.inner = self.fresh.fork();
        self.detector = self.fresh_detector.fork();
        self.resets = self.resets.saturating_add(1);
        self.errors = 0;
        self.error_mean = 0.0;
    }
}

impl Clone for ResetOn {
    fn clone(&self) -> ResetOn {
        ResetOn {
            inner: self.inner.fork(),
            fresh: self.fresh.fork(),
            detector: self.detector.fork(),
            fresh_detector: self.fresh_detector.fork(),
            answer: Prediction::default(),
            ..*self
        }
    }
}

/// Format 1: resets, errors and their mean, the detector's state, the learner's state.
const FORMAT: u16 = 1;

impl State for ResetOn {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        to.u64(self.resets);
        to.u64(self.errors);
        to.f64(self.error_mean);
        self.detector.save(to);
        self.inner.save(to);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("reset_on", FORMAT)?;
        self.resets = from.u64()?;
        self.errors = from.u64()?;
        self.error_mean = from.f64()?;
        if !(self.error_mean.is_finite() && self.error_mean >= 0.0) {
            return Err(StateError::Unfit { what: "reset_on has an error below 0" });
        }
        self.detector.restore(from)?;
        self.inner.restore(from)
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<ResetOn>()
            + self.inner.footprint_bytes()
            + self.fresh.footprint_bytes()
            + self.detector.footprint_bytes()
            + self.fresh_detector.footprint_bytes()
            + self.answer.scores.capacity() * size_of::<f64>()
    }
}

impl Learner for ResetOn {
    fn task(&self) -> Task {
        self.inner.task()
    }

    fn predict(&self, x: &Features<'_>, out: &mut Prediction) {
        self.inner.predict(x, out);
    }

    fn learn(&mut self, x: &Features<'_>, y: Label<'_>, weight: f64) {
        if weight == 0.0 {
            return;
        }
        if let Some(error) = self.error(x, y)
            && self.detector.update(error) == Verdict::Drift
        {
            self.begin_anew();
        }
        self.inner.learn(x, y, weight);
    }

    fn explain(&self, x: &Features<'_>, out: &mut Vec<f64>) -> bool {
        self.inner.explain(x, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LabelShape, Shape, detectors::DetectorConfig, learners::LearnerConfig};

    fn around(name: &str, label: LabelShape) -> ResetOn {
        let shape = Shape::numbers(0, label);
        let inner = LearnerConfig::by_name(name).unwrap().build(&shape).unwrap();
        let detector = DetectorConfig::by_name("adwin").unwrap().build(&shape).unwrap();
        ResetOn::new(inner, detector).unwrap()
    }

    fn answer(learner: &ResetOn) -> f64 {
        let mut out = Prediction::default();
        learner.predict(&Features::default(), &mut out);
        out.value
    }

    #[test]
    fn after_a_change_of_class_it_knows_the_new_one_alone() {
        let mut learner = around("majority", LabelShape::Class { values_max: 2 });
        for record in 0..1100 {
            let class = Label::Class(u32::from(record >= 1000));
            learner.learn(&Features::default(), class, 1.0);
        }
        assert_eq!((learner.resets(), answer(&learner)), (1, 1.0));
    }

    #[test]
    fn after_a_change_of_mean_it_knows_the_new_one_alone() {
        for unit in [1e-200, 1.0, 1e200] {
            let mut learner = around("mean", LabelShape::Number);
            for record in 0..1500u64 {
                let noise = math::random_unit(1, record);
                let centre = if record < 1000 { 0.0 } else { 10.0 };
                learner.learn(&Features::default(), Label::Number(unit * (centre + noise)), 1.0);
            }
            let mean = answer(&learner) / unit;
            assert_eq!(learner.resets(), 1, "unit {unit}");
            assert!((10.0..11.0).contains(&mean), "unit {unit}: {mean}");
        }
    }

    #[test]
    fn errors_are_seen_in_their_own_unit() {
        let mut learner = around("mean", LabelShape::Number);
        let mut error = |value| learner.error(&Features::default(), Label::Number(value)).unwrap();
        // The answer stays 0: nothing is learned here.
        assert_eq!(error(0.0), 0.0);
        assert_eq!(error(3.0), 3.0 / (3.0 + 1.5));
        assert!((error(-4.5) - 4.5 / (4.5 + 2.5)).abs() < 1e-15);
        assert!(error(f64::MAX) < 1.0);
    }

    #[test]
    fn a_clusterer_is_refused() {
        let shape = Shape::numbers(1, LabelShape::None);
        let inner = LearnerConfig::by_name("k_means").unwrap().build(&shape).unwrap();
        let detector = DetectorConfig::by_name("adwin").unwrap().build(&shape).unwrap();
        assert!(ResetOn::new(inner, detector).is_err());
    }
}
