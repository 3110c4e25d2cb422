//! Reading the virtual log.

use std::{cell::RefCell, rc::Rc};

use alluvium_flow::Batch;
use alluvium_ledger::log::{LogError, PartitionEnds, Polled, RecordReader, Span};

use super::World;

struct Place {
    topic: usize,
    partition: usize,
    next: u64,
    to: Option<u64>,
    paused: bool,
}

/// Reads spans, a few records at a time, from any of them.
pub(super) struct VirtualReader {
    world: Rc<RefCell<World>>,
    client: usize,
    places: Vec<Place>,
}

impl VirtualReader {
    pub(super) fn new(
        world: Rc<RefCell<World>>,
        client: usize,
        spans: &[Span],
    ) -> Result<VirtualReader, LogError> {
        let mut places = Vec::new();
        for span in spans {
            let missing = || LogError::NoTopic { topic: span.topic.to_string() };
            let topic = world.borrow().find(&span.topic).ok_or_else(missing)?;
            let partition = span.partition as usize;
            if partition >= world.borrow().topics[topic].partitions.len() {
                return Err(missing());
            }
            let (next, to) = (span.from, span.to);
            places.push(Place { topic, partition, next, to, paused: false });
        }
        Ok(VirtualReader { world, client, places })
    }
}

impl RecordReader for VirtualReader {
    fn poll(&mut self, into: &mut Batch) -> Result<Polled, LogError> {
        let world = &mut *self.world.borrow_mut();
        into.clear();
        world.call(self.client)?;
        let count = self.places.len();
        let first = world.random.index(count);
        for turn in 0..count {
            let index = (first + turn) % count;
            let place = &mut self.places[index];
            if !place.paused && read(place, world, into)? {
                into.span = index;
                into.next = place.next;
                return Ok(Polled::Records);
            }
        }
        Ok(Polled::Nothing)
    }

    fn pause(&mut self, span: usize, paused: bool) {
        self.places[span].paused = paused;
    }
}

/// Moves a place on, if it can be moved.
fn read(place: &mut Place, world: &mut World, into: &mut Batch) -> Result<bool, LogError> {
    let to = place.to.unwrap_or(u64::MAX);
    if place.next >= to {
        return Ok(false);
    }
    let (random, faults) = (&mut world.random, &world.faults);
    let topic = &world.topics[place.topic];
    let partition = &topic.partitions[place.partition];
    if place.next < partition.earliest || place.next > partition.next {
        return Err(LogError::OutOfRange {
            topic: topic.name.to_string(),
            partition: place.partition as u32,
            offset: place.next,
            ends: PartitionEnds { earliest: partition.earliest, stable: partition.next },
        });
    }
    let mut end = partition.next.min(to);
    if random.chance(faults.stale) {
        end = place.next + random.below(end - place.next + 1);
    }
    if place.next == end {
        return Ok(false);
    }
    let most = random.between(1, faults.batch_records_max) as usize;
    for (offset, record) in partition.records.range(place.next..end).take(most) {
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        into.push(*offset, record.time, key, value, record.headers());
    }
    place.next = match into.metas().last() {
        Some(meta) if into.len() == most => meta.offset + 1,
        _ => end,
    };
    Ok(true)
}
