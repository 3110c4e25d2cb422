//! `score --follow`: answers the pipeline's own topics for ever, into a topic of its own, always
//! with a whole published version. Each record is answered at least once; nothing is learned.

use std::{
    thread,
    time::{Duration, Instant},
};

use alluvium_ledger::log::{Log, LogError, Policy};
use anyhow::anyhow;

use super::{
    answers::{Answers, Start},
    ended::ended,
    loaded::{Loaded, Models},
    share::{Change, Inputs, Share, held},
    told::Told,
};
use crate::{
    args,
    failure::Failure,
    look::{find_version, named_version},
    open::Opened,
    patience,
    signals::Stop,
    store::Store,
};

/// The pipeline's own topic that holds the answers.
pub(super) const SCORES: &str = "scores";

/// How long is waited for new records.
const WAIT: Duration = Duration::from_millis(1);
/// How long a log that fails, or has nothing to answer with, is left alone.
const REST: Duration = Duration::from_secs(1);
/// How often it is committed up to where all is answered.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// How often a newer version is looked for.
const RENEW_EVERY: Duration = Duration::from_millis(50);
/// How often it is asked where the topics end: soon when nothing comes, which may mean that nobody
/// answers.
const LOOK_EVERY: Duration = Duration::from_secs(30);
const LOOK_EVERY_IDLE: Duration = Duration::from_secs(5);
/// How long a share may be missing before it is asked why.
const SHARE_PATIENCE: Duration = Duration::from_secs(3);
/// How long answers that were handed over are waited for: when partitions are taken, and in the
/// end.
const TAKEN_PATIENCE: Duration = Duration::from_secs(5);
const END_PATIENCE: Duration = Duration::from_secs(10);
const COMMIT_PATIENCE: Duration = Duration::from_secs(5);

/// Answers until it is asked to finish.
///
/// # Errors
/// When there can be no such version, the log fails for good, or a place in it is gone.
pub(super) fn run(call: &args::Score) -> Result<(), Failure> {
    let opened = Opened::read(&call.file, &call.named)?;
    let stop = Stop::listen()?;
    let mut begun = Begun {
        named: call.model.as_deref().map(named_version).transpose()?,
        call,
        inputs: inputs(&opened, call.input.as_deref())?,
        log: opened.log()?,
        told: Told::new(call.json),
        models: Models::new(opened.topic("models")),
        opened,
        stop,
    };
    begun.check_model()?;
    let Some(loaded) = begun.until_there_is_a_version()? else {
        begun.told.finish();
        return Ok(());
    };
    let scores = begun.opened.topic(SCORES);
    let Some(share) = begun.until_there_is_a_share(&scores)? else {
        begun.told.finish();
        return Ok(());
    };
    begun.told.version(&loaded, &scores);
    let now = Instant::now();
    let mut follow = Follow {
        begun,
        loaded,
        share,
        scores,
        starts: None,
        answers: None,
        must_renew: false,
        due: Due { renew: now, commit: now, look: now, share: now },
        idle_since: Some(now),
        lag: None,
    };
    follow.until_the_end()
}

/// The inputs that a call means.
fn inputs(opened: &Opened, named: Option<&str>) -> Result<Inputs, Failure> {
    let mut inputs = opened.examples();
    if named.is_some() {
        let name = opened.pick_example(named)?;
        inputs.retain(|(input, _)| input == name);
    }
    Ok(inputs)
}

/// What scoring has before it has a version.
struct Begun<'a> {
    call: &'a args::Score,
    named: Option<(&'a str, Option<u64>)>,
    opened: Opened,
    inputs: Inputs,
    log: Store,
    stop: Stop,
    told: Told,
    models: Models,
}

