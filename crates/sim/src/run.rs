//! One run: play, calm down, check.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    str::FromStr,
};

use alluvium_ledger::bugs::{self, Bug};

use crate::{finished, oracle, play::Play};

/// What kind of run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Three keepers and every fault.
    Base,
    /// Two keepers and a handful of records.
    Small,
    /// Many records and events.
    Long,
    /// Manifests and deletions all the time.
    Heavy,
    /// What is needed may expire.
    Lossy,
    /// Control may lose its tail.
    Truncate,
    /// Models join and leave.
    Joining,
    /// Two histories over one finished topic: their models must be the same.
    Finished,
    /// Labels come by an input of their own, always.
    Labels,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 9] = [
        Kind::Base,
        Kind::Small,
        Kind::Long,
        Kind::Heavy,
        Kind::Lossy,
        Kind::Truncate,
        Kind::Joining,
        Kind::Finished,
        Kind::Labels,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Base => "base",
            Kind::Small => "small",
            Kind::Long => "long",
            Kind::Heavy => "heavy",
            Kind::Lossy => "lossy",
            Kind::Truncate => "truncate",
            Kind::Joining => "joining",
            Kind::Finished => "finished",
            Kind::Labels => "labels",
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Kind, String> {
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        kind.ok_or_else(|| {
            let names = Kind::ALL.map(Kind::name).join(", ");
            format!("there is no kind {name}: there are {names}")
        })
    }
}

/// Mistakes to plant; without the feature `planted` none are.
pub type Bugs = Option<Bug>;

/// What was counted in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events played.
    pub events: u64,
    /// Turns of keepers.
    pub turns: u64,
    /// Records that landed in any topic.
    pub landed: u64,
    /// Terms opened.
    pub terms: u64,
    /// Keepers that died.
    pub crashes: u64,
    /// Steps of the reference.
    pub steps: u64,
    /// Outputs that landed.
    pub outputs: u64,
    /// Outputs that landed more than once, each justified.
    pub doubles: u64,
    /// Manifests that landed.
    pub manifests: u64,
    /// Versions published.
    pub versions: u64,
    /// Alarms raised.
    pub alarms: u64,
    /// Records refused.
    pub refused: u64,
    /// Of these, how many for their time.
    pub mistimed: u64,
    /// How often a writer said that time has passed.
    pub ticks: u64,
    /// What became of labels and examples, in the order of [`alluvium_flow::LabelCounts::named`].
    pub labels: [u64; 10],
    /// Requests adopted.
    pub adopted: u64,
    /// How often records were passed over.
    pub skipped: u64,
    /// How often something joined.
    pub joined: u64,
    /// Halts, each justified.
    pub halts: u64,
    /// Runs in which control lost its tail, nobody halted, and something contradicts the log.
    pub silent: u64,
    /// A digest of all that happened.
    pub trace: u64,
}

impl Stats {
    /// Adds another run's.
    pub fn add(&mut self, other: &Stats) {
        self.events += other.events;
        self.turns += other.turns;
        self.landed += other.landed;
        self.terms += other.terms;
        self.crashes += other.crashes;
        self.steps += other.steps;
        self.outputs += other.outputs;
        self.doubles += other.doubles;
        self.manifests += other.manifests;
        self.versions += other.versions;
        self.alarms += other.alarms;
        self.refused += other.refused;
        self.mistimed += other.mistimed;
        self.ticks += other.ticks;
        for (count, other) in self.labels.iter_mut().zip(other.labels) {
            *count += other;
        }
        self.adopted += other.adopted;
        self.skipped += other.skipped;
        self.joined += other.joined;
        self.halts += other.halts;
        self.silent += other.silent;
        self.trace = crate::random::mix(self.trace, other.trace);
    }
}

/// What went wrong, and how to see it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The run's seed.
    pub seed: u64,
    /// The run's kind.
    pub kind: Kind,
    /// What was broken.
    pub why: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seed, kind) = (self.seed, self.kind.name());
        write!(
            f,
            "{kind} {seed}: {}\n    again: cargo xtask sim --seed {seed} --kind {kind}",
            self.why
        )
    }
}

impl std::error::Error for Failure {}

/// Plays one run. The same seed plays the same run.
///
/// # Errors
/// When a promise was broken.
pub fn run(seed: u64, kind: Kind, bugs: Bugs) -> Result<Stats, Failure> {
    played(seed, kind, bugs, &mut Vec::new(), false)
}

/// Plays one run and tells what happened, line by line.
pub fn trace(seed: u64, kind: Kind, bugs: Bugs) -> (Vec<String>, Result<Stats, Failure>) {
    let mut lines = Vec::new();
    let result = played(seed, kind, bugs, &mut lines, true);
    (lines, result)
}

fn played(
    seed: u64,
    kind: Kind,
    bugs: Bugs,
    lines: &mut Vec<String>,
    tell: bool,
) -> Result<Stats, Failure> {
    let planted = bugs::plant(bugs);
    let mut play = || match kind {
        Kind::Finished => finished::pair(seed, lines, tell),
        _ => one(&mut Play::new(seed, seed, kind), lines, tell),
    };
    let result = catch_unwind(AssertUnwindSafe(&mut play)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied());
        Err(format!("a panic: {}", text.unwrap_or_default()))
    });
    drop(planted);
    result.map_err(|why| Failure { seed, kind, why })
}

/// Plays one history, and tells of it if asked to.
pub(crate) fn one(play: &mut Play, lines: &mut Vec<String>, tell: bool) -> Result<Stats, String> {
    play.tell = tell;
    play.log.world().tell = tell;
    play.lines = std::mem::take(lines);
    let result = play.go().and_then(|()| judge(play));
    *lines = std::mem::take(&mut play.lines);
    result
}

/// Holds what was played to the reference.
pub(crate) fn judge(play: &mut Play) -> Result<Stats, String> {
    let mut stats = play.stats;
    let world = play.log.world();
    let reference = oracle::reference(&world, &play.scene);
    let demands = oracle::Demands { complete: play.complete, truncated: play.truncated };
    match oracle::check(&world, &reference, demands) {
        Ok(counted) => {
            stats.outputs = counted.outputs;
            stats.doubles = counted.doubles;
            stats.manifests = counted.manifests;
            stats.versions = counted.versions;
        }
        // A lost cut's output may have landed after everybody had looked.
        Err(_) if play.truncated => stats.silent = u64::from(play.complete),
        Err(why) => return Err(why),
    }
    stats.steps = reference.steps;
    stats.alarms = reference.alarms;
    stats.refused = reference.refused;
    stats.mistimed = reference.mistimed;
    stats.ticks = reference.ticks;
    stats.labels = reference.labels;
    stats.adopted = reference.adopted.values().sum();
    stats.skipped = reference.skipped;
    stats.joined = reference.joined;
    stats.terms = reference.terms;
    stats.landed = world.landed;
    stats.trace = world.trace;
    if play.complete && !play.truncated && stats.adopted != play.requests {
        return Err(format!("{} of {} requests were adopted", stats.adopted, play.requests));
    }
    Ok(stats)
}
