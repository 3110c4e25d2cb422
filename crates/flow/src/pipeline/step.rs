//! The one place where state changes.

use std::sync::Arc;

use alluvium_learn::{Ahead, Label, Time};

use super::{
    Pipeline,
    admit::{row, text},
    emit::CarriedPlace,
};
use crate::{
    Decision, Effects, Input, News, OutTopic, Record, Run, Settings,
    decode::{Refusal, Rows},
    spec::Only,
};

/// How many rows are looked ahead: as many reads of memory as a core has under way at once.
const AHEAD: usize = 32;

impl Pipeline {
    /// Takes the next step, or as many as the run has records.
    pub fn step(&mut self, input: Input<'_>, effects: &mut Effects) {
        match input {
            Input::Records(run) => self.records(&run, effects),
            Input::Decided(decision) => {
                self.begin_decision();
                self.decided(decision, effects);
            }
            Input::Impossible(why) => {
                self.begin_decision();
                effects.news.push(News::Refused { why: why.to_string() });
            }
            Input::Settings(settings) => {
                self.begin_decision();
                self.run_as(settings, effects);
            }
            Input::Join { settings, past } => {
                self.begin_decision();
                effects.news.push(match self.join(settings, past) {
                    Ok(names) => News::Joined { names, records: self.counters.read },
                    Err(why) => News::Refused { why },
                });
            }
            Input::Born => {
                self.begin_decision();
                self.be_born(effects);
            }
            Input::Tick(time) => {
                self.begin_decision();
                self.pass_time(time, effects);
            }
            Input::Publish => self.publish(effects),
        }
    }

    fn begin_decision(&mut self) {
        self.counters.steps += 1;
        self.scratch.emitter.begin(self.counters.steps, None);
    }

    fn records(&mut self, run: &Run<'_>, effects: &mut Effects) {
        let name = self.inputs[run.input].name.clone();
        let mut position = None;
        let partition = (name.clone(), run.partition);
        let mut order = self.counters.orders.get(&partition).copied().unwrap_or_default();
        for index in run.range.clone() {
            if index % AHEAD == 0 && !self.inputs[run.input].is_label {
                self.look_ahead(run.rows, index);
            }
            let record = run.batch.get(index);
            self.counters.steps += 1;
            self.counters.read += 1;
            let place = Some((&*name, run.partition, record.offset));
            self.scratch.emitter.begin(self.counters.steps, place);
            let refusal = run.rows.refusals[index];
            let time = Some(run.rows.times[index]).filter(|_| refusal.is_none());
            let key = time.map(|time| order.of(Some(time)));
            order.take(time);
            match refusal {
                Some(refusal) => self.refuse(run, index, refusal, effects),
                None if self.inputs[run.input].is_label => {
                    self.label_came(run, index, &record, effects);
                }
                None => self.record(run, index, &record, effects),
            }
            self.counters.watermark = self.counters.watermark.max(key);
            self.pass_waits(effects);
            if self.is_due() {
                self.moved(&name, run.partition, record.offset + 1);
                self.settle();
                self.publish(effects);
            }
            position = Some(record.offset + 1);
            if effects.refused_share_max.is_some_and(|most| self.refused_beyond(most).is_some()) {
                break;
            }
        }
        self.settle();
        self.counters.orders.insert(partition, order);
        if let Some(position) = position {
            self.moved(&name, run.partition, position);
        }
    }

    /// Lets steps and models read what the next rows of a batch will need: where they know many
    /// keys, these reads of memory then wait together and not one by one. Changes nothing.
    fn look_ahead(&self, rows: &Rows, index: usize) {
        let width = self.layout.ids;
        let count = AHEAD.min(rows.refusals.len() - index);
        if width == 0 {
            return;
        }
        let next = Ahead { ids: &rows.ids[index * width..(index + count) * width], width };
        for step in &self.steps {
            step.object.0.look_ahead(next);
        }
        for model in &self.models {
            let mut keys = [0; AHEAD];
            if model.gather.keys(next, &mut keys) {
                model.judged.learner.look_ahead(&keys[..count]);
            }
        }
    }

    /// Lets the judges take in what they have noted.
    pub(super) fn settle(&mut self) {
        self.models.iter_mut().for_each(|model| model.judged.judge.settle());
        self.baselines.iter_mut().for_each(|baseline| baseline.judge.settle());
    }

    /// Stands behind records as if they had never come.
    pub fn pass_over(&mut self, input: usize, partition: u32, position: u64) {
        let name = self.inputs[input].name.clone();
        self.moved(&name, partition, position);
    }