impl Begun<'_> {
    /// Turns away a model that the file does not have: it would be waited for in vain.
    fn check_model(&self) -> Result<(), Failure> {
        let Some((model, _)) = self.named else { return Ok(()) };
        let models = &self.opened.spec.model;
        if models.contains_key(model) {
            Ok(())
        } else {
            Err(Failure::unknown_model(model, models.keys()))
        }
    }

    /// Waits for a first version, and for the topics; `None`: asked to finish first.
    fn until_there_is_a_version(&mut self) -> Result<Option<Loaded>, Failure> {
        while !self.stop.is_asked() {
            match self.first_version() {
                Ok(Some(loaded)) => {
                    self.told.going_on();
                    return Ok(Some(loaded));
                }
                Ok(None) => {}
                Err(Failure::Failed(error)) if patience::passes(&error) => {
                    self.told.waiting(&format!("{error:#}"));
                }
                Err(failure) => return Err(failure),
            }
            thread::sleep(REST);
        }
        Ok(None)
    }

    fn first_version(&mut self) -> Result<Option<Loaded>, Failure> {
        let run = self.opened.command("run", "");
        for (input, topic) in &self.inputs {
            if self.log.ends(topic)?.is_none() {
                let why =
                    format!("there is no topic {topic} yet, which input {input} reads: {run}");
                self.told.waiting(&why);
                return Ok(None);
            }
        }
        self.models.poll(&mut self.log)?;
        let Some(version) = self.models.pick(self.named) else {
            if let (Some((model, Some(number))), Some(named)) = (self.named, &self.call.model)
                && self.models.published.version(model, None).is_some_and(|v| v.version > number)
            {
                // It was retired: waiting does not bring it back.
                return find_version(&self.models.published, named).map(|_| None);
            }
            let what = self.call.model.as_deref().unwrap_or("the champion");
            self.told.waiting(&format!("no version of {what} was published yet: {run}"));
            return Ok(None);
        };
        let topic = self.models.topic();
        let loaded = Loaded::load(&mut self.log, topic, &self.models.published, version);
        match loaded {
            Ok(loaded) => Ok(Some(loaded)),
            // It may have been retired while it was being read: the next look finds a newer one.
            Err(error) if self.models.poll(&mut self.log)? => {
                self.told.waiting(&format!("{error:#}"));
                Ok(None)
            }
            Err(error) => Err(Failure::Failed(error)),
        }
    }

    /// Sees to the topic of answers, and asks for a share; `None`: asked to finish first.
    fn until_there_is_a_share(&mut self, scores: &str) -> Result<Option<Share>, Failure> {
        let Begun { log, opened, inputs, stop, call, .. } = self;
        let asked = patience::until(stop, || {
            let mut partitions = 1;
            for (_, topic) in inputs.iter() {
                let ends = log.ends(topic)?;
                partitions = ends.map_or(0, |ends| ends.partitions.len() as u32).max(partitions);
            }
            if log.ends(scores)?.is_none() {
                log.create(scores, partitions, Policy::Delete { retention_ms: None })?;
            }
            let which = (call.model.as_deref(), call.input.as_deref());
            Ok(Share::ask(log, opened, inputs, scores, which)?)
        });
        Ok(asked?)
    }
}

/// When things are due.
struct Due {
    renew: Instant,
    commit: Instant,
    look: Instant,
    /// Since when no share was given.
    share: Instant,
}

/// Scoring under way.
struct Follow<'a> {
    begun: Begun<'a>,
    loaded: Loaded,
    share: Share,
    scores: String,
    /// What is ours and not being read; `None`: nothing is, or it is being read.
    starts: Option<Vec<Start>>,
    answers: Option<Answers>,
    /// Whether there is a newer version that could not be read for now.
    must_renew: bool,
    due: Due,
    /// Since when nothing has come.
    idle_since: Option<Instant>,
    lag: Option<u64>,
}

