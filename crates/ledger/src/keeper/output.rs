//! Releases outputs once: each carries its key in the order, and only what lies beyond the greatest
//! key found in the log is released.

use std::collections::VecDeque;

use alluvium_flow::{Effects, OutKey, OutTopic};
use alluvium_learn::Time;

use crate::{
    bugs::{Bug, planted},
    log::{Appender, Outgoing, Route, Settled, Ticket},
    manifest::{OutPair, OutState},
};

/// The topics that outputs go to, in the order of a manifest.
pub(crate) const OUT_TOPICS: [OutTopic; 3] =
    [OutTopic::Predictions, OutTopic::Alarms, OutTopic::DeadLetters];

/// One output partition.
#[derive(Clone, Debug)]
pub(crate) struct OutLane {
    pub(crate) topic: OutTopic,
    pub(crate) partition: u32,
    pub(crate) route: Route,
    /// What recovery found: nothing at or below this key is released again.
    pub(crate) found: OutPair,
    /// What the next manifest will say.
    pub(crate) held: OutPair,
    /// The offset after the last acknowledged record.
    pub(crate) acked_end: u64,
    submitted: Option<Ticket>,
    acked: Option<Ticket>,
    waiting: Waiting,
}

/// What was submitted to a route and is not acknowledged.
#[derive(Clone, Debug, Default)]
struct Waiting {
    /// Tickets and bytes.
    records: VecDeque<(Ticket, usize)>,
    bytes: usize,
}

impl Waiting {
    fn submit(&mut self, ticket: Ticket, record: &Outgoing<'_>) {
        let length = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
        let bytes = length(record.key) + length(record.value) + record.headers.bytes().len();
        self.records.push_back((ticket, bytes));
        self.bytes += bytes;
    }

    /// An acknowledgement stands for everything that was submitted before it, too.
    fn settle(&mut self, settled: Ticket) {
        while let Some((_, bytes)) = self.records.pop_front_if(|(ticket, _)| *ticket <= settled) {
            self.bytes -= bytes;
        }
    }
}

/// All output partitions, and the topic of versions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outputs {
    pub(crate) lanes: Vec<OutLane>,
    /// Each topic's first lane and how many there are, in the order of [`OUT_TOPICS`], which is
    /// that of the topics' own numbers.
    of_topic: [(usize, usize); OUT_TOPICS.len()],
    models: Option<(Route, Option<Ticket>, Option<Ticket>)>,
    models_waiting: Waiting,
}

impl OutLane {
    pub(crate) fn new(topic: OutTopic, partition: u32, route: Route) -> OutLane {
        OutLane {
            topic,
            partition,
            route,
            found: OutPair::default(),
            held: OutPair::default(),
            acked_end: 0,
            submitted: None,
            acked: None,
            waiting: Waiting::default(),
        }
    }
}

impl Outputs {
    pub(crate) fn new(lanes: Vec<OutLane>, models: Route) -> Outputs {
        let models = Some((models, None, None));
        let mut outputs = Outputs { lanes, models, ..Outputs::default() };
        outputs.find_topics();
        outputs
    }

    fn find_topics(&mut self) {
        let lanes = &self.lanes;
        self.of_topic = OUT_TOPICS.map(|topic| {
            let first = lanes.iter().position(|lane| lane.topic == topic).unwrap_or_default();
            (first, lanes.iter().filter(|lane| lane.topic == topic).count())
        });
    }

    /// The pairs a manifest holds.
    pub(crate) fn states(&self) -> Vec<OutState> {
        let state = |lane: &OutLane| OutState {
            topic: lane.topic.name().into(),
            partition: lane.partition,
            pair: lane.held,
        };
        self.lanes.iter().map(state).collect()
    }

    /// Takes the pairs of a manifest. A partition that was added to one of the topics since is left
    /// alone: were it used, outputs would go elsewhere than those before them, and what was
    /// released there would be released once more.
    pub(crate) fn restore(&mut self, states: &[OutState]) {
        let is_known = |lane: &OutLane| {
            let mut of_topic = states.iter().filter(|s| s.topic == lane.topic.name()).peekable();
            of_topic.peek().is_none() || of_topic.any(|s| s.partition == lane.partition)
        };
        self.lanes.retain(is_known);
        self.find_topics();
        for lane in &mut self.lanes {
            let names =
                |s: &&OutState| s.topic == lane.topic.name() && s.partition == lane.partition;
            lane.found = states.iter().find(names).map_or(OutPair::default(), |s| s.pair);
            lane.held = lane.found;
        }
    }

    /// The acknowledged ends, to go with a record of control that is being submitted.
    pub(crate) fn acked_ends(&self) -> Vec<u64> {
        self.lanes.iter().map(|lane| lane.acked_end).collect()
    }

    /// A record of our own term is being learned: from now on manifests say that below the ends at
    /// its submission there is nothing beyond the step before it.
    pub(crate) fn hold(&mut self, ends: &[u64], step: u64) {
        for (lane, end) in self.lanes.iter_mut().zip(ends) {
            lane.held = OutPair { offset: *end, greatest: (step, u32::MAX) };
        }
    }

