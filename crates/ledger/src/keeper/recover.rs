//! From nothing to office: a term, the newest verified manifest, control read to the term, and the
//! greatest output released.

use std::collections::BTreeMap;

use alluvium_flow::{Batch, Headers, Pipeline};
use alluvium_learn::Time;

use super::{
    Halt, Keeper, Next, Office, Phase, Trouble,
    halt::{place, unread},
    joins::JoinsKnown,
    output::{OUT_TOPICS, OutLane, Outputs, parse_order},
    replay::Replay,
    silence::Silence,
    snapshot::Snapshots,
};
use crate::{
    bugs::{Bug, planted},
    control::{Control, digest_of},
    log::{Log, LogError, Outgoing, PartitionEnds, Polled, Span, Ticket},
    manifest::{Manifest, OutPair, Sections, StateKey},
    read::Stretch,
    state::Scan,
};

enum Stage {
    Term { ticket: Ticket },
    Scan { stretch: Stretch, found: Scan },
    Load(Load),
    Control { stretch: Stretch, anchor: Option<(u64, String)> },
    Outputs { stretch: Option<Stretch>, lane: usize },
    Newer { stretch: Stretch },
}

/// The pages of the newest manifest that is left are being read.
struct Load {
    scan: Scan,
    candidates: Vec<Manifest>,
    stretch: Option<Stretch>,
    pages: BTreeMap<StateKey, Vec<u8>>,
}

impl Load {
    fn next_candidate(&mut self) {
        self.candidates.pop();
        self.stretch = None;
    }
}

/// A recovery under way.
pub(crate) struct Recovery {
    stage: Stage,
    /// Control is read from here: what the manifest holds was read before.
    read_from: u64,
    /// Control is read up to here: the own TERM included.
    read_to: u64,
    /// Where the state topic ended when it was scanned.
    state_end: u64,
    /// For a planted mistake: where the outputs ended before there was a TERM.
    early_ends: Vec<u64>,
    batch: Batch,
}

impl<L: Log> Keeper<L> {
    /// Opens an office: makes what topics are missing, and appends a TERM.
    pub(super) fn begin(&mut self, now: Time) -> Result<Next, Trouble> {
        let built = Pipeline::build(&self.options.settings);
        let pipeline = built.map_err(|why| Halt::Settings(why.to_string()))?;
        let (mut partitions, mut topics) = (1, BTreeMap::new());
        for input in pipeline.inputs() {
            let ends = self.log.ends(&input.topic)?;
            let ends = ends.ok_or_else(|| LogError::NoTopic { topic: input.topic.to_string() })?;
            partitions = partitions.max(ends.partitions.len() as u32);
            topics.insert(input.topic.to_string(), ends.id);
        }
        self.create_topics(partitions)?;
        let mut appender = self.log.appender()?;
        let control_route = appender.route(&self.topic("control"), 0)?;
        let state_route = appender.route(&self.topic("state"), 0)?;
        let models_route = appender.route(&self.topic("models"), 0)?;
        let mut lanes = Vec::new();
        for topic in OUT_TOPICS {
            let name = self.topic(topic.name());
            let count = self.log.ends(&name)?.map_or(0, |ends| ends.partitions.len());
            for partition in 0..count as u32 {
                let route = appender.route(&name, partition)?;
                lanes.push(OutLane::new(topic, partition, route));
            }
        }
        let bytes = Control::Term { by: self.options.by.clone() }.encode();
        let record =
            Outgoing { time: now, key: None, value: Some(&bytes), headers: Headers::default() };
        let ticket = appender.submit(control_route, record);
        self.office = Some(Box::new(Office {
            appender,
            settled: Vec::new(),
            control_route,
            term: 0,
            replay: Replay::default(),
            control: None,
            in_flight: None,
            outputs: Outputs::new(lanes, models_route),
            snapshots: Snapshots::new(state_route),
            batch: Batch::new(),
            goal: None,
            closes: !self.options.follow,
            goal_reached: false,
            last_activity: 0,
            silence: Silence::default(),
            last_look: 0,
            last_cut: None,
            topics,
            known_step: 0,
            known: None,
            joins: JoinsKnown::default(),
        }));
        let mut early_ends = Vec::new();
        if planted(Bug::OutputsBeforeTerm) {
            for topic in OUT_TOPICS {
                let known = self.log.ends(&self.topic(topic.name()))?;
                early_ends.extend(known.iter().flat_map(|k| &k.partitions).map(|p| p.stable));
            }
        }
        self.phase = Phase::Recovering(Box::new(Recovery {
            stage: Stage::Term { ticket },
            read_from: 0,
            read_to: 0,
            state_end: 0,
            early_ends,
            batch: Batch::new(),
        }));
        Ok(Next::Again)
    }

