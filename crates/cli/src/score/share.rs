//! Which partitions this process answers, and where it begins: on Kafka its share of a consumer
//! group, on the embedded log all of them, for as long as it holds the lease.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use alluvium_kafka::{Given, Group, Place, Stands, Turn};
use alluvium_ledger::{
    log::{Errand, Lease, Log, LogError, PartitionEnds},
    read::Observer,
};

use super::answers::Start;
use crate::{args::Begin, look, open::Opened, store::Store};

/// How many of the newest answers are looked at first to find where scoring stands.
const TAIL: u64 = 10_000;
/// How often a commit that is waited for is looked after.
const STEP: Duration = Duration::from_millis(5);

/// What is new in a share.
pub(super) enum Change {
    /// Nothing.
    None,
    /// It has to be given back, by [`Share::give_back`].
    Taken,
    /// These partitions are ours, and no others; with what people should know of them.
    Given(Vec<Start>, Vec<String>),
}

/// This process's share of the partitions.
pub(super) enum Share {
    /// Of a consumer group.
    Group {
        group: Group,
        /// What was given, until it is known where to begin.
        given: Option<Vec<Given>>,
        /// What was last committed.
        committed: BTreeMap<(String, u32), u64>,
    },
    /// All, or none.
    Alone { lease: Box<dyn Lease>, scores: String, is_ours: bool },
}

/// The inputs that are answered: names and topics.
pub(super) type Inputs = Vec<(String, String)>;

/// The group of all that answer a pipeline's inputs with its champion.
pub fn group(pipeline: &str) -> String {
    format!("alluvium.{pipeline}.score")
}

impl Share {
    /// Asks for a share.
    pub(super) fn ask(
        log: &mut Store,
        opened: &Opened,
        inputs: &Inputs,
        scores: &str,
        (model, input): (Option<&str>, Option<&str>),
    ) -> Result<Share, LogError> {
        let pipeline = &opened.spec.name;
        let mut group = group(pipeline);
        // Who answers something else shares it with nobody. No name has an `@`.
        group.extend(model.map(|model| format!(".{model}")));
        group.extend(input.map(|input| format!("@{input}")));
        let mut topics: Vec<&str> = inputs.iter().map(|(_, topic)| topic.as_str()).collect();
        topics.sort_unstable();
        topics.dedup();
        if let Some(group) = log.group(&group, &topics)? {
            return Ok(Share::Group { group, given: None, committed: BTreeMap::new() });
        }
        let lease = log.lease(pipeline, Errand::Load { topic: scores })?;
        Ok(Share::Alone { lease, scores: scores.into(), is_ours: false })
    }

    /// What it is called.
    pub(super) fn name(&self) -> String {
        match self {
            Share::Group { group, .. } => format!("group {}", group.name()),
            Share::Alone { .. } => "this process alone".into(),
        }
    }

    /// Looks what is new. Has to be called all the time.
    pub(super) fn turn(
        &mut self,
        log: &mut Store,
        inputs: &Inputs,
        begin: Option<Begin>,
    ) -> Result<Change, LogError> {
        match self {
            Share::Group { group, given, committed } => {
                match group.poll()? {
                    Turn::Same => {}
                    Turn::Given(new) => *given = Some(new),
                    Turn::Taken => {
                        (*given, *committed) = (None, BTreeMap::new());
                        return Ok(Change::Taken);
                    }
                }
                if group.take_failed() {
                    committed.clear();
                }
                let Some(new) = given else { return Ok(Change::None) };
                let (starts, said) = begin_in_group(log, inputs, new, begin)?;
                *given = None;
                Ok(Change::Given(starts, said))
            }
            Share::Alone { lease, scores, is_ours } => {
                let held = lease.held();
                if held == *is_ours {
                    return Ok(Change::None);
                }
                if !held {
                    *is_ours = false;
                    return Ok(Change::Taken);
                }
                let (starts, said) = begin_alone(log, inputs, scores, begin)?;
                *is_ours = true;
                Ok(Change::Given(starts, said))
            }
        }
    }

