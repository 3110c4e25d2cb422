//! The order of records across partitions, inside a cut.
//!
//! A merge of heads, never a sort: a partition's own order stays. Each record has a key that
//! depends on its partition alone: the greatest, so far, of the lesser of two neighbouring event
//! times. One record from the year 2099 therefore moves nothing; two in a row must agree. Event
//! times and not the log's, since whoever loads two topics one after the other stamps all records
//! of the second after those of the first. A record that was refused has no time that means
//! anything: it goes where its partition stands, and moves nothing.
//! Equal keys: features before labels, then the input's name, then the partition.

use alluvium_learn::{Reader, StateError, Time, Writer};

/// Where a partition stands in the merge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderKey {
    newest: Option<(Time, Time)>,
}

impl OrderKey {
    /// The key of the next record, by its event time; `None` where it was refused: the present
    /// key, and before the first record that was not, the least there is.
    pub fn of(&self, time: Option<Time>) -> Time {
        match (self.newest, time) {
            (None, time) => time.unwrap_or(Time::MIN),
            (Some((key, last)), Some(time)) => key.max(time.min(last)),
            (Some((key, _)), None) => key,
        }
    }

    /// Takes the next record; one that was refused changes nothing.
    pub fn take(&mut self, time: Option<Time>) {
        if let Some(time) = time {
            self.newest = Some((self.of(Some(time)), time));
        }
    }

    /// Writes it.
    pub fn save(&self, to: &mut Writer) {
        to.bool(self.newest.is_some());
        if let Some((key, last)) = self.newest {
            to.i64(key);
            to.i64(last);
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// When the bytes end too early.
    pub fn read(from: &mut Reader<'_>) -> Result<OrderKey, StateError> {
        let newest = if from.bool()? { Some((from.i64()?, from.i64()?)) } else { None };
        Ok(OrderKey { newest })
    }
}

/// A partition's place among those with the same key: lower goes first.
pub type Rank = u32;

/// The partition whose head is next, and the key and rank of the one after it: the first may go on
/// as long as its keys stay below.
pub fn first_and_second(
    heads: impl Iterator<Item = (usize, Time, Rank)>,
) -> Option<(usize, Option<(Time, Rank)>)> {
    let mut first: Option<(Time, Rank, usize)> = None;
    let mut second: Option<(Time, Rank)> = None;
    for (index, key, rank) in heads {
        match first {
            Some((k, r, _)) if (k, r) <= (key, rank) => {
                if second.is_none_or(|s| (key, rank) < s) {
                    second = Some((key, rank));
                }
            }
            _ => {
                second = first.map(|(k, r, _)| (k, r)).or(second);
                first = Some((key, rank, index));
            }
        }
    }
    first.map(|(_, _, index)| (index, second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wild_timestamp_moves_nothing() {
        let mut key = OrderKey::default();
        let keys: Vec<Time> = [10, 11, 9_999, 12, 13]
            .into_iter()
            .map(|time| {
                let of = key.of(Some(time));
                key.take(Some(time));
                of
            })
            .collect();
        assert_eq!(keys, [10, 10, 11, 12, 12]);
    }

    #[test]
    fn a_refused_record_goes_where_its_partition_stands_and_moves_nothing() {
        let mut key = OrderKey::default();
        let mut bare = OrderKey::default();
        let times = [None, Some(10), None, Some(12), None, None, Some(11)];
        let keys = times.map(|time| {
            let of = key.of(time);
            key.take(time);
            of
        });
        assert_eq!(keys, [Time::MIN, 10, 10, 10, 10, 10, 11]);
        times.into_iter().flatten().for_each(|time| bare.take(Some(time)));
        assert_eq!(key, bare);
    }

    #[test]
    fn two_wild_timestamps_in_a_row_agree() {
        let mut key = OrderKey::default();
        for time in [10, 9_999, 9_999] {
            key.take(Some(time));
        }
        assert_eq!(key.of(Some(12)), 9_999);
    }

    #[test]
    fn the_second_bounds_the_run_of_the_first() {
        let heads = [(0, 5, 2), (1, 5, 1), (2, 3, 0), (3, 4, 9)];
        assert_eq!(first_and_second(heads.into_iter()), Some((2, Some((4, 9)))));
        assert_eq!(first_and_second([(7, 1, 1)].into_iter()), Some((7, None)));
        assert_eq!(first_and_second([(0, 5, 1), (1, 5, 0)].into_iter()), Some((1, Some((5, 1)))));
    }
}
