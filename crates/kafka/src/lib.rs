//! The log on Kafka: readers, appenders, topics and the lease of a pipeline, over librdkafka. No
//! other crate names Kafka's client.
//!
//! The truth about order is in the ledger's control topic, so little is asked of Kafka: partitions
//! that keep the order of one producer, an end that is stable, and topics that stay the same. There
//! are no transactions of our own; what others commit or abort is honoured.
//!
//! Clients are librdkafka's, with threads of their own: one that asks, one for each reader, one for
//! each appender, one for the lease and one for a group. Closing one takes a while, and is done in
//! the background.
//!
//! Not for brokers older than 2.8: topics have no identity there.

mod appender;
mod context;
mod failure;
mod group;
mod lease;
mod native;
mod properties;
mod reader;
mod settings;
mod shared;
mod tools;

use std::{sync::Arc, time::Duration};

use alluvium_learn::Time;
use alluvium_ledger::log::{
    Appender, Ends, Errand, Lease, Log, LogError, Policy, RecordReader, Span,
};
use rdkafka::{Offset, consumer::Consumer, error::RDKafkaErrorCode as Code};

use crate::{context::lock, failure::Refusal, shared::Shared};
pub use crate::{
    group::{Given, Group, Place, Stands, Turn},
    settings::{Mistake, Settings},
    tools::{ADMIN_FILE, Resource, Right, Tools},
};

/// A trouble as old as this may be over.
const RECENT: Duration = Duration::from_secs(10);

/// A log on Kafka. Cheap to clone; clones share the client that asks.
#[derive(Clone)]
pub struct KafkaLog {
    shared: Arc<Shared>,
}

/// What this user can see of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// There is no such topic.
    Missing,
    /// This user may not know whether it is there.
    Hidden,
    /// It is there.
    There(Topic),
}

/// A topic that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// How many partitions it has.
    pub partitions: u32,
    /// What this user may do with it.
    pub rights: Vec<Right>,
    /// How it is kept; `None`: this user may not see that.
    pub settings: Option<TopicSettings>,
}

/// How a topic is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicSettings {
    /// Whether `cleanup.policy` has `compact`: of each key the newest record stays.
    pub compacts: bool,
    /// Whether it has `delete`: what is old or too much goes.
    pub deletes: bool,
    /// `retention.ms`; `None`: for ever. Of no effect where nothing is deleted.
    pub retention_ms: Option<u64>,
    /// `retention.bytes`, of a partition; `None`: no bound. Of no effect where nothing is deleted.
    pub retention_bytes: Option<u64>,
    /// `compression.type`: anything but `zstd` lets a small record become a very large one.
    pub compression: String,
    /// The largest batch the topic takes, in bytes.
    pub batch_bytes_max: Option<u64>,
}

impl TopicSettings {
    fn of(configs: &[(String, String)]) -> TopicSettings {
        let value = |name: &str| {
            configs.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
        };
        let policy = value("cleanup.policy");
        // -1 is no number of anything: they stay.
        TopicSettings {
            compacts: policy.contains("compact"),
            deletes: policy.contains("delete"),
            retention_ms: value("retention.ms").parse().ok(),
            retention_bytes: value("retention.bytes").parse().ok(),
            compression: value("compression.type").to_owned(),
            batch_bytes_max: value("max.message.bytes").parse().ok(),
        }
    }

    /// What becomes of old records, as the ledger asks it.
    fn policy(&self) -> Policy {
        match self.compacts {
            true => Policy::Compact,
            false => Policy::Delete { retention_ms: self.retention_ms },
        }
    }
}

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The host it comes from, as the brokers see it.
    pub host: String,
    /// The group's name for it.
    pub member: String,
}

impl KafkaLog {
    /// Reads the settings and makes a client. Nobody is asked anything yet: that the servers are
    /// down is said by the first question.
    ///
    /// # Errors
    /// [`LogError::Denied`] when the settings are wrong; the sentence names file, line and key.
    pub fn open(settings: &Settings) -> Result<KafkaLog, LogError> {
        Ok(KafkaLog { shared: Shared::open(settings)? })
    }

    /// Whom the client asks first.
    pub fn servers(&self) -> &str {
        self.shared.asker.properties.servers()
    }

    /// The newest lines that the clients have logged, without secrets. For people who look for the
    /// reason of something.
    pub fn lines(&self) -> Vec<String> {
        self.shared.asker.said.lines()
    }

    /// Why the newest lease is not got, when the servers have said so.
    pub fn lease_trouble(&self) -> Option<LogError> {
        let lease = lock(&self.shared.lease);
        let newest = lease.as_ref()?.trouble(Duration::MAX)?;
        // What is not allowed is said once; that nobody answers is said as long as it is so.
        let is_past = || lease.as_ref().is_some_and(|lease| lease.trouble(RECENT).is_none());
        if !newest.is_denial() && is_past() {
            return None;
        }
        let trouble = newest;
        Some(trouble.error("asking for the lease", self.servers()))
    }

    /// Joins a group that shares topics among processes. The topics have to be there.
    ///
    /// # Errors
    /// When the client cannot be made, or does not take the names.
    pub fn group(&self, name: &str, topics: &[&str]) -> Result<Group, LogError> {
        Group::join(&self.shared, name, topics)
    }

