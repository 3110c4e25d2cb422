//! Where the topics of a pipeline live, and the log they live in: embedded, or Kafka.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use alluvium_embedded::Embedded;
use alluvium_flow::spec::{KafkaLog as KafkaChoice, LogChoice};
use alluvium_kafka::{Group, KafkaLog};
use alluvium_learn::Time;
use alluvium_ledger::log::{
    Appender, Ends, Errand, Lease, Log, LogError, Policy, RecordReader, Span,
};
use anyhow::Context;

use crate::failure::Failure;

/// What an address of Kafka begins with.
const KAFKA: &str = "kafka://";

/// Where a log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a directory on this machine.
    Directory(PathBuf),
    /// On Kafka.
    Kafka(alluvium_kafka::Settings),
}

impl Place {
    /// Where a pipeline file says that its log is, or the command line: a directory, or
    /// `kafka://HOST:PORT`. Paths of the file are relative to it.
    ///
    /// # Errors
    /// When the address has no host, or the settings of Kafka's client are wrong.
    pub fn of(choice: &LogChoice, said: Option<&str>, beside: &Path) -> Result<Place, Failure> {
        let client_of = |kafka: &KafkaChoice| kafka.client.as_ref().map(|path| beside.join(path));
        let settings = match (said, choice) {
            (None, LogChoice::Embedded(embedded)) => {
                return Ok(Place::Directory(beside.join(&embedded.directory)));
            }
            (None, LogChoice::Kafka(kafka)) => {
                let servers = kafka.servers.clone().unwrap_or_default();
                alluvium_kafka::Settings::new(servers, client_of(kafka))
            }
            (Some(address), choice) => {
                let Some(servers) = address.strip_prefix(KAFKA) else {
                    return Ok(Place::Directory(address.into()));
                };
                let servers = servers.trim_end_matches('/');
                if servers.is_empty() || servers.contains('/') {
                    let why = format!("`{address}` is no place of a log: write kafka://HOST:PORT");
                    return Err(Failure::Usage(why));
                }
                let client = match choice {
                    LogChoice::Kafka(kafka) => client_of(kafka),
                    LogChoice::Embedded(_) => None,
                };
                alluvium_kafka::Settings::new(servers, client)
            }
        };
        settings.check().map_err(|mistake| Failure::Usage(mistake.to_string()))?;
        Ok(Place::Kafka(settings))
    }

    /// The directory of an embedded log.
    pub fn directory(&self) -> Option<&Path> {
        match self {
            Place::Directory(directory) => Some(directory),
            Place::Kafka(_) => None,
        }
    }

    /// Whether a log is known not to be there yet: looking at one makes none.
    pub fn is_missing(&self) -> bool {
        let has_files = |directory: &Path| {
            std::fs::read_dir(directory).is_ok_and(|mut files| files.next().is_some())
        };
        self.directory().is_some_and(|directory| !has_files(directory))
    }

    /// Opens the log, and makes it if it is not there. Kafka is not asked anything yet.
    ///
    /// # Errors
    /// When the directory cannot be written, or Kafka's client cannot be made.
    pub fn open(&self) -> Result<Store, Failure> {
        Ok(match self {
            Place::Directory(directory) => {
                let log = Embedded::open(directory);
                let opening = || format!("opening the log in {}", directory.display());
                Store::Embedded(log.with_context(opening)?)
            }
            Place::Kafka(settings) => Store::Kafka(KafkaLog::open(settings)?),
        })
    }
}

/// As it is told to people: never with a secret.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Directory(directory) => write!(f, "embedded log in {}", directory.display()),
            Place::Kafka(settings) if settings.servers.is_empty() => match &settings.client {
                Some(client) => write!(f, "Kafka by {}", client.display()),
                None => f.write_str("Kafka"),
            },
            Place::Kafka(settings) => write!(f, "Kafka at {}", settings.servers),
        }
    }
}

