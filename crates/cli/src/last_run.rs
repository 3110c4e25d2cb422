//! What is remembered of a pipeline's last run, beside an embedded log: for people; nothing depends
//! on it. On Kafka there is nothing beside the log, so nothing is remembered.

use std::{collections::BTreeMap, fs, io, path::Path};

use alluvium_learn::Time;
use serde::{Deserialize, Serialize};

use crate::store::Place;

/// The file's name, in the directory of the log.
const FILE: &str = "last-run.json";

/// The last run of a pipeline that learned something.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LastRun {
    /// When it ended, in milliseconds since 1970.
    pub ended: Time,
    /// How many records it read.
    pub records: u64,
    /// How many it read a second; `None` of a run that waited for records.
    pub records_per_second: Option<f64>,
}

type Runs = BTreeMap<String, LastRun>;

/// What is remembered; nothing where there is no file, or one that cannot be read.
pub fn read(place: &Place, pipeline: &str) -> Option<LastRun> {
    all(place.directory()?).remove(pipeline)
}

fn all(directory: &Path) -> Runs {
    let bytes = fs::read(directory.join(FILE)).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Remembers a run.
///
/// # Errors
/// When the file cannot be written; nothing else is lost.
pub fn write(place: &Place, pipeline: &str, run: LastRun) -> io::Result<()> {
    let Some(directory) = place.directory() else { return Ok(()) };
    let mut runs = all(directory);
    runs.insert(pipeline.into(), run);
    let mut bytes = serde_json::to_vec_pretty(&runs)?;
    bytes.push(b'\n');
    // Under another name first: who reads meanwhile sees the old file or the new one.
    let unfinished = directory.join(format!("{FILE}.{}", std::process::id()));
    fs::write(&unfinished, bytes)?;
    fs::rename(unfinished, directory.join(FILE))
}
