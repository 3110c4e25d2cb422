//! Reads a log from beside the keeper: whole stretches, and what they say. Writes nothing but
//! requests.
//!
//! The port never blocks; whoever reads here says how to wait for a log that has nothing yet.

use alluvium_flow::{Batch, Decision, Headers, Record};
use alluvium_learn::Time;

use crate::{
    control::{Control, digest_of},
    log::{Log, LogError, Outgoing, Polled, RecordReader, Span},
    manifest::{Manifest, Sections, StateKey},
    state::Scan,
};

/// How often a request is handed over again whose session has failed.
const ASK_AGAIN: u32 = 3;

/// A stretch of one partition that is being read to its end.
pub struct Stretch {
    reader: Box<dyn RecordReader>,
    /// The next offset.
    pub next: u64,
    /// Where it ends.
    pub to: u64,
}

impl Stretch {
    /// Opens a stretch.
    ///
    /// # Errors
    /// When the topic is not there or the log cannot be reached.
    pub fn open(
        log: &mut dyn Log,
        topic: &str,
        partition: u32,
        from: u64,
        to: u64,
    ) -> Result<Stretch, LogError> {
        let span = Span { topic: topic.into(), partition, from, to: Some(to) };
        Ok(Stretch { reader: log.reader(&[span])?, next: from, to })
    }

    /// Reads on; `None` when the end is reached.
    ///
    /// # Errors
    /// When the log fails, or what comes next has expired.
    pub fn read(&mut self, batch: &mut Batch) -> Result<Option<Polled>, LogError> {
        batch.clear();
        if self.next >= self.to {
            return Ok(None);
        }
        let polled = self.reader.poll(batch)?;
        if polled == Polled::Records {
            self.next = batch.next;
        }
        Ok(Some(polled))
    }
}

/// The newest manifest, and the state it names.
#[derive(Clone, Debug)]
pub struct Newest {
    /// The manifest.
    pub manifest: Manifest,
    /// When it was written, by the clock of whoever wrote it.
    pub time: Time,
    /// The state.
    pub sections: Sections,
}

/// Somebody who looks into a log.
pub struct Observer<'a> {
    /// The log.
    pub log: &'a mut dyn Log,
    /// Called when the log has nothing yet, with how many times in a row that was: waits a little,
    /// and says whether to go on waiting.
    pub idle: &'a mut dyn FnMut(u32) -> bool,
}

