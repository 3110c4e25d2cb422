//! A published version that is ready to answer, and the topic of versions, followed for newer ones.

use alluvium_flow::{Batch, Predictor, decode::Decoder};
use alluvium_ledger::{
    log::{Log, LogError, Polled, RecordReader, Span},
    read::Observer,
    versions::{Published, Version, VersionError},
};
use anyhow::{Context, anyhow};

use crate::{failure::Failure, look, store::Store};

/// A version that is ready to answer.
pub(crate) struct Loaded {
    pub(super) model: String,
    pub(super) version: u64,
    pub(super) state_digest: String,
    pub(crate) predictor: Predictor,
    pub(crate) decoders: Vec<Box<dyn Decoder>>,
}

impl Loaded {
    /// Reads a version whole, every page and the state held against their digests.
    pub(crate) fn load(
        log: &mut Store,
        topic: &str,
        published: &Published,
        version: &Version,
    ) -> anyhow::Result<Loaded> {
        let name = format!("{}@{}", version.model, version.version);
        let mut idle = look::waits;
        let sections = Observer { log, idle: &mut idle }.sections(topic, published, version);
        let sections = match sections {
            Ok(sections) => sections,
            // What the log says is told apart from what is wrong with the version.
            Err(VersionError::Log(error)) => return Err(error.into()),
            Err(error) => return Err(anyhow::Error::new(error).context(name)),
        };
        let predictor = Predictor::new(&version.settings, &version.model, &sections);
        let predictor = predictor.with_context(|| name)?;
        let decoders = predictor.inputs().iter().map(|input| input.decoder()).collect();
        let (model, state_digest) = (version.model.clone(), version.state_digest.clone());
        Ok(Loaded { model, version: version.version, state_digest, predictor, decoders })
    }

    /// `MODEL@VERSION`.
    pub(super) fn name(&self) -> String {
        format!("{}@{}", self.model, self.version)
    }

    /// Which of its inputs has that name.
    pub(super) fn input(&self, name: &str) -> Result<usize, Failure> {
        let index = self.predictor.inputs().iter().position(|input| *input.name == *name);
        index.ok_or_else(|| {
            let version = self.name();
            Failure::Failed(anyhow!("{version} knows no input {name}"))
        })
    }
}

/// The topic of versions, read on and on.
pub(super) struct Models {
    topic: String,
    pub(super) published: Published,
    reader: Option<Box<dyn RecordReader>>,
    batch: Batch,
}

impl Models {
    pub(super) fn new(topic: String) -> Models {
        Models { topic, published: Published::default(), reader: None, batch: Batch::new() }
    }

    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    /// Takes what was published since; says whether there was anything. Never waits for more.
    ///
    /// # Errors
    /// When the log fails.
    pub(super) fn poll(&mut self, log: &mut Store) -> Result<bool, LogError> {
        let mut any = false;
        if self.reader.is_none() {
            let mut idle = look::waits;
            let before = self.published.next;
            let mut observer = Observer { log, idle: &mut idle };
            observer.published(&self.topic, &mut self.published)?;
            any = self.published.next > before;
            let from = self.published.next;
            let span = Span { topic: self.topic.as_str().into(), partition: 0, from, to: None };
            match log.reader(&[span]) {
                Ok(reader) => self.reader = Some(reader),
                // The pipeline has not run yet.
                Err(LogError::NoTopic { .. }) if self.published.next == 0 => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        let Some(reader) = &mut self.reader else { return Ok(any) };
        loop {
            match reader.poll(&mut self.batch) {
                Ok(Polled::Nothing) => return Ok(any),
                Ok(Polled::Records) => {
                    self.batch.iter().for_each(|record| self.published.take(&record));
                    any = true;
                }
                // Somebody has deleted its beginning: what is left says all that is left.
                Err(LogError::OutOfRange { .. }) => {
                    (self.reader, self.published) = (None, Published::default());
                    return Ok(any);
                }
                Err(error) => {
                    self.reader = None;
                    return Err(error);
                }
            }
        }
    }

    /// The version a call means: the one it names, else the champion's. `None`: it is not there.
    pub(super) fn pick(&self, named: Option<(&str, Option<u64>)>) -> Option<&Version> {
        match named {
            Some((model, version)) => self.published.version(model, version),
            None => {
                let champion = self.published.champion()?;
                self.published.version(&champion.model, Some(champion.version))
            }
        }
    }
}
