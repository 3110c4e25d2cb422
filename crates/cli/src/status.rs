//! `alluvium status`: how far a pipeline is, how well it does, and what it waits for.

use alluvium_flow::{Decision, Pipeline};
use alluvium_learn::judge::Judge;
use alluvium_ledger::control::Stopped;
use serde_json::{Map, Value, json};

use crate::{
    args, clock,
    failure::Failure,
    halted::{self, Answer},
    look::{Look, Standing, Writer},
    open::Opened,
    screen::{say, words},
    tell,
};

/// One partition of an input.
struct Reach {
    input: String,
    partition: u32,
    position: u64,
    end: u64,
}

impl Reach {
    fn lag(&self) -> u64 {
        self.end.saturating_sub(self.position)
    }
}

/// What is known of a pipeline.
struct Report {
    look: Look,
    standing: Standing,
    reaches: Vec<Reach>,
    writer: Option<Writer>,
    is_held: bool,
    now: i64,
}

/// `alluvium status`.
///
/// # Errors
/// When the log fails.
pub fn run(call: &args::Status) -> Result<(), Failure> {
    let opened = Opened::read(&call.pipeline.file, &call.pipeline.named)?;
    if opened.place.is_missing() {
        never_ran(&opened, call.json);
        return Ok(());
    }
    let mut look = Look::of(opened)?;
    let standing = look.standing()?;
    let reaches = reaches(&mut look, &standing)?;
    let writer = look.writer(&standing.fold)?;
    let is_held = look.log.is_held(&look.opened.spec.name)?;
    let report = Report { look, standing, reaches, writer, is_held, now: clock::now() };
    match call.json {
        true => say(&report.json().to_string()),
        false => say(&report.text()),
    }
    Ok(())
}

/// There is no log yet.
fn never_ran(opened: &Opened, json: bool) {
    let (name, run) = (&opened.spec.name, opened.command("run", ""));
    let waits = format!("it has not run yet: {run}");
    if json {
        say(&json!({ "event": "status", "pipeline": name, "waits_for": [waits] }).to_string());
    } else {
        let log = format!("{name}    no {} yet", opened.place);
        say(&tell::labelled(&[("pipeline", log), ("waits for", waits)]));
    }
}

fn reaches(look: &mut Look, standing: &Standing) -> Result<Vec<Reach>, Failure> {
    let mut reaches = Vec::new();
    let positions = standing.newest.as_ref().map(|newest| &newest.manifest.positions);
    for (input, topic) in look.opened.topics() {
        for (partition, ends) in look.ends(&topic)?.into_iter().enumerate() {
            let partition = partition as u32;
            let named = positions.into_iter().flatten();
            let mut named = named.filter(|at| *at.input == *input && at.partition == partition);
            let position = named.next().map_or(ends.earliest, |at| at.offset);
            reaches.push(Reach { input: input.clone(), partition, position, end: ends.stable });
        }
    }
    Ok(reaches)
}

impl Report {
    fn lag(&self) -> u64 {
        self.reaches.iter().map(Reach::lag).sum()
    }

    /// Why it has halted, and what can be answered. Whoever is at work has not halted.
    fn halted(&self) -> Option<(Stopped, Vec<Answer>)> {
        let opened = &self.look.opened;
        let stopped = self.standing.halted(opened).filter(|_| !self.is_held)?;
        let unfit = stopped.kind == "changed" && self.standing.is_unfit(opened);
        let answers = halted::answers(&stopped.kind, unfit, opened);
        Some((stopped, answers))
    }

    /// Everything that keeps it from going on, or is going to happen.
    fn waits_for(&self) -> Vec<String> {
        let (opened, standing) = (&self.look.opened, &self.standing);
        let (file, run) = (opened.file.display(), opened.command("run", ""));
        let mut waits = Vec::new();
        let halted = self.halted();
        if let Some((stopped, answers)) = &halted {
            let typed: Vec<&str> = answers.iter().map(|(typed, _)| typed.as_str()).collect();
            let back = match stopped.kind.as_str() {
                "changed" => format!(", or put {file} back"),
                _ => String::new(),
            };
            waits.push(format!("{}: {}{back}", stopped.why, typed.join(", or ")));
        }
        if standing.fold.term == 0 {
            waits.push(format!("it has not run yet: {run}"));
        }
        if let Some(Err(why)) = &standing.pipeline {
            waits.push(format!("its state cannot be read by this release: {why}"));
        }
        if let Some(pipeline) = standing.pipeline() {
            let beyond = pipeline.refused_beyond(opened.spec.refusals.share_max);
            if let Some((refused, of)) = beyond.filter(|_| halted.is_none()) {
                waits.push(format!(
                    "{refused} of the last {of} records were refused: {}",
                    opened.command("show", "dead-letters")
                ));
            }
        }
        for (offset, ask) in &standing.fold.requests {
            let when = if self.is_held { "the writer adopts it" } else { "a run adopts it" };
            waits.push(format!("{}, asked at control:{offset}, until {when}", asked(ask)));
        }
        let goes_on = !self.is_held && standing.fold.term > 0 && halted.is_none();
        if self.lag() > 0 && goes_on {
            let lag = words::counted(self.lag(), "record");
            let are = if self.lag() == 1 { "is" } else { "are" };
            waits.push(format!("{lag} {are} to be learned: {run}"));
        }
        waits
    }

