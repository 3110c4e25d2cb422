//! The tables and their rows.
//!
//! | table | key | value |
//! |---|---|---|
//! | about | `format`, `topics` | the layout's version; the next topic's number |
//! | topics | name | [`Topic`] |
//! | partitions | place | [`Partition`] |
//! | blocks | place, offset of the first record | a block |
//! | newest, garbage, due | | see [`crate::compact`] |
//!
//! A place is topic number and partition. Numbers in keys are big-endian, so that they sort; in
//! values little-endian.

use std::{
    hash::{BuildHasher, RandomState},
    io::ErrorKind,
    ops::Bound,
    path::{Path, PathBuf},
};

use alluvium_ledger::log::{LogError, Policy};
use heed::{CommitOrAbort, Database, Env, Error, MdbError, RoTxn, RwTxn, WithoutTls, types::Bytes};

/// The version of the layout of all tables.
const FORMAT: u8 = 1;
/// The longest name of a topic in bytes: Kafka's limit.
const NAME_BYTES_MAX: usize = 249;
/// The most partitions of a topic.
const PARTITIONS_MAX: u32 = 100_000;

pub(crate) type Table = Database<'static, Bytes, Bytes>;

/// A partition's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) topic: u32,
    pub(crate) partition: u32,
}

impl Place {
    pub(crate) fn key(self) -> [u8; 8] {
        ((u64::from(self.topic) << 32) | u64::from(self.partition)).to_be_bytes()
    }

    /// The key of the block that begins at an offset.
    pub(crate) fn block(self, base: u64) -> [u8; 16] {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&self.key());
        key[8..].copy_from_slice(&base.to_be_bytes());
        key
    }

    /// The offset in a block's key, if the block is of this partition.
    pub(crate) fn base_of(self, key: &[u8]) -> Option<u64> {
        let base = key.strip_prefix(&self.key())?;
        Some(u64::from_be_bytes(base.try_into().ok()?))
    }
}

/// The keys from one to another, both included.
pub(crate) fn between<'k>(first: &'k [u8], last: &'k [u8]) -> (Bound<&'k [u8]>, Bound<&'k [u8]>) {
    (Bound::Included(first), Bound::Included(last))
}

/// What is known of a topic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Topic {
    pub(crate) number: u32,
    pub(crate) id: u128,
    pub(crate) partitions: u32,
    pub(crate) policy: Policy,
}

impl Topic {
    const BYTES: usize = 33;

    pub(crate) fn place(&self, partition: u32) -> Place {
        Place { topic: self.number, partition }
    }

    fn to_bytes(self) -> [u8; Topic::BYTES] {
        let (kind, retention_ms) = match self.policy {
            Policy::Delete { retention_ms: None } => (0, 0),
            Policy::Delete { retention_ms: Some(retention_ms) } => (1, retention_ms),
            Policy::Compact => (2, 0),
        };
        let mut bytes = [0; Topic::BYTES];
        bytes[..4].copy_from_slice(&self.number.to_le_bytes());
        bytes[4..20].copy_from_slice(&self.id.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.partitions.to_le_bytes());
        bytes[24] = kind;
        bytes[25..].copy_from_slice(&retention_ms.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Topic> {
        let (number, rest) = bytes.split_first_chunk()?;
        let (id, rest) = rest.split_first_chunk()?;
        let (partitions, rest) = rest.split_first_chunk()?;
        let (kind, retention_ms) = rest.split_first()?;
        let retention_ms = u64::from_le_bytes(retention_ms.try_into().ok()?);
        let policy = match kind {
            0 => Policy::Delete { retention_ms: None },
            1 => Policy::Delete { retention_ms: Some(retention_ms) },
            2 => Policy::Compact,
            _ => return None,
        };
        Some(Topic {
            number: u32::from_le_bytes(*number),
            id: u128::from_le_bytes(*id),
            partitions: u32::from_le_bytes(*partitions),
            policy,
        })
    }
}

/// Where a partition begins and ends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Partition {
    /// The first offset that can still be read.
    pub(crate) earliest: u64,
    /// The offset of the next record.
    pub(crate) next: u64,
}

/// The open store.
pub(crate) struct Store {
    env: Env<WithoutTls>,
    directory: PathBuf,
    about: Table,
    topics: Table,
    partitions: Table,
    pub(crate) blocks: Table,
    pub(crate) newest: Table,
    pub(crate) garbage: Table,
    pub(crate) due: Table,
}

impl Store {
    /// Makes the tables that are not there, and frees what readers that died have held.
    pub(crate) fn new(env: Env<WithoutTls>, directory: PathBuf) -> Result<Store, LogError> {
        let doing = "opening the log's tables";
        let txn = env.write_txn().map_err(|error| failed(doing, error))?;
        let names = ["about", "topics", "partitions", "blocks", "newest", "garbage", "due"];
        let tables: CommitOrAbort<[Table; 7], ()> = env
            .create_databases_and_commit(txn, |opener, txn| -> Result<_, Error> {
                let [a, b, c, d, e, f, g] =
                    names.map(|name| opener.create_database::<Bytes, Bytes>(txn, Some(name)));
                Ok(CommitOrAbort::Commit([a?, b?, c?, d?, e?, f?, g?]))
            })
            .map_err(|error| failed(doing, error))?;
        let Some([about, topics, partitions, blocks, newest, garbage, due]) = tables.commit()
        else {
            return Err(LogError::Unavailable(format!("{doing} was broken off")));
        };
        let store =
            Store { env, directory, about, topics, partitions, blocks, newest, garbage, due };
        store.check_format()?;
        store.clear_stale_readers()?;
        Ok(store)
    }

