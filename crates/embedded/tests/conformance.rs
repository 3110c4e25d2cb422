//! The promises that every log keeps, kept by this one.

use alluvium_embedded::Embedded;
use alluvium_sim::conformance::{Bench, CHECKS, suite};

#[test]
fn the_suite_passes() {
    let directory = tempfile::tempdir().unwrap();
    suite(&mut || Box::new(Embedded::open(directory.path()).unwrap()));
}

/// Each check alone as well: what one leaves behind must not help another.
#[test]
fn each_check_passes_on_a_fresh_log() {
    for (name, check) in CHECKS {
        let directory = tempfile::tempdir().unwrap();
        eprintln!("{name}");
        check(&mut Bench {
            make: &mut || Box::new(Embedded::open(directory.path()).unwrap()),
            wait: &mut std::thread::yield_now,
            polls_max: 50_000_000,
            prefix: "alone".to_owned(),
        });
    }
}
