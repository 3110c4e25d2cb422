//! What all clones of a log have in common: the client that asks, what it knows of topics, whoever
//! watches that topics stay the same, and the clients that are being closed.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Condvar, Mutex, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use alluvium_ledger::log::{LogError, PartitionEnds, Policy};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    config::{FromClientConfigAndContext, RDKafkaLogLevel},
    consumer::Consumer,
    error::{KafkaError, RDKafkaErrorCode},
};

use crate::{
    context::{Common, ReadContext, Said, lock},
    failure::Refusal,
    native::{self, Described, Handle},
    settings::{Properties, Settings},
    tools,
};

/// A topic that was there a moment ago is taken for missing only after so long: not every broker
/// knows at once what was made.
const MISSING_PATIENCE: Duration = Duration::from_secs(1);
/// How long to wait before a question is asked again.
const AGAIN: Duration = Duration::from_millis(20);
/// A trouble as old as this may still be why there is no answer.
const TROUBLE_AGE_MAX: Duration = Duration::from_secs(60);
/// How often the topics that are read are looked at.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// How long the end of a log waits for its clients to be closed.
const CLOSING_PATIENCE: Duration = Duration::from_secs(2);

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) asker: Arc<Asker>,
    pub(crate) closing: Closing,
    /// The newest lease's troubles.
    pub(crate) lease: Mutex<Option<Common>>,
    watch: Arc<Watch>,
}

/// The client that asks.
pub(crate) struct Asker {
    pub(crate) properties: Properties,
    pub(crate) said: Arc<Said>,
    pub(crate) handle: Handle,
    timeout: Duration,
    /// Topics that were there when last asked for.
    seen: Mutex<BTreeSet<String>>,
}

impl Shared {
    pub(crate) fn open(settings: &Settings) -> Result<Arc<Shared>, LogError> {
        let properties =
            Properties::load(settings).map_err(|mistake| LogError::Denied(mistake.to_string()))?;
        let said = Arc::new(Said::new(properties.secrets.clone()));
        let mut config = base_config(&properties);
        config.set("isolation.level", "read_committed");
        let context = ReadContext(Common::new(said.clone(), "asker"));
        let handle = build(&config, context, properties.servers())?;
        let asker = Arc::new(Asker {
            properties,
            said,
            handle,
            timeout: settings.answer_timeout,
            seen: Mutex::default(),
        });
        let (closing, watch) = (Closing::default(), Arc::new(Watch::default()));
        let watching = closing.begin();
        let (watcher, asking) = (watch.clone(), asker.clone());
        let work = move || {
            watcher.run(&asking);
            drop(asking);
            drop(watching);
        };
        thread::Builder::new().name("kafka-watch".to_owned()).spawn(work).map_err(|error| {
            LogError::Unavailable(format!("starting the watching thread failed: {error}"))
        })?;
        let settings = settings.clone();
        Ok(Arc::new(Shared { settings, asker, closing, lease: Mutex::default(), watch }))
    }

    /// Settings that every client has.
    pub(crate) fn config(&self) -> ClientConfig {
        base_config(&self.asker.properties)
    }

    /// Settings of each member of a consumer group, which begins where nobody has read yet.
    pub(crate) fn group_config(&self, name: &str) -> ClientConfig {
        let session_timeout = self.settings.session_timeout;
        // How soon a member hears that another one has left.
        let heartbeat = (session_timeout / 20)
            .clamp(Duration::from_millis(100), Duration::from_millis(500))
            .as_millis();
        let mut config = self.config();
        config
            .set("group.id", name)
            .set("session.timeout.ms", session_timeout.as_millis().to_string())
            .set("heartbeat.interval.ms", heartbeat.to_string())
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "latest");
        config
    }

    /// Makes a client.
    pub(crate) fn build<C, T>(&self, config: &ClientConfig, context: C) -> Result<T, LogError>
    where
        C: rdkafka::ClientContext,
        T: FromClientConfigAndContext<C>,
    {
        build(config, context, self.asker.properties.servers())
    }

    /// Sees to it that a topic stays the one it is.
    pub(crate) fn watch(&self, topic: &str, id: u128) -> Arc<Watched> {
        let watched =
            Arc::new(Watched { topic: topic.to_owned(), id, gone: AtomicBool::new(false) });
        lock(&self.watch.topics).push(Arc::downgrade(&watched));
        watched
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.watch.stop.store(true, Ordering::Release);
        self.closing.wait();
    }
}

