//! The metrics: one line each.

use crate::{Metric, Shape, family::family};

mod about;
mod classes;
mod ranking;
mod sums;

pub use about::{About, MetricComponent};

family! {
    /// A metric and its settings.
    MetricConfig of dyn Metric via crate::Component, built with &Shape; {
        accuracy::Accuracy,
        balanced_accuracy::BalancedAccuracy,
        f1::F1,
        log_loss::LogLoss,
        roc_auc::RocAuc,
        average_precision::AveragePrecision,
        precision_at::PrecisionAt,
        recall_at::RecallAt,
        kappa::Kappa,
        kappa_t::KappaT,
        mae::Mae,
        rmse::Rmse,
        r2::R2,
        sum_of_squares::SumOfSquares,
    }
    also about -> About, via crate::metrics::MetricComponent
}
