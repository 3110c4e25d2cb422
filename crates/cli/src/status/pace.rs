//! How fast a pipeline goes on, told from beside it: by its newest cuts, which say when the order
//! of how many records was settled. Nothing is learned before it was cut, and what was cut is
//! learned at once; so over some seconds the two go at the same pace.

use std::collections::BTreeMap;

use alluvium_learn::Time;
use alluvium_ledger::control::{At, Body, Control, Fold};

use crate::{failure::Failure, look::Look, screen::words, tell};

/// So many of control's newest records are read: no fewer than six seconds of cuts.
const RECORDS_MAX: u64 = 300;
/// Cuts that are so much older than the newest tell nothing of now.
const SPAN_MS: Time = 10_000;

/// The pace of the newest cuts of the newest writer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// By how much all positions have moved. Gaps that a log leaves between offsets count, too.
    pub(super) records: u64,
    /// In how long, by the writer's clock.
    pub(super) over_ms: u64,
    /// When the newest cut was made, by that clock.
    pub(super) newest: Time,
}

impl Pace {
    /// `None`: there are not enough cuts to say.
    pub(super) fn of(look: &mut Look, fold: &Fold) -> Result<Option<Pace>, Failure> {
        let control = look.opened.topic("control");
        let Some(ends) = look.ends(&control)?.first().copied() else { return Ok(None) };
        let from = fold.term.max(ends.stable.saturating_sub(RECORDS_MAX)).max(ends.earliest);
        let mut cuts = Cuts::default();
        if from < ends.stable {
            look.with(|observer| {
                observer.each(&control, 0, from, ends.stable, |record| {
                    cuts.take(fold.term, record.value.unwrap_or_default());
                })
            })?;
        }
        Ok(cuts.pace())
    }

    /// Records a second.
    pub(super) fn rate(&self) -> f64 {
        self.records as f64 * 1000.0 / self.over_ms.max(1) as f64
    }

    /// In words.
    pub(super) fn text(&self, now: Time) -> String {
        let (rate, over) = (words::rough(self.rate()), self.over_ms as f64 / 1000.0);
        let ago = tell::ago(now - self.newest);
        format!("{rate} records/s over the {over:.1} s up to the newest cut, {ago}")
    }
}

/// Cuts, as they were read.
#[derive(Default)]
struct Cuts {
    /// Where each partition was.
    at: BTreeMap<(String, u32), u64>,
    /// When each cut was made, and by how much positions moved with it.
    made: Vec<(Time, u64)>,
}

impl Cuts {
    fn take(&mut self, current: u64, bytes: &[u8]) {
        let Some(Control::Said { term, time, body, .. }) = Control::decode(bytes) else { return };
        if term != current {
            return;
        }
        match body {
            Body::Catchup { begins, .. } => self.begin(&begins),
            Body::Cut { begins, ends, .. } => {
                self.begin(&begins);
                let mut moved = 0;
                for At { input, partition, offset } in ends {
                    // Of one that is met for the first time nobody knows where it was.
                    let before = self.at.insert((input.to_string(), partition), offset);
                    moved += offset.saturating_sub(before.unwrap_or(offset));
                }
                self.made.push((time, moved));
            }
            Body::Settings(_) | Body::Join(_) | Body::Born(_) | Body::Tick { .. } => {}
        }
    }

    fn begin(&mut self, begins: &[At]) {
        for At { input, partition, offset } in begins {
            self.at.insert((input.to_string(), *partition), *offset);
        }
    }

    fn pace(&self) -> Option<Pace> {
        let newest = self.made.last()?.0;
        let recent = self.made.iter().position(|(time, _)| *time >= newest - SPAN_MS)?;
        // The first one's records came before its time.
        let ((first, _), later) = self.made[recent..].split_first()?;
        let over_ms = u64::try_from(newest - first).ok().filter(|over| *over > 0)?;
        let records = later.iter().map(|(_, moved)| moved).sum();
        Some(Pace { records, over_ms, newest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: u32, offset: u64) -> At {
        At { input: "x".into(), partition, offset }
    }

    fn cut(term: u64, time: Time, begins: Vec<At>, ends: Vec<At>) -> Vec<u8> {
        let body = Body::Cut { begins, ends, digest: String::new(), publish: false };
        Control::Said { term, seq: 1, adopts: 0, time, body }.encode()
    }

    fn pace(cuts: &[Vec<u8>]) -> Option<Pace> {
        let mut read = Cuts::default();
        cuts.iter().for_each(|bytes| read.take(3, bytes));
        read.pace()
    }

    #[test]
    fn the_pace_is_that_of_the_last_ten_seconds_of_cuts() {
        assert_eq!(pace(&[]), None);
        let one = cut(3, 50_000, vec![], vec![at(0, 1_000)]);
        assert_eq!(pace(std::slice::from_ref(&one)), None, "one alone says nothing");
        let zombie = cut(2, 50_500, vec![], vec![at(0, 9_000)]);
        let two = cut(3, 52_000, vec![at(1, 10)], vec![at(0, 1_300), at(1, 20)]);
        let expected = Pace { records: 310, over_ms: 2_000, newest: 52_000 };
        assert_eq!(expected.rate(), 155.0);
        assert_eq!(pace(&[one.clone(), zombie, two]), Some(expected));
        let late = cut(3, 90_000, vec![], vec![at(0, 2_000)]);
        let later = cut(3, 90_500, vec![], vec![at(0, 2_050)]);
        assert_eq!(pace(&[one, late.clone()]), None, "too long ago");
        let expected = Pace { records: 50, over_ms: 500, newest: 90_500 };
        assert_eq!(pace(&[late, later]), Some(expected));
    }
}
