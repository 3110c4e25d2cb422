//! A view that is drawn again and again in the same place of a terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::paint::Paint;

/// The least time between two drawings.
pub(super) const REDRAW: Duration = Duration::from_millis(100);

/// The lines at the foot of the terminal. They go when it goes.
pub(super) struct Live {
    bar: ProgressBar,
    pub(super) paint: Paint,
}

impl Live {
    /// A view on standard error.
    pub(super) fn new() -> Live {
        let target = ProgressDrawTarget::stderr_with_hz(30);
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        Live { bar, paint: Paint::stderr() }
    }

    /// Draws the lines in place of those before. A line that is too wide loses its end.
    pub(super) fn draw(&mut self, lines: &[String]) {
        self.paint = Paint::stderr();
        let fitting: Vec<String> = lines.iter().map(|line| self.paint.fit(line)).collect();
        self.bar.set_message(fitting.join("\n"));
    }

    /// Takes the lines away.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.clear();
    }
}

/// How many records a second, as of late.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    records: u64,
    is_first: bool,
    pub(super) rate: Option<f64>,
}

impl Pace {
    /// Begins at so many records.
    pub(super) fn new(records: u64, now: Instant) -> Pace {
        Pace { since: now, records, is_first: true, rate: None }
    }

    /// So many records now: a new figure twice a second, and the first as it comes about.
    pub(super) fn at(&mut self, records: u64, now: Instant) {
        let time = now.saturating_duration_since(self.since);
        let done = records.saturating_sub(self.records);
        if (self.is_first && done > 0) || time >= Duration::from_millis(500) {
            self.rate = Some(done as f64 / time.as_secs_f64().max(0.001));
        }
        if time >= Duration::from_millis(500) {
            (self.since, self.records, self.is_first) = (now, records, false);
        }
    }
}
