//! Reads whole topics.

use std::{thread, time::Duration};

use alluvium_flow::Record;
use alluvium_ledger::{log::Log, read::Observer};

/// Hands every record of a topic to a function.
pub(crate) fn each_record(log: &mut dyn Log, topic: &str, mut see: impl FnMut(u32, Record<'_>)) {
    let ends = log.ends(topic).unwrap().unwrap();
    let mut idle = |_| {
        thread::sleep(Duration::from_millis(1));
        true
    };
    let mut observer = Observer { log, idle: &mut idle };
    for (partition, ends) in (0..).zip(&ends.partitions) {
        let see = |record: Record<'_>| see(partition, record);
        observer.each(topic, partition, ends.earliest, ends.stable, see).unwrap();
    }
}
