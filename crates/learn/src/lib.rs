//! Mathematics for streams: learners, feature steps, metrics and detectors.
//!
//! Nothing here knows of files, topics, clocks, threads or global randomness, and nothing fails
//! after it was built. The same calls in the same order give the same bytes on every machine.
//!
//! - [`learners`]: the [`Learner`]s.
//! - [`surround`]: what can surround any of them.
//! - [`steps`]: the [`FeatureStep`]s.
//! - [`metrics`]: the [`Metric`]s.
//! - [`detectors`]: the [`Detector`]s.
//! - [`judge`]: metrics over everything and over a sliding window.
#![warn(missing_docs)]

mod codec;
mod example;
mod family;
mod keyed;
pub mod math;
mod outcome;
mod ring;
mod robust;
mod row;
mod traits;
mod units;

pub mod detectors;
pub mod judge;
pub mod learners;
pub mod metrics;
pub mod steps;
pub mod surround;

pub use codec::{Reader, StateError, Writer};
pub use example::{
    Features, Label, LabelShape, Pair, Prediction, Shape, Slot, SlotKind, Task, Time,
};
pub use outcome::Outcome;
pub use row::{Ahead, Column, FeatureStep, Layout, Place, Row, Scope, StepComponent, Texts};
pub use traits::{
    Component, ConfigError, Detector, Fork, Learner, Metric, State, Verdict, check_count,
    check_number,
};
pub use units::{Bytes, Over, Span};