/// The log of a pipeline. Clones lead to the same one.
#[derive(Clone)]
pub enum Store {
    /// In a directory on this machine.
    Embedded(Embedded),
    /// On Kafka.
    Kafka(KafkaLog),
}

impl Store {
    /// The bytes of an embedded log's file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn file_bytes(&self) -> Result<Option<u64>, LogError> {
        match self {
            Store::Embedded(log) => log.file_bytes().map(Some),
            Store::Kafka(_) => Ok(None),
        }
    }

    /// Whether somebody holds the lease to run a pipeline.
    ///
    /// # Errors
    /// When the log fails.
    pub fn is_held(&mut self, pipeline: &str) -> Result<bool, LogError> {
        match self {
            // Asking takes a free lease; it is given back at once.
            Store::Embedded(log) => Ok(!log.lease(pipeline, Errand::Run)?.held()),
            Store::Kafka(log) => Ok(log.lease_holder(pipeline)?.is_some()),
        }
    }

    /// Membership in a group that shares topics among processes; `None`: the embedded log has no
    /// groups.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn group(&self, name: &str, topics: &[&str]) -> Result<Option<Group>, LogError> {
        match self {
            Store::Embedded(_) => Ok(None),
            Store::Kafka(log) => log.group(name, topics).map(Some),
        }
    }

    /// Why the newest lease is not got, when the brokers have said so.
    pub fn lease_trouble(&self) -> Option<LogError> {
        match self {
            Store::Embedded(_) => None,
            Store::Kafka(log) => log.lease_trouble(),
        }
    }

    fn log(&mut self) -> &mut dyn Log {
        match self {
            Store::Embedded(log) => log,
            Store::Kafka(log) => log,
        }
    }
}

impl Log for Store {
    fn reader(&mut self, spans: &[Span]) -> Result<Box<dyn RecordReader>, LogError> {
        self.log().reader(spans)
    }

    fn appender(&mut self) -> Result<Box<dyn Appender>, LogError> {
        self.log().appender()
    }

    fn ends(&mut self, topic: &str) -> Result<Option<Ends>, LogError> {
        self.log().ends(topic)
    }

    fn offsets_at(&mut self, topic: &str, time: Time) -> Result<Vec<u64>, LogError> {
        self.log().offsets_at(topic, time)
    }

    fn create(&mut self, topic: &str, partitions: u32, policy: Policy) -> Result<(), LogError> {
        self.log().create(topic, partitions, policy)
    }

    fn lease(&mut self, pipeline: &str, errand: Errand<'_>) -> Result<Box<dyn Lease>, LogError> {
        self.log().lease(pipeline, errand)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(choice: &str, said: Option<&str>) -> Result<Place, Failure> {
        let choice: LogChoice = serde_json::from_str(choice).unwrap();
        Place::of(&choice, said, Path::new("at"))
    }

    fn kafka(servers: &str) -> Place {
        Place::Kafka(alluvium_kafka::Settings::new(servers, None))
    }

    #[test]
    fn the_command_line_has_the_last_word() {
        let (embedded, on_kafka) = (r#"{"embedded":{}}"#, r#"{"kafka":{"servers":"a:1"}}"#);
        let directory = |path: &str| Place::Directory(path.into());
        assert_eq!(of(embedded, None).unwrap(), directory("at/alluvium"));
        assert_eq!(of(embedded, Some("there")).unwrap(), directory("there"));
        assert_eq!(of(embedded, Some("kafka://b:2,c:3/")).unwrap(), kafka("b:2,c:3"));
        assert_eq!(of(on_kafka, None).unwrap(), kafka("a:1"));
        assert_eq!(of(on_kafka, Some("kafka://b:2")).unwrap(), kafka("b:2"));
        assert_eq!(of(on_kafka, Some("there")).unwrap(), directory("there"));
        assert!(of(embedded, Some("kafka://")).is_err());
        assert!(of(embedded, Some("kafka://b:2/topic")).is_err());
    }
}
