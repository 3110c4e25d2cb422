//! Records, their order, and the pipeline that scores each record before it learns from it.
//!
//! Pure: no ports, no Kafka, no HTTP, no TOML, no clock.
#![warn(missing_docs)]

mod batch;
pub mod decode;
pub mod spec;

pub use batch::{Batch, HeaderIter, Headers, Meta, Record};
