//! `alluvium verify`: learns versions again from the log, and compares. Never writes.
//!
//! Two questions, in this order: is it still the same log? is it the same model?

use std::{thread, time::Duration};

use alluvium_flow::{Effects, News};
use alluvium_ledger::{
    keeper::{Halt, Relearn, RelearnError, Relearned},
    versions::{Published, Version},
};
use anyhow::anyhow;
use serde_json::json;

use crate::{
    args,
    failure::Failure,
    look::{Look, find_version},
    screen::{note, say, words},
    tell, typed,
};

/// Records learned before it is looked whether a version came of them.
const RUN_RECORDS: usize = 2048;

/// From so many records on it is said that it will take a while.
const MANY_RECORDS: u64 = 2_000_000;

/// What became of a version.
enum Verdict {
    /// The same bytes.
    Same,
    /// Learned again from the same log, it has another digest.
    Differs(String),
    /// Its pages are not what was published.
    Damaged(String),
    /// Learning again came to the end of the log without it.
    NotReached,
}

/// `alluvium verify`.
///
/// # Errors
/// When a version is not what was published, or cannot be learned again.
pub fn run(call: &args::Verify) -> Result<(), Failure> {
    let mut look = Look::open(&call.file, &call.named)?;
    let published = look.published()?;
    let wanted: Vec<&Version> = match &call.version {
        Some(name) if !call.all => vec![find_version(&published, name)?],
        None if !call.all => return Err(unnamed(&look, &published)),
        _ => published.versions(),
    };
    if wanted.is_empty() {
        return Err(Failure::Failed(anyhow!("no version was published yet")));
    }
    let topic = look.opened.topic("models");
    let mut verdicts: Vec<(&Version, Option<Verdict>)> = Vec::new();
    for version in wanted {
        let sections = look.with(|observer| observer.sections(&topic, &published, version));
        verdicts.push((version, sections.err().map(|why| Verdict::Damaged(why.to_string()))));
    }
    let started = std::time::Instant::now();
    let learned = learn_again(&mut look, &mut verdicts)?;
    let seconds = started.elapsed().as_secs_f64();
    let failed = verdicts.iter().filter(|(_, verdict)| !matches!(verdict, Some(Verdict::Same)));
    let failed = failed.count();
    let column = verdicts.iter().map(|(version, _)| name(version).chars().count()).max();
    for (version, verdict) in &verdicts {
        let verdict = verdict.as_ref().unwrap_or(&Verdict::NotReached);
        match call.json {
            true => say(&event(version, verdict).to_string()),
            false => say(&text(version, verdict, column.unwrap_or_default())),
        }
    }
    let rate = learned as f64 / seconds.max(1e-9);
    let count = verdicts.len();
    if call.json {
        let whole = json!({
            "event": "verify", "versions": count, "failed": failed, "records": learned,
            "seconds": seconds, "records_per_second": rate,
        });
        say(&whole.to_string());
    } else {
        let rate = tell::count(rate as u64);
        let learned = words::counted(learned, "record");
        say(&format!("{learned} learned again in {seconds:.2} s, {rate} records/s"));
        if failed == 0 && count > 1 {
            say(&format!("all {count} are what was published"));
        }
    }
    match failed {
        0 => Ok(()),
        failed => Err(Failure::Failed(anyhow!("{failed} of {count} versions failed"))),
    }
}

/// Learns again until every version was met; returns how many records that were.
fn learn_again(
    look: &mut Look,
    verdicts: &mut [(&Version, Option<Verdict>)],
) -> Result<u64, Failure> {
    let control = look.opened.topic("control");
    let most = verdicts.iter().map(|(version, _)| version.records).max().unwrap_or(0);
    if most >= MANY_RECORDS {
        note(&format!("learning {} records again: this takes a while", tell::count(most)));
    }
    let again = |error: RelearnError| not_again(&error);
    let mut relearn = Relearn::new(&mut look.log, &control).map_err(again)?;
    let (mut effects, mut told) = (Effects::default(), Vec::new());
    while verdicts.iter().any(|(_, verdict)| verdict.is_none()) {
        let turn = relearn.turn(&mut look.log, RUN_RECORDS, &mut effects, &mut |_, _| usize::MAX);
        match turn.map_err(again)? {
            Relearned::Some(_) => {}
            Relearned::NotYet => thread::sleep(Duration::from_millis(1)),
            Relearned::Done => break,
        }
        if let Some(past) = relearn.joining().filter(|past| past.names != told) {
            note(&format!("learning the past of {} as well", past.names.join(", ")));
            told = past.names;
        }
        for news in effects.news.drain(..) {
            let News::Version { model, version, state_digest, .. } = news else { continue };
            let is_meant = |(wanted, _): &&mut (&Version, Option<Verdict>)| {
                wanted.model == *model && wanted.version == version
            };
            let Some((wanted, verdict)) = verdicts.iter_mut().find(is_meant) else { continue };
            verdict.get_or_insert(match wanted.state_digest == state_digest {
                true => Verdict::Same,
                false => Verdict::Differs(state_digest),
            });
        }
    }
    Ok(relearn.pipeline().map_or(0, |pipeline| pipeline.counters().read))
}

/// Why it could not be learned again, as an answer to "is it still the same log?".
pub fn not_again(error: &RelearnError) -> Failure {
    Failure::Failed(match error {
        RelearnError::Halt(Halt::LogChanged(why)) => {
            anyhow!("the log has changed, so nothing can be said of the model: {why}")
        }
        RelearnError::Halt(Halt::Expired(why)) => anyhow!(
            "it cannot be learned again, since part of what it was learned from has expired: {why}"
        ),
        error => anyhow!("learning again failed: {error}"),
    })
}

/// What to type where no version is named.
fn unnamed(look: &Look, published: &Published) -> Failure {
    let newest = published.versions().last().map_or_else(|| "MODEL@VERSION".into(), |v| name(v));
    let commands = typed::listed(&[
        (look.opened.command("verify", &newest), "one version; a model alone is its newest"),
        (look.opened.command("verify", "--all"), "every version that can still be read"),
    ]);
    Failure::Usage(format!("say which version\n\n{commands}"))
}

fn name(version: &Version) -> String {
    format!("{}@{}", version.model, version.version)
}

fn event(version: &Version, verdict: &Verdict) -> serde_json::Value {
    let (verdict, why) = match verdict {
        Verdict::Same => ("same", None),
        Verdict::Differs(found) => ("differs", Some(found)),
        Verdict::Damaged(why) => ("damaged", Some(why)),
        Verdict::NotReached => ("not_reached", None),
    };
    json!({
        "event": "verified", "model": version.model, "version": version.version,
        "state_digest": version.state_digest, "at": version.at(), "verdict": verdict, "why": why,
    })
}

fn text(version: &Version, verdict: &Verdict, column: usize) -> String {
    let shown = tell::digest(&version.state_digest);
    let says = match verdict {
        Verdict::Same => format!("same bytes: state {shown} at {}", version.at()),
        Verdict::Differs(found) => format!(
            "not the same model: published as state {shown}, but the same log makes state {}",
            tell::digest(found)
        ),
        Verdict::Damaged(why) => format!("damaged: {why}"),
        Verdict::NotReached => format!("not in this log: it ends before {}", version.at()),
    };
    format!("{:column$}  {says}", name(version))
}
