//! What is written of an example that waits, of a label without one, and of an id that is settled.

use alluvium_learn::{Reader, Time, Writer};

/// What every example that waits has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Head {
    pub(crate) id: u64,
    /// When it has waited in vain.
    pub(crate) due: Time,
    /// Its event time.
    pub(crate) time: Time,
    /// The newest label as it was when it was answered; NaN for none.
    pub(crate) before: f64,
}

/// A label without an example.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Parked {
    pub(crate) id: u64,
    pub(crate) label: f64,
    pub(super) due: Time,
    pub(crate) partition: u32,
    pub(crate) offset: u64,
}

/// An id that is known for a while.
pub(super) struct Settled {
    pub(super) id: u64,
    pub(super) until: Time,
    pub(super) row: u64,
    pub(super) label: Option<f64>,
}

pub(super) fn write_head(head: &Head, to: &mut Writer) {
    to.u64(head.id);
    to.i64(head.due);
    to.i64(head.time);
    to.f64(head.before);
}

pub(super) fn read_head(row: &[u8]) -> Option<(Head, &[u8])> {
    let mut from = Reader::new(row);
    let (id, due, time) = (from.u64().ok()?, from.i64().ok()?, from.i64().ok()?);
    let before = from.f64().ok()?;
    Some((Head { id, due, time, before }, &row[row.len() - from.left()..]))
}

pub(super) fn read_parked(row: &[u8]) -> Option<Parked> {
    let mut from = Reader::new(row);
    Some(Parked {
        id: from.u64().ok()?,
        label: from.f64().ok()?,
        due: from.i64().ok()?,
        partition: from.u32().ok()?,
        offset: from.u64().ok()?,
    })
}

pub(super) fn read_settled(row: &[u8]) -> Option<Settled> {
    let mut from = Reader::new(row);
    let (id, until, row) = (from.u64().ok()?, from.i64().ok()?, from.u64().ok()?);
    Some(Settled { id, until, row, label: from.option_f64().ok()? })
}
