//! What is learned, by whoever learns it: control as read so far, the inputs it names, and the
//! pipeline. Writes nothing: a writer in office holds one, and so does whoever learns again to
//! compare.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use alluvium_flow::{Chain, Decision, Effects, Gap, Input, Pipeline, decode::Decoder, order::Rank};

use super::{
    Halt, Pending,
    lane::{Decoded, Lane},
    past::{Lens, Past},
};
use crate::{
    bugs::{Bug, planted},
    control::{At, Body, Fold, passed_over},
    log::{Log, LogError, Polled, RecordReader, Span},
};

/// Control and the inputs, on their way to the learner.
#[derive(Default)]
pub(crate) struct Replay {
    /// Control, read up to a point.
    pub(crate) fold: Fold,
    /// Accepted records of control that are not learned to their end.
    pub(crate) pending: VecDeque<Pending>,
    /// The pipeline, once settings were accepted.
    pub(crate) pipeline: Option<Pipeline>,
    pub(crate) lanes: Vec<Lane>,
    decoders: Vec<Box<dyn Decoder>>,
    reader: Option<Box<dyn RecordReader>>,
    /// The lane of each of the reader's spans.
    spans: Vec<usize>,
    /// The digest of each lane as of the last cut learned to its end.
    pub(crate) learned_chains: Vec<Chain>,
    /// The past of what joins, being learned.
    pub(super) past: Option<Box<Past>>,
    /// The step at which something last joined.
    pub(super) joined: Option<u64>,
    /// What is learned here is the past of what joins, and how control looks to that.
    pub(super) lens: Option<Lens>,
    pub(super) spare: Vec<Decoded>,
    pub(super) scratch: Vec<(usize, u64)>,
}

impl Replay {
    /// At the beginning; with a lens for what joins.
    pub(super) fn through(lens: Option<Lens>) -> Replay {
        Replay { lens, ..Replay::default() }
    }

    /// Steps the pipeline and hands what came of it on.
    pub(super) fn step(&mut self, cut: u64, input: Input<'_>, effects: &mut Effects) {
        let pipeline = self.pipeline.as_mut().expect("settings come before everything else");
        effects.cut = cut;
        pipeline.step(input, effects);
    }

    /// The topic of every input that is named by the settings in force, or by what was accepted
    /// and is still to be learned.
    pub(super) fn topics(&self) -> Result<BTreeMap<Arc<str>, Arc<str>>, Halt> {
        let inputs = self.pipeline.iter().flat_map(Pipeline::inputs);
        let mut topics: BTreeMap<Arc<str>, Arc<str>> =
            inputs.map(|input| (input.name.clone(), input.topic.clone())).collect();
        for pending in &self.pending {
            let adopted = pending.accepted.adopts.iter().filter_map(|(_, ask)| ask.settings());
            let said = match &pending.accepted.body {
                Body::Settings(settings) | Body::Join(settings) => Some(settings),
                _ => None,
            };
            for settings in adopted.chain(said) {
                let spec = match settings.spec() {
                    Ok(spec) => spec,
                    // The very first have to be read; a change that cannot be will be refused.
                    Err(why) if topics.is_empty() => return Err(Halt::Settings(why)),
                    Err(_) => continue,
                };
                let named = spec.input.iter();
                topics.extend(
                    named.map(|(name, input)| (name.as_str().into(), input.topic(name).into())),
                );
            }
        }
        Ok(topics)
    }

    /// Which lane that is.
    pub(super) fn lane_of(&self, input: &str, partition: u32) -> Option<usize> {
        self.lanes.iter().position(|lane| &*lane.name == input && lane.partition == partition)
    }

    /// Opens a lane for a partition that is named for the first time, or found.
    pub(super) fn open_lane(&mut self, at: &At) -> Option<usize> {
        if let Some(index) = self.lane_of(&at.input, at.partition) {
            return Some(index);
        }
        let (input, rank) = place_in(self.pipeline.as_ref()?, &at.input, at.partition);
        self.lanes.push(Lane::new(input, at.input.clone(), at.partition, rank, at.offset));
        self.learned_chains.push(Chain::default());
        self.reader = None;
        Some(self.lanes.len() - 1)
    }

    /// Makes the decoders of the pipeline as it is now, and forgets what was decoded by others.
    /// The inputs may be more or fewer than they were, and in other places.
    pub(super) fn renew_decoders(&mut self) {
        let Some(pipeline) = &self.pipeline else { return };
        self.decoders = pipeline.inputs().iter().map(|input| input.decoder()).collect();
        for (lane, chain) in self.lanes.iter_mut().zip(&self.learned_chains) {
            (lane.input, lane.rank) = place_in(pipeline, &lane.name, lane.partition);
            lane.forget(chain.clone());
        }
        self.reader = None;
    }

    /// Passes over records, if that is still possible.
    pub(super) fn skip(&mut self, cut: u64, gap: &Gap, effects: &mut Effects) {
        let index = self.lane_of(&gap.input, gap.partition);
        let is_next = |lane: &Lane| lane.named && lane.learned.position == gap.from;
        match index.filter(|index| gap.from < gap.to && is_next(&self.lanes[*index])) {
            Some(index) => {
                self.step(cut, Input::Decided(&Decision::Skip(gap.clone())), effects);
                self.lanes[index].skip(gap.to, self.learned_chains[index].clone());
                self.reader = None;
            }
            None => {
                let why =
                    format!("{gap} cannot be passed over: it does not begin where it is read");
                self.step(cut, Input::Impossible(&why), effects);
            }
        }
    }

