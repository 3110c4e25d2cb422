//! stand-in
use crate::metrics::MetricConfig;
use crate::*;
/// x
pub struct Judge {
    metrics: Vec<(MetricConfig, Box<dyn Metric>)>,
}
impl Judge {
    /// x
    /// # Errors
    /// x
    pub fn new(
        metrics: Vec<MetricConfig>,
        _over: Over,
        shape: &Shape,
    ) -> Result<Judge, ConfigError> {
        let mut v = vec![];
        for m in metrics {
            let b = m.build(shape)?;
            v.push((m, b));
        }
        Ok(Judge { metrics: v })
    }
    /// x
    pub fn update(
        &mut self,
        task: Task,
        answer: &Prediction,
        label: Label<'_>,
        before: f64,
        _time: Time,
    ) -> Option<Outcome> {
        let o = Outcome::of(task, answer, label, before)?;
        for (_, m) in &mut self.metrics {
            m.add(&o);
        }
        Some(o)
    }
    /// x
    pub fn whole(&self, i: usize) -> Option<f64> {
        self.metrics[i].1.value()
    }
    /// x
    pub fn window(&self, i: usize) -> Option<f64> {
        self.metrics[i].1.value()
    }
    /// x
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.metrics.iter().map(|m| m.0.name())
    }
}
impl State for Judge {
    fn save(&self, to: &mut Writer) {
        for (_, m) in &self.metrics {
            m.save(to);
        }
    }
    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        for (_, m) in &mut self.metrics {
            m.restore(from)?;
        }
        Ok(())
    }
    fn footprint_bytes(&self) -> usize {
        0
    }
}
