//! `cargo xtask bench`: what each stage of a run costs, and what others cost on the same data, all
//! in one go; written into `docs/benchmarks.md`.
//!
//! W1 is logistic regression by FTRL-Proximal over 20 numbers a row, from a CSV file. It is run by
//! the program itself (versions and predictions on), by Vowpal Wabbit, and by a C program that does
//! nothing else, as a bound. The programs take turns, and of each the fastest round counts, so that
//! a machine that is busy now and then spoils nothing.
//!
//! `--fraud` measures the example with labels that come late instead, and `--kafka` from a broker.

mod data;
mod fraud;
mod kafka;
mod report;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

/// How it is called.
const USAGE: &str = "cargo xtask bench [--rows N] [--rounds N] [--peers DIRECTORY] [--vw PROGRAM] \
                     [--to FILE] [--fraud] [--kafka]";

/// The pipeline of W1.
const PIPELINE: &str = include_str!("bench/w1.toml");

/// The same with a feature step, for the table of stages.
const STAGES: &str = include_str!("bench/stages.toml");

/// What is measured, and where.
struct Plan {
    /// Rows of W1, or payments.
    rows: u64,
    /// How often each program runs.
    rounds: u32,
    /// Where the data and the log go; about 2 GB for two million rows.
    directory: PathBuf,
    /// Vowpal Wabbit's command.
    vw: String,
    /// The page to write.
    to: PathBuf,
    /// From a broker, instead of from a file.
    kafka: bool,
    /// The example with labels that come late, instead of W1.
    fraud: bool,
}

/// What a program took in its fastest round.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// Seconds on the clock.
    wall: f64,
    /// Seconds on processors, where the system says so.
    cpu: Option<f64>,
}

impl Cost {
    fn least(self, other: Cost) -> Cost {
        let cpu = self.cpu.zip(other.cpu).map(|(a, b)| a.min(b));
        Cost { wall: self.wall.min(other.wall), cpu }
    }

    fn and(self, other: Cost) -> Cost {
        let cpu = self.cpu.zip(other.cpu).map(|(a, b)| a + b);
        Cost { wall: self.wall + other.wall, cpu }
    }
}

/// One program of W1.
struct Racer {
    name: &'static str,
    command: Vec<String>,
    /// What to clear away before each round.
    fresh: Option<PathBuf>,
    cost: Option<Cost>,
}

/// One stage, as the program `stages` prints it.
struct Stage {
    name: String,
    records: u64,
    cost: Cost,
}

/// Measures and writes the page.
///
/// # Errors
/// When a program cannot be built or run.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let plan = Plan::of(arguments)?;
    fs::create_dir_all(&plan.directory).map_err(|error| error.to_string())?;
    if plan.fraud {
        return fraud::run(&plan);
    }
    if plan.kafka {
        return kafka::run(&plan);
    }
    let built = target().join("release");
    let build =
        ["build", "--release", "-p", "alluvium", "--bin", "alluvium", "--example", "stages"];
    cost_of(Command::new(cargo()).args(build))?;
    let best_loss = plan.data()?;
    let mut racers = plan.racers(&built);
    for round in 0..plan.rounds {
        for racer in &mut racers {
            eprintln!("round {}: {}", round + 1, racer.name);
            racer.race(&plan.directory)?;
        }
    }
    let stages = plan.stages(&built)?;
    let page = report::page(&plan, &racers, &stages, best_loss);
    if let Some(parent) = plan.to.parent() {
        fs::create_dir_all(parent).map_err(|error| error.to_string())?;
    }
    fs::write(&plan.to, page).map_err(|error| format!("{}: {error}", plan.to.display()))?;
    eprintln!("wrote {}", plan.to.display());
    Ok(())
}

