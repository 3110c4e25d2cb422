//! Writes manifests: the pages that changed, then, once they and every output up to the same step
//! are acknowledged and control has been read back, the one record that names them.

use std::collections::{BTreeMap, BTreeSet};

use alluvium_flow::{Batch, Chain, Headers, Pipeline, order::OrderKey};
use alluvium_learn::{Reader, Time, Writer};

use super::{Halt, Keeper, Office, Options, Trouble, has_passed, positions};
use crate::{
    bugs::{Bug, planted},
    control::{At, Fold},
    log::{Log, Outgoing, Polled, RecordReader, Route, Settled, Span, Ticket},
    manifest::{FORMAT, Manifest, PageRef, Sections, StateKey, pages},
};

/// The section that holds where every input partition stands.
pub(super) const ORDER_SECTION: &str = "order";

/// The first manifest of a pipeline comes after so many milliseconds at the latest.
const EARLY_MS: Time = 1_000;

/// How many manifests are kept.
const KEEP: usize = 3;

/// What is known of the state topic, and the snapshot under way.
pub(crate) struct Snapshots {
    route: Route,
    /// The keys of the topic: found by the scan, and written since.
    pub(super) known: BTreeSet<StateKey>,
    /// Verified manifests, newest last: the one recovered from, and our own.
    verified: Vec<Manifest>,
    generation: u64,
    /// Control as read back for the last manifest.
    checked: Fold,
    running: Option<Running>,
    wanted: bool,
    last: Option<Time>,
    /// Whether there was no manifest at all when the term began.
    is_first: bool,
    /// Whether a manifest of ours holds all that was accepted before our term.
    outranks: bool,
    acked: Option<Ticket>,
}

struct Running {
    manifest: Manifest,
    outputs: Vec<Option<Ticket>>,
    pages: Option<Ticket>,
    /// Control, being read back.
    control: Option<Box<dyn RecordReader>>,
    submitted: Option<Ticket>,
}

impl Snapshots {
    pub(super) fn new(route: Route) -> Snapshots {
        Snapshots {
            route,
            known: BTreeSet::new(),
            verified: Vec::new(),
            generation: 0,
            checked: Fold::default(),
            running: None,
            wanted: false,
            last: None,
            is_first: true,
            outranks: false,
            acked: None,
        }
    }

    /// Begins with the manifest that was recovered from.
    pub(super) fn base_on(&mut self, manifest: Manifest) {
        self.checked = manifest.control.clone();
        (self.verified, self.is_first) = (vec![manifest], false);
    }

    /// Takes an acknowledgement, if it is one of the state topic.
    pub(super) fn settle(&mut self, settled: &Settled) {
        if settled.route == self.route {
            self.acked = Some(settled.ticket);
        }
    }

    /// Asks for a manifest as soon as may be.
    pub(super) fn want(&mut self) {
        self.wanted = true;
    }

    /// The step of the newest manifest.
    pub(super) fn newest_step(&self) -> u64 {
        self.verified.last().map_or(0, |manifest| manifest.step)
    }

    /// Whether the newest manifest holds all there is.
    pub(super) fn is_level(&self, pipeline: Option<&Pipeline>) -> bool {
        let steps = pipeline.map_or(0, Pipeline::steps);
        self.running.is_none() && self.newest_step() == steps
    }

    /// Whether a manifest is due and could be taken now.
    pub(super) fn waits(&self, steps: u64, now: Time, options: &Options) -> bool {
        let (steps_max, ms_max) = (options.snapshot_steps, options.snapshot_ms);
        self.running.is_none() && self.is_due(steps, now, steps_max, ms_max)
    }

    fn is_due(&self, steps: u64, now: Time, every_steps: u64, every_ms: Time) -> bool {
        let newest = self.newest_step();
        if steps == newest {
            return false;
        }
        // The first ones come early, each after twice the time: who looks beside a first run must
        // find something, and a run that is over by then pays for none of them.
        let early_ms = EARLY_MS << self.generation.min(20);
        let every_ms = if self.is_first { every_ms.min(early_ms) } else { every_ms };
        let waited = self.last.is_some_and(|last| has_passed(last, now, every_ms));
        self.wanted || steps - newest >= every_steps || waited
    }
}

impl<L: Log> Keeper<L> {
    /// Takes, continues or finishes a snapshot. Says whether anything was done.
    pub(super) fn snapshot(&mut self, now: Time, stop: bool) -> Result<bool, Trouble> {
        let topic = self.topic("control");
        let Keeper { office, log, options, failures, .. } = self;
        let office = office.as_mut().expect("live means in office");
        if office.snapshots.running.is_some() {
            let any = office.continue_snapshot(log, &topic, now)?;
            if office.snapshots.running.is_none() {
                *failures = 0;
            }
            return Ok(any);
        }
        let Some(pipeline) = &office.replay.pipeline else { return Ok(false) };
        let at_boundary = office.replay.pending.front().is_none_or(|pending| !pending.started);
        office.snapshots.last.get_or_insert(now);
        let (steps_max, ms_max) = (options.snapshot_steps, options.snapshot_ms);
        let due = office.snapshots.is_due(pipeline.steps(), now, steps_max, ms_max);
        if !at_boundary || !(due || stop && !office.snapshots.is_level(Some(pipeline))) {
            return Ok(false);
        }
        office.capture(now);
        Ok(true)
    }
}

