//! What a run says at its end.

use std::time::Duration;

use alluvium_flow::Pipeline;

use super::{
    board::Board,
    home::Home,
    paint::{Paint, padded, width},
    story::Story,
    words,
};
use crate::{clock, labels, last_run::LastRun};

/// How many models are told of before the rest is only counted.
const MODELS_SHOWN: usize = 8;

/// Everything the summary is made of.
pub(super) struct Summary<'a> {
    pub(super) story: &'a Story,
    pub(super) home: &'a Home,
    pub(super) pipeline: &'a Pipeline,
    /// Records that are in the log and were not learned.
    pub(super) lag: u64,
    /// Whether somebody asked it to stop.
    pub(super) was_stopped: bool,
    /// Whether it waited for records: then no figure of records a second means anything.
    pub(super) follows: bool,
    pub(super) previous: Option<LastRun>,
    pub(super) log_bytes: Option<u64>,
}

impl Summary<'_> {
    /// The whole of it.
    pub(super) fn lines(&self, paint: Paint) -> Vec<String> {
        let mut lines = vec![self.home.head(paint)];
        for (topic, loaded) in &self.story.loads {
            lines.push(paint.labelled("loaded", &super::loaded(topic, loaded)));
        }
        lines.push(paint.labelled("learned", &self.learned()));
        if self.was_stopped {
            lines.push(paint.labelled("stopped", &self.stopped(paint)));
        }
        if self.pipeline.counters().read == 0 {
            lines.push(paint.labelled("next", &self.home.empty()));
            return lines;
        }
        let board = Board::of(self.pipeline);
        lines.push(String::new());
        lines.extend(board.lines(paint));
        lines.push(String::new());
        if let Some(since) = counted_since(self.pipeline) {
            let says = format!("changed: counted anew from record {}", words::count(since));
            lines.push(paint.labelled("judge", &says));
        }
        if let Some(verdict) = board.verdict() {
            let says = verdict.to_string();
            let says = if verdict.is_better { paint.good(&says) } else { paint.bad(&says) };
            lines.push(paint.labelled("verdict", &says));
        }
        self.add(&mut lines, paint, "drift", self.drift());
        self.add(&mut lines, paint, "versions", self.versions());
        let labels = self.pipeline.labels().map(|labels| labels::lines(&labels));
        self.add(&mut lines, paint, "labels", labels.unwrap_or_default());
        self.add(&mut lines, paint, "refused", self.refused(paint));
        self.add(&mut lines, paint, "names", self.names());
        self.add(&mut lines, paint, "log", self.log(paint));
        self.add(&mut lines, paint, "next", self.next(paint));
        lines
    }

    /// Adds lines below each other, the first with a label.
    fn add(&self, lines: &mut Vec<String>, paint: Paint, label: &str, texts: Vec<String>) {
        for (index, text) in texts.iter().enumerate() {
            lines.push(paint.labelled(if index == 0 { label } else { "" }, text));
        }
    }

    fn learned(&self) -> String {
        let (new, counters) = (self.story.new_ones(), self.pipeline.counters());
        let total = words::counted(counters.learned, "record");
        if new.read == 0 {
            if counters.read == 0 {
                return "nothing: there are no records".into();
            }
            let since = self.previous.as_ref().map(|run| since(run.ended)).unwrap_or_default();
            return format!("nothing new{since}; {total} since the beginning");
        }
        let time = if self.follows { self.story.began.elapsed() } else { self.story.learning() };
        let mut says =
            format!("{} in {}", words::counted(new.learned, "record"), words::took(time));
        if let Some(rate) = words::rate(new.read, time).filter(|_| !self.follows) {
            says.push_str(&format!("   {} records/s", words::rough(rate)));
        }
        // What waits for its label is told of below.
        let unlabelled = match self.pipeline.labels() {
            None => new.read - new.learned - new.refused,
            Some(_) => 0,
        };
        says.push_str(&apart(new.refused, unlabelled));
        if counters.learned > new.learned {
            says.push_str(&format!("   {total} since the beginning"));
        }
        says
    }

    fn stopped(&self, paint: Paint) -> String {
        let read = words::count(self.pipeline.counters().read);
        let run = paint.command(&self.home.command("run", ""));
        match self.lag {
            0 => format!("after record {read}: {run} goes on there"),
            lag => format!(
                "after record {read}, {} more are in the log: {run} goes on there",
                words::count(lag)
            ),
        }
    }

    fn drift(&self) -> Vec<String> {
        let before = self.pipeline.counters().alarms.saturating_sub(self.story.alarm_count);
        let Some(detector) = self.home.watches_drift else { return Vec::new() };
        let mut lines = Vec::new();
        for (model, alarms) in &self.story.alarms {
            let newest: Vec<String> = alarms.newest.iter().map(|at| self.place(at)).collect();
            let newest = words::listed(&newest);
            let times = match alarms.count > alarms.newest.len() as u64 {
                true => {
                    format!("{}, the newest at {newest}", words::counted(alarms.count, "alarm"))
                }
                false => format!("at {newest}"),
            };
            lines.push(format!("{model} {times} ({})", alarms.detector));
        }
        match (lines.is_empty(), before) {
            (true, 0) => lines.push(format!("none seen ({detector} on each model's error)")),
            (true, _) => lines
                .push(format!("none in this run, {} before it", words::counted(before, "alarm"))),
            (false, 0) => {}
            (false, _) => lines.push(format!("and {} before", words::counted(before, "alarm"))),
        }
        lines
    }

    /// A place in the input: without the topic where there is only one partition.
    fn place(&self, at: &str) -> String {
        let offset = at.rsplit(':').next().and_then(|offset| offset.parse().ok());
        match offset {
            Some(offset) if self.pipeline.counters().positions.len() == 1 => words::count(offset),
            _ => at.into(),
        }
    }

    fn versions(&self) -> Vec<String> {
        let registry = self.pipeline.registry();
        let mut rows = Vec::new();
        for (name, versions) in &registry.models {
            let (Some(oldest), Some(newest)) = (versions.live.first(), versions.live.last()) else {
                continue;
            };
            let range = match oldest.version == newest.version {
                true => format!("{name}@{}", newest.version),
                false => format!("{name}@{} .. {name}@{}", oldest.version, newest.version),
            };
            rows.push((range, newest));
        }
        if rows.is_empty() {
            let every = self.pipeline.spec().versions.every;
            return vec![format!("none yet: one every {every}")];
        }
        let column = rows.iter().map(|(range, _)| width(range)).max().unwrap_or_default();
        let more = rows.len().saturating_sub(MODELS_SHOWN);
        let mut lines: Vec<String> = Vec::new();
        for (range, newest) in rows.into_iter().take(MODELS_SHOWN) {
            let digest = words::digest(&newest.state_digest);
            let records = words::counted(newest.records, "record");
            let range = padded(&range, column);
            lines.push(format!("{range}   the newest after {records}, state {digest}"));
        }
        if more > 0 {
            lines.push(format!("and {more} more: {}", self.home.command("models list", "")));
        }
        lines
    }

    fn refused(&self, paint: Paint) -> Vec<String> {
        let counters = self.pipeline.counters();
        if counters.refused == 0 {
            return Vec::new();
        }
        let new = self.story.new_ones().refused;
        let share = match 100.0 * counters.refused as f64 / counters.read.max(1) as f64 {
            share if share < 0.01 => "less than 0.01 %".into(),
            share => format!("{share:.2} %"),
        };
        let mut reasons: Vec<(&String, &u64)> = counters.refused_by.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let reason = |(code, count): &(&String, &u64)| format!("{} {code}", words::count(**count));
        let reasons: Vec<String> = reasons.iter().take(3).map(reason).collect();
        let refused = words::counted(counters.refused, "record");
        let mut says = format!("{refused} of all ({share}): {}", words::listed(&reasons));
        if new != counters.refused {
            says.push_str(&format!("; {} in this run", words::count(new)));
        }
        let look = paint.command(&self.home.command("show", "dead-letters"));
        vec![paint.bad(&says), format!("{look}   what they were, and why")]
    }

    fn names(&self) -> Vec<String> {
        match self.pipeline.counters().names_without_room {
            0 => Vec::new(),
            count => vec![format!(
                "{} came when there was no room for one more, and share a code (values_max)",
                words::counted(count, "name")
            )],
        }
    }

    fn log(&self, paint: Paint) -> Vec<String> {
        let size = self.log_bytes.map(|size| format!(", {}", words::bytes(size)));
        let size = size.unwrap_or_default();
        let topics = words::listed(&self.home.topics);
        let name = &self.home.name;
        let own = "{predictions,alarms,dead-letters,models,control,state}";
        let mut lines = vec![format!("{}{size}", self.home.place)];
        let topics = format!("topics {topics}, {name}.{own}");
        lines.extend(paint.has_room(&topics).then_some(topics));
        lines
    }

    /// Where the newest alarm of this run was: one of the champion's, if there is any.
    fn newest_alarm(&self) -> Option<&String> {
        let champion = self.pipeline.registry().champion();
        let own = champion.and_then(|champion| self.story.alarms.get(&champion.model));
        own.or_else(|| self.story.alarms.values().next())?.newest.back()
    }

    fn next(&self, paint: Paint) -> Vec<String> {
        let home = self.home;
        let mut rows: Vec<(String, &str)> = Vec::new();
        if self.pipeline.spec().predictions.only.is_some() {
            rows.push((home.command("show", "predictions"), "the newest anomalies"));
        }
        if let Some((model, version)) = self.pipeline.registry().champion_version() {
            let verify = home.command("verify", &format!("{model}@{version}"));
            rows.push((verify, "prove it from the log"));
        }
        if let Some(at) = self.newest_alarm() {
            rows.push((home.command("show", at), "one record, all the way"));
        } else if self.story.new_ones().read == 0 {
            rows.push((home.command("run", "--follow"), "wait for more, and learn it"));
        }
        let column = rows.iter().map(|(command, _)| width(command)).max().unwrap_or_default();
        let row = |(command, why): &(String, &str)| {
            let whole = format!("{}   {why}", padded(command, column));
            match paint.has_room(&whole) {
                true => format!("{}   {why}", paint.command(&padded(command, column))),
                false => paint.command(command),
            }
        };
        let mut lines: Vec<String> = rows.iter().map(row).collect();
        let file = home.file();
        lines.push(format!("edit {file}, then run again: you will see what the change means"));
        lines
    }
}

