//! Judges a model as it goes: each metric over everything, and over a sliding window.

mod curve;
mod window;

pub use curve::Curve;

use window::Window;

use crate::{
    ConfigError, Label, LabelShape, Metric, Outcome, Over, Prediction, Reader, Shape, State,
    StateError, Task, Time, Writer,
    metrics::{About, MetricConfig},
};

/// The most outcomes a window keeps, 48 bytes each, 8 more where it is measured in time: a window
/// of time in which there are more is a window of the newest so many.
pub const OUTCOMES_MAX: u64 = 1_000_000;

/// The most outcomes that wait to be taken in.
const NOTED_MAX: usize = 128;

/// Some metrics, over everything and over the newest outcomes.
///
/// Everything is counted as it comes. The window keeps its outcomes, and its figure is made of them
/// when it is asked for: so a record costs one metric and not three (in, in, out), nothing has to
/// be taken back, and no rounding piles up. Asking takes time with the window, some 10 microseconds
/// for 1,000 outcomes, and memory for the one figure; taking in takes none once the window is full.
///
/// A window of time ends at the greatest time met so far. An outcome belongs to the moment it came
/// in by that clock, so a late one counts as news and leaves in its turn.
pub struct Judge {
    task: Task,
    /// What the metrics were built for: the label alone, as they see nothing else.
    shape: Shape,
    metrics: Vec<MetricConfig>,
    wholes: Vec<Box<dyn Metric>>,
    window: Window,
    curve: Curve,
    /// Outcomes that are not taken in yet, and when each became known. Not in the state.
    noted: Vec<Outcome>,
    moments: Vec<Time>,
}

/// The label as the metrics of that task see it: clusters are judged by their distances, whatever
/// label lies beside them.
fn judged_label(task: Task, label: LabelShape) -> Result<LabelShape, ConfigError> {
    match (task, label) {
        (Task::Class, LabelShape::Class { .. }) | (Task::Number, LabelShape::Number) => Ok(label),
        // A score has no truth to be held against; it is judged by nothing.
        (Task::Cluster | Task::Score, _) => Ok(LabelShape::None),
        _ => Err(ConfigError::unfit(format!(
            "no metric judges {task:?} by {label:?}; leave the metrics out"
        ))),
    }
}

fn build(metric: &MetricConfig, shape: &Shape) -> Result<Box<dyn Metric>, ConfigError> {
    metric.build(shape).map_err(|error| error.below(metric.name()).below("metrics"))
}

/// A metric over what is in the window.
fn figure(metric: &MetricConfig, shape: &Shape, window: &Window) -> Option<f64> {
    let mut metric = build(metric, shape).expect("it was built with the same settings before");
    window.parts().into_iter().for_each(|part| metric.add_all(part));
    metric.value()
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
        let wholes = metrics.iter().map(|metric| build(metric, &shape));
        Ok(Judge {
            wholes: wholes.collect::<Result<_, ConfigError>>()?,
            window: Window::new(over)?,
            task,
            shape,
            metrics,
            curve: Curve::default(),
            noted: Vec::with_capacity(NOTED_MAX),
            moments: Vec::with_capacity(NOTED_MAX),
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
        let outcome = self.note(answer, label, truth_before, time)?;
        self.settle();
        Some(outcome)
    }

    /// Holds an answer against its label like [`Judge::update`], and takes the outcome in later: at
    /// the latest when [`Judge::settle`] is called, which is due before anything else is asked.
    ///
    /// Many outcomes at once cost less than they cost one by one, and come to the same bits.
    pub fn note(
        &mut self,
        answer: &Prediction,
        label: Label<'_>,
        truth_before: f64,
        time: Time,
    ) -> Option<Outcome> {
        let outcome = Outcome::of(self.task, answer, label, truth_before)?;
        self.noted.push(outcome);
        self.moments.push(time);
        if self.noted.len() == NOTED_MAX {
            self.settle();
        }
        Some(outcome)
    }

    /// Takes in what was noted.
    pub fn settle(&mut self) {
        for metric in &mut self.wholes {
            metric.add_all(&self.noted);
        }
        let mut start = 0;
        while start < self.noted.len() {
            // Up to the next point of the curve, which is made of the window as it then is.
            let left = (self.noted.len() - start) as u64;
            let end = start + self.curve.until_point().min(left) as usize;
            for (outcome, time) in self.noted[start..end].iter().zip(&self.moments[start..end]) {
                self.window.push(*outcome, *time);
            }
            let (metrics, shape, window) = (&self.metrics, &self.shape, &self.window);
            let figure = || metrics.first().and_then(|metric| figure(metric, shape, window));
            self.curve.count((end - start) as u64, figure);
            start = end;
        }
        self.noted.clear();
        self.moments.clear();
    }

    /// Takes an outcome in.
    pub fn add(&mut self, outcome: &Outcome, time: Time) {
        self.noted.push(*outcome);
        self.moments.push(time);
        self.settle();
    }

    /// Lets time pass without an outcome: what is too old leaves the window.
    pub fn advance(&mut self, time: Time) {
        self.settle();
        self.window.advance(time);
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
        self.wholes[metric].value()
    }

    /// A metric over the window, made anew of what is in it.
    pub fn window(&self, metric: usize) -> Option<f64> {
        figure(&self.metrics[metric], &self.shape, &self.window)
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

/// Format 1: the window, the curve, then each metric over everything. The window comes first, as
/// the one large thing: so it keeps its place in the pages of a version.
const FORMAT: u16 = 1;

impl State for Judge {
    fn save(&self, to: &mut Writer) {
        assert!(self.noted.is_empty(), "what was noted is settled first");
        to.u16(FORMAT);
        self.window.save(to);
        self.curve.save(to);
        self.wholes.iter().for_each(|whole| whole.save(to));
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("judge", FORMAT)?;
        self.window.restore(from)?;
        self.curve.restore(from)?;
        self.wholes.iter_mut().try_for_each(|whole| whole.restore(from))
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<Judge>()
            + self.metrics.capacity() * size_of::<MetricConfig>()
            + self.wholes.capacity() * size_of::<Box<dyn Metric>>()
            + self.wholes.iter().map(|whole| whole.footprint_bytes()).sum::<usize>()
            + self.noted.capacity() * size_of::<Outcome>()
            + self.moments.capacity() * size_of::<Time>()
            + self.window.heap_bytes()
            + self.curve.heap_bytes()
    }
}

#[cfg(test)]
mod tests;
