//! The feature steps: one line each.

use crate::{FeatureStep, Scope, family::family};

mod blocks;
mod by_key;
mod shared;

family! {
    /// A feature step and its settings.
    StepConfig of dyn FeatureStep via crate::StepComponent, built with &mut Scope<'_>; {
        clip::Clip,
        cross::Cross,
        difference::Difference,
        hash::Hash,
        impute::Impute,
        lag::Lag,
        log1p::Log1p,
        min_max::MinMax,
        one_hot::OneHot,
        ratio::Ratio,
        standardize::Standardize,
        window::Window,
    }
    also reads -> Vec<String>
}
