//! Finished topics: whatever happens on the way, the same models come of them.

use std::collections::BTreeMap;

use alluvium_ledger::keeper::Options;

use crate::{
    Faults, Kind, Random, Stats, oracle,
    play::Play,
    random::mix,
    reference::{Expected, Reference},
    run::{judge, one},
    scene::PREFIX,
};

/// Plays two histories over the same inputs.
pub(crate) fn pair(seed: u64, lines: &mut Vec<String>, tell: bool) -> Result<Stats, String> {
    let mut stats = Stats::default();
    let mut digests = Vec::new();
    for history in 0..2 {
        let mut play = Play::new(seed, 2 * seed + 1_000_000 + history, Kind::Finished);
        stats.add(&one(&mut play, lines, tell)?);
        let reference = oracle::reference(&play.log.world(), &play.scene);
        digests.push((reference.digests, reference.versions));
    }
    if digests[0] != digests[1] {
        return Err(format!("two histories: {:?} and {:?}", digests[0], digests[1]));
    }
    Ok(stats)
}

/// Learns one finished topic several times, with no fault at all, but with other batches, buffers,
/// cuts and turns each time: every version and every output is the same.
///
/// # Errors
/// What differs.
pub fn boundaries(seed: u64) -> Result<(), String> {
    let mut random = Random::new(mix(seed, 4));
    let before: Vec<u64> = (0..random.below(3)).map(|_| random.bits()).collect();
    let mut first: Option<(Options, Comparable)> = None;
    for _ in 0..4 {
        let faults = Faults {
            batch_records_max: [1, 3, 50][random.index(3)],
            stale: [0, 300][random.index(2)],
            gaps: 0,
            ..Faults::delays()
        };
        let mut play = Play::calm(seed, random.bits(), faults);
        for request in &before {
            let ask = play.scene.request(&mut Random::new(*request));
            play.request(ask);
        }
        let options = Options {
            prefix: PREFIX.into(),
            by: "boundaries".into(),
            settings: play.first_settings(),
            follow: false,
            cut_records_max: *random.pick(&[1, 2, 3, 7, 20, 1_000]),
            snapshot_steps: random.between(1, 40),
            snapshot_ms: 1_000_000,
            buffer_bytes: *random.pick(&[1, 150, 1_500, 1 << 20]),
            waiting_bytes: *random.pick(&[1, 500, 1 << 20]),
            cut_ms: 0,
            retry_ms: 1,
            tick_ms: None,
            refused_share_max: 1.0,
        };
        play.learn_all(options.clone())?;
        judge(&mut play)?;
        let found = Comparable::of(oracle::reference(&play.log.world(), &play.scene));
        match &first {
            None => first = Some((options, found)),
            Some((other, first)) if *first != found => {
                return Err(format!("{} with {options:?} and {other:?}", first.differs(&found)));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// What must be the same whatever the cuts were.
#[derive(PartialEq)]
struct Comparable {
    digests: Vec<Option<String>>,
    versions: BTreeMap<(std::sync::Arc<str>, u64), String>,
    /// Without headers: they name the cut.
    outputs: Vec<Expected>,
}

impl Comparable {
    fn of(reference: Reference) -> Comparable {
        let bare = |output: Expected| Expected { headers: Vec::new(), ..output };
        let outputs = reference.outputs.into_values().flatten().map(bare).collect();
        Comparable { digests: reference.digests, versions: reference.versions, outputs }
    }

    fn differs(&self, other: &Comparable) -> String {
        if self.digests != other.digests {
            return format!("models {:?} and {:?}", self.digests, other.digests);
        }
        if self.versions != other.versions {
            return format!("versions {:?} and {:?}", self.versions, other.versions);
        }
        let (ours, theirs) = (self.outputs.len(), other.outputs.len());
        let pairs = self.outputs.iter().zip(&other.outputs);
        let first = pairs.into_iter().find(|(one, two)| one != two);
        format!("{ours} and {theirs} outputs, the first that differ {first:?}")
    }
}