impl Plan {
    fn of(arguments: &[String]) -> Result<Plan, String> {
        let root = root();
        // No rows: as many as suit what is measured.
        let mut plan = Plan {
            rows: 0,
            rounds: 3,
            directory: target().join("bench"),
            vw: "vw".into(),
            to: root.join("docs/benchmarks.md"),
            kafka: false,
            fraud: false,
        };
        let mut left = arguments.iter();
        while let Some(name) = left.next() {
            if let Some(wanted) = match name.as_str() {
                "--kafka" => Some(&mut plan.kafka),
                "--fraud" => Some(&mut plan.fraud),
                _ => None,
            } {
                *wanted = true;
                continue;
            }
            let value = left.next().ok_or(USAGE)?;
            let number = || value.parse::<u64>().map_err(|_| format!("{name} {value}: {USAGE}"));
            match name.as_str() {
                "--rows" => plan.rows = number()?.max(1),
                "--rounds" => plan.rounds = number()?.clamp(1, 100) as u32,
                "--peers" => plan.directory = value.into(),
                "--vw" => plan.vw.clone_from(value),
                "--to" => plan.to = value.into(),
                _ => return Err(USAGE.into()),
            }
        }
        if plan.rows == 0 {
            plan.rows = if plan.fraud { 1_000_000 } else { 2_000_000 };
        }
        plan.directory = std::path::absolute(&plan.directory).map_err(|error| error.to_string())?;
        Ok(plan)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Makes the data if it is not there, and returns the least log loss there can be.
    fn data(&self) -> Result<f64, String> {
        for (name, text) in [("w1.toml", PIPELINE), ("stages.toml", STAGES)] {
            fs::write(self.path(name), text).map_err(|error| error.to_string())?;
        }
        let about = self.path(&format!("w1-{}.about", self.rows));
        if let Some(known) = fs::read_to_string(&about).ok().and_then(|text| text.parse().ok()) {
            return Ok(known);
        }
        eprintln!("making {} rows of data in {}", self.rows, self.directory.display());
        let written = data::write(self.rows, &self.path("w1.csv"), &self.path("w1.vw"));
        let best_loss = written.map_err(|error| format!("writing the data: {error}"))?.best_loss;
        for entry in fs::read_dir(&self.directory).map_err(|error| error.to_string())?.flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "about") {
                fs::remove_file(entry.path()).map_err(|error| error.to_string())?;
            }
        }
        fs::write(about, best_loss.to_string()).map_err(|error| error.to_string())?;
        Ok(best_loss)
    }

    fn racers(&self, built: &Path) -> Vec<Racer> {
        let racer = |name, command: &[&str]| Racer {
            name,
            command: command.iter().map(ToString::to_string).collect(),
            fresh: None,
            cost: None,
        };
        let mut racers = Vec::new();
        match self.bound() {
            Ok(bound) => {
                racers.push(racer(report::BOUND_PARSE, &[&bound, "parse", "w1.csv"]));
                racers.push(racer(report::BOUND, &[&bound, "ftrl", "w1.csv"]));
            }
            Err(why) => eprintln!("\nNO BOUND: {why}\n"),
        }
        let vw = [self.vw.as_str(), "--onethread", "-d", "w1.vw", "--loss_function", "logistic"];
        let ftrl = ["--ftrl", "--ftrl_alpha", "0.1", "--ftrl_beta", "1", "--quiet"];
        let vw = [&vw[..], &ftrl].concat();
        let is_there = Command::new(&self.vw).arg("--version").stdout(Stdio::null()).status();
        if is_there.is_ok_and(|status| status.success()) {
            racers.push(racer(report::VW, &vw));
            let written = [&vw[..], &["-p", "w1.predictions"]].concat();
            racers.push(racer(report::VW_PREDICTIONS, &written));
        } else {
            eprintln!(
                "\nNO VOWPAL WABBIT: there is no program `{}`. Build it from \
                 https://github.com/VowpalWabbit/vowpal_wabbit and say --vw PROGRAM; `pip install \
                 vowpalwabbit` brings a slower one: a script that calls `python -m vowpalwabbit`.\n",
                self.vw
            );
        }
        let alluvium = built.join("alluvium").display().to_string();
        racers.push(Racer {
            fresh: Some(self.path("alluvium")),
            ..racer(report::LOAD, &[&alluvium, "load", "w1.toml", "w1.csv"])
        });
        racers.push(racer(report::RUN, &[&alluvium, "run", "w1.toml", "--json"]));
        racers
    }

    /// Compiles the bound.
    fn bound(&self) -> Result<String, String> {
        let (source, program) = (self.path("bound.c"), self.path("bound"));
        fs::write(&source, include_str!("bench/bound.c")).map_err(|error| error.to_string())?;
        let flags = ["-O3", "-march=native", "-ffast-math", "-o"];
        cost_of(Command::new("cc").args(flags).arg(&program).arg(&source).arg("-lm"))?;
        Ok(program.display().to_string())
    }

    /// What each stage takes, over the log that the last round has left.
    fn stages(&self, built: &Path) -> Result<Vec<Stage>, String> {
        stages(built, &self.directory, &["stages.toml", &self.rounds.to_string()])
    }
}

