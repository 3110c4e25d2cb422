//! What keeps the repository in order: `cargo xtask ci`, `tidy`, `bless`, `sim`, `chaos`, `broker`,
//! `bench`, `fraud`.

mod bench;
mod bless;
mod broker;
mod ci;
mod code;
mod command;
mod fraud;
mod reference;
mod repository;
mod tidy;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// What keeps the repository in order.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

/// The tasks.
#[derive(Debug, Subcommand)]
enum Task {
    /// Everything that is checked before a commit; stops at the first failure.
    Ci,
    /// Formats every Rust file, also those that `cargo fmt` does not find.
    Format,
    /// The rules that no compiler knows.
    Tidy,
    /// Rewrites the golden files and the reference; read the difference in review.
    Bless,
    /// Learns the examples in a release build and for a newer processor: the same bytes?
    Digests,
    /// Runs the simulator over many seeds.
    Sim(Sim),
    /// Kills the binary at random moments, and compares with a run that nobody disturbed.
    Chaos(Chaos),
    /// The Kafka of the tests, for use by hand.
    Broker {
        #[command(subcommand)]
        call: broker::Call,
    },
    /// Makes the payments and chargebacks of the example `examples/fraud`.
    Fraud(fraud::Call),
    /// Measures each stage, and the whole against Vowpal Wabbit and a bound.
    Bench {
        /// See `cargo xtask bench --help`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
}

/// Settings of `sim`.
#[derive(Debug, Args)]
struct Sim {
    /// How many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them.
    #[arg(long)]
    from: Option<u64>,
    /// Only this kind of run.
    #[arg(long)]
    kind: Option<String>,
    /// This one seed, with its trace.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Plant this bug, to see that it is found.
    #[arg(long)]
    bug: Option<String>,
}

/// Settings of `chaos`.
#[derive(Debug, Args)]
struct Chaos {
    /// How many kills.
    #[arg(long, default_value_t = 200)]
    kills: u64,
    /// The seed of the moments; another one kills at others.
    #[arg(long)]
    seed: Option<u64>,
    /// On a real Kafka, whose broker is killed now and then as well.
    #[arg(long)]
    kafka: bool,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Ci => ci::ci(),
        Task::Format => ci::format(false),
        Task::Tidy => tidy::tidy(),
        Task::Bless => bless::bless(),
        Task::Digests => ci::digests(),
        Task::Sim(call) => sim(&call),
        Task::Chaos(call) => chaos(&call),
        Task::Broker { call } => broker::run(&call),
        Task::Fraud(call) => fraud::run(&call),
        Task::Bench { rest } => bench::run(&rest),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// The simulator is an example of its crate, so that no binary of the product depends on it.
fn sim(call: &Sim) -> Result<(), String> {
    let mut given = vec!["run", "--release", "--package", "alluvium-sim", "--example", "sim"];
    if call.bug.is_some() {
        given.extend(["--features", "planted"]);
    }
    given.push("--");
    let (from, seeds) = match call.seed {
        Some(seed) => (Some(seed), 1),
        None => (call.from, call.seeds),
    };
    let (seeds, from) = (seeds.to_string(), from.map(|from| from.to_string()));
    given.extend(["--seeds", &seeds]);
    let settings = [("--from", &from), ("--kind", &call.kind), ("--bug", &call.bug)];
    for (name, value) in settings {
        given.extend(value.iter().flat_map(|value| [name, value.as_str()]));
    }
    if call.seed.is_some() {
        given.push("--trace");
    }
    command::cargo(&given).run()
}

/// The tests that kill, in release and with more kills.
fn chaos(call: &Chaos) -> Result<(), String> {
    let test = if call.kafka { "kafka" } else { "kill" };
    let given = ["test", "--release", "--package", "alluvium", "--test", test, "--", "--nocapture"];
    let mut command = command::cargo(&given).with("ALLUVIUM_KILLS", &call.kills.to_string());
    if let Some(seed) = call.seed {
        command = command.with("ALLUVIUM_SEED", &seed.to_string());
    }
    command.run()
}
