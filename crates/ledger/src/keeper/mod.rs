//! Drives a pipeline over a log: opens a term, recovers, writes cuts, learns what is accepted,
//! releases outputs once, and writes manifests.
//!
//! One [`Keeper::turn`] does a bounded piece of work and never blocks; there is no thread and no
//! clock here. The same keeper runs over the embedded log, over Kafka and, two or three against
//! each other, over the simulator's virtual log.

mod halt;
mod joins;
mod lane;
mod learn;
mod live;
mod output;
mod past;
mod recover;
mod relearn;
mod replay;
mod silence;
mod snapshot;
mod told;
mod topics;

use std::{collections::BTreeMap, sync::Arc};

use alluvium_flow::{Batch, Decision, Effects, News, Pipeline, Settings};
use alluvium_learn::Time;

pub use self::{
    halt::Halt,
    joins::Joining,
    relearn::{Relearn, RelearnError, Relearned},
};
use self::{
    halt::Halting, joins::JoinsKnown, lane::Lane, live::InFlight, output::Outputs,
    recover::Recovery, replay::Replay, silence::Silence, snapshot::Snapshots, told::Told,
};
use crate::{
    control::{Accepted, At, Body, Origin},
    log::{Appender, Log, LogError, RecordReader, Settled},
};

/// How a keeper works: plumbing, no part of what is learned.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the pipeline's own topics begin with: `electricity.`.
    pub prefix: String,
    /// Who this is, for people who read control.
    pub by: String,
    /// What the pipeline file says.
    pub settings: Arc<Settings>,
    /// Go on for ever; otherwise stop at the ends seen at the start.
    pub follow: bool,
    /// The most records in one cut while catching up.
    pub cut_records_max: usize,
    /// A manifest at the latest after so many steps.
    pub snapshot_steps: u64,
    /// A manifest at the latest after so much time, in milliseconds.
    pub snapshot_ms: i64,
    /// How many bytes of records are read ahead, for each partition; more than sixteen share what
    /// sixteen would have.
    pub buffer_bytes: usize,
    /// How many bytes of outputs may wait for their acknowledgement before learning waits as well.
    pub waiting_bytes: usize,
    /// The least time between two cuts of what arrives, in milliseconds. Control grows with every
    /// cut, and each is an append that must be durable.
    pub cut_ms: i64,
    /// How long to wait after a failure before a term is opened again, in milliseconds. Each time
    /// twice as long, up to fifty times, until there is a manifest again.
    pub retry_ms: i64,
    /// Say that time has passed after so much silence, in milliseconds, where something waits for
    /// it; `None`, or without `follow`: never.
    pub tick_ms: Option<i64>,
    /// The share of refused records among the newest ones beyond which no more order is written.
    pub refused_share_max: f64,
}

/// What the world says at a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signals {
    /// Whether the lease is believed to be held.
    pub lease: bool,
    /// Finish: learn what was accepted, write a manifest, stop.
    pub stop: bool,
}

/// What to do after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// There is more to do: turn again at once.
    Again,
    /// Nothing to do for now: turn again in a millisecond or so.
    Wait,
    /// Somebody else has the lease.
    Standby,
    /// All is learned, released and kept; or nothing was learned yet, and it was asked to finish.
    Done,
    /// It was asked to finish, and the log takes nothing: what is in the log already is safe, and
    /// what was not kept will be learned again.
    GivenUp,
}

