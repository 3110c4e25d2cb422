//! The feature steps: one line each.

use crate::{FeatureStep, Scope, family::family};

family! {
    /// A feature step and its settings.
    StepConfig of dyn FeatureStep via crate::StepComponent, built with &mut Scope<'_>; {
        standardize::Standardize,
    }
    also reads -> Vec<String>
}
