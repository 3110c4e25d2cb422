//! How runs are killed at random, and what they said before.

use std::process::Output;

use serde_json::Value;

use crate::left::Versions;

/// The versions that a run has printed.
pub(crate) fn printed(output: &Output) -> Versions {
    let mut found = Versions::new();
    // A killed run's last line may be cut off.
    let lines = output.stdout.split(|byte| *byte == b'\n');
    let events = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    for event in events.filter(|event| event["event"] == "version") {
        let model = event["model"].as_str().unwrap().to_string();
        let digest = event["state_digest"].as_str().unwrap().to_string();
        found.insert((model, event["version"].as_u64().unwrap()), digest);
    }
    found
}

/// The next of a stream of random bits (splitmix64).
pub(crate) fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = *state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

pub(crate) fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |value| value.parse().unwrap())
}
