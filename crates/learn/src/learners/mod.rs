//! The learners: one line each.

use crate::{Learner, Shape, family::family};

family! {
    /// A learner and its settings.
    LearnerConfig of dyn Learner via crate::Component, built with &Shape; {
        k_means::KMeans,
        majority::Majority,
        mean::Mean,
        no_change::NoChange,
    }
}