    /// Goes on with a recovery.
    pub(super) fn recover(&mut self, mut recovery: Box<Recovery>) -> Result<Next, Trouble> {
        let progress = match &mut recovery.stage {
            Stage::Term { .. } => self.await_term(&mut recovery)?,
            Stage::Scan { .. } => self.scan(&mut recovery)?,
            Stage::Load(_) => self.load(&mut recovery)?,
            Stage::Control { .. } => self.replay_control(&mut recovery)?,
            Stage::Outputs { .. } => self.read_outputs(&mut recovery)?,
            Stage::Newer { .. } => self.judge_newer(&mut recovery)?,
        };
        if progress != Some(Next::Done) {
            self.phase = Phase::Recovering(recovery);
            return Ok(progress.unwrap_or(Next::Again));
        }
        self.enter_office()?;
        Ok(Next::Again)
    }

    fn enter_office(&mut self) -> Result<(), Trouble> {
        let topic = self.topic("control");
        let office = self.office.as_mut().expect("opened by begin");
        let span =
            Span { topic: topic.into(), partition: 0, from: office.replay.fold.next, to: None };
        office.control = Some(self.log.reader(&[span])?);
        self.phase = Phase::Live;
        Ok(())
    }

    /// The outputs' ends are asked only after this: what a predecessor appends later is a repeat of
    /// what it learned from accepted cuts.
    fn await_term(&mut self, recovery: &mut Recovery) -> Result<Option<Next>, Trouble> {
        let Stage::Term { ticket } = recovery.stage else { return Ok(None) };
        let office = self.office.as_mut().expect("opened by begin");
        let mut settled = Vec::new();
        office.appender.poll(&mut settled)?;
        let is_ours =
            |s: &&crate::log::Settled| s.route == office.control_route && s.ticket == ticket;
        let Some(offset) = settled.iter().find(is_ours).map(|s| s.offset) else {
            return Ok(Some(Next::Wait));
        };
        office.term = offset + 1;
        recovery.read_to = offset + 1;
        self.begin_scan(recovery)
    }

    fn begin_scan(&mut self, recovery: &mut Recovery) -> Result<Option<Next>, Trouble> {
        let topic = self.topic("state");
        let ends = self.log.ends(&topic)?;
        let known = ends.ok_or_else(|| LogError::NoTopic { topic: topic.clone() })?.partitions[0];
        recovery.state_end = known.stable;
        let stretch = Stretch::open(&mut self.log, &topic, 0, known.earliest, known.stable)?;
        recovery.stage = Stage::Scan { stretch, found: Scan::default() };
        Ok(None)
    }

    /// First pass over the state topic: which manifests there are, and where the pages lie.
    fn scan(&mut self, recovery: &mut Recovery) -> Result<Option<Next>, Trouble> {
        let Stage::Scan { stretch, found } = &mut recovery.stage else { return Ok(None) };
        match stretch.read(&mut recovery.batch)? {
            Some(Polled::Nothing) => return Ok(Some(Next::Wait)),
            Some(Polled::Records) => {
                recovery.batch.iter().for_each(|record| found.take(&record));
            }
            None => {
                let scan = std::mem::take(found);
                if scan.is_of_later_release() {
                    let why = "a later release of alluvium has written the newest state";
                    return Err(Halt::Settings(why.into()).into());
                }
                let office = self.office.as_mut().expect("opened by begin");
                office.snapshots.known = scan.keys().collect();
                let candidates = scan.ranked().into_iter().map(|(manifest, _)| manifest).collect();
                let (stretch, pages) = (None, BTreeMap::new());
                recovery.stage = Stage::Load(Load { scan, candidates, stretch, pages });
            }
        }
        Ok(None)
    }

