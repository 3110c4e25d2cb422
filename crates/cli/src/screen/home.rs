//! Whose pipeline it is: how its commands are typed, and where everything lies.

use std::path::PathBuf;

use super::{paint::Paint, words};
use crate::{args::Named, load, open::Opened, store::Place, typed};

/// What is said of a pipeline however it does.
#[derive(Clone, Debug)]
pub(super) struct Home {
    pub(super) name: String,
    file: PathBuf,
    named: Named,
    pub(super) place: Place,
    /// The topics that records come from.
    pub(super) topics: Vec<String>,
    /// The addresses without an end that records come from.
    pub(super) streams: Vec<String>,
    pub(super) watches_drift: Option<&'static str>,
}

impl Home {
    pub(super) fn of(opened: &Opened) -> Home {
        let spec = &opened.spec;
        let streams = spec.input.values().flat_map(|input| &input.load);
        Home {
            name: spec.name.clone(),
            file: opened.file.clone(),
            named: opened.named.clone(),
            place: opened.place.clone(),
            topics: spec.input.iter().map(|(name, input)| input.topic(name).into()).collect(),
            streams: streams.filter(|address| load::is_stream(address)).cloned().collect(),
            watches_drift: spec.judge.drift.as_ref().map(|drift| drift.name()),
        }
    }

    /// The file, as a shell takes it.
    pub(super) fn file(&self) -> String {
        words::path(&self.file)
    }

    /// A command about this pipeline, as it is typed.
    pub(super) fn command(&self, verb: &str, rest: &str) -> String {
        typed::command(verb, &self.file, rest, &self.named)
    }

    /// The first line.
    pub(super) fn head(&self, paint: Paint) -> String {
        let version = env!("CARGO_PKG_VERSION");
        let (place, name) = (self.place.to_string(), paint.bold(&self.name));
        format!("{}  {name}   {}", paint.dim(&format!("alluvium {version}")), paint.dim(&place))
    }

    /// What is missing when there is nothing to learn.
    pub(super) fn empty(&self) -> String {
        if !self.streams.is_empty() {
            return format!("nothing has come from {} yet", words::listed(&self.streams));
        }
        let load = self.command("load", "SOURCE");
        match self.topics.as_slice() {
            [topic] => format!("topic {topic} is empty: {load}"),
            topics => format!("topics {} are empty: {load} --input NAME", words::listed(topics)),
        }
    }
}
