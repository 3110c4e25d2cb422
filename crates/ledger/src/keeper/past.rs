//! Learns the past for what joins: the same cuts again, from the beginning, for that alone.
//!
//! What joins has at its place in control the state it would have there, had it been part of the
//! pipeline all along. So joining is a function of the log, like all else: whoever comes by the
//! place without that state learns the past again.

use std::sync::Arc;

use alluvium_flow::{Decision, Effects, Gap, Input, Joins, Pipeline, Sections, Settings};

use super::{
    Halt,
    relearn::{Relearn, RelearnError, Relearned},
    replay::Replay,
};
use crate::{
    bugs::{Bug, planted},
    control::{Accepted, Body, Origin},
    log::Log,
};

/// Records learned in one go.
const RUN_RECORDS: usize = 2048;

/// A past that is being learned.
pub(crate) struct Past {
    relearn: Relearn,
    effects: Effects,
    whose: Whose,
    /// Whether all of it is learned that there is.
    is_over: bool,
    /// An offset of control up to which all must be learned before a JOIN may be written.
    goal: u64,
}

/// Whose past it is.
enum Whose {
    /// That of what joins: the settings that it is not part of yet, and those that it is part of.
    Joins { from: Arc<Settings>, to: Arc<Settings> },
    /// That of what is born of another pipeline.
    Born(Box<Origin>),
}

/// How control looks to what joins: settings name it all along.
pub(super) struct Lens {
    joins: Joins,
    to: Arc<Settings>,
    /// The settings in force, without what joins.
    base: Arc<Settings>,
    /// The first JOIN from this control offset on is where the past ends.
    ends_from: u64,
}

impl Past {
    /// Begins at the beginning; the past ends with the first JOIN from an offset of control on.
    pub(super) fn begin(
        log: &mut dyn Log,
        control: &str,
        (from, to): (&Arc<Settings>, &Arc<Settings>),
        ends_from: u64,
        without: &[Gap],
    ) -> Result<Past, RelearnError> {
        let joins = Joins::between(from, to).map_err(Halt::Settings)?;
        let lens = Lens { joins, to: to.clone(), base: from.clone(), ends_from };
        let relearn = Relearn::through(log, control, (lens, without.to_vec()))?;
        let whose = Whose::Joins { from: from.clone(), to: to.clone() };
        Ok(Past { relearn, effects: Effects::default(), whose, is_over: false, goal: ends_from })
    }

    /// Begins at the beginning of the pipeline that another is born of.
    fn of_origin(
        log: &mut dyn Log,
        origin: &Origin,
        without: &[Gap],
    ) -> Result<Past, RelearnError> {
        let without = [&origin.without, without].concat();
        let control = format!("{}control", origin.of);
        let relearn = Relearn::without(log, &control, origin.upto, without)?;
        let whose = Whose::Born(Box::new(origin.clone()));
        Ok(Past { relearn, effects: Effects::default(), whose, is_over: false, goal: origin.upto })
    }

    /// Whether it is for those who go from these settings to those.
    pub(super) fn is_for(&self, from: &Arc<Settings>, to: &Arc<Settings>) -> bool {
        let is_same = |a: &Arc<Settings>, b: &Arc<Settings>| Arc::ptr_eq(a, b) || a == b;
        match &self.whose {
            Whose::Joins { from: own, to: then } => is_same(then, to) && is_same(own, from),
            Whose::Born(_) => false,
        }
    }

    fn is_of(&self, origin: &Origin) -> bool {
        matches!(&self.whose, Whose::Born(own) if **own == *origin)
    }

    /// Learns at most about so many records. Says whether anything was done.
    pub(super) fn turn(&mut self, log: &mut dyn Log, most: usize) -> Result<bool, RelearnError> {
        let (mut left, mut any) = (most, false);
        while left > 0 && !self.relearn.replay.is_past() {
            let most = left.min(RUN_RECORDS);
            match self.relearn.turn(log, most, &mut self.effects, &mut |_, _| usize::MAX)? {
                Relearned::Some(steps) => {
                    left -= left.min(steps.max(1) as usize);
                    any = true;
                }
                Relearned::NotYet => break,
                Relearned::Done => {
                    self.is_over = true;
                    break;
                }
            }
        }
        Ok(any)
    }

    /// Whether all of the past is learned, up to a JOIN.
    pub(super) fn stands_at(&self, offset: u64) -> bool {
        let replay = &self.relearn.replay;
        replay.is_past() && replay.pending.front().is_some_and(|it| it.accepted.offset == offset)
    }

    /// Whether it is so near to the present that a JOIN may be written: what is left has come a
    /// moment ago, so it is there to be learned, and nobody has to wait for it long.
    pub(super) fn is_near(&mut self, control: u64, read: u64, near: u64) -> bool {
        let Replay { fold, pending, .. } = &self.relearn.replay;
        let is_left = pending.front().is_some_and(|left| left.accepted.offset < self.goal);
        if fold.next < self.goal || is_left {
            return false;
        }
        self.goal = control;
        self.read().saturating_add(near) >= read
    }

    /// How many records of the past are learned.
    pub(super) fn read(&self) -> u64 {
        self.relearn.pipeline().map_or(0, |pipeline| pipeline.counters().read)
    }

    /// What joins, for people; or the pipeline that it is the past of.
    pub(super) fn names(&self) -> Vec<Arc<str>> {
        if let Whose::Born(origin) = &self.whose {
            return vec![origin.of.trim_end_matches('.').into()];
        }
        self.relearn.replay.lens.as_ref().map_or_else(Vec::new, |lens| lens.joins.names())
    }

    fn sections(&self) -> Sections {
        self.relearn.pipeline().map(Pipeline::save).unwrap_or_default()
    }
}