    /// Second pass: the pages of the newest manifest; of the next newest, if they do not verify.
    fn load(&mut self, recovery: &mut Recovery) -> Result<Option<Next>, Trouble> {
        let topic = self.topic("state");
        let Stage::Load(load) = &mut recovery.stage else { return Ok(None) };
        let Some(manifest) = load.candidates.last() else { return self.nothing_verified(recovery) };
        let Some(stretch) = &mut load.stretch else {
            let (from, to) = load.scan.stretch(manifest);
            load.pages.clear();
            match Stretch::open(&mut self.log, &topic, 0, from, to) {
                Ok(opened) => load.stretch = Some(opened),
                Err(LogError::OutOfRange { .. }) => load.next_candidate(),
                Err(error) => return Err(error.into()),
            }
            return Ok(None);
        };
        match stretch.read(&mut recovery.batch) {
            Ok(Some(Polled::Nothing)) => return Ok(Some(Next::Wait)),
            Ok(Some(Polled::Records)) => {
                for record in recovery.batch.iter() {
                    let Some(key) = record.key.and_then(StateKey::decode) else { continue };
                    if let (Some(value), true) = (record.value, manifest.names(key)) {
                        load.pages.insert(key, value.to_vec());
                    }
                }
            }
            Ok(None) => match manifest.verified(&load.pages) {
                Some(sections) => {
                    let manifest = manifest.clone();
                    return self.restore(recovery, manifest, &sections);
                }
                None => load.next_candidate(),
            },
            Err(LogError::OutOfRange { .. }) => load.next_candidate(),
            Err(error) => return Err(error.into()),
        }
        Ok(None)
    }

    /// Looks again if the state topic has grown; else begins at the beginning, if that is left.
    fn nothing_verified(&mut self, recovery: &mut Recovery) -> Result<Option<Next>, Trouble> {
        if self.state_has_grown(recovery)? {
            return self.begin_scan(recovery);
        }
        let earliest = self.ends_of("control")?.earliest;
        if earliest > 0 {
            let why = "no manifest in the state topic can be verified, and control no longer has \
                       its beginning";
            return Err(Halt::Expired(why.into()).into());
        }
        recovery.read_from = 0;
        let topic = self.topic("control");
        let stretch = Stretch::open(&mut self.log, &topic, 0, 0, recovery.read_to)?;
        recovery.stage = Stage::Control { stretch, anchor: None };
        Ok(None)
    }

    fn state_has_grown(&mut self, recovery: &Recovery) -> Result<bool, LogError> {
        Ok(self.ends_of("state")?.stable > recovery.state_end)
    }

    /// The ends of a topic of the pipeline's own that has one partition.
    fn ends_of(&mut self, topic: &str) -> Result<PartitionEnds, LogError> {
        let ends = self.log.ends(&self.topic(topic))?;
        Ok(ends.map(|ends| ends.partitions[0]).unwrap_or_default())
    }

    /// Stands where the manifest stood.
    fn restore(
        &mut self,
        recovery: &mut Recovery,
        manifest: Manifest,
        sections: &Sections,
    ) -> Result<Option<Next>, Trouble> {
        let earliest = self.ends_of("control")?.earliest;
        if manifest.control.next < earliest {
            if self.state_has_grown(recovery)? {
                return self.begin_scan(recovery);
            }
            let why = format!("control begins at {earliest}, after the newest manifest");
            return Err(Halt::Expired(why).into());
        }
        if manifest.control.next > recovery.read_to {
            // Whoever wrote it had read control up to there: either it has grown since our TERM, or
            // it is shorter than it was, and nothing we append may make it seem long enough.
            let stable = self.ends_of("control")?.stable;
            if manifest.control.next > stable {
                let why = format!(
                    "control ends at {stable}, but the newest manifest was written when it had \
                     been read up to {}: control lost records",
                    manifest.control.next
                );
                return Err(Halt::LogChanged(why).into());
            }
            return Err(Trouble::StepDown("a later term has written a manifest"));
        }
        let office = self.office.as_mut().expect("opened by begin");
        office.restore(&manifest, sections)?;
        let anchor = manifest.control.last.clone().filter(|(offset, _)| *offset >= earliest);
        recovery.read_from = manifest.control.next;
        let from = anchor.as_ref().map_or(manifest.control.next, |(offset, _)| *offset);
        office.snapshots.base_on(manifest);
        let topic = self.topic("control");
        let stretch = Stretch::open(&mut self.log, &topic, 0, from, recovery.read_to)?;
        recovery.stage = Stage::Control { stretch, anchor };
        Ok(None)
    }

