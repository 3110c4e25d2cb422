//! Looks into a pipeline's topics from beside a `run`, which may be going on: reads only.

use std::{path::Path, sync::Arc, thread, time::Duration};

use alluvium_flow::{Decision, Joins, Pipeline, Settings};
use alluvium_learn::Time;
use alluvium_ledger::{
    control::{Control, Fold, Stopped},
    log::PartitionEnds,
    read::{Newest, Observer},
    versions::{Published, Version},
};

use crate::{args::Named, clock, failure::Failure, halted::Fit, open::Opened, store::Store};

/// How long is waited for a log that has nothing yet.
const IDLE: Duration = Duration::from_millis(1);

/// How many times in a row nothing may come: half a minute and more.
const IDLE_MAX: u32 = 30_000;

/// Waits a little for a log that has nothing yet; whether to go on waiting.
pub fn waits(still: u32) -> bool {
    thread::sleep(IDLE);
    still < IDLE_MAX
}

/// A pipeline that is looked at.
pub struct Look {
    /// Its file.
    pub opened: Opened,
    /// Its log.
    pub log: Store,
}

/// How far a pipeline has come.
pub struct Standing {
    /// The newest manifest; `None`: it never learned, or nothing of it was kept yet.
    pub newest: Option<Newest>,
    /// The pipeline as the manifest holds it, or why it cannot be built.
    pub pipeline: Option<Result<Pipeline, String>>,
    /// Control up to its end.
    pub fold: Fold,
}

/// How what is learned differs between a file and what was kept.
pub enum Change {
    /// Not at all; or nothing was kept yet.
    Nothing,
    /// Something joins: the next run sees to that by itself.
    Joins(Joins),
    /// These settings can be adopted; what joins then does.
    Adopts(Arc<Settings>),
    /// The state does not fit, for this reason.
    Unfit(String),
}

/// Who wrote the newest TERM.
pub struct Writer {
    /// The term.
    pub term: u64,
    /// Who: free text.
    pub by: String,
    /// Since when.
    pub since: Time,
}

impl Look {
    /// Reads a pipeline file, and opens the log it lives in.
    ///
    /// # Errors
    /// When the file has mistakes, or there is no log yet.
    pub fn open(file: &Path, named: &Named) -> Result<Look, Failure> {
        Look::of(Opened::read(file, named)?)
    }

    /// Opens the log that a pipeline file names.
    ///
    /// # Errors
    /// When there is no log yet.
    pub fn of(opened: Opened) -> Result<Look, Failure> {
        let log = opened.existing_log()?;
        Ok(Look { opened, log })
    }

    /// Looks.
    pub fn with<T>(&mut self, look: impl FnOnce(&mut Observer<'_>) -> T) -> T {
        let mut idle = waits;
        look(&mut Observer { log: &mut self.log, idle: &mut idle })
    }

    /// The beginnings and ends of one of the pipeline's own topics; none if it is not there.
    ///
    /// # Errors
    /// When the log fails.
    pub fn ends(&mut self, topic: &str) -> Result<Vec<PartitionEnds>, Failure> {
        Ok(self.with(|observer| observer.ends(topic))?)
    }

    /// How far the pipeline has come.
    ///
    /// # Errors
    /// When the log fails.
    pub fn standing(&mut self) -> Result<Standing, Failure> {
        let (state, control) = (self.opened.topic("state"), self.opened.topic("control"));
        let newest = self.with(|observer| observer.newest(&state))?;
        let pipeline = newest.as_ref().and_then(restored);
        let mut fold = newest.as_ref().map(|n| n.manifest.control.clone()).unwrap_or_default();
        if let Some(ends) = self.ends(&control)?.first().copied() {
            let from = fold.next.max(ends.earliest);
            self.with(|observer| {
                observer.each(&control, 0, from, ends.stable.max(from), |record| {
                    fold.fold(record.offset, record.value.unwrap_or_default());
                })
            })?;
        }
        Ok(Standing { newest, pipeline, fold })
    }

    /// Who wrote the newest TERM, if that can still be read.
    ///
    /// # Errors
    /// When the log fails.
    pub fn writer(&mut self, fold: &Fold) -> Result<Option<Writer>, Failure> {
        let control = self.opened.topic("control");
        let earliest = self.ends(&control)?.first().map_or(0, |ends| ends.earliest);
        let Some(offset) = fold.term.checked_sub(1).filter(|offset| *offset >= earliest) else {
            return Ok(None);
        };
        let batch = self.with(|observer| observer.record(&control, 0, offset))?;
        let Some(batch) = batch else { return Ok(None) };
        let record = batch.get(0);
        Ok(match record.value.and_then(Control::decode) {
            Some(Control::Term { by }) => Some(Writer { term: fold.term, by, since: record.time }),
            _ => None,
        })
    }

    /// Every version that can still be read.
    ///
    /// # Errors
    /// When the log fails.
    pub fn published(&mut self) -> Result<Published, Failure> {
        let (topic, mut published) = (self.opened.topic("models"), Published::default());
        self.with(|observer| observer.published(&topic, &mut published))?;
        Ok(published)
    }

    /// Appends a request to control.
    ///
    /// # Errors
    /// When the pipeline never ran, or the log fails.
    pub fn ask(&mut self, ask: Decision) -> Result<u64, Failure> {
        let control = self.opened.topic("control");
        if self.ends(&control)?.is_empty() {
            return Err(self.never_ran());
        }
        let (by, now) = (who(), clock::now());
        Ok(self.with(|observer| observer.ask(&control, ask, &by, now))?)
    }

    /// The failure where nothing is known of what was learned: it has not begun, or nothing of it
    /// was kept yet.
    pub fn nothing_kept(&mut self) -> Failure {
        let control = self.opened.topic("control");
        match self.ends(&control) {
            Ok(ends) if ends.first().is_some_and(|ends| ends.stable > 0) => {
                let name = &self.opened.spec.name;
                Failure::Failed(anyhow::anyhow!(
                    "{name} has begun to learn, and nothing of it was kept yet: \
                     ask again in a moment"
                ))
            }
            Ok(_) => self.never_ran(),
            Err(failure) => failure,
        }
    }

    /// The failure for a pipeline that has no topics yet.
    pub fn never_ran(&self) -> Failure {
        let (name, run) = (&self.opened.spec.name, self.opened.command("run", ""));
        Failure::Failed(anyhow::anyhow!("{name} has not run yet: {run}"))
    }
}

/// Who this is, for people who read control.
pub fn who() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "localhost".into());
    format!("alluvium {} pid {} on {host}", env!("CARGO_PKG_VERSION"), std::process::id())
}

