//! What was loaded into a topic before, as the headers of its records say.

use std::collections::BTreeMap;

use alluvium_embedded::Embedded;
use alluvium_flow::Batch;
use alluvium_ledger::log::{Ends, Log, Polled, Span};
use anyhow::Context;

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
fn digest_of_address(address: &str) -> String {
    let name = std::path::Path::new(address).file_name().map(|name| name.to_string_lossy());
    digest_of(name.as_deref().unwrap_or(address))
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
    /// The greatest number in each partition.
    numbers: Vec<u64>,
    ended: bool,
}

impl Marks {
    /// Reads the headers of a whole topic.
    pub(super) fn read(log: &mut Embedded, topic: &str) -> anyhow::Result<Marks> {
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
        log: &mut Embedded,
        topic: &str,
        partition: usize,
        (from, to): (u64, u64),
        ends: &Ends,
    ) -> anyhow::Result<()> {
        let span = Span { topic: topic.into(), partition: partition as u32, from, to: Some(to) };
        let (mut reader, mut batch, mut next) = (log.reader(&[span])?, Batch::new(), from);
        while next < to && reader.poll(&mut batch)? == Polled::Records {
            next = batch.next;
            for record in batch.iter() {
                let Some(mark) = record.headers.get("load").and_then(Mark::parse) else {
                    self.others = true;
                    continue;
                };
                if !self.sources.contains_key(mark.source) {
                    self.sources.insert(mark.source.into(), Loaded::default());
                }
                if let Some(loaded) = self.sources.get_mut(mark.source) {
                    loaded.numbers.resize(ends.partitions.len(), 0);
                    loaded.numbers[partition] = loaded.numbers[partition].max(mark.number);
                    loaded.ended |= mark.is_last;
                }
            }
        }
        Ok(())
    }

    /// Up to which record of a source each partition was loaded.
    pub(super) fn of(&self, source: &str, partitions: usize) -> Vec<u64> {
        let known = self.sources.get(source).map(|loaded| loaded.numbers.clone());
        let mut numbers = known.unwrap_or_default();
        numbers.resize(partitions, 0);
        numbers
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
pub(super) fn is_filled(
    log: &mut Embedded,
    topic: &str,
    sources: &[&String],
) -> anyhow::Result<bool> {
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

fn ends_of(log: &mut Embedded, topic: &str) -> anyhow::Result<Ends> {
    log.ends(topic)?.with_context(|| format!("there is no topic {topic}"))
}
