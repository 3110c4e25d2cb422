//! How good a learner is on its reference stream, in one number: lower is better.

use alluvium_learn::{Label, LabelShape, Learner, Prediction, Shape, Task};

use crate::streams::{Example, Stream};

/// The answers along a stream, each given before its example was learned.
pub(crate) struct Judge {
    task: Task,
    /// The mean of the stream's rows: what one cluster would know.
    centre: Vec<f64>,
    /// Answer and truth of each record; for clusters the squared distances to the centre chosen
    /// and to the mean of all rows.
    outcomes: Vec<(f64, f64)>,
}

impl Judge {
    pub(crate) fn new(task: Task, stream: &Stream<'_>) -> Judge {
        let mut centre = vec![0.0; stream.shape.dense.len()];
        for index in 0..1000 {
            for (mean, value) in centre.iter_mut().zip(stream.example(index).dense) {
                *mean += value / 1000.0;
            }
        }
        Judge { task, centre, outcomes: Vec::new() }
    }

    pub(crate) fn add(&mut self, answer: &Prediction, example: &Example) {
        let outcome = match (self.task, example.label) {
            (Task::Class, Label::Class(class)) => (answer.value, f64::from(class)),
            (Task::Number, Label::Number(truth)) => (answer.value, truth),
            (Task::Horizon { .. }, Label::Number(truth)) => (answer.scores[0], truth),
            (Task::Score, _) => (answer.value, f64::from(u8::from(example.strange))),
            (Task::Cluster, _) => {
                let apart = self.centre.iter().zip(&example.dense).map(|(c, x)| (c - x) * (c - x));
                let apart = apart.sum();
                // Without a centre yet it is no better than the mean.
                (answer.scores.get(answer.value as usize).copied().unwrap_or(apart), apart)
            }
            (task, label) => panic!("no way to judge {task:?} by {label:?}: add one here"),
        };
        self.outcomes.push(outcome);
    }

    /// The loss over all outcomes from `first` on.
    pub(crate) fn loss(&self, first: usize) -> f64 {
        let outcomes = &self.outcomes[first..];
        match self.task {
            Task::Class => mean(outcomes, |(answer, truth)| f64::from(u8::from(answer != truth))),
            Task::Cluster => mean(outcomes, |(answer, _)| answer),
            Task::Score => misranked(outcomes),
            _ => mean(outcomes, |(answer, truth)| (answer - truth).abs()),
        }
    }

    /// The loss of the best constant, known in hindsight.
    pub(crate) fn loss_of_constant(&self, first: usize) -> f64 {
        let outcomes = &self.outcomes[first..];
        match self.task {
            Task::Class => {
                let wrong =
                    |class| mean(outcomes, |(_, truth)| f64::from(u8::from(truth != class)));
                (0..5).map(|class| wrong(f64::from(class))).fold(1.0, f64::min)
            }
            Task::Cluster => mean(outcomes, |(_, truth)| truth),
            Task::Score => 0.5,
            _ => {
                let centre = mean(outcomes, |(_, truth)| truth);
                mean(outcomes, |(_, truth)| (truth - centre).abs())
            }
        }
    }

    /// What the loss is, for the golden curve.
    pub(crate) fn unit(&self) -> &'static str {
        match self.task {
            Task::Class => "wrong",
            Task::Cluster => "squared_distance",
            Task::Score => "misranked",
            _ => "absolute_error",
        }
    }
}

fn mean(outcomes: &[(f64, f64)], of: impl Fn((f64, f64)) -> f64) -> f64 {
    outcomes.iter().map(|outcome| of(*outcome)).sum::<f64>() / outcomes.len() as f64
}

/// The share of pairs, one strange and one not, in which the strange one does not score higher.
fn misranked(outcomes: &[(f64, f64)]) -> f64 {
    let strange: Vec<f64> = outcomes.iter().filter(|o| o.1 == 1.0).map(|o| o.0).collect();
    let usual: Vec<f64> = outcomes.iter().filter(|o| o.1 == 0.0).map(|o| o.0).collect();
    let mut worse = 0.0;
    for score in &strange {
        for other in &usual {
            worse += if other > score { 1.0 } else { 0.0 } + if other == score { 0.5 } else { 0.0 };
        }
    }
    worse / (strange.len() * usual.len()) as f64
}

/// Every part of an answer is finite and within what its task allows.
pub(crate) fn assert_sound(learner: &dyn Learner, shape: &Shape, answer: &Prediction) {
    let Prediction { value, scores, interval } = answer;
    assert!(value.is_finite(), "the value is {value}");
    assert!(scores.iter().all(|score| score.is_finite()), "the scores are {scores:?}");
    if let Some((low, high)) = interval {
        assert!(low.is_finite() && high.is_finite() && low <= high, "the interval is {interval:?}");
    }
    match (learner.task(), shape.label) {
        (Task::Class, LabelShape::Class { values_max }) => {
            assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{scores:?}");
            assert!(scores.len() <= values_max as usize, "{scores:?}");
            assert!(
                value.fract() == 0.0 && (0.0..f64::from(values_max)).contains(value),
                "{value}"
            );
        }
        (Task::Score, _) => assert!((0.0..=1.0).contains(value), "the score is {value}"),
        (Task::Cluster, _) => assert!(*value >= 0.0 && value.fract() == 0.0, "{value}"),
        _ => {}
    }
}
