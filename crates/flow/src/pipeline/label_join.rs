//! Labels that come by an input of their own: each finds the example it belongs to, whose answers
//! are judged, and which is learned, there and then.

use std::sync::Arc;

use alluvium_learn::{
    Features, Label, LabelShape, Prediction, Reader, StateError, Task, Time, Writer,
};

use super::{
    Pipeline,
    waiting::{Head, Known, Parked, Waiting},
};
use crate::{
    Effects, Record, Run,
    decode::{Reason, Refusal},
    spec::Late,
};

/// The label join of a pipeline.
pub(super) struct LabelJoin {
    pub(super) waiting: Waiting,
    /// Which identity of an example its label has as well.
    pub(super) key: usize,
    /// The models that learn by the label, in the order of their shelves.
    pub(super) models: Vec<usize>,
    /// The label of an example that has waited in vain, as a number.
    pub(super) absent: Option<f64>,
    /// What to look out for; no part of the state.
    pub(super) watched: Option<Watched>,
}

/// An example that somebody wants to see all the way.
pub(super) struct Watched {
    pub(super) id: u64,
    pub(super) fate: Option<Fate>,
}

/// What became of an example.
#[derive(Clone, Debug, PartialEq)]
pub struct Fate {
    /// How it was settled: `"labelled"`, `"absent"`, `"early"` (its label came before it) or
    /// `"corrected"`.
    pub how: &'static str,
    /// Its label, as it is written in predictions; null for none.
    pub label: serde_json::Value,
    /// The record at which it was settled, `input:partition:offset`; empty where time alone did it.
    pub at: String,
    /// The greatest event time by then.
    pub time: Time,
    /// Whether it was learned.
    pub learned: bool,
}

/// Whether a model learns by the label; what needs none learns at once.
pub(super) fn learns_by_label(task: Task) -> bool {
    !matches!(task, Task::Cluster | Task::Score)
}

impl Pipeline {
    fn now(&self) -> Time {
        self.counters.time.unwrap_or(0)
    }

