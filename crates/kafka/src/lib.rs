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

use std::{sync::Arc, time::Duration};

use alluvium_learn::Time;
use alluvium_ledger::log::{
    Appender, Ends, Errand, Lease, Log, LogError, Policy, RecordReader, Span,
};
use rdkafka::{Offset, consumer::Consumer};

use crate::{context::lock, failure::Refusal, shared::Shared};
pub use crate::{
    group::{Given, Group, Place, Stands, Turn},
    settings::{Mistake, Settings},
};

/// A trouble as old as this may be over.
const RECENT: Duration = Duration::from_secs(10);

/// A log on Kafka. Cheap to clone; clones share the client that asks.
#[derive(Clone)]
pub struct KafkaLog {
    shared: Arc<Shared>,
}

/// How a topic is kept, for whoever checks it before a pipeline runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSettings {
    /// What becomes of old records.
    pub policy: Policy,
    /// `compression.type`: anything but `zstd` lets a small record become a very large one.
    pub compression: String,
    /// `message.timestamp.type`: `CreateTime` or `LogAppendTime`.
    pub timestamps: String,
    /// The largest batch the topic takes, in bytes.
    pub batch_bytes_max: Option<u64>,
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

    /// Who holds the lease of a pipeline: the host of the client that has it, or `None`. Does not
    /// ask for it.
    ///
    /// # Errors
    /// When the log cannot be reached, or does not say.
    pub fn lease_holder(&mut self, pipeline: &str) -> Result<Option<String>, LogError> {
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
        Ok(holder.map(|member| member.client_host().trim_start_matches('/').to_owned()))
    }

    /// How a topic is kept. `None`: there is no such topic, or this user may not see it.
    ///
    /// # Errors
    /// When the log cannot be reached.
    pub fn topic_settings(&mut self, topic: &str) -> Result<Option<TopicSettings>, LogError> {
        let asker = &self.shared.asker;
        if asker.describe(topic)?.is_none() {
            return Ok(None);
        }
        let Some(configs) = asker.configs(topic)? else { return Ok(None) };
        let value = |name: &str| {
            let found = configs.iter().find(|(found, _)| found == name);
            found.map(|(_, value)| value.clone())
        };
        Ok(Some(TopicSettings {
            policy: policy_of(&configs),
            compression: value("compression.type").unwrap_or_default(),
            timestamps: value("message.timestamp.type").unwrap_or_default(),
            batch_bytes_max: value("max.message.bytes").and_then(|bytes| bytes.parse().ok()),
        }))
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

/// What becomes of old records, by a topic's settings.
fn policy_of(configs: &[(String, String)]) -> Policy {
    let value = |name: &str| configs.iter().find(|(found, _)| found == name).map(|(_, v)| &**v);
    if value("cleanup.policy").is_some_and(|policy| policy.contains("compact")) {
        return Policy::Compact;
    }
    // -1 is no number of milliseconds: they stay.
    Policy::Delete { retention_ms: value("retention.ms").and_then(|ms| ms.parse().ok()) }
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
                let policy = configs.map(|configs| policy_of(&configs));
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
