//! The command line: one idea a verb.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Turns topics into living models: learns each record after it has answered it.
#[derive(Debug, Parser)]
#[command(
    name = "alluvium",
    version,
    about,
    after_help = "\
Begin with:
  alluvium new data.csv            writes a pipeline file that runs; so does kafka://HOST:PORT/TOPIC
  alluvium run pipeline.toml       learns it, and says how well

check, run, status, decide, models list and models rollback take pipeline.toml in this directory
where no pipeline file is named; every other verb wants it named.
Exit codes: 0 done, 1 failed, 2 usage or a mistake in the file, 3 halted, waiting for a decision."
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Read a sample of data and write a commented pipeline file that runs.
    New(New),
    /// Show what would run, or every mistake in the file at its place.
    Check(Check),
    /// Bring a file, standard input or a line socket into a topic.
    Load(Load),
    /// Learn: answer each record, then learn it. Stops at the ends seen at the start.
    Run(Run),
    /// Answer with a published version; nothing is learned.
    Score(Score),
    /// Say how far a pipeline is, how well it does, and what it waits for.
    Status(Status),
    /// Show predictions, alarms or dead letters, or one record of a topic.
    Show(Show),
    /// List versions, show one, say what was live when, promote and roll back.
    Models(Models),
    /// Learn versions again from the log and compare.
    Verify(Verify),
    /// Learn again as if some records had never come, and make another pipeline of it.
    Rebuild(Rebuild),
    /// Answer a halt.
    Decide(Decide),
    /// Print the JSON Schema of the pipeline file, for editors.
    Schema,
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// A pipeline, and where it lives.
#[derive(Clone, Debug, Args)]
pub struct Pipeline {
    /// The pipeline file.
    #[arg(default_value = "pipeline.toml", value_name = "PIPELINE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub named: Named,
}

/// What can be said of a pipeline beside its file.
#[derive(Clone, Debug, Default, Args)]
pub struct Named {
    /// Another name, and so another pipeline from the same file.
    #[arg(long = "as", value_name = "NAME")]
    pub name: Option<String>,
    /// Another place for the log: a directory, or kafka://HOST:PORT.
    #[arg(long, value_name = "PLACE")]
    pub log: Option<String>,
}

/// Settings of `new`.
#[derive(Debug, Args)]
pub struct New {
    /// A file of CSV or NDJSON, compressed or not; or a live topic, kafka://HOST:PORT/TOPIC.
    pub sample: PathBuf,
    /// The column or key to foretell. Left out: guessed, and marked as a guess.
    #[arg(long, value_name = "NAME")]
    pub label: Option<String>,
    /// Where to write; never overwrites.
    #[arg(long, default_value = "pipeline.toml", value_name = "FILE")]
    pub to: PathBuf,
    /// Of a live topic: Kafka's own client.properties, for TLS, users and passwords.
    #[arg(long, value_name = "FILE")]
    pub client: Option<PathBuf>,
}

/// Settings of `check`.
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    pub pipeline: Pipeline,
    /// Look at the topics instead: which are there, how they are kept, what this user may do; and
    /// the commands of Kafka's own tools that make what is missing and mend what is wrong.
    #[arg(long)]
    pub topics: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Settings of `load`.
#[derive(Debug, Args)]
pub struct Load {
    /// The pipeline file.
    #[arg(value_name = "PIPELINE")]
    pub file: PathBuf,
    /// Where from: a file (CSV or NDJSON, compressed or not), `-` for standard input, or
    /// `tcp://HOST:PORT` to connect to a socket of lines. Left out: what the file's `load` says.
    #[arg(value_name = "SOURCE")]
    pub source: Option<String>,
    /// Which input, where the pipeline has several.
    #[arg(long, value_name = "NAME")]
    pub input: Option<String>,
    /// The most records a second; 0: as fast as it goes.
    #[arg(long, value_name = "RECORDS", default_value_t = 0)]
    pub rate: u64,
    /// Print one JSON object a source.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub named: Named,
}

/// Settings of `run`.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub pipeline: Pipeline,
    /// Go on for ever.
    #[arg(long)]
    pub follow: bool,
    /// Print one JSON object a line.
    #[arg(long)]
    pub json: bool,
}

/// Settings of `score`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Rows, and the records that are there, are answered on standard output, a line each.

With --follow it answers the records to come of the pipeline's own topics, into the topic
PIPELINE.scores: at least once each, beside a run or without one, on Kafka shared among as many
processes as are started. It differs from `run --follow`, which learns: that is one process,
answers each record with what it has learned up to the record before, and writes each answer
exactly once, to PIPELINE.predictions. This one answers with the newest published version, has
nothing to recover, and may give an answer twice after a crash.")]
pub struct Score {
    /// The pipeline file.
    #[arg(value_name = "PIPELINE")]
    pub file: PathBuf,
    /// Rows to answer: a file (compressed or not) or `-`. Left out: the pipeline's own topic.
    #[arg(value_name = "SOURCE")]
    pub source: Option<String>,
    /// The model, or `MODEL@VERSION`; left out: the champion.
    #[arg(long, value_name = "MODEL[@VERSION]")]
    pub model: Option<String>,
    /// Which input the rows are like, where the pipeline has several; only this topic.
    #[arg(long, value_name = "NAME")]
    pub input: Option<String>,
    /// Answer records to come, for ever, into the topic PIPELINE.scores, each newly published
    /// version from when it is there. Waits for a first one.
    #[arg(long, conflicts_with = "source")]
    pub follow: bool,
    /// With `--follow`: where to begin when nothing was answered before, and where to go on when
    /// what comes next is no longer there. Left out: at the end; and then it halts.
    #[arg(long, value_name = "WHERE", requires = "follow")]
    pub from: Option<Begin>,
    /// With `--follow`: print one JSON object a line, about versions and progress.
    #[arg(long, requires = "follow")]
    pub json: bool,
    #[command(flatten)]
    pub named: Named,
}

