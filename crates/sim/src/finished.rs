//! Finished topics: whatever happens on the way, the same models come of them.

use crate::{Kind, Stats, oracle, play::Play, run::judge};

/// Plays two histories over the same inputs.
pub(crate) fn pair(seed: u64) -> Result<Stats, String> {
    let mut stats = Stats::default();
    let mut digests = Vec::new();
    for history in 0..2 {
        let mut play = Play::new(seed, 2 * seed + 1_000_000 + history, Kind::Finished);
        play.go()?;
        stats.add(&judge(&mut play)?);
        let reference = oracle::reference(&play.log.world(), &play.scene);
        digests.push((reference.digests, reference.versions));
    }
    if digests[0] != digests[1] {
        return Err(format!("two histories: {:?} and {:?}", digests[0], digests[1]));
    }
    Ok(stats)
}
