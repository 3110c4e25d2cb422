//! Versions: a model's settings and state at one place in the order.

use alluvium_learn::Over;
use serde_json::{Map, Value, json};

use super::{
    Pipeline, Sections, VersionEntry, Versions,
    model::saved,
    state::{CLASSES, of_field, of_model, of_step},
};
use crate::{Effects, ModelRecord, News, settings::KERNEL};

/// The largest page of a version, in bytes.
const PAGE_BYTES: usize = 768 << 10;

/// The key of a version's manifest, or of one of its pages.
pub fn version_key(model: &str, version: u64, page: Option<usize>) -> String {
    match page {
        None => format!("v/{model}/{version:010}"),
        Some(page) => format!("v/{model}/{version:010}/{page:06}"),
    }
}

/// The key of an alias, as one writer writes it. Readers take the one with the greatest step.
pub fn alias_key(name: &str, term: u64) -> String {
    format!("alias/{name}/{term:016x}")
}

impl Pipeline {
    /// Whether versions are due after the record that was just read.
    pub(super) fn is_due(&mut self) -> bool {
        match self.spec.versions.every {
            Over::Records(count) => self.counters.read.is_multiple_of(count),
            Over::Time(span) => {
                let Some(now) = self.counters.time else { return false };
                let next = now.saturating_add_unsigned(span - now.rem_euclid(span as i64) as u64);
                match self.counters.due {
                    Some(due) if now >= due => {
                        self.counters.due = Some(next);
                        true
                    }
                    Some(_) => false,
                    None => {
                        self.counters.due = Some(next);
                        false
                    }
                }
            }
        }
    }

    /// Whether records were read that the newest version of some model does not know of.
    pub fn has_unpublished(&self) -> bool {
        let newest = |versions: &Versions| versions.live.last().map_or(0, |entry| entry.records);
        let read = self.counters.read;
        self.registry.models.iter().any(|(_, versions)| newest(versions) != read)
    }

    /// Publishes a version of every model that has moved since its last one.
    pub(super) fn publish(&mut self, effects: &mut Effects) {
        let step = self.counters.steps;
        self.published_taken = Some(self.taken());
        for index in 0..self.models.len() {
            let name = self.models[index].judged.name.clone();
            let newest = self.registry.of(&name).and_then(|versions| versions.live.last());
            if newest.is_some_and(|entry| entry.step == step) || self.counters.read == 0 {
                continue;
            }
            self.publish_model(index, effects);
            let now = self.counters.time.unwrap_or(0);
            for gone in self.registry.retire(&name, self.spec.versions.keep, now) {
                let pages = (0..gone.pages as usize).map(Some).chain([None]);
                effects.models.extend(pages.map(|page| ModelRecord {
                    key: version_key(&name, gone.version, page),
                    value: None,
                }));
            }
            let is_champion = self.registry.champion().is_some_and(|c| c.model == name);
            if is_champion && self.registry.champion().is_some_and(|c| c.version.is_none()) {
                self.emit_alias(effects);
            }
        }
    }

    fn publish_model(&mut self, index: usize, effects: &mut Effects) {
        let sections = self.version_sections(index);
        let model = &self.models[index];
        let name = model.judged.name.clone();
        let state_digest = state_digest(&model.settings, &sections);
        let before = self.registry.of(&name).map_or(0, |versions| versions.newest);
        let version = before + 1;
        let parent = self.registry.of(&name).and_then(|versions| versions.live.last());
        if parent.is_some_and(|entry| entry.state_digest == state_digest) {
            return; // It has learned nothing since.
        }
        let parent = parent.map(|entry| entry.manifest_digest.clone());
        let mut pages = Vec::new();
        for (section, bytes) in &sections {
            let empty = bytes.is_empty().then_some(&bytes[..]);
            for page in bytes.chunks(PAGE_BYTES).chain(empty) {
                let key = version_key(&name, version, Some(pages.len()));
                effects.models.push(ModelRecord { key, value: Some(page.to_vec()) });
                let digest = blake3::hash(page).to_hex().to_string();
                pages.push(json!({ "section": section, "bytes": page.len(), "digest": digest }));
            }
        }
        let page_count = pages.len() as u32;
        let manifest = json!({
            "format": 1,
            "kernel": KERNEL,
            "model": &*name,
            "version": version,
            "state_digest": state_digest,
            "parent": parent,
            "settings": model.settings,
            "step": self.counters.steps,
            "records": self.counters.read,
            "learned": self.counters.learned,
            "time": self.counters.time,
            "cut": effects.cut,
            "positions": self.positions(),
            "metrics": self.metrics_of(index),
            "pages": pages,
        });
        let bytes = serde_json::to_vec(&manifest).expect("plain data");
        let manifest_digest = blake3::hash(&bytes).to_hex().to_string();
        let key = version_key(&name, version, None);
        effects.models.push(ModelRecord { key, value: Some(bytes) });
        let entry = VersionEntry {
            version,
            step: self.counters.steps,
            records: self.counters.read,
            time: self.counters.time.unwrap_or(0),
            since: effects.time,
            pages: page_count,
            state_digest: state_digest.clone(),
            manifest_digest,
        };
        if let Some(versions) = self.registry.of_mut(&name) {
            versions.newest = version;
            versions.live.push(entry);
        }
        let at = self.last_place();
        effects.news.push(News::Version { model: name, version, state_digest, at });
    }