    fn check_format(&self) -> Result<(), LogError> {
        let doing = "reading the log's format";
        let stored = {
            let txn = self.read()?;
            let stored = self.about.get(&txn, b"format").map_err(|error| failed(doing, error))?;
            stored.map(<[u8]>::to_vec)
        };
        match stored.as_deref() {
            Some([FORMAT]) => Ok(()),
            Some(other) => Err(LogError::Denied(format!(
                "{} holds a log of format {other:?}, and this program knows {FORMAT}",
                self.directory.display()
            ))),
            None => {
                let mut txn = self.write()?;
                self.about
                    .put(&mut txn, b"format", &[FORMAT])
                    .and_then(|()| txn.commit())
                    .map_err(|error| failed("writing the log's format", error))
            }
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn file_bytes(&self) -> Result<u64, LogError> {
        self.env.real_disk_size().map_err(|error| failed("asking for the log's size", error))
    }

    /// The number of the newest commit, by whatever process. Costs next to nothing.
    pub(crate) fn newest_commit(&self) -> usize {
        self.env.info().last_txn_id
    }

    /// Frees the room that readers hold whose process has died.
    pub(crate) fn clear_stale_readers(&self) -> Result<(), LogError> {
        let cleared = self.env.clear_stale_readers();
        cleared.map(drop).map_err(|error| failed("looking after the log's readers", error))
    }

    /// A view of the whole log at one moment. To be let go soon: what is freed meanwhile cannot be
    /// used again.
    pub(crate) fn read(&self) -> Result<RoTxn<'_, WithoutTls>, LogError> {
        self.env.read_txn().map_err(|error| failed("reading the log", error))
    }

    /// The right to write, once every other writer on this machine is done.
    pub(crate) fn write(&self) -> Result<RwTxn<'_>, LogError> {
        self.env.write_txn().map_err(|error| failed("writing to the log", error))
    }

