//! Where the topics of a pipeline live, and the log they live in: embedded, or Kafka.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use alluvium_embedded::Embedded;
use alluvium_flow::spec::{KafkaLog as KafkaChoice, LogChoice};
pub use alluvium_kafka::{ADMIN_FILE, Holder, Resource, Right, Seen, Tools, Topic, TopicSettings};
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
                    if is_server(address) {
                        let why =
                            format!("`{address}` looks like a broker: write {KAFKA}{address}");
                        return Err(Failure::Usage(why));
                    }
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

    /// A live topic by its address, `kafka://HOST:PORT/TOPIC`, and where it is; `None`: it is the
    /// address of something else. `client`: how Kafka is reached, beside its address.
    ///
    /// # Errors
    /// When the address has no host or no topic, or the settings of Kafka's client are wrong.
    pub fn of_topic(
        address: &str,
        client: Option<&Path>,
    ) -> Option<Result<(Place, String), Failure>> {
        let rest = address.strip_prefix(KAFKA)?;
        let (servers, topic) = rest.split_once('/').unwrap_or((rest, ""));
        if servers.is_empty() || topic.is_empty() || topic.contains('/') {
            let why = format!("`{address}` is no live topic: write kafka://HOST:PORT/TOPIC");
            return Some(Err(Failure::Usage(why)));
        }
        let settings = alluvium_kafka::Settings::new(servers, client.map(Path::to_path_buf));
        let checked = settings.check().map_err(|mistake| Failure::Usage(mistake.to_string()));
        Some(checked.map(|()| (Place::Kafka(settings), topic.to_string())))
    }

    /// How the pipeline file says that its log is there, where the client's settings lie at this
    /// path, seen from the file; nothing for the log that needs no saying.
    pub fn in_file(&self, client: Option<&str>) -> Vec<(&'static str, String)> {
        match self {
            Place::Directory(_) => Vec::new(),
            Place::Kafka(settings) => {
                let mut lines = vec![("log.kafka.servers", settings.servers.clone())];
                lines.extend(client.map(|path| ("log.kafka.client", path.to_string())));
                lines
            }
        }
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

    /// What to type to make the topics of a log that somebody administers; `None`: nobody has to.
    ///
    /// # Errors
    /// When the settings of Kafka's client are wrong.
    pub fn tools(&self) -> anyhow::Result<Option<Tools>> {
        Ok(match self {
            Place::Directory(_) => None,
            Place::Kafka(settings) => Some(Tools::of(settings)?),
        })
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

/// Whether an address is a host and a port, and no directory that is there.
fn is_server(address: &str) -> bool {
    let port = address.rsplit_once(':').map(|(_, port)| port);
    let is_port = |port: &str| port.parse::<u16>().is_ok();
    port.is_some_and(is_port) && !Path::new(address).exists()
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

    /// Whether somebody holds the lease to run a pipeline, and who, where the log can tell.
    ///
    /// # Errors
    /// When the log fails.
    pub fn holder(&mut self, pipeline: &str) -> Result<(bool, Option<Holder>), LogError> {
        match self {
            // Asking takes a free lease; it is given back at once.
            Store::Embedded(log) => Ok((!log.lease(pipeline, Errand::Run)?.held(), None)),
            Store::Kafka(log) => {
                let holder = log.lease_holder(pipeline)?;
                Ok((holder.is_some(), holder))
            }
        }
    }

    /// How long it may take to get a lease that nobody holds: brokers let a new group wait for its
    /// members first, three seconds if nobody has set otherwise.
    pub fn lease_takes(&self) -> Duration {
        match self {
            Store::Embedded(_) => Duration::ZERO,
            Store::Kafka(_) => Duration::from_secs(6),
        }
    }

    /// Why the newest lease is not got, when the brokers have said so.
    pub fn lease_trouble(&self) -> Option<LogError> {
        match self {
            Store::Embedded(_) => None,
            Store::Kafka(log) => log.lease_trouble(),
        }
    }

    /// What can be seen of a topic that somebody administers; `None`: nobody has to.
    ///
    /// # Errors
    /// When the log fails.
    pub fn seen(&mut self, topic: &str) -> Result<Option<Seen>, LogError> {
        match self {
            Store::Embedded(_) => Ok(None),
            Store::Kafka(log) => log.topic(topic).map(Some),
        }
    }

    /// Whether a topic could be made.
    ///
    /// # Errors
    /// [`LogError::Denied`] when it may not be; others when the log fails.
    pub fn may_create(&mut self, topic: &str, partitions: u32) -> Result<(), LogError> {
        match self {
            Store::Embedded(_) => Ok(()),
            Store::Kafka(log) => log.may_create(topic, partitions),
        }
    }

    /// The group by which an errand has its lease, and what this user may do with it; `None`:
    /// there are no groups.
    ///
    /// # Errors
    /// When the log fails.
    pub fn lease_group(
        &mut self,
        pipeline: &str,
        errand: Errand<'_>,
    ) -> Result<Option<(String, Vec<Right>)>, LogError> {
        let group = KafkaLog::lease_group(pipeline, errand);
        Ok(self.group_rights(&group)?.map(|rights| (group, rights)))
    }

    /// What this user may do with a group; `None`: there are no groups.
    ///
    /// # Errors
    /// When the log fails.
    pub fn group_rights(&mut self, group: &str) -> Result<Option<Vec<Right>>, LogError> {
        match self {
            Store::Embedded(_) => Ok(None),
            Store::Kafka(log) => log.group_rights(group).map(Some),
        }
    }

    /// The names of all topics that this user may know of, where the log can list them.
    ///
    /// # Errors
    /// When the log fails.
    pub fn topics(&mut self) -> Result<Vec<String>, LogError> {
        match self {
            Store::Embedded(_) => Ok(Vec::new()),
            Store::Kafka(log) => log.topics(),
        }
    }

    /// What the client of the log has said of late, for people who look for the reason of
    /// something.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Store::Embedded(_) => Vec::new(),
            Store::Kafka(log) => log.lines(),
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

    #[test]
    fn a_live_topic_has_a_host_and_a_name() {
        let of = |address: &str| Place::of_topic(address, None);
        assert!(of("data.csv").is_none());
        let (place, topic) = of("kafka://a:1,b:2/orders.v1").unwrap().unwrap();
        assert_eq!((&place, &*topic), (&kafka("a:1,b:2"), "orders.v1"));
        let lines = place.in_file(Some("client.properties"));
        let expected =
            [("log.kafka.servers", "a:1,b:2"), ("log.kafka.client", "client.properties")];
        assert_eq!(lines, expected.map(|(key, value)| (key, value.to_string())));
        for wrong in ["kafka://", "kafka://a:1", "kafka://a:1/", "kafka:///x", "kafka://a:1/x/y"] {
            assert!(of(wrong).unwrap().is_err(), "{wrong}");
        }
        let client = Some(Path::new("nowhere.properties"));
        assert!(Place::of_topic("kafka://a:1/x", client).unwrap().is_err());
    }
}
