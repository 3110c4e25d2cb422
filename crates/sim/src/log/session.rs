//! A session of appends in the virtual log.

use std::{cell::RefCell, rc::Rc};

use alluvium_ledger::log::{Appender, LogError, Outgoing, Route, Settled, Ticket};

use super::{Kept, World};

/// The hand that appends; the records under way outlive it.
pub(super) struct VirtualAppender {
    world: Rc<RefCell<World>>,
    client: usize,
    session: usize,
}

impl VirtualAppender {
    pub(super) fn new(world: Rc<RefCell<World>>, client: usize) -> VirtualAppender {
        let session = world.borrow_mut().open_session(client);
        VirtualAppender { world, client, session }
    }
}

impl Appender for VirtualAppender {
    fn route(&mut self, topic: &str, partition: u32) -> Result<Route, LogError> {
        let mut world = self.world.borrow_mut();
        let missing = || LogError::NoTopic { topic: topic.into() };
        let index = world.find(topic).ok_or_else(missing)?;
        let partition = partition as usize;
        if partition >= world.topics[index].partitions.len() {
            return Err(missing());
        }
        Ok(world.way(self.session, index, partition))
    }

    fn submit(&mut self, route: Route, record: Outgoing<'_>) -> Ticket {
        self.world.borrow_mut().submit(self.session, route, Kept::new(&record))
    }

    fn poll(&mut self, settled: &mut Vec<Settled>) -> Result<(), LogError> {
        let world = &mut *self.world.borrow_mut();
        let ended = |world: &World| world.sessions[self.session].ended;
        let over = || LogError::SessionEnded("an append failed".into());
        if world.is_dead(self.client) || ended(world) {
            return Err(over());
        }
        if world.faults.late {
            if world.random.chance(world.faults.meanwhile) {
                world.happen();
            }
        } else {
            world.land_all(self.session);
        }
        let late = world.faults.late;
        let before = settled.len();
        for way in 0..world.sessions[self.session].ways.len() {
            let there = world.sessions[self.session].ways[way].acks.len();
            let count = if late { world.random.index(there + 1) } else { there };
            settled.extend(world.sessions[self.session].ways[way].acks.drain(..count));
        }
        if settled.len() > before && world.sessions[self.session].first_ack.is_none() {
            world.sessions[self.session].first_ack = Some(world.all_ends());
        }
        if world.random.chance(world.faults.unavailable) {
            world.end_session(self.session);
            return Err(over());
        }
        Ok(())
    }
}

impl Drop for VirtualAppender {
    fn drop(&mut self) {
        if let Ok(mut world) = self.world.try_borrow_mut() {
            world.sessions[self.session].abandoned = true;
        }
    }
}