/// Why a turn ended early.
#[derive(Debug)]
pub(crate) enum Trouble {
    Halt(Halt),
    Log(LogError),
    StepDown(&'static str),
}

impl From<LogError> for Trouble {
    fn from(error: LogError) -> Trouble {
        Trouble::Log(error)
    }
}

impl From<Halt> for Trouble {
    fn from(halt: Halt) -> Trouble {
        Trouble::Halt(halt)
    }
}

/// Where the keeper stands.
enum Phase {
    Standby,
    Recovering(Box<Recovery>),
    Live,
    Halting(Box<Halting>),
}

/// An accepted record on its way to being learned.
pub(crate) struct Pending {
    accepted: Accepted,
    /// For a cut of our own: the digests at its ends, and the acknowledged ends of the outputs when
    /// it was submitted.
    own: Option<Box<InFlight>>,
    started: bool,
    /// Whether it changes what is read. Until it is learned to its end nothing is planned: other
    /// settings make new decoders, records are passed over, and what was read ahead is read again.
    changes: bool,
}

impl Pending {
    fn new(accepted: Accepted, own: Option<Box<InFlight>>) -> Pending {
        let changes = matches!(accepted.body, Body::Settings(_) | Body::Join(_) | Body::Born(_))
            || accepted.adopts.iter().any(|(_, ask)| changes_reading(ask));
        Pending { accepted, own, started: false, changes }
    }
}

/// Whether a decision changes what is read. It acts between two cuts, never at the beginning of one
/// that was planned without it.
pub(crate) fn changes_reading(ask: &Decision) -> bool {
    ask.settings().is_some() || matches!(ask, Decision::Skip(_))
}

/// Everything a writer holds in office; dropped when it steps down.
pub(crate) struct Office {
    appender: Box<dyn Appender>,
    settled: Vec<Settled>,
    control_route: crate::log::Route,
    term: u64,
    /// Control and the inputs, on their way to the learner.
    replay: Replay,
    control: Option<Box<dyn RecordReader>>,
    in_flight: Option<InFlight>,
    outputs: Outputs,
    snapshots: Snapshots,
    batch: Batch,
    /// The ends seen at the start; without `follow` the keeper is done there.
    goal: Option<Vec<At>>,
    /// Whether it ends where the inputs do, and has not yet seen to it that this is published.
    closes: bool,
    /// Whether all that was seen at the start is in accepted cuts: it stays so.
    goal_reached: bool,
    /// When something last happened, for TICKs.
    last_activity: Time,
    /// How long no record has come.
    silence: Silence,
    /// When new partitions were last looked for.
    last_look: Time,
    /// When what had arrived was last cut.
    last_cut: Option<Time>,
    /// Each input topic's identity.
    topics: BTreeMap<String, u128>,
    /// The newest step of which an output was found: up to there everything was learned before.
    known_step: u64,
    /// What was counted at that step, once it is reached.
    known: Option<Counted>,
    /// What joins, and what became of it.
    joins: JoinsKnown,
}

/// A pipeline in step with a log.
pub struct Keeper<L: Log> {
    options: Options,
    log: L,
    phase: Phase,
    office: Option<Box<Office>>,
    effects: Effects,
    /// Why the keeper last stepped down or waited, for people.
    waiting: Option<String>,
    news: Vec<News>,
    told: Told,
    halted: Option<Halt>,
    /// Since when it is asked to finish.
    stop_since: Option<Time>,
    learn_records: usize,
    /// When the newest failure was, if it is still waited for.
    failed_at: Option<Time>,
    /// How many failures there were since the newest manifest.
    failures: u32,
    /// Since when, and when last, the log has refused what a writer needs.
    refused: Option<(Time, Time)>,
    /// What a pipeline without a beginning begins as.
    origin: Option<Box<Origin>>,
}

/// How far a keeper is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Steps taken since the beginning of the pipeline.
    pub step: u64,
    /// Records between the learned position and the ends known, by offsets.
    pub lag: u64,
    /// The term, if in office.
    pub term: Option<u64>,
    /// What it waits for.
    pub waiting: Option<String>,
    /// Whether everything delivered so far is learned and released.
    pub is_level: bool,
    /// What was counted where that ended which was learned, and answered, before this term: beyond
    /// is what this writer has learned. `None` for as long as it learns that again. Where answers
    /// are not written, what was learned since the newest manifest cannot be told from what is new.
    pub known: Option<Counted>,
    /// What joins, until a manifest holds it.
    pub joining: Option<Joining>,
}

/// The counts a run is told by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Records read.
    pub read: u64,
    /// Records learned.
    pub learned: u64,
    /// Records refused.
    pub refused: u64,
}

