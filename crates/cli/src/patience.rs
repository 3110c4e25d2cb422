//! Waiting for a log that cannot be reached for now: said once, tried again, as long as nobody asks
//! to stop.

use std::{thread, time::Duration};

use alluvium_ledger::log::LogError;

use crate::{screen::note, signals::Stop};

/// How long a log that fails is left alone.
const REST: Duration = Duration::from_secs(1);

/// Whether what failed may go well another time.
pub fn passes(error: &anyhow::Error) -> bool {
    let failed = error.downcast_ref::<LogError>();
    matches!(failed, Some(LogError::Unavailable(_) | LogError::SessionEnded(_)))
}

/// Tries something until it goes well; `None`: asked to stop before it did.
///
/// # Errors
/// What does not pass.
pub fn until<T>(
    stop: &Stop,
    mut tried: impl FnMut() -> anyhow::Result<T>,
) -> anyhow::Result<Option<T>> {
    let mut said = String::new();
    while !stop.is_asked() {
        let error = match tried() {
            Ok(done) => return Ok(Some(done)),
            Err(error) if passes(&error) => format!("{error:#}"),
            Err(error) => return Err(error),
        };
        if said != error {
            note(&format!("waiting: {error}"));
            said = error;
        }
        thread::sleep(REST);
    }
    Ok(None)
}
