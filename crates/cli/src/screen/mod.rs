//! What `run` and `load` print: JSON lines for scripts, plain lines for a log, and a live view for
//! a terminal.

mod board;
mod curve;
mod event;
mod frame;
mod home;
mod live;
pub(crate) mod paint;
mod story;
mod summary;
pub(crate) mod words;

use std::{
    io::Write,
    time::{Duration, Instant},
};

use alluvium_flow::News;
use alluvium_ledger::keeper::{Keeper, Next, Progress};

pub use self::event::{event, summary};
use self::{
    frame::Frame,
    home::Home,
    live::{Live, Pace, REDRAW},
    paint::Paint,
    story::Story,
    summary::Summary,
};
use crate::{
    clock,
    last_run::{self, LastRun},
    load::Loaded,
    open::Opened,
    plain,
    source::Position,
    store::Store,
    topics::{self, Fault},
};

/// How often plain lines say how far it is.
const PLAIN: Duration = Duration::from_secs(5);
/// How long nothing must come before it is said that there is nothing.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long trouble with the log is told of: it is tried again all the time, and may fail again.
const TROUBLE: Duration = Duration::from_secs(2);
/// How many alarms are written out as plain lines, until the next line about progress.
const ALARMS_MAX: u64 = 3;

/// The form in which a run is told.
enum Form {
    Json,
    Plain { due: Instant, alarms: u64, told: u64, was_level: bool },
    Live(Live, Frame),
}

/// What `run` prints.
pub struct Screen {
    form: Form,
    home: Home,
    story: Story,
    pace: Pace,
    follows: bool,
    due: Instant,
    /// Since when nothing has moved.
    still_since: Option<Instant>,
    /// Why a turn last failed, and when.
    trouble: Option<(String, Instant)>,
    /// What was last said to be waited for.
    waiting: Option<String>,
    /// Why it stands by, where it is not that another process runs.
    stands_by: Option<String>,
    was_stopped: bool,
    previous: Option<LastRun>,
}

impl Screen {
    /// A screen for a pipeline.
    pub fn new(opened: &Opened, json: bool, follows: bool) -> Screen {
        let now = Instant::now();
        let form = if json {
            Form::Json
        } else if let Some(live) = Live::new() {
            Form::Live(live, Frame::default())
        } else {
            Form::Plain { due: now + PLAIN, alarms: 0, told: 0, was_level: false }
        };
        Screen {
            form,
            home: Home::of(opened),
            story: Story::new(),
            pace: Pace::new(0, now),
            follows,
            due: now,
            still_since: None,
            trouble: None,
            waiting: None,
            stands_by: None,
            was_stopped: false,
            previous: last_run::read(&opened.place, &opened.spec.name),
        }
    }

    /// What is wrong with topics that are there, and of which nobody can say: a line each.
    pub fn topics(&mut self, faults: &[Fault], unseen: &[String]) {
        for fault in faults {
            if let Form::Json = self.form {
                let mut event = topics::fault(fault);
                event["event"] = "topic".into();
                say(&plain::json(&event));
            } else {
                let Fault { topic, why, mend } = fault;
                note(&plain::line(&format!("wrong      {topic}: {why}: {mend}")));
            }
        }
        if let ([_, ..], false) = (unseen, matches!(self.form, Form::Json)) {
            let topics = words::listed(unseen);
            let why = "this user may not see (DescribeConfigs)";
            note(&plain::line(&format!("unseen     how {topics} are kept {why}")));
        }
    }

    /// A source is being loaded.
    pub fn loading(&mut self, source: &str, read: u64, position: &Position) {
        let now = Instant::now();
        if now < self.due {
            return;
        }
        self.pace.at(read, now);
        let share = position.share();
        match &mut self.form {
            Form::Json => {}
            Form::Plain { due, .. } if now >= *due => {
                *due = now + PLAIN;
                note(&format!("loading    {}", frame::loading(source, read, share, &self.pace, 0)));
            }
            Form::Plain { .. } => {}
            Form::Live(live, _) => {
                let line = frame::loading(source, read, share, &self.pace, live.paint.bar());
                let line = live.paint.labelled("loading", &line);
                live.draw(&[self.home.head(live.paint), line]);
            }
        }
        self.due = now + REDRAW;
    }

    /// A source was loaded.
    pub fn loaded(&mut self, topic: &str, loaded: &Loaded) {
        if let Form::Plain { .. } = self.form {
            note(&format!("loaded     {}", self::loaded(topic, loaded)));
        }
        self.story.loads.push((topic.into(), loaded.clone()));
        self.pace = Pace::new(0, Instant::now());
    }

    /// A source that is read while the pipeline runs has come to its end: nothing more comes of it.
    pub fn ended(&mut self, loaded: &Loaded) {
        let brought = words::counted(loaded.appended, "record");
        let source = plain::line(&loaded.source);
        let line = format!("ended      {source}: it brought {brought}");
        match self.form {
            Form::Json => {}
            Form::Plain { .. } => note(&line),
            Form::Live(..) => self.story.told(line),
        }
    }