impl<L: Log> Keeper<L> {
    /// A keeper that stands by.
    pub fn new(log: L, options: Options) -> Keeper<L> {
        Keeper {
            options,
            log,
            phase: Phase::Standby,
            office: None,
            effects: Effects::default(),
            waiting: None,
            news: Vec::new(),
            told: Told::default(),
            halted: None,
            stop_since: None,
            learn_records: live::LEARN_RECORDS,
            failed_at: None,
            failures: 0,
            refused: None,
            origin: None,
        }
    }

    /// A pipeline that has not begun yet begins as another would be, had some records never come.
    pub fn begin_from(&mut self, origin: Origin) {
        self.origin = Some(Box::new(origin));
    }

    /// Sets how many records a turn learns at most, which bounds how long it takes. Range: 1 or
    /// more. Default: 16,384.
    pub fn bound_turns(&mut self, records: usize) {
        self.learn_records = records.max(1);
    }

    /// Nothing more will come: from now on it works without `follow`, up to where the inputs end
    /// when this is seen, and publishes what it then has.
    pub fn close(&mut self) {
        self.options.follow = false;
        if let Some(office) = &mut self.office {
            (office.goal, office.closes) = (None, true);
        }
    }

    /// Does a bounded piece of work.
    ///
    /// # Errors
    /// A [`Halt`]: nothing will move until somebody decides. Every later turn says the same.
    pub fn turn(&mut self, now: Time, signals: Signals) -> Result<Next, Halt> {
        if let Some(halt) = &self.halted {
            return Err(halt.clone());
        }
        if let Phase::Halting(_) = self.phase {
            return self.go_on_halting(now);
        }
        if !signals.lease {
            if self.office.is_some() || !matches!(self.phase, Phase::Standby) {
                self.step_down("another process holds the lease".into());
            }
            return Ok(Next::Standby);
        }
        self.stop_since = signals.stop.then(|| self.stop_since.unwrap_or(now));
        if signals.stop && !matches!(self.phase, Phase::Live) {
            let has_failed = self.failed_at.is_some();
            self.step_down("asked to finish".into());
            return Ok(if has_failed { Next::GivenUp } else { Next::Done });
        }
        let result = match std::mem::replace(&mut self.phase, Phase::Standby) {
            Phase::Standby if self.must_wait(now) => Ok(Next::Wait),
            Phase::Standby => self.begin(now),
            Phase::Recovering(recovery) => self.recover(recovery),
            phase @ (Phase::Live | Phase::Halting(_)) => {
                self.phase = phase;
                self.live(now, signals)
            }
        };
        match result {
            Ok(next) => {
                if next == Next::Again {
                    self.waiting = None;
                }
                Ok(next)
            }
            Err(Trouble::Halt(halt)) => self.halt(halt, now),
            // Neither mends itself, and to try again would say so to nobody.
            Err(Trouble::Log(error @ (LogError::Corrupt(_) | LogError::Damaged { .. }))) => {
                self.halt(Halt::LogChanged(error.to_string()), now)
            }
            Err(Trouble::Log(error @ LogError::TooLarge { .. })) => {
                self.halt_at_once(Halt::Broken(error.to_string()))
            }
            Err(Trouble::Log(error @ (LogError::Denied(_) | LogError::NoTopic { .. }))) => {
                self.refused(error, now)
            }
            Err(Trouble::StepDown(why)) => {
                self.fail(why.into(), now);
                Ok(Next::Wait)
            }
            Err(Trouble::Log(error)) => {
                self.fail(error.to_string(), now);
                Ok(Next::Wait)
            }
        }
    }

    /// Steps down, to try again later: every attempt leaves a TERM in control, and reads again what
    /// recovery reads.
    fn fail(&mut self, why: String, now: Time) {
        self.step_down(why);
        (self.failed_at, self.failures) = (Some(now), self.failures.saturating_add(1));
    }

