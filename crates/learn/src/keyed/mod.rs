//! Something for each of many keys: bounded, and forgotten in one order on every machine.

mod keys;
mod lists;
mod queue;

pub(crate) use keys::{Keys, Limits};
pub(crate) use lists::{ITEMS_MAX, Lists};