impl Lens {
    /// The settings in force as what joins sees them.
    fn alone(&self) -> Result<Arc<Settings>, Halt> {
        self.joins.alone(&self.base, &self.to).map_err(Halt::Settings)
    }
}

impl Replay {
    /// Whether the JOIN is next at which the past ends that is learned here.
    pub(super) fn is_past(&self) -> bool {
        self.pending.front().is_some_and(|front| self.ends_at(&front.accepted))
    }

    /// Whether it is this JOIN at which the past ends that is learned here.
    pub(super) fn ends_at(&self, next: &Accepted) -> bool {
        matches!(next.body, Body::Join(_))
            && next.adopts.is_empty()
            && self.lens.as_ref().is_some_and(|lens| next.offset >= lens.ends_from)
    }

    /// The JOIN that is next, if there is one and all before it is learned: its offset, the
    /// settings in force, and those it brings.
    pub(super) fn next_join(&self) -> Option<(u64, Arc<Settings>, Arc<Settings>)> {
        let front = &self.pending.front()?.accepted;
        match &front.body {
            Body::Join(to) if front.adopts.is_empty() => {
                Some((front.offset, self.pipeline.as_ref()?.settings().clone(), to.clone()))
            }
            _ => None,
        }
    }

    /// The origin that is next.
    fn next_birth(&self) -> Option<&Origin> {
        match &self.pending.front()?.accepted.body {
            Body::Born(origin) => Some(origin),
            _ => None,
        }
    }

    /// Whether what is next needs a past.
    pub(super) fn awaits_past(&self) -> bool {
        self.next_join().is_some() || self.next_birth().is_some()
    }

    /// Becomes what another pipeline would be, once that past is learned. Says whether it was done.
    pub(super) fn be_born(&mut self, offset: u64, effects: &mut Effects) -> bool {
        let is_over = |past: &mut Box<Past>| {
            matches!(past.whose, Whose::Born(_))
                && past.is_over
                && past.relearn.pipeline().is_some()
        };
        let Some(past) = self.past.take_if(is_over) else { return false };
        let Replay { pipeline, lanes, learned_chains, .. } = past.relearn.replay;
        (self.pipeline, self.lanes, self.learned_chains) = (pipeline, lanes, learned_chains);
        self.renew_decoders();
        self.step(offset, Input::Born, effects);
        self.joined = self.pipeline.as_ref().map(Pipeline::steps);
        true
    }

    /// Learns the past for the JOIN that is next, if there is one. Says whether anything was done.
    pub(super) fn learn_past(
        &mut self,
        log: &mut dyn Log,
        control: &str,
        most: usize,
    ) -> Result<bool, RelearnError> {
        if let Some((offset, from, to)) = self.next_join()
            && !self.past.as_ref().is_some_and(|past| past.is_for(&from, &to))
        {
            let past = Past::begin(log, control, (&from, &to), offset, &self.without)?;
            self.past = Some(Box::new(past));
        }
        if let Some(origin) = self.next_birth()
            && !self.past.as_ref().is_some_and(|past| past.is_of(origin))
        {
            self.past = Some(Box::new(Past::of_origin(log, origin, &self.without)?));
        }
        match &mut self.past {
            Some(past) => past.turn(log, most),
            None => Ok(false),
        }
    }

    /// Takes in what joins, if its past is learned to there. Says whether that was done.
    pub(super) fn join(&mut self, offset: u64, to: &Arc<Settings>, effects: &mut Effects) -> bool {
        let stands = |past: &mut Box<Past>| past.stands_at(offset) || planted(Bug::JoinsEarly);
        let Some(past) = self.past.take_if(stands) else { return false };
        let sections = past.sections();
        self.step(offset, Input::Join { settings: to, past: &sections }, effects);
        self.renew_decoders();
        self.joined = self.pipeline.as_ref().map(Pipeline::steps);
        true
    }

    /// Takes other settings in force, as what joins sees them. What the others could not take it
    /// does not take either.
    pub(super) fn settle_alone(
        &mut self,
        offset: u64,
        settings: &Arc<Settings>,
        effects: &mut Effects,
    ) -> Result<(), Halt> {
        let Some(lens) = &mut self.lens else { return Ok(()) };
        let is_first = self.pipeline.is_none();
        lens.base = settings.clone();
        let alone = lens.alone()?;
        if is_first {
            let built = Pipeline::build(&alone).map_err(|why| Halt::Settings(why.to_string()))?;
            self.pipeline = Some(built);
        } else {
            let decision = Decision::Adopt { settings: alone.clone() };
            self.step(offset, Input::Decided(&decision), effects);
            if self.pipeline.as_ref().is_some_and(|pipeline| *pipeline.settings() != alone) {
                let why =
                    format!("what joins could not go on with the settings of control:{offset}");
                return Err(Halt::Settings(why));
            }
        }
        self.renew_decoders();
        Ok(())
    }

    /// The settings with which the others went on by a decision, as far as that can be told.
    pub(super) fn adopted(&self, decision: &Decision) -> Option<Arc<Settings>> {
        let others = Pipeline::build(&self.lens.as_ref()?.base).ok()?;
        let could = match decision {
            Decision::Adopt { settings } => others.could_adopt(settings),
            Decision::Begin { settings } => others.could_begin(settings),
            _ => return None,
        };
        decision.settings().filter(|_| could.is_ok()).cloned()
    }

    /// The settings in force with another half that says how it runs.
    pub(super) fn running_as(&self, settings: &Settings) -> Option<Arc<Settings>> {
        let base = &self.lens.as_ref()?.base;
        let (kernel, learned) = (base.kernel, base.learned.clone());
        Some(Arc::new(Settings { kernel, learned, runs: settings.runs.clone() }))
    }
}
