//! `cargo xtask broker`: the Kafka of the tests, for use by hand.
//!
//! A broker ends with its owner, so `up` leaves one behind that owns it: this program again, as
//! `broker hold`. The two agree by files in `target/kafka/by-hand`: a lock that the owner holds,
//! and a text that says where the broker is; when the text is gone, the owner ends.

use std::{
    env,
    fs::{self, File},
    io,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{self, Stdio},
    thread,
    time::Duration,
};

use alluvium_broker::{Broker, Mechanism, Options, Security, target};
use clap::{Args, Subcommand};

/// How often each looks for what the other did.
const LOOK: Duration = Duration::from_millis(100);

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Call {
    /// Starts it, and says where it is. It is empty, and stays until `down`.
    Up(Kind),
    /// Ends it, and removes all it held.
    Down,
    /// Says where it is.
    Status,
    /// Owns it; `up` calls this.
    #[command(hide = true)]
    Hold(Kind),
}

/// What kind of broker.
#[derive(Clone, Debug, Args)]
pub(crate) struct Kind {
    /// How many nodes.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=3))]
    nodes: u8,
    /// With TLS, passwords and access rules.
    #[arg(long)]
    secure: bool,
}

/// What the two programs share.
struct Files {
    lock: PathBuf,
    text: PathBuf,
    log: PathBuf,
}

/// `cargo xtask broker`.
///
/// # Errors
/// When it does not start, or there is none.
pub(crate) fn run(call: &Call) -> Result<(), String> {
    let home = target().join("kafka/by-hand");
    fs::create_dir_all(&home).map_err(|error| format!("making {}: {error}", home.display()))?;
    let [lock, text, log] = ["lock", "text", "log"].map(|name| home.join(name));
    let files = Files { lock, text, log };
    let result = match call {
        Call::Up(kind) => up(&files, kind),
        Call::Down => down(&files),
        Call::Status => status(&files),
        Call::Hold(kind) => return hold(&files, kind),
    };
    result.unwrap_or_else(|error| Err(format!("starting or ending a broker: {error}")))
}

/// Whether somebody owns a broker.
fn is_up(files: &Files) -> io::Result<bool> {
    Ok(File::create(&files.lock)?.try_lock().is_err())
}

fn up(files: &Files, kind: &Kind) -> io::Result<Result<(), String>> {
    if is_up(files)? {
        return Ok(Err("it is up already; `cargo xtask broker down` ends it".into()));
    }
    // Left by an owner who was killed.
    drop(fs::remove_file(&files.text));
    let log = File::create(&files.log)?;
    let mut owner = process::Command::new(env::current_exe()?);
    owner.args(["broker", "hold", "--nodes", &kind.nodes.to_string()]);
    owner.args(kind.secure.then_some("--secure"));
    owner.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
    let mut owner = owner.spawn()?;
    while !files.text.exists() {
        if owner.try_wait()?.is_some() {
            let said = fs::read_to_string(&files.log)?;
            return Ok(Err(said.trim().into()));
        }
        thread::sleep(LOOK);
    }
    status(files)
}

fn down(files: &Files) -> io::Result<Result<(), String>> {
    if !is_up(files)? {
        return Ok(Err("it is not up".into()));
    }
    fs::remove_file(&files.text)?;
    // The owner lets it go in the end.
    File::create(&files.lock)?.lock()?;
    Ok(Ok(()))
}

fn status(files: &Files) -> io::Result<Result<(), String>> {
    if !is_up(files)? {
        return Ok(Err("it is not up; `cargo xtask broker up` starts it".into()));
    }
    eprint!("{}", fs::read_to_string(&files.text)?);
    Ok(Ok(()))
}

fn hold(files: &Files, kind: &Kind) -> Result<(), String> {
    let lock = File::create(&files.lock).map_err(|error| error.to_string())?;
    lock.try_lock().map_err(|error| format!("somebody holds a broker already: {error}"))?;
    let security = if kind.secure { Security::TlsSasl } else { Security::Plain };
    let options = Options { nodes: kind.nodes.into(), security, ..Options::default() };
    let broker = Broker::start(options).map_err(|error| error.to_string())?;
    // Whole or not at all: who reads it does not wait.
    let partial = files.text.with_extension("partial");
    fs::write(&partial, describe(&broker))
        .and_then(|()| fs::rename(&partial, &files.text))
        .map_err(|error| format!("writing {}: {error}", files.text.display()))?;
    while files.text.exists() {
        thread::sleep(LOOK);
    }
    Ok(())
}

/// What clients have to set, in the words of a client's settings.
fn describe(broker: &Broker) -> String {
    let mut lines = vec![format!("bootstrap.servers={}", broker.servers())];
    if let (Some(authority), Some(user)) = (broker.authority(), broker.admin()) {
        lines.push("security.protocol=SASL_SSL".into());
        lines.push(format!("sasl.mechanism={}", Mechanism::ScramSha512.name()));
        lines.push(format!("sasl.username={}", user.name));
        lines.push(format!("sasl.password={}", user.password));
        lines.push(format!("ssl.ca.location={}", authority.display()));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}
