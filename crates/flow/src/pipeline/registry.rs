//! Which versions there are, and which one answers. A function of the order alone.

use std::sync::Arc;

use alluvium_learn::{Reader, State, StateError, Time, Writer};

use crate::spec::Keep;

/// A version that can still be read.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionEntry {
    /// Its number, from 1.
    pub version: u64,
    /// The step it was published at.
    pub step: u64,
    /// How many records had been read.
    pub records: u64,
    /// The greatest record time so far: what `keep` counts by.
    pub time: Time,
    /// When it was published: the time of the control record it came about by.
    pub since: Time,
    /// How many pages it has.
    pub pages: u32,
    /// Its identity.
    pub state_digest: String,
    /// The digest of its manifest.
    pub manifest_digest: String,
}

/// A change of the champion.
#[derive(Clone, Debug, PartialEq)]
pub struct ChampionEntry {
    /// When it took effect: the time of the control record that adopted it.
    pub since: Time,
    /// The step.
    pub step: u64,
    /// The model.
    pub model: Arc<str>,
    /// The version held on to; `None`: always the newest.
    pub version: Option<u64>,
    /// Why: `first`, `promote`, `rollback`, or `adopt`: its model was left out.
    pub why: String,
}

/// The versions of one model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Versions {
    /// The number of the newest; 0: none yet.
    pub newest: u64,
    /// Those that were not retired, oldest first.
    pub live: Vec<VersionEntry>,
}

/// How many changes of the champion are remembered.
const CHANGES_MAX: usize = 1000;

/// All versions and the champion.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Registry {
    /// By model, in the order of the models.
    pub models: Vec<(Arc<str>, Versions)>,
    /// Models that left, with their versions: should they come again, no number is used twice.
    pub left: Vec<(Arc<str>, Versions)>,
    /// Changes of the champion, oldest first; the last is in force.
    pub champions: Vec<ChampionEntry>,
}

impl Registry {
    /// The versions of a model.
    pub fn of(&self, model: &str) -> Option<&Versions> {
        self.models.iter().find(|(name, _)| **name == *model).map(|(_, versions)| versions)
    }

    pub(super) fn of_mut(&mut self, model: &str) -> Option<&mut Versions> {
        self.models.iter_mut().find(|(name, _)| **name == *model).map(|(_, versions)| versions)
    }

    /// The champion in force.
    pub fn champion(&self) -> Option<&ChampionEntry> {
        self.champions.last()
    }

    /// The version the champion answers with; `None`: there is none yet.
    pub fn champion_version(&self) -> Option<(&Arc<str>, u64)> {
        let champion = self.champion()?;
        let newest = self.of(&champion.model)?.newest;
        let version = champion.version.unwrap_or(newest);
        (version > 0).then_some((&champion.model, version))
    }

    /// Makes a model or a version of it the champion.
    ///
    /// # Errors
    /// When there is no such model, or the version is not there or was retired.
    pub(super) fn promote(
        &mut self,
        model: &str,
        version: Option<u64>,
        step: u64,
        since: Time,
        why: &str,
    ) -> Result<(), String> {
        let Some((name, versions)) = self.models.iter().find(|(name, _)| **name == *model) else {
            return Err(format!("there is no model {model}"));
        };
        if let Some(version) = version
            && !versions.live.iter().any(|entry| entry.version == version)
        {
            return Err(format!("{model}@{version} is not there, or was retired"));
        }
        let (model, why) = (name.clone(), why.to_string());
        self.champions.push(ChampionEntry { since, step, model, version, why });
        let surplus = self.champions.len().saturating_sub(CHANGES_MAX);
        self.champions.drain(..surplus);
        Ok(())
    }

    /// Back to what stood before the last change: its version, if it is still there, else the one
    /// before the newest.
    pub(super) fn rollback(&mut self, step: u64, since: Time) -> Result<(), String> {
        let before = self.champions.iter().rev().nth(1).cloned();
        match before {
            Some(entry) => self.promote(&entry.model, entry.version, step, since, "rollback"),
            None => {
                let champion = self.champion().ok_or("there is no champion yet")?.clone();
                let versions = self.of(&champion.model).ok_or("its model is gone")?;
                let entry = versions.live.iter().rev().nth(1);
                let version = entry.ok_or("there is no version before the newest")?.version;
                self.promote(&champion.model, Some(version), step, since, "rollback")
            }
        }
    }

    /// Takes out of a model's versions those that are beyond `keep`: never the newest, never the
    /// champion's.
    pub(super) fn retire(&mut self, model: &str, keep: Keep, now: Time) -> Vec<VersionEntry> {
        let held = self.champion().filter(|c| *c.model == *model).and_then(|c| c.version);
        let Some(versions) = self.of_mut(model) else { return Vec::new() };
        let newest = versions.newest;
        let is_kept = |entry: &VersionEntry| {
            entry.version == newest
                || Some(entry.version) == held
                || match keep {
                    Keep::Versions(count) => entry.version.saturating_add(count) > newest,
                    Keep::Time(span) => entry.time.saturating_add_unsigned(span) > now,
                }
        };
        let (kept, gone) = versions.live.drain(..).partition(is_kept);
        versions.live = kept;
        gone
    }
}

/// Format 2. In format 1 versions were not dated, and changes of the champion by record time.
const FORMAT: u16 = 2;

impl State for Registry {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        to.len(self.models.len() + self.left.len());
        for (name, versions) in self.models.iter().chain(&self.left) {
            to.str(name);
            to.u64(versions.newest);
            to.len(versions.live.len());
            for entry in &versions.live {
                to.u64(entry.version);
                to.u64(entry.step);
                to.u64(entry.records);
                to.i64(entry.time);
                to.i64(entry.since);
                to.u32(entry.pages);
                to.str(&entry.state_digest);
                to.str(&entry.manifest_digest);
            }
        }
        to.len(self.champions.len());
        for entry in &self.champions {
            to.i64(entry.since);
            to.u64(entry.step);
            to.str(&entry.model);
            to.u64(entry.version.unwrap_or(0));
            to.str(&entry.why);
        }
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        let format = from.format("the versions", FORMAT)?;
        self.left.clear();
        for _ in 0..from.len(16)? {
            let name = from.str()?;
            let mut versions = Versions { newest: from.u64()?, live: Vec::new() };
            for _ in 0..from.len(52)? {
                let (version, step, records) = (from.u64()?, from.u64()?, from.u64()?);
                let time = from.i64()?;
                versions.live.push(VersionEntry {
                    version,
                    step,
                    records,
                    time,
                    since: if format == 1 { time } else { from.i64()? },
                    pages: from.u32()?,
                    state_digest: from.str()?.into(),
                    manifest_digest: from.str()?.into(),
                });
            }
            match self.of_mut(name) {
                Some(known) => *known = versions,
                None => self.left.push((name.into(), versions)),
            }
        }
        self.champions.clear();
        for _ in 0..from.len(40)? {
            let (since, step, model) = (from.i64()?, from.u64()?, from.str()?.into());
            let version = Some(from.u64()?).filter(|version| *version > 0);
            let why = from.str()?.into();
            self.champions.push(ChampionEntry { since, step, model, version, why });
        }
        Ok(())
    }

    fn footprint_bytes(&self) -> usize {
        let live: usize = self.models.iter().map(|(_, versions)| versions.live.len()).sum();
        size_of::<Registry>() + live * 200 + self.champions.len() * 100
    }
}
