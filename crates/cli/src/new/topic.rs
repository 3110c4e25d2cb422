//! Records of a live topic: so many from the beginning of each partition, and no more.

use alluvium_flow::Batch;
use alluvium_learn::Time;
use alluvium_ledger::log::{Log, LogError, PartitionEnds, Polled, Span};
use anyhow::bail;

use super::sample::Sample;
use crate::{
    look,
    settings::nearest,
    store::{Place, Store},
};

/// So many records are taken.
const RECORDS_MAX: u64 = 20_000;
/// Of so many bytes together, at most.
const BYTES_MAX: usize = 64 << 20;
/// So many topics are named where none is near.
const NAMED_MAX: usize = 10;

/// What was taken of a topic.
pub(super) struct Taken {
    /// The records.
    pub sample: Sample,
    /// How many there are in the topic, by its offsets.
    pub records: u64,
}

/// Takes records of a topic.
///
/// # Errors
/// When the log cannot be reached, or the topic is not there or has no records.
pub(super) fn take(place: &Place, topic: &str) -> anyhow::Result<Taken> {
    let mut log = place.open().map_err(|failure| anyhow::anyhow!("{failure}"))?;
    let Some(ends) = log.ends(topic)? else { return Err(no_topic(&mut log, topic)?) };
    let available: Vec<u64> =
        ends.partitions.iter().map(|ends| ends.stable.saturating_sub(ends.earliest)).collect();
    let records: u64 = available.iter().sum();
    if records == 0 {
        let what = match ends.partitions.iter().any(|ends| ends.stable > 0) {
            true => "holds no record any more: all have expired",
            false => "is empty",
        };
        bail!(
            "topic {topic} {what}, so there is nothing to look at: have a producer write to it, or \
             begin with a file (alluvium new FILE, then alluvium load pipeline.toml FILE brings it \
             into the topic)"
        );
    }
    let shares = shares(&available, RECORDS_MAX);
    let taken = read(&mut log, topic, &ends.partitions, &shares)?;
    let is_whole = shares == available;
    let sample = Sample::of_topic(format!("topic {topic}"), taken, is_whole)?;
    Ok(Taken { sample, records })
}

/// A pipeline's name from a topic's.
pub(super) fn name_of(topic: &str) -> String {
    let spelled = |c: char| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '_' };
    let name: String = topic.chars().map(spelled).take(100).collect();
    match name.chars().any(|c| c.is_ascii_alphanumeric()) {
        true => name,
        false => "pipeline".into(),
    }
}

/// There is no such topic: which one may be meant.
fn no_topic(log: &mut Store, topic: &str) -> anyhow::Result<anyhow::Error> {
    let mut known = log.topics()?;
    // Of several that begin alike the shortest way there is meant.
    known.sort_by_key(|known| strsim::damerau_levenshtein(topic, known));
    let hint = match nearest(topic, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near}?"),
        None if known.is_empty() => "there is none that this user may see".into(),
        None => {
            let more = if known.len() > NAMED_MAX { ", ..." } else { "" };
            format!("there are {}{more}", known[..known.len().min(NAMED_MAX)].join(", "))
        }
    };
    Ok(anyhow::anyhow!("there is no topic {topic}: {hint}"))
}

/// How many records of each partition are taken: as many of each, and more where others have fewer.
fn shares(available: &[u64], most: u64) -> Vec<u64> {
    let mut order: Vec<usize> = (0..available.len()).collect();
    order.sort_by_key(|partition| available[*partition]);
    let (mut shares, mut left) = (vec![0; available.len()], most);
    for (done, partition) in order.into_iter().enumerate() {
        let others = (available.len() - done) as u64;
        shares[partition] = available[partition].min(left.div_ceil(others));
        left -= shares[partition];
    }
    shares
}

/// Reads so many records of each partition, and puts them into the order of their times, as far as
/// each partition keeps to it.
fn read(
    log: &mut Store,
    topic: &str,
    ends: &[PartitionEnds],
    shares: &[u64],
) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut spans = Vec::new();
    for ((partition, ends), share) in (0..).zip(ends).zip(shares) {
        if *share > 0 {
            let (from, to) = (ends.earliest, Some(ends.earliest + share));
            spans.push(Span { topic: topic.into(), partition, from, to });
        }
    }
    let mut reader = log.reader(&spans)?;
    let room = BYTES_MAX / spans.len().max(1);
    let mut under_way: Vec<Option<(usize, Time)>> = vec![Some((0, Time::MIN)); spans.len()];
    let (mut batch, mut taken, mut still) = (Batch::new(), Vec::new(), 0);
    while under_way.iter().any(Option::is_some) {
        if reader.poll(&mut batch)? == Polled::Nothing {
            still += 1;
            if !look::waits(still) {
                let why = format!("nothing comes of topic {topic}, though there are records");
                return Err(LogError::Unavailable(why).into());
            }
            continue;
        }
        still = 0;
        let Some((bytes, time)) = &mut under_way[batch.span] else { continue };
        for record in batch.iter() {
            let value = record.value.unwrap_or_default();
            *bytes += value.len();
            *time = (*time).max(record.time);
            if *bytes <= room {
                taken.push((*time, batch.span, record.offset, value.to_vec()));
            }
        }
        if *bytes > room || spans[batch.span].to.is_some_and(|to| batch.next >= to) {
            under_way[batch.span] = None;
            reader.pause(batch.span, true);
        }
    }
    taken.sort();
    Ok(taken.into_iter().map(|(_, _, _, value)| value).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_partition_has_not_the_others_give() {
        assert_eq!(shares(&[5, 100, 100], 45), [5, 20, 20]);
        assert_eq!(shares(&[3, 0, 2], 10), [3, 0, 2]);
        assert_eq!(shares(&[9], 4), [4]);
        assert_eq!(shares(&[9, 9, 9], 4).iter().sum::<u64>(), 4);
        assert!(shares(&[], 4).is_empty());
    }

    #[test]
    fn a_topics_name_becomes_a_pipelines() {
        assert_eq!(name_of("electricity"), "electricity");
        assert_eq!(name_of("orders.v1"), "orders_v1");
        assert_eq!(name_of("..."), "pipeline");
    }
}
