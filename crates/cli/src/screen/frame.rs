//! What the live view shows.

use std::time::{Duration, Instant};

use alluvium_flow::Pipeline;
use alluvium_ledger::keeper::Joining;

use super::{board::Board, curve, home::Home, live::Pace, paint::Paint, story::Story, words};
use crate::plain;

/// The least time between two readings of the metrics, some of which are dear.
const READ: Duration = Duration::from_millis(200);
/// Reading the metrics takes at most so much of the time: one part in ...
const READ_SHARE: u32 = 50;

/// How a run stands, as of the last look.
#[derive(Debug, Default)]
pub(super) struct Frame {
    board: Board,
    read: u64,
    lag: u64,
    /// When the metrics are read again.
    due: Option<Instant>,
    pub(super) waiting: Option<String>,
    pub(super) joining: Option<Joining>,
    pub(super) finishing: bool,
}

impl Frame {
    /// Looks at a pipeline.
    pub(super) fn look(&mut self, pipeline: Option<&Pipeline>, lag: u64, now: Instant) {
        let Some(pipeline) = pipeline else { return };
        (self.read, self.lag) = (pipeline.counters().read, lag);
        if self.read == 0 || self.due.is_some_and(|due| now < due) {
            return;
        }
        self.board = Board::of(pipeline);
        let took = now.elapsed();
        self.due = Some(now + took + READ.max(took * READ_SHARE));
    }

    /// All lines.
    pub(super) fn lines(
        &self,
        home: &Home,
        story: &Story,
        pace: &Pace,
        paint: Paint,
    ) -> Vec<String> {
        let mut lines = vec![home.head(paint)];
        for (topic, loaded) in &story.loads {
            lines.push(paint.labelled("loaded", &super::loaded(topic, loaded)));
        }
        if self.waiting.is_none() || self.read > 0 {
            let line = learning(self.read, self.lag, pace, paint.bar());
            lines.push(paint.labelled("learning", &line));
        }
        if let Some(joining) = &self.joining {
            lines.push(paint.labelled("joining", &self::joining(joining, paint.bar())));
        }
        if self.read > 0 {
            lines.push(String::new());
            lines.extend(self.board.lines(paint));
            lines.push(String::new());
        }
        lines.extend(story.lines.iter().cloned());
        lines.extend(story.alarm_lines.iter().map(|line| paint.bad(line)));
        let hidden = story.alarm_count - story.alarm_lines.len() as u64;
        if hidden > 0 {
            let before = words::counted(hidden, "alarm");
            lines.push(paint.dim(&format!("           and {before} before")));
        }
        if let Some(waiting) = &self.waiting {
            lines.push(paint.labelled("waiting", waiting));
        }
        if self.finishing {
            lines.push(paint.bold("finishing: writing what was learned ..."));
        }
        lines
    }
}

/// How far learning is.
pub(super) fn learning(read: u64, lag: u64, pace: &Pace, width: usize) -> String {
    let total = read + lag;
    if total == 0 {
        return "no records yet".into();
    }
    let mut line = format!("{} of {}", words::count(read), words::counted(total, "record"));
    if width > 0 {
        let share = read as f64 / total as f64;
        line.push_str(&format!("   {}", curve::bar(share, width)));
    }
    if let Some(rate) = pace.rate {
        line.push_str(&format!("   {} records/s", words::rough(rate)));
    }
    match lag {
        0 => line,
        lag => format!("{line}   lag {}", words::count(lag)),
    }
}

/// How far something is that learns the past, to join.
pub(super) fn joining(joining: &Joining, width: usize) -> String {
    let (names, of) = (joining.names.join(", "), words::counted(joining.of, "record"));
    let mut line = format!("{names} {} of {of}", words::count(joining.read));
    if width > 0 && joining.of > 0 {
        let share = joining.read as f64 / joining.of as f64;
        line.push_str(&format!("   {}", curve::bar(share, width)));
    }
    line
}

/// How far a load is.
pub(super) fn loading(
    source: &str,
    read: u64,
    share: Option<f64>,
    pace: &Pace,
    width: usize,
) -> String {
    let mut line = format!("{} of {}", words::counted(read, "record"), plain::line(source));
    if let Some(share) = share {
        if width > 0 {
            line.push_str(&format!("   {}", curve::bar(share, width)));
        }
        line.push_str(&format!("   {:.0} %", 100.0 * share));
    }
    if let Some(rate) = pace.rate {
        line.push_str(&format!("   {} records/s", words::rough(rate)));
    }
    line
}
