//! What goes into the pipeline, one step after the other.

use std::{ops::Range, sync::Arc};

use alluvium_learn::Time;

use crate::{Batch, Decision, Sections, Settings, decode::Rows};

/// A run of records of one partition, in its order, decoded.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// Which input: an index into the pipeline's inputs.
    pub input: usize,
    /// The partition.
    pub partition: u32,
    /// The records.
    pub batch: &'a Batch,
    /// The same records, decoded.
    pub rows: &'a Rows,
    /// Which of them.
    pub range: Range<usize>,
}

/// What happens next in the order. Every one but [`Input::Publish`] is a step; a run is as many as
/// it has records.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// Records.
    Records(Run<'a>),
    /// Somebody decided.
    Decided(&'a Decision),
    /// Somebody decided what cannot be done, and why.
    Impossible(&'a str),
    /// It runs otherwise from here on; what is learned is the same.
    Settings(&'a Settings),
    /// Something joins that has learned the past by itself; all else that is learned stays.
    Join {
        /// The settings from here on.
        settings: &'a Arc<Settings>,
        /// The state of what has learned the past.
        past: &'a Sections,
    },
    /// It goes on as a pipeline of its own: versions are numbered anew, and published.
    Born,
    /// Time has passed without records.
    Tick(Time),
    /// A version of every model is published here.
    Publish,
}
