//! `alluvium decide skip`: passes over records that cannot be read.

use alluvium_flow::{Batch, Decision, Gap};
use alluvium_ledger::{
    control::{At, Unread},
    log::{Log, LogError, PartitionEnds, Polled, Span},
};

use crate::{
    failure::Failure,
    look::{Look, Standing, waits},
    models::asked,
    record,
};

/// `alluvium decide skip`.
///
/// # Errors
/// When there is nothing to pass over, or it is not where the pipeline stands.
pub fn run(look: &mut Look, span: Option<&str>, json: bool) -> Result<(), Failure> {
    let standing = look.standing()?;
    let gap = match span {
        Some(span) => named(look, &standing, span)?,
        None => found(look, &standing)?,
    };
    let records = gap.to - gap.from;
    let then = format!("{gap} is passed over: {records} offsets that nothing will be learned of");
    let offset = look.ask(Decision::Skip(gap))?;
    asked(look, offset, &then, json)
}

/// What it has halted at.
fn found(look: &mut Look, standing: &Standing) -> Result<Gap, Failure> {
    let halted = standing.halted(&look.opened);
    let Some(Unread { at, to }) = halted.and_then(|stopped| stopped.unread) else {
        let status = look.opened.command("status", "");
        return Err(Failure::Usage(format!(
            "it has not halted at records that cannot be read; to pass over others, name them: \
             --span TOPIC:PARTITION:FROM..TO\nwhere it stands: {status}"
        )));
    };
    let to = match to {
        // It may have expired further since.
        Some(to) => to.max(earliest_of(look, &at)?),
        None => first_readable(look, &at)?,
    };
    let At { input, partition, offset } = at;
    let from = standing.fold.reads_from(&input, partition).unwrap_or(offset);
    match from < to {
        true => Ok(Gap { input, partition, from, to }),
        false => {
            let run = look.opened.command("run", "");
            let why = format!("{input}:{partition} will be read from {from} on already: {run}");
            Err(Failure::Usage(why))
        }
    }
}

/// Reads `TOPIC:PARTITION:FROM..TO`, which may name an input as well. Returns the topic, too.
///
/// # Errors
/// When it is no span, it holds nothing, or it is of no input of the pipeline.
pub fn span(look: &Look, span: &str) -> Result<(Gap, String), Failure> {
    let wrong = || {
        Failure::Usage(format!(
            "`{span}` is no span: write TOPIC:PARTITION:FROM..TO, TO not included"
        ))
    };
    let (place, to) = span.split_once("..").ok_or_else(wrong)?;
    let to: u64 = to.parse().map_err(|_| wrong())?;
    let place = record::Place::parse(place).map_err(|_| wrong())?;
    let (input, topic) = record::find_input(look, &place)?;
    let record::Place { partition, offset: from, .. } = place;
    if from >= to {
        let why = format!("`{span}` holds nothing: TO must be greater than FROM");
        return Err(Failure::Usage(why));
    }
    Ok((Gap { input: input.into(), partition, from, to }, topic))
}

/// What somebody names; it has to begin where the pipeline stands.
fn named(look: &mut Look, standing: &Standing, span: &str) -> Result<Gap, Failure> {
    let (gap, topic) = self::span(look, span)?;
    let Gap { partition, from, to, .. } = gap;
    let ends = ends_of(look, &topic, partition)?;
    if to > ends.stable {
        return Err(Failure::Usage(format!(
            "{topic}:{partition} ends at {}: what is not there yet cannot be passed over",
            ends.stable
        )));
    }
    let stands = standing.fold.reads_from(&gap.input, partition);
    if stands != Some(from) {
        let why = match stands {
            Some(end) => format!(
                "{topic}:{partition} was read up to {end}: only from there on records can be \
                 passed over; what lies before it was learned"
            ),
            None => format!("{topic}:{partition} was not read yet"),
        };
        return Err(Failure::Usage(why));
    }
    Ok(gap)
}

fn ends_of(look: &mut Look, topic: &str, partition: u32) -> Result<PartitionEnds, Failure> {
    let ends = look.ends(topic)?;
    ends.get(partition as usize)
        .copied()
        .ok_or_else(|| Failure::Usage(format!("there is no {topic}:{partition}")))
}

/// The topic that an input reads.
fn topic_of(look: &Look, at: &At) -> String {
    let topics = look.opened.topics();
    let topic = topics.into_iter().find(|(input, _)| **input == *at.input);
    topic.map_or_else(|| at.input.to_string(), |(_, topic)| topic)
}

fn earliest_of(look: &mut Look, at: &At) -> Result<u64, Failure> {
    let topic = topic_of(look, at);
    Ok(ends_of(look, &topic, at.partition)?.earliest)
}

/// The first offset behind damaged records that can be read: found by trying, in steps that double,
/// and then between the last two. The end, if there is none.
fn first_readable(look: &mut Look, at: &At) -> Result<u64, Failure> {
    let topic = topic_of(look, at);
    let end = ends_of(look, &topic, at.partition)?.stable;
    let (mut bad, mut step) = (at.offset, 1);
    let mut good = loop {
        let tried = bad.saturating_add(step).min(end);
        if tried == end || is_readable(look, &topic, at.partition, tried)? {
            break tried;
        }
        (bad, step) = (tried, step * 2);
    };
    while good - bad > 1 {
        let between = bad.midpoint(good);
        match is_readable(look, &topic, at.partition, between)? {
            true => good = between,
            false => bad = between,
        }
    }
    Ok(good)
}

fn is_readable(look: &mut Look, topic: &str, partition: u32, from: u64) -> Result<bool, Failure> {
    let span = Span { topic: topic.into(), partition, from, to: Some(from + 1) };
    let (mut reader, mut batch, mut still) = (look.log.reader(&[span])?, Batch::new(), 0);
    loop {
        match reader.poll(&mut batch) {
            Ok(Polled::Records) => return Ok(true),
            Ok(Polled::Nothing) if waits(still) => still += 1,
            Ok(Polled::Nothing) | Err(LogError::Damaged { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}
