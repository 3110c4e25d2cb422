//! `alluvium run`: learns until it has caught up, or for ever.

use std::{sync::Arc, thread, time::Duration};

use alluvium_embedded::Embedded;
use alluvium_flow::{News, Settings};
use alluvium_ledger::{
    keeper::{Halt, Keeper, Next, Options, Signals},
    log::{Lease, Log},
};

use crate::{
    args, clock, failure::Failure, load, open::Opened, screen::Screen, signals::Stop,
    source::Position,
};

/// How long a process that stands by, or whose log fails, waits before it looks again.
const STANDBY: Duration = Duration::from_millis(100);
/// How long a writer with nothing to do waits.
const WAIT: Duration = Duration::from_millis(1);

/// How a keeper works under this program.
pub fn options(opened: &Opened, follow: bool) -> Options {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "localhost".into());
    Options {
        prefix: opened.prefix(),
        by: format!("alluvium {} pid {} on {host}", env!("CARGO_PKG_VERSION"), std::process::id()),
        settings: opened.settings.clone(),
        follow,
        cut_records_max: 65_536,
        snapshot_steps: 2_000_000,
        snapshot_ms: 10_000,
        buffer_bytes: 16 << 20,
        waiting_bytes: 64 << 20,
        cut_ms: 20,
        retry_ms: 100,
        tick_ms: None,
        refused_share_max: opened.spec.refusals.share_max,
    }
}

/// `alluvium run`.
///
/// # Errors
/// When the log fails, or the pipeline halts.
pub fn run(call: &args::Run) -> Result<(), Failure> {
    let opened = Opened::read(&call.pipeline.file, &call.pipeline.named)?;
    let stop = Stop::listen()?;
    let mut log = opened.log()?;
    let mut screen = Screen::new(&opened, &call.pipeline.named, call.json, call.follow);
    let loading = |source: &str, read, at: &Position| screen.loading(source, read, at);
    let loads = load::fill(&opened, &mut log, &stop, loading)?;
    for (topic, loaded) in &loads {
        screen.loaded(topic, loaded);
    }
    if stop.is_asked() {
        screen.stopped_loading();
        return Ok(());
    }
    let streams = streams(&opened, &log, &stop);
    let follow = call.follow || streams.is_some();
    let lease = log.lease(&opened.spec.name)?;
    let mut run = Running {
        keeper: Keeper::new(log, options(&opened, follow)),
        lease,
        stop,
        streams,
        follow: call.follow,
        news: Vec::new(),
    };
    let result = run.until_the_end(&mut screen);
    match result {
        Ok(()) => {
            screen.finish(&mut run.keeper);
            run.streams_ended()
        }
        Err(halt) => {
            screen.halt();
            Err(halted(&halt, &opened))
        }
    }
}

/// A thread that loads what has no end, if the file names such sources.
fn streams(
    opened: &Opened,
    log: &Embedded,
    stop: &Stop,
) -> Option<thread::JoinHandle<anyhow::Result<u64>>> {
    let sources = opened.spec.input.values().flat_map(|input| &input.load);
    if !sources.into_iter().any(|address| load::is_stream(address)) {
        return None;
    }
    let (spec, settings) = (opened.spec.clone(), opened.settings.clone());
    let (file, directory) = (opened.file.clone(), opened.directory.clone());
    let opened = Opened { file, spec, settings, directory };
    let (mut log, stop) = (log.clone(), stop.clone());
    Some(thread::spawn(move || load::follow(&opened, &mut log, &stop)))
}

struct Running {
    keeper: Keeper<Embedded>,
    lease: Box<dyn Lease>,
    stop: Stop,
    streams: Option<thread::JoinHandle<anyhow::Result<u64>>>,
    follow: bool,
    news: Vec<News>,
}