    fn json(&self) -> Value {
        let (opened, standing) = (&self.look.opened, &self.standing);
        let reach = |reach: &Reach| {
            json!({
                "input": reach.input, "partition": reach.partition, "position": reach.position,
                "end": reach.end, "lag": reach.lag(),
            })
        };
        let manifest = standing.newest.as_ref().map(|newest| {
            json!({
                "term": newest.manifest.term, "generation": newest.manifest.generation,
                "step": newest.manifest.step, "time": newest.time,
                "age_ms": self.now - newest.time,
            })
        });
        let writer = self
            .writer
            .as_ref()
            .map(|writer| json!({ "term": writer.term, "by": writer.by, "since": writer.since }));
        let requests: Vec<Value> = standing
            .fold
            .requests
            .iter()
            .map(|(offset, ask)| json!({ "at": format!("control:{offset}"), "ask": asked(ask) }))
            .collect();
        let halted = self.halted().map(|(stopped, answers)| {
            let answers: Vec<Value> = answers
                .iter()
                .map(|(typed, then)| json!({ "type": typed, "then": then }))
                .collect();
            json!({
                "kind": stopped.kind, "why": stopped.why, "time": stopped.time,
                "answers": answers,
            })
        });
        let mut whole = json!({
            "event": "status",
            "pipeline": opened.spec.name,
            "inputs": self.reaches.iter().map(reach).collect::<Vec<Value>>(),
            "lag": self.lag(),
            "writer": writer,
            "lease_is_held": self.is_held,
            "manifest": manifest,
            "requests": requests,
            "halted": halted,
            "waits_for": self.waits_for(),
            "settings": { "file": opened.settings.learned_digest() },
        });
        if let Some(pipeline) = standing.pipeline() {
            whole["settings"]["in_force"] = pipeline.settings().learned_digest().into();
            if let (Value::Object(whole), Value::Object(learned)) = (&mut whole, learned(pipeline))
            {
                whole.extend(learned);
            }
        }
        whole
    }

    fn text(&self) -> String {
        let (opened, standing) = (&self.look.opened, &self.standing);
        let log = format!("{}    {}", opened.spec.name, opened.place);
        let mut lines = vec![("pipeline", log)];
        let rows: Vec<Vec<String>> = self
            .reaches
            .iter()
            .map(|reach| {
                let place = format!("{}:{}", reach.input, reach.partition);
                let [position, end, lag] =
                    [reach.position, reach.end, reach.lag()].map(tell::count);
                vec![place, position, end, lag]
            })
            .collect();
        lines.push((
            "inputs",
            tell::table_beside(&tell::header(&["", "learned to", "end", "lag"]), &rows),
        ));
        if let Some(pipeline) = standing.pipeline() {
            lines.push(("records", records(pipeline)));
            lines.push(("models", models(pipeline)));
            if let Some(champion) = pipeline.registry().champion() {
                let version = pipeline.registry().champion_version();
                let version = version.map_or(String::new(), |(_, version)| format!("@{version}"));
                let held = if champion.version.is_some() { "held" } else { "its newest" };
                let since = match champion.why.as_str() {
                    "first" => "the file names it first".to_string(),
                    why => format!("{why} at {}", tell::time(champion.since)),
                };
                let why = format!("{}{version}    {held}, {since}", champion.model);
                lines.push(("champion", why));
            }
        }
        if let Some(newest) = &standing.newest {
            let age = tell::ago(self.now - newest.time);
            let step = tell::count(newest.manifest.step);
            lines.push(("kept", format!("{age}, at step {step}    {}", tell::time(newest.time))));
        }
        let held = if self.is_held { "at work" } else { "nobody is at work" };
        let writer = match &self.writer {
            Some(writer) => format!("{held}    last: {}, {}", writer.by, tell::time(writer.since)),
            None => held.to_string(),
        };
        lines.push(("writer", writer));
        if let Some((stopped, _)) = self.halted() {
            let when = match stopped.time {
                0 => String::new(),
                time => format!("{}, at {}: ", tell::ago(self.now - time), tell::time(time)),
            };
            lines.push(("halted", format!("{when}{}", stopped.why)));
        }
        let waits = self.waits_for();
        if !waits.is_empty() {
            lines.push(("waits for", waits.join("\n")));
        }
        tell::labelled(&lines)
    }
}

