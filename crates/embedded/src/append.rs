//! Appending, the caller's side: records are laid into blocks as they come, and while one load of
//! blocks is being committed by the session's thread, the next fills.

use std::{
    collections::VecDeque,
    mem,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    },
    thread::{self, JoinHandle},
};

use alluvium_ledger::log::{Appender, LogError, Outgoing, Policy, Route, Settled, Ticket};

use crate::{
    block::{Block, Entry},
    commit::{Committer, Lane, Load},
    store::{Place, Store},
};

/// The largest record: key, value and headers, in bytes.
const RECORD_BYTES_MAX: u64 = 64 << 20;
/// When so many bytes wait for the commit under way, a poll waits for it too.
const WAITING_BYTES_MAX: usize = 16 << 20;
/// Empty blocks that are kept for the next records.
const SPARE_BLOCKS_MAX: usize = 128;
/// A larger empty block is not kept.
const SPARE_BYTES_MAX: usize = 1 << 20;

/// A session of appends.
pub(crate) struct Session {
    store: Arc<Store>,
    routes: Vec<Filling>,
    next_ticket: Ticket,
    /// Bytes handed over and not yet sent to the thread.
    waiting_bytes: usize,
    spare: Vec<Block>,
    ended: Option<LogError>,
    /// Whether the thread has a load.
    busy: bool,
    to_thread: Option<SyncSender<Load>>,
    from_thread: Receiver<Result<Load, LogError>>,
    thread: Option<JoinHandle<()>>,
}

/// A route, and what was handed over for it since the last load.
struct Filling {
    place: Place,
    compacted: bool,
    blocks: VecDeque<Block>,
    last_ticket: Ticket,
}

impl Session {
    pub(crate) fn new(store: Arc<Store>) -> Result<Session, LogError> {
        let (to_thread, loads) = sync_channel::<Load>(1);
        let (results, from_thread) = sync_channel(1);
        let mut committer = Committer::new(store.clone());
        let work = move || {
            for mut load in loads {
                let result = committer.commit(&mut load).map(|()| load);
                if results.send(result).is_err() {
                    return; // The session is gone.
                }
            }
        };
        let thread =
            thread::Builder::new().name("log-append".to_owned()).spawn(work).map_err(|error| {
                LogError::Unavailable(format!("starting the appending thread failed: {error}"))
            })?;
        Ok(Session {
            store,
            routes: Vec::new(),
            next_ticket: 0,
            waiting_bytes: 0,
            spare: Vec::new(),
            ended: None,
            busy: false,
            to_thread: Some(to_thread),
            from_thread,
            thread: Some(thread),
        })
    }

    /// Takes what the thread has finished, if it has; waits for it when told to.
    fn collect(&mut self, wait: bool, settled: &mut Vec<Settled>) {
        if !self.busy {
            return;
        }
        let result = if wait {
            self.from_thread.recv().map_err(|_| TryRecvError::Disconnected)
        } else {
            self.from_thread.try_recv()
        };
        match result {
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => {
                self.end(LogError::SessionEnded("the appending thread stopped".to_owned()));
            }
            Ok(Err(error)) => self.end(LogError::SessionEnded(error.to_string())),
            Ok(Ok(load)) => {
                self.busy = false;
                for lane in load.lanes {
                    let Lane { route, last_ticket: ticket, next, blocks, .. } = lane;
                    settled.push(Settled { route, ticket, offset: next - 1 });
                    blocks.into_iter().for_each(|block| self.keep(block));
                }
            }
        }
    }

    fn keep(&mut self, mut block: Block) {
        if self.spare.len() < SPARE_BLOCKS_MAX && block.capacity() <= SPARE_BYTES_MAX {
            block.clear(false);
            self.spare.push(block);
        }
    }

    fn end(&mut self, error: LogError) {
        self.busy = false;
        self.waiting_bytes = 0;
        for filling in &mut self.routes {
            filling.blocks.clear();
        }
        self.ended.get_or_insert(error);
    }

