//! Judges a model as it goes: each metric over everything, and over a sliding window.

mod curve;
mod twin;
mod window;

pub use curve::Curve;

use twin::Twin;
use window::Window;

use crate::{
    ConfigError, Label, LabelShape, Metric, Outcome, Over, Prediction, Reader, Shape, State,
    StateError, Task, Time, Writer,
    metrics::{About, MetricConfig},
};

/// The most outcomes a window keeps, 48 bytes each, 8 more where it is measured in time, and 8 more
/// for each metric that takes a logarithm: a
/// window of time in which there are more is a window of the newest so many.
pub const OUTCOMES_MAX: u64 = 1_000_000;

/// A small window is not computed anew more often than once in so many records.
const ANEW_LEAST: u64 = 1_000;

/// Some metrics, twice: over everything, and over the newest outcomes.
///
/// What enters and what leaves the window is added to its metrics and taken out again, in constant
/// time. So that rounding cannot pile up, they are computed anew from the window each time it has
/// turned round once (or after 1,000 records, if it is smaller): every outcome is then added twice
/// instead of once, and nothing but that takes memory from the allocator once the window is full.
///
/// A window of time ends at the greatest time met so far. An outcome belongs to the moment it came
/// in by that clock, so a late one counts as news and leaves in its turn.
pub struct Judge {
    task: Task,
    /// What the metrics were built for: the label alone, as they see nothing else.
    shape: Shape,
    metrics: Vec<MetricConfig>,
    twins: Vec<Twin>,
    window: Window,
    /// How many outcomes have left the window since `recent` was computed from it.
    left_since: u64,
    curve: Curve,
}

/// The label as the metrics of that task see it: clusters are judged by their distances, whatever
/// label lies beside them.
fn judged_label(task: Task, label: LabelShape) -> Result<LabelShape, ConfigError> {
    match (task, label) {
        (Task::Class, LabelShape::Class { .. }) | (Task::Number, LabelShape::Number) => Ok(label),
        (Task::Cluster, _) => Ok(LabelShape::None),
        _ => Err(ConfigError::unfit(format!(
            "no metric judges {task:?} by {label:?}; leave the metrics out"
        ))),
    }
}

fn build(metric: &MetricConfig, shape: &Shape) -> Result<Box<dyn Metric>, ConfigError> {
    metric.build(shape).map_err(|error| error.below(metric.name()).below("metrics"))
}

impl Judge {
    /// Judges answers to that task against labels of that shape. The first metric is the one the
    /// curve is drawn of.
    ///
    /// # Errors
    /// When a metric does not suit the label (`metrics.NAME`), or the window is larger than
    /// [`OUTCOMES_MAX`] (`over`).
    pub fn new(
        metrics: Vec<MetricConfig>,
        over: Over,
        shape: &Shape,
        task: Task,
    ) -> Result<Judge, ConfigError> {
        let shape = Shape {
            dense: Vec::new(),
            sparse_size: 0,
            sparse_fields: 0,
            ids: Vec::new(),
            label: judged_label(task, shape.label)?,
        };
        let window = Window::new(over)?;
        let twin =
            |metric| Ok(Twin::new(build(metric, &shape)?, build(metric, &shape)?, window.most()));
        Ok(Judge {
            twins: metrics.iter().map(twin).collect::<Result<_, ConfigError>>()?,
            window,
            task,
            shape,
            metrics,
            left_since: 0,
            curve: Curve::default(),
        })
    }

    /// Holds an answer against its label and takes the outcome in. `None` when there was nothing to
    /// judge; then nothing has changed.
    ///
    /// `truth_before` is the truth known before this one ([`f64::NAN`]: none), `time` the event
    /// time at which the outcome became known.
    pub fn update(
        &mut self,
        answer: &Prediction,
        label: Label<'_>,
        truth_before: f64,
        time: Time,
    ) -> Option<Outcome> {
        let outcome = Outcome::of(self.task, answer, label, truth_before)?;
        self.add(&outcome, time);
        Some(outcome)
    }

