//! The virtual log: in memory, seeded, on one thread, and as unhelpful as a log may be.
//!
//! Several clients share one world. Appends land late, never, or after their owner's death;
//! acknowledgements come late; reads show less than there is; topics are compacted and old records
//! expire at any moment, also between two calls of one turn. What a log promises it keeps: each
//! route of a session lands in order, a prefix of what was submitted, and `ends` is exact.

mod reader;
mod session;
mod watch;
mod world;

use std::{cell::RefCell, rc::Rc};

use alluvium_learn::Time;
use alluvium_ledger::log::{
    Appender, Ends, Errand, Lease, Log, LogError, PartitionEnds, Policy, RecordReader, Span,
};

pub(crate) use self::{
    watch::Watch,
    world::{Kept, Landed, World},
};

/// What goes wrong, and how often: in thousandths of the calls or events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    /// Appends land, and are acknowledged, when the world turns, not at once.
    pub late: bool,
    /// The most records a read gives.
    pub batch_records_max: u64,
    /// Reads that show less than there is.
    pub stale: u32,
    /// Calls that fail as if nobody could be reached.
    pub unavailable: u32,
    /// Calls during which something else happens first.
    pub meanwhile: u32,
    /// Records that leave a gap of offsets behind them.
    pub gaps: u32,
    /// Of what happens in the background: compaction of a topic.
    pub compaction: u32,
    /// Of what happens in the background: old records that nobody needs any more expire.
    pub retention: u32,
    /// Routes of a new session whose records land rarely.
    pub slow: u32,
}

impl Faults {
    /// Nothing goes wrong, and everything happens at once.
    pub fn none() -> Faults {
        Faults {
            late: false,
            batch_records_max: 10_000,
            stale: 0,
            unavailable: 0,
            meanwhile: 0,
            gaps: 0,
            compaction: 0,
            retention: 0,
            slow: 0,
        }
    }

    /// Everything takes its time, and nothing fails: a log in good health.
    pub fn delays() -> Faults {
        Faults {
            late: true,
            batch_records_max: 7,
            stale: 300,
            meanwhile: 300,
            gaps: 50,
            compaction: 100,
            ..Faults::none()
        }
    }
}

/// A client of the world: what one process sees.
pub struct VirtualLog {
    world: Rc<RefCell<World>>,
    client: usize,
}

impl VirtualLog {
    /// The first client of a new world.
    pub fn new(seed: u64, faults: Faults) -> VirtualLog {
        let world = Rc::new(RefCell::new(World::new(seed, faults)));
        let client = world.borrow_mut().add_client();
        VirtualLog { world, client }
    }

    /// Another process on the same world.
    pub fn client(&self) -> VirtualLog {
        let client = self.world.borrow_mut().add_client();
        VirtualLog { world: self.world.clone(), client }
    }

    /// From now on other things go wrong.
    pub fn set_faults(&self, faults: Faults) {
        self.world.borrow_mut().faults = faults;
    }

    /// Lets something happen that nobody asked for: mostly, that appends land.
    pub fn turn_world(&self) {
        self.world.borrow_mut().happen();
    }

    /// Old records expire: everything of a partition below an offset.
    pub fn expire(&self, topic: &str, partition: usize, below: u64) {
        let mut world = self.world.borrow_mut();
        if let Some(topic) = world.find(topic) {
            world.drop_below(topic, partition, below);
        }
    }

    /// A partition loses its tail: what was acknowledged, and copied to nobody before its leader
    /// died.
    pub fn cut_off(&self, topic: &str, partition: usize, end: u64) {
        let mut world = self.world.borrow_mut();
        if let Some(topic) = world.find(topic) {
            world.truncate(topic, partition, end);
        }
    }

    /// A topic is deleted, and made again under its name.
    pub fn make_again(&self, topic: &str) {
        let mut world = self.world.borrow_mut();
        if let Some(topic) = world.find(topic) {
            world.make_again(topic);
        }
    }

    pub(crate) fn world(&self) -> std::cell::RefMut<'_, World> {
        self.world.borrow_mut()
    }

    pub(crate) fn number(&self) -> usize {
        self.client
    }
}

impl Log for VirtualLog {
    fn reader(&mut self, spans: &[Span]) -> Result<Box<dyn RecordReader>, LogError> {
        self.world.borrow_mut().call(self.client)?;
        Ok(Box::new(reader::VirtualReader::new(self.world.clone(), self.client, spans)?))
    }

    fn appender(&mut self) -> Result<Box<dyn Appender>, LogError> {
        self.world.borrow_mut().call(self.client)?;
        Ok(Box::new(session::VirtualAppender::new(self.world.clone(), self.client)))
    }

    fn ends(&mut self, topic: &str) -> Result<Option<Ends>, LogError> {
        let mut world = self.world.borrow_mut();
        world.call(self.client)?;
        let Some(topic) = world.find(topic) else { return Ok(None) };
        let topic = &world.topics[topic];
        let ends = |p: &world::Partition| PartitionEnds { earliest: p.earliest, stable: p.next };
        let partitions = topic.partitions.iter().map(ends).collect();
        Ok(Some(Ends { id: topic.id, policy: topic.policy, partitions }))
    }

    fn offsets_at(&mut self, topic: &str, time: Time) -> Result<Vec<u64>, LogError> {
        let mut world = self.world.borrow_mut();
        world.call(self.client)?;
        let index = world.find(topic).ok_or_else(|| LogError::NoTopic { topic: topic.into() })?;
        let first = |p: &world::Partition| {
            let found = p.records.iter().find(|(_, kept)| kept.time >= time);
            found.map_or(p.next, |(offset, _)| *offset)
        };
        Ok(world.topics[index].partitions.iter().map(first).collect())
    }

    fn create(&mut self, topic: &str, partitions: u32, policy: Policy) -> Result<(), LogError> {
        let mut world = self.world.borrow_mut();
        world.call(self.client)?;
        world.create(topic, partitions, policy);
        Ok(())
    }

    fn lease(&mut self, pipeline: &str, errand: Errand<'_>) -> Result<Box<dyn Lease>, LogError> {
        let mut world = self.world.borrow_mut();
        world.call(self.client)?;
        let number = match errand {
            Errand::Run => world.ask_for_lease(pipeline),
            Errand::Load { topic } => world.ask_for_lease(&format!("load {pipeline} {topic}")),
        };
        Ok(Box::new(VirtualLease { world: self.world.clone(), number }))
    }
}

/// The lease: held by whoever asked first and has not let go, unless the world says otherwise.
struct VirtualLease {
    world: Rc<RefCell<World>>,
    number: usize,
}

impl Lease for VirtualLease {
    fn held(&mut self) -> bool {
        self.world.borrow().holds_lease(self.number)
    }
}

impl Drop for VirtualLease {
    fn drop(&mut self) {
        if let Ok(mut world) = self.world.try_borrow_mut() {
            world.let_lease_go(self.number);
        }
    }
}