/// A request in words.
pub fn asked(ask: &Decision) -> String {
    match ask {
        Decision::Adopt { settings } => format!("adopt settings {}", settings.learned_digest()),
        Decision::Reset { model: None } => "reset everything".into(),
        Decision::Reset { model: Some(model) } => format!("reset {model}"),
        Decision::Promote { model, version: None } => format!("promote {model}"),
        Decision::Promote { model, version: Some(version) } => format!("promote {model}@{version}"),
        Decision::Rollback => "rollback".into(),
        Decision::Skip(gap) => format!("skip {gap}"),
    }
}

/// What was learned, as JSON.
fn learned(pipeline: &Pipeline) -> Value {
    let counters = pipeline.counters();
    let (mut models, mut baselines) = (Map::new(), Map::new());
    for (name, judge, is_model) in pipeline.judges() {
        let metrics = |of: &dyn Fn(usize) -> Option<f64>| -> Map<String, Value> {
            (0..judge.len()).map(|i| (judge.name(i).to_string(), json!(of(i)))).collect()
        };
        let mut entry = json!({
            "metrics": metrics(&|metric| judge.whole(metric)),
            "recent": metrics(&|metric| judge.window(metric)),
        });
        if is_model {
            let newest = pipeline.registry().of(name).and_then(|versions| versions.live.last());
            entry["version"] = newest.map_or(0, |entry| entry.version).into();
            entry["state_digest"] = newest.map(|entry| entry.state_digest.clone()).into();
        }
        let table = if is_model { &mut models } else { &mut baselines };
        table.insert(name.to_string(), entry);
    }
    let registry = pipeline.registry();
    let champion = registry.champion().map(|champion| {
        json!({
            "model": &*champion.model,
            "version": registry.champion_version().map(|(_, version)| version),
            "held": champion.version.is_some(),
            "why": champion.why,
            "since": champion.since,
        })
    });
    json!({
        "read": counters.read,
        "learned": counters.learned,
        "refused": counters.refused,
        "refused_by": counters.refused_by,
        "alarms": counters.alarms,
        "time": counters.time,
        "models": models,
        "baselines": baselines,
        "champion": champion,
    })
}

fn records(pipeline: &Pipeline) -> String {
    let counters = pipeline.counters();
    let [read, learned, refused] =
        [counters.read, counters.learned, counters.refused].map(tell::count);
    let reasons: Vec<String> = counters
        .refused_by
        .iter()
        .map(|(reason, count)| format!("{reason} {}", tell::count(*count)))
        .collect();
    let reasons = match reasons.as_slice() {
        [] => String::new(),
        reasons => format!(" ({})", reasons.join(", ")),
    };
    let unlabelled = match counters.read - counters.learned - counters.refused {
        0 => String::new(),
        count => format!(", {} without a label", tell::count(count)),
    };
    let alarms = words::counted(counters.alarms, "alarm");
    format!("{read} read, {learned} learned{unlabelled}, {refused} refused{reasons}, {alarms}")
}

fn models(pipeline: &Pipeline) -> String {
    let mut header = tell::header(&["", "version"]);
    if let Some((_, judge, _)) = pipeline.judges().next() {
        let over = pipeline.spec().judge.over;
        for metric in 0..judge.len() {
            header.push(judge.about(metric).title.into());
            header.push(format!("last {over}"));
        }
    }
    let row = |(name, judge, is_model): (&std::sync::Arc<str>, &Judge, bool)| {
        let newest = pipeline.registry().of(name).filter(|_| is_model);
        let version = newest.map_or(String::new(), |versions| versions.newest.to_string());
        let name = if is_model { name.to_string() } else { name.replace('_', " ") };
        let mut row = vec![name, version];
        for metric in 0..judge.len() {
            row.extend([judge.whole(metric), judge.window(metric)].map(tell::figure));
        }
        row
    };
    let rows: Vec<Vec<String>> = pipeline.judges().map(row).collect();
    tell::table_beside(&header, &rows)
}
