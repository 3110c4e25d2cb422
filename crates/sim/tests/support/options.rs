//! Settings of a keeper as the cases begin with them.

use std::sync::Arc;

use alluvium_flow::Settings;
use alluvium_ledger::keeper::Options;

/// A keeper of the pipeline `p` that goes to the end, without waits.
pub(crate) fn options(settings: &Arc<Settings>) -> Options {
    Options {
        prefix: "p.".into(),
        by: "a test".into(),
        settings: settings.clone(),
        follow: false,
        cut_records_max: 100,
        snapshot_steps: 1000,
        snapshot_ms: 1_000_000,
        buffer_bytes: 1 << 20,
        waiting_bytes: 1 << 20,
        cut_ms: 0,
        retry_ms: 1,
        tick_ms: None,
        refused_share_max: 1.0,
    }
}
