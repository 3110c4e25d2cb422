//! What a state topic holds: which manifests there are, and where their pages lie.

use std::collections::{BTreeMap, BTreeSet};

use alluvium_flow::Record;
use alluvium_learn::Time;

use crate::{
    bugs::{Bug, planted},
    manifest::{Manifest, Sections, StateKey},
};

/// A state topic, read record by record.
#[derive(Debug, Default)]
pub struct Scan {
    /// Every manifest that was not deleted, and when it was written.
    pub manifests: BTreeMap<StateKey, (Manifest, Time)>,
    /// Where each page that was not deleted lies.
    pub pages: BTreeMap<StateKey, u64>,
    /// Manifests of a later release: what they name cannot be known, and must not be deleted.
    later: BTreeSet<StateKey>,
}

impl Scan {
    /// Takes the next record.
    pub fn take(&mut self, record: &Record<'_>) {
        let Some(key) = record.key.and_then(StateKey::decode) else { return };
        match (record.value, key.page) {
            (None, 0) => {
                self.manifests.remove(&key);
                self.later.remove(&key);
            }
            (None, _) => drop(self.pages.remove(&key)),
            (Some(value), 0) => {
                if let Some(manifest) = Manifest::decode(value) {
                    self.manifests.insert(key, (manifest, record.time));
                } else if Manifest::is_of_later_release(value) {
                    self.later.insert(key);
                }
            }
            (Some(_), _) => drop(self.pages.insert(key, record.offset)),
        }
    }

    /// Whether a later release has written manifests that are still there.
    pub fn is_of_later_release(&self) -> bool {
        !self.later.is_empty()
    }

    /// The manifests, the newest last.
    pub fn ranked(&self) -> Vec<(Manifest, Time)> {
        let mut manifests: Vec<(Manifest, Time)> = self.manifests.values().cloned().collect();
        manifests.sort_by_key(|(manifest, _)| manifest.rank());
        manifests
    }

    /// Every key that was not deleted.
    pub fn keys(&self) -> impl Iterator<Item = StateKey> {
        self.manifests.keys().chain(self.pages.keys()).copied()
    }

    /// From the first to after the last of a manifest's pages.
    pub fn stretch(&self, manifest: &Manifest) -> (u64, u64) {
        let offsets = || manifest.pages.iter().filter_map(|page| self.pages.get(&page.key));
        let to = offsets().max().map_or(0, |offset| offset + 1);
        (offsets().min().copied().unwrap_or(to), to)
    }
}

impl Manifest {
    /// Whether one of its pages has that key.
    pub fn names(&self, key: StateKey) -> bool {
        self.pages.iter().any(|page| page.key == key)
    }

    /// Its sections, if every page is there and is what it was.
    pub fn verified(&self, pages: &BTreeMap<StateKey, Vec<u8>>) -> Option<Sections> {
        let mut sections = Sections::new();
        for page in &self.pages {
            let bytes = pages.get(&page.key)?;
            let is_it = || *blake3::hash(bytes).to_hex() == *page.digest;
            if bytes.len() != page.bytes as usize || !(planted(Bug::NoDigestCheck) || is_it()) {
                return None;
            }
            sections.entry(page.section.clone()).or_default().extend_from_slice(bytes);
        }
        Some(sections)
    }
}
