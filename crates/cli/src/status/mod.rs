//! `alluvium status`: how far a pipeline is, how well it does, and what it waits for.

mod json;
mod pace;

use alluvium_flow::{Decision, Pipeline, VersionEntry};
use alluvium_learn::judge::Judge;
use alluvium_ledger::{control::Stopped, log::LogError};
use serde_json::json;

use self::pace::Pace;

use crate::{
    args, clock,
    failure::Failure,
    halted::{self, Answer},
    labels,
    look::{Look, Standing, Writer},
    open::Opened,
    plain,
    screen::{
        paint::{padded, width},
        say, words,
    },
    store::Holder,
    tell,
    topics::{self, Fault},
};

/// One partition of an input.
struct Reach {
    input: String,
    partition: u32,
    /// Learned and kept up to here.
    position: u64,
    /// The order of the records is settled up to here: whoever is at work is learning them.
    cut: u64,
    end: u64,
}

impl Reach {
    /// What is before whoever is at work; or, where nobody is, what the next run has to learn.
    fn lag(&self, is_held: bool) -> u64 {
        self.end.saturating_sub(if is_held { self.position.max(self.cut) } else { self.position })
    }
}

/// What is known of a pipeline.
struct Report {
    look: Look,
    standing: Standing,
    reaches: Vec<Reach>,
    writer: Option<Writer>,
    is_held: bool,
    holder: Option<Holder>,
    pace: Option<Pace>,
    faults: Vec<Fault>,
    /// The pipeline's own topics that were there when it ran, and are not.
    gone: Vec<String>,
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
    let name = opened.spec.name.clone();
    let report = match Report::of(opened) {
        Err(Failure::Failed(error)) if call.json && error.is::<LogError>() => {
            let waits = [format!("{error:#}")];
            let event = json!({ "event": "status", "pipeline": name, "waits_for": waits });
            say(&plain::json(&event));
            return Err(Failure::Failed(error));
        }
        report => report?,
    };
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
            let fold = &standing.fold;
            let cut = fold.index_of(&input, partition).map(|index| fold.partitions[index].end);
            let (cut, end) = (cut.unwrap_or(position), ends.stable);
            reaches.push(Reach { input: input.clone(), partition, position, cut, end });
        }
    }
    Ok(reaches)
}

impl Report {
    fn of(opened: Opened) -> Result<Report, Failure> {
        let mut look = Look::of(opened)?;
        let standing = look.standing()?;
        let reaches = reaches(&mut look, &standing)?;
        let writer = look.writer(&standing.fold)?;
        let (is_held, holder) = look.log.holder(&look.opened.spec.name)?;
        let pace = Pace::of(&mut look, &standing.fold)?;
        let (faults, _) = topics::faults(&look.opened, &mut look.log)?;
        let mut gone = Vec::new();
        if standing.fold.term > 0 {
            for topic in ["state", "models", "predictions"].map(|name| look.opened.topic(name)) {
                if look.ends(&topic)?.is_empty() {
                    gone.push(topic);
                }
            }
        }
        let now = clock::now();
        Ok(Report { look, standing, reaches, writer, is_held, holder, pace, faults, gone, now })
    }

    fn lag(&self) -> u64 {
        self.reaches.iter().map(|reach| reach.lag(self.is_held)).sum()
    }

    /// The topics that are not there, and what becomes of that.
    fn missing(&self) -> Vec<String> {
        let (opened, has_run) = (&self.look.opened, self.standing.fold.term > 0);
        let (another, load) = (opened.run_as_another(), opened.command("load", "SOURCE"));
        let mut missing = Vec::new();
        for (name, input) in &opened.spec.input {
            let topic = input.topic(name);
            match self.reaches.iter().any(|reach| reach.input == *name) {
                true => {}
                false if has_run => missing.push(format!(
                    "there is no topic {topic} any more, which input {name} reads: {another}"
                )),
                // What the file loads is made and filled by the run that is waited for.
                false if !input.load.is_empty() => {}
                false => {
                    missing
                        .push(format!("there is no topic {topic}: a producer or {load} fills it"));
                }
            }
        }
        let again = opened.command("run", "");
        let gone = self.gone.iter();
        missing.extend(gone.map(|topic| format!("there is no topic {topic} any more: {again}")));
        missing
    }