    /// Takes an outcome in.
    pub fn add(&mut self, outcome: &Outcome, time: Time) {
        self.window.advance(time);
        self.leave(true);
        self.window.push(*outcome);
        for twin in &mut self.twins {
            twin.add(outcome);
        }
        self.compute_anew_in_turn();
        let first = self.twins.first();
        self.curve.count(|| first.and_then(|twin| twin.recent.value()));
    }

    /// Lets time pass without an outcome: what is too old leaves the window.
    pub fn advance(&mut self, time: Time) {
        self.window.advance(time);
        self.leave(false);
        self.compute_anew_in_turn();
    }

    fn leave(&mut self, needs_room: bool) {
        while let Some(outcome) = self.window.leaving(needs_room) {
            for twin in &mut self.twins {
                twin.remove(&outcome);
            }
            self.left_since += 1;
        }
    }

    fn compute_anew_in_turn(&mut self) {
        if self.left_since < ANEW_LEAST.max(self.window.len() as u64) {
            return;
        }
        self.left_since = 0;
        for (twin, metric) in self.twins.iter_mut().zip(&self.metrics) {
            let empty = build(metric, &self.shape)
                .expect("the same settings were built with the same shape before");
            twin.renew(empty, self.window.iter());
        }
    }

    /// How many metrics there are.
    pub fn len(&self) -> usize {
        self.metrics.len()
    }

    /// Whether there is no metric.
    pub fn is_empty(&self) -> bool {
        self.metrics.is_empty()
    }

    /// The name of a metric, by its place in the list.
    pub fn name(&self, metric: usize) -> &'static str {
        self.metrics[metric].name()
    }

    /// How a metric's figures are to be read.
    pub fn about(&self, metric: usize) -> About {
        self.metrics[metric].about()
    }

    /// A metric over everything so far. Some metrics take time to read; see each.
    pub fn whole(&self, metric: usize) -> Option<f64> {
        self.twins[metric].whole.value()
    }

    /// A metric over the window.
    pub fn window(&self, metric: usize) -> Option<f64> {
        self.twins[metric].recent.value()
    }

    /// How many outcomes were judged.
    pub fn judged(&self) -> u64 {
        self.curve.counted()
    }

    /// How many outcomes lie in the window.
    pub fn window_len(&self) -> usize {
        self.window.len()
    }

    /// The first metric over the window, from the beginning until now.
    pub fn curve(&self) -> &Curve {
        &self.curve
    }
}

/// Format 1: the window, the curve, how many have left since the last turn, then each metric over
/// everything and each over the window. The window comes first, as the one large thing: so it keeps
/// its place in the pages of a version.
const FORMAT: u16 = 1;

impl State for Judge {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        self.window.save(to);
        self.curve.save(to);
        to.u64(self.left_since);
        self.twins.iter().for_each(|twin| twin.whole.save(to));
        self.twins.iter().for_each(|twin| twin.recent.save(to));
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("judge", FORMAT)?;
        self.window.restore(from)?;
        self.curve.restore(from)?;
        self.left_since = from.u64()?;
        if self.left_since >= ANEW_LEAST.max(self.window.len() as u64) {
            return Err(StateError::Unfit { what: "a window that should have been computed anew" });
        }
        self.twins.iter_mut().try_for_each(|twin| twin.whole.restore(from))?;
        self.twins.iter_mut().try_for_each(|twin| twin.recent.restore(from))?;
        self.twins.iter_mut().for_each(|twin| twin.prepare(self.window.iter()));
        Ok(())
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<Judge>()
            + self.metrics.capacity() * size_of::<MetricConfig>()
            + self.twins.capacity() * size_of::<Twin>()
            + self.twins.iter().map(Twin::heap_bytes).sum::<usize>()
            + self.window.heap_bytes()
            + self.curve.heap_bytes()
    }
}

#[cfg(test)]
mod tests;
