//! The page.

use std::{fmt::Write, fs, process::Command};

use super::{
    Cost, Plan, Racer, Stage, data,
    kafka::{Delay, Peer},
};

pub(super) const BOUND_PARSE: &str = "C, reading the CSV alone";
pub(super) const BOUND: &str = "C, reading and FTRL: the bound";
pub(super) const VW: &str = "Vowpal Wabbit, no predictions written";
pub(super) const VW_PREDICTIONS: &str = "Vowpal Wabbit, predictions written";
pub(super) const LOAD: &str = "`alluvium load`: CSV into the log";
pub(super) const RUN: &str = "`alluvium run`: log to model, predictions, versions";
const BOTH: &str = "Alluvium, both: CSV to model, predictions, versions";

pub(super) const PLAIN_LOOP: &str = "a plain loop in Rust, answers and offsets in transactions";
pub(super) const PIPE: &str = "kcat into Vowpal Wabbit, no answers written";

/// What was found on Kafka; written by hand.
const FOUND_ON_KAFKA: &str = include_str!("found_on_kafka.md");

/// What was found by looking inside; written by hand.
const FOUND: &str = include_str!("found.md");

/// The whole page.
pub(super) fn page(plan: &Plan, racers: &[Racer], stages: &[Stage], best_loss: f64) -> String {
    let mut page = String::from(
        "# Benchmarks\n\n\
         Written by `cargo xtask bench`; do not edit. All programs ran in one go, in turns, and of \
         each the fastest round counts.\n\n",
    );
    about(&mut page, plan);
    w1(&mut page, plan, racers, best_loss);
    stages_table(&mut page, stages);
    page.push_str("## What the profiles said\n\n");
    page.push_str(FOUND);
    page
}

pub(super) fn about(page: &mut String, plan: &Plan) {
    let (rows, rounds) = (plan.rows, plan.rounds);
    line(page, &format!("- Date: {}", said("date", &["-u", "+%Y-%m-%d"])));
    line(page, &format!("- Machine: {}", machine()));
    line(page, &format!("- Built by: {}, release profile", said("rustc", &["--version"])));
    line(page, &format!("- Rounds: {rounds}, of {rows} rows\n"));
}

/// The page of what comes from a broker.
pub(super) fn kafka_page(
    plan: &Plan,
    stages: &[Stage],
    peers: &[Peer],
    delays: &[Delay],
    (rate, seconds): (u64, u64),
) -> String {
    let mut page = String::from(
        "# Benchmarks on Kafka\n\n\
         Written by `cargo xtask bench --kafka`; do not edit. One broker of one node, started for \
         it: it shares the machine with all that is measured, and its processor seconds are not \
         counted.\n\n",
    );
    about(&mut page, plan);
    line(&mut page, "## Stages\n");
    line(
        &mut page,
        "W1 from three partitions, read again and again with one stage more each time; all 20 \
         numbers standardized first and drift watched for. The raw read is what the same client \
         takes to hand over batches, and nothing else: the bound.\n",
    );
    stages_rows(&mut page, stages);
    if let (Some(raw), Some(whole)) = (stages.first(), stages.last()) {
        let times = whole.cost.cpu.zip(raw.cost.cpu).map(|(whole, raw)| whole / raw);
        let rate = thousands(whole.records as f64 / whole.cost.wall);
        let whole = format!("All of it takes {} times", optional(times, 1));
        line(
            &mut page,
            &format!(
                "{whole} the processor seconds of the raw read, at {rate} records a second.\n"
            ),
        );
    }
    line(&mut page, "## Others, on the same broker\n");
    line(&mut page, "| | seconds | processor seconds | rows a second | rows a processor second |");
    line(&mut page, "|---|---:|---:|---:|---:|");
    for name in [PLAIN_LOOP, PIPE] {
        let costs = peers.iter().filter(|peer| peer.name == name);
        let records = costs.clone().map(|peer| peer.records).max();
        let least = costs.map(|peer| peer.cost).reduce(Cost::least);
        match least.zip(records) {
            Some((cost, records)) => line(&mut page, &format!("| {name} {}", cells(cost, records))),
            None => line(&mut page, &format!("| {name} | not there | | | |")),
        }
    }
    line(
        &mut page,
        "\nThe plain loop (`crates/kafka/examples/plain_loop.rs`) keeps no versions and no state \
         beyond its process. kcat and Vowpal Wabbit write nothing back.\n",
    );
    line(&mut page, "## How long an answer takes\n");
    line(
        &mut page,
        &format!(
            "{} records a second for {seconds} seconds over three partitions, from the moment a \
             record is handed to the client to the moment its answer is read again.\n",
            thousands(rate as f64)
        ),
    );
    line(&mut page, "| answered by | answered | of | half within, ms | 99 of 100 within, ms |");
    line(&mut page, "|---|---:|---:|---:|---:|");
    for Delay { name, answered, sent, half, most } in delays {
        let [answered, sent] = [*answered, *sent].map(|count| thousands(count as f64));
        line(&mut page, &format!("| {name} | {answered} | {sent} | {half:.1} | {most:.1} |"));
    }
    page.push_str("\n## What was found\n\n");
    page.push_str(FOUND_ON_KAFKA);
    page
}