/// Where scoring begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Begin {
    /// With the first record that is there.
    Beginning,
    /// With what comes from then on.
    End,
}

/// Settings of `status`.
#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    pub pipeline: Pipeline,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Settings of `show`.
#[derive(Debug, Args)]
pub struct Show {
    /// The pipeline file.
    #[arg(value_name = "PIPELINE")]
    pub file: PathBuf,
    /// What: `predictions`, `alarms`, `dead-letters`, or one record as `TOPIC:PARTITION:OFFSET`.
    #[arg(value_name = "WHAT")]
    pub what: String,
    /// How many of the newest; 0: all.
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    pub last: u64,
    /// Print one JSON object a line.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub named: Named,
}

/// Settings of `models`.
#[derive(Debug, Args)]
pub struct Models {
    /// What to do.
    #[command(subcommand)]
    pub verb: ModelsVerb,
}

/// The verbs of `models`.
#[derive(Debug, Subcommand)]
pub enum ModelsVerb {
    /// Every version that can still be read.
    List(Status),
    /// One version: settings, position, metrics, digests.
    Show {
        /// The pipeline file.
        #[arg(value_name = "PIPELINE")]
        file: PathBuf,
        /// The model, or `MODEL@VERSION`.
        #[arg(value_name = "MODEL[@VERSION]")]
        model: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        named: Named,
    },
    /// By how much two versions differ: state, metrics, and what they answer.
    Diff {
        /// The pipeline file.
        #[arg(value_name = "PIPELINE")]
        file: PathBuf,
        /// `MODEL@VERSION`, a model alone is its newest; of another pipeline in the same log
        /// `NAME/MODEL@VERSION`.
        #[arg(value_name = "A")]
        first: String,
        /// The same.
        #[arg(value_name = "B")]
        second: String,
        /// How many of the newest records of the inputs both answer, to be compared.
        #[arg(long, default_value_t = 1_000, value_name = "N")]
        records: u64,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        named: Named,
    },
    /// What was live at a time, and why.
    At {
        /// The pipeline file.
        #[arg(value_name = "PIPELINE")]
        file: PathBuf,
        /// The time: RFC 3339 (`2026-11-21T13:00:00Z`), or milliseconds since 1970.
        #[arg(value_name = "TIME")]
        time: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        named: Named,
    },
    /// Make a model, or one version of it, the champion.
    Promote {
        /// The pipeline file.
        #[arg(value_name = "PIPELINE")]
        file: PathBuf,
        /// The model (from then on its newest version answers), or `MODEL@VERSION` to hold on to.
        #[arg(value_name = "MODEL[@VERSION]")]
        model: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        named: Named,
    },
    /// Back to what was live before the last change.
    Rollback {
        #[command(flatten)]
        pipeline: Pipeline,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Settings of `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The pipeline file.
    #[arg(value_name = "PIPELINE")]
    pub file: PathBuf,
    /// The version: `MODEL@VERSION`; a model alone is its newest.
    #[arg(value_name = "MODEL[@VERSION]")]
    pub version: Option<String>,
    /// Every version that can still be read.
    #[arg(long)]
    pub all: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub named: Named,
}

/// Settings of `rebuild`.
#[derive(Debug, Args)]
pub struct Rebuild {
    #[command(flatten)]
    pub pipeline: Source,
    /// Records that are to be learned as if they had never come, TOPIC:PARTITION:FROM..TO, TO not
    /// included; may be given more than once.
    #[arg(long, value_name = "SPAN", required = true)]
    pub without: Vec<String>,
    /// The name of the pipeline that is made.
    #[arg(long = "as", value_name = "NAME")]
    pub name: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// A pipeline that another is made of.
#[derive(Clone, Debug, Args)]
pub struct Source {
    /// The pipeline file.
    #[arg(default_value = "pipeline.toml", value_name = "PIPELINE")]
    pub file: PathBuf,
    /// The pipeline to learn again, where it runs by another name than the file's.
    #[arg(long, value_name = "NAME")]
    pub of: Option<String>,
    /// Another place for the log: a directory, or kafka://HOST:PORT.
    #[arg(long, value_name = "PLACE")]
    pub log: Option<String>,
}

/// Settings of `decide`.
#[derive(Debug, Args)]
pub struct Decide {
    /// The answer.
    pub answer: DecideAnswer,
    #[command(flatten)]
    pub pipeline: Pipeline,
    /// With `adopt`: what the file names more begins with nothing learned, and not with the past.
    #[arg(long)]
    pub from_here: bool,
    /// With `reset`: only this model.
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// With `skip`: what to pass over, TOPIC:PARTITION:FROM..TO. Left out: what it has halted at.
    #[arg(long, value_name = "SPAN")]
    pub span: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// The answers to a halt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DecideAnswer {
    /// Go on with the file's settings and what was learned. Refused when the shape changes.
    Adopt,
    /// Forget what was learned, and go on from here.
    Reset,
    /// Pass over records that cannot be read: expired before they were, or damaged.
    Skip,
}