impl Office {
    /// Writes the pages that differ from those of our last manifest. The first of a term is full.
    fn capture(&mut self, now: Time) {
        let pipeline = self.replay.pipeline.as_ref().expect("asked with one");
        let mut sections: Sections = pipeline.save();
        sections.insert(ORDER_SECTION.into(), self.save_lanes());
        let mut control = match self.replay.pending.front() {
            Some(pending) if !planted(Bug::NewestControlInManifest) => {
                pending.accepted.before.as_ref().clone()
            }
            _ => self.replay.fold.clone(),
        };
        if planted(Bug::RequestsNotInManifest) {
            control.requests.clear();
        }
        let snapshots = &mut self.snapshots;
        snapshots.generation += 1;
        (snapshots.wanted, snapshots.last) = (false, Some(now));
        let parent = snapshots.verified.last();
        let own = parent.filter(|manifest| manifest.term == self.term);
        let before: BTreeMap<(&str, &str), StateKey> = own
            .iter()
            .flat_map(|m| m.pages.iter().map(|p| ((p.section.as_str(), p.digest.as_str()), p.key)))
            .collect();
        let (term, generation) = (self.term, snapshots.generation);
        let (mut refs, mut ticket, mut page) = (Vec::new(), None, 0);
        for (section, bytes) in pages(&sections) {
            let digest = blake3::hash(bytes).to_hex().to_string();
            let key = match before.get(&(section, digest.as_str())) {
                Some(key) => *key,
                None => {
                    page += 1;
                    let key = StateKey { term, generation, page };
                    let (name, headers) = (key.encode(), Headers::default());
                    let (key_bytes, value) = (Some(name.as_bytes()), Some(bytes));
                    let record = Outgoing { time: now, key: key_bytes, value, headers };
                    ticket = Some(self.appender.submit(snapshots.route, record));
                    snapshots.known.insert(key);
                    key
                }
            };
            let (section, bytes) = (section.to_string(), bytes.len() as u32);
            refs.push(PageRef { section, key, bytes, digest });
        }
        let parent = parent.map(|m| (m.key(), crate::control::digest_of(&m.encode())));
        let manifest = Manifest {
            format: FORMAT,
            term,
            generation,
            step: pipeline.steps(),
            settings: Some(pipeline.settings().clone()),
            topics: self
                .topics
                .iter()
                .map(|(name, id)| (name.clone(), format!("{id:032x}")))
                .collect(),
            positions: positions(&self.replay.lanes),
            control,
            outputs: self.outputs.states(),
            pages: refs,
            parent,
        };
        let outputs = self.outputs.submitted();
        let (control, submitted) = (None, None);
        snapshots.running = Some(Running { manifest, outputs, pages: ticket, control, submitted });
    }

    fn save_lanes(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.u16(1);
        let named: Vec<usize> =
            (0..self.replay.lanes.len()).filter(|i| self.replay.lanes[*i].named).collect();
        to.len(named.len());
        for index in named {
            let lane = &self.replay.lanes[index];
            to.str(&lane.name);
            to.u32(lane.partition);
            let is_last = planted(Bug::PositionOffByOne);
            to.u64(lane.learned.position.saturating_sub(u64::from(is_last)));
            lane.learned.key.save(&mut to);
            self.replay.learned_chains[index].save(&mut to);
        }
        to.into_bytes()
    }

    fn continue_snapshot(
        &mut self,
        log: &mut dyn Log,
        topic: &str,
        now: Time,
    ) -> Result<bool, Trouble> {
        let Some(mut running) = self.snapshots.running.take() else { return Ok(false) };
        if let Some(ticket) = running.submitted {
            if self.snapshots.acked < Some(ticket) {
                self.snapshots.running = Some(running);
                return Ok(false);
            }
            self.snapshot_done(running.manifest, now);
            return Ok(true);
        }
        let read_back = match self.read_back(&mut running, log, topic) {
            Ok(read_back) => read_back,
            Err(trouble) => {
                self.snapshots.running = Some(running);
                return Err(trouble);
            }
        };
        let pages = self.snapshots.acked >= running.pages;
        let released = self.outputs.acked_up_to(&running.outputs);
        let released = released || planted(Bug::ManifestBeforeOutputs);
        if !(read_back && pages && released) {
            self.snapshots.running = Some(running);
            return Ok(false);
        }
        if planted(Bug::EndsAtManifest) {
            let step = running.manifest.step;
            self.outputs.hold(&self.outputs.acked_ends(), step);
            running.manifest.outputs = self.outputs.states();
        }
        let (key, value) = (running.manifest.key(), running.manifest.encode());
        let name = key.encode();
        let record = Outgoing {
            time: now,
            key: Some(name.as_bytes()),
            value: Some(&value),
            headers: Headers::default(),
        };
        running.submitted = Some(self.appender.submit(self.snapshots.route, record));
        self.snapshots.known.insert(key);
        self.snapshots.running = Some(running);
        Ok(true)
    }

