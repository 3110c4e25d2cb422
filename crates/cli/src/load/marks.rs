//! What was loaded into a topic before, as the headers of its records say.

use std::collections::BTreeMap;

use alluvium_flow::Record;
use alluvium_ledger::{
    log::{Ends, Log},
    read::Observer,
};
use anyhow::Context;

use crate::store::Store;

/// The header of one record: which source, which record of it, and whether it is its last.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark<'a> {
    source: &'a str,
    number: u64,
    is_last: bool,
}

impl<'a> Mark<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Mark<'a>> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (source, number) = text.split_once(':')?;
        let is_last = number.ends_with('!');
        let number = number.trim_end_matches('!').parse().ok()?;
        Some(Mark { source, number, is_last })
    }
}

/// What a source is called in a header: eight hexadecimal digits.
pub(super) fn digest_of(name: &str) -> String {
    blake3::hash(name.as_bytes()).to_hex()[..8].to_string()
}

/// How a source of the pipeline file is called.
pub fn name_of(address: &str) -> String {
    let name = std::path::Path::new(address).file_name();
    name.map_or_else(|| address.into(), |name| name.to_string_lossy().into())
}

fn digest_of_address(address: &str) -> String {
    digest_of(&name_of(address))
}

/// One record of a source that was loaded before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    number: u64,
    value: Vec<u8>,
}

impl Known {
    fn take(&mut self, number: u64, value: &[u8]) {
        self.number = number;
        self.value.clear();
        self.value.extend_from_slice(value);
    }
}

/// What is known of a source that was loaded before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Before {
    /// Its first record, if that is still there.
    first: Option<Known>,
    /// The newest of each partition.
    newest: Vec<Known>,
}

impl Before {
    /// Up to which record a partition was loaded.
    pub(super) fn upto(&self, partition: usize) -> u64 {
        self.newest.get(partition).map_or(0, |known| known.number)
    }

    /// Whether a record is another than the one that was loaded under its number.
    pub(super) fn denies(&self, number: u64, value: &[u8]) -> bool {
        let known = self.first.iter().chain(&self.newest);
        known.into_iter().any(|known| known.number == number && known.value != value)
    }
}

/// How far each source was loaded.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    sources: BTreeMap<String, Loaded>,
    /// Whether there are records that no load of a file brought.
    others: bool,
    is_empty: bool,
}

#[derive(Clone, Debug, Default)]
struct Loaded {
    before: Before,
    ended: bool,
}

impl Marks {
    /// Reads the headers of a whole topic.
    pub(super) fn read(log: &mut Store, topic: &str) -> anyhow::Result<Marks> {
        let ends = ends_of(log, topic)?;
        let mut marks = Marks { is_empty: true, ..Marks::default() };
        for partition in 0..ends.partitions.len() {
            let known = ends.partitions[partition];
            marks.is_empty &= known.stable == 0;
            marks.scan(log, topic, partition, (known.earliest, known.stable), &ends)?;
        }
        Ok(marks)
    }

    fn scan(
        &mut self,
        log: &mut Store,
        topic: &str,
        partition: usize,
        (from, to): (u64, u64),
        ends: &Ends,
    ) -> anyhow::Result<()> {
        let mut idle = crate::look::waits;
        let mut observer = Observer { log, idle: &mut idle };
        let partitions = ends.partitions.len();
        observer.each(topic, partition as u32, from, to, |record| {
            self.take(&record, partition, partitions);
        })?;
        Ok(())
    }

    fn take(&mut self, record: &Record<'_>, partition: usize, partitions: usize) {
        let Some(mark) = record.headers.get("load").and_then(Mark::parse) else {
            self.others = true;
            return;
        };
        if !self.sources.contains_key(mark.source) {
            self.sources.insert(mark.source.into(), Loaded::default());
        }
        let Some(loaded) = self.sources.get_mut(mark.source) else { return };
        let (before, value) = (&mut loaded.before, record.value.unwrap_or_default());
        before.newest.resize(partitions, Known::default());
        if mark.number == 1 {
            before.first.get_or_insert_default().take(1, value);
        }
        if mark.number > before.newest[partition].number {
            before.newest[partition].take(mark.number, value);
        }
        loaded.ended |= mark.is_last;
    }

    /// What is known of a source.
    pub(super) fn of(&self, source: &str) -> Before {
        self.sources.get(source).map(|loaded| loaded.before.clone()).unwrap_or_default()
    }

    /// Whether a source of the pipeline file is still to be loaded: it was cut short, or it was not
    /// begun and the topic holds nothing but what the file's sources brought.
    pub(super) fn wants(&self, address: &str, all: &[String]) -> bool {
        let digest = digest_of_address(address);
        match self.sources.get(&digest) {
            Some(loaded) => !loaded.ended,
            None => {
                let ours: Vec<String> = all.iter().map(|one| digest_of_address(one)).collect();
                let foreign = self.sources.keys().any(|source| !ours.contains(source));
                self.is_empty || !(self.others || foreign)
            }
        }
    }
}

/// Whether the newest records of a topic say that the last of the file's sources was loaded to its
/// end: then there is nothing to scan for.
pub(super) fn is_filled(log: &mut Store, topic: &str, sources: &[&String]) -> anyhow::Result<bool> {
    let Some(last) = sources.last().map(|address| digest_of_address(address)) else {
        return Ok(true);
    };
    let ends = ends_of(log, topic)?;
    let mut ended = false;
    for (partition, known) in ends.partitions.iter().enumerate() {
        let from = known.stable.saturating_sub(1).max(known.earliest);
        let mut tail = Marks::default();
        tail.scan(log, topic, partition, (from, known.stable), &ends)?;
        ended |= tail.sources.get(&last).is_some_and(|loaded| loaded.ended);
    }
    Ok(ended)
}

fn ends_of(log: &mut Store, topic: &str) -> anyhow::Result<Ends> {
    log.ends(topic)?.with_context(|| format!("there is no topic {topic}"))
}
