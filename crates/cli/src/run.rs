//! `alluvium run`: learns until it has caught up, or for ever.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use alluvium_flow::{News, Settings};
use alluvium_ledger::{
    keeper::{Halt, Keeper, Next, Options, Signals},
    log::{Errand, Lease, Log, LogError},
};

use crate::{
    args, clock, failure::Failure, halted, load, look::who, open::Opened, patience, screen::Screen,
    signals::Stop, source::Position, store::Store, streams::Streams, topics,
};

/// How long a process that stands by, or whose log fails, waits before it looks again.
const STANDBY: Duration = Duration::from_millis(100);
/// After how much silence a run that follows says that time has passed, in milliseconds.
const TICK_MS: i64 = 1_000;
/// How long a writer with nothing to do waits.
const WAIT: Duration = Duration::from_millis(1);

/// How a keeper works under this program.
pub fn options(opened: &Opened, follow: bool) -> Options {
    Options {
        prefix: opened.prefix(),
        by: who(),
        settings: opened.settings.clone(),
        follow,
        cut_records_max: 65_536,
        snapshot_steps: 2_000_000,
        snapshot_ms: 10_000,
        buffer_bytes: 16 << 20,
        waiting_bytes: 64 << 20,
        cut_ms: 20,
        retry_ms: 100,
        tick_ms: Some(TICK_MS),
        refused_share_max: opened.spec.refusals.share_max,
    }
}

/// `alluvium run`.
///
/// # Errors
/// When the log fails, or the pipeline halts.
pub fn run(call: &args::Run) -> Result<(), Failure> {
    let opened = Opened::read(&call.pipeline.file, &call.pipeline.named)?;
    learn(&opened, call).map_err(|failure| topics::with_hint(failure, &opened))
}

fn learn(opened: &Opened, call: &args::Run) -> Result<(), Failure> {
    let stop = Stop::listen()?;
    let mut log = opened.log()?;
    let mut screen = Screen::new(opened, call.json, call.follow);
    let look = || topics::faults(opened, &mut log);
    let Some((faults, unseen)) = patience::until(&stop, look)? else { return Ok(()) };
    screen.topics(&faults, &unseen);
    let mut loading = |source: &str, read, at: &Position| screen.loading(source, read, at);
    let fill = || load::fill(opened, &mut log, &stop, &mut loading);
    let loads = patience::until(&stop, fill)?.unwrap_or_default();
    for (topic, loaded) in &loads {
        screen.loaded(topic, loaded);
    }
    if stop.is_asked() {
        screen.stopped_loading();
        return Ok(());
    }
    let streams = Streams::begin(opened, &log, &stop);
    let follow = call.follow || streams.is_some();
    let ask = || Ok(log.lease(&opened.spec.name, Errand::Run)?);
    let Some(lease) = patience::until(&stop, ask)? else { return Ok(()) };
    let mut run = Running {
        keeper: Keeper::new(log, options(opened, follow)),
        lease,
        stop,
        streams,
        is_closed: false,
        has_given_up: false,
        denied: None,
        asks_since: Some(Instant::now()),
        follow: call.follow,
        news: Vec::new(),
    };
    let result = run.until_the_end(&mut screen);
    if let Some(why) = run.denied {
        screen.clear();
        return Err(why.into());
    }
    match result {
        Ok(()) if run.has_given_up => {
            screen.clear();
            let why = "it was asked to finish, and the log took nothing: what was not kept will be \
                       learned again";
            Err(Failure::Failed(anyhow::anyhow!(why)))
        }
        Ok(()) => {
            screen.finish(&mut run.keeper);
            let failure = run.streams.and_then(Streams::failure);
            failure.map_or(Ok(()), |why| Err(why.into()))
        }
        Err(halt) => {
            let answers = halted::answers_to(&halt, opened);
            let typed: Vec<String> = answers.into_iter().map(|(typed, _)| typed).collect();
            screen.halt(&halt.to_string(), &typed);
            Err(halted::failure(&halt, opened))
        }
    }
}

