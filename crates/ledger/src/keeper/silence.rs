//! How time goes on where no records come: at the pace of the clock, from the greatest event time
//! known.
//!
//! Only the pace is the clock's: history that is loaded today is silent in its own year, not in
//! this one. What a writer makes of it is a TICK in control, and so the same in every replay.

use alluvium_flow::Pipeline;
use alluvium_learn::Time;

use crate::bugs::{Bug, planted};

/// How much time one turn may add, in milliseconds. Turns follow one another within moments, so
/// more than this between two of them is a clock that was set, or a process that slept.
const TURN_MS: Time = 10_000;

/// How long nothing has moved the records or the time of a pipeline.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Silence {
    /// When the last turn was.
    last: Option<Time>,
    /// What had been read then, and the greatest event time.
    known: (u64, Option<Time>),
    /// The time that has passed since either changed, in milliseconds.
    passed: Time,
}

impl Silence {
    /// Another turn. A clock that was set back takes nothing away.
    pub(crate) fn turn(&mut self, now: Time, pipeline: Option<&Pipeline>) {
        let known = pipeline.map(Pipeline::counters).map(|counters| (counters.read, counters.time));
        let known = known.unwrap_or_default();
        let since = self.last.replace(now).unwrap_or(now);
        self.passed = match known == self.known {
            true => self.passed + now.saturating_sub(since).clamp(0, TURN_MS),
            false => 0,
        };
        self.known = known;
    }

    /// The time that has come, if something is due by now.
    pub(crate) fn tick(&self, pipeline: &Pipeline) -> Option<Time> {
        if planted(Bug::TicksOfTheClock) {
            return self.last;
        }
        let time = pipeline.counters().time?.saturating_add(self.passed);
        pipeline.due().is_some_and(|due| due <= time).then_some(time)
    }
}
