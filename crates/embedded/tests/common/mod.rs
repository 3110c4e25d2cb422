//! Appending and reading in a few words.
#![allow(dead_code, clippy::unwrap_used)]

use std::{process::Command, thread};

use alluvium_flow::{Batch, Headers};
use alluvium_ledger::log::{Appender, Log, LogError, Outgoing, Policy, Polled, Route, Span};

pub(crate) const KEEP: Policy = Policy::Delete { retention_ms: None };

pub(crate) fn outgoing<'a>(key: &'a [u8], value: &'a [u8]) -> Outgoing<'a> {
    Outgoing { time: 0, key: Some(key), value: Some(value), headers: Headers::default() }
}

/// Polls until everything submitted up to a ticket on a route is acknowledged; gives its offset.
pub(crate) fn settle(
    appender: &mut dyn Appender,
    route: Route,
    ticket: u64,
) -> Result<u64, LogError> {
    let mut settled = Vec::new();
    loop {
        appender.poll(&mut settled)?;
        let found = settled.iter().find(|one| one.route == route && one.ticket >= ticket);
        if let Some(found) = found {
            return Ok(found.offset);
        }
        thread::yield_now();
    }
}

/// Appends values in one commit; gives the last one's offset.
pub(crate) fn append(log: &mut dyn Log, topic: &str, values: &[Vec<u8>]) -> Result<u64, LogError> {
    let mut appender = log.appender()?;
    let route = appender.route(topic, 0)?;
    let mut last = 0;
    for value in values {
        last = appender.submit(route, outgoing(b"key", value));
    }
    settle(&mut *appender, route, last)
}

/// Reads the values that are there now.
pub(crate) fn read(log: &mut dyn Log, topic: &str) -> Result<Vec<Vec<u8>>, LogError> {
    let span = Span { topic: topic.into(), partition: 0, from: 0, to: None };
    let mut reader = log.reader(&[span])?;
    let (mut batch, mut values) = (Batch::new(), Vec::new());
    while reader.poll(&mut batch)? == Polled::Records {
        values.extend(batch.iter().map(|record| record.value.unwrap_or_default().to_vec()));
    }
    Ok(values)
}

/// This very test binary, to run one of its tests as another process.
pub(crate) fn again(test: &str, role: &str, directory: &std::path::Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command.env("ALLUVIUM_ROLE", role).env("ALLUVIUM_DIRECTORY", directory);
    command
}

/// What this process was started for, and where.
pub(crate) fn role() -> Option<(String, std::path::PathBuf)> {
    Some((std::env::var("ALLUVIUM_ROLE").ok()?, std::env::var_os("ALLUVIUM_DIRECTORY")?.into()))
}