    /// Ctrl-C while loading.
    pub fn stopped_loading(&mut self) {
        self.clear();
        if !matches!(self.form, Form::Json) {
            let run = self.home.command("run", "");
            note(&format!("stopped while loading: {run} goes on there"));
        }
    }

    /// Somebody asked it to finish. Says so, once.
    pub fn finishing(&mut self) {
        if self.was_stopped {
            return;
        }
        self.was_stopped = true;
        match &mut self.form {
            Form::Json => {}
            Form::Plain { .. } => note("finishing: writing what was learned ..."),
            Form::Live(live, frame) => {
                frame.finishing = true;
                let lines = frame.lines(&self.home, &self.story, &self.pace, live.paint);
                live.draw(&lines);
            }
        }
    }

    /// Something happened.
    pub fn news(&mut self, news: &News) {
        let (line, is_alarm) = self.story.news(news);
        match &mut self.form {
            Form::Json => say(&event(news).to_string()),
            Form::Plain { alarms, .. } if is_alarm => {
                *alarms += 1;
                if *alarms <= ALARMS_MAX {
                    note(&line);
                }
            }
            Form::Plain { .. } => note(&line),
            Form::Live(..) => {}
        }
    }

    /// It stands by: because of this, or because another process runs the pipeline.
    pub fn stands_by(&mut self, why: Option<String>) {
        self.stands_by = why;
    }

    /// Called after every turn: takes the time, and does more only ten times a second.
    pub fn tick(&mut self, keeper: &Keeper<Store>, next: Next) {
        let now = Instant::now();
        self.story.learns(now);
        if let Some(pipeline) = keeper.pipeline()
            && self.story.count(pipeline.counters(), keeper.progress().known, now)
        {
            self.pace = Pace::new(0, now);
        }
        if matches!(next, Next::Again | Next::Done) {
            self.still_since = None;
        } else if self.still_since.is_none() {
            self.still_since = Some(now);
        }
        if next == Next::Wait
            && let Some(why) = keeper.progress().waiting
        {
            self.trouble = Some((why, now));
        }
        if now < self.due {
            return;
        }
        self.due = now + REDRAW;
        let progress = keeper.progress();
        let read = keeper.pipeline().map_or(0, |pipeline| pipeline.counters().read);
        if keeper.pipeline().is_some() {
            self.pace.at(self.story.new_ones().read, now);
        }
        self.wait(self.reason(keeper, next, now));
        match &mut self.form {
            Form::Json => {}
            Form::Plain { due, alarms, told, was_level } => {
                let is_level = progress.is_level && read > 0;
                let turned = self.follows && is_level && !*was_level && read > *told;
                let joining = progress.joining.as_ref().filter(|_| now >= *due);
                if let Some(joining) = joining {
                    note(&format!("joining    {}", frame::joining(joining, 0)));
                    *due = now + PLAIN;
                }
                if (now < *due && joining.is_none() || read == *told) && !turned {
                    return;
                }
                if *alarms > ALARMS_MAX {
                    let more = words::counted(*alarms - ALARMS_MAX, "more alarm");
                    note(&format!("alarm      and {more}"));
                }
                let line = frame::learning(read, progress.lag, &self.pace, 0);
                note(&format!("learned    {line}"));
                (*due, *alarms, *told, *was_level) = (now + PLAIN, 0, read, is_level);
            }
            Form::Live(live, frame) => {
                frame.look(keeper.pipeline(), progress.lag, now);
                frame.waiting.clone_from(&self.waiting);
                frame.joining.clone_from(&progress.joining);
                let lines = frame.lines(&self.home, &self.story, &self.pace, live.paint);
                live.draw(&lines);
            }
        }
    }

    /// What it waits for, if anything.
    fn reason(&self, keeper: &Keeper<Store>, next: Next, now: Instant) -> Option<String> {
        if next == Next::Standby {
            let others = || "another process runs this pipeline; standing by".into();
            return Some(self.stands_by.clone().unwrap_or_else(others));
        }
        if let Some((why, at)) = &self.trouble
            && now.saturating_duration_since(*at) < TROUBLE
        {
            return Some(why.clone());
        }
        let still = self.still_since.is_some_and(|since| now - since >= PATIENCE);
        let is_empty = keeper.pipeline().is_some_and(|pipeline| pipeline.counters().read == 0);
        (still && is_empty && keeper.progress().is_level).then(|| self.home.empty())
    }

    /// Says what is waited for, if that is news.
    fn wait(&mut self, reason: Option<String>) {
        if reason == self.waiting {
            return;
        }
        match (&self.form, &reason) {
            (Form::Json, Some(why)) => {
                say(&serde_json::json!({ "event": "waiting", "why": why }).to_string());
            }
            (Form::Plain { .. }, Some(why)) => note(&format!("waiting    {why}")),
            (Form::Plain { .. }, None) => note("going on"),
            (Form::Json, None) | (Form::Live(..), _) => {}
        }
        self.waiting = reason;
    }

