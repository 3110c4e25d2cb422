//! The world behind all clients: topics, sessions whose records are under way, and what happens
//! when nobody looks.

mod decay;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    rc::Rc,
};

use alluvium_flow::Headers;
use alluvium_learn::Time;
use alluvium_ledger::log::{LogError, Outgoing, Policy, Route, Settled, Ticket};

use super::{Faults, Watch};
use crate::random::{Random, mix};

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) time: Time,
    pub(crate) key: Option<Box<[u8]>>,
    pub(crate) value: Option<Box<[u8]>>,
    pub(crate) headers: Box<[u8]>,
}

impl Kept {
    pub(crate) fn new(record: &Outgoing<'_>) -> Kept {
        Kept {
            time: record.time,
            key: record.key.map(Into::into),
            value: record.value.map(Into::into),
            headers: record.headers.bytes().into(),
        }
    }

    pub(crate) fn headers(&self) -> Headers<'_> {
        Headers::new(&self.headers)
    }
}

/// A record that has landed, kept for the oracle whatever becomes of it in the log.
#[derive(Clone, Debug)]
pub(crate) struct Landed {
    pub(crate) offset: u64,
    pub(crate) record: Rc<Kept>,
    /// Whose it is; `None`: an outsider's.
    pub(crate) session: Option<usize>,
}

#[derive(Debug, Default)]
pub(crate) struct Partition {
    pub(crate) earliest: u64,
    pub(crate) next: u64,
    pub(crate) records: BTreeMap<u64, Rc<Kept>>,
    pub(crate) history: Vec<Landed>,
}

pub(crate) struct Topic {
    pub(crate) name: Rc<str>,
    pub(crate) id: u128,
    pub(crate) policy: Policy,
    pub(crate) partitions: Vec<Partition>,
}

/// Records of one session for one partition.
pub(crate) struct Way {
    pub(crate) topic: usize,
    pub(crate) partition: usize,
    pub(crate) queue: VecDeque<(Ticket, Rc<Kept>)>,
    pub(crate) acks: VecDeque<Settled>,
    slow: bool,
}

#[derive(Default)]
pub(crate) struct Session {
    pub(crate) client: usize,
    /// A record has failed: nothing is acknowledged any more.
    pub(crate) ended: bool,
    /// Its owner is gone or has let it go.
    pub(crate) abandoned: bool,
    pub(crate) ways: Vec<Way>,
    pub(crate) next_ticket: Ticket,
    /// Where every partition ended when the first acknowledgement was handed over.
    pub(crate) first_ack: Option<Vec<Vec<u64>>>,
}

#[derive(Default)]
struct Client {
    dead: bool,
    /// Dies when it has submitted so many more.
    submits_left: Option<u64>,
}

pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) faults: Faults,
    pub(crate) topics: Vec<Topic>,
    pub(crate) sessions: Vec<Session>,
    clients: Vec<Client>,
    /// Sessions and ways with records under way.
    busy: Vec<(usize, usize)>,
    leases: Vec<(String, usize)>,
    leases_asked: usize,
    /// Looks at the state topic as a reader would.
    pub(crate) watch: Option<Watch>,
    /// What may expire although somebody needs it.
    pub(crate) lossy: bool,
    /// Something needed has expired.
    pub(crate) lost: bool,
    /// A digest of everything that has landed.
    pub(crate) trace: u64,
    pub(crate) landed: u64,
    /// What landed, in words, if anybody wants to know.
    pub(crate) tell: bool,
    pub(crate) told: Vec<String>,
}

impl World {
    pub(crate) fn new(seed: u64, faults: Faults) -> World {
        World {
            random: Random::new(seed ^ 0x5157_0f1d_a21e_77c3),
            faults,
            topics: Vec::new(),
            sessions: Vec::new(),
            clients: Vec::new(),
            busy: Vec::new(),
            leases: Vec::new(),
            leases_asked: 0,
            watch: None,
            lossy: false,
            lost: false,
            trace: seed,
            landed: 0,
            tell: false,
            told: Vec::new(),
        }
    }

    // ------------------------------------------------------------------ clients

    pub(crate) fn add_client(&mut self) -> usize {
        self.clients.push(Client::default());
        self.clients.len() - 1
    }

    /// A process dies: nothing it says from here on is heard.
    pub(crate) fn kill(&mut self, client: usize) {
        self.clients[client].dead = true;
        for session in 0..self.sessions.len() {
            if self.sessions[session].client == client {
                self.sessions[session].abandoned = true;
                self.orphan(session);
            }
        }
    }

    /// Some of what a session had under way when it ended stays under way for long: it lands when
    /// the successor has long read how far the outputs go.
    fn orphan(&mut self, session: usize) {
        for way in &mut self.sessions[session].ways {
            way.slow |= !way.queue.is_empty() && self.random.chance(self.faults.slow);
        }
    }

