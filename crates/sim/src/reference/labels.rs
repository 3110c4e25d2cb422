//! What becomes of labels that have an input of their own: the manual's rules, with maps and queues
//! alone, and every text as it was written.

use std::collections::{BTreeMap, VecDeque};

use alluvium_flow::{
    LabelCounts, OutTopic,
    spec::{Absent, Label, Late},
};
use alluvium_learn::Time;
use alluvium_ledger::control::At;
use serde_json::Value;

use super::Trainer;
use crate::log::Landed;

/// A record that was taken.
pub(super) enum Came {
    Example { id: String },
    Label { id: String, class: String },
}

/// The join. An id that is settled is remembered for ever, with the time until which that counts.
#[derive(Default)]
pub(super) struct Plain {
    now: Option<Time>,
    /// The greatest of what two neighbouring times of a partition agree on.
    watermark: Option<Time>,
    /// Of each partition what two neighbours agreed on so far, and the newest time.
    agreed: BTreeMap<(String, u32), (Time, Time)>,
    /// Examples, and when they have waited in vain.
    waits: VecDeque<(String, Time)>,
    parked: VecDeque<(String, Time)>,
    /// What the labels say that wait for their example.
    labels: BTreeMap<String, String>,
    settled: BTreeMap<String, (Time, Option<String>)>,
    /// Examples that have waited in vain and may still be corrected, and when they had.
    kept_on: VecDeque<(String, Time)>,
    counts: LabelCounts,
    learned: u64,
    /// Why labels went to the dead letters since the step before.
    dead: Vec<&'static str>,
    /// Counts of before somebody reset everything.
    before: [u64; 10],
}

impl Plain {
    /// When the next has waited in vain.
    pub(super) fn due(&self) -> Option<Time> {
        let dues = [self.waits.front(), self.parked.front()];
        dues.into_iter().flatten().map(|(_, due)| *due).min()
    }

    /// All counts, those of before a reset too.
    pub(super) fn ever(&self) -> [u64; 10] {
        let mut ever = self.before;
        for (count, (_, more)) in ever.iter_mut().zip(self.counts.named()) {
            *count += more;
        }
        ever
    }

    /// Somebody reset everything.
    pub(super) fn forget_all(&mut self) {
        let (now, learned, before) = (self.now, self.learned, self.ever());
        let (watermark, agreed) = (self.watermark, std::mem::take(&mut self.agreed));
        *self = Plain { now, watermark, agreed, learned, before, ..Plain::default() };
    }

    /// Whether a record of that time comes too late to be taken.
    fn is_late(&self, time: Time, late_max: Option<u64>) -> bool {
        let behind = self.watermark.map_or(0, |watermark| watermark - time);
        late_max.is_some_and(|most| behind > most as Time)
    }

    /// A record of that time was read, late or not.
    pub(super) fn passed(&mut self, at: &At, time: Time) {
        let place = (at.input.to_string(), at.partition);
        let (agreed, newest) = self.agreed.get(&place).copied().unwrap_or((Time::MIN, time));
        let agreed = agreed.max(newest.min(time));
        self.agreed.insert(place, (agreed, time));
        self.watermark = self.watermark.max(Some(agreed));
    }

    fn take(&mut self, came: Option<&Came>, time: Option<Time>, settings: &Label) {
        if came.is_none() {
            self.watermark = self.watermark.max(time);
        }
        self.now = self.now.max(time);
        // Where nothing was ever read, nothing waits.
        let Some(now) = self.now else { return };
        let wait = settings.wait.map_or(0, |wait| wait.0 as Time);
        match came {
            Some(Came::Example { id }) => self.example(id, now, wait, settings),
            Some(Came::Label { id, class }) => self.label(id, class, now, wait, settings),
            None => {}
        }
        self.pass(now, settings);
    }

    fn example(&mut self, id: &str, now: Time, wait: Time, settings: &Label) {
        if self.waits.iter().any(|(waits, _)| waits == id) || self.is_settled(id, now).is_some() {
            self.counts.repeated += 1;
        } else if let Some(class) = self.labels.remove(id) {
            self.parked.retain(|(parked, _)| parked != id);
            self.counts.early += 1;
            self.labelled(id, class, now, settings);
        } else {
            self.waits.push_back((id.into(), now + wait));
        }
    }

    fn label(&mut self, id: &str, class: &str, now: Time, wait: Time, settings: &Label) {
        if self.waits.iter().any(|(waits, _)| waits == id) {
            self.waits.retain(|(waits, _)| waits != id);
            return self.labelled(id, class.into(), now, settings);
        }
        let settled = self.is_settled(id, now);
        let known = self.labels.get(id).cloned().or(settled.clone().flatten());
        match (known, settled) {
            (Some(known), _) if known == class => self.counts.duplicate += 1,
            (Some(_), _) => {
                self.counts.conflicting += 1;
                self.dead.push("label_conflict");
            }
            (None, Some(_)) => self.late(id, class, now, settings),
            (None, None) => {
                self.labels.insert(id.into(), class.into());
                self.parked.push_back((id.into(), now + wait));
            }
        }
    }

