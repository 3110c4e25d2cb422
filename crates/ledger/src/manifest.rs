//! The state topic: pages, and the manifests that name them.
//!
//! Keys are `<term>/<generation>` for a manifest and `<term>/<generation>/<page>` for a page, in
//! fixed-width hexadecimal; no two writers ever use one key.

use std::{collections::BTreeMap, sync::Arc};

use alluvium_flow::{OutKey, Settings};
use serde::{Deserialize, Serialize};

use crate::control::{At, Fold};

/// The largest page, in bytes: a record of the log stays below 1 MiB.
pub const PAGE_BYTES: usize = 768 << 10;

/// The state of a pipeline as named byte strings.
pub type Sections = BTreeMap<String, Vec<u8>>;

/// The key of a manifest or a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StateKey {
    /// Whose.
    pub term: u64,
    /// Which snapshot of that term, from 1.
    pub generation: u64,
    /// Which page, from 1; 0 is the manifest.
    pub page: u32,
}

impl StateKey {
    /// As bytes for the log.
    pub fn encode(&self) -> String {
        format!("{:016x}/{:08x}/{:06x}", self.term, self.generation, self.page)
    }

    /// From the bytes of a record's key.
    pub fn decode(bytes: &[u8]) -> Option<StateKey> {
        let mut parts = std::str::from_utf8(bytes).ok()?.split('/');
        let mut next = || u64::from_str_radix(parts.next()?, 16).ok();
        let (term, generation, page) = (next()?, next()?, next()?);
        Some(StateKey { term, generation, page: page.try_into().ok()? })
    }
}

/// A page, as a manifest names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRef {
    /// Part of which section.
    pub section: String,
    /// Where it is.
    pub key: StateKey,
    /// Its length in bytes.
    pub bytes: u32,
    /// BLAKE3, hexadecimal.
    pub digest: String,
}

/// What is known of one output partition: nothing below `offset` is beyond `greatest`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutPair {
    /// An offset of the output partition.
    pub offset: u64,
    /// A key in the order: step and ordinal.
    pub greatest: (u64, u32),
}

impl OutPair {
    /// The greatest key.
    pub fn greatest(&self) -> OutKey {
        OutKey { step: self.greatest.0, ordinal: self.greatest.1 }
    }
}

/// One output partition in a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutState {
    /// The topic, without the pipeline's prefix.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// What is known of it.
    #[serde(flatten)]
    pub pair: OutPair,
}

/// Everything a successor needs to go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The release of this format.
    pub format: u32,
    /// The writer's term.
    pub term: u64,
    /// Which snapshot of that term.
    pub generation: u64,
    /// The index in the merged order: steps taken.
    pub step: u64,
    /// The settings in force; `None` before the first were accepted.
    pub settings: Option<Arc<Settings>>,
    /// The identity of each input topic, in hexadecimal.
    pub topics: BTreeMap<String, String>,
    /// The next offset of each input partition.
    pub positions: Vec<At>,
    /// Control as of the last record applied.
    pub control: Fold,
    /// The output partitions.
    pub outputs: Vec<OutState>,
    /// The pages, in order.
    pub pages: Vec<PageRef>,
    /// The key and digest of the manifest this one came after.
    pub parent: Option<(StateKey, String)>,
}

/// The newest format of manifests.
pub const FORMAT: u32 = 1;

impl Manifest {
    /// Its key.
    pub fn key(&self) -> StateKey {
        StateKey { term: self.term, generation: self.generation, page: 0 }
    }

    /// As bytes of JSON.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a manifest is plain data")
    }

    /// From bytes of JSON.
    pub fn decode(bytes: &[u8]) -> Option<Manifest> {
        serde_json::from_slice(bytes).ok().filter(|manifest: &Manifest| manifest.format <= FORMAT)
    }

    /// Whether these bytes are a manifest of a later release.
    pub fn is_of_later_release(bytes: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Any {
            format: u32,
        }
        serde_json::from_slice(bytes).is_ok_and(|any: Any| any.format > FORMAT)
    }

    /// What "newest" means: never the order of the log.
    pub fn rank(&self) -> (u64, u64, u64, u64) {
        (self.step, self.control.next, self.term, self.generation)
    }
}

/// Cuts sections into pages: section, bytes.
pub fn pages(sections: &Sections) -> impl Iterator<Item = (&str, &[u8])> {
    sections.iter().flat_map(|(name, bytes)| {
        let empty = bytes.is_empty().then_some(&bytes[..]);
        bytes.chunks(PAGE_BYTES).chain(empty).map(move |page| (name.as_str(), page))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_state_are_read_as_they_were_written() {
        let key = StateKey { term: 77, generation: 3, page: 12 };
        assert_eq!(StateKey::decode(key.encode().as_bytes()), Some(key));
        assert_eq!(StateKey::decode(b"alias/champion"), None);
    }

    #[test]
    fn pages_put_together_are_the_sections() {
        let sections: Sections =
            [("a".to_string(), vec![1; PAGE_BYTES + 1]), ("b".to_string(), Vec::new())].into();
        let pages: Vec<(&str, usize)> = pages(&sections).map(|(n, p)| (n, p.len())).collect();
        assert_eq!(pages, [("a", PAGE_BYTES), ("a", 1), ("b", 0)]);
    }
}
