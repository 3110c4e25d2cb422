//! Learns what control has accepted, in its order, and nothing else.

use alluvium_flow::{Chain, Decision, Effects, Input, Pipeline, Run, order};

use super::{
    Counted, Halt, Keeper, Office, Pending, Trouble,
    lane::{Head, Lane},
    replay::Replay,
};
use crate::{
    bugs::{Bug, planted},
    control::{At, Body},
    log::Log,
};

/// Records learned before outputs are handed over: bounds the buffers of effects.
const RUN_RECORDS: usize = 2048;

/// What became of an attempt to learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Learned {
    /// So many records, or a decision.
    Some(usize),
    /// The record of control is learned to its end.
    Finished,
    /// The log has not delivered what comes next.
    NotYet,
}

impl<L: Log> Keeper<L> {
    /// Learns up to about so many records. Says whether anything was done.
    pub(super) fn learn(&mut self, now: i64, budget: usize) -> Result<bool, Trouble> {
        let Keeper { office, effects, news, told, options, .. } = self;
        let office = office.as_mut().expect("only an office learns");
        let (mut left, mut any) = (budget, false);
        office.count_known();
        while left > 0 && !office.replay.pending.is_empty() {
            // What nobody has taken yet must not pile up.
            if office.outputs.waiting_bytes() >= options.waiting_bytes {
                break;
            }
            effects.clear();
            effects.term = office.term;
            effects.refused_share_max = Some(options.refused_share_max);
            office.start();
            let most = left.min(RUN_RECORDS).min(office.steps_known_ahead());
            let learned = office.replay.learn(most, effects, &mut unwatched)?;
            office.outputs.release(office.appender.as_mut(), effects, now);
            let steps = office.replay.pipeline.as_ref().map_or(0, Pipeline::steps);
            if office.replay.joined == Some(steps) {
                office.note_join(&effects.news);
            }
            told.take(steps, &mut effects.news, news);
            // What was learned up to here stays; what comes next has to be decided by somebody.
            let pipeline = office.replay.pipeline.as_ref();
            let beyond = pipeline.and_then(|one| one.refused_beyond(options.refused_share_max));
            if let Some((refused, of)) = beyond {
                return Err(Halt::Refused { refused, of }.into());
            }
            match learned {
                Learned::Some(records) => {
                    left -= records.min(left);
                    any = true;
                }
                Learned::Finished => any = true,
                Learned::NotYet => break,
            }
            office.replay.recycle();
            office.count_known();
            // A manifest can be taken between two records of control alone: when one is due, the
            // next must not be begun first.
            let steps = office.replay.pipeline.as_ref().map_or(0, Pipeline::steps);
            if learned == Learned::Finished && office.snapshots.waits(steps, now, options) {
                break;
            }
        }
        Ok(any)
    }
}

impl Office {
    /// How many steps lie ahead that were taken before this term, and released; if none, any
    /// number: only what lies on either side of that place is told apart.
    fn steps_known_ahead(&self) -> usize {
        let steps = self.replay.pipeline.as_ref().map_or(0, Pipeline::steps);
        match self.known_step.checked_sub(steps) {
            None | Some(0) => usize::MAX,
            Some(ahead) => usize::try_from(ahead).unwrap_or(usize::MAX),
        }
    }

    /// Remembers what was counted where that ends which others have learned.
    fn count_known(&mut self) {
        if let Some(pipeline) = &self.replay.pipeline
            && pipeline.steps() >= self.known_step
            && self.known.is_none()
        {
            let counters = pipeline.counters();
            let (read, learned, refused) = (counters.read, counters.learned, counters.refused);
            self.known = Some(Counted { read, learned, refused });
        }
    }

    /// A record of control is going to be learned: if it is our own, manifests hold on to it.
    fn start(&mut self) {
        let Some(front) = self.replay.pending.front().filter(|front| !front.started) else {
            return;
        };
        if let (Some(own), Some(pipeline)) = (&front.own, &self.replay.pipeline) {
            self.outputs.hold(&own.output_ends, pipeline.steps());
        }
    }
}