impl Observer<'_> {
    /// Calls `each` with every record of a stretch, in order.
    ///
    /// # Errors
    /// When the log fails, or part of the stretch has expired.
    pub fn each(
        &mut self,
        topic: &str,
        partition: u32,
        from: u64,
        to: u64,
        mut each: impl FnMut(Record<'_>),
    ) -> Result<(), LogError> {
        let mut stretch = Stretch::open(self.log, topic, partition, from, to)?;
        let (mut batch, mut still) = (Batch::new(), 0);
        while let Some(polled) = stretch.read(&mut batch)? {
            match polled {
                Polled::Nothing => {
                    still += 1;
                    if !(self.idle)(still) {
                        let why = format!("nothing comes of {topic}:{partition}:{}", stretch.next);
                        return Err(LogError::Unavailable(why));
                    }
                }
                Polled::Records => {
                    still = 0;
                    batch.iter().for_each(&mut each);
                }
            }
        }
        Ok(())
    }

    /// The newest manifest all of whose pages are what they were. `None`: there is none.
    ///
    /// A keeper may be writing meanwhile, and delete what is being read: then it is looked for
    /// again, as long as the topic grows.
    ///
    /// # Errors
    /// When the log fails.
    pub fn newest(&mut self, topic: &str) -> Result<Option<Newest>, LogError> {
        loop {
            let Some(ends) = self.log.ends(topic)? else { return Ok(None) };
            let (from, to) = (ends.partitions[0].earliest, ends.partitions[0].stable);
            let mut scan = Scan::default();
            self.each(topic, 0, from, to, |record| scan.take(&record))?;
            if scan.is_of_later_release() {
                let why = "a later release of alluvium has written the newest state";
                return Err(LogError::Denied(why.into()));
            }
            let mut candidates = scan.ranked();
            while let Some((manifest, time)) = candidates.pop() {
                if let Some(sections) = self.load(topic, &scan, &manifest)? {
                    return Ok(Some(Newest { manifest, time, sections }));
                }
            }
            let now = self.log.ends(topic)?.map_or(0, |ends| ends.partitions[0].stable);
            if now <= to {
                return Ok(None);
            }
        }
    }

    fn load(
        &mut self,
        topic: &str,
        scan: &Scan,
        manifest: &Manifest,
    ) -> Result<Option<Sections>, LogError> {
        let (from, to) = scan.stretch(manifest);
        let mut pages = std::collections::BTreeMap::new();
        let read = self.each(topic, 0, from, to, |record| {
            let Some(key) = record.key.and_then(StateKey::decode) else { return };
            if let (Some(value), true) = (record.value, manifest.names(key)) {
                pages.insert(key, value.to_vec());
            }
        });
        match read {
            Ok(()) => Ok(manifest.verified(&pages)),
            Err(LogError::OutOfRange { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks for a decision: it acts when a writer adopts it. Returns the request's offset.
    ///
    /// # Errors
    /// When there is no such control topic, or the log fails.
    pub fn ask(
        &mut self,
        control: &str,
        ask: Decision,
        by: &str,
        now: Time,
    ) -> Result<u64, LogError> {
        let asked = serde_json::to_string(&ask).unwrap_or_default();
        let id = Some(digest_of(format!("{by} {now} {asked}").as_bytes()));
        let bytes = Control::Request { ask, by: by.into(), id }.encode();
        let mut left = ASK_AGAIN;
        loop {
            match self.append(control, &bytes, now) {
                // Whether it has landed is not known: by the same name it is taken once.
                Err(LogError::SessionEnded(_)) if left > 0 => left -= 1,
                asked => return asked,
            }
        }
    }

    fn append(&mut self, control: &str, bytes: &[u8], now: Time) -> Result<u64, LogError> {
        let mut appender = self.log.appender()?;
        let route = appender.route(control, 0)?;
        let record =
            Outgoing { time: now, key: None, value: Some(bytes), headers: Headers::default() };
        let ticket = appender.submit(route, record);
        let (mut settled, mut still) = (Vec::new(), 0);
        loop {
            appender.poll(&mut settled)?;
            if let Some(settled) = settled.iter().find(|settled| settled.ticket == ticket) {
                return Ok(settled.offset);
            }
            still += 1;
            if !(self.idle)(still) {
                let why = "it does not say whether it took the request; look at the status before \
                           asking again";
                return Err(LogError::Unavailable(why.into()));
            }
        }
    }

    /// The stable ends and beginnings of a topic's partitions; none if there is no such topic.
    ///
    /// # Errors
    /// When the log cannot be reached.
    pub fn ends(&mut self, topic: &str) -> Result<Vec<crate::log::PartitionEnds>, LogError> {
        Ok(self.log.ends(topic)?.map_or_else(Vec::new, |ends| ends.partitions))
    }

    /// One record, alone in a batch. `None`: there is none at that offset.
    ///
    /// # Errors
    /// When the log fails, or the offset has expired or was not written yet.
    pub fn record(
        &mut self,
        topic: &str,
        partition: u32,
        offset: u64,
    ) -> Result<Option<Batch>, LogError> {
        let mut found = None;
        self.each(topic, partition, offset, offset + 1, |record| {
            let mut batch = Batch::new();
            batch.push(record.offset, record.time, record.key, record.value, record.headers);
            found = Some(batch);
        })?;
        Ok(found)
    }
}
