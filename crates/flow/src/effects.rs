//! What a step of the pipeline brought forth, in reused buffers.

use std::sync::Arc;

use alluvium_learn::Time;

use crate::{Gap, Headers};

/// A topic of the pipeline's own that records go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutTopic {
    /// `p.predictions`.
    Predictions,
    /// `p.alarms`.
    Alarms,
    /// `p.dead-letters`.
    DeadLetters,
}

impl OutTopic {
    /// The last part of the topic's name.
    pub fn name(self) -> &'static str {
        match self {
            OutTopic::Predictions => "predictions",
            OutTopic::Alarms => "alarms",
            OutTopic::DeadLetters => "dead-letters",
        }
    }
}

/// Where in the order an output stands: an output is released once, by this key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutKey {
    /// The index in the merged order, decisions counted.
    pub step: u64,
    /// The place among the outputs of that step.
    pub ordinal: u32,
}

/// One output, as places in [`Effects::bytes`].
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// The topic.
    pub topic: OutTopic,
    /// Its partition.
    pub partition: u32,
    /// Where it stands.
    pub order: OutKey,
    /// The key, if there is one.
    pub key: Option<(u32, u32)>,
    /// The value.
    pub value: (u32, u32),
    /// The headers.
    pub headers: (u32, u32),
}

/// A record for the topic of versions. The same key always gets the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRecord {
    /// `v/<model>/<version>[/<page>]` or `alias/<name>/<term>`; of one alias the greatest step
    /// wins.
    pub key: String,
    /// `None`: the version was retired.
    pub value: Option<Vec<u8>>,
}

/// News for whoever watches.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// A version was published.
    Version {
        /// Of which model.
        model: Arc<str>,
        /// Its number.
        version: u64,
        /// Its identity.
        state_digest: String,
        /// The last record it has learned.
        at: String,
    },
    /// A detector saw a change.
    Alarm {
        /// Of which model.
        model: Arc<str>,
        /// Which detector.
        detector: &'static str,
        /// At which record.
        at: String,
        /// How many records had been read.
        records: u64,
    },
    /// The champion is another model or version.
    Champion {
        /// The model.
        model: Arc<str>,
        /// The version.
        version: Option<u64>,
    },
    /// What was learned was forgotten, as somebody had asked.
    Reset {
        /// Of which model; `None`: everything, steps included.
        model: Option<Arc<str>>,
    },
    /// Records were passed over, as somebody had asked.
    Skipped {
        /// Which.
        gap: Gap,
    },
    /// Models, or what they read, learned the past and are part of the pipeline from here on.
    Joined {
        /// Which.
        names: Vec<Arc<str>>,
        /// How many records had been read.
        records: u64,
    },
    /// A decision could not be carried out; nothing changed.
    Refused {
        /// Why.
        why: String,
    },
}

/// What a step brought forth. Cleared and used again.
#[derive(Debug, Default)]
pub struct Effects {
    /// The control offset of the cut that is being learned; goes into every output's headers.
    pub cut: u64,
    /// The term of the writer that learns it; goes into the keys of aliases, so that what a former
    /// writer still has under way can hide nothing.
    pub term: u64,
    /// When the control record that is being learned was written, by its writer's clock: the time
    /// at which what it decides takes effect, and what it publishes is live.
    pub time: Time,
    /// Whether that cut is part of a backlog that is being caught up with.
    pub backlog: bool,
    /// The share of refused records, among the newest, beyond which nothing more is learned: a run
    /// of records ends right behind the record that exceeds it. `None`: whatever comes is learned.
    pub refused_share_max: Option<f64>,
    /// The outputs, in their order.
    pub outputs: Vec<Output>,
    /// Their bytes.
    pub bytes: Vec<u8>,
    /// Records for the topic of versions, in their order.
    pub models: Vec<ModelRecord>,
    /// News.
    pub news: Vec<News>,
}

impl Effects {
    /// Forgets everything but the room it took.
    pub fn clear(&mut self) {
        self.outputs.clear();
        self.bytes.clear();
        self.models.clear();
        self.news.clear();
    }

    /// The bytes of a part.
    pub fn part(&self, (start, end): (u32, u32)) -> &[u8] {
        &self.bytes[start as usize..end as usize]
    }

    /// The headers of an output.
    pub fn headers(&self, output: &Output) -> Headers<'_> {
        Headers::new(self.part(output.headers))
    }
}