    fn moved(&mut self, name: &Arc<str>, partition: u32, position: u64) {
        match self.counters.positions.get_mut(&(name.clone(), partition)) {
            Some(known) => *known = position,
            None => drop(self.counters.positions.insert((name.clone(), partition), position)),
        }
    }

    pub(super) fn refuse(
        &mut self,
        run: &Run<'_>,
        row: usize,
        refusal: Refusal,
        effects: &mut Effects,
    ) {
        self.counters.refused += 1;
        self.refusals.note(true);
        let code = refusal.reason.code();
        match self.counters.refused_by.get_mut(code) {
            Some(count) => *count += 1,
            None => drop(self.counters.refused_by.insert(code.into(), 1)),
        }
        let explained = self.explained(run, row, refusal);
        let plan = &self.inputs[run.input].decode;
        let field = refusal.field.and_then(|field| plan.fields.get(usize::from(field)));
        let field = field.map(|field| field.name.as_str());
        let emitter = &mut self.scratch.emitter;
        emitter.dead_letter(effects, run.partition, &run.batch.get(row), code, field, &explained);
    }

    fn record(&mut self, run: &Run<'_>, index: usize, record: &Record<'_>, effects: &mut Effects) {
        let time = run.rows.times[index];
        if let Some(refusal) = self.lateness(run.input, time) {
            return self.refuse(run, index, refusal, effects);
        }
        let truth = match self.truth(run.input, run.rows, index) {
            Ok(truth) => truth,
            Err(refusal) => return self.refuse(run, index, refusal, effects),
        };
        self.refusals.note(false);
        self.counters.time = self.counters.time.max(Some(time));
        self.score(run.rows, index, time);
        if self.answers_backlog() || !effects.backlog {
            self.emit(run, index, record, effects);
        }
        self.learn_names(run.rows);
        let ids = self.layout.ids;
        let seen = row(&mut self.scratch, run.rows, ids, index, time);
        for step in &mut self.steps {
            step.object.0.observe(&seen);
        }
        if self.label_join.is_some() {
            return self.wait(run, index, effects);
        }
        let label = self.label(truth, run.rows);
        self.judge(label, time, effects);
        self.learn(label, time);
    }

    /// Features, then every model's answer: changes nothing that is kept.
    pub(super) fn score(&mut self, rows: &Rows, index: usize, time: Time) {
        self.admit(rows, index);
        let mut row = row(&mut self.scratch, rows, self.layout.ids, index, time);
        for step in &self.steps {
            step.object.0.apply(&mut row);
        }
        for model in &mut self.models {
            model.gather.fill(&row);
            let features = model.gather.features(time);
            model.judged.learner.predict(&features, &mut model.judged.answer);
        }
    }

    fn emit(&mut self, run: &Run<'_>, index: usize, record: &Record<'_>, effects: &mut Effects) {
        let only_anomalies = self.spec.predictions.only == Some(Only::Anomalies);
        let Pipeline { models, classes, carried, scratch, registry, .. } = self;
        let texts = &run.rows.texts[index * self.texts_per_row..(index + 1) * self.texts_per_row];
        for (model, (_, versions)) in models.iter_mut().zip(&registry.models) {
            if only_anomalies && !model.judged.answer.is_anomaly(model.judged.task) {
                continue;
            }
            let start = effects.bytes.len();
            let emitter = &mut scratch.emitter;
            effects.bytes.extend_from_slice(&model.judged.opening);
            effects.bytes.extend_from_slice(b"\"version\":");
            emitter.integer(&mut effects.bytes, versions.newest);
            effects.bytes.push(b',');
            emitter.answer(&mut effects.bytes, model.judged.task, &model.judged.answer, classes);
            for (place, column) in carried.iter().enumerate() {
                effects.bytes.extend_from_slice(if place == 0 { b",\"carry\":{" } else { b"," });
                super::emit::text(&mut effects.bytes, &column.name);
                effects.bytes.push(b':');
                match &column.what {
                    CarriedPlace::Text(text_index) => {
                        let span = texts[*text_index];
                        let shown = if span == Rows::GAP { "" } else { text(run.rows, span) };
                        super::emit::text(&mut effects.bytes, shown);
                    }
                    CarriedPlace::Column(place) => {
                        let alluvium_learn::Place::Dense { slot, .. } = *place else {
                            effects.bytes.extend_from_slice(b"null");
                            continue;
                        };
                        emitter.number(&mut effects.bytes, scratch.values[slot]);
                    }
                }
            }
            effects.bytes.extend_from_slice(if carried.is_empty() { b"}" } else { b"}}" });
            let topic = OutTopic::Predictions;
            emitter.finish(effects, topic, run.partition, record.key, start);
        }
    }