fn build<C, T>(config: &ClientConfig, context: C, servers: &str) -> Result<T, LogError>
where
    C: rdkafka::ClientContext,
    T: FromClientConfigAndContext<C>,
{
    config
        .create_with_context(context)
        .map_err(|error| Refusal::of(&error).error("making a client of Kafka", servers))
}

/// Settings that every client has, below what the user set.
fn base_config(properties: &Properties) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("allow.auto.create.topics", "false")
        .set("client.id", "alluvium")
        .set("reconnect.backoff.max.ms", "1000")
        .set("socket.nagle.disable", "true")
        .set_log_level(RDKafkaLogLevel::Info);
    for (key, value) in &properties.values {
        // A consumer would only say that it has no use for them.
        if !key.starts_with("compression.") {
            config.set(*key, value);
        }
    }
    config
}

impl Asker {
    /// The error for what went wrong while something was done.
    pub(crate) fn error(&self, refusal: &Refusal, doing: &str) -> LogError {
        let common = &self.handle.context().0;
        let silent = matches!(
            refusal.code,
            RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
        );
        let why = if silent { common.trouble(TROUBLE_AGE_MAX) } else { None };
        why.as_ref().unwrap_or(refusal).error(doing, self.properties.servers())
    }

    /// What a topic is; `None`: there is no such topic.
    pub(crate) fn describe(&self, topic: &str) -> Result<Option<Described>, LogError> {
        let doing = || format!("asking for topic `{topic}`");
        self.describe_with(topic, false).map_err(|refusal| self.error(&refusal, &doing()))
    }

    /// As [`Asker::describe`], if need be with what this user may do with it.
    pub(crate) fn describe_with(
        &self,
        topic: &str,
        rights: bool,
    ) -> Result<Option<Described>, Refusal> {
        let began = Instant::now();
        loop {
            let answers = native::describe(&self.handle, &[topic], rights, self.timeout);
            let answer = answers.and_then(|mut answers| {
                answers.pop().unwrap_or_else(|| Err(Refusal::invalid("an empty answer")))
            });
            let is_late = began.elapsed() >= self.timeout;
            match answer {
                Ok(found) => {
                    self.handle.context().0.forget_trouble();
                    if found.led.iter().all(|is_led| *is_led) || is_late {
                        lock(&self.seen).insert(topic.to_owned());
                        return Ok(Some(found));
                    }
                }
                Err(refusal) if refusal.is_no_topic() => {
                    let was_seen = lock(&self.seen).contains(topic);
                    if !was_seen || began.elapsed() >= MISSING_PATIENCE {
                        lock(&self.seen).remove(topic);
                        return Ok(None);
                    }
                }
                Err(refusal) if is_late || !is_passing(refusal.code) => return Err(refusal),
                Err(_) => {}
            }
            thread::sleep(AGAIN);
        }
    }

    /// As [`Asker::describe`], of a topic that has to be there.
    pub(crate) fn describe_known(&self, topic: &str) -> Result<Described, LogError> {
        self.describe(topic)?.ok_or_else(|| LogError::NoTopic { topic: topic.to_owned() })
    }

    /// A topic's settings. `None`: this user may not see them.
    pub(crate) fn configs(&self, topic: &str) -> Result<Option<Vec<(String, String)>>, LogError> {
        match native::configs(&self.handle, topic, self.timeout) {
            Ok(configs) => Ok(Some(configs)),
            Err(refusal) if refusal.code == RDKafkaErrorCode::TopicAuthorizationFailed => Ok(None),
            Err(refusal) if refusal.is_no_topic() => {
                Err(LogError::NoTopic { topic: topic.to_owned() })
            }
            Err(refusal) => {
                Err(self.error(&refusal, &format!("asking for the settings of topic `{topic}`")))
            }
        }
    }

