//! The newest outcomes.

use super::OUTCOMES_MAX;
use crate::{ConfigError, Outcome, Over, Reader, StateError, Time, Writer, ring::Ring};

/// The outcomes of the newest records, or of the newest stretch of time.
pub(super) struct Window {
    over: Over,
    outcomes: Ring<Outcome>,
    /// What the clock showed when each outcome came in; empty for a window of records.
    moments: Ring<Time>,
    /// The greatest time so far.
    clock: Time,
}

impl Window {
    pub(super) fn new(over: Over) -> Result<Window, ConfigError> {
        let most = match over {
            Over::Records(count) => count,
            Over::Time(_) => OUTCOMES_MAX,
        };
        if most > OUTCOMES_MAX {
            let must_be = format!("at most {OUTCOMES_MAX} records, or a time");
            return Err(ConfigError::new("over", over, &must_be));
        }
        // None at all is refused where the setting is read; one record is the smallest window.
        let most = most.max(1) as usize;
        let (outcomes, moments) = (Ring::new(most), Ring::new(most));
        Ok(Window { over, outcomes, moments, clock: Time::MIN })
    }

    /// The most outcomes it holds at once.
    pub(super) fn most(&self) -> usize {
        self.outcomes.most()
    }

    pub(super) fn len(&self) -> usize {
        self.outcomes.len()
    }

    /// The outcomes, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter()
    }

    /// Moves the clock; never back.
    pub(super) fn advance(&mut self, time: Time) {
        self.clock = self.clock.max(time);
    }

    /// The oldest outcome, if it has to leave: for its age, or to make room.
    pub(super) fn leaving(&mut self, needs_room: bool) -> Option<Outcome> {
        let is_old = match (self.over, self.moments.oldest()) {
            (Over::Time(span), Some(moment)) => self.clock.abs_diff(moment) >= span,
            _ => false,
        };
        if is_old || (needs_room && self.outcomes.is_full()) {
            self.moments.pop();
            self.outcomes.pop()
        } else {
            None
        }
    }

    /// Takes an outcome in, where there is room.
    pub(super) fn push(&mut self, outcome: Outcome) {
        self.outcomes.push(outcome);
        if let Over::Time(_) = self.over {
            self.moments.push(self.clock);
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.outcomes.heap_bytes() + self.moments.heap_bytes()
    }

    pub(super) fn save(&self, to: &mut Writer) {
        to.i64(self.clock);
        self.outcomes.save(to, Outcome::save);
        self.moments.save(to, |moment, to| to.i64(*moment));
    }

    pub(super) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        self.clock = from.i64()?;
        self.outcomes.restore(from, Outcome::BYTES, Outcome::read)?;
        self.moments.restore(from, 8, |from| from.i64())?;
        let moments = match self.over {
            Over::Records(_) => 0,
            Over::Time(_) => self.outcomes.len(),
        };
        if self.moments.len() == moments {
            Ok(())
        } else {
            Err(StateError::Unfit { what: "a window whose outcomes have no moments" })
        }
    }
}
