//! Looks at the state topic as a fresh reader would, each time something lands in it: the newest
//! manifest whose pages are all there never goes back, and once there is one, there always is.

use std::{collections::BTreeMap, rc::Rc};

use alluvium_ledger::manifest::{Manifest, StateKey};

use super::Kept;

/// The state topic as it is at this very moment.
#[derive(Default)]
pub(crate) struct Watch {
    topic: String,
    control: String,
    /// The topic of each input, by its name.
    inputs: BTreeMap<String, String>,
    partitions: BTreeMap<String, usize>,
    pages: BTreeMap<StateKey, (u32, String)>,
    manifests: BTreeMap<StateKey, Rc<Manifest>>,
    /// Every manifest that ever landed.
    pub(crate) ever: Vec<Rc<Manifest>>,
    newest: Option<(u64, u64, u64, u64)>,
    verified: bool,
    /// Whether control has lost its tail: then nothing is promised.
    pub(crate) blind: bool,
    /// What was broken.
    pub(crate) failure: Option<String>,
}

impl Watch {
    pub(crate) fn new(
        prefix: &str,
        inputs: BTreeMap<String, String>,
        partitions: BTreeMap<String, usize>,
    ) -> Watch {
        let (topic, control) = (format!("{prefix}state"), format!("{prefix}control"));
        Watch { topic, control, inputs, partitions, ..Watch::default() }
    }

    fn fail(&mut self, why: String) {
        if !self.blind {
            self.failure.get_or_insert(why);
        }
    }

    pub(super) fn landed(&mut self, topic: &str, record: &Kept) {
        if topic != self.topic {
            return;
        }
        let Some(key) = record.key.as_deref().and_then(StateKey::decode) else {
            return self.fail("a record of the state topic has another key".into());
        };
        match (&record.value, key.page) {
            (None, 0) => drop(self.manifests.remove(&key)),
            (None, _) => drop(self.pages.remove(&key)),
            (Some(value), 0) => match Manifest::decode(value) {
                Some(manifest) => self.take_manifest(key, manifest),
                None => self.fail(format!("the manifest {} cannot be read", key.encode())),
            },
            (Some(value), _) => {
                let digest = blake3::hash(value).to_hex().to_string();
                if self.pages.insert(key, (value.len() as u32, digest)).is_some() {
                    self.fail(format!("the page {} was written twice", key.encode()));
                }
                return;
            }
        }
        self.look();
    }

    fn take_manifest(&mut self, key: StateKey, manifest: Manifest) {
        if manifest.key() != key {
            self.fail(format!(
                "the manifest {} lies under {}",
                manifest.key().encode(),
                key.encode()
            ));
        }
        let manifest = Rc::new(manifest);
        if self.manifests.insert(key, manifest.clone()).is_some() {
            self.fail(format!("the manifest {} was written twice", key.encode()));
        }
        self.ever.push(manifest);
    }

    fn is_verified(&self, manifest: &Manifest) -> bool {
        manifest.pages.iter().all(|page| {
            let found = self.pages.get(&page.key);
            found.is_some_and(|(bytes, digest)| *bytes == page.bytes && *digest == page.digest)
        })
    }

    /// The verified manifests, newest first.
    pub(crate) fn verified(&self) -> Vec<&Rc<Manifest>> {
        let mut found: Vec<&Rc<Manifest>> =
            self.manifests.values().filter(|manifest| self.is_verified(manifest)).collect();
        found.sort_by_key(|manifest| std::cmp::Reverse(manifest.rank()));
        found
    }

    fn look(&mut self) {
        let newest = self.verified().first().map(|manifest| manifest.rank());
        match newest {
            None if self.verified => self.fail("no verified manifest is left".into()),
            None => return,
            Some(rank) => {
                if self.newest.is_some_and(|before| rank.0 < before.0) {
                    self.fail(format!("readers go back from {:?} to {rank:?}", self.newest));
                }
                self.verified = true;
            }
        }
        self.newest = newest;
    }

    /// A page that only the newest manifest names, where there is another manifest to fall back on.
    pub(super) fn dispensable_page(&self) -> Option<StateKey> {
        let verified = self.verified();
        let (newest, others) = verified.split_first()?;
        let is_shared = |key: &StateKey| others.iter().any(|manifest| manifest.names(*key));
        let key = newest.pages.iter().map(|page| page.key).find(|key| !is_shared(key));
        key.filter(|_| !others.is_empty())
    }

    /// The bytes of a page are no longer what they were.
    pub(super) fn page_rots(&mut self, key: StateKey, value: &[u8]) {
        let digest = blake3::hash(value).to_hex().to_string();
        self.pages.insert(key, (value.len() as u32, digest));
        self.newest = None;
    }

    /// Below which offset nothing is needed by so many of the newest verified manifests, by topic
    /// and partition.
    pub(super) fn needed(&self, manifests: usize) -> BTreeMap<(String, usize), u64> {
        let mut needed = BTreeMap::new();
        let mut need = |topic: &str, partition: u32, offset: u64| {
            let place = (topic.to_string(), partition as usize);
            let least = needed.entry(place).or_insert(offset);
            *least = offset.min(*least);
        };
        let mut kept = self.verified();
        kept.truncate(manifests);
        for manifest in &kept {
            need(&self.control, 0, manifest.control.next);
            for at in &manifest.positions {
                if let Some(topic) = self.inputs.get(&*at.input) {
                    need(topic, at.partition, at.offset);
                }
            }
        }
        // A partition that one of them does not know is needed whole.
        for (topic, count) in &self.partitions {
            for partition in 0..*count {
                let known = |manifest: &&Rc<Manifest>| {
                    manifest.positions.iter().any(|at| {
                        self.inputs.get(&*at.input) == Some(topic)
                            && at.partition as usize == partition
                    })
                };
                if !kept.iter().all(known) {
                    needed.remove(&(topic.clone(), partition));
                }
            }
        }
        needed
    }

    /// What can expire.
    pub(super) fn places(&self) -> Vec<(String, usize)> {
        let inputs = self.partitions.iter();
        inputs
            .flat_map(|(topic, count)| (0..*count).map(|partition| (topic.clone(), partition)))
            .chain([(self.control.clone(), 0)])
            .collect()
    }
}