    fn late(&mut self, id: &str, class: &str, now: Time, settings: &Label) {
        self.counts.late += 1;
        let is_kept = self.kept_on.iter().any(|(kept, _)| kept == id);
        match &settings.late {
            Late::Drop => {}
            Late::Correct(_) if absent(settings) == Some(class) => {}
            Late::Correct(_) if is_kept => {
                self.counts.corrected += 1;
                self.learned += 1;
                self.kept_on.retain(|(kept, _)| kept != id);
                self.settle(id, Some(class.into()), now, settings);
            }
            Late::Correct(_) | Late::DeadLetter => self.dead.push("label_late"),
        }
    }

    fn labelled(&mut self, id: &str, class: String, now: Time, settings: &Label) {
        self.counts.labelled += 1;
        self.learned += 1;
        self.settle(id, Some(class), now, settings);
    }

    /// It is known for as long as it may wait, or may be corrected.
    fn settle(&mut self, id: &str, class: Option<String>, now: Time, settings: &Label) {
        let wait = settings.wait.map_or(0, |wait| wait.0 as Time);
        self.settled.insert(id.into(), (now + wait.max(within(settings)), class));
    }

    fn is_settled(&self, id: &str, now: Time) -> Option<Option<String>> {
        let (until, class) = self.settled.get(id)?;
        (*until > now).then(|| class.clone())
    }

    fn pass(&mut self, now: Time, settings: &Label) {
        while let Some((id, due)) = self.waits.pop_front_if(|(_, due)| *due <= now) {
            self.counts.absent += 1;
            self.learned += u64::from(settings.absent.is_some());
            self.settle(&id, None, now, settings);
            if within(settings) > 0 {
                self.kept_on.push_back((id, due));
            }
        }
        while let Some((id, _)) = self.parked.pop_front_if(|(_, due)| *due <= now) {
            self.labels.remove(&id);
            self.counts.unmatched += 1;
            self.dead.push("label_unmatched");
        }
        let within = within(settings);
        while self.kept_on.pop_front_if(|(_, due)| *due + within <= now).is_some() {}
    }
}

/// For how long an example may be corrected.
fn within(settings: &Label) -> Time {
    match &settings.late {
        Late::Correct(correct) => correct.within.0 as Time,
        Late::Drop | Late::DeadLetter => 0,
    }
}

fn absent(settings: &Label) -> Option<&str> {
    match &settings.absent {
        Some(Absent::Class(class)) => Some(class),
        _ => None,
    }
}

impl Trainer<'_> {
    /// Whether an input gives labels alone.
    pub(super) fn is_label(&self, input: &str) -> bool {
        let label = self.pipeline.as_ref().and_then(|pipeline| pipeline.spec().label.as_ref());
        label.is_some_and(|label| label.input.as_deref() == Some(input))
    }

    /// What a record that could be read brings; `None`: it is turned away.
    pub(super) fn came(&self, at: &At, landed: &Landed, time: Time) -> Option<Came> {
        let spec = self.pipeline.as_ref()?.spec();
        let late_max = spec.input.get(&*at.input)?.late_max.map(|most| most.0);
        let value = std::str::from_utf8(landed.record.value.as_deref()?).ok()?;
        let mut columns = value.split(',').map(String::from);
        if self.labels.is_late(time, late_max) {
            return None;
        }
        if !self.is_label(&at.input) {
            return Some(Came::Example { id: columns.nth(3)? });
        }
        let (id, class) = (columns.next()?, columns.next()?);
        ["0", "1"].contains(&class.as_str()).then_some(Came::Label { id, class })
    }

    /// Holds what the join made of a step to what it has to make of it.
    pub(super) fn label_join(&mut self, came: Option<&Came>, time: Option<Time>) {
        let Some(pipeline) = &self.pipeline else { return };
        let Some(settings) = pipeline.spec().label.as_ref() else { return };
        let Some(found) = pipeline.labels() else { return };
        let plain = &mut self.labels;
        plain.dead.clear();
        plain.take(came, time, settings);
        let waits = (plain.waits.len() as u64, plain.parked.len() as u64);
        let expected = (plain.counts, waits, plain.learned, plain.now);
        let counters = pipeline.counters();
        let came_out =
            (found.counts, (found.examples, found.labels), counters.learned, counters.time);
        let dead: Vec<String> = self
            .effects
            .outputs
            .iter()
            .filter(|output| output.topic == OutTopic::DeadLetters)
            .filter_map(|output| serde_json::from_slice(self.effects.part(output.value)).ok())
            .filter_map(|letter: Value| letter["reason"].as_str().map(String::from))
            .filter(|reason| reason.starts_with("label_"))
            .collect();
        if expected != came_out || plain.dead != dead {
            let step = pipeline.steps();
            let why = format!(
                "the join at step {step}: {came_out:?} {dead:?} where {expected:?} {:?} had to be",
                plain.dead
            );
            self.found.complaint.get_or_insert(why);
        }
    }
}
