//! Learns again, from the beginning of the log, what control has accepted; to compare, and to see a
//! record as it was. The same code as a keeper's, without an office: nothing is written.

use alluvium_flow::{Batch, Effects, Gap, Pipeline, Run};

use super::{
    Halt, Joining, Pending, input_ends, learn::Learned, past::Lens, replay::Replay, unknown,
};
use crate::{
    control::{At, Body, Folded},
    log::{Log, LogError, Polled},
    read::Stretch,
};

/// The most records of control that are read ahead.
const PENDING_MAX: usize = 64;

/// How many bytes of records are read ahead, for each partition.
const BUFFER_BYTES: usize = 16 << 20;

/// What one turn of learning again did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relearned {
    /// So many steps were taken; more are to come.
    Some(u64),
    /// The log has delivered nothing for now.
    NotYet,
    /// Everything that was accepted is learned.
    Done,
}

/// Why it could not go on.
#[derive(Clone, Debug, PartialEq)]
pub enum RelearnError {
    /// The log is not the one it was, or no longer whole.
    Halt(Halt),
    /// The log failed.
    Log(LogError),
}

impl std::fmt::Display for RelearnError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RelearnError::Halt(halt) => halt.fmt(f),
            RelearnError::Log(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RelearnError {}

impl From<LogError> for RelearnError {
    fn from(error: LogError) -> RelearnError {
        RelearnError::Log(error)
    }
}

impl From<Halt> for RelearnError {
    fn from(halt: Halt) -> RelearnError {
        RelearnError::Halt(halt)
    }
}

/// A pipeline that learns again.
pub struct Relearn {
    pub(super) replay: Replay,
    /// The name of the control topic.
    topic: String,
    control: Stretch,
    batch: Batch,
}

impl Relearn {
    /// Begins at the beginning of a control topic; goes on to where it ends now.
    ///
    /// # Errors
    /// When the log fails, or the beginning of control has expired.
    pub fn new(log: &mut dyn Log, control: &str) -> Result<Relearn, RelearnError> {
        Relearn::from_the_beginning(log, control, None, Replay::default())
    }

    /// The same for what joins, and on as control grows.
    pub(super) fn through(
        log: &mut dyn Log,
        control: &str,
        (lens, without): (Lens, Vec<Gap>),
    ) -> Result<Relearn, RelearnError> {
        let replay = Replay::through(Some(lens), without);
        Relearn::from_the_beginning(log, control, Some(u64::MAX), replay)
    }

    /// Begins at the beginning, and goes on to an offset of control, as if some records had never
    /// come.
    pub(super) fn without(
        log: &mut dyn Log,
        control: &str,
        to: u64,
        without: Vec<Gap>,
    ) -> Result<Relearn, RelearnError> {
        Relearn::from_the_beginning(log, control, Some(to), Replay::through(None, without))
    }

    /// Goes on to an offset of control, or to where it ends now.
    fn from_the_beginning(
        log: &mut dyn Log,
        control: &str,
        to: Option<u64>,
        replay: Replay,
    ) -> Result<Relearn, RelearnError> {
        let ends = log.ends(control)?.map(|ends| ends.partitions[0]).unwrap_or_default();
        if ends.earliest > 0 {
            let why = format!("{control} begins at {}", ends.earliest);
            return Err(Halt::Expired(why).into());
        }
        let to = to.unwrap_or(ends.stable);
        let (topic, control) = (control.to_string(), Stretch::open(log, control, 0, 0, to)?);
        Ok(Relearn { replay, topic, control, batch: Batch::new() })
    }

    /// How many records of its past something has learned that joins here; `None`: nothing does.
    pub fn joining(&self) -> Option<Joining> {
        let past = self.replay.past.as_ref()?;
        let of = self.pipeline().map_or_else(|| past.read(), |pipeline| pipeline.counters().read);
        Some(Joining { names: past.names(), read: past.read(), of })
    }

    /// The pipeline as it is now, if settings were accepted.
    pub fn pipeline(&self) -> Option<&Pipeline> {
        self.replay.pipeline.as_ref()
    }

    /// Learns the next decision, or at most so many records. `watch` sees each run of records just
    /// before it is learned, and says how many of them may be learned before it wants to see the
    /// rest.
    ///
    /// # Errors
    /// When the log fails, is not the one it was, or is no longer whole.
    pub fn turn(
        &mut self,
        log: &mut dyn Log,
        most: usize,
        effects: &mut Effects,
        watch: &mut dyn FnMut(&mut Pipeline, &Run<'_>) -> usize,
    ) -> Result<Relearned, RelearnError> {
        effects.clear();
        let read = self.read_control()?;
        if self.replay.pending.is_empty() {
            return Ok(if read.is_none() { Relearned::Done } else { Relearned::NotYet });
        }
        let steps = self.pipeline().map_or(0, Pipeline::steps);
        if self.replay.learn(most, effects, watch)? == Learned::NotYet {
            if self.replay.lens.is_none() && self.replay.awaits_past() {
                let any = self.replay.learn_past(log, &self.topic, most)?;
                return Ok(if any { Relearned::Some(0) } else { Relearned::NotYet });
            }
            let fetched = self.fetch(log)?;
            if !fetched {
                if let Some(error) = self.needs_unreadable() {
                    return Err(unreadable(error.clone()));
                }
                // A writer in office sees to that itself.
                if self.replay.lens.is_none() {
                    self.must_come(log)?;
                }
                return Ok(Relearned::NotYet);
            }
        }
        self.replay.recycle();
        Ok(Relearned::Some(self.pipeline().map_or(0, Pipeline::steps) - steps))
    }

    /// Why the cut that is being learned cannot be learned to its end.
    fn needs_unreadable(&self) -> Option<&LogError> {
        let Body::Cut { ends, .. } = &self.replay.pending.front()?.accepted.body else {
            return None;
        };
        ends.iter().find_map(|At { input, partition, offset }| {
            let lane = &self.replay.lanes[self.replay.lane_of(input, *partition)?];
            lane.stuck().filter(|_| lane.delivered < *offset)
        })
    }

    fn fetch(&mut self, log: &mut dyn Log) -> Result<bool, RelearnError> {
        self.replay.fetch(log, BUFFER_BYTES).map_err(unreadable)
    }

    /// Reads control on, if little of it is pending. `None`: it was read to its end.
    fn read_control(&mut self) -> Result<Option<Polled>, RelearnError> {
        if self.replay.pending.len() >= PENDING_MAX {
            return Ok(Some(Polled::Nothing));
        }
        let polled = self.control.read(&mut self.batch)?;
        for record in self.batch.iter().filter(|_| polled == Some(Polled::Records)) {
            match self.replay.fold.fold(record.offset, record.value.unwrap_or_default()) {
                Folded::Nothing => {}
                Folded::Unknown => return Err(unknown(record.offset).into()),
                Folded::Gap { found, expected } => {
                    let why = format!(
                        "control:{} has number {found} where {expected} had to follow",
                        record.offset
                    );
                    return Err(Halt::LogChanged(why).into());
                }
                Folded::Accepted(accepted) => {
                    self.replay.pending.push_back(Pending::new(*accepted, None));
                }
            }
        }
        Ok(polled)
    }

    /// Nothing came: what was accepted must be there all the same.
    fn must_come(&mut self, log: &mut dyn Log) -> Result<(), RelearnError> {
        let (Some(pipeline), Some(front)) = (self.pipeline(), self.replay.pending.front()) else {
            return Ok(());
        };
        let Body::Cut { ends, .. } = &front.accepted.body else { return Ok(()) };
        let known = input_ends(log, pipeline)?;
        for At { input, partition, offset } in ends {
            let is_named = pipeline.inputs().iter().any(|found| found.name == *input);
            if !is_named {
                continue;
            }
            let stable = known.get(&(input.clone(), *partition)).map_or(0, |ends| ends.stable);
            if *offset > stable {
                let why = format!(
                    "{input}:{partition} ends at {stable}, but was cut up to {offset}: it lost \
                     records"
                );
                return Err(Halt::LogChanged(why).into());
            }
        }
        Ok(())
    }
}

fn unreadable(error: LogError) -> RelearnError {
    match error {
        LogError::OutOfRange { offset, ends, .. } if offset < ends.earliest => {
            Halt::Expired(error.to_string()).into()
        }
        LogError::OutOfRange { .. } => Halt::LogChanged(error.to_string()).into(),
        error => RelearnError::Log(error),
    }
}
