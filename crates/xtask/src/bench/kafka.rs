//! `cargo xtask bench --kafka`: the same rows from a real broker of one node, started for it, with
//! the client and the broker sharing the machine; written into `docs/benchmarks-kafka.md`.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use alluvium_broker::{Broker, Options};

use super::{Cost, Plan, cargo, cost_of, member, report, stages, target};

/// The pipeline whose answers are timed.
const LIVE: &str = include_str!("live.toml");

/// The topic that holds W1 as Vowpal Wabbit's text, for what reads it there.
const LINES: &str = include_str!("lines.toml");

/// How many partitions the input has.
const PARTITIONS: usize = 3;

/// Records a second, and for how many seconds, while answers are timed.
const RATE: (u64, u64) = (50_000, 20);

/// How long anything may take to come to life.
const PATIENCE: Duration = Duration::from_secs(60);

/// What somebody's loop took.
pub(super) struct Peer {
    pub(super) name: &'static str,
    pub(super) records: u64,
    pub(super) cost: Cost,
}

/// How long answers took, in milliseconds.
pub(super) struct Delay {
    pub(super) name: &'static str,
    pub(super) answered: u64,
    pub(super) sent: u64,
    pub(super) half: f64,
    pub(super) most: f64,
}

/// Measures and writes the page.
///
/// # Errors
/// When the broker does not start, or a program cannot be built or run.
pub(super) fn run(plan: &Plan) -> Result<(), String> {
    let built = target().join("release");
    for package in [
        &["-p", "alluvium", "--bin", "alluvium", "--example", "stages"][..],
        &["-p", "alluvium-kafka", "--example", "plain_loop", "--example", "latency"],
    ] {
        cost_of(Command::new(cargo()).args(["build", "--release"]).args(package))?;
    }
    plan.data()?;
    let text = fs::read_to_string(plan.path("stages.toml")).map_err(|error| error.to_string())?;
    let spread = format!("[input.w1]\npartitions = {PARTITIONS}");
    let text = text.replace("[input.w1]", &spread);
    for (name, text) in [("kafka.toml", &*text), ("live.toml", LIVE), ("lines.toml", LINES)] {
        fs::write(plan.path(name), text).map_err(|error| error.to_string())?;
    }
    let broker = Broker::start(Options::default()).map_err(|error| error.to_string())?;
    let bench = Bench { plan, built: &built, servers: broker.servers() };
    bench.load("kafka.toml", "w1.csv")?;
    let mut peers = Vec::new();
    let arguments = ["kafka.toml", &plan.rounds.to_string(), &bench.log()];
    let stages = stages(&built, &plan.directory, &arguments)?;
    let made = broker.create_topic("plain-loop", PARTITIONS as u32, &[]);
    made.map_err(|error| error.to_string())?;
    for _ in 0..plan.rounds {
        peers.push(bench.plain_loop()?);
    }
    bench.load("lines.toml", "w1.vw")?;
    peers.extend(bench.piped()?);
    let mut delays = Vec::new();
    for (name, verb, output) in [
        ("`alluvium run --follow`", "run", "live.predictions"),
        ("`alluvium score --follow`", "score", "live.scores"),
    ] {
        delays.push(bench.delay(name, verb, output)?);
    }
    let page = report::kafka_page(plan, &stages, &peers, &delays, RATE);
    let to = plan.to.with_file_name("benchmarks-kafka.md");
    fs::write(&to, page).map_err(|error| format!("{}: {error}", to.display()))?;
    eprintln!("wrote {}", to.display());
    Ok(())
}

struct Bench<'a> {
    plan: &'a Plan,
    built: &'a Path,
    servers: String,
}