impl Running {
    fn until_the_end(&mut self, screen: &mut Screen) -> Result<(), Halt> {
        loop {
            let now = clock::now();
            if self.stop.is_asked() {
                screen.finishing();
            }
            let stop = self.stop.is_asked() || self.is_over();
            let signals = Signals { lease: self.lease.held(), stop };
            let next = self.keeper.turn(now, signals)?;
            self.keeper.take_news(&mut self.news);
            for news in self.news.drain(..) {
                screen.news(&news);
            }
            screen.tick(&self.keeper, next);
            match next {
                Next::Done => return Ok(()),
                Next::Again => {}
                Next::Wait if self.stop.is_asked() && self.keeper.progress().term.is_none() => {
                    return Ok(());
                }
                Next::Wait if self.keeper.progress().waiting.is_some() => thread::sleep(STANDBY),
                Next::Wait => thread::sleep(WAIT),
                Next::Standby if self.stop.is_asked() => return Ok(()),
                Next::Standby => thread::sleep(STANDBY),
            }
        }
    }

    /// What the sources without an end ended with, as far as they have.
    fn streams_ended(&mut self) -> Result<(), Failure> {
        let Some(streams) = self.streams.take_if(|streams| streams.is_finished()) else {
            return Ok(());
        };
        match streams.join() {
            Ok(ended) => Ok(ended.map(|_| ())?),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Whether everything that had no end has ended, and was learned.
    fn is_over(&mut self) -> bool {
        let ended = self.streams.as_ref().is_some_and(thread::JoinHandle::is_finished);
        !self.follow && ended && self.keeper.progress().is_level
    }
}

/// What to type when a pipeline has halted.
fn halted(halt: &Halt, opened: &Opened) -> Failure {
    let file = opened.file.display();
    let text = match halt {
        Halt::Changed { from, to } => {
            let changes = changes(from, to);
            format!(
                "halted: what is learned was changed in {file}\n\n{changes}\n\
                 what was learned so far was learned the other way. Say what is meant:\n\n  \
                 alluvium decide adopt {file}       go on with the state as it is\n  \
                 alluvium run {file} --as {}-2      a second pipeline, from the beginning\n  \
                 or put the file back",
                opened.spec.name
            )
        }
        Halt::Refused { refused, of } => format!(
            "halted: {refused} of the last {of} records were refused\n\n  \
             alluvium show {file} dead-letters     what they were, and why\n  \
             [refusals] share_max = ...            in {file}, to bear more of them",
        ),
        Halt::Settings(_) | Halt::LogChanged(_) | Halt::Expired(_) => format!(
            "halted: {halt}\n\n  alluvium status {file}                how far it had come\n  \
             alluvium run {file} --as {}-2         a new pipeline, over what the log holds",
            opened.spec.name
        ),
        Halt::Broken(_) => format!("halted: {halt}"),
    };
    Failure::Halted(text)
}

/// The settings that differ, a line each.
pub fn changes(from: &Arc<Settings>, to: &Arc<Settings>) -> String {
    let mut lines = Vec::new();
    if from.kernel != to.kernel {
        let (was, is) = (from.kernel, to.kernel);
        lines.push(format!("  the arithmetic of this release\n    was  {was}\n    is   {is}\n"));
    }
    differ("", Some(&from.learned), Some(&to.learned), &mut lines);
    lines.concat()
}

fn differ(
    path: &str,
    from: Option<&serde_json::Value>,
    to: Option<&serde_json::Value>,
    lines: &mut Vec<String>,
) {
    use serde_json::Value::Object;
    if from == to {
        return;
    }
    if let (Some(Object(a)), Some(Object(b))) = (from, to) {
        let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for key in keys {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            differ(&path, a.get(key), b.get(key), lines);
        }
        return;
    }
    // A model or a step that is not there has no default; a setting has.
    let is_whole = path.split('.').count() <= 2;
    let absent = if is_whole { "not there" } else { "its default" };
    let shown = |value: Option<&serde_json::Value>| {
        value.map_or_else(|| absent.to_string(), ToString::to_string)
    };
    lines.push(format!("  {path}\n    was  {}\n    is   {}\n", shown(from), shown(to)));
}
