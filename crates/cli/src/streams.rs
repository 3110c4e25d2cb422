//! Sources without an end, each loaded by a thread of its own while a run learns.

use std::thread;

use crate::{
    load::{self, Loaded},
    open::Opened,
    signals::Stop,
    store::Store,
};

type Loading = thread::JoinHandle<anyhow::Result<Loaded>>;

/// The sources of a pipeline file that are read while it runs.
pub struct Streams {
    loading: Vec<Loading>,
    failed: Option<anyhow::Error>,
}

impl Streams {
    /// Begins to load them; `None`: the file names no such source.
    pub fn begin(opened: &Opened, log: &Store, stop: &Stop) -> Option<Streams> {
        let mut loading = Vec::new();
        for (name, input) in &opened.spec.input {
            for address in input.load.iter().filter(|address| load::is_stream(address)) {
                let (address, spec, name) = (address.clone(), opened.spec.clone(), name.clone());
                let (mut log, stop) = (log.clone(), stop.clone());
                let load = move || load::follow(&address, &spec, &name, &mut log, &stop);
                loading.push(thread::spawn(load));
            }
        }
        (!loading.is_empty()).then_some(Streams { loading, failed: None })
    }

    /// What those brought that have come to their end since the last call.
    pub fn take_ended(&mut self) -> Vec<Loaded> {
        let mut ended = Vec::new();
        while let Some(index) = self.loading.iter().position(Loading::is_finished) {
            match self.loading.swap_remove(index).join() {
                Ok(Ok(loaded)) => ended.push(loaded),
                Ok(Err(why)) => self.failed = self.failed.take().or(Some(why)),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        ended
    }

    /// Whether nothing more comes of any of them.
    pub fn are_over(&self) -> bool {
        self.loading.is_empty()
    }

    /// Whether one of them has failed.
    pub fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Why the first of those that failed did.
    pub fn failure(self) -> Option<anyhow::Error> {
        self.failed
    }
}
