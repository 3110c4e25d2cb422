//! `cargo xtask bench --fraud`: the example with labels that come late, from its files to versions
//! and answers; written into `docs/benchmarks-fraud.md`. With `--kafka` from a broker as well.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use alluvium_broker::{Broker, Options};

use super::{Cost, Plan, Stage, cargo, cost_of, report, root, stages, target};

/// What was found by looking inside; written by hand.
const FOUND: &str = include_str!("found_of_fraud.md");

/// What each verb took, and each stage.
struct Measured {
    load: Cost,
    run: Cost,
    /// Records of both topics.
    records: u64,
    stages: Vec<Stage>,
}

/// Measures and writes the page.
///
/// # Errors
/// When a program cannot be built or run, or the broker does not start.
pub(super) fn run(plan: &Plan) -> Result<(), String> {
    let built = target().join("release");
    let build =
        ["build", "--release", "-p", "alluvium", "--bin", "alluvium", "--example", "stages"];
    cost_of(Command::new(cargo()).args(build))?;
    let bench = Bench { plan, built: &built, directory: plan.path("fraud") };
    let truth = bench.data()?;
    let mut page = String::from(
        "# Benchmarks: labels that come late\n\n\
         Written by `cargo xtask bench --fraud --kafka`; do not edit. The \
         [example](../examples/fraud/README.md) whole: payments and chargebacks from their files \
         into two topics of three and two partitions, one order by event time, windows by card, \
         two models, and each payment kept until its label comes.\n\n",
    );
    report::about(&mut page, plan);
    report::line(&mut page, &format!("- In it: {truth}\n"));
    let embedded = bench.measured(None)?;
    section(&mut page, "From the embedded log", &embedded);
    if plan.kafka {
        let broker = Broker::start(Options::default()).map_err(|error| error.to_string())?;
        let measured = bench.measured(Some(&format!("kafka://{}", broker.servers())))?;
        section(&mut page, "From Kafka", &measured);
        report::line(
            &mut page,
            "One broker of one node, started for it: it shares the machine with all that is \
             measured, and its processor seconds are not counted.\n",
        );
    }
    page.push_str("## What the profile said\n\n");
    page.push_str(FOUND);
    let to = plan.to.with_file_name("benchmarks-fraud.md");
    fs::write(&to, page).map_err(|error| format!("{}: {error}", to.display()))?;
    eprintln!("wrote {}", to.display());
    Ok(())
}

struct Bench<'a> {
    plan: &'a Plan,
    built: &'a Path,
    directory: PathBuf,
}

impl Bench<'_> {
    /// Makes the data, and says what is in them.
    fn data(&self) -> Result<String, String> {
        let wrong = |error: std::io::Error| error.to_string();
        let payments = self.plan.rows.max(1000);
        let plan = alluvium_fraud::Plan { payments, ..alluvium_fraud::Plan::default() };
        eprintln!("making {payments} payments in {}", self.directory.display());
        let made = alluvium_fraud::make(&plan);
        made.write(&self.directory.join("data")).map_err(wrong)?;
        let file = root().join("examples/fraud/pipeline.toml");
        fs::copy(file, self.directory.join("pipeline.toml")).map_err(wrong)?;
        let truth = &made.truth;
        let [payments, chargebacks, fraud] =
            [truth.payments, truth.chargebacks, truth.fraud].map(|n| report::thousands(n as f64));
        Ok(format!("{payments} payments, {chargebacks} chargebacks, {fraud} frauds"))
    }

    /// Loads and runs as often as the plan says, and measures the stages of the last log.
    fn measured(&self, log: Option<&str>) -> Result<Measured, String> {
        let mut best: Option<(Cost, Cost)> = None;
        for round in 1..=self.plan.rounds {
            eprintln!("round {round}: {}", log.unwrap_or("embedded log"));
            let (load, run) = self.round(log)?;
            best = Some(best.map_or((load, run), |(l, r)| (l.least(load), r.least(run))));
            if log.is_some() {
                // A broker's topics stay: a second load would find them filled.
                break;
            }
        }
        let (load, run) = best.ok_or("no round")?;
        let rounds = self.plan.rounds.to_string();
        let mut arguments = vec!["pipeline.toml", &*rounds];
        arguments.extend(log);
        let stages = stages(self.built, &self.directory, &arguments)?;
        let records = stages.iter().map(|stage| stage.records).max().unwrap_or_default();
        Ok(Measured { load, run, records, stages })
    }

    /// From the files, once.
    fn round(&self, log: Option<&str>) -> Result<(Cost, Cost), String> {
        let left = self.directory.join("alluvium");
        if log.is_none() && left.exists() {
            fs::remove_dir_all(&left).map_err(|error| error.to_string())?;
        }
        let mut load: Option<Cost> = None;
        for input in ["payments", "chargebacks"] {
            let cost = self.cost(&["load", "pipeline.toml", "--input", input], log)?;
            load = Some(load.map_or(cost, |before| before.and(cost)));
        }
        let run = self.cost(&["run", "pipeline.toml", "--json"], log)?;
        Ok((load.ok_or("nothing was loaded")?, run))
    }

    fn cost(&self, arguments: &[&str], log: Option<&str>) -> Result<Cost, String> {
        let mut command = Command::new(self.built.join("alluvium"));
        command.current_dir(&self.directory).args(arguments).stdin(Stdio::null());
        if let Some(log) = log {
            command.args(["--log", log]);
        }
        cost_of(&mut command)
    }
}

fn section(page: &mut String, title: &str, measured: &Measured) {
    let Measured { load, run, records, stages } = measured;
    report::line(page, &format!("## {title}\n"));
    report::line(
        page,
        "| | seconds | processor seconds | records a second | records a processor second |",
    );
    report::line(page, "|---|---:|---:|---:|---:|");
    for (name, cost) in [
        ("`alluvium load`: both files into the log", *load),
        ("`alluvium run`: log to models, answers, versions", *run),
        ("both", load.and(*run)),
    ] {
        report::line(page, &format!("| {name} {}", report::cells(cost, *records)));
    }
    if let Some(cpu) = run.cpu {
        let million = cpu * 1e6 / *records as f64;
        let says = format!("\nThe run takes {million:.1} processor seconds a million records.\n");
        report::line(page, &says);
    }
    report::line(
        page,
        "Each stage with all before it. Up to the digest the topics are only read; from then on it \
         is a whole run, with nothing but the majority as a learner, then with the steps, then with \
         the models.\n",
    );
    report::stages_rows(page, stages);
}