    /// Gives the thread all that waits.
    fn send(&mut self) {
        let mut lanes = Vec::new();
        for (index, filling) in self.routes.iter_mut().enumerate() {
            if !filling.blocks.is_empty() {
                lanes.push(Lane {
                    route: Route(index as u32),
                    place: filling.place,
                    compacted: filling.compacted,
                    blocks: mem::take(&mut filling.blocks),
                    last_ticket: filling.last_ticket,
                    next: 0,
                });
            }
        }
        self.waiting_bytes = 0;
        self.busy = true;
        let sent = self.to_thread.as_ref().map(|thread| thread.send(Load { lanes }));
        if !matches!(sent, Some(Ok(()))) {
            self.end(LogError::SessionEnded("the appending thread stopped".to_owned()));
        }
    }

    /// Lays a record into its route's last block, or a new one.
    fn lay(&mut self, route: Route, entry: &Entry<'_>) -> Result<(), LogError> {
        let bytes = entry.bytes() as u64;
        if bytes > RECORD_BYTES_MAX {
            return Err(LogError::TooLarge { bytes, bytes_max: RECORD_BYTES_MAX });
        }
        let Some(filling) = self.routes.get_mut(route.0 as usize) else {
            return Err(LogError::SessionEnded(format!("there is no route {}", route.0)));
        };
        if filling.compacted && entry.key.is_none() {
            let why = "a record of a compacted topic had no key";
            return Err(LogError::SessionEnded(why.to_owned()));
        }
        if filling.blocks.back().is_none_or(|block| !block.fits(entry)) {
            filling.blocks.push_back(self.spare.pop().unwrap_or_default());
        }
        if let Some(block) = filling.blocks.back_mut() {
            block.push(entry);
        }
        filling.last_ticket = self.next_ticket;
        // What the record costs beside its bytes, so that many empty ones count as well.
        self.waiting_bytes += entry.bytes() + 16;
        Ok(())
    }
}

impl Appender for Session {
    fn route(&mut self, topic: &str, partition: u32) -> Result<Route, LogError> {
        let (found, place) = {
            let txn = self.store.read()?;
            self.store.place(&txn, topic, partition)?
        };
        let known = self.routes.iter().position(|filling| filling.place == place);
        let index = known.unwrap_or_else(|| {
            self.routes.push(Filling {
                place,
                compacted: found.policy == Policy::Compact,
                blocks: VecDeque::new(),
                last_ticket: 0,
            });
            self.routes.len() - 1
        });
        Ok(Route(index as u32))
    }

    /// A record larger than 64 MiB ends the session: every later poll says
    /// [`LogError::TooLarge`], for it would be refused again.
    fn submit(&mut self, route: Route, record: Outgoing<'_>) -> Ticket {
        let ticket = self.next_ticket;
        if self.ended.is_none() {
            let Outgoing { time, key, value, headers } = record;
            let laid = self.lay(route, &Entry { passed_over: 0, time, key, value, headers });
            if let Err(error) = laid {
                self.ended = Some(error);
            }
        }
        self.next_ticket += 1;
        ticket
    }

    /// One entry for each route and commit, with the last ticket. Waits for the commit under way
    /// when 16 MiB wait behind it: a caller that polls often enough is slowed down, and memory is
    /// bounded.
    fn poll(&mut self, settled: &mut Vec<Settled>) -> Result<(), LogError> {
        let wait = self.waiting_bytes > WAITING_BYTES_MAX && self.ended.is_none();
        self.collect(wait, settled);
        if let Some(error) = &self.ended {
            return Err(error.clone());
        }
        if !self.busy && self.waiting_bytes > 0 {
            self.send();
        }
        Ok(())
    }
}

impl Drop for Session {
    /// Waits for the commit under way, so that nothing lands later.
    fn drop(&mut self) {
        self.to_thread = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by the thread itself, and nothing was acknowledged.
            drop(thread.join());
        }
    }
}
