//! `alluvium rebuild`: learns the log again as if some records had never come, and makes another
//! pipeline of it.
//!
//! Its control begins with a record that says of which pipeline, up to which place of its control,
//! and without which records it was born: so it can be learned again like any other.

use std::{
    thread,
    time::{Duration, Instant},
};

use alluvium_flow::{Gap, News};
use alluvium_ledger::{
    control::Origin,
    keeper::{Keeper, Next, Options, Signals},
    log::{Errand, Log},
};
use serde_json::json;

use crate::{
    args::{self, Named},
    clock,
    failure::Failure,
    halted,
    look::{Change, Look, Standing},
    open::Opened,
    plain, run,
    screen::{note, say, words},
    signals::Stop,
    skip, tell, topics,
};

/// How long a turn waits that has nothing to do.
const WAIT: Duration = Duration::from_millis(1);

/// How often it says how far it is.
const TOLD: Duration = Duration::from_secs(5);

/// `alluvium rebuild`.
///
/// # Errors
/// When a span is not part of what is learned, the name is taken, the log fails, or part of the
/// past has expired.
pub fn run(call: &args::Rebuild) -> Result<(), Failure> {
    let source = &call.pipeline;
    let named = |name: Option<String>| Named { name, log: source.log.clone() };
    let mut look = Look::open(&source.file, &named(source.of.clone()))?;
    let made = Opened::read(&source.file, &named(Some(call.name.clone())))?;
    if made.spec.name == look.opened.spec.name {
        let why = format!("`{}` is the pipeline itself: give another name", call.name);
        return Err(Failure::Usage(why));
    }
    let control = made.topic("control");
    if look.ends(&control)?.iter().any(|ends| ends.stable > 0) {
        let why = format!("there is a pipeline {} already: give another name", call.name);
        return Err(Failure::Usage(why));
    }
    let standing = look.standing()?;
    let origin = origin(&mut look, &standing, &call.without)?;
    let of = standing.pipeline().map_or(0, |pipeline| pipeline.counters().read);
    make(&made, origin, of, call.json).map_err(|failure| topics::with_hint(failure, &made))
}

/// What the other pipeline is born of.
fn origin(look: &mut Look, standing: &Standing, spans: &[String]) -> Result<Origin, Failure> {
    let pipeline = match &standing.pipeline {
        Some(Ok(pipeline)) => pipeline,
        Some(Err(why)) => {
            return Err(Failure::Failed(anyhow::anyhow!("the state cannot be read: {why}")));
        }
        None => return Err(look.nothing_kept()),
    };
    if !matches!(standing.change(&look.opened), Change::Nothing) {
        return Err(Failure::Usage(format!(
            "{} says other things than what is learned, and it is that which is learned again: \
             put it back, or {} first",
            look.opened.file.display(),
            look.opened.command("run", "")
        )));
    }
    let mut without = Vec::new();
    for text in spans {
        let (gap, topic) = skip::span(look, text)?;
        let known = standing.fold.index_of(&gap.input, gap.partition);
        let known = known.map(|index| &standing.fold.partitions[index]);
        let (begin, end) = known.map_or((0, 0), |known| (known.begin, known.end));
        if gap.from < begin || gap.to > end {
            let Gap { partition, .. } = gap;
            let why = match known {
                Some(_) => format!("{topic}:{partition} was learned from {begin} to {end}"),
                None => format!("{topic}:{partition} was not read yet"),
            };
            let why = format!("`{text}` is not part of what is learned: {why}");
            return Err(Failure::Usage(why));
        }
        without.push(gap);
    }
    Ok(Origin {
        of: look.opened.prefix(),
        upto: standing.fold.next,
        without,
        settings: pipeline.settings().clone(),
        partitions: standing.fold.partitions.clone(),
    })
}

/// Makes it: a keeper of the new pipeline learns what it is born of, publishes that and stops.
fn make(made: &Opened, origin: Origin, of: u64, is_json: bool) -> Result<(), Failure> {
    let stop = Stop::listen()?;
    let mut log = made.log()?;
    let mut lease = log.lease(&made.spec.name, Errand::Run)?;
    // What was learned once was borne once.
    let options = Options { refused_share_max: 1.0, ..run::options(made, false) };
    let mut keeper = Keeper::new(log, options);
    keeper.begin_from(origin);
    let (mut told, mut news) = (Instant::now(), Vec::new());
    loop {
        let is_born = keeper.pipeline().is_some();
        let signals = Signals { lease: lease.held(), stop: is_born || stop.is_asked() };
        let next = match keeper.turn(clock::now(), signals) {
            Ok(next) => next,
            Err(halt) => return Err(halted::failure(&halt, made)),
        };
        keeper.take_news(&mut news);
        match next {
            Next::Done if is_born => break,
            Next::Standby if !stop.is_asked() => thread::sleep(WAIT),
            Next::Done | Next::GivenUp | Next::Standby => {
                let run = made.command("run", "");
                let why = format!("stopped before it was learned: {run} goes on");
                return Err(Failure::Failed(anyhow::anyhow!(why)));
            }
            Next::Again => {}
            Next::Wait => thread::sleep(WAIT),
        }
        if told.elapsed() >= TOLD {
            told = Instant::now();
            let read = keeper.progress().joining.map_or(0, |past| past.read);
            note(&format!("learning   {} of {}", words::count(read), words::counted(of, "record")));
        }
    }
    let read = keeper.pipeline().map_or(0, |pipeline| pipeline.counters().read);
    tell_of(made, read, &news, is_json);
    Ok(())
}

/// What was made.
fn tell_of(made: &Opened, read: u64, news: &[News], is_json: bool) {
    for one in news {
        let News::Version { model, version, state_digest, at } = one else { continue };
        say(&match is_json {
            true => crate::screen::event(one).to_string(),
            false => {
                format!("{model}@{version}  state {} after {at}", tell::digest(state_digest))
            }
        });
    }
    let run = made.command("run", "");
    say(&match is_json {
        true => plain::json(&json!({
            "event": "rebuilt", "pipeline": made.spec.name, "read": read, "run": run,
        })),
        false => format!(
            "made {} of {}\nit goes on there: {run}",
            made.spec.name,
            words::counted(read, "record")
        ),
    });
}