    /// A label as the learners see it.
    fn label_of(&self, value: f64) -> Label<'static> {
        match self.label {
            LabelShape::Class { .. } => Label::Class(value as u32),
            _ => Label::Number(value),
        }
    }

    /// An example was answered: models that need no label learn it, and for the others it waits,
    /// or takes the label that has come already.
    pub(super) fn wait(&mut self, run: &Run<'_>, index: usize, effects: &mut Effects) {
        let Some(mut join) = self.label_join.take() else { return };
        let time = run.rows.times[index];
        self.learn_unlabelled(time, effects);
        let id = run.rows.ids[index * self.layout.ids + join.key];
        let now = self.now();
        match join.waiting.known(id, now) {
            Known::Waits(_) | Known::Settled { .. } => join.waiting.counts.repeated += 1,
            Known::Nothing => drop(self.keep(&mut join, id, time)),
            Known::Parked { number, label } => {
                join.waiting.unpark(number);
                let row = self.keep(&mut join, id, time);
                join.waiting.counts.labelled += 1;
                join.waiting.counts.early += 1;
                self.learn_row(&join, row, label, effects);
                self.settled(&mut join, id, Some(label), row, "early");
            }
        }
        self.label_join = Some(join);
    }

    fn learn_unlabelled(&mut self, time: Time, effects: &mut Effects) {
        for index in 0..self.models.len() {
            if !learns_by_label(self.models[index].judged.task) {
                self.judge_model(index, Label::None, f64::NAN, time, effects);
                self.learn_model(index, Label::None, time, 1.0);
            }
        }
    }

    /// Keeps what was answered and seen until the label comes.
    fn keep(&mut self, join: &mut LabelJoin, id: u64, time: Time) -> u64 {
        let nothing = Features { time, ..Default::default() };
        for baseline in &mut self.baselines {
            baseline.learner.predict(&nothing, &mut baseline.answer);
        }
        let due = join.waiting.due(self.now());
        let head = Head { id, due, time, before: self.counters.label_before };
        let (models, by_label, baselines) = (&self.models, &join.models, &self.baselines);
        join.waiting.keep(
            head,
            |to| baselines.iter().for_each(|baseline| write_answer(&baseline.answer, to)),
            |place, to| {
                let model = &models[by_label[place]];
                write_answer(&model.judged.answer, to);
                model.gather.write(to);
            },
        )
    }

    /// A label came.
    pub(super) fn label_came(
        &mut self,
        run: &Run<'_>,
        index: usize,
        record: &Record<'_>,
        effects: &mut Effects,
    ) {
        let plan = &self.inputs[run.input].decode;
        let missing = Refusal { reason: Reason::Missing, field: Some(plan.fields.len() as u16) };
        let time = run.rows.times[index];
        if let Some(refusal) = self.lateness(run.input, time) {
            return self.refuse(run, index, refusal, effects);
        }
        let truth = match self.truth(run.input, run.rows, index) {
            Ok(super::admit::Truth::Nothing) => Err(missing),
            other => other,
        };
        let truth = match truth {
            Ok(truth) => truth,
            Err(refusal) => return self.refuse(run, index, refusal, effects),
        };
        self.refusals.note(false);
        self.counters.time = self.counters.time.max(Some(time));
        let label = match self.label(truth, run.rows) {
            Label::Class(code) => f64::from(code),
            Label::Number(value) => value,
            _ => return self.refuse(run, index, missing, effects),
        };
        let Some(mut join) = self.label_join.take() else { return };
        let id = run.rows.ids[index];
        let now = self.now();
        match join.waiting.known(id, now) {
            Known::Nothing => {
                join.waiting.park(id, label, now, run.partition, record.offset);
            }
            Known::Waits(row) => {
                join.waiting.counts.labelled += 1;
                self.learn_row(&join, row, label, effects);
                self.settled(&mut join, id, Some(label), row, "labelled");
            }
            Known::Parked { label: known, .. } | Known::Settled { label: Some(known), .. } => {
                self.second_label(&mut join.waiting, (known, label), run, record, effects);
            }
            Known::Settled { label: None, row } => {
                self.late_label(&mut join, (id, row, label), run, record, effects);
            }
        }
        self.label_join = Some(join);
    }

    /// The first label counts; a second one is counted, and a different one is kept for people.
    fn second_label(
        &mut self,
        waiting: &mut Waiting,
        (known, label): (f64, f64),
        run: &Run<'_>,
        record: &Record<'_>,
        effects: &mut Effects,
    ) {
        if known == label {
            waiting.counts.duplicate += 1;
            return;
        }
        waiting.counts.conflicting += 1;
        let (known, label) = (self.shown_label(known), self.shown_label(label));
        let explained = format!("the label came before, as {known}; the first counts, not {label}");
        let emitter = &mut self.scratch.emitter;
        emitter.dead_letter(effects, run.partition, record, "label_conflict", None, &explained);
    }

    fn late_label(
        &mut self,
        join: &mut LabelJoin,
        (id, row, label): (u64, u64, f64),
        run: &Run<'_>,
        record: &Record<'_>,
        effects: &mut Effects,
    ) {
        join.waiting.counts.late += 1;
        let weight = match &join.waiting.late {
            Late::Drop => return,
            Late::Correct(_) if join.absent == Some(label) => return,
            Late::Correct(correct) if join.waiting.head(row).is_some() => Some(correct.weight),
            Late::Correct(_) | Late::DeadLetter => None,
        };
        match weight {
            Some(weight) => {
                join.waiting.counts.corrected += 1;
                self.learn_row_again(join, row, label, weight);
                self.settled(join, id, Some(label), row, "corrected");
            }
            None => {
                let waited = match join.absent {
                    Some(absent) => format!("was learned as {}", self.shown_label(absent)),
                    None => "was not learned".into(),
                };
                let explained = format!("the label came too late: its record {waited}");
                let emitter = &mut self.scratch.emitter;
                emitter.dead_letter(effects, run.partition, record, "label_late", None, &explained);
            }
        }
    }

    /// What has waited in vain by now is done with: examples first, then labels.
    pub(super) fn pass_waits(&mut self, effects: &mut Effects) {
        let now = self.now();
        if self.label_join.as_ref().is_none_or(|join| join.waiting.is_quiet(now)) {
            return;
        }
        let Some(mut join) = self.label_join.take() else { return };
        while let Some((row, id)) = join.waiting.next_in_vain(now) {
            join.waiting.counts.absent += 1;
            if let Some(label) = join.absent {
                self.learn_row(&join, row, label, effects);
            }
            self.settled(&mut join, id, None, row, "absent");
        }
        while let Some(parked) = join.waiting.next_unmatched(now) {
            join.waiting.counts.unmatched += 1;
            self.unmatched(&parked, effects);
        }
        join.waiting.forget(now);
        self.label_join = Some(join);
    }

    fn unmatched(&mut self, parked: &Parked, effects: &mut Effects) {
        let input = self.inputs.iter().find(|input| input.is_label);
        let name = input.map(|input| input.name.clone()).unwrap_or_default();
        let label = self.shown_label(parked.label);
        let explained = format!("no record came for this label, {label}, within the wait");
        let place = (&*name, parked.partition, parked.offset);
        self.scratch.emitter.unmatched(effects, place, &explained);
    }

    /// Holds what was answered against the label, and learns what was seen.
    fn learn_row(&mut self, join: &LabelJoin, row: u64, value: f64, effects: &mut Effects) {
        let (label, now) = (self.label_of(value), self.now());
        let Some((head, beside)) = join.waiting.head(row) else { return };
        let mut from = Reader::new(beside);
        for baseline in &mut self.baselines {
            read_answer(&mut baseline.answer, &mut from).expect(OWN_ROWS);
            baseline.judge(label, head.before, now);
        }
        for (place, index) in join.models.iter().enumerate() {
            if self.load_row(join, place, *index, row) {
                self.judge_model(*index, label, head.before, now, effects);
                self.learn_model(*index, label, head.time, 1.0);
            }
        }
        self.learned(label, head.time, 1.0);
    }

    /// Learns an example again, by another label. What was judged stays judged.
    fn learn_row_again(&mut self, join: &LabelJoin, row: u64, value: f64, weight: f64) {
        let label = self.label_of(value);
        let Some((head, _)) = join.waiting.head(row) else { return };
        for (place, index) in join.models.iter().enumerate() {
            if self.load_row(join, place, *index, row) {
                self.learn_model(*index, label, head.time, weight);
            }
        }
        self.learned(label, head.time, weight);
    }

    /// Brings a model's answer and what it saw back. False: it had to go.
    fn load_row(&mut self, join: &LabelJoin, place: usize, index: usize, row: u64) -> bool {
        let Some(bytes) = join.waiting.of_model(place, row) else { return false };
        let (mut from, model) = (Reader::new(bytes), &mut self.models[index]);
        read_answer(&mut model.judged.answer, &mut from).expect(OWN_ROWS);
        model.gather.read(&mut from).expect(OWN_ROWS);
        true
    }

    fn settled(
        &mut self,
        join: &mut LabelJoin,
        id: u64,
        label: Option<f64>,
        row: u64,
        how: &'static str,
    ) {
        let now = self.now();
        join.waiting.settle(id, label, row, now);
        if let Some(watched) = join.watched.as_mut().filter(|watched| watched.id == id) {
            let known = label.or(join.absent);
            watched.fate = Some(Fate {
                how,
                label: known.map_or(serde_json::Value::Null, |label| self.shown_label(label)),
                at: self.scratch.emitter.at(),
                time: now,
                learned: known.is_some(),
            });
        }
    }

    fn shown_label(&self, value: f64) -> serde_json::Value {
        match self.label {
            LabelShape::Class { .. } => self.classes.name(value as u32).into(),
            _ => value.into(),
        }
    }

    /// Looks out for what becomes of an example; see [`Pipeline::fate`]. Changes nothing that is
    /// kept.
    pub fn watch(&mut self, id: u64) {
        if let Some(join) = &mut self.label_join {
            join.watched = Some(Watched { id, fate: None });
        }
    }

    /// What has become of the example that is looked out for; `None`: it waits.
    pub fn fate(&self) -> Option<&Fate> {
        self.label_join.as_ref()?.watched.as_ref()?.fate.as_ref()
    }

    /// The identity by which a decoded example finds its label. `None`: the label lies in it.
    pub fn match_id(&self, run: &Run<'_>, index: usize) -> Option<u64> {
        let join = self.label_join.as_ref().filter(|_| !self.inputs[run.input].is_label)?;
        Some(run.rows.ids[index * self.layout.ids + join.key])
    }

    /// The event time at which the next example or label has waited in vain.
    pub(super) fn next_in_vain(&self) -> Option<Time> {
        self.label_join.as_ref()?.waiting.next_due()
    }

    /// What waits and what was counted. `None`: labels lie in the records they belong to.
    pub fn labels(&self) -> Option<Labels> {
        let waiting = &self.label_join.as_ref()?.waiting;
        let pushed_out = waiting.pushed_out().filter(|(_, count)| *count > 0);
        Some(Labels {
            examples: waiting.examples(),
            labels: waiting.labels(),
            bytes: waiting.footprint_bytes(),
            largest_bytes: waiting.largest_bytes(),
            waited: waiting.oldest().map(|since| self.now().saturating_sub(since)),
            pushed_out: pushed_out.map(|(name, count)| (name.into(), count)).collect(),
            counts: waiting.counts,
        })
    }
}

