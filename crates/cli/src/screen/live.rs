//! A view that is drawn again and again in the same place of a terminal.

use std::{
    fmt::Write as _,
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use console::Term;

use super::paint::Paint;

/// The least time between two drawings.
pub(super) const REDRAW: Duration = Duration::from_millis(100);

/// Lines that are drawn over themselves. They go when it goes.
///
/// The cursor rests at the beginning of the line below them: what a terminal echoes there, as `^C`,
/// is drawn over the next time, and moves nothing.
pub(super) struct Live {
    terminal: Term,
    /// How many lines stand there.
    drawn: usize,
    pub(super) paint: Paint,
}

impl Live {
    /// A view on standard error, if that is a terminal that can be drawn on.
    pub(super) fn new() -> Option<Live> {
        let is_dumb = std::env::var_os("TERM").is_some_and(|name| name == "dumb");
        let can_draw = std::io::stderr().is_terminal() && !is_dumb;
        can_draw.then(|| Live { terminal: Term::stderr(), drawn: 0, paint: Paint::stderr() })
    }

    /// Draws the lines in place of those before. What is too wide or too high is cut off.
    pub(super) fn draw(&mut self, lines: &[String]) {
        self.paint = Paint::stderr();
        let (rows, _) = self.terminal.size();
        let mut text = self.to_the_top();
        self.drawn = lines.len().min(usize::from(rows).saturating_sub(1));
        for line in &lines[..self.drawn] {
            // Each line takes what stood there before with it.
            text.push_str(&self.paint.fit(line));
            text.push_str("\u{1b}[K\n");
        }
        text.push_str("\u{1b}[J");
        show(&text);
    }

    /// Takes the lines away.
    pub(super) fn clear(&mut self) {
        if self.drawn > 0 {
            let text = format!("{}\u{1b}[J", self.to_the_top());
            self.drawn = 0;
            show(&text);
        }
    }

    /// What brings the cursor to where the lines begin.
    fn to_the_top(&self) -> String {
        let mut text = String::from("\r");
        if self.drawn > 0 {
            write!(text, "\u{1b}[{}A", self.drawn).unwrap_or_default();
        }
        text
    }
}

/// All in one piece, so that nothing flickers.
fn show(text: &str) {
    let mut out = std::io::stderr().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).unwrap_or_default();
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