impl Follow<'_> {
    fn until_the_end(&mut self) -> Result<(), Failure> {
        while !self.begun.stop.is_asked() {
            match self.turn() {
                Ok(true) => {
                    (self.idle_since, self.lag) = (None, None);
                    self.begun.told.going_on();
                }
                Ok(false) => {
                    self.idle_since.get_or_insert_with(Instant::now);
                    thread::sleep(WAIT);
                }
                Err(failure) => self.bear(failure)?,
            }
            self.look_around()?;
            let lag = self.lag.filter(|_| self.idle_since.is_some());
            self.begun.told.tick(lag);
        }
        self.finish()
    }

    /// Does a piece of work; says whether records were answered.
    fn turn(&mut self) -> Result<bool, Failure> {
        self.take_share()?;
        if let Some(starts) = self.starts.clone().filter(|starts| !starts.is_empty()) {
            let log = &mut self.begun.log;
            self.answers = Some(Answers::open(log, starts, &self.scores, &self.loaded)?);
            self.starts = None;
        }
        self.renew()?;
        let Some(answers) = &mut self.answers else { return Ok(false) };
        answers.settle()?;
        let any = answers.turn(&mut self.loaded, &mut self.begun.told)?;
        self.commit()?;
        Ok(any)
    }

    /// Takes what was given, and gives back what was taken.
    fn take_share(&mut self) -> Result<(), Failure> {
        let Begun { log, inputs, call, told, .. } = &mut self.begun;
        match self.share.turn(log, inputs, call.from)? {
            Change::None => {}
            Change::Given(starts, said) => {
                said.iter().for_each(|why| told.once("begins", why));
                let places: Vec<(String, u64)> =
                    starts.iter().map(|start| (start.place(), start.from)).collect();
                told.partitions(&places, &self.share.name());
                (self.answers, self.starts) = (None, Some(starts.clone()));
                // Where it begins is known from now on, also to whoever comes after a crash.
                self.share.commit(&starts)?;
            }
            Change::Taken => {
                self.settle_all(TAKEN_PATIENCE, false);
                self.share.give_back()?;
                (self.answers, self.starts, self.due.share) = (None, None, Instant::now());
            }
        }
        Ok(())
    }

    /// Waits, so long at most, for the acknowledgement of what was handed over, and commits it.
    /// Whether all of it is.
    fn settle_all(&mut self, patience: Duration, is_end: bool) -> bool {
        let since = Instant::now();
        let Some(answers) = &mut self.answers else { return true };
        while answers.settle().is_ok() && !answers.are_settled() && since.elapsed() < patience {
            thread::sleep(WAIT);
        }
        let are_settled = answers.are_settled();
        let committed = self.share.commit(&answers.starts()).is_ok();
        // Whoever takes over finds where this one stood; if not, it answers some of them again.
        let waited = if is_end { COMMIT_PATIENCE } else { TAKEN_PATIENCE };
        committed && self.share.wait_for_commits(waited) && are_settled
    }

    fn commit(&mut self) -> Result<(), Failure> {
        let (now, Some(answers)) = (Instant::now(), &self.answers) else { return Ok(()) };
        if now >= self.due.commit {
            self.due.commit = now + COMMIT_EVERY;
            self.share.commit(&answers.starts())?;
        }
        Ok(())
    }

    /// Takes a version that was published since, between two batches, unless the call holds on to
    /// one.
    fn renew(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        let Begun { log, models, named, told, .. } = &mut self.begun;
        let is_held = named.is_some_and(|(_, version)| version.is_some());
        if is_held || now < self.due.renew {
            return Ok(());
        }
        self.due.renew = now + RENEW_EVERY;
        if !models.poll(log)? && !self.must_renew {
            return Ok(());
        }
        self.must_renew = false;
        let Some(version) = models.pick(*named) else { return Ok(()) };
        if version.model == self.loaded.model && version.version == self.loaded.version {
            return Ok(());
        }
        match Loaded::load(log, models.topic(), &models.published, version) {
            Ok(loaded) => {
                if let Some(answers) = &mut self.answers {
                    answers.renew(&loaded)?;
                }
                self.loaded = loaded;
                told.version(&self.loaded, &self.scores);
            }
            Err(error) if patience::passes(&error) => {
                // What answers goes on to; it is tried again soon.
                self.must_renew = true;
                self.due.renew = now + REST;
                told.once("staying", &format!("with {}: {error:#}", self.loaded.name()));
            }
            // It may have been retired while it was being read: then a newer one is on its way.
            Err(error) => {
                told.once("staying", &format!("with {}: {error:#}", self.loaded.name()));
            }
        }
        Ok(())
    }

    /// Bears what passes: what was not acknowledged is answered again. What does not pass ends it,
    /// and says what to type.
    fn bear(&mut self, failure: Failure) -> Result<(), Failure> {
        let error = match failure {
            Failure::Failed(error) => error,
            failure => return Err(failure),
        };
        if let Some(answers) = self.answers.take() {
            self.starts = Some(answers.starts());
        }
        if patience::passes(&error) {
            self.begun.told.waiting(&format!("{error:#}"));
            thread::sleep(REST);
            return Ok(());
        }
        if let Some(LogError::OutOfRange { topic, partition, offset, ends }) = error.downcast_ref()
        {
            let place = format!("{topic}:{partition}");
            if let Some((from, why)) = held(&place, *offset, *ends, self.begun.call.from) {
                why.iter().for_each(|why| self.begun.told.once("begins", why));
                let starts = self.starts.iter_mut().flatten();
                for start in starts.filter(|s| s.topic == *topic && s.partition == *partition) {
                    start.from = from;
                }
                return Ok(());
            }
        }
        Err(ended(error, &self.begun.opened, self.begun.call, &self.share))
    }

    /// Asks, once in a while, where the topics end, and why nothing is given: a log that nobody
    /// answers for says nothing by itself.
    fn look_around(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        if self.answers.is_none() && self.starts.is_none() {
            return self.look_after_share(now);
        }
        let every = if self.idle_since.is_some() { LOOK_EVERY_IDLE } else { LOOK_EVERY };
        if now < self.due.look + every {
            return Ok(());
        }
        self.due.look = now;
        let Begun { log, told, .. } = &mut self.begun;
        let Some(answers) = &self.answers else { return Ok(()) };
        let mut lag = 0;
        let mut starts = answers.starts();
        starts.sort_by(|a, b| a.topic.cmp(&b.topic));
        for of_topic in starts.chunk_by(|a, b| a.topic == b.topic) {
            match log.ends(&of_topic[0].topic) {
                Ok(ends) => {
                    let ends = ends.map(|ends| ends.partitions).unwrap_or_default();
                    for start in of_topic {
                        let end = ends.get(start.partition as usize).map_or(0, |ends| ends.stable);
                        lag += end.saturating_sub(start.from);
                    }
                }
                Err(error @ (LogError::Unavailable(_) | LogError::SessionEnded(_))) => {
                    told.waiting(&error.to_string());
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.lag = Some(lag);
        told.going_on();
        Ok(())
    }

    fn look_after_share(&mut self, now: Instant) -> Result<(), Failure> {
        if now < self.due.share + SHARE_PATIENCE {
            return Ok(());
        }
        self.due.share = now;
        match self.share.trouble() {
            Some(error @ LogError::Unavailable(_)) => self.begun.told.waiting(&error.to_string()),
            Some(error) => return Err(error.into()),
            None => {
                let why = match &self.share {
                    Share::Group { group, .. } => {
                        format!("the group {} gives no partition yet", group.name())
                    }
                    Share::Alone { .. } => {
                        "another process answers this pipeline; standing by".to_string()
                    }
                };
                self.begun.told.waiting(&why);
            }
        }
        Ok(())
    }

    /// Hands in what was answered, and ends.
    fn finish(&mut self) -> Result<(), Failure> {
        let are_settled = self.settle_all(END_PATIENCE, true);
        self.begun.told.finish();
        match are_settled {
            true => Ok(()),
            false => Err(Failure::Failed(anyhow!(
                "it was asked to finish, and the log took not everything: the newest answers will \
                 be given again"
            ))),
        }
    }
}
