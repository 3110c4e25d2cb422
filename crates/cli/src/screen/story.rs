//! What happened in this run so far.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use alluvium_flow::{Counters, News};
use alluvium_ledger::keeper::Counted;

use super::words;
use crate::{load::Loaded, plain};

/// How many of the newest are shown.
const SHOWN: usize = 3;

/// Alarms of one model.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    pub(super) count: u64,
    /// The newest: at which record.
    pub(super) newest: VecDeque<String>,
    pub(super) detector: &'static str,
}

/// What a run has seen and done.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) began: Instant,
    /// What was loaded: into which topic, and how much.
    pub(super) loads: Vec<(String, Loaded)>,
    learning_since: Option<Instant>,
    moved: Instant,
    /// What was counted where this run began to learn what nobody had learned, and now.
    start: Option<Counted>,
    now: Counted,
    pub(super) alarms: BTreeMap<Arc<str>, Alarms>,
    pub(super) alarm_count: u64,
    /// The newest lines of news, alarms apart.
    pub(super) lines: VecDeque<String>,
    pub(super) line_count: u64,
    pub(super) alarm_lines: VecDeque<String>,
}

impl Story {
    pub(super) fn new() -> Story {
        Story {
            began: Instant::now(),
            loads: Vec::new(),
            learning_since: None,
            moved: Instant::now(),
            start: None,
            now: Counted::default(),
            alarms: BTreeMap::new(),
            alarm_count: 0,
            lines: VecDeque::new(),
            line_count: 0,
            alarm_lines: VecDeque::new(),
        }
    }

    /// Takes the counters in; `known` is what was counted of what had been learned before, once
    /// that has been learned again. Says whether it has just come to that. Called after every turn.
    pub(super) fn count(
        &mut self,
        counters: &Counters,
        known: Option<Counted>,
        now: Instant,
    ) -> bool {
        let counted =
            Counted { read: counters.read, learned: counters.learned, refused: counters.refused };
        let is_first = self.start.is_none() && known.is_some();
        if self.start.is_none() {
            self.start = known;
        }
        if self.start.is_none() {
            self.learning_since = Some(now);
        }
        if counted.read != self.now.read {
            self.moved = now;
        }
        self.now = counted;
        is_first
    }

    /// Learning begins now.
    pub(super) fn learns(&mut self, now: Instant) {
        if self.learning_since.is_none() {
            (self.learning_since, self.moved) = (Some(now), now);
        }
    }

    /// Something happened: the line that says so, and whether it is an alarm.
    pub(super) fn news(&mut self, news: &News) -> (String, bool) {
        let line = match news {
            News::Version { model, version, state_digest, at } => {
                let digest = words::digest(state_digest);
                format!("version    {model}@{version} after {at}, state {digest}")
            }
            News::Alarm { model, detector, at, .. } => {
                self.alarm_count += 1;
                let alarms = self.alarms.entry(model.clone()).or_default();
                alarms.count += 1;
                alarms.detector = detector;
                push(&mut alarms.newest, at.clone());
                let line = format!("alarm      {model} at {at} ({detector} on its error)");
                push(&mut self.alarm_lines, line.clone());
                return (line, true);
            }
            News::Champion { model, version: Some(version) } => {
                format!("champion   {model}@{version}")
            }
            News::Champion { model, version: None } => format!("champion   {model}"),
            News::Reset { model: Some(model) } => {
                format!("reset      {model} begins anew, as was asked: it has learned nothing")
            }
            News::Reset { model: None } => {
                "reset      everything begins anew, as was asked: nothing is learned".into()
            }
            // It names what somebody asked for.
            News::Skipped { gap } => format!("skipped    {gap}, as was asked"),
            News::Joined { names, records } => {
                let learned = words::counted(*records, "record");
                format!("joined     {}: the {learned} before are learned", names.join(", "))
            }
            News::Refused { why } => format!("not done   {}", plain::line(why)),
        };
        self.told(line.clone());
        (line, false)
    }

    /// Keeps a line among the newest.
    pub(super) fn told(&mut self, line: String) {
        self.line_count += 1;
        push(&mut self.lines, line);
    }

    /// What this run has read, learned and refused.
    pub(super) fn new_ones(&self) -> Counted {
        let start = self.start.unwrap_or(self.now);
        Counted {
            read: self.now.read.saturating_sub(start.read),
            learned: self.now.learned.saturating_sub(start.learned),
            refused: self.now.refused.saturating_sub(start.refused),
        }
    }

    /// How long it learned: to the last record.
    pub(super) fn learning(&self) -> Duration {
        let since = self.learning_since.unwrap_or(self.moved);
        self.moved.saturating_duration_since(since)
    }
}

fn push(queue: &mut VecDeque<String>, line: String) {
    if queue.len() == SHOWN {
        queue.pop_front();
    }
    queue.push_back(line);
}
