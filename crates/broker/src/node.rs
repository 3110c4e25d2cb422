//! One process of a broker, and the shell that stands between it and us.
//!
//! The shell (`node.sh`) sends the signals we name, and kills the broker as soon as our end of its
//! standard input is closed, which the system does however we end.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{BrokerError, java::Java};

/// What a broker logs when it has answered itself and the controller has let it in.
const STARTED: &str = "Kafka Server started";

/// A start takes 2 s, on a machine that is busy with everything else perhaps ten times that.
const START_MAX: Duration = Duration::from_secs(120);

/// A broker that is asked to end hands over its partitions first.
const STOP_MAX: Duration = Duration::from_secs(60);

/// How often we look.
const LOOK: Duration = Duration::from_millis(20);

/// How much of the log an error shows.
const TAIL_LINES: usize = 20;

/// A node: its folder, and its process while it runs.
#[derive(Debug)]
pub(crate) struct Node {
    number: usize,
    folder: PathBuf,
    process: Option<Process>,
}

/// The shell, and both ends of what we say to each other.
#[derive(Debug)]
struct Process {
    shell: Child,
    signals: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Where the log of this process begins, in bytes.
    log_begin: usize,
    /// Whether it has logged that it started.
    is_up: bool,
}

impl Node {
    /// A node whose settings lie in its folder.
    pub(crate) fn new(number: usize, folder: PathBuf) -> Node {
        Node { number, folder, process: None }
    }

    /// Its settings.
    pub(crate) fn settings(folder: &Path) -> PathBuf {
        folder.join("server.properties")
    }

    /// Starts the process; `wait` says when it answers.
    pub(crate) fn start(&mut self, java: &Java) -> Result<(), BrokerError> {
        assert!(!self.is_running(), "node {} runs already", self.number);
        let io =
            |source| BrokerError::Io { doing: format!("starting node {}", self.number), source };
        let broker = java.class("kafka.Kafka", &self.folder);
        let log = self.log();
        let log_begin = fs::metadata(&log).map_or(0, |log| log.len() as usize);
        let log_of_shell = File::options().create(true).append(true).open(&log).map_err(io)?;
        let mut shell = Command::new("sh");
        shell.args(["-c", include_str!("node.sh"), "node.sh"]).arg(&log);
        shell.arg(broker.get_program()).args(broker.get_args());
        shell.arg(Node::settings(&self.folder)).current_dir(&self.folder);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log_of_shell);
        // A group of its own: what a terminal sends to the tests does not reach it.
        shell.process_group(0);
        let mut shell = shell.spawn().map_err(io)?;
        let signals = shell.stdin.take().expect("it was asked for");
        let answers = BufReader::new(shell.stdout.take().expect("it was asked for"));
        self.process = Some(Process { shell, signals, answers, log_begin, is_up: false });
        Ok(())
    }

    /// Waits until it answers.
    pub(crate) fn wait(&mut self) -> Result<(), BrokerError> {
        let began = Instant::now();
        let path = self.log();
        let node = format!("node {}", self.number);
        let Some(process) = &mut self.process else {
            return Err(BrokerError::Failed { what: node, said: "it was not started".into() });
        };
        while !process.is_up {
            let log = fs::read(&path).unwrap_or_default();
            let said = String::from_utf8_lossy(log.get(process.log_begin..).unwrap_or_default());
            process.is_up = said.contains(STARTED);
            let ended = process.shell.try_wait().ok().flatten();
            if let Some(status) = ended {
                let said = format!("it ended ({status})\n{}", tail(&said));
                self.process = None;
                return Err(BrokerError::Failed { what: node, said });
            }
            if began.elapsed() > START_MAX {
                let said = format!("it does not start within {START_MAX:?}\n{}", tail(&said));
                return Err(BrokerError::Failed { what: node, said });
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Sends a signal, and returns when it was sent.
    pub(crate) fn signal(&mut self, signal: &str) -> Result<(), BrokerError> {
        let node = format!("node {}", self.number);
        let Some(process) = self.running() else {
            return Err(BrokerError::Failed { what: node, said: "it does not run".into() });
        };
        let mut send = || {
            writeln!(process.signals, "{signal}")?;
            process.answers.read_line(&mut String::new())
        };
        // The shell does not answer when the signal has ended the broker.
        send()
            .map(drop)
            .map_err(|source| BrokerError::Io { doing: format!("signalling {node}"), source })
    }

    /// Ends it by a signal, and waits for its end.
    pub(crate) fn end(&mut self, signal: &str) -> Result<(), BrokerError> {
        self.signal(signal)?;
        let began = Instant::now();
        let node = format!("node {}", self.number);
        while let Some(process) = &mut self.process {
            let ended = process.shell.try_wait();
            let doing = format!("waiting for the end of {node}");
            if ended.map_err(|source| BrokerError::Io { doing, source })?.is_some() {
                self.process = None;
            } else if began.elapsed() > STOP_MAX {
                let said = format!("it does not end within {STOP_MAX:?}");
                return Err(BrokerError::Failed { what: node, said });
            } else {
                thread::sleep(LOOK);
            }
        }
        Ok(())
    }

    /// Whether it runs, paused or not.
    pub(crate) fn is_running(&mut self) -> bool {
        self.running().is_some()
    }

    /// The process, unless it has ended by itself.
    fn running(&mut self) -> Option<&mut Process> {
        let ended = self.process.as_mut().is_some_and(|process| {
            // An error means that there is nothing left to wait for.
            !matches!(process.shell.try_wait(), Ok(None))
        });
        if ended {
            self.process = None;
        }
        self.process.as_mut()
    }

    /// Where it logs warnings and errors, over all its starts.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The end of its log.
    pub(crate) fn log_tail(&self) -> String {
        tail(&String::from_utf8_lossy(&fs::read(self.log()).unwrap_or_default()))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(Process { mut shell, signals, .. }) = self.process.take() {
            drop(signals);
            // It ends by itself now; that it cannot be waited for would mean it already has.
            drop(shell.wait());
        }
    }
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_end() {
        let log: String = (0..30).map(|line| format!("{line}\n")).collect();
        assert!(tail(&log).starts_with("10\n") && tail(&log).ends_with("\n29"));
        assert_eq!(tail("a\n"), "a");
    }
}