    /// Why it has halted, and what can be answered. Whoever is at work has not halted.
    fn halted(&self) -> Option<(Stopped, Vec<Answer>)> {
        let opened = &self.look.opened;
        let stopped = self.standing.halted(opened).filter(|_| !self.is_held)?;
        let answers = halted::answers(&stopped.kind, self.standing.fit(opened), opened);
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
        waits.extend(self.missing());
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

    fn text(&self) -> String {
        let (opened, standing) = (&self.look.opened, &self.standing);
        let log = format!("{}    {}", opened.spec.name, opened.place);
        let mut lines = vec![("pipeline", log)];
        let rows: Vec<Vec<String>> = self
            .reaches
            .iter()
            .map(|reach| {
                let place = format!("{}:{}", reach.input, reach.partition);
                let lag = reach.lag(self.is_held);
                let figures = [reach.position, reach.cut, reach.end, lag].map(tell::count);
                [vec![place], figures.to_vec()].concat()
            })
            .collect();
        lines.push((
            "inputs",
            tell::table_beside(&tell::header(&["", "kept to", "cut to", "end", "lag"]), &rows),
        ));
        if let Some(pace) = &self.pace {
            lines.push(("pace", pace.text(self.now)));
        }
        if let Some(pipeline) = standing.pipeline() {
            lines.push(("records", records(pipeline)));
            let labels = pipeline.labels();
            lines.extend(labels.map(|labels| ("labels", labels::lines(&labels).join("\n"))));
            lines.push(("models", models(pipeline)));
            lines.extend(versions(pipeline, self.now).map(|versions| ("versions", versions)));
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
        if let Some(Holder { host, member }) = &self.holder {
            lines.push(("lease", format!("held from {host} by the group's member {member}")));
        }
        let wrong = |fault: &Fault| format!("{}: {}\n{}", fault.topic, fault.why, fault.mend);
        lines.extend(self.faults.iter().map(|fault| ("wrong", wrong(fault))));
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
        Decision::Begin { settings } => {
            format!("adopt settings {}, what is new from here on", settings.learned_digest())
        }
        Decision::Reset { model: None } => "reset everything".into(),
        Decision::Reset { model: Some(model) } => format!("reset {model}"),
        Decision::Promote { model, version: None } => format!("promote {model}"),
        Decision::Promote { model, version: Some(version) } => format!("promote {model}@{version}"),
        Decision::Rollback => "rollback".into(),
        Decision::Skip(gap) => format!("skip {gap}"),
    }
}

/// The newest version of each model; `None`: there is none.
fn versions(pipeline: &Pipeline, now: i64) -> Option<String> {
    let newest = pipeline.registry().models.iter();
    let newest = newest.filter_map(|(name, versions)| Some((name, versions.live.last()?)));
    let row = |(name, entry): (&std::sync::Arc<str>, &VersionEntry)| {
        let records = words::counted(entry.records, "record");
        let since = format!("after {records}, {}", tell::ago(now - entry.since));
        (format!("{name}@{}", entry.version), since)
    };
    let rows: Vec<(String, String)> = newest.map(row).collect();
    let column = rows.iter().map(|(version, _)| width(version)).max()?;
    let text =
        |(version, since): &(String, String)| format!("{}    {since}", padded(version, column));
    Some(rows.iter().map(text).collect::<Vec<_>>().join("\n"))
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
        count if count > 0 && pipeline.labels().is_none() => {
            format!(", {} without a label", tell::count(count))
        }
        _ => String::new(),
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