/// What each stage of a pipeline takes: its file, how many rounds, and where the log is, if it is
/// not where the file says.
fn stages(built: &Path, directory: &Path, arguments: &[&str]) -> Result<Vec<Stage>, String> {
    eprintln!("stages");
    let program = built.join("examples/stages");
    let mut command = Command::new(&program);
    command.current_dir(directory).args(arguments);
    let output = command.stderr(Stdio::inherit()).output().map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(format!("{} failed", program.display()));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| stage_of(line).ok_or_else(|| format!("stages said {line}"))).collect()
}

impl Racer {
    fn race(&mut self, directory: &Path) -> Result<(), String> {
        if let Some(fresh) = self.fresh.as_ref().filter(|fresh| fresh.exists()) {
            fs::remove_dir_all(fresh).map_err(|error| error.to_string())?;
        }
        let mut command = Command::new(&self.command[0]);
        let cost = cost_of(command.args(&self.command[1..]).current_dir(directory))?;
        self.cost = Some(self.cost.map_or(cost, |best| best.least(cost)));
        Ok(())
    }
}

/// A stage, from the line that tells of it.
fn stage_of(line: &str) -> Option<Stage> {
    let number = |key: &str| member(line, key)?.parse::<f64>().ok();
    let cost = Cost { wall: number("wall_s")?, cpu: number("cpu_s") };
    let name = member(line, "stage")?.to_string();
    Some(Stage { name, records: number("records")? as u64, cost })
}

/// Runs a program to its end. What it prints is dropped, what it complains of is not.
fn cost_of(command: &mut Command) -> Result<Cost, String> {
    let shown = format!("{}", command.get_program().to_string_lossy());
    let (before, started) = (children_seconds(), Instant::now());
    let status = command.stdout(Stdio::null()).status();
    let wall = started.elapsed().as_secs_f64();
    match status {
        Ok(status) if status.success() => {
            let cpu = before.zip(children_seconds()).map(|(before, after)| after - before);
            Ok(Cost { wall, cpu })
        }
        Ok(status) => Err(format!("{shown} ended with {status}")),
        Err(error) => Err(format!("{shown}: {error}")),
    }
}

/// Processor time of the programs that this one has waited for, where the system says so (Linux, in
/// hundredths of a second).
fn children_seconds() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name, in brackets, with anything in it.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(13);
    let (user, system) = (fields.next()?.parse::<f64>().ok()?, fields.next()?.parse::<f64>().ok()?);
    Some((user + system) / 100.0)
}

/// A member of a flat JSON object that holds no commas or quotes but its own.
fn member<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("\"{key}\":"))?;
    match rest.strip_prefix('"') {
        Some(text) => text.split('"').next(),
        None => rest.split([',', '}']).next(),
    }
}

fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".into())
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).into()
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_wherever_they_stand() {
        let line = r#"{"cpu_s":null,"records":12,"stage":"+ decode","wall_s":0.5}"#;
        assert_eq!(member(line, "stage"), Some("+ decode"));
        assert_eq!(member(line, "records"), Some("12"));
        assert_eq!(member(line, "wall_s"), Some("0.5"));
        assert_eq!(member(line, "rows"), None);
    }
}