    /// For each partition the first offset at a time or place, as the protocol has it; `None`: no
    /// record is there.
    pub(crate) fn offsets(
        &self,
        topic: &str,
        partitions: &[u32],
        at: Offset,
    ) -> Result<Vec<Option<u64>>, LogError> {
        let began = Instant::now();
        loop {
            match self.offsets_once(topic, partitions, at) {
                Ok(offsets) => return Ok(offsets),
                Err(refusal) if refusal.is_no_topic() => {
                    return Err(LogError::NoTopic { topic: topic.to_owned() });
                }
                Err(refusal) => {
                    self.handle.context().serve(&self.handle);
                    if began.elapsed() >= self.timeout || !is_passing(refusal.code) {
                        let doing = format!("asking where topic `{topic}` begins and ends");
                        return Err(self.error(&refusal, &doing));
                    }
                }
            }
            thread::sleep(AGAIN);
        }
    }

    fn offsets_once(
        &self,
        topic: &str,
        partitions: &[u32],
        at: Offset,
    ) -> Result<Vec<Option<u64>>, Refusal> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let failed = |error: KafkaError| Refusal::of(&error);
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition_offset(topic, *partition as i32, at).map_err(failed)?;
        }
        let list = self.handle.offsets_for_times(list, self.timeout).map_err(failed)?;
        let mut offsets = Vec::with_capacity(partitions.len());
        for partition in partitions {
            let found = list
                .find_partition(topic, *partition as i32)
                .ok_or_else(|| Refusal::invalid("an answer that leaves a partition out"))?;
            found.error().map_err(failed)?;
            offsets.push(match found.offset() {
                Offset::Offset(offset) => u64::try_from(offset).ok(),
                _ => None,
            });
        }
        Ok(offsets)
    }

    /// Where partitions begin and end.
    pub(crate) fn ends(
        &self,
        topic: &str,
        partitions: &[u32],
    ) -> Result<Vec<PartitionEnds>, LogError> {
        let earliest = self.offsets(topic, partitions, Offset::Beginning)?;
        let stable = self.offsets(topic, partitions, Offset::End)?;
        let ends = earliest.into_iter().zip(stable).map(|(earliest, stable)| {
            let earliest = earliest.unwrap_or(0);
            PartitionEnds { earliest, stable: stable.unwrap_or(earliest) }
        });
        Ok(ends.collect())
    }

    /// Makes a topic, or with `for_show` only asks whether it could be made. Nothing happens when
    /// it is there already.
    pub(crate) fn create(
        &self,
        topic: &str,
        partitions: u32,
        policy: Policy,
        for_show: bool,
    ) -> Result<(), LogError> {
        // Who may only read a topic may not make it; one that is there needs no making.
        if !for_show {
            match self.describe(topic) {
                Ok(Some(_)) => return Ok(()),
                Err(error @ LogError::Unavailable(_)) => return Err(error),
                Ok(None) | Err(_) => {}
            }
        }
        let settings = tools::settings_of(policy);
        let mut configs: Vec<(&str, &str)> =
            settings.iter().map(|(name, value)| (*name, &**value)).collect();
        // Since 4.0 brokers refuse timestamps an hour ahead; those of records that are loaded are
        // what they are.
        configs.push(("message.timestamp.after.max.ms", "9223372036854775807"));
        let make = |configs: &[(&str, &str)]| {
            native::create(&self.handle, topic, partitions, configs, for_show, self.timeout)
        };
        let mut made = make(&configs);
        if made.as_ref().is_err_and(|refusal| refusal.code == RDKafkaErrorCode::InvalidConfig) {
            // Before 3.6 no broker knows the last one.
            configs.pop();
            made = make(&configs);
        }
        match made {
            Ok(()) => {}
            Err(refusal) if refusal.code == RDKafkaErrorCode::TopicAlreadyExists => {}
            Err(refusal) => return Err(self.error(&refusal, &format!("making topic `{topic}`"))),
        }
        if !for_show {
            lock(&self.seen).insert(topic.to_owned());
            self.describe(topic)?;
        }
        Ok(())
    }
}