impl Bench<'_> {
    fn log(&self) -> String {
        format!("kafka://{}", self.servers)
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.built.join(program));
        command.current_dir(&self.plan.directory).args(arguments).stdin(Stdio::null());
        command
    }

    /// What a program prints.
    fn printed(&self, program: &str, arguments: &[&str]) -> Result<String, String> {
        let output = self.command(program, arguments).stderr(Stdio::inherit()).output();
        let output = output.map_err(|error| format!("{program}: {error}"))?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(format!("{program} ended with {}", output.status)),
        }
    }

    fn load(&self, file: &str, source: &str) -> Result<Cost, String> {
        eprintln!("loading {source}");
        cost_of(&mut self.command("alluvium", &["load", file, source, "--log", &self.log()]))
    }

    fn plain_loop(&self) -> Result<Peer, String> {
        eprintln!("a plain loop");
        let arguments = [&*self.servers, "w1", "plain-loop"];
        let printed = self.printed("examples/plain_loop", &arguments)?;
        let number = |key: &str| member(&printed, key)?.trim().parse::<f64>().ok();
        let read = || {
            let cost = Cost { wall: number("wall_s")?, cpu: number("cpu_s") };
            Some(Peer { name: report::PLAIN_LOOP, records: number("records")? as u64, cost })
        };
        read().ok_or_else(|| format!("plain_loop said {printed}"))
    }

    /// kcat reads, Vowpal Wabbit learns; it writes nothing back.
    fn piped(&self) -> Result<Option<Peer>, String> {
        let is_there = |program: &str, asked: &str| {
            let said = Command::new(program).arg(asked).stdout(Stdio::null()).status();
            said.is_ok_and(|status| status.success())
        };
        if !is_there("kcat", "-V") || !is_there(&self.plan.vw, "--version") {
            eprintln!("\nNO PIPE: it needs `kcat` and Vowpal Wabbit (--vw PROGRAM)\n");
            return Ok(None);
        }
        eprintln!("kcat into Vowpal Wabbit");
        let line = format!(
            "kcat -C -b {} -t w1-lines -o beginning -e -q -X queued.min.messages=1000000 | {} \
             --onethread --loss_function logistic --ftrl --ftrl_alpha 0.1 --ftrl_beta 1 --quiet \
             -d /dev/stdin",
            self.servers, self.plan.vw
        );
        let cost = cost_of(Command::new("sh").args(["-c", &line]))?;
        Ok(Some(Peer { name: report::PIPE, records: self.plan.rows, cost }))
    }

    /// Times answers while somebody gives them.
    fn delay(&self, name: &'static str, verb: &str, output: &str) -> Result<Delay, String> {
        eprintln!("how long answers take: {name}");
        let arguments = [verb, "live.toml", "--follow", "--log", &self.log()];
        let mut command = self.command("alluvium", &arguments);
        let child = command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn();
        let mut child = Stopped(child.map_err(|error| error.to_string())?);
        // A follower learns what it finds, and then follows.
        let began = Instant::now();
        let (rate, seconds) = (RATE.0.to_string(), RATE.1.to_string());
        let arguments = [&*self.servers, "live", output, &rate, &seconds];
        loop {
            match self.printed("examples/latency", &[&*self.servers, "live", output, "100", "2"]) {
                Ok(said) if member(&said, "answered") == Some("200") => break,
                _ if began.elapsed() > PATIENCE => return Err(format!("{name} answers nothing")),
                _ => thread::sleep(Duration::from_secs(1)),
            }
        }
        let printed = self.printed("examples/latency", &arguments)?;
        child.stop();
        let number = |key: &str| member(&printed, key)?.trim().parse::<f64>().ok();
        let read = || {
            let [half, most] = [number("p50_ms")?, number("p99_ms")?];
            let [answered, sent] = [number("answered")? as u64, number("sent")? as u64];
            Some(Delay { name, answered, sent, half, most })
        };
        read().ok_or_else(|| format!("latency said {printed}"))
    }
}

/// A process that is asked to end when nobody needs it any more.
struct Stopped(Child);

impl Stopped {
    fn stop(&mut self) {
        let asked = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status();
        if !asked.is_ok_and(|status| status.success()) {
            return;
        }
        // How it ends is no matter of the measurement.
        drop(self.0.wait());
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