/// What was read and not learned: `, 2 refused, 7 without a label`.
fn apart(refused: u64, unlabelled: u64) -> String {
    let mut says = String::new();
    if refused > 0 {
        says.push_str(&format!(", {} refused", words::count(refused)));
    }
    if unlabelled > 0 {
        says.push_str(&format!(", {} without a label", words::count(unlabelled)));
    }
    says
}

/// From which record on figures are counted, where that is not the first: those of the past were
/// counted by another judge, or reset.
fn counted_since(pipeline: &Pipeline) -> Option<u64> {
    // What has no metric judges nothing, and has not begun anew.
    let judges = pipeline.judges().filter(|(_, judge, _)| !judge.is_empty());
    let judged = judges.map(|(_, judge, _)| judge.judged()).max()?;
    let counters = pipeline.counters();
    (judged < counters.learned).then(|| counters.read - judged)
}

/// Since when: ` since 2026-03-01 14:49 (3 min ago)`.
fn since(time: i64) -> String {
    let Ok(at) = jiff::Timestamp::from_millisecond(time) else { return String::new() };
    let local = at.to_zoned(jiff::tz::TimeZone::system());
    let ago = clock::now().saturating_sub(time).max(0).unsigned_abs();
    let ago = words::about(Duration::from_millis(ago));
    format!(" since {} ({ago} ago)", local.strftime("%Y-%m-%d %H:%M"))
}
