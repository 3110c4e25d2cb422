//! How time goes on where no records come: at the pace of the clock, from the greatest event time
//! known.
//!
//! Only the pace is the clock's: history that is loaded today is silent in its own year, not in
//! this one. What a writer makes of it is a TICK in control, and so the same in every replay.

use alluvium_flow::Pipeline;
use alluvium_learn::Time;

use super::{Keeper, Office, Trouble, has_passed, input_ends};
use crate::{
    bugs::{Bug, planted},
    control::Body,
    log::Log,
};

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
    fn tick(&self, pipeline: &Pipeline) -> Option<Time> {
        if planted(Bug::TicksOfTheClock) {
            return self.last;
        }
        let time = pipeline.counters().time?.saturating_add(self.passed);
        pipeline.due().is_some_and(|due| due <= time).then_some(time)
    }
}

impl<L: Log> Keeper<L> {
    /// Says that time has passed, where something waits for it: only who follows knows of silence,
    /// and only if it lasts.
    pub(super) fn next_tick(&mut self, now: Time) -> Result<Option<Body>, Trouble> {
        let Keeper { office, log, options, .. } = self;
        let office = office.as_mut().expect("live means in office");
        let tick_ms = options.tick_ms.filter(|_| options.follow);
        if !tick_ms.is_some_and(|span| has_passed(office.last_activity, now, span)) {
            return Ok(None);
        }
        let tick =
            office.replay.pipeline.as_ref().and_then(|pipeline| office.silence.tick(pipeline));
        let Some(time) = tick.filter(|_| office.has_learned_all()) else { return Ok(None) };
        if office.is_missing_something(log)? {
            // Asked again after as much silence.
            office.last_activity = now;
            return Ok(None);
        }
        Ok(Some(Body::Tick { time }))
    }
}

impl Office {
    /// Whether all that was delivered, and all that control holds, is learned.
    fn has_learned_all(&mut self) -> bool {
        let mut lanes = self.replay.lanes.iter().filter(|lane| lane.input.is_some());
        lanes.all(|lane| lane.learned.position >= lane.delivered) && self.is_at_its_end()
    }

    /// Whether there are records that have not been delivered. A broker that cannot be reached is
    /// no silence: what it holds happened before time went on.
    fn is_missing_something(&self, log: &mut dyn Log) -> Result<bool, Trouble> {
        let Some(pipeline) = &self.replay.pipeline else { return Ok(true) };
        let found = input_ends(log, pipeline)?;
        Ok(found.iter().any(|((input, partition), ends)| {
            let lane = self.replay.lane_of(input, *partition).map(|lane| &self.replay.lanes[lane]);
            lane.is_none_or(|lane| lane.delivered < ends.stable)
        }))
    }
}