struct Running {
    keeper: Keeper<Store>,
    lease: Box<dyn Lease>,
    stop: Stop,
    streams: Option<Streams>,
    /// Whether the keeper was told that nothing more comes.
    is_closed: bool,
    /// Whether it was asked to finish, and the log did not let it.
    has_given_up: bool,
    /// Why it will never hold the lease.
    denied: Option<LogError>,
    /// Since when it asks for the lease; nothing, once it had it.
    asks_since: Option<Instant>,
    follow: bool,
    news: Vec<News>,
}

impl Running {
    fn until_the_end(&mut self, screen: &mut Screen) -> Result<(), Halt> {
        loop {
            let now = clock::now();
            let stop = self.stop.is_asked();
            if stop {
                screen.finishing();
            }
            self.look_after_streams(screen);
            let signals = Signals { lease: self.lease.held(), stop };
            let next = self.keeper.turn(now, signals)?;
            self.keeper.take_news(&mut self.news);
            for news in self.news.drain(..) {
                screen.news(&news);
            }
            if next == Next::Standby && self.is_denied(screen) {
                return Ok(());
            }
            if !self.is_still_asking(next) {
                screen.tick(&self.keeper, next);
            }
            match next {
                Next::Done => return Ok(()),
                Next::GivenUp => {
                    self.has_given_up = true;
                    return Ok(());
                }
                Next::Again => {}
                Next::Wait if self.stop.is_asked() && self.keeper.progress().term.is_none() => {
                    return Ok(());
                }
                Next::Wait if self.keeper.progress().waiting.is_some() => thread::sleep(STANDBY),
                Next::Wait => thread::sleep(WAIT),
                Next::Standby if self.gives_up() => return Ok(()),
                Next::Standby => thread::sleep(STANDBY),
            }
        }
    }

    /// Looks after the sources without an end: once nothing more comes of them the run ends like
    /// any other, with all that they brought. So it does when one has failed, though others may go
    /// on: a run that waits for what cannot come looks as if all were well.
    fn look_after_streams(&mut self, screen: &mut Screen) {
        let Some(streams) = &mut self.streams else { return };
        for loaded in streams.take_ended() {
            screen.ended(&loaded);
        }
        let is_over = streams.has_failed() || !self.follow && streams.are_over();
        if is_over && !std::mem::replace(&mut self.is_closed, true) {
            self.keeper.close();
        }
    }

    /// Whether the brokers do not let it stand by; that they cannot be reached is said.
    fn is_denied(&mut self, screen: &mut Screen) -> bool {
        match self.keeper.log().lease_trouble() {
            Some(error @ LogError::Denied(_)) => self.denied = Some(error),
            trouble => screen.stands_by(trouble.map(|error| error.to_string())),
        }
        self.denied.is_some()
    }

    /// Whether it is too early to say that somebody else holds the lease.
    fn is_still_asking(&mut self, next: Next) -> bool {
        if next != Next::Standby {
            self.asks_since = None;
        }
        let asks = self.keeper.log().lease_takes();
        self.asks_since.is_some_and(|since| since.elapsed() < asks)
    }

    /// Whether there is no use in standing by.
    fn gives_up(&self) -> bool {
        self.stop.is_asked() || self.streams.as_ref().is_some_and(Streams::has_failed)
    }
}

/// The settings that differ, a line each.
pub fn changes(from: &Arc<Settings>, to: &Arc<Settings>) -> String {
    let mut lines = Vec::new();
    if from.kernel != to.kernel {
        let (was, is) = (from.kernel, to.kernel);
        lines.push(format!("  the arithmetic of this release\n    was  {was}\n    is   {is}\n"));
    }
    differ("", Some(&from.learned), Some(&to.learned), &mut lines);
    let touched = from.models_touched(to);
    let untouched: Vec<&str> = to.learned["model"]
        .as_object()
        .into_iter()
        .flat_map(|models| models.keys().map(String::as_str))
        .filter(|name| !touched.iter().any(|model| model == name))
        .collect();
    if !lines.is_empty() && !touched.is_empty() {
        let others = match untouched.as_slice() {
            [] => String::new(),
            [one] => format!("; {one} is untouched"),
            names => format!("; {} are untouched", names.join(", ")),
        };
        lines.push(format!("  touches {}{others}\n", touched.join(", ")));
    }
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