/// Sees each run of records just before it is learned, and says how many of them may be learned
/// before it wants to see the rest.
pub(crate) type Watch<'a> = &'a mut dyn FnMut(&mut Pipeline, &Run<'_>) -> usize;

/// Sees nothing, and holds nothing up.
fn unwatched(_: &mut Pipeline, _: &Run<'_>) -> usize {
    usize::MAX
}

impl Replay {
    /// Learns the next decision, or at most so many records, of what was accepted. Something must
    /// be pending.
    pub(crate) fn learn(
        &mut self,
        most: usize,
        effects: &mut Effects,
        watch: Watch<'_>,
    ) -> Result<Learned, Halt> {
        let mut front = self.pending.pop_front().expect("asked for with something pending");
        front.started = true;
        // What joins answers nothing of the past.
        effects.backlog = !front.accepted.before.caught_up() || self.lens.is_some();
        effects.time = front.accepted.time;
        if let Some((_, decision)) = front.accepted.adopts.pop_front() {
            let offset = front.accepted.offset;
            self.pending.push_front(front);
            match &decision {
                Decision::Skip(gap) => self.skip(offset, gap, effects),
                Decision::Adopt { .. } | Decision::Begin { .. } if self.lens.is_some() => {
                    if let Some(settings) = self.adopted(&decision) {
                        self.settle_alone(offset, &settings, effects)?;
                    }
                    return Ok(Learned::Some(1));
                }
                Decision::Reset { .. } if self.lens.is_some() && planted(Bug::PastUndecided) => {}
                decision => self.step(offset, Input::Decided(decision), effects),
            }
            if decision.settings().is_some() {
                self.renew_decoders();
            }
            return Ok(Learned::Some(1));
        }
        let learned = self.learn_body(&front, most, effects, watch)?;
        if learned == Learned::Finished {
            self.finish(front)?;
        } else {
            self.pending.push_front(front);
        }
        Ok(learned)
    }

    /// Gives back batches that have been learned, to be used again.
    pub(crate) fn recycle(&mut self) {
        for lane in &mut self.lanes {
            lane.recycle(&mut self.spare);
        }
    }

    fn learn_body(
        &mut self,
        front: &Pending,
        most: usize,
        effects: &mut Effects,
        watch: Watch<'_>,
    ) -> Result<Learned, Halt> {
        let offset = front.accepted.offset;
        match &front.accepted.body {
            Body::Settings(settings) => {
                if self.lens.is_some() {
                    let said = self.pipeline.is_some().then(|| self.running_as(settings)).flatten();
                    let settings = said.as_ref().unwrap_or(settings);
                    // What the others could not run as they went on without.
                    if Pipeline::build(settings).is_ok() {
                        self.settle_alone(offset, settings, effects)?;
                    }
                } else if self.pipeline.is_none() {
                    let built = Pipeline::build(settings);
                    self.pipeline = Some(built.map_err(|why| Halt::Settings(why.to_string()))?);
                    self.renew_decoders();
                } else {
                    self.step(offset, Input::Settings(settings), effects);
                    self.renew_decoders();
                }
            }
            Body::Join(settings) if self.lens.is_some() => {
                if self.ends_at(&front.accepted) {
                    return Ok(Learned::NotYet);
                }
                self.settle_alone(offset, settings, effects)?;
            }
            Body::Join(settings) => {
                if !self.join(offset, settings, effects) {
                    return Ok(Learned::NotYet);
                }
            }
            Body::Catchup { begins, .. } => self.begin_lanes(begins),
            Body::Tick { time } => {
                let is_wrong = planted(Bug::WaitsEndByTheClock);
                let time = if is_wrong { effects.time } else { *time };
                self.step(offset, Input::Tick(time), effects);
            }
            Body::Cut { begins, ends, publish, .. } => {
                self.begin_lanes(begins);
                match self.learn_cut(offset, ends, most, effects, watch) {
                    Learned::Finished if *publish => self.step(offset, Input::Publish, effects),
                    Learned::Finished => {}
                    other => return Ok(other),
                }
            }
        }
        Ok(Learned::Finished)
    }

    fn begin_lanes(&mut self, begins: &[At]) {
        for at in begins {
            if let Some(index) = self.open_lane(at) {
                self.lanes[index].named = true;
            }
        }
    }

    /// Learns one run of a cut: the records of one partition up to where another's come first.
    fn learn_cut(
        &mut self,
        cut: u64,
        ends: &[At],
        most: usize,
        effects: &mut Effects,
        watch: Watch<'_>,
    ) -> Learned {
        let mut heads = std::mem::take(&mut self.scratch);
        heads.clear();
        heads.extend(ends.iter().filter_map(|at| {
            self.lane_of(&at.input, at.partition).map(|index| (index, at.offset))
        }));
        let learned = self.learn_run(cut, &heads, most, effects, watch);
        if learned == Learned::Finished {
            for (index, end) in &heads {
                self.lanes[*index].finish(*end);
            }
        }
        self.scratch = heads;
        learned
    }

    fn learn_run(
        &mut self,
        cut: u64,
        ends: &[(usize, u64)],
        most: usize,
        effects: &mut Effects,
        watch: Watch<'_>,
    ) -> Learned {
        let head = |(index, end): &(usize, u64)| self.lanes[*index].head_learned(*end);
        if ends.iter().any(|end| head(end) == Head::NotYet) {
            return Learned::NotYet;
        }
        let heads = ends.iter().filter_map(|(index, end)| {
            let lane = &self.lanes[*index];
            match lane.head_learned(*end) {
                Head::Record(key) => Some((*index, key, lane.rank)),
                _ => None,
            }
        });
        let Some((index, bound)) = order::first_and_second(heads) else { return Learned::Finished };
        let end = ends.iter().find(|(i, _)| *i == index).map_or(0, |(_, end)| *end);
        let lane = &mut self.lanes[index];
        let input = lane.input.expect("a lane without an input has no head");
        let partition = lane.partition;
        let Some((decoded, range)) = lane.learn(end, bound, most) else { return Learned::NotYet };
        let count = range.len();
        let (batch, rows) = (&decoded.batch, &decoded.rows);
        let pipeline = self.pipeline.as_mut().expect("settings come before cuts");
        effects.cut = cut;
        let mut rest = range;
        while !rest.is_empty() {
            let run = Run { input, partition, batch, rows, range: rest.clone() };
            let split = rest.start + watch(pipeline, &run).clamp(1, rest.len());
            let run = Run { range: rest.start..split, ..run };
            pipeline.step(Input::Records(run), effects);
            rest.start = split;
            if effects.refused_share_max.is_some_and(|most| pipeline.refused_beyond(most).is_some())
            {
                break;
            }
        }
        Learned::Some(count)
    }

    /// A record of control was learned to its end: what we read must be what its writer read.
    fn finish(&mut self, front: Pending) -> Result<(), Halt> {
        let Body::Cut { digest, .. } = &front.accepted.body else { return Ok(()) };
        match front.own {
            Some(own) => self.learned_chains = own.chains,
            None if *digest == inputs_digest(&self.lanes) => {
                self.learned_chains = self.lanes.iter().map(|lane| lane.chain.clone()).collect();
            }
            None => {
                let offset = front.accepted.offset;
                let why = format!("the inputs differ from those of the cut at control:{offset}");
                return Err(Halt::LogChanged(why));
            }
        }
        self.learned_chains.resize(self.lanes.len(), Chain::default());
        Ok(())
    }
}

/// The chained digest of all inputs, in hexadecimal: each named partition, its place and its chain.
pub(super) fn inputs_digest(lanes: &[Lane]) -> String {
    let mut parts: Vec<(&str, u32, [u8; 32])> = lanes
        .iter()
        .map(|lane| (&*lane.name, lane.partition, lane.chain.digest()))
        .filter(|(_, _, digest)| *digest != [0; 32])
        .collect();
    parts.sort();
    let mut hasher = blake3::Hasher::new();
    for (name, partition, digest) in parts {
        hasher.update(name.as_bytes()).update(&[0]);
        hasher.update(&partition.to_le_bytes()).update(&digest);
    }
    hasher.finalize().to_hex()[..32].to_string()
}
