//! Records that land one by one.

use alluvium_flow::Headers;
use alluvium_ledger::log::{Log, Outgoing};
use alluvium_sim::VirtualLog;

/// Appends a record to partition 0.
pub(crate) fn append(log: &mut VirtualLog, topic: &str, value: &[u8]) {
    let mut appender = log.appender().unwrap();
    let route = appender.route(topic, 0).unwrap();
    let headers = Headers::default();
    appender.submit(route, Outgoing { time: 0, key: None, value: Some(value), headers });
    appender.poll(&mut Vec::new()).unwrap();
}