/// The pipeline as a manifest holds it.
fn restored(newest: &Newest) -> Option<Result<Pipeline, String>> {
    let settings = newest.manifest.settings.as_ref()?;
    Some(Pipeline::build(settings).map_err(|error| error.to_string()).and_then(|mut pipeline| {
        pipeline.restore(&newest.sections).map_err(|error| error.to_string())?;
        Ok(pipeline)
    }))
}

impl Standing {
    /// The pipeline as the newest manifest holds it, if there is one that can be built.
    pub fn pipeline(&self) -> Option<&Pipeline> {
        self.pipeline.as_ref()?.as_ref().ok()
    }

    /// How what is learned differs between the file and the newest manifest.
    pub fn change(&self, opened: &Opened) -> Change {
        let Some(pipeline) = self.pipeline() else { return Change::Nothing };
        let (current, wanted) = (pipeline.settings(), &opened.settings);
        if current.learned == wanted.learned && current.kernel == wanted.kernel {
            return Change::Nothing;
        }
        let compared = || {
            let joins = Joins::between(current, wanted)?;
            let base = joins.adoptable(current, wanted)?;
            if let Some(why) = joins.unfit(wanted)? {
                return Err(why);
            }
            Ok((joins, base))
        };
        match compared() {
            Err(why) => Change::Unfit(why),
            Ok((joins, base))
                if base.learned == current.learned && base.kernel == current.kernel =>
            {
                Change::Joins(joins)
            }
            Ok((_, base)) => match pipeline.could_adopt(&base) {
                Ok(()) => Change::Adopts(base),
                Err(why) => Change::Unfit(why),
            },
        }
    }

    /// Whether the next run halts, since what is learned was changed.
    pub fn is_changed(&self, opened: &Opened) -> bool {
        matches!(self.change(opened), Change::Adopts(_) | Change::Unfit(_))
    }

    /// How what was learned fits what the file says.
    pub fn fit(&self, opened: &Opened) -> Fit {
        match (self.change(opened), self.pipeline()) {
            (Change::Unfit(_) | Change::Joins(_), Some(pipeline)) => {
                Fit::from_here(pipeline, &opened.settings)
            }
            _ => Fit::Whole,
        }
    }

    /// The halt that keeps it from going on: the one control tells of, unless it was answered
    /// since; or the one that the next run will come to.
    pub fn halted(&self, opened: &Opened) -> Option<Stopped> {
        let is_changed = self.is_changed(opened);
        if is_changed && self.is_asked(&opened.settings) {
            return None;
        }
        let told = self.fold.halted.clone().filter(|told| match told.kind.as_str() {
            // What joins may have found that its past has expired.
            "changed" => !matches!(self.change(opened), Change::Nothing) || self.pipeline.is_none(),
            _ => true,
        });
        told.or_else(|| {
            let why = "what is learned was changed in the pipeline file".to_string();
            let (term, time, kind) = (self.fold.term, 0, "changed".to_string());
            is_changed.then_some(Stopped { term, time, kind, why, unread: None })
        })
    }

    /// Whether somebody has asked to go on with these settings, and no writer has adopted that yet.
    pub fn is_asked(&self, settings: &Arc<Settings>) -> bool {
        let leads = |asked: &Arc<Settings>| Joins::lead_from(asked, settings);
        self.fold.requests.iter().any(|(_, ask)| ask.settings().is_some_and(leads))
    }
}

/// `MODEL` or `MODEL@VERSION`.
///
/// # Errors
/// When the version is no number from 1 on.
pub fn named_version(text: &str) -> Result<(&str, Option<u64>), Failure> {
    let Some((model, version)) = text.split_once('@') else { return Ok((text, None)) };
    match version.parse() {
        Ok(version) if version > 0 => Ok((model, Some(version))),
        _ => Err(Failure::Usage(format!("`{text}` is no version: write linear or linear@5"))),
    }
}

/// The version a call means.
///
/// # Errors
/// When there is none, with what there is.
pub fn find_version<'a>(published: &'a Published, text: &str) -> Result<&'a Version, Failure> {
    let (model, version) = named_version(text)?;
    published.version(model, version).ok_or_else(|| {
        let known: Vec<String> = published
            .versions()
            .iter()
            .filter(|known| {
                published.versions().iter().all(|v| v.model != model) || known.model == model
            })
            .map(|known| format!("{}@{}", known.model, known.version))
            .collect();
        let known = match known.as_slice() {
            [] => "no version was published yet".to_string(),
            known => format!("there are {}", known.join(", ")),
        };
        Failure::Usage(format!("there is no version {text}: {known}"))
    })
}
