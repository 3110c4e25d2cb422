//! Event time: where an input has it, which records come too late, and when time alone has
//! something to do.
//!
//! The watermark is the greatest key so far in the order of records, one for the whole pipeline: of
//! each partition the lesser of two neighbouring event times. So one record alone moves nothing,
//! and what comes in order is never late, however far the records of another partition lie apart.
//! It is part of the state, so whether a record is late is a function of the order.

use alluvium_learn::{Over, Time};

use super::{Mistake, Pipeline, plan::Planner};
use crate::{
    Run, decode,
    decode::{Reason, Refusal, shown},
    spec::{EventTime, Input, one_hour},
};

impl Planner<'_> {
    /// Where an input's event time is, and how it is written.
    pub(super) fn event_time(
        &mut self,
        name: &str,
        input: &Input,
        format: &decode::Format,
    ) -> Option<decode::TimeField> {
        let Some(time) = &input.time else {
            if input.ahead_max != one_hour() {
                let message = "there is no `time` that could be ahead of the log's";
                let help = "name the event time with `time`, or leave `ahead_max` out";
                let path = format!("input.{name}.ahead_max");
                self.mistakes.push(Mistake::new(path, message).help(help));
            }
            return None;
        };
        let (path, unit, key) = match time {
            EventTime::Ms(path) => (path, decode::TimeUnit::Milliseconds, "ms"),
            EventTime::S(path) => (path, decode::TimeUnit::Seconds, "s"),
            EventTime::Rfc3339(path) => (path, decode::TimeUnit::Rfc3339, "rfc3339"),
        };
        let path = self.path(name, format, path, &format!("input.{name}.time.{key}"));
        Some(decode::TimeField { path, unit, ahead_max: input.ahead_max.0 })
    }
}

impl Pipeline {
    /// Whether a record comes too late to be learned.
    pub(super) fn lateness(&self, input: usize, time: Time) -> Option<Refusal> {
        let input = &self.inputs[input];
        let (late_max, watermark) = (input.late_max?, self.counters.watermark?);
        let is_late = time.saturating_add_unsigned(late_max) < watermark;
        // Counted as the decoder counts: fields, then the label, then the time.
        let field = Some(input.decode.fields.len() as u16 + 1);
        is_late.then_some(Refusal { reason: Reason::Late, field })
    }

    /// A refusal in words; where a time is what is wrong, with that time and what it was held to.
    /// Nothing else of the record is in it.
    pub fn explained(&self, run: &Run<'_>, row: usize, refusal: Refusal) -> String {
        let described = refusal.describe(&self.inputs[run.input].decode);
        let time = run.rows.times[row];
        match (refusal.reason, self.counters.watermark) {
            (Reason::Late, Some(watermark)) => {
                format!("{described}: {} after {}", shown(time), shown(watermark))
            }
            (Reason::Ahead, _) => {
                let logged = shown(run.batch.metas()[row].time);
                format!("{described}: {} in a record of {logged}", shown(time))
            }
            _ => described.to_string(),
        }
    }

    /// The event time at which something happens though no record comes; `None` while nothing
    /// would.
    pub fn due(&self) -> Option<Time> {
        let dues = [self.versions_due(), self.next_in_vain()];
        dues.into_iter().flatten().min()
    }

    /// When versions are due by time. Where nothing was learned since, none would come of it.
    fn versions_due(&self) -> Option<Time> {
        let is_by_time = matches!(self.spec.versions.every, Over::Time(_));
        let is_known = self.published_taken == Some(self.taken());
        self.counters.due.filter(|_| is_by_time && !is_known && self.has_unpublished())
    }

    /// How many records were read and not refused.
    pub(super) fn taken(&self) -> u64 {
        self.counters.read - self.counters.refused
    }

    /// Time passes without records.
    pub(super) fn pass_time(&mut self, time: Time, effects: &mut crate::Effects) {
        self.counters.time = self.counters.time.max(Some(time));
        self.counters.watermark = self.counters.watermark.max(Some(time));
        self.pass_waits(effects);
        self.settle();
        let is_by_time = matches!(self.spec.versions.every, Over::Time(_));
        if is_by_time && self.is_due() {
            self.publish(effects);
        }
    }
}
