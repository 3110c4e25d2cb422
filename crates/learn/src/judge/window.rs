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

    pub(super) fn len(&self) -> usize {
        self.outcomes.len()
    }

    /// The outcomes in two parts, the older ones first.
    pub(super) fn parts(&self) -> [&[Outcome]; 2] {
        self.outcomes.parts()
    }

    /// Moves the clock, never back; what is too old leaves.
    pub(super) fn advance(&mut self, time: Time) {
        self.clock = self.clock.max(time);
        if let Over::Time(span) = self.over {
            while self.moments.oldest().is_some_and(|moment| self.clock.abs_diff(moment) >= span) {
                self.moments.pop();
                self.outcomes.pop();
            }
        }
    }

    /// Takes an outcome in that became known at that time.
    pub(super) fn push(&mut self, outcome: Outcome, time: Time) {
        self.advance(time);
        if self.outcomes.is_full() {
            self.moments.pop();
            self.outcomes.pop();
        }
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
