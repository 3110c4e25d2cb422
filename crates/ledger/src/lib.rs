//! Order, terms, manifests and versions: keeps a pipeline and a log in step, whatever dies.
//!
//! No Kafka, no HTTP, no thread, no clock.

pub mod bugs;
pub mod control;
pub mod keeper;
pub mod log;
pub mod manifest;
pub mod read;
pub mod state;
pub mod versions;
