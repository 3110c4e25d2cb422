//! What holds every log to the same promises.

pub mod conformance;
