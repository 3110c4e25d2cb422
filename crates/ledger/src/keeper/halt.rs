//! Halts: why a keeper stops until somebody decides, and how it stops.
//!
//! What was released before is handed over first, so that whoever looks for the reason finds the
//! dead letters; and control is told, so that others find the halt when this process is gone. It
//! changes nothing of what is learned.

use std::{fmt, sync::Arc};

use alluvium_flow::{Headers, Settings};
use alluvium_learn::Time;

use super::{Keeper, Next, Office, Phase, has_passed};
use crate::{
    control::{At, Control, Frontier, Stopped, Unread},
    log::{Log, LogError, Outgoing, Ticket},
};

/// How long the log may refuse what a writer needs before that is taken for its last word, in
/// milliseconds: brokers that start know not everything at once.
const REFUSED_MS: Time = 20_000;

/// Refusals that lie so far apart have nothing to do with each other, in milliseconds.
const APART_MS: Time = 60_000;

/// How long a keeper that halts waits for what it has handed over, in milliseconds.
const HALT_MS: Time = 5_000;

/// Why the keeper stopped, until somebody decides.
#[derive(Clone, Debug, PartialEq)]
pub enum Halt {
    /// What is learned was changed in the file.
    Changed {
        /// The settings in force.
        from: Arc<Settings>,
        /// The settings in the file.
        to: Arc<Settings>,
        /// Why the state could not go on with them; `None`: it could, if somebody says so.
        unfit: Option<String>,
    },
    /// Too many records were refused.
    Refused {
        /// How many of the newest.
        refused: u64,
        /// Of how many.
        of: u64,
    },
    /// The log is not the one it was.
    LogChanged(String),
    /// What is needed to go on has expired.
    Expired(String),
    /// The next records of an input cannot be read: expired, or damaged.
    Unreadable {
        /// Which.
        unread: Unread,
        /// Why.
        why: String,
    },
    /// The log has not allowed it to go on for some time.
    Denied(String),
    /// The settings that control holds cannot be built by this release.
    Settings(String),
    /// A mistake of ours.
    Broken(String),
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Halt::Changed { .. } => write!(f, "what is learned was changed in the pipeline file"),
            Halt::Refused { refused, of } => {
                write!(f, "{refused} of the last {of} records were refused")
            }
            Halt::LogChanged(why) => write!(f, "the log is not the one it was: {why}"),
            Halt::Expired(why) => write!(f, "what is needed to go on has expired: {why}"),
            Halt::Unreadable { why, .. } => f.write_str(why),
            Halt::Denied(why) => f.write_str(why),
            Halt::Settings(why) => write!(f, "the settings in control cannot be used: {why}"),
            Halt::Broken(why) => write!(f, "a mistake of Alluvium's own: {why}"),
        }
    }
}

impl std::error::Error for Halt {}

impl Halt {
    /// One word for its kind, as control records it.
    pub fn kind(&self) -> &'static str {
        match self {
            Halt::Changed { .. } => "changed",
            Halt::Refused { .. } => "refused",
            Halt::LogChanged(_) => "log_changed",
            Halt::Expired(_) => "expired",
            Halt::Unreadable { .. } => "unreadable",
            Halt::Denied(_) => "denied",
            Halt::Settings(_) => "settings",
            Halt::Broken(_) => "broken",
        }
    }
}

/// A keeper that is about to halt.
pub(crate) struct Halting {
    halt: Halt,
    /// The record of control that says so.
    ticket: Ticket,
    is_said: bool,
    since: Time,
}

impl<L: Log> Keeper<L> {
    /// Halts; where there is an office, control is told first.
    pub(super) fn halt(&mut self, halt: Halt, now: Time) -> Result<Next, Halt> {
        let Some(office) = self.office.as_mut().filter(|office| office.term > 0) else {
            return self.halt_at_once(halt);
        };
        let ticket = office.say_halted(&halt, now);
        let halting = Halting { halt, ticket, is_said: false, since: now };
        self.phase = Phase::Halting(Box::new(halting));
        Ok(Next::Again)
    }

    /// The log says no: it is asked again for a while, and then no more.
    pub(super) fn refused(&mut self, error: LogError, now: Time) -> Result<Next, Halt> {
        let is_new = self.refused.is_none_or(|(_, last)| has_passed(last, now, APART_MS));
        let since = self.refused.filter(|_| !is_new).map_or(now, |(since, _)| since);
        self.refused = Some((since, now));
        if !has_passed(since, now, REFUSED_MS) {
            self.fail(error.to_string(), now);
            return Ok(Next::Wait);
        }
        let halt = match error {
            LogError::NoTopic { topic } => {
                Halt::LogChanged(format!("there is no topic {topic} any more"))
            }
            error => Halt::Denied(error.to_string()),
        };
        self.begin_another_session();
        self.halt(halt, now)
    }

    /// A session that was refused takes nothing more: control is told in another one.
    fn begin_another_session(&mut self) {
        let topic = self.topic("control");
        let Some(office) = &mut self.office else { return };
        let Ok(mut appender) = self.log.appender() else { return };
        if let Ok(route) = appender.route(&topic, 0) {
            (office.appender, office.control_route) = (appender, route);
        }
    }

    /// Halts without a word: the log is damaged, or was never written to.
    pub(super) fn halt_at_once(&mut self, halt: Halt) -> Result<Next, Halt> {
        self.step_down(halt.to_string());
        self.halted = Some(halt.clone());
        Err(halt)
    }

    /// Waits, for some time, for what was handed over.
    pub(super) fn go_on_halting(&mut self, now: Time) -> Result<Next, Halt> {
        let (Phase::Halting(halting), Some(office)) = (&mut self.phase, &mut self.office) else {
            return Ok(Next::Again);
        };
        // Whatever fails now: it halts all the same.
        let is_over = office.hand_over(halting).unwrap_or(true);
        if is_over || has_passed(halting.since, now, HALT_MS) {
            let halt = halting.halt.clone();
            return self.halt_at_once(halt);
        }
        Ok(Next::Wait)
    }
}

impl Office {
    fn say_halted(&mut self, halt: &Halt, now: Time) -> Ticket {
        let unread = match halt {
            Halt::Unreadable { unread, .. } => Some(unread.clone()),
            _ => None,
        };
        let (term, kind) = (self.term, halt.kind().to_string());
        let said = Stopped { term, time: now, kind, why: halt.to_string(), unread };
        let bytes = Control::Halted(said).encode();
        let headers = Headers::default();
        let record = Outgoing { time: now, key: None, value: Some(&bytes), headers };
        self.appender.submit(self.control_route, record)
    }

    /// Whether all of it is in the log.
    fn hand_over(&mut self, halting: &mut Halting) -> Result<bool, LogError> {
        let mut settled = Vec::new();
        let polled = self.appender.poll(&mut settled);
        for one in &settled {
            self.outputs.settle(one);
            halting.is_said |= one.route == self.control_route && one.ticket >= halting.ticket;
        }
        polled?;
        Ok(halting.is_said && self.outputs.all_acked())
    }
}

/// What has expired behind the newest cut.
pub(super) fn unread(frontier: &Frontier, position: u64, earliest: u64) -> Unread {
    let (input, partition) = (frontier.input.clone(), frontier.partition);
    let at = At { input, partition, offset: position };
    Unread { at, to: Some(earliest) }
}

/// A partition of an input, as people know it: by its topic too, where that has another name.
pub(super) fn place(input: &str, topic: &str, partition: u32) -> String {
    match input == topic {
        true => format!("{topic}:{partition}"),
        false => format!("{topic}:{partition} (input {input})"),
    }
}
