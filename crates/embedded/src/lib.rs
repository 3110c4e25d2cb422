//! The log in a directory: no server to set up, and the habits of one. Any number of processes may
//! read and append at the same time; what was acknowledged survives whatever dies.
//!
//! Underneath is LMDB, a copy-on-write tree in one memory-mapped file: readers never wait and never
//! disturb, writers take turns, and a commit is durable before it is acknowledged. Records lie in
//! it in blocks of about 128 KiB, so that a read costs about what copying costs.
//!
//! Not for network file systems: the locks of several machines do not see each other.

mod append;
mod block;
mod commit;
mod compact;
mod lease;
mod open;
mod read;
mod store;
mod view;

use std::{path::Path, sync::Arc};

use alluvium_learn::Time;
use alluvium_ledger::log::{
    Appender, Ends, Errand, Lease, Log, LogError, PartitionEnds, Policy, RecordReader, Span,
};

use store::Store;

/// A log in a directory. Cheap to clone; clones, and other processes that open the directory, see
/// the same topics.
#[derive(Clone)]
pub struct Embedded {
    store: Arc<Store>,
}

impl Embedded {
    /// The most a log grows to unless [`Embedded::open_sized`] says otherwise, in bytes: 1 TiB. It
    /// takes address space only; the file is as large as what is in it.
    pub const BYTES_MAX: u64 = 1 << 40;

    /// Opens the log in a directory, and makes both if they are not there.
    ///
    /// # Errors
    /// [`LogError::Denied`] when the directory may not be written, or holds a log of a newer
    /// program; [`LogError::Corrupt`] when it holds something else; [`LogError::Unavailable`] when
    /// the system refuses for another reason.
    pub fn open(directory: impl AsRef<Path>) -> Result<Embedded, LogError> {
        Embedded::open_sized(directory, Embedded::BYTES_MAX)
    }

    /// Opens it, and lets this process fill it up to so many bytes (rounded down to 64 KiB; at
    /// least 1 MiB). Less is taken when the system does not give that much address space. Where
    /// this process has the log open already, the first opening's limit holds.
    ///
    /// # Errors
    /// As [`Embedded::open`].
    pub fn open_sized(directory: impl AsRef<Path>, bytes_max: u64) -> Result<Embedded, LogError> {
        Ok(Embedded { store: open::shared(directory.as_ref(), bytes_max)? })
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        self.store.directory()
    }

    /// The size of its file, in bytes. Room that compaction has freed is used again; the file does
    /// not shrink.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] when the system does not say.
    pub fn file_bytes(&self) -> Result<u64, LogError> {
        self.store.file_bytes()
    }
}

impl Log for Embedded {
    fn reader(&mut self, spans: &[Span]) -> Result<Box<dyn RecordReader>, LogError> {
        Ok(Box::new(read::Reader::new(self.store.clone(), spans)?))
    }

    fn appender(&mut self) -> Result<Box<dyn Appender>, LogError> {
        Ok(Box::new(append::Session::new(self.store.clone())?))
    }

    fn ends(&mut self, topic: &str) -> Result<Option<Ends>, LogError> {
        let txn = self.store.read()?;
        let Some(found) = self.store.topic(&txn, topic)? else { return Ok(None) };
        let mut partitions = Vec::new();
        for partition in 0..found.partitions {
            let row = self.store.partition(&txn, found.place(partition))?;
            partitions.push(PartitionEnds { earliest: row.earliest, stable: row.next });
        }
        Ok(Some(Ends { id: found.id, policy: Some(found.policy), partitions }))
    }

    /// Where no record of a partition has that time or a later one, its end is given.
    fn offsets_at(&mut self, topic: &str, time: Time) -> Result<Vec<u64>, LogError> {
        read::offsets_at(&self.store, topic, time)
    }

    fn create(&mut self, topic: &str, partitions: u32, policy: Policy) -> Result<(), LogError> {
        self.store.create(topic, partitions, policy)
    }

    fn lease(&mut self, pipeline: &str, errand: Errand<'_>) -> Result<Box<dyn Lease>, LogError> {
        Ok(Box::new(lease::FileLease::new(self.store.directory(), pipeline, errand)?))
    }
}