    /// Whether the newest failure is too fresh for another attempt.
    fn must_wait(&mut self, now: Time) -> bool {
        let doubled = 1_i64 << self.failures.saturating_sub(1).min(16);
        let wait = self.options.retry_ms.saturating_mul(doubled.min(RETRIES_MAX));
        self.failed_at = self.failed_at.filter(|failed_at| !has_passed(*failed_at, now, wait));
        self.failed_at.is_some()
    }

    /// The pipeline as it is now, if there is one.
    pub fn pipeline(&self) -> Option<&Pipeline> {
        self.office.as_ref()?.replay.pipeline.as_ref()
    }

    /// Takes the news since the last call. None comes twice: what is learned again after a failure
    /// is news no more.
    pub fn take_news(&mut self, into: &mut Vec<News>) {
        into.append(&mut self.news);
    }

    /// The log, to ask it something beside the keeper's work.
    pub fn log(&mut self) -> &mut L {
        &mut self.log
    }

    /// How far the keeper is.
    pub fn progress(&self) -> Progress {
        let Some(office) = &self.office else {
            return Progress { waiting: self.waiting.clone(), ..Progress::default() };
        };
        let end = |lane: &Lane| {
            let names = |at: &&At| at.input == lane.name && at.partition == lane.partition;
            let goal = office.goal.as_ref().filter(|_| !office.goal_reached);
            let goal = goal.and_then(|goal| goal.iter().find(names));
            goal.map_or(lane.delivered, |at| at.offset).max(lane.delivered)
        };
        let lag = |lane: &Lane| end(lane).saturating_sub(lane.learned.position);
        Progress {
            step: office.replay.pipeline.as_ref().map_or(0, Pipeline::steps),
            lag: office.replay.lanes.iter().map(lag).sum(),
            term: Some(office.term),
            waiting: self.waiting.clone(),
            is_level: matches!(self.phase, Phase::Live)
                && office.replay.pending.is_empty()
                && office.in_flight.is_none()
                && office.replay.lanes.iter().all(|lane| lane.learned.position >= lane.delivered),
            known: office.known,
            joining: office.joining(),
        }
    }

    /// Gives everything up but the settings: what was learned since the last manifest will be
    /// learned again from the log, to the same bytes.
    fn step_down(&mut self, why: String) {
        self.office = None;
        self.phase = Phase::Standby;
        self.waiting = Some(why);
    }

    /// The name of one of the pipeline's own topics.
    fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.options.prefix)
    }
}

/// How many times its first delay an attempt waits at most.
const RETRIES_MAX: i64 = 50;

/// Whether so much time has passed since then. If the clock was set back it has: nothing may wait
/// until the clock has come round again.
pub(crate) fn has_passed(since: Time, now: Time, span: Time) -> bool {
    now < since || now.saturating_sub(since) >= span
}

/// A record of control that counts, and that only a later release can read.
pub(crate) fn unknown(offset: u64) -> Halt {
    let why = format!("control:{offset} was written by a later release of alluvium");
    Halt::Settings(why)
}

/// Positions by input and partition, for manifests and goals.
pub(crate) fn positions(lanes: &[Lane]) -> Vec<At> {
    let mut positions: Vec<At> = lanes
        .iter()
        .filter(|lane| lane.named)
        .map(|lane| At {
            input: lane.name.clone(),
            partition: lane.partition,
            offset: lane.learned.position,
        })
        .collect();
    positions.sort();
    positions
}

/// The stable ends of every partition of every input, from whoever leads them, and where they
/// begin.
pub(crate) fn input_ends(
    log: &mut dyn Log,
    pipeline: &Pipeline,
) -> Result<BTreeMap<(Arc<str>, u32), crate::log::PartitionEnds>, LogError> {
    let mut all = BTreeMap::new();
    for input in pipeline.inputs() {
        let ends = log.ends(&input.topic)?;
        let ends = ends.ok_or_else(|| LogError::NoTopic { topic: input.topic.to_string() })?;
        for (partition, ends) in ends.partitions.into_iter().enumerate() {
            all.insert((input.name.clone(), partition as u32), ends);
        }
    }
    Ok(all)
}