    pub(crate) fn is_dead(&self, client: usize) -> bool {
        self.clients[client].dead
    }

    /// The process will die between two of its appends.
    pub(crate) fn kill_after(&mut self, client: usize, submits: u64) {
        self.clients[client].submits_left = Some(submits);
    }

    /// Every call begins here: something may happen first, or nobody be reached.
    pub(crate) fn call(&mut self, client: usize) -> Result<(), LogError> {
        if self.clients[client].dead {
            return Err(LogError::Unavailable("this process is dead".into()));
        }
        while self.random.chance(self.faults.meanwhile) {
            self.happen();
        }
        if self.random.chance(self.faults.unavailable) {
            return Err(LogError::Unavailable("nobody answers".into()));
        }
        Ok(())
    }

    // ------------------------------------------------------------------ topics

    pub(crate) fn find(&self, topic: &str) -> Option<usize> {
        self.topics.iter().position(|found| *found.name == *topic)
    }

    pub(crate) fn create(&mut self, name: &str, partitions: u32, policy: Policy) {
        if self.find(name).is_some() {
            return;
        }
        let id = u128::from(self.random.bits()) << 64 | u128::from(self.random.bits());
        let partitions = (0..partitions).map(|_| Partition::default()).collect();
        self.topics.push(Topic { name: name.into(), id, policy, partitions });
    }

    pub(crate) fn partition(&self, topic: &str, partition: usize) -> Option<&Partition> {
        self.topics[self.find(topic)?].partitions.get(partition)
    }

    /// Appends at once, as an outsider.
    pub(crate) fn append(&mut self, topic: usize, partition: usize, record: Kept) -> u64 {
        self.put(topic, partition, Rc::new(record), None)
    }

    fn put(
        &mut self,
        topic: usize,
        partition: usize,
        record: Rc<Kept>,
        session: Option<usize>,
    ) -> u64 {
        let gap = if self.random.chance(self.faults.gaps) { self.random.between(1, 3) } else { 0 };
        let found = &mut self.topics[topic].partitions[partition];
        let offset = found.next;
        found.next += 1 + gap;
        found.records.insert(offset, record.clone());
        let sum = |part: &[u8]| part.iter().fold(0, |sum, byte| mix(sum, u64::from(*byte)));
        let place = (topic as u64) << 48 | (partition as u64) << 40 | offset;
        let key = record.key.as_deref().map_or(0, sum);
        self.trace = mix(mix(mix(self.trace, place), key), sum(&record.headers));
        self.landed += 1;
        if self.tell {
            self.tell(topic, partition, offset, &record, session);
        }
        if let Some(watch) = &mut self.watch {
            watch.landed(&self.topics[topic].name, &record);
        }
        self.topics[topic].partitions[partition].history.push(Landed { offset, record, session });
        offset
    }

    fn tell(
        &mut self,
        topic: usize,
        partition: usize,
        offset: u64,
        record: &Kept,
        session: Option<usize>,
    ) {
        let text = |bytes: &[u8]| -> String {
            let whole = String::from_utf8_lossy(bytes);
            // Settings are long, and all that differs is their end.
            let shown = match whole.find("\"learned\"").zip(whole.find("\"runs\"")) {
                Some((from, to)) => format!("{}...{}", &whole[..from], &whole[to..]),
                None => whole.into_owned(),
            };
            shown.chars().filter(|c| !c.is_control()).take(400).collect()
        };
        let by = session.map_or("an outsider".to_string(), |number| {
            let found = &self.sessions[number];
            let late = if found.abandoned || found.ended { " LATE" } else { "" };
            format!("client {} session {number}{late}", found.client)
        });
        let order = record.headers().get("order").map(text).unwrap_or_default();
        self.told.push(format!(
            "{}:{partition}@{offset} by {by}: {} {order} {}",
            self.topics[topic].name,
            record.key.as_deref().map(text).unwrap_or_default(),
            record.value.as_deref().map_or("(tombstone)".into(), text),
        ));
    }

    // ------------------------------------------------------------------ sessions

    pub(crate) fn open_session(&mut self, client: usize) -> usize {
        self.sessions.push(Session { client, ..Session::default() });
        self.sessions.len() - 1
    }

    pub(crate) fn way(&mut self, session: usize, topic: usize, partition: usize) -> Route {
        let slow = self.random.chance(self.faults.slow);
        let ways = &mut self.sessions[session].ways;
        let is_it = |way: &Way| way.topic == topic && way.partition == partition;
        let index = ways.iter().position(is_it).unwrap_or_else(|| {
            let (queue, acks) = (VecDeque::new(), VecDeque::new());
            ways.push(Way { topic, partition, queue, acks, slow });
            ways.len() - 1
        });
        Route(index as u32)
    }

