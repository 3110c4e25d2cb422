//! `alluvium models`: versions, what was live when, and who answers.

use alluvium_flow::{ChampionEntry, Decision, Registry};
use alluvium_learn::Time;
use alluvium_ledger::versions::Version;
use serde_json::{Value, json};

use crate::{
    args::{self, ModelsVerb},
    failure::Failure,
    look::{Look, Standing, find_version, named_version},
    models_diff, plain,
    screen::say,
    tell,
};

/// `alluvium models`.
///
/// # Errors
/// When the log fails, or what is asked for is not there.
pub fn run(call: &args::Models) -> Result<(), Failure> {
    match &call.verb {
        ModelsVerb::List(call) => list(call),
        ModelsVerb::Show { file, model, json, named } => {
            show(&mut Look::open(file, named)?, model, *json)
        }
        ModelsVerb::Diff { file, first, second, records, json, named } => {
            let look = Look::open(file, named)?;
            models_diff::run(look, (first, second), *records, *json)
        }
        ModelsVerb::At { file, time, json, named } => {
            at(&mut Look::open(file, named)?, time, *json)
        }
        ModelsVerb::Promote { file, model, json, named } => {
            promote(&mut Look::open(file, named)?, model, *json)
        }
        ModelsVerb::Rollback { pipeline, json } => {
            rollback(&mut Look::open(&pipeline.file, &pipeline.named)?, *json)
        }
    }
}

/// The event of a version, as `run --json` prints it.
pub fn event(version: &Version) -> Value {
    json!({
        "event": "version", "model": version.model, "version": version.version,
        "state_digest": version.state_digest, "at": version.at(),
    })
}

fn list(call: &args::Status) -> Result<(), Failure> {
    let mut look = Look::open(&call.pipeline.file, &call.pipeline.named)?;
    let published = look.published()?;
    if call.json {
        published.versions().iter().for_each(|version| say(&event(version).to_string()));
        return Ok(());
    }
    let versions = published.versions();
    let Some(first) = versions.first() else {
        say("no version was published yet");
        return Ok(());
    };
    let metric = first.metrics.keys().next().cloned();
    let champion = published.champion();
    let mut header = tell::header(&["version", "records", "state", "at"]);
    header.extend(metric.clone());
    let rows: Vec<Vec<String>> = versions
        .iter()
        .map(|version| {
            let answers =
                champion.is_some_and(|c| c.model == version.model && c.version == version.version);
            let star = if answers { " *" } else { "" };
            let mut row = vec![
                format!("{}@{}{star}", version.model, version.version),
                tell::count(version.records),
                tell::digest(&version.state_digest).to_string(),
                version.at(),
            ];
            let figure = |name: &String| version.metrics.get(name).copied().flatten();
            row.extend(metric.as_ref().map(|name| tell::figure(figure(name))));
            row
        })
        .collect();
    say(&tell::table(&header, &rows));
    Ok(())
}

fn show(look: &mut Look, model: &str, json: bool) -> Result<(), Failure> {
    let published = look.published()?;
    let version = find_version(&published, model)?;
    let topic = look.opened.topic("models");
    let sections = look.with(|observer| observer.sections(&topic, &published, version));
    let (bytes, pages) = (version.pages.iter().map(|page| page.bytes).sum(), version.pages.len());
    if json {
        let mut whole = event(version);
        for (name, value) in [
            ("step", json!(version.step)),
            ("records", json!(version.records)),
            ("learned", json!(version.learned)),
            ("time", json!(version.time)),
            ("cut", json!(version.cut)),
            ("kernel", json!(version.kernel)),
            ("parent", json!(version.parent)),
            ("settings", version.settings.clone()),
            ("metrics", json!(version.metrics)),
            ("pages", json!(pages)),
            ("bytes", json!(bytes)),
            ("verified", json!(sections.is_ok())),
        ] {
            whole[name] = value;
        }
        say(&whole.to_string());
    } else {
        say(&text(version, bytes, sections.is_ok()));
    }
    let name = format!("{}@{}", version.model, version.version);
    sections.map(drop).map_err(|why| Failure::Failed(anyhow::anyhow!("{name}: {why}")))
}

fn text(version: &Version, bytes: u64, is_whole: bool) -> String {
    let rows: Vec<Vec<String>> = version
        .metrics
        .iter()
        .map(|(name, value)| vec![name.clone(), tell::figure(*value)])
        .collect();
    let pages = tell::count(version.pages.len() as u64);
    let bytes = tell::count(bytes);
    let whole = if is_whole { "every page is what was published" } else { "damaged" };
    let records = tell::count(version.records);
    let learned = tell::count(version.learned);
    tell::labelled(&[
        ("version", format!("{}@{}", version.model, version.version)),
        ("at", version.at()),
        ("records", format!("{records} read, {learned} learned")),
        ("time", version.time.map_or_else(|| "-".into(), tell::time)),
        ("state", version.state_digest.clone()),
        ("pages", format!("{pages}, {bytes} bytes: {whole}")),
        ("metrics", tell::table_beside(&tell::header(&["", "since the beginning"]), &rows)),
        ("settings", tell::settings(&version.settings)),
    ])
}

/// What was live at a time.
struct Live<'a> {
    entry: &'a ChampionEntry,
    /// The version that answered; `None`: none yet, or one that was retired since.
    version: Option<u64>,
}

