//! What a topic of versions holds: which versions there are, who the champion is, and where the
//! pages lie.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use alluvium_flow::{Record, Sections, state_digest, version_key};
use alluvium_learn::Time;
use serde::Deserialize;
use serde_json::Value;

use crate::{log::LogError, read::Observer};

/// A published version of a model, as its manifest says it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Version {
    /// The model.
    pub model: String,
    /// Its number, from 1.
    pub version: u64,
    /// The release of the arithmetic.
    pub kernel: u32,
    /// Its identity.
    pub state_digest: String,
    /// The digest of the manifest of the version before it.
    pub parent: Option<String>,
    /// The model's settings, in canonical form.
    pub settings: Value,
    /// The step it was published at.
    pub step: u64,
    /// How many records had been read.
    pub records: u64,
    /// How many of them had been learned.
    pub learned: u64,
    /// The greatest record time so far.
    pub time: Option<Time>,
    /// The control offset of the cut it fell into.
    pub cut: u64,
    /// The next offset of each input partition, as `input:partition`.
    pub positions: BTreeMap<String, u64>,
    /// The metrics over everything, as they were then.
    pub metrics: BTreeMap<String, Option<f64>>,
    /// The pages, in order.
    pub pages: Vec<VersionPage>,
}

/// A page, as the manifest of a version names it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct VersionPage {
    /// Part of which section.
    pub section: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// BLAKE3, hexadecimal.
    pub digest: String,
}

impl Version {
    /// Where it stands, as people write it: `input:partition:offset`, ascending.
    pub fn at(&self) -> String {
        let mut places: Vec<(&str, u64, u64)> = Vec::new();
        for (place, offset) in &self.positions {
            let (input, partition) = place.rsplit_once(':').unwrap_or((place, ""));
            places.push((input, partition.parse().unwrap_or(u64::MAX), *offset));
        }
        places.sort_unstable();
        let shown: Vec<String> =
            places.iter().map(|(input, part, at)| format!("{input}:{part}:{at}")).collect();
        shown.join(" ")
    }
}

/// Who answers, as an alias says it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Alias {
    /// The model.
    pub model: String,
    /// Its version.
    pub version: u64,
    /// The step it was said at.
    pub step: u64,
    /// The greatest record time then.
    pub time: Option<Time>,
    /// When the change took effect that it says.
    #[serde(default)]
    pub since: Time,
    /// Why: `first`, `promote`, `rollback`.
    pub why: String,
}

/// What is wrong with a version that is to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionError {
    /// The log failed.
    Log(LogError),
    /// A page is not there, or its bytes are not those its manifest names.
    Page {
        /// Which, from 0.
        page: usize,
        /// Whether there is one at all.
        is_there: bool,
    },
    /// All pages are what they were, but the state they make has another digest.
    State {
        /// The digest of what was read.
        found: String,
    },
}

impl std::fmt::Display for VersionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            VersionError::Log(error) => error.fmt(f),
            VersionError::Page { page, is_there: false } => {
                write!(f, "its page {page} is not there")
            }
            VersionError::Page { page, is_there: true } => {
                write!(f, "its page {page} is not what was published")
            }
            VersionError::State { found } => {
                write!(f, "its pages make state {found}, which is not what was published")
            }
        }
    }
}

impl std::error::Error for VersionError {}

impl From<LogError> for VersionError {
    fn from(error: LogError) -> VersionError {
        VersionError::Log(error)
    }
}

/// A topic of versions, read record by record.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// The next offset to read.
    pub next: u64,
    versions: BTreeMap<(String, u64), Version>,
    /// Each alias, by name and the rest of its key.
    aliases: BTreeMap<(String, String), Alias>,
    /// Where each page lies.
    pages: BTreeMap<String, u64>,
}

impl Published {
    /// Takes the next record.
    pub fn take(&mut self, record: &Record<'_>) {
        self.next = record.offset + 1;
        let Some(key) = record.key.and_then(|key| std::str::from_utf8(key).ok()) else { return };
        let parts: Vec<&str> = key.split('/').collect();
        match (parts.as_slice(), record.value) {
            (["v", model, version], value) => {
                let Ok(version) = version.parse() else { return };
                let name = ((*model).to_string(), version);
                match value.and_then(|value| serde_json::from_slice(value).ok()) {
                    Some(manifest) => drop(self.versions.insert(name, manifest)),
                    None => drop(self.versions.remove(&name)),
                }
            }
            (["v", ..], Some(_)) => drop(self.pages.insert(key.into(), record.offset)),
            (["v", ..], None) => drop(self.pages.remove(key)),
            (["alias", name, writer @ ..], value) => {
                let name = ((*name).to_string(), writer.join("/"));
                match value.and_then(|value| serde_json::from_slice(value).ok()) {
                    Some(alias) => drop(self.aliases.insert(name, alias)),
                    None => drop(self.aliases.remove(&name)),
                }
            }
            _ => {}
        }
    }

    /// Every version, in the order they were published.
    pub fn versions(&self) -> Vec<&Version> {
        let mut versions: Vec<&Version> = self.versions.values().collect();
        versions.sort_by_key(|version| version.step);
        versions
    }