    /// Commits where partitions stand that have moved.
    pub(super) fn commit(&mut self, starts: &[Start]) -> Result<(), LogError> {
        let Share::Group { group, committed, .. } = self else { return Ok(()) };
        // Two inputs may read one topic: it stands where the slower one does.
        let mut stand: BTreeMap<(String, u32), u64> = BTreeMap::new();
        for start in starts {
            let at = stand.entry((start.topic.clone(), start.partition)).or_insert(start.from);
            *at = start.from.min(*at);
        }
        stand.retain(|place, offset| committed.get(place) != Some(offset));
        let places: Vec<Place> = stand
            .iter()
            .map(|((topic, partition), offset)| Place {
                topic: topic.clone(),
                partition: *partition,
                offset: *offset,
            })
            .collect();
        if !places.is_empty() {
            group.commit(&places)?;
            committed.extend(stand);
        }
        Ok(())
    }

    /// Waits, so long at most, until what was committed is. Whether it is.
    pub(super) fn wait_for_commits(&mut self, patience: Duration) -> bool {
        let Share::Group { group, given, .. } = self else { return true };
        let since = Instant::now();
        while !group.are_committed() && since.elapsed() < patience {
            match group.poll() {
                Ok(Turn::Given(new)) => *given = Some(new),
                // Whoever calls is giving them back.
                Ok(Turn::Taken | Turn::Same) | Err(_) => {}
            }
            thread::sleep(STEP);
        }
        group.are_committed() && !group.take_failed()
    }

    /// Gives back what was taken.
    pub(super) fn give_back(&mut self) -> Result<(), LogError> {
        match self {
            Share::Group { group, .. } => group.release(),
            Share::Alone { .. } => Ok(()),
        }
    }

    /// Why nothing was given.
    pub(super) fn trouble(&self) -> Option<LogError> {
        match self {
            Share::Group { group, .. } => group.trouble(),
            Share::Alone { .. } => None,
        }
    }
}

/// Where to begin in partitions of a group.
fn begin_in_group(
    log: &mut Store,
    inputs: &Inputs,
    given: &[Given],
    begin: Option<Begin>,
) -> Result<(Vec<Start>, Vec<String>), LogError> {
    let (mut starts, mut said) = (Vec::new(), Vec::new());
    let mut all: BTreeMap<&str, Vec<PartitionEnds>> = BTreeMap::new();
    for Given { topic, partition, stands } in given {
        if !all.contains_key(topic.as_str()) {
            let ends = log.ends(topic)?;
            let ends = ends.ok_or_else(|| LogError::NoTopic { topic: topic.clone() })?;
            all.insert(topic, ends.partitions);
        }
        let ends = all[topic.as_str()].get(*partition as usize).copied().unwrap_or_default();
        let place = format!("{topic}:{partition}");
        let from = match stands {
            Stands::At(offset) => {
                let (from, why) = held(&place, *offset, ends, begin).ok_or_else(|| {
                    let (topic, partition) = (topic.clone(), *partition);
                    LogError::OutOfRange { topic, partition, offset: *offset, ends }
                })?;
                said.extend(why);
                from
            }
            Stands::Added => {
                said.push(format!(
                    "{place} was added since: its records are answered from the first on"
                ));
                ends.earliest
            }
            Stands::Nowhere => {
                let (from, why) = first(&place, ends, begin);
                said.push(why);
                from
            }
        };
        for (input, _) in inputs.iter().filter(|(_, found)| found == topic) {
            let (input, topic, partition) = (input.clone(), topic.clone(), *partition);
            starts.push(Start { input, topic, partition, from });
        }
    }
    Ok((starts, said))
}

/// Where to begin when nobody knows of anything before.
fn first(place: &str, ends: PartitionEnds, begin: Option<Begin>) -> (u64, String) {
    match begin {
        Some(Begin::Beginning) => {
            (ends.earliest, format!("{place} is answered from its beginning, {}", ends.earliest))
        }
        Some(Begin::End) | None => {
            let at = ends.stable;
            (
                at,
                format!(
                    "{place} is answered from where it ends now, {at}: --from beginning takes all"
                ),
            )
        }
    }
}

