//! What is learned, by whoever learns it: control as read so far, the inputs it names, and the
//! pipeline. Writes nothing: a writer in office holds one, and so does whoever learns again to
//! compare.

use std::collections::VecDeque;

use alluvium_flow::{Chain, Effects, Input, Pipeline, decode::Decoder};

use super::{
    Pending,
    lane::{Decoded, Lane},
};
use crate::{
    control::{At, Fold},
    log::{Log, LogError, RecordReader, Span},
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
    /// The digest of each lane as of the last cut learned to its end.
    pub(crate) learned_chains: Vec<Chain>,
    pub(super) spare: Vec<Decoded>,
    pub(super) scratch: Vec<(usize, u64)>,
}

impl Replay {
    /// Steps the pipeline and hands what came of it on.
    pub(super) fn step(&mut self, cut: u64, input: Input<'_>, effects: &mut Effects) {
        let pipeline = self.pipeline.as_mut().expect("settings come before everything else");
        effects.cut = cut;
        pipeline.step(input, effects);
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
        let pipeline = self.pipeline.as_ref()?;
        let input = pipeline.inputs().iter().position(|input| *input.name == *at.input)?;
        let rank = (input as u32) << 16 | at.partition;
        self.lanes.push(Lane::new(input, at.input.clone(), at.partition, rank, at.offset));
        self.learned_chains.push(Chain::default());
        self.reader = None;
        Some(self.lanes.len() - 1)
    }

    /// Makes the decoders of the pipeline as it is now, and forgets what was decoded by others.
    pub(super) fn renew_decoders(&mut self) {
        let Some(pipeline) = &self.pipeline else { return };
        self.decoders = pipeline.inputs().iter().map(|input| input.decoder()).collect();
        for (lane, chain) in self.lanes.iter_mut().zip(&self.learned_chains) {
            lane.forget(chain.clone());
        }
        self.reader = None;
    }

    /// Reads what the log has, as far as there is room for it. Says whether anything came.
    pub(super) fn fetch(
        &mut self,
        log: &mut dyn Log,
        buffer_bytes: usize,
    ) -> Result<bool, LogError> {
        if self.lanes.is_empty() {
            return Ok(false);
        }
        if self.reader.is_none() {
            let pipeline = self.pipeline.as_ref().expect("lanes come after settings");
            let span = |lane: &Lane| Span {
                topic: pipeline.inputs()[lane.input].topic.clone(),
                partition: lane.partition,
                from: lane.delivered,
                to: None,
            };
            let spans: Vec<Span> = self.lanes.iter().map(span).collect();
            self.reader = Some(log.reader(&spans)?);
            self.lanes.iter_mut().for_each(|lane| lane.paused = false);
        }
        let reader = self.reader.as_mut().expect("made above");
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let paused = lane.buffered_bytes >= buffer_bytes;
            if paused != lane.paused {
                reader.pause(index, paused);
                lane.paused = paused;
            }
        }
        let mut decoded = self.spare.pop().unwrap_or_default();
        decoded.batch.clear();
        match reader.poll(&mut decoded.batch)? {
            crate::log::Polled::Nothing => {
                self.spare.push(decoded);
                Ok(false)
            }
            crate::log::Polled::Records => {
                let lane = &mut self.lanes[decoded.batch.span];
                let decoder = &mut self.decoders[lane.input];
                lane.deliver(decoded, decoder.as_mut());
                Ok(true)
            }
        }
    }
}
