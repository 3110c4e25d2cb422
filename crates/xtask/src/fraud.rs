//! `cargo xtask fraud`: makes the payments and chargebacks of the example.

use std::path::PathBuf;

use alluvium_fraud::Plan;
use clap::Args;

use crate::repository;

/// What to make.
#[derive(Debug, Args)]
pub(crate) struct Call {
    /// How many payments.
    #[arg(long, default_value_t = Plan::default().payments,
        value_parser = clap::value_parser!(u64).range(1000..=50_000_000))]
    payments: u64,
    /// Another seed, other payments.
    #[arg(long, default_value_t = Plan::default().seed)]
    seed: u64,
    /// How many cards. Left out: one for each 50 payments.
    #[arg(long)]
    cards: Option<u64>,
    /// Where to write. Left out: where the example looks for them.
    #[arg(long, value_name = "DIRECTORY")]
    out: Option<PathBuf>,
}

/// Writes the files, and says what is in them.
///
/// # Errors
/// When they cannot be written.
pub(crate) fn run(call: &Call) -> Result<(), String> {
    let to = call.out.clone().unwrap_or_else(|| repository::root().join("examples/fraud/data"));
    let plan = Plan { payments: call.payments, seed: call.seed, cards: call.cards };
    let made = alluvium_fraud::make(&plan);
    made.write(&to).map_err(|error| format!("{}: {error}", to.display()))?;
    eprint!("{}", made.truth.to_json());
    eprintln!("wrote payments.ndjson, chargebacks.ndjson and truth.json into {}", to.display());
    Ok(())
}