    /// The first partition of which all is learned that can be read, and why no more can.
    pub(super) fn stuck(&self) -> Option<(&Lane, &LogError)> {
        self.lanes.iter().find_map(|lane| lane.stuck().map(|error| (lane, error)))
    }

    /// From where on a partition that stands at an offset has to be read: behind what decisions
    /// pass over, unless a cut that comes before them holds it.
    pub(super) fn reads_from(&self, input: &str, partition: u32, mut from: u64) -> u64 {
        let is_it = |at: &At| *at.input == *input && at.partition == partition;
        for Pending { accepted, .. } in &self.pending {
            let asked = accepted.adopts.iter().map(|(_, ask)| ask);
            from = passed_over(asked, input, partition, from);
            if let Body::Cut { ends, .. } = &accepted.body
                && ends.iter().any(|end| is_it(end) && end.offset > from)
            {
                return from;
            }
        }
        passed_over(self.fold.requests.iter().map(|(_, ask)| ask), input, partition, from)
    }

    /// Reads what the log has, as far as there is room for it. Says whether anything came. What
    /// cannot be read holds up nothing but its own partition.
    pub(super) fn fetch(
        &mut self,
        log: &mut dyn Log,
        buffer_bytes: usize,
    ) -> Result<bool, LogError> {
        if self.lanes.iter().all(|lane| lane.input.is_none()) {
            return Ok(false);
        }
        if self.reader.is_none() {
            self.open_reader(log)?;
        }
        let share = share(buffer_bytes, self.spans.len());
        let reader = self.reader.as_mut().expect("opened above");
        for (index, lane) in self.spans.iter().enumerate() {
            let lane = &mut self.lanes[*lane];
            let paused = lane.buffered_bytes >= share || lane.unreadable.is_some();
            if paused != lane.paused {
                reader.pause(index, paused);
                lane.paused = paused;
            }
        }
        let mut decoded = self.spare.pop().unwrap_or_default();
        decoded.batch.clear();
        match reader.poll(&mut decoded.batch) {
            Err(error) => {
                self.spare.push(decoded);
                self.set_aside(error).map(|()| false)
            }
            Ok(Polled::Nothing) => {
                self.spare.push(decoded);
                Ok(false)
            }
            Ok(Polled::Records) => {
                let lane = &mut self.lanes[self.spans[decoded.batch.span]];
                let input = lane.input.expect("only what the settings name is read");
                lane.deliver(decoded, self.decoders[input].as_mut());
                Ok(true)
            }
        }
    }

    /// Remembers which partition cannot be read, if it is one alone.
    fn set_aside(&mut self, error: LogError) -> Result<(), LogError> {
        let (LogError::OutOfRange { topic, partition, offset, .. }
        | LogError::Damaged { topic, partition, offset, .. }) = &error
        else {
            return Err(error);
        };
        let pipeline = self.pipeline.as_ref().expect("lanes come after settings");
        // Two inputs may read one topic: it is the one that has come so far.
        let is_it = |lane: &&mut Lane| {
            let input = lane.input.map(|input| &pipeline.inputs()[input]);
            lane.partition == *partition
                && lane.unreadable.is_none()
                && lane.delivered <= *offset
                && input.is_some_and(|input| *input.topic == **topic)
        };
        match self.lanes.iter_mut().filter(is_it).max_by_key(|lane| lane.delivered) {
            Some(lane) => lane.unreadable = Some(error),
            None => return Err(error),
        }
        Ok(())
    }

    /// Reads every lane that the settings in force name, from where it was delivered to.
    fn open_reader(&mut self, log: &mut dyn Log) -> Result<(), LogError> {
        let pipeline = self.pipeline.as_ref().expect("lanes come after settings");
        self.spans.clear();
        let mut spans = Vec::new();
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let Some(input) = lane.input else { continue };
            (lane.paused, lane.unreadable) = (false, None);
            self.spans.push(index);
            spans.push(Span {
                topic: pipeline.inputs()[input].topic.clone(),
                partition: lane.partition,
                from: lane.delivered,
                to: None,
            });
        }
        self.reader = Some(log.reader(&spans)?);
        Ok(())
    }
}

/// So many partitions read ahead as much as they may; more share what these would have.
const FULL_BUFFERS: usize = 16;

/// How many bytes each of so many partitions reads ahead.
fn share(buffer_bytes: usize, partitions: usize) -> usize {
    let all = buffer_bytes.saturating_mul(FULL_BUFFERS);
    (all / partitions.max(1)).clamp(1, buffer_bytes.max(1))
}

/// Which of a pipeline's inputs a partition belongs to, if any, and its place among equals.
fn place_in(pipeline: &Pipeline, input: &str, partition: u32) -> (Option<usize>, Rank) {
    let input = pipeline.inputs().iter().position(|found| *found.name == *input);
    let is_label = input.is_some_and(|input| pipeline.inputs()[input].is_label);
    let is_label = is_label && !planted(Bug::LabelsAreNotLast);
    (input, u32::from(is_label) << 31 | (input.unwrap_or_default() as u32) << 16 | partition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_partitions_share_what_a_few_have() {
        assert_eq!([1, 16].map(|partitions| share(1000, partitions)), [1000, 1000]);
        assert_eq!(share(1000, 100), 160);
        assert_eq!(share(0, 5), 1, "one batch must always fit");
    }
}