    /// A topic, if it is there.
    pub(crate) fn topic(&self, txn: &RoTxn, name: &str) -> Result<Option<Topic>, LogError> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Ok(None);
        }
        let row = self
            .topics
            .get(txn, name.as_bytes())
            .map_err(|error| failed("looking a topic up", error))?;
        let damaged = || LogError::Corrupt(format!("the entry of topic {name} cannot be read"));
        row.map(|bytes| Topic::from_bytes(bytes).ok_or_else(damaged)).transpose()
    }

    /// A partition of a topic that must be there.
    pub(crate) fn place(
        &self,
        txn: &RoTxn,
        name: &str,
        partition: u32,
    ) -> Result<(Topic, Place), LogError> {
        let missing = |topic: String| LogError::NoTopic { topic };
        let topic = self.topic(txn, name)?.ok_or_else(|| missing(name.to_owned()))?;
        if partition >= topic.partitions {
            return Err(missing(format!("{name}:{partition}")));
        }
        Ok((topic, topic.place(partition)))
    }

    /// Where a partition begins and ends; at 0 when nothing has been appended.
    pub(crate) fn partition(&self, txn: &RoTxn, place: Place) -> Result<Partition, LogError> {
        let row = self
            .partitions
            .get(txn, &place.key())
            .map_err(|error| failed("looking a partition up", error))?;
        let Some(bytes) = row else { return Ok(Partition::default()) };
        let read = |part: &[u8]| part.try_into().ok().map(u64::from_le_bytes);
        let ends = bytes.split_at_checked(8).and_then(|(a, b)| Some((read(a)?, read(b)?)));
        let Some((earliest, next)) = ends else {
            return Err(LogError::Corrupt(format!("the ends of {place:?} cannot be read")));
        };
        Ok(Partition { earliest, next })
    }

    pub(crate) fn set_partition(
        &self,
        txn: &mut RwTxn,
        place: Place,
        row: Partition,
    ) -> Result<(), Error> {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&row.earliest.to_le_bytes());
        bytes[8..].copy_from_slice(&row.next.to_le_bytes());
        self.partitions.put(txn, &place.key(), &bytes)
    }

    /// Makes a topic. Nothing happens when it is there already.
    pub(crate) fn create(
        &self,
        name: &str,
        partitions: u32,
        policy: Policy,
    ) -> Result<(), LogError> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            let must = format!("a topic's name must have 1 to {NAME_BYTES_MAX} bytes");
            return Err(LogError::Denied(format!("{must}, not {}", name.len())));
        }
        if !(1..=PARTITIONS_MAX).contains(&partitions) {
            let must = format!("a topic must have 1 to {PARTITIONS_MAX} partitions");
            return Err(LogError::Denied(format!("{must}, not {partitions}")));
        }
        let mut txn = self.write()?;
        if self.topic(&txn, name)?.is_some() {
            return Ok(());
        }
        let doing = |error| failed("making a topic", error);
        let counted = self.about.get(&txn, b"topics").map_err(doing)?;
        let number = match counted {
            None => 0,
            Some(bytes) => bytes
                .try_into()
                .map(u32::from_le_bytes)
                .map_err(|_| LogError::Corrupt("the number of topics cannot be read".to_owned()))?,
        };
        let topic = Topic { number, id: random_id(name), partitions, policy };
        self.topics.put(&mut txn, name.as_bytes(), &topic.to_bytes()).map_err(doing)?;
        self.about.put(&mut txn, b"topics", &(number + 1).to_le_bytes()).map_err(doing)?;
        txn.commit().map_err(doing)
    }
}

/// An identity that no other topic has: the standard library seeds its hashers from the system's
/// randomness. It decides nothing; it only tells a topic from one made later under its name.
fn random_id(name: &str) -> u128 {
    let half = || u128::from(RandomState::new().hash_one((name, std::process::id())));
    (half() << 64) | half()
}

/// `EIO`, the same number on every system.
const DEVICE_FAILED: i32 = 5;

/// What an error of the store means to who uses the log.
pub(crate) fn failed(doing: &str, error: Error) -> LogError {
    let why = format!("{doing} failed: {error}");
    match &error {
        Error::Mdb(MdbError::MapFull) => LogError::Unavailable(format!(
            "{doing} failed: the log has grown to the size it was opened with"
        )),
        Error::Io(error) if error.kind() == ErrorKind::StorageFull => {
            LogError::Unavailable(format!("{doing} failed: the disk is full ({error})"))
        }
        // LMDB tells a write of which only a part found room as an error of the device.
        Error::Io(error) if error.raw_os_error() == Some(DEVICE_FAILED) => LogError::Unavailable(
            format!("{why}. The disk is full or fails: look for free space where the log is"),
        ),
        Error::Mdb(
            MdbError::Corrupted
            | MdbError::PageNotFound
            | MdbError::Invalid
            | MdbError::VersionMismatch,
        ) => LogError::Corrupt(why),
        Error::Io(error)
            if matches!(
                error.kind(),
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            LogError::Denied(why)
        }
        _ => LogError::Unavailable(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_in_words() {
        for (error, words) in [
            (ErrorKind::StorageFull.into(), "disk is full"),
            (std::io::Error::from_raw_os_error(DEVICE_FAILED), "look for free space"),
        ] {
            let LogError::Unavailable(why) = failed("appending", Error::Io(error)) else {
                panic!()
            };
            assert!(why.contains(words), "{why}");
        }
    }
}