    /// The state a version of a model is made of: its own, and that of what it reads.
    pub(super) fn version_sections(&self, index: usize) -> Sections {
        let model = &self.models[index];
        let settings = &model.settings;
        let uses = |table: &str, name: &str| settings[table].get(name).is_some();
        let mut sections = Sections::new();
        sections.insert(CLASSES.into(), saved(&self.classes));
        for category in self.categories.iter().filter(|c| uses("fields", &c.name)) {
            sections.insert(of_field(&category.name), saved(&category.dictionary));
        }
        for step in &self.steps {
            let is_fill = step.name.strip_suffix(super::plan::FILLED);
            let is_used = match is_fill {
                Some(field) => uses("fields", field),
                None => uses("features", &step.name),
            };
            if is_used {
                sections.insert(of_step(&step.name), saved(step.object.0.as_ref()));
            }
        }
        let name = &model.judged.name;
        sections.insert(of_model(name), saved(model.judged.learner.as_ref()));
        sections
    }

    /// The identity of a model as it is now.
    pub fn state_digest(&self, model: &str) -> Option<String> {
        let index = self.models.iter().position(|m| *m.judged.name == *model)?;
        Some(state_digest(&self.models[index].settings, &self.version_sections(index)))
    }

    /// The next offset of each input partition, as `input:partition`.
    fn positions(&self) -> Value {
        let place = |((input, partition), position): (&(_, u32), &u64)| {
            (format!("{input}:{partition}"), json!(position))
        };
        let positions = self.counters.positions.iter();
        Value::Object(positions.map(|(key, position)| place((key, position))).collect())
    }

    fn last_place(&self) -> String {
        let places = self.counters.positions.iter();
        let shown: Vec<String> =
            places.map(|((input, partition), at)| format!("{input}:{partition}:{at}")).collect();
        shown.join(" ")
    }

    fn metrics_of(&self, index: usize) -> Value {
        let judge = &self.models[index].judged.judge;
        let shown: Map<String, Value> =
            (0..judge.len()).map(|i| (judge.name(i).to_string(), json!(judge.whole(i)))).collect();
        Value::Object(shown)
    }

    /// Says which version the champion answers with from here on.
    pub(super) fn emit_champion(&mut self, effects: &mut Effects) {
        self.emit_alias(effects);
        if let Some(champion) = self.registry.champion() {
            let (model, version) = (champion.model.clone(), champion.version);
            effects.news.push(News::Champion { model, version });
        }
    }

    fn emit_alias(&mut self, effects: &mut Effects) {
        let Some((model, version)) = self.registry.champion_version() else { return };
        let entry = self.registry.champion();
        let (why, since) = entry.map_or(("", 0), |entry| (entry.why.as_str(), entry.since));
        let alias = json!({
            "model": &**model,
            "version": version,
            "step": self.counters.steps,
            "time": self.counters.time,
            "since": since,
            "why": why,
        });
        let value = Some(serde_json::to_vec(&alias).expect("plain data"));
        effects.models.push(ModelRecord { key: alias_key("champion", effects.term), value });
    }
}

/// The identity of a model: its learning settings and its state. Hexadecimal BLAKE3.
pub fn state_digest(settings: &Value, sections: &Sections) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"alluvium state 1\n");
    hasher.update(&KERNEL.to_le_bytes());
    let settings = serde_json::to_vec(settings).expect("plain data");
    hasher.update(&(settings.len() as u64).to_le_bytes()).update(&settings);
    for (name, bytes) in sections {
        // The model's own name is no part of what it is.
        let name = if name.starts_with("model/") { "model" } else { name };
        hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
        hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    }
    hasher.finalize().to_hex().to_string()
}
