//! The promises that every log keeps, kept by Kafka.

mod common;

use std::{thread, time::Duration};

use alluvium_kafka::KafkaLog;
use alluvium_ledger::log::Log;
use alluvium_sim::conformance::{Bench, CHECKS};

/// Once with a client for each maker, as processes have, and once with clones of one.
#[test]
fn the_suite_passes() {
    let broker = common::broker();
    check("alone", &mut || Box::new(common::log(&broker)));
    let shared = common::log(&broker);
    check("cloned", &mut || Box::new(KafkaLog::clone(&shared)));
}

fn check(prefix: &str, make: &mut dyn FnMut() -> Box<dyn Log>) {
    for (name, check) in CHECKS {
        eprintln!("{prefix}: {name}");
        check(&mut Bench {
            make,
            wait: &mut || thread::sleep(Duration::from_millis(1)),
            polls_max: common::PATIENCE.as_millis() as u64,
            prefix: prefix.to_owned(),
        });
    }
}