pub(super) fn line(page: &mut String, text: &str) {
    page.push_str(text);
    page.push('\n');
}

fn w1(page: &mut String, plan: &Plan, racers: &[Racer], best_loss: f64) {
    let features = data::FEATURES;
    line(page, "## W1: logistic regression from a CSV file\n");
    line(
        page,
        &format!(
            "{} rows of {features} numbers with four decimals and a yes or no; FTRL-Proximal with \
             alpha 0.1 and beta 1. The weights that made the data have a log loss of {best_loss:.6}.\
             \n",
            plan.rows
        ),
    );
    line(page, "| | seconds | processor seconds | rows a second | rows a processor second |");
    line(page, "|---|---:|---:|---:|---:|");
    let mut costs: Vec<(&str, Cost)> =
        racers.iter().filter_map(|racer| Some((racer.name, racer.cost?))).collect();
    let find = |costs: &[(&str, Cost)], name: &str| {
        costs.iter().find(|(known, _)| *known == name).map(|(_, cost)| *cost)
    };
    if let (Some(load), Some(run)) = (find(&costs, LOAD), find(&costs, RUN)) {
        costs.push((BOTH, load.and(run)));
    }
    for (name, cost) in &costs {
        line(page, &format!("| {name} {}", cells(*cost, plan.rows)));
    }
    page.push('\n');
    let Some(ours) = find(&costs, BOTH) else { return };
    line(
        page,
        "How many times as fast as each of the others, by the clock and by the processor:\n",
    );
    line(page, "| Alluvium, both, against | clock | processor |");
    line(page, "|---|---:|---:|");
    for name in [VW, VW_PREDICTIONS, BOUND] {
        match find(&costs, name) {
            Some(other) => {
                let cpu = other.cpu.zip(ours.cpu).map(|(other, ours)| other / ours);
                let ratio = other.wall / ours.wall;
                line(page, &format!("| {name} | {ratio:.2} | {} |", optional(cpu, 2)));
            }
            None => line(page, &format!("| {name} | not there | not there |")),
        }
    }
    line(
        page,
        "\nVowpal Wabbit reads its own text format and runs with `--onethread`, which is its \
         fastest on one core; the C program checks nothing and reads nothing but such a file. \
         Alluvium learns in one thread too, and its log writes in another one: by the clock they \
         overlap, by the processor they add up.\n",
    );
}

fn stages_table(page: &mut String, stages: &[Stage]) {
    line(page, "## Stages\n");
    line(
        page,
        "The same rows, now in the embedded log, read again and again with one stage more each \
         time; W1 with all 20 numbers standardized first and drift watched for. The distance to \
         the raw read is what the product costs.\n",
    );
    stages_rows(page, stages);
}

pub(super) fn stages_rows(page: &mut String, stages: &[Stage]) {
    line(page, "| | seconds | processor seconds | rows a second | ns a row more |");
    line(page, "|---|---:|---:|---:|---:|");
    let mut before = 0.0;
    for Stage { name, records, cost } in stages {
        let records = *records as f64;
        let Cost { wall, cpu } = *cost;
        let spent = cpu.unwrap_or(wall) * 1e9 / records;
        let rate = thousands(records / wall);
        let (cpu, more) = (optional(cpu, 3), spent - before);
        line(page, &format!("| {name} | {wall:.3} | {cpu} | {rate} | {more:.0} |"));
        before = spent;
    }
    page.push('\n');
}

pub(super) fn cells(cost: Cost, rows: u64) -> String {
    let rate = |seconds: f64| thousands(rows as f64 / seconds);
    let Cost { wall, cpu } = cost;
    let by_cpu = cpu.filter(|cpu| *cpu > 0.0).map_or_else(|| "-".into(), rate);
    format!("| {wall:.2} | {} | {} | {by_cpu} |", optional(cpu, 2), rate(wall))
}

fn optional(value: Option<f64>, places: usize) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.places$}"))
}

pub(super) fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// What a program prints in its one line.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string());
    text.unwrap_or_else(|_| "unknown".into())
}

/// The processor and its count, without any name of the machine.
fn machine() -> String {
    let about = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = about.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let count = std::thread::available_parallelism().map_or(0, usize::from);
    let mut shown = model.map_or("unknown processor", |(_, name)| name).to_string();
    if write!(shown, ", {count} threads, {} {}", std::env::consts::OS, std::env::consts::ARCH)
        .is_err()
    {
        return "unknown".into();
    }
    if let Some(load) = fs::read_to_string("/proc/loadavg").ok().as_deref().and_then(first_word) {
        shown.push_str(&format!("; {load} programs wanted to run at the end of it"));
    }
    shown
}

fn first_word(text: &str) -> Option<&str> {
    text.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(thousands(1_234_567.2), "1,234,567");
        assert_eq!(thousands(999.0), "999");
    }
}
