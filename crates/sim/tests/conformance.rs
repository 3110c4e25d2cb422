//! The promises that every log keeps, kept by the virtual one.

use alluvium_ledger::log::Log;
use alluvium_sim::{
    Faults, VirtualLog,
    conformance::{Bench, CHECKS, suite},
};

#[test]
fn the_suite_passes_when_nothing_goes_wrong() {
    let log = VirtualLog::new(1, Faults::none());
    suite(&mut || Box::new(log.client()));
}

#[test]
fn the_suite_passes_when_everything_takes_its_time() {
    for seed in 0..2 {
        let log = VirtualLog::new(seed, Faults { batch_records_max: 2000, ..Faults::delays() });
        let mut make = || Box::new(log.client()) as Box<dyn Log>;
        for (_, check) in CHECKS {
            check(&mut Bench {
                make: &mut make,
                wait: &mut || log.turn_world(),
                polls_max: 1_000_000,
                prefix: "late".to_owned(),
            });
        }
    }
}
