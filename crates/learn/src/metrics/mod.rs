//! The metrics: one line each.

use crate::{Metric, Shape, family::family};

family! {
    /// A metric and its settings.
    MetricConfig of dyn Metric via crate::Component, built with &Shape; {
        accuracy::Accuracy,
    }
}