/// The change in force at a time, and the version it came to then.
fn live_at(registry: &Registry, time: Time) -> Option<Live<'_>> {
    let entry = registry.champions.iter().rev().find(|entry| entry.since <= time)?;
    let newest = || {
        let live = &registry.of(&entry.model)?.live;
        live.iter().rev().find(|version| version.since <= time).map(|version| version.version)
    };
    Some(Live { entry, version: entry.version.or_else(newest) })
}

fn at(look: &mut Look, text: &str, json: bool) -> Result<(), Failure> {
    let time = parse_time(text)?;
    let standing = look.standing()?;
    let Some(pipeline) = standing.pipeline() else { return Err(unread(look, standing)) };
    let Some(live) = live_at(pipeline.registry(), time) else {
        return Err(Failure::Usage(format!("nothing was live at {}", tell::time(time))));
    };
    let Live { entry, version } = live;
    if json {
        let whole = json!({
            "event": "live", "time": time, "model": &*entry.model, "version": version,
            "held": entry.version.is_some(), "why": entry.why, "since": entry.since,
            "step": entry.step,
        });
        say(&whole.to_string());
        return Ok(());
    }
    let shown = match version {
        Some(version) => format!("{}@{version}", entry.model),
        None => format!("{}, at a version that was retired since, or at none yet", entry.model),
    };
    let (held, since) = match (entry.version, entry.why.as_str()) {
        (_, "first") => ("its newest", "the file names it first, since the beginning".to_string()),
        (Some(_), why) => ("held", format!("{why} at {}", tell::time(entry.since))),
        (None, why) => ("its newest", format!("{why} at {}", tell::time(entry.since))),
    };
    say(&tell::labelled(&[
        ("time", tell::time(time)),
        ("live", format!("{shown}    {held}")),
        ("why", format!("{since}, at step {}", tell::count(entry.step))),
    ]));
    Ok(())
}

/// RFC 3339, or milliseconds since 1970.
fn parse_time(text: &str) -> Result<Time, Failure> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_millisecond).map_err(|_| {
        let help = "write 2026-11-21T13:00:00Z, or milliseconds since 1970";
        Failure::Usage(format!("`{text}` is no time: {help}"))
    })
}

/// The failure where the state is not there, or cannot be read.
fn unread(look: &mut Look, standing: Standing) -> Failure {
    match standing.pipeline {
        Some(Err(why)) => Failure::Failed(anyhow::anyhow!("the state cannot be read: {why}")),
        _ => look.nothing_kept(),
    }
}

fn promote(look: &mut Look, text: &str, json: bool) -> Result<(), Failure> {
    let (model, version) = named_version(text)?;
    let standing = look.standing()?;
    let Some(pipeline) = standing.pipeline() else { return Err(unread(look, standing)) };
    if pipeline.registry().of(model).is_none() {
        let known = pipeline.registry().models.iter().map(|(name, _)| &**name);
        return Err(Failure::unknown_model(model, known));
    }
    if version.is_some() {
        find_version(&look.published()?, text)?;
    }
    let ask = Decision::Promote { model: model.into(), version };
    let offset = look.ask(ask)?;
    let then = match version {
        Some(_) => format!("{text} answers, and goes on to answer when newer versions come"),
        None => format!("{text} answers, always with its newest version"),
    };
    asked(look, offset, &then, json)
}

fn rollback(look: &mut Look, json: bool) -> Result<(), Failure> {
    let standing = look.standing()?;
    let Some(pipeline) = standing.pipeline() else { return Err(unread(look, standing)) };
    let is_change = |ask: &Decision| {
        ask.settings().is_some() || matches!(ask, Decision::Promote { .. } | Decision::Rollback)
    };
    let then = match back_to(pipeline.registry()) {
        // What was asked before acts first, so where back is will be known only then.
        _ if standing.fold.requests.iter().any(|(_, ask)| is_change(ask)) => {
            "what stood before the last change, those asked for already included, answers again"
                .to_string()
        }
        Some((model, Some(version))) => format!("{model}@{version} answers again"),
        Some((model, None)) => format!("{model} answers again, with its newest version"),
        None => {
            let why = "there is nothing to go back to: the champion never changed, and has no \
                       version before its newest";
            return Err(Failure::Usage(why.into()));
        }
    };
    let offset = look.ask(Decision::Rollback)?;
    asked(look, offset, &then, json)
}

/// What stands before the last change: as the registry will find it.
fn back_to(registry: &Registry) -> Option<(&str, Option<u64>)> {
    if let Some(before) = registry.champions.iter().rev().nth(1) {
        return Some((&before.model, before.version));
    }
    let champion = registry.champion()?;
    let before = registry.of(&champion.model)?.live.iter().rev().nth(1)?;
    Some((&champion.model, Some(before.version)))
}

/// Says what was asked for, and when it acts.
pub fn asked(look: &Look, offset: u64, then: &str, is_json: bool) -> Result<(), Failure> {
    let (control, run) = (look.opened.topic("control"), look.opened.command("run", ""));
    let at = format!("{control}:0:{offset}");
    say(&match is_json {
        true => plain::json(&json!({ "event": "asked", "at": at, "then": then, "run": run })),
        false => format!(
            "asked at {at}; from when a writer adopts it, {then}\n\
             a run that is going on adopts it at once; else the next one: {run}"
        ),
    });
    Ok(())
}
