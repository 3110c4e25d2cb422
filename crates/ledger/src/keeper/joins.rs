//! What a writer makes of a file that names more than the settings in force: it goes on with these,
//! learns the past for what joins beside that, and says JOIN once it is nearly level.

use std::sync::Arc;

use alluvium_flow::{Joins, News, Pipeline, Settings};

use super::{Halt, Keeper, Office, Trouble, past::Past, relearn::RelearnError};
use crate::log::{Log, LogError};

/// What joins, and how far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joining {
    /// Which models; or steps or fields, where no model joins.
    pub names: Vec<Arc<str>>,
    /// How many records of the past it has learned.
    pub read: u64,
    /// Of how many.
    pub of: u64,
}

/// What a writer knows of what joins.
#[derive(Debug, Default)]
pub(crate) struct JoinsKnown {
    /// What joins, or has joined last.
    names: Vec<Arc<str>>,
    /// Why it could not, when its past was learned.
    failed: Option<String>,
}

/// What has to be done about the file.
pub(super) enum Change {
    /// Nothing: it says what is in force.
    Nothing,
    /// A request is to be adopted that makes it so.
    Asked,
    /// The past is being learned.
    Joining,
    /// The past is learned as far as there is one, or nearly.
    Joins,
}

impl<L: Log> Keeper<L> {
    /// Learns the past for what joins, for half of a turn where the present has use for the rest.
    pub(super) fn learn_past(&mut self, is_busy: bool) -> Result<bool, Trouble> {
        let control = self.topic("control");
        let most = if is_busy { self.learn_records.div_ceil(2) } else { self.learn_records };
        let office = self.office.as_mut().expect("live means in office");
        let learned = office.replay.learn_past(&mut self.log, &control, most);
        learned.map_err(|error| office.unjoinable(error, &self.options.settings))
    }
}

impl Office {
    /// How many records a turn learns: what joins has its share.
    pub(super) fn share(&self, records: usize) -> usize {
        if self.replay.past.is_some() { records.div_ceil(2) } else { records }
    }

    /// What joins, until a manifest holds it.
    pub(super) fn joining(&self) -> Option<Joining> {
        let of = self.replay.pipeline.as_ref().map_or(0, |pipeline| pipeline.counters().read);
        match &self.replay.past {
            Some(past) => Some(Joining { names: past.names(), read: past.read(), of }),
            None if self.is_joined_unkept() => {
                Some(Joining { names: self.joins.names.clone(), read: of, of })
            }
            None => None,
        }
    }

    /// Something has joined: a manifest has to hold it, lest the past be learned once more.
    pub(super) fn note_join(&mut self, news: &[News]) {
        match news.last() {
            Some(News::Refused { why }) => self.joins.failed = Some(why.clone()),
            Some(News::Joined { names, .. }) => self.joins.names.clone_from(names),
            _ => {}
        }
        self.snapshots.want();
    }

    /// Whether something has joined, and no manifest holds it yet.
    pub(super) fn is_joined_unkept(&self) -> bool {
        self.replay.joined.is_some_and(|step| self.snapshots.newest_step() < step)
    }

    /// Compares the file with the settings in force.
    pub(super) fn change(
        &mut self,
        log: &mut dyn Log,
        control: &str,
        wanted: &Arc<Settings>,
        near: usize,
    ) -> Result<Change, Trouble> {
        let Some(pipeline) = &self.replay.pipeline else { return Ok(Change::Nothing) };
        let current = pipeline.settings().clone();
        let leads = |asked: &Arc<Settings>| Joins::lead_from(asked, wanted);
        if self.replay.fold.requests.iter().any(|(_, ask)| ask.settings().is_some_and(leads)) {
            return Ok(Change::Asked);
        }
        if current.learned == wanted.learned && current.kernel == wanted.kernel {
            self.replay.past = None;
            return Ok(Change::Nothing);
        }
        if !self.replay.past.as_ref().is_some_and(|past| past.is_for(&current, wanted)) {
            let joins = Joins::between(&current, wanted).map_err(Halt::Settings)?;
            let base = joins.adoptable(&current, wanted).map_err(Halt::Settings)?;
            if base.learned != current.learned || base.kernel != current.kernel {
                let unfit = match joins.unfit(wanted).map_err(Halt::Settings)? {
                    Some(why) => Some(why),
                    None => pipeline.could_adopt(&base).err(),
                };
                return Err(Halt::Changed { from: current, to: wanted.clone(), unfit }.into());
            }
            self.begin_past(log, control, &joins, (&current, wanted))?;
        }
        let read = self.replay.pipeline.as_ref().map_or(0, |one| one.counters().read);
        let (control, past) = (self.replay.fold.next, self.replay.past.as_mut());
        let is_near = past.is_some_and(|past| past.is_near(control, read, near as u64));
        // What is asked for acts first.
        let is_free = self.replay.fold.requests.is_empty();
        Ok(if is_near && is_free { Change::Joins } else { Change::Joining })
    }

    /// Begins to learn the past for what joins, if it may.
    fn begin_past(
        &mut self,
        log: &mut dyn Log,
        control: &str,
        joins: &Joins,
        (current, wanted): (&Arc<Settings>, &Arc<Settings>),
    ) -> Result<(), Trouble> {
        let halts = |unfit: String| {
            let (from, to) = (current.clone(), wanted.clone());
            Trouble::Halt(Halt::Changed { from, to, unfit: Some(unfit) })
        };
        let unfit = joins.unfit(wanted).map_err(Halt::Settings)?;
        if let Some(why) = unfit.or_else(|| self.joins.failed.clone()) {
            return Err(halts(why));
        }
        // A file whose other half is wrong must not wait for its past.
        Pipeline::build(wanted).map_err(|why| halts(why.to_string()))?;
        let ends_from = self.replay.fold.next;
        let without = &self.replay.without;
        let past = Past::begin(log, control, (current, wanted), ends_from, without);
        let past = past.map_err(|error| self.unjoinable(error, wanted))?;
        self.joins.names = past.names();
        self.replay.past = Some(Box::new(past));
        Ok(())
    }

    /// Why the past cannot be learned. As long as no JOIN was accepted that is a matter of the
    /// file, and what was learned so far stays as it is.
    fn unjoinable(&self, error: RelearnError, wanted: &Arc<Settings>) -> Trouble {
        let why = match error {
            RelearnError::Log(
                error
                @ (LogError::Damaged { .. } | LogError::Corrupt(_) | LogError::NoTopic { .. }),
            ) => error.to_string(),
            RelearnError::Log(error) => return error.into(),
            RelearnError::Halt(halt) if self.replay.awaits_past() => return halt.into(),
            RelearnError::Halt(Halt::Expired(why) | Halt::Settings(why)) => why,
            RelearnError::Halt(halt) => return halt.into(),
        };
        let Some(pipeline) = &self.replay.pipeline else { return Halt::Settings(why).into() };
        let (from, to) = (pipeline.settings().clone(), wanted.clone());
        let names = self.replay.past.as_ref().map_or_else(Vec::new, |past| past.names());
        let names = if names.is_empty() { self.joins.names.clone() } else { names };
        let unfit = format!("{} would learn the past first: {why}", names.join(", "));
        Halt::Changed { from, to, unfit: Some(unfit) }.into()
    }
}
