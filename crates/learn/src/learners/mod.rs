//! The learners: one line each.

use crate::{Learner, Shape, family::family};

mod deviations;
mod linear;
mod rule;

pub use rule::{Alone, Rule};

family! {
    /// A learner and its settings.
    LearnerConfig of dyn Learner via crate::Component, built with &Shape; {
        cusum::Cusum,
        ewma::Ewma,
        hoeffding_tree::HoeffdingTree,
        k_means::KMeans,
        linear_regression::LinearRegression,
        logistic_regression::LogisticRegression,
        majority::Majority,
        mean::Mean,
        no_change::NoChange,
        robust_z::RobustZ,
    }
}
