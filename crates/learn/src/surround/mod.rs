//! What can surround any learner, and is a learner itself: its state holds the inner one's.
//!
//! They belong to the model and not to the learner, so each is written once and works for all.

mod by;
mod class_weight;
mod reset_on;

pub use by::ByKey;
pub use class_weight::ClassWeight;
pub use reset_on::ResetOn;