    /// A version of a model; without a number the newest.
    pub fn version(&self, model: &str, version: Option<u64>) -> Option<&Version> {
        match version {
            Some(version) => self.versions.get(&(model.to_string(), version)),
            None => {
                let of_model = (model.to_string(), 0)..=(model.to_string(), u64::MAX);
                self.versions.range(of_model).next_back().map(|(_, version)| version)
            }
        }
    }

    /// Who answers: of what several writers said, the greatest step counts.
    pub fn champion(&self) -> Option<&Alias> {
        let said = self.aliases.iter().filter(|((name, _), _)| name == "champion");
        said.min_by_key(|((_, writer), alias)| Reverse((alias.step, writer.clone())))
            .map(|(_, alias)| alias)
    }
}

impl Observer<'_> {
    /// Reads a topic of versions on, from where `published` stands to its end.
    ///
    /// # Errors
    /// When the log fails.
    pub fn published(&mut self, topic: &str, published: &mut Published) -> Result<(), LogError> {
        let Some(ends) = self.log.ends(topic)? else { return Ok(()) };
        let from = published.next.max(ends.partitions[0].earliest);
        let to = ends.partitions[0].stable;
        self.each(topic, 0, from, to, |record| published.take(&record))?;
        published.next = published.next.max(to);
        Ok(())
    }

    /// The values at these offsets of the first partition. They are read in one go: pages of one
    /// version lie close together.
    fn values(&mut self, topic: &str, at: &[u64]) -> Result<BTreeMap<u64, Vec<u8>>, LogError> {
        let mut values = BTreeMap::new();
        let (Some(first), Some(last)) = (at.iter().min(), at.iter().max()) else {
            return Ok(values);
        };
        let wanted: BTreeSet<u64> = at.iter().copied().collect();
        self.each(topic, 0, *first, last + 1, |record| {
            if wanted.contains(&record.offset) {
                values.insert(record.offset, record.value.unwrap_or_default().to_vec());
            }
        })?;
        Ok(values)
    }

    /// The state of a version, every page and the whole held against their digests.
    ///
    /// # Errors
    /// When the log fails, or the version is not what was published.
    pub fn sections(
        &mut self,
        topic: &str,
        published: &Published,
        version: &Version,
    ) -> Result<Sections, VersionError> {
        let mut offsets = Vec::with_capacity(version.pages.len());
        for index in 0..version.pages.len() {
            let key = version_key(&version.model, version.version, Some(index));
            let missing = VersionError::Page { page: index, is_there: false };
            offsets.push(*published.pages.get(&key).ok_or(missing)?);
        }
        let pages = self.values(topic, &offsets)?;
        let mut sections = Sections::new();
        for (index, (page, offset)) in version.pages.iter().zip(&offsets).enumerate() {
            let missing = VersionError::Page { page: index, is_there: false };
            let bytes = pages.get(offset).ok_or(missing)?;
            let same =
                bytes.len() as u64 == page.bytes && *blake3::hash(bytes).to_hex() == *page.digest;
            if !same {
                return Err(VersionError::Page { page: index, is_there: true });
            }
            sections.entry(page.section.clone()).or_default().extend_from_slice(bytes);
        }
        let found = state_digest(&version.settings, &sections);
        if found != version.state_digest {
            return Err(VersionError::State { found });
        }
        Ok(sections)
    }
}

#[cfg(test)]
mod tests {
    use alluvium_flow::{Batch, Headers};

    use super::*;

    fn take(published: &mut Published, key: &str, value: Option<&str>) {
        let mut batch = Batch::new();
        let (key, value) = (Some(key.as_bytes()), value.map(str::as_bytes));
        batch.push(published.next, 0, key, value, Headers::default());
        published.take(&batch.get(0));
    }

    fn manifest(version: u64, step: u64) -> String {
        serde_json::json!({
            "format": 1, "kernel": 1, "model": "m", "version": version, "state_digest": "d",
            "parent": null, "settings": {}, "step": step, "records": step, "learned": step,
            "time": 5, "cut": 2, "positions": {"b:10": 4, "b:9": 3, "a:0": 1}, "metrics": {"a": null},
            "pages": [{"section": "s", "bytes": 3, "digest": "x"}],
        })
        .to_string()
    }

    #[test]
    fn versions_come_and_go() {
        let mut published = Published::default();
        for version in [1, 2, 10] {
            take(
                &mut published,
                &version_key("m", version, None),
                Some(&manifest(version, version)),
            );
        }
        assert_eq!(published.version("m", None).unwrap().version, 10);
        assert_eq!(published.version("m", Some(2)).unwrap().at(), "a:0:1 b:9:3 b:10:4");
        take(&mut published, &version_key("m", 10, None), None);
        assert_eq!(published.version("m", None).unwrap().version, 2);
        assert_eq!(published.versions().len(), 2);
        assert!(published.version("n", None).is_none());
    }

    #[test]
    fn of_an_alias_the_greatest_step_counts() {
        let mut published = Published::default();
        let alias = |model: &str, step: u64| {
            format!(
                r#"{{"model":"{model}","version":1,"step":{step},"time":null,"why":"promote"}}"#
            )
        };
        take(&mut published, "alias/champion/0000000000000009", Some(&alias("new", 7)));
        take(&mut published, "alias/champion/0000000000000001", Some(&alias("old", 3)));
        assert_eq!(published.champion().unwrap().model, "new");
    }
}