/// Whether a code passes by itself, soon.
fn is_passing(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::BrokerNotAvailable
            | Code::ReplicaNotAvailable
            | Code::OffsetNotAvailable
            | Code::UnknownLeaderEpoch
            | Code::FencedLeaderEpoch
            | Code::NetworkException
            | Code::BrokerTransportFailure
            | Code::NotController
            | Code::RequestTimedOut
            | Code::WaitCache
    )
}

/// A topic that is being read.
pub(crate) struct Watched {
    topic: String,
    id: u128,
    gone: AtomicBool,
}

impl Watched {
    /// Whether it was deleted, made again or not.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }
}

/// Looks, once a second, whether the topics that are read are still the ones they were: a client
/// reads on in a topic of the same name as if nothing had happened.
#[derive(Default)]
struct Watch {
    topics: Mutex<Vec<Weak<Watched>>>,
    stop: AtomicBool,
}

impl Watch {
    fn run(&self, asker: &Asker) {
        let mut next = Instant::now() + WATCH_EVERY;
        while !self.stop.load(Ordering::Acquire) {
            thread::sleep(AGAIN);
            if Instant::now() < next {
                continue;
            }
            self.look(asker);
            asker.handle.context().serve(&asker.handle);
            next = Instant::now() + WATCH_EVERY;
        }
    }

    fn look(&self, asker: &Asker) {
        let watched: Vec<Arc<Watched>> = {
            let mut topics = lock(&self.topics);
            topics.retain(|watched| watched.strong_count() > 0);
            topics.iter().filter_map(Weak::upgrade).collect()
        };
        let names: BTreeSet<&str> = watched.iter().map(|watched| &*watched.topic).collect();
        let names: Vec<&str> = names.into_iter().collect();
        if names.is_empty() {
            return;
        }
        // Whoever cannot be reached now is asked again in a second.
        let Ok(found) = native::describe(&asker.handle, &names, false, asker.timeout) else {
            return;
        };
        for watched in &watched {
            let Ok(index) = names.binary_search(&&*watched.topic) else { continue };
            let is_gone = match &found[index] {
                Ok(described) => described.id != watched.id,
                Err(refusal) => refusal.is_no_topic(),
            };
            if is_gone {
                watched.gone.store(true, Ordering::Release);
            }
        }
    }
}

/// Clients on their way out: closing one takes a while, and whoever drops it does not wait.
#[derive(Clone, Default)]
pub(crate) struct Closing(Arc<(Mutex<usize>, Condvar)>);

/// Something that is waited for at the end.
pub(crate) struct Open(Closing);

impl Closing {
    /// From now on the end waits, until what is returned is dropped.
    pub(crate) fn begin(&self) -> Open {
        *lock(&self.0.0) += 1;
        Open(self.clone())
    }

    /// Drops something in a thread of its own.
    pub(crate) fn close<T: Send + 'static>(&self, what: T) {
        let open = self.begin();
        let work = move || {
            drop(what);
            drop(open);
        };
        // Without a thread it is dropped here, and waited for.
        drop(thread::Builder::new().name("kafka-close".to_owned()).spawn(work));
    }

    /// Waits for all, but not for ever.
    fn wait(&self) {
        let (count, changed) = &*self.0;
        let left = changed.wait_timeout_while(lock(count), CLOSING_PATIENCE, |count| *count > 0);
        drop(left);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let (count, changed) = &*self.0.0;
        *lock(count) -= 1;
        changed.notify_all();
    }
}