    pub(crate) fn submit(&mut self, session: usize, route: Route, record: Kept) -> Ticket {
        let found = &mut self.sessions[session];
        found.next_ticket += 1;
        let ticket = found.next_ticket;
        let client = &mut self.clients[found.client];
        match &mut client.submits_left {
            Some(0) => client.dead = true,
            Some(left) => *left -= 1,
            None => {}
        }
        if client.dead || found.ended {
            return ticket;
        }
        let way = &mut found.ways[route.0 as usize];
        if way.queue.is_empty() {
            self.busy.push((session, route.0 as usize));
        }
        way.queue.push_back((ticket, Rc::new(record)));
        ticket
    }

    /// One record of a session lands.
    pub(crate) fn land(&mut self, session: usize, way: usize) {
        let found = &mut self.sessions[session].ways[way];
        let (topic, partition) = (found.topic, found.partition);
        let Some((ticket, record)) = found.queue.pop_front() else { return };
        if found.queue.is_empty() {
            self.busy.retain(|busy| *busy != (session, way));
        }
        let offset = self.put(topic, partition, record, Some(session));
        let route = Route(way as u32);
        self.sessions[session].ways[way].acks.push_back(Settled { route, ticket, offset });
    }

    /// Everything of a session lands, in the order it was submitted.
    pub(crate) fn land_all(&mut self, session: usize) {
        for way in 0..self.sessions[session].ways.len() {
            while !self.sessions[session].ways[way].queue.is_empty() {
                self.land(session, way);
            }
        }
    }

    /// An append fails: the session is over, what is under way may land or not.
    pub(crate) fn end_session(&mut self, session: usize) {
        self.sessions[session].ended = true;
        self.orphan(session);
    }

    /// Whatever a way of a session still has under way is lost from some point on.
    pub(crate) fn lose_tail(&mut self, session: usize, way: usize) {
        let count = self.sessions[session].ways[way].queue.len();
        let keep = self.random.index(count + 1);
        self.sessions[session].ways[way].queue.truncate(keep);
        if keep == 0 {
            self.busy.retain(|busy| *busy != (session, way));
        }
    }

    /// Some session and way with records under way.
    pub(crate) fn some_busy(&mut self) -> Option<(usize, usize)> {
        if self.busy.is_empty() {
            return None;
        }
        // The newest are looked at more often: old ones are zombies' leftovers.
        let index = if self.random.chance(500) {
            self.busy.len() - 1 - self.random.index(self.busy.len().min(4))
        } else {
            self.random.index(self.busy.len())
        };
        Some(self.busy[index])
    }

    pub(crate) fn toggle_slow(&mut self, session: usize, way: usize) {
        let way = &mut self.sessions[session].ways[way];
        way.slow = !way.slow;
    }

    /// Nothing is slow any more, and nothing fails.
    pub(crate) fn calm_down(&mut self) {
        let (compaction, retention) = (self.faults.compaction, self.faults.retention);
        self.faults = Faults { compaction, retention, ..Faults::delays() };
        self.lossy = false;
        for session in &mut self.sessions {
            // Some of what zombies have under way comes when all is over.
            let is_late = session.abandoned && self.random.chance(500);
            session.ways.iter_mut().for_each(|way| way.slow = is_late);
        }
    }

    // ------------------------------------------------------------------ what happens

    /// Something happens: records land, a topic is compacted, old records expire.
    pub(crate) fn happen(&mut self) {
        if self.random.chance(self.faults.compaction) {
            self.compact();
        } else if self.random.chance(self.faults.retention) {
            self.expire();
        } else if let Some((session, way)) = self.some_busy() {
            if self.sessions[session].ways[way].slow && !self.random.chance(20) {
                return;
            }
            let count = self.random.between(1, 6).min(self.random.between(1, 6));
            for _ in 0..count {
                self.land(session, way);
            }
        }
    }

    /// Where every partition of every topic ends.
    pub(crate) fn all_ends(&self) -> Vec<Vec<u64>> {
        let ends = |topic: &Topic| topic.partitions.iter().map(|p| p.next).collect();
        self.topics.iter().map(ends).collect()
    }

    // ------------------------------------------------------------------ leases

    pub(crate) fn ask_for_lease(&mut self, pipeline: &str) -> usize {
        self.leases_asked += 1;
        self.leases.push((pipeline.to_string(), self.leases_asked));
        self.leases_asked
    }

    pub(crate) fn holds_lease(&self, number: usize) -> bool {
        let Some((pipeline, _)) = self.leases.iter().find(|(_, n)| *n == number) else {
            return false;
        };
        self.leases.iter().find(|(name, _)| name == pipeline).is_some_and(|(_, n)| *n == number)
    }

    pub(crate) fn let_lease_go(&mut self, number: usize) {
        self.leases.retain(|(_, n)| *n != number);
    }
}