    /// Control up to the own TERM: what was accepted before it will be learned again.
    fn replay_control(&mut self, recovery: &mut Recovery) -> Result<Option<Next>, Trouble> {
        let Stage::Control { stretch, anchor } = &mut recovery.stage else { return Ok(None) };
        let office = self.office.as_mut().expect("opened by begin");
        match stretch.read(&mut recovery.batch)? {
            Some(Polled::Nothing) => return Ok(Some(Next::Wait)),
            Some(Polled::Records) => {
                for record in recovery.batch.iter() {
                    let value = record.value.unwrap_or_default();
                    if let Some((offset, digest)) = anchor.take() {
                        let why = match offset == record.offset {
                            true if digest_of(value) == digest => continue,
                            true => format!("control:{offset} is not what it was"),
                            false => format!("control:{offset} is no longer there"),
                        };
                        return Err(Halt::LogChanged(why).into());
                    }
                    if record.offset >= office.replay.fold.next {
                        office.fold_record(record.offset, value)?;
                    }
                }
            }
            None => {
                self.check_inputs(recovery)?;
                recovery.stage = Stage::Outputs { stretch: None, lane: 0 };
            }
        }
        Ok(None)
    }

    /// What has to be read again must still be there.
    fn check_inputs(&mut self, recovery: &mut Recovery) -> Result<(), Trouble> {
        let office = self.office.as_mut().expect("opened by begin");
        let topics = office.replay.topics()?;
        let (mut ends, mut expired) = (BTreeMap::new(), None);
        for frontier in &office.replay.fold.partitions {
            // What no settings name any more is not read again either.
            let Some(topic) = topics.get(&frontier.input) else { continue };
            if !ends.contains_key(topic) {
                ends.insert(topic.clone(), self.log.ends(topic)?);
            }
            let place = place(&frontier.input, topic, frontier.partition);
            let lane = office.replay.lane_of(&frontier.input, frontier.partition);
            let position =
                lane.map_or(frontier.begin, |index| office.replay.lanes[index].learned.position);
            let position = office.replay.reads_from(&frontier.input, frontier.partition, position);
            let known = ends[topic].as_ref().map(|ends| &ends.partitions);
            let Some(known) = known.and_then(|all| all.get(frontier.partition as usize)) else {
                return Err(Halt::LogChanged(format!("{place} is no longer there")).into());
            };
            if frontier.end > known.stable {
                let why = format!(
                    "{place} ends at {}, but was cut up to {}: it lost records",
                    known.stable, frontier.end
                );
                return Err(Halt::LogChanged(why).into());
            }
            if position < known.earliest {
                let why = format!(
                    "{place} begins at {}, and is needed from {position} on",
                    known.earliest
                );
                // What was asked to be passed over may lie beyond the newest cut.
                expired = Some(match position >= frontier.end {
                    true => {
                        Halt::Unreadable { unread: unread(frontier, position, known.earliest), why }
                    }
                    false => Halt::Expired(why),
                });
            }
        }
        match expired {
            None => Ok(()),
            Some(_) if self.state_has_grown(recovery)? => {
                Err(Trouble::StepDown("records expired, but a newer manifest has landed"))
            }
            Some(halt) => Err(halt.into()),
        }
    }