    fn judge(&mut self, label: Label<'_>, time: Time, effects: &mut Effects) {
        let before = self.counters.label_before;
        let nothing = alluvium_learn::Features { time, ..Default::default() };
        for baseline in &mut self.baselines {
            baseline.learner.predict(&nothing, &mut baseline.answer);
            baseline.judge(label, before, time);
        }
        for index in 0..self.models.len() {
            self.judge_model(index, label, before, time, effects);
        }
    }

    /// Holds a model's answer against the label, and says so if its error has changed.
    pub(super) fn judge_model(
        &mut self,
        index: usize,
        label: Label<'_>,
        before: f64,
        time: Time,
        effects: &mut Effects,
    ) {
        let judged = &mut self.models[index].judged;
        if !judged.judge(label, before, time) {
            return;
        }
        self.counters.alarms += 1;
        let detector = judged.detector.as_ref().map_or("", |(name, _)| name);
        let (emitter, start) = (&mut self.scratch.emitter, effects.bytes.len());
        let at = emitter.at();
        let to = &mut effects.bytes;
        to.extend_from_slice(&judged.opening);
        to.extend_from_slice(b"\"detector\":");
        super::emit::text(to, detector);
        to.extend_from_slice(b",\"at\":");
        super::emit::text(to, &at);
        to.extend_from_slice(b",\"records\":");
        emitter.integer(to, self.counters.read);
        to.push(b'}');
        emitter.finish(effects, OutTopic::Alarms, 0, None, start);
        let (model, records) = (judged.name.clone(), self.counters.read);
        effects.news.push(News::Alarm { model, detector, at, records });
    }

    fn learn(&mut self, label: Label<'_>, time: Time) {
        let is_clustering = self.label == alluvium_learn::LabelShape::None;
        if label == Label::None && !is_clustering {
            return;
        }
        for index in 0..self.models.len() {
            self.learn_model(index, label, time, 1.0);
        }
        self.learned(label, time, 1.0);
    }

    /// Lets a model learn what it has before it.
    pub(super) fn learn_model(&mut self, index: usize, label: Label<'_>, time: Time, weight: f64) {
        let model = &mut self.models[index];
        let features = model.gather.features(time);
        model.judged.learner.learn(&features, label, weight);
    }

    /// The models have learned: so do the baselines, and the steps that look back at labels.
    pub(super) fn learned(&mut self, label: Label<'_>, time: Time, weight: f64) {
        self.counters.learned += 1;
        let nothing = alluvium_learn::Features { time, ..Default::default() };
        for baseline in &mut self.baselines {
            baseline.learner.learn(&nothing, label, weight);
        }
        for step in &mut self.steps {
            step.object.0.observe_label(label);
        }
        self.counters.label_before = match label {
            Label::Class(code) => f64::from(code),
            Label::Number(value) => value,
            _ => f64::NAN,
        };
    }

    fn decided(&mut self, decision: &Decision, effects: &mut Effects) {
        let (step, since) = (self.counters.steps, effects.time);
        let result = match decision {
            Decision::Adopt { settings } | Decision::Begin { settings } => {
                let before = self.registry.champions.last().cloned();
                let adopted = match decision {
                    Decision::Adopt { .. } => self.adopt(settings, since),
                    _ => self.begin(settings, since),
                };
                adopted.map(|()| {
                    if self.registry.champions.last() != before.as_ref() {
                        self.emit_champion(effects);
                    }
                })
            }
            Decision::Reset { model } => self.reset(model.as_deref()).map(|()| {
                let model = model.as_deref().map(Arc::from);
                effects.news.push(News::Reset { model });
            }),
            Decision::Promote { model, version } => {
                let result = self.registry.promote(model, *version, step, since, "promote");
                result.map(|()| self.emit_champion(effects))
            }
            Decision::Rollback => {
                self.registry.rollback(step, since).map(|()| self.emit_champion(effects))
            }
            Decision::Skip(gap) => {
                self.moved(&gap.input, gap.partition, gap.to);
                effects.news.push(News::Skipped { gap: gap.clone() });
                Ok(())
            }
        };
        if let Err(why) = result {
            effects.news.push(News::Refused { why });
        }
    }

    /// Takes how it runs, and that alone: what is learned may have been changed by a decision since
    /// somebody asked for this.
    fn run_as(&mut self, settings: &Settings, effects: &mut Effects) {
        let (kernel, learned) = (self.settings.kernel, self.settings.learned.clone());
        let settings = Settings { kernel, learned, runs: settings.runs.clone() };
        if let Err(why) = self.adopt(&Arc::new(settings), effects.time) {
            effects.news.push(News::Refused { why });
        }
    }
}
