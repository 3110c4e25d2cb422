//! The detectors: one line each.