    /// Who holds the lease of a pipeline, or `None`. Does not ask for it.
    ///
    /// # Errors
    /// When the log cannot be reached, or does not say.
    pub fn lease_holder(&mut self, pipeline: &str) -> Result<Option<Holder>, LogError> {
        let (asker, group) = (&self.shared.asker, lease::group(pipeline, Errand::Run));
        let timeout = self.shared.settings.answer_timeout;
        let found = asker.handle.client().fetch_group_list(Some(&group), timeout);
        asker.handle.context().serve(&asker.handle);
        let found = found.map_err(|error| {
            asker.error(&Refusal::of(&error), &format!("asking for the group `{group}`"))
        })?;
        let members = found.groups().iter().flat_map(|group| group.members());
        // A member without the topic has an assignment that is empty but for its header.
        let holder = members.into_iter().find(|member| {
            let bytes = member.assignment().unwrap_or_default();
            let control = format!("{pipeline}.control");
            bytes.windows(control.len()).any(|window| window == control.as_bytes())
        });
        Ok(holder.map(|member| Holder {
            host: member.client_host().trim_start_matches('/').to_owned(),
            member: member.id().to_owned(),
        }))
    }

    /// What this user can see of a topic, and may do with it.
    ///
    /// # Errors
    /// When the log cannot be reached.
    pub fn topic(&mut self, topic: &str) -> Result<Seen, LogError> {
        let asker = &self.shared.asker;
        let described = match asker.describe_with(topic, true) {
            Ok(Some(described)) => described,
            Ok(None) => return Ok(Seen::Missing),
            Err(refusal) if refusal.code == Code::TopicAuthorizationFailed => {
                return Ok(Seen::Hidden);
            }
            Err(refusal) => {
                return Err(asker.error(&refusal, &format!("asking for topic `{topic}`")));
            }
        };
        let configs = match asker.configs(topic) {
            Err(LogError::NoTopic { .. }) => return Ok(Seen::Missing),
            configs => configs?,
        };
        Ok(Seen::There(Topic {
            partitions: described.led.len() as u32,
            rights: described.rights,
            settings: configs.map(|configs| TopicSettings::of(&configs)),
        }))
    }

    /// The name of the group by which an errand of a pipeline has its lease.
    pub fn lease_group(pipeline: &str, errand: Errand<'_>) -> String {
        lease::group(pipeline, errand)
    }

    /// What this user may do with a consumer group, whether it is there or not.
    ///
    /// # Errors
    /// When the log cannot be reached, or does not say.
    pub fn group_rights(&mut self, group: &str) -> Result<Vec<Right>, LogError> {
        let asker = &self.shared.asker;
        match native::group_rights(&asker.handle, group, self.shared.settings.answer_timeout) {
            Err(refusal) if refusal.code == Code::GroupAuthorizationFailed => Ok(Vec::new()),
            Err(refusal) => Err(asker.error(&refusal, &format!("asking for the group `{group}`"))),
            Ok(rights) => Ok(rights),
        }
    }

    /// The names of all topics that this user may know of, but for Kafka's own.
    ///
    /// # Errors
    /// When the log cannot be reached.
    pub fn topics(&mut self) -> Result<Vec<String>, LogError> {
        let asker = &self.shared.asker;
        let found = asker.handle.fetch_metadata(None, self.shared.settings.answer_timeout);
        asker.handle.context().serve(&asker.handle);
        let found =
            found.map_err(|error| asker.error(&Refusal::of(&error), "asking for all topics"))?;
        let names = found.topics().iter().map(|topic| topic.name().to_owned());
        Ok(names.filter(|name| !name.starts_with("__")).collect())
    }

    /// Whether a topic of that name is there or could be made. Makes nothing.
    ///
    /// # Errors
    /// [`LogError::Denied`] when it may not be made; others when the log cannot be reached.
    pub fn may_create(&mut self, topic: &str, partitions: u32) -> Result<(), LogError> {
        let policy = Policy::Delete { retention_ms: None };
        self.shared.asker.create(topic, partitions, policy, true)
    }
}

impl Log for KafkaLog {
    fn reader(&mut self, spans: &[Span]) -> Result<Box<dyn RecordReader>, LogError> {
        Ok(Box::new(reader::Reader::new(self.shared.clone(), spans)?))
    }

    fn appender(&mut self) -> Result<Box<dyn Appender>, LogError> {
        Ok(Box::new(appender::Session::new(self.shared.clone())?))
    }

    fn ends(&mut self, topic: &str) -> Result<Option<Ends>, LogError> {
        let asker = &self.shared.asker;
        let Some(described) = asker.describe(topic)? else { return Ok(None) };
        let all: Vec<u32> = (0..described.led.len() as u32).collect();
        let asked =
            asker.configs(topic).and_then(|configs| Ok((configs, asker.ends(topic, &all)?)));
        match asked {
            Ok((configs, partitions)) => {
                let policy = configs.map(|configs| TopicSettings::of(&configs).policy());
                Ok(Some(Ends { id: described.id, policy, partitions }))
            }
            Err(LogError::NoTopic { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn offsets_at(&mut self, topic: &str, time: Time) -> Result<Vec<u64>, LogError> {
        let asker = &self.shared.asker;
        let all: Vec<u32> = (0..asker.describe_known(topic)?.led.len() as u32).collect();
        // No record of Kafka's is older than its clock; and what is below zero means other things.
        let at = if time <= 0 { Offset::Beginning } else { Offset::Offset(time) };
        let found = asker.offsets(topic, &all, at)?;
        let ends = asker.offsets(topic, &all, Offset::End)?;
        Ok(found.into_iter().zip(ends).map(|(found, end)| found.or(end).unwrap_or(0)).collect())
    }

    fn create(&mut self, topic: &str, partitions: u32, policy: Policy) -> Result<(), LogError> {
        self.shared.asker.create(topic, partitions, policy, false)
    }

    fn lease(&mut self, pipeline: &str, errand: Errand<'_>) -> Result<Box<dyn Lease>, LogError> {
        Ok(Box::new(lease::GroupLease::new(&self.shared, pipeline, errand)?))
    }
}