    /// The pipeline has halted: people are told by whoever called, programs why it did and what
    /// can be typed.
    pub fn halt(&mut self, why: &str, answers: &[String]) {
        self.clear();
        if let Form::Json = self.form {
            let event = serde_json::json!({ "event": "halt", "why": why, "answers": answers });
            say(&plain::json(&event));
        }
    }

    /// All is done.
    pub fn finish(&mut self, keeper: &mut Keeper<Store>) {
        self.clear();
        let Progress { lag, known, .. } = keeper.progress();
        let log_bytes = keeper.log().file_bytes().ok().flatten();
        let Some(pipeline) = keeper.pipeline() else {
            if !matches!(self.form, Form::Json) {
                note("nothing was learned by this process");
            }
            return;
        };
        self.story.count(pipeline.counters(), known, Instant::now());
        let new = self.story.new_ones();
        if let Form::Json = self.form {
            let seconds = self.story.began.elapsed().as_secs_f64();
            say(&summary(pipeline, new.learned, seconds).to_string());
        } else {
            self.left_out_alarms();
            let summary = Summary {
                story: &self.story,
                home: &self.home,
                pipeline,
                lag,
                was_stopped: self.was_stopped,
                follows: self.follows,
                previous: self.previous.clone(),
                log_bytes,
            };
            let paint = Paint::stdout();
            say(&summary.lines(paint).join("\n"));
        }
        if new.read > 0 {
            self.remember(new.read);
        }
    }

    /// Alarms that were not written out since the last line about progress.
    fn left_out_alarms(&self) {
        if let Form::Plain { alarms, .. } = self.form
            && alarms > ALARMS_MAX
        {
            let more = words::count(alarms - ALARMS_MAX);
            let show = self.home.command("show", "alarms");
            note(&format!("alarm      and {more} more: {show}"));
        }
    }

    /// Writes down how it went, for `check` and for the next run.
    fn remember(&self, records: u64) {
        let rate = words::rate(records, self.story.learning()).filter(|_| !self.follows);
        let run = LastRun { ended: clock::now(), records, records_per_second: rate };
        if let Err(error) = last_run::write(&self.home.place, &self.home.name, run) {
            note(&format!("warning: this run could not be noted down: {error}"));
        }
    }

    /// Takes the live lines away.
    pub fn clear(&mut self) {
        if let Form::Live(live, _) = &mut self.form {
            live.clear();
        }
    }
}

/// The progress of a load.
pub struct LoadBar {
    json: bool,
    live: Option<Live>,
    pace: Pace,
    due: Instant,
}

impl LoadBar {
    /// A bar that has nothing to show yet; with `json` it shows nothing but its end.
    pub fn new(json: bool) -> LoadBar {
        let (live, now) = (Live::new().filter(|_| !json), Instant::now());
        LoadBar { json, live, pace: Pace::new(0, now), due: now }
    }

    /// So many records of a source were read.
    pub fn at(&mut self, source: &str, read: u64, position: &Position) {
        let now = Instant::now();
        if now < self.due || self.json {
            return;
        }
        self.pace.at(read, now);
        let share = position.share();
        let line = |width| frame::loading(source, read, share, &self.pace, width);
        match &mut self.live {
            Some(live) => {
                let line = live.paint.labelled("loading", &line(live.paint.bar()));
                live.draw(&[line]);
                self.due = now + REDRAW;
            }
            None => {
                if read > 0 && now.duration_since(self.due) < PLAIN {
                    note(&format!("loading    {}", line(0)));
                }
                self.due = now + PLAIN;
            }
        }
    }

    /// The load is over.
    pub fn finish(&mut self, loaded: &Loaded, topic: &str) {
        self.live = None;
        if self.json {
            let Loaded { source, read, appended, finished } = loaded;
            let event = serde_json::json!({
                "event": "loaded", "source": source, "topic": topic, "read": read,
                "appended": appended, "finished": finished,
            });
            return say(&plain::json(&event));
        }
        say(&Paint::stdout().labelled("loaded", &self::loaded(topic, loaded)));
    }
}

/// What a load did, in words.
fn loaded(topic: &str, loaded: &Loaded) -> String {
    let source = plain::line(&loaded.source);
    let mut says = match (loaded.appended, loaded.read) {
        (0, 0) => format!("nothing: {source} is empty"),
        (0, read) => {
            let all = words::counted(read, "record");
            format!("nothing new: {all} of {source} are in topic {topic} already")
        }
        (appended, _) => {
            let appended = words::counted(appended, "record");
            format!("{appended} from {source} into topic {topic}")
        }
    };
    if !loaded.finished {
        says.push_str(", stopped before its end: the same command goes on there");
    }
    says
}

/// Prints a line on standard output. A closed pipe is not our mistake.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Prints a line on standard error. Where nobody listens nothing is said.
pub(crate) fn note(line: &str) {
    writeln!(std::io::stderr().lock(), "{line}").unwrap_or_default();
}
