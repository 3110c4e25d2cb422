//! A load from beginning to end: one at a time into a topic, and again after what passes.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use alluvium_ledger::log::{Errand, Lease, Log, LogError};

use super::{Loaded, Loader, is_stream, marks::Marks};
use crate::{
    open::Opened,
    patience,
    screen::note,
    signals::Stop,
    source::{self, Position},
    store::Store,
};

/// How often it is looked whether the other process has ended.
const LOOK: Duration = Duration::from_millis(20);
/// How long a log that fails is left alone.
const REST: Duration = Duration::from_secs(1);

/// Where records are to be loaded.
pub(super) struct Job<'a> {
    /// The pipeline.
    pub(super) opened: &'a Opened,
    /// Its input.
    pub(super) input: &'a str,
    /// The most records a second; 0: as fast as it goes.
    pub(super) rate: u64,
    /// Whether to stop.
    pub(super) stop: &'a Stop,
}

/// Told how many records were read, of what, and where in it that is.
pub(super) type Progress<'a> = &'a mut dyn FnMut(&str, u64, &Position);

impl Job<'_> {
    /// The topic that is filled.
    pub(super) fn topic(&self) -> &str {
        self.opened.spec.input[self.input].topic(self.input)
    }

    /// Waits until no other process fills the topic; `None`: asked to stop meanwhile.
    ///
    /// Two that load one file at once would each bring all of it.
    ///
    /// # Errors
    /// When the log fails.
    pub(super) fn turn(&self, log: &mut Store) -> anyhow::Result<Option<Box<dyn Lease>>> {
        let topic = self.topic();
        let mut lease = log.lease(&self.opened.spec.name, Errand::Load { topic })?;
        let (since, mut said) = (Instant::now(), String::new());
        while !lease.held() {
            if self.stop.is_asked() {
                return Ok(None);
            }
            let trouble = log.lease_trouble();
            if let Some(denied @ LogError::Denied(_)) = trouble {
                return Err(denied.into());
            }
            if since.elapsed() > log.lease_takes() {
                let others = || format!("another process is loading into topic {topic}");
                let why = trouble.map_or_else(others, |error| error.to_string());
                if said != why {
                    note(&format!("waiting: {why}"));
                    said = why;
                }
            }
            thread::sleep(LOOK);
        }
        Ok(Some(lease))
    }

    /// Loads a source to its end, or until it is asked to stop. A file is loaded again from where
    /// it was, as often as the log fails; a source that cannot be read again is not. `marks` is
    /// what the topic is known to hold, if somebody has just looked.
    ///
    /// # Errors
    /// When the source fails, or the log while the source cannot be read again.
    pub(super) fn load(
        &self,
        log: &mut Store,
        address: &str,
        path: &Path,
        mut marks: Option<Marks>,
        progress: Progress<'_>,
    ) -> anyhow::Result<Loaded> {
        let mut appended = 0;
        loop {
            let mut loaded = Loaded::default();
            let done = self.once(log, (address, path), marks.take(), progress, &mut loaded);
            appended += loaded.appended;
            let Err(error) = done else { return Ok(Loaded { appended, ..loaded }) };
            if is_stream(address) || !patience::passes(&error) || self.stop.is_asked() {
                return Err(error);
            }
            note(&format!("waiting: {error:#}"));
            thread::sleep(REST);
        }
    }

    fn once(
        &self,
        log: &mut Store,
        (address, path): (&str, &Path),
        marks: Option<Marks>,
        progress: Progress<'_>,
        loaded: &mut Loaded,
    ) -> anyhow::Result<()> {
        let source = source::open(address, path)?;
        let (name, position) = (source.name.clone(), source.position.clone());
        let marks = match marks {
            Some(marks) => marks,
            // Only of a file it matters what was loaded before.
            None if source.is_file => Marks::read(log, self.topic())?,
            None => Marks::default(),
        };
        let mut loader = Loader::new(log, &self.opened.spec, self.input, marks)?;
        loader.rate = self.rate;
        loader.load(source, self.stop, &mut |read| progress(&name, read, &position), loaded)
    }
}