    /// The greatest key released, in each output partition.
    fn read_outputs(&mut self, recovery: &mut Recovery) -> Result<Option<Next>, Trouble> {
        let Stage::Outputs { stretch, lane } = &mut recovery.stage else { return Ok(None) };
        let office = self.office.as_mut().expect("opened by begin");
        let Some(out) = office.outputs.lanes.get_mut(*lane) else {
            office.known_step = office.outputs.newest_step();
            return Ok(Some(Next::Done));
        };
        let topic = format!("{}{}", self.options.prefix, out.topic.name());
        if stretch.is_none() {
            let known = self.log.ends(&topic)?.map(|ends| ends.partitions[out.partition as usize]);
            let known = known.unwrap_or_default();
            if out.found.offset < known.earliest {
                let (partition, from) = (out.partition, out.found.offset);
                let why = format!(
                    "{topic}:{partition} begins at {}, and is needed from {from} on",
                    known.earliest
                );
                return Err(Halt::Expired(why).into());
            }
            // Asked now, and not when the TERM was acknowledged: since then a later term may have
            // written the very manifest that was chosen.
            let (from, mut end) = (out.found.offset, known.stable);
            if from > end {
                let why = format!("{topic}:{} lost records", out.partition);
                return Err(Halt::LogChanged(why).into());
            }
            if planted(Bug::OutputsBeforeTerm) {
                end = recovery.early_ends.get(*lane).map_or(end, |early| end.min(*early).max(from));
            } else if planted(Bug::StaleOutputEnds) {
                end = end.midpoint(from);
            }
            *stretch = Some(Stretch::open(&mut self.log, &topic, out.partition, from, end)?);
        }
        let reading = stretch.as_mut().expect("opened above");
        match reading.read(&mut recovery.batch)? {
            Some(Polled::Nothing) => return Ok(Some(Next::Wait)),
            Some(Polled::Records) => {
                let (mut greatest, mut newer) = (out.found.greatest, false);
                let pending = &office.replay.pending;
                for record in recovery.batch.iter() {
                    let Some((key, cut)) = record.headers.get("order").and_then(parse_order) else {
                        continue;
                    };
                    newer |= cut >= recovery.read_to;
                    let known = pending.binary_search_by_key(&cut, |p| p.accepted.offset).is_ok();
                    if !known && (recovery.read_from..recovery.read_to).contains(&cut) {
                        let place = format!("{topic}:{}:{}", out.partition, record.offset);
                        let why = format!("{place} names control:{cut}, which counts for nothing");
                        return Err(Halt::LogChanged(why).into());
                    }
                    let found = (key.step, key.ordinal);
                    let is_last = planted(Bug::GreatestIsLast);
                    greatest = if is_last { found } else { greatest.max(found) };
                }
                out.found.greatest = greatest;
                if newer {
                    return self.read_newer_control(recovery);
                }
            }
            None => {
                let offset = reading.to;
                out.found = OutPair { offset, greatest: out.found.greatest };
                out.held = out.found;
                out.acked_end = offset;
                *stretch = None;
                *lane += 1;
            }
        }
        Ok(None)
    }

    /// An output of a cut we do not know: read control to its end, then judge.
    fn read_newer_control(&mut self, recovery: &mut Recovery) -> Result<Option<Next>, Trouble> {
        let topic = self.topic("control");
        let stable = self.log.ends(&topic)?.map_or(0, |ends| ends.partitions[0].stable);
        let stretch = Stretch::open(&mut self.log, &topic, 0, recovery.read_to, stable)?;
        recovery.stage = Stage::Newer { stretch };
        Ok(None)
    }

    fn judge_newer(&mut self, recovery: &mut Recovery) -> Result<Option<Next>, Trouble> {
        let Stage::Newer { stretch } = &mut recovery.stage else { return Ok(None) };
        match stretch.read(&mut recovery.batch)? {
            Some(Polled::Nothing) => return Ok(Some(Next::Wait)),
            Some(Polled::Records) => {
                let is_term = |value| matches!(Control::decode(value), Some(Control::Term { .. }));
                if recovery.batch.iter().any(|record| record.value.is_some_and(is_term)) {
                    return Err(Trouble::StepDown("another writer has opened a later term"));
                }
            }
            None => {
                let why = "an output names a cut that control does not hold: control lost records";
                return Err(Halt::LogChanged(why.into()).into());
            }
        }
        Ok(None)
    }
}