    /// Takes an acknowledgement, if it is one of an output.
    pub(crate) fn settle(&mut self, settled: &Settled) {
        if let Some((route, _, acked)) = &mut self.models
            && *route == settled.route
        {
            *acked = Some(settled.ticket);
            self.models_waiting.settle(settled.ticket);
        }
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.route == settled.route) {
            lane.acked = Some(settled.ticket);
            lane.acked_end = settled.offset + 1;
            lane.waiting.settle(settled.ticket);
        }
    }

    /// The last ticket of each route, for [`Outputs::acked_up_to`].
    pub(crate) fn submitted(&self) -> Vec<Option<Ticket>> {
        let models = self.models.and_then(|(_, submitted, _)| submitted);
        self.lanes.iter().map(|lane| lane.submitted).chain([models]).collect()
    }

    /// Whether everything up to those tickets is acknowledged.
    pub(crate) fn acked_up_to(&self, tickets: &[Option<Ticket>]) -> bool {
        let models = self.models.and_then(|(_, _, acked)| acked);
        let acked = self.lanes.iter().map(|lane| lane.acked).chain([models]);
        acked.zip(tickets).all(|(acked, ticket)| acked >= *ticket)
    }

    /// Whether everything submitted is acknowledged.
    pub(crate) fn all_acked(&self) -> bool {
        self.acked_up_to(&self.submitted())
    }

    /// How many bytes were submitted and are not acknowledged.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.lanes.iter().map(|lane| lane.waiting.bytes).sum::<usize>() + self.models_waiting.bytes
    }

    /// Releases what came of a step, as far as it was not released before.
    pub(crate) fn release(&mut self, appender: &mut dyn Appender, effects: &Effects, now: Time) {
        for output in &effects.outputs {
            let Some(lane) = self.lane(output.topic, output.partition) else { continue };
            let OutKey { step, ordinal } = output.order;
            let (was_step, was_ordinal) = lane.found.greatest;
            if (step, ordinal) <= lane.found.greatest && !planted(Bug::ReleaseAll) {
                continue;
            }
            let is_next = step == was_step + 1 && was_step > 0
                || step == was_step && ordinal == was_ordinal + 1;
            if is_next && planted(Bug::SkipOne) {
                continue;
            }
            let record = Outgoing {
                time: now,
                key: output.key.map(|part| effects.part(part)),
                value: Some(effects.part(output.value)),
                headers: effects.headers(output),
            };
            let ticket = appender.submit(lane.route, record);
            lane.submitted = Some(ticket);
            lane.waiting.submit(ticket, &record);
        }
        if let Some((route, submitted, _)) = &mut self.models {
            for record in &effects.models {
                let outgoing = Outgoing {
                    time: now,
                    key: Some(record.key.as_bytes()),
                    value: record.value.as_deref(),
                    headers: alluvium_flow::Headers::default(),
                };
                let ticket = appender.submit(*route, outgoing);
                *submitted = Some(ticket);
                self.models_waiting.submit(ticket, &outgoing);
            }
        }
    }

    /// The output partition for a partition of an input.
    fn lane(&mut self, topic: OutTopic, partition: u32) -> Option<&mut OutLane> {
        let (first, count) = self.of_topic[topic as usize];
        self.lanes.get_mut(first + (partition as usize).checked_rem(count)?)
    }
}

/// The value of the header `order`: `<step>.<ordinal>.<control offset of the cut>`.
pub(super) fn parse_order(value: &[u8]) -> Option<(OutKey, u64)> {
    let mut parts = std::str::from_utf8(value).ok()?.split('.');
    let (step, ordinal) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((OutKey { step, ordinal }, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(predictions: u32) -> Outputs {
        let lane = |partition| OutLane::new(OutTopic::Predictions, partition, Route(partition));
        let mut lanes: Vec<OutLane> = (0..predictions).map(lane).collect();
        lanes.push(OutLane::new(OutTopic::DeadLetters, 0, Route(100)));
        Outputs::new(lanes, Route(101))
    }

    /// An input partition's outputs stay where those before them are.
    #[test]
    fn a_partition_that_was_added_to_an_output_is_left_alone() {
        let mut before = outputs(2);
        before.hold(&[5, 5, 5], 9);
        let mut after = outputs(3);
        after.restore(&before.states());
        let lanes: Vec<Option<u32>> = (0..4)
            .map(|partition| after.lane(OutTopic::Predictions, partition).map(|l| l.partition))
            .collect();
        assert_eq!(lanes, [Some(0), Some(1), Some(0), Some(1)]);
        assert_eq!(after.states(), before.states(), "and the next manifest says the same");
        assert!(after.lane(OutTopic::DeadLetters, 0).is_some());
    }

    #[test]
    fn what_waits_is_counted_until_it_is_acknowledged() {
        let mut waiting = Waiting::default();
        let headers = alluvium_flow::Headers::default();
        for ticket in 0..5 {
            let record = Outgoing { time: 0, key: Some(b"k"), value: Some(b"val"), headers };
            waiting.submit(ticket, &record);
        }
        assert_eq!(waiting.bytes, 20);
        waiting.settle(2);
        assert_eq!(waiting.bytes, 8);
        waiting.settle(4);
        assert_eq!((waiting.bytes, waiting.records.len()), (0, 0));
    }
}
