//! What has to be on the machine: a Java that is new enough, and Kafka's jars, which Maven brings
//! once.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::OnceLock,
};

use crate::BrokerError;

/// The release of Kafka.
pub(crate) const VERSION: &str = "4.1.1";

/// What Maven is asked for. The jars lie beside a copy of it, so that a change of it fetches anew.
const POM: &str = include_str!("../pom.xml");

/// The oldest Java that runs it.
const JAVA_MIN: u32 = 17;

/// What to do where one is missing.
const INSTALL: &str = "apt-get install openjdk-17-jre-headless maven";

/// For short lives: one compiler and a simple collector, no files outside the broker's directory.
const QUICK: [&str; 6] = [
    "-Xmx512m",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    "-Djava.net.preferIPv4Stack=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
];

/// A Java with Kafka's jars.
#[derive(Clone, Debug)]
pub(crate) struct Java {
    program: PathBuf,
    libraries: PathBuf,
}

impl Java {
    /// Looks for Java, and brings the jars where they are not there yet.
    pub(crate) fn find() -> Result<Java, BrokerError> {
        static FOUND: OnceLock<Java> = OnceLock::new();
        if let Some(found) = FOUND.get() {
            return Ok(found.clone());
        }
        let program = program("java");
        let said = Command::new(&program).arg("-version").stdin(Stdio::null()).output();
        let said = said.map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
        let version = said.ok().and_then(|said| major(&said));
        if version.is_none_or(|version| version < JAVA_MIN) {
            let found = version.map_or("none".to_string(), |version| version.to_string());
            let what = format!("Java {JAVA_MIN} or newer (found: {found})");
            return Err(BrokerError::Missing { what, install: INSTALL });
        }
        let java = Java { program, libraries: libraries()? };
        Ok(FOUND.get_or_init(|| java).clone())
    }

    /// Runs a class of the jars; `scratch` is for what Java and its libraries leave behind.
    pub(crate) fn class(&self, class: &str, scratch: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.args(QUICK);
        command.arg(format!("-Djava.io.tmpdir={}", scratch.display()));
        // One line of information is wanted: that the broker has started.
        command.arg("-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info");
        command.arg("-cp").arg(self.libraries.join("*")).arg(class).stdin(Stdio::null());
        command
    }
}

/// A program of the Java that `JAVA_HOME` names, or the one that is found first.
pub(crate) fn program(name: &str) -> PathBuf {
    match env::var_os("JAVA_HOME") {
        Some(home) => Path::new(&home).join("bin").join(name),
        None => name.into(),
    }
}

/// Where builds go, and what is brought: `CARGO_TARGET_DIR`, or `target` in the repository.
#[must_use]
pub fn target() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().nth(2).unwrap_or(here);
    root.join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// The first number in `openjdk version "17.0.15" 2025-04-15`.
fn major(said: &str) -> Option<u32> {
    let quoted = said.split('"').nth(1)?;
    quoted.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

/// The folder of the jars. It is there whole or not at all: it is filled under another name.
fn libraries() -> Result<PathBuf, BrokerError> {
    let home = target().join("kafka");
    let whole = home.join(VERSION);
    let is_there = || fs::read_to_string(whole.join("pom.xml")).is_ok_and(|pom| pom == POM);
    if is_there() {
        return Ok(whole.join("libs"));
    }
    let doing = |what: &str, path: &Path| format!("{what} {}", path.display());
    let io = |doing: String| move |source: io::Error| BrokerError::Io { doing, source };
    fs::create_dir_all(&home).map_err(io(doing("making", &home)))?;
    // Tests of several crates may ask at once; the others wait for the first.
    let path = home.join(format!("{VERSION}.lock"));
    let lock = fs::File::create(&path).map_err(io(doing("making", &path)))?;
    lock.lock().map_err(io(doing("locking", &path)))?;
    if is_there() {
        return Ok(whole.join("libs"));
    }
    let partial = home.join(format!("{VERSION}.partial"));
    for old in [&partial, &whole] {
        remove(old).map_err(io(doing("removing", old)))?;
    }
    fs::create_dir_all(&partial).map_err(io(doing("making", &partial)))?;
    fs::write(partial.join("pom.xml"), POM).map_err(io(doing("filling", &partial)))?;
    fetch(&partial)?;
    fs::rename(&partial, &whole).map_err(io(doing("naming", &whole)))?;
    Ok(whole.join("libs"))
}

/// Has Maven copy the jars to where the pom lies, checking their digests.
fn fetch(folder: &Path) -> Result<(), BrokerError> {
    let mut command = Command::new("mvn");
    command.args(["--quiet", "--batch-mode", "--strict-checksums", "--file"]);
    command.arg(folder.join("pom.xml")).arg("dependency:copy-dependencies");
    command.arg(format!("-DoutputDirectory={}", folder.join("libs").display()));
    match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(process::Output { stdout, .. }) => {
            let said = String::from_utf8_lossy(&stdout).trim().to_string();
            Err(BrokerError::Failed { what: "Maven, fetching Kafka".into(), said })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(BrokerError::Missing { what: "Maven".into(), install: INSTALL })
        }
        Err(source) => Err(BrokerError::Io { doing: "starting Maven".into(), source }),
    }
}

/// Removes a folder that may not be there.
pub(crate) fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_java_is_its_first_number() {
        assert_eq!(major("openjdk version \"17.0.15\" 2025-04-15\nmore"), Some(17));
        assert_eq!(major("openjdk version \"25\" 2025-09-16"), Some(25));
        assert_eq!(major("java version \"1.8.0_392\""), Some(1));
        assert_eq!(major("not found"), None);
    }

    #[test]
    fn the_pom_asks_for_the_version_that_names_the_folder() {
        assert_eq!(POM.matches(&format!("<version>{VERSION}</version>")).count(), 2);
    }
}
