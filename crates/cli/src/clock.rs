//! The one place that knows what time it is.

use std::time::{SystemTime, UNIX_EPOCH};

use alluvium_learn::Time;

/// Now, in milliseconds since 1970.
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as Time
}