/// Labels that come by an input of their own: what waits, and what was counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    /// Examples that wait for their label.
    pub examples: u64,
    /// Labels that wait for their example.
    pub labels: u64,
    /// The memory of all that is kept for it.
    pub bytes: usize,
    /// What the waiting examples of one model take, of that which takes most; or the ids of all.
    pub largest_bytes: usize,
    /// For how long the oldest of them has waited, in milliseconds of event time.
    pub waited: Option<Time>,
    /// Models that had to let examples go before their label came, and how many.
    pub pushed_out: Vec<(Arc<str>, u64)>,
    /// What was counted.
    pub counts: super::LabelCounts,
}

/// Rows are written by [`Pipeline::keep`], and pages are held to their digests.
const OWN_ROWS: &str = "rows that wait are read as they were written";

fn write_answer(answer: &Prediction, to: &mut Writer) {
    to.f64(answer.value);
    to.f64s(&answer.scores);
    to.option_f64(answer.interval.map(|(low, _)| low));
    to.option_f64(answer.interval.map(|(_, high)| high));
}

fn read_answer(answer: &mut Prediction, from: &mut Reader<'_>) -> Result<(), StateError> {
    answer.value = from.f64()?;
    answer.scores.clear();
    for _ in 0..from.len(8)? {
        answer.scores.push(from.f64()?);
    }
    answer.interval = from.option_f64()?.zip(from.option_f64()?);
    Ok(())
}
