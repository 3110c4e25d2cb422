//! Planted mistakes are found: `cargo test -p alluvium-sim --features planted --test planted`.
#![cfg(feature = "planted")]
#![allow(clippy::print_stdout)]

use alluvium_sim::{Bug, Kind, run};

/// The most seeds a mistake may take to be found.
const SEEDS_MAX: u64 = 2_000;

#[test]
fn planted_bugs_are_caught() {
    std::panic::set_hook(Box::new(|_| {}));
    let mut missed = Vec::new();
    for bug in Bug::ALL {
        let kinds =
            [Kind::Base, Kind::Small, Kind::Heavy, Kind::Finished, Kind::Joining, Kind::Labels];
        let found = (0..SEEDS_MAX).find_map(|number| {
            let kind = kinds[(number % 6) as usize];
            run(number / 6, kind, Some(bug)).err().map(|failure| (number, failure))
        });
        match found {
            Some((number, failure)) => println!("{bug:?} after {}: {failure}", number + 1),
            None => missed.push(bug),
        }
    }
    drop(std::panic::take_hook());
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
