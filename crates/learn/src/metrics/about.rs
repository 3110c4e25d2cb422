//! What a metric is called, and which way is better.

use crate::Component;

/// How a metric's figures are to be read. The same for all settings of an entry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct About {
    /// What people call it, in lower case: `log loss`.
    pub title: &'static str,
    /// Whether a larger figure is a better one.
    pub higher_is_better: bool,
    /// The least and the greatest figure there can be; infinite where there is no end.
    pub range: (f64, f64),
}

impl About {
    /// The figure of answers that are all right.
    pub const fn best(&self) -> f64 {
        if self.higher_is_better { self.range.1 } else { self.range.0 }
    }
}

/// An entry of the table of metrics: a component that says how its figures are to be read.
pub trait MetricComponent: Component {
    /// How its figures are to be read.
    const ABOUT: About;

    /// The same, as the table asks for it.
    fn about(_: &Self::Config) -> About {
        Self::ABOUT
    }
}
