//! What holds every log, and every keeper on it, to the same promises.
//!
//! [`conformance`] are checks that run over any log. [`VirtualLog`] is a log that lies within its
//! rights, and [`run`] plays two or three keepers against each other on it, lets them pause, die
//! and believe in leases they have lost, and then holds every version, manifest and output to what
//! a plain loop makes of the same log.

pub mod conformance;
mod finished;
mod log;
mod oracle;
mod play;
mod random;
mod reference;
mod run;
mod scene;

pub use alluvium_ledger::bugs::Bug;
pub use finished::boundaries;
pub use log::{Faults, VirtualLog};
pub use random::Random;
pub use run::{Bugs, Failure, Kind, Stats, run, trace};
