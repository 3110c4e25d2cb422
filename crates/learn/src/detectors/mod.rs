//! The detectors: one line each.

use crate::{Detector, Shape, family::family};

family! {
    /// A detector and its settings.
    DetectorConfig of dyn Detector via crate::Component, built with &Shape; {
        adwin::Adwin,
        ddm::Ddm,
        page_hinkley::PageHinkley,
    }
}
