//! A place for one broker: a folder and some ports that no other test has.
//!
//! A slot is held by a locked file, which the system unlocks when its holder ends, however it ends;
//! the next holder empties the folder. Ports lie below those that the system gives to outgoing
//! connections: else one could take the port of a node between its death and its next start.

use std::{
    fs::{self, File},
    io,
    net::TcpListener,
    path::{Path, PathBuf},
};

use crate::{BrokerError, java};

/// The most nodes of a broker.
pub(crate) const NODES_MAX: usize = 3;

/// What a node listens on: clients, controllers, and brokers where clients need a password.
const PORTS_OF_NODE: usize = 3;

const PORTS_OF_SLOT: usize = NODES_MAX * PORTS_OF_NODE;
const FIRST_PORT: u16 = 21_000;
const SLOTS: usize = 1_000;

/// A slot that is held until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Empty at first, removed in the end.
    pub(crate) folder: PathBuf,
    first_port: u16,
    /// Locked; nobody reads it.
    _held: File,
}

/// The ports of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) clients: u16,
    pub(crate) controller: u16,
    pub(crate) inner: u16,
}

impl Slot {
    /// Takes the first free one. Where to begin depends on the folder, so that two checkouts on one
    /// machine, which see no locks of each other, stay apart.
    pub(crate) fn take() -> Result<Slot, BrokerError> {
        let home = java::target().join("kafka/slots");
        let failed = |source| BrokerError::Io { doing: "taking a folder and ports".into(), source };
        fs::create_dir_all(&home).map_err(failed)?;
        let name = home.to_string_lossy();
        let begin = name.bytes().fold(7, |sum: usize, byte| (sum * 31 + usize::from(byte)) % SLOTS);
        for number in (begin..SLOTS).chain(0..begin) {
            if let Some(slot) = Slot::try_take(&home, number).map_err(failed)? {
                return Ok(slot);
            }
        }
        Err(failed(io::Error::other(format!("all {SLOTS} are taken"))))
    }

    fn try_take(home: &Path, number: usize) -> io::Result<Option<Slot>> {
        let held = File::create(home.join(format!("{number}.lock")))?;
        if held.try_lock().is_err() {
            return Ok(None);
        }
        let offset = u16::try_from(number * PORTS_OF_SLOT).map_err(io::Error::other)?;
        let first_port = FIRST_PORT + offset;
        let mut ports = (first_port..).take(PORTS_OF_SLOT);
        if !ports.all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return Ok(None);
        }
        let folder = home.join(number.to_string());
        java::remove(&folder)?;
        fs::create_dir(&folder)?;
        Ok(Some(Slot { folder, first_port, _held: held }))
    }

    /// The ports of a node, counted from 1.
    pub(crate) fn ports(&self, node: usize) -> Ports {
        assert!((1..=NODES_MAX).contains(&node), "there is no node {node}");
        // Small: a slot has 9 ports.
        let first = self.first_port + ((node - 1) * PORTS_OF_NODE) as u16;
        Ports { clients: first, controller: first + 1, inner: first + 2 }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // What cannot be removed now, the next holder removes.
        drop(java::remove(&self.folder));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_slots_share_nothing() {
        let (one, two) = (Slot::take().unwrap(), Slot::take().unwrap());
        assert_ne!(one.folder, two.folder);
        assert_ne!(one.ports(1).clients, two.ports(1).clients);
        assert!(one.folder.is_dir());
        let folder = one.folder.clone();
        drop(one);
        assert!(!folder.exists());
    }

    #[test]
    fn the_ports_of_all_slots_lie_below_those_of_outgoing_connections() {
        assert!(usize::from(FIRST_PORT) + SLOTS * PORTS_OF_SLOT < 32_768);
    }
}