    /// Reads control again from the last manifest to this one, folds it anew and compares: a
    /// control topic that lost its tail under a living writer must not become a manifest.
    fn read_back(
        &mut self,
        running: &mut Running,
        log: &mut dyn Log,
        topic: &str,
    ) -> Result<bool, Trouble> {
        let wanted = &running.manifest.control;
        let checked = &mut self.snapshots.checked;
        if running.control.is_none() {
            let earliest = log.ends(topic)?.map_or(0, |ends| ends.partitions[0].earliest);
            if checked.next < earliest {
                *checked = wanted.clone();
            }
            let (from, to) = (checked.next, Some(wanted.next.max(checked.next)));
            let span = Span { topic: topic.into(), partition: 0, from, to };
            running.control = Some(log.reader(&[span])?);
        }
        let reader = running.control.as_mut().expect("opened above");
        let mut batch = Batch::new();
        while checked.next < wanted.next {
            batch.clear();
            if reader.poll(&mut batch)? == Polled::Nothing {
                return Ok(false);
            }
            for record in batch.iter().filter(|record| record.offset < wanted.next) {
                checked.fold(record.offset, record.value.unwrap_or_default());
            }
        }
        if checked != wanted {
            let why = "control read back is not the control that was applied".to_string();
            return Err(Halt::LogChanged(why).into());
        }
        Ok(true)
    }

    /// The manifest is in the log. Keeps the newest few, and deletes what they do not name: only
    /// keys of terms not above our own. What a former writer has still under way may make a
    /// manifest of pages that seemed to belong to none: they go once a manifest of ours holds all
    /// that was accepted before our term, and so is newer than any of theirs.
    fn snapshot_done(&mut self, manifest: Manifest, now: Time) {
        let snapshots = &mut self.snapshots;
        snapshots.outranks |= manifest.control.next >= self.term;
        snapshots.verified.push(manifest);
        let surplus = snapshots.verified.len().saturating_sub(KEEP);
        snapshots.verified.drain(..surplus);
        let keep: BTreeSet<StateKey> = snapshots
            .verified
            .iter()
            .flat_map(|m| m.pages.iter().map(|page| page.key).chain([m.key()]))
            .collect();
        let (term, outranks) = (self.term, snapshots.outranks);
        let is_ours = |key: &&StateKey| key.term == term || key.term < term && outranks;
        let dead: Vec<StateKey> =
            snapshots.known.difference(&keep).filter(is_ours).copied().collect();
        for key in dead {
            let name = key.encode();
            let record = Outgoing {
                time: now,
                key: Some(name.as_bytes()),
                value: None,
                headers: Headers::default(),
            };
            self.appender.submit(snapshots.route, record);
            snapshots.known.remove(&key);
        }
    }
}

impl Office {
    /// Stands where a manifest stood.
    pub(super) fn restore(
        &mut self,
        manifest: &Manifest,
        sections: &Sections,
    ) -> Result<(), Trouble> {
        self.replay.fold = manifest.control.clone();
        self.outputs.restore(&manifest.outputs);
        for (topic, id) in &manifest.topics {
            if self.topics.get(topic).is_some_and(|found| format!("{found:032x}") != *id) {
                let why = format!("the topic {topic} was deleted and made again");
                return Err(Halt::LogChanged(why).into());
            }
        }
        let Some(settings) = &manifest.settings else { return Ok(()) };
        let built = Pipeline::build(settings);
        let mut pipeline = built.map_err(|why| Halt::Settings(why.to_string()))?;
        if planted(Bug::WaitingNotInState) {
            let mut without = sections.clone();
            let fresh = pipeline.save().into_iter().filter(|(name, _)| name.starts_with("waiting"));
            without.extend(fresh);
            pipeline.restore(&without)
        } else {
            pipeline.restore(sections)
        }
        .map_err(|why| Halt::Settings(why.to_string()))?;
        self.replay.pipeline = Some(pipeline);
        let order = sections.get(ORDER_SECTION).map(Vec::as_slice).unwrap_or_default();
        self.restore_lanes(order).map_err(|why| Halt::Settings(why.to_string()))?;
        self.replay.renew_decoders();
        Ok(())
    }

    fn restore_lanes(&mut self, bytes: &[u8]) -> Result<(), alluvium_learn::StateError> {
        let mut from = Reader::new(bytes);
        if from.left() == 0 {
            return Ok(());
        }
        from.format("the order", 1)?;
        for _ in 0..from.len(1)? {
            let input = from.str()?.into();
            let (partition, offset) = (from.u32()?, from.u64()?);
            let (key, chain) = (OrderKey::read(&mut from)?, Chain::read(&mut from)?);
            if let Some(index) = self.replay.open_lane(&At { input, partition, offset }) {
                self.replay.lanes[index].stand_at(offset, key, chain.clone());
                self.replay.learned_chains[index] = chain;
            }
        }
        from.end()
    }
}