/// Where to go on from an offset that may no longer be there. Where it is not, somebody has to say
/// so: to go on elsewhere is to leave records without an answer.
pub(super) fn held(
    place: &str,
    offset: u64,
    ends: PartitionEnds,
    begin: Option<Begin>,
) -> Option<(u64, Option<String>)> {
    if (ends.earliest..=ends.stable).contains(&offset) {
        return Some((offset, None));
    }
    let from = match begin? {
        Begin::Beginning => ends.earliest,
        Begin::End => ends.stable,
    };
    let why = format!(
        "offset {offset} of {place} is not there, which holds {} to {}: going on at {from}",
        ends.earliest, ends.stable
    );
    Some((from, Some(why)))
}

/// Where to begin in all partitions: after the newest answer to each.
fn begin_alone(
    log: &mut Store,
    inputs: &Inputs,
    scores: &str,
    begin: Option<Begin>,
) -> Result<(Vec<Start>, Vec<String>), LogError> {
    let (mut starts, mut said) = (Vec::new(), Vec::new());
    let mut found = Vec::new();
    for (input, topic) in inputs {
        let ends = log.ends(topic)?.ok_or_else(|| LogError::NoTopic { topic: topic.clone() })?;
        for (partition, ends) in (0..).zip(ends.partitions) {
            let (input, topic) = (input.clone(), topic.clone());
            found.push((Start { input, topic, partition, from: 0 }, ends));
        }
    }
    let wanted: Vec<String> = found.iter().map(|(start, _)| start.place()).collect();
    let answered = newest_answers(log, scores, &wanted)?;
    for (mut start, ends) in found {
        let place = start.place();
        start.from = match answered.get(&place) {
            // A log of this machine loses nothing; if it was made anew, it holds no answers.
            Some(newest) => (newest + 1).clamp(ends.earliest, ends.stable.max(ends.earliest)),
            None => {
                let (from, why) = first(&place, ends, begin);
                said.push(why);
                from
            }
        };
        starts.push(start);
    }
    Ok((starts, said))
}

/// The newest record answered of each partition, by `INPUT:PARTITION`.
fn newest_answers(
    log: &mut Store,
    scores: &str,
    wanted: &[String],
) -> Result<BTreeMap<String, u64>, LogError> {
    let Some(ends) = log.ends(scores)? else { return Ok(BTreeMap::new()) };
    let mut newest = BTreeMap::new();
    let mut idle = look::waits;
    let mut observer = Observer { log, idle: &mut idle };
    for is_tail in [true, false] {
        for (partition, ends) in (0..).zip(&ends.partitions) {
            let tail = ends.stable.saturating_sub(TAIL).max(ends.earliest);
            let from = if is_tail { tail } else { ends.earliest };
            observer.each(scores, partition, from, ends.stable, |record| {
                let at = record.headers.get("at").and_then(|at| std::str::from_utf8(at).ok());
                let Some((place, offset)) = at.and_then(|at| at.rsplit_once(':')) else { return };
                let Ok(offset) = offset.parse::<u64>() else { return };
                let known = newest.entry(place.to_string()).or_insert(offset);
                *known = offset.max(*known);
            })?;
        }
        if wanted.iter().all(|place| newest.contains_key(place)) {
            break;
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_gone_is_left_only_where_somebody_says_so() {
        let ends = PartitionEnds { earliest: 10, stable: 20 };
        for offset in [10, 15, 20] {
            assert_eq!(held("x:0", offset, ends, Some(Begin::End)), Some((offset, None)));
        }
        for offset in [9, 21] {
            assert_eq!(held("x:0", offset, ends, None), None);
            let (from, why) = held("x:0", offset, ends, Some(Begin::Beginning)).unwrap();
            assert!(from == 10 && why.unwrap().contains(&format!("offset {offset} of x:0")));
            assert_eq!(held("x:0", offset, ends, Some(Begin::End)).unwrap().0, 20);
        }
    }
}
