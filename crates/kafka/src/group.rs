//! A consumer group of our own: several processes share the partitions of some topics, and the
//! group remembers up to where each partition was dealt with.
//!
//! The group says who reads what and where to begin; reading itself is done by readers of spans, as
//! everywhere else, so that a lost place, a topic made again and a damaged batch are told in the
//! same words. Commits wait for their answers in a thread of their own: the client tells nobody
//! what became of one that was not waited for. All partitions are given back before others are
//! given (no cooperative protocol): the order in which processes come and go leaves nothing behind.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use alluvium_ledger::log::LogError;
use rdkafka::{
    Offset, TopicPartitionList,
    client::ClientContext,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext},
    error::KafkaError,
    types::RDKafkaRespErr,
};

use crate::{
    context::{Common, lock},
    failure::Refusal,
    shared::{Open, Shared},
};

/// How many of the client's events one poll takes.
const EVENTS_MAX: usize = 16;
/// How often the client looks for partitions that were added, in milliseconds.
const METADATA_MS: &str = "10000";

/// A place in a group's partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The next offset.
    pub offset: u64,
}

/// Where a group stands in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// Everything before this offset was dealt with.
    At(u64),
    /// It has never stood in the topic, or what it knew was forgotten.
    Nowhere,
    /// The partition was added after the group had begun with the topic.
    Added,
}

/// A partition that was given to this member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// Where the group stands in it.
    pub stands: Stands,
}

/// What is new in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing.
    Same,
    /// These are this member's, and no others are; there may be none.
    Given(Vec<Given>),
    /// Nothing is this member's any more. The others wait until it has committed what it may, and
    /// called [`Group::release`].
    Taken,
}

/// Membership in a group. Ends when dropped.
pub struct Group {
    shared: Arc<Shared>,
    /// `None` only while it is being dropped, as is where commits go.
    consumer: Option<Arc<BaseConsumer<GroupContext>>>,
    commits: Option<Sender<TopicPartitionList>>,
    name: String,
    joined: Instant,
    /// What was given, as long as it is not known where the group stands there.
    given: Option<Vec<(String, u32)>>,
    /// What the group's notes say of each topic.
    topics: BTreeMap<String, Note>,
}

/// What is noted beside each committed offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Note {
    /// The topic's identity: a topic made again is another.
    id: u128,
    /// How many partitions there were when the group began with it.
    partitions: u32,
}

impl Note {
    fn encode(self) -> String {
        format!("alluvium {:032x} {}", self.id, self.partitions)
    }

    fn decode(text: &str) -> Option<Note> {
        let (id, partitions) = text.strip_prefix("alluvium ")?.split_once(' ')?;
        let id = u128::from_str_radix(id, 16).ok()?;
        Some(Note { id, partitions: partitions.parse().ok()? })
    }
}

/// An offset that a group has committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Committed {
    offset: u64,
    note: Option<Note>,
}

/// Where a group stands in each partition of a topic, and what it will note there from now on.
fn stands(committed: &[Option<Committed>], id: u128) -> (Note, Vec<Stands>) {
    // What was noted in a topic of the same name is nothing to this one.
    let is_ours = |one: &&Committed| one.note.is_none_or(|note| note.id == id);
    let ours: Vec<Option<&Committed>> =
        committed.iter().map(|one| one.as_ref().filter(is_ours)).collect();
    let noted = ours.iter().flatten().filter_map(|one| Some(one.note?.partitions)).min();
    let has_begun = ours.iter().any(Option::is_some);
    let all = committed.len() as u32;
    // Somebody may have moved the group by hand, and so without a note.
    let partitions = noted.unwrap_or(if has_begun { 0 } else { all });
    let places = (0..all).zip(&ours).map(|(partition, one)| match one {
        Some(one) => Stands::At(one.offset),
        None if partition >= partitions => Stands::Added,
        None => Stands::Nowhere,
    });
    (Note { id, partitions }, places.collect())
}

impl Group {
    /// Asks to be let into a group that shares topics, which have to be there.
    pub(crate) fn join(
        shared: &Arc<Shared>,
        name: &str,
        topics: &[&str],
    ) -> Result<Group, LogError> {
        let mut config = shared.group_config(name);
        config
            .set("partition.assignment.strategy", "roundrobin")
            .set("topic.metadata.refresh.interval.ms", METADATA_MS);
        let common = Common::new(shared.asker.said.clone(), "group");
        let consumer: BaseConsumer<GroupContext> =
            shared.build(&config, GroupContext::new(common))?;
        consumer.subscribe(topics).map_err(|error| {
            shared.asker.error(&Refusal::of(&error), &format!("joining the group `{name}`"))
        })?;
        let (consumer, (commits, asked)) = (Arc::new(consumer), mpsc::channel());
        let (committing, open) = (consumer.clone(), shared.closing.begin());
        thread::Builder::new()
            .name("kafka-commit".to_owned())
            .spawn(move || commit_all(committing, &asked, open))
            .map_err(|error| {
                LogError::Unavailable(format!("starting the committing thread failed: {error}"))
            })?;
        Ok(Group {
            shared: shared.clone(),
            consumer: Some(consumer),
            commits: Some(commits),
            name: name.to_owned(),
            joined: Instant::now(),
            given: None,
            topics: BTreeMap::new(),
        })
    }

    /// The group's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn consumer(&self) -> &BaseConsumer<GroupContext> {
        self.consumer.as_ref().expect("there is a client until the group is dropped")
    }

    fn error(&self, refusal: &Refusal, doing: &str) -> LogError {
        let doing = format!("{doing} the group `{}`", self.name);
        self.shared.asker.error(refusal, &doing)
    }

    /// Takes what is new. Has to be called all the time: who is silent for minutes is put out.
    ///
    /// # Errors
    /// [`LogError::Denied`] when this user may not be in the group; others when the servers do not
    /// say where the group stands: the next poll asks again.
    pub fn poll(&mut self) -> Result<Turn, LogError> {
        let consumer = self.consumer();
        let context = consumer.context().clone();
        for _ in 0..EVENTS_MAX {
            match consumer.poll(Duration::ZERO) {
                None => {}
                Some(Err(error)) => context.common.error(&error, ""),
                Some(Ok(_)) => {} // Paused; and if one came, it would be read elsewhere.
            }
        }
        match lock(&context.news).take() {
            Some(News::Taken) => {
                self.given = None;
                return Ok(Turn::Taken);
            }
            Some(News::Given(given)) => self.given = Some(given),
            None => {}
        }
        if let Some(refusal) = context.common.turned_away_since(self.joined) {
            return Err(self.error(&refusal, "being in"));
        }
        let Some(given) = self.given.clone() else { return Ok(Turn::Same) };
        let found = self.find(&given)?;
        self.given = None;
        context.common.forget_trouble();
        Ok(Turn::Given(found))
    }

    /// Where the group stands in what was given.
    fn find(&mut self, given: &[(String, u32)]) -> Result<Vec<Given>, LogError> {
        let mut stood = BTreeMap::new();
        let topics: BTreeSet<&String> = given.iter().map(|(topic, _)| topic).collect();
        for topic in topics {
            let described = self.shared.asker.describe_known(topic)?;
            let committed = self.committed(topic, described.led.len())?;
            let (note, places) = stands(&committed, described.id);
            self.topics.insert(topic.clone(), note);
            stood.insert(topic, places);
        }
        let places = given.iter().map(|(topic, partition)| Given {
            topic: topic.clone(),
            partition: *partition,
            // Beyond what was described a moment ago: it was added since.
            stands: stood[topic].get(*partition as usize).copied().unwrap_or(Stands::Added),
        });
        Ok(places.collect())
    }

    /// What the group has committed, for each partition of a topic.
    fn committed(
        &self,
        topic: &str,
        partitions: usize,
    ) -> Result<Vec<Option<Committed>>, LogError> {
        let failed =
            |error: KafkaError| self.error(&Refusal::of(&error), "asking for the offsets of");
        let mut list = TopicPartitionList::with_capacity(partitions);
        for partition in 0..partitions {
            list.add_partition(topic, partition as i32);
        }
        let timeout = self.shared.settings.answer_timeout;
        let list = self.consumer().committed_offsets(list, timeout).map_err(failed)?;
        let mut found = Vec::with_capacity(partitions);
        for element in list.elements() {
            element.error().map_err(failed)?;
            found.push(match element.offset() {
                Offset::Offset(offset) => u64::try_from(offset)
                    .ok()
                    .map(|offset| Committed { offset, note: Note::decode(element.metadata()) }),
                _ => None,
            });
        }
        Ok(found)
    }

    /// Commits where partitions that were given stand. What became of it is told by
    /// [`Group::are_committed`] and [`Group::take_failed`].
    ///
    /// # Errors
    /// When an offset is none.
    pub fn commit(&mut self, places: &[Place]) -> Result<(), LogError> {
        let failed = |error: KafkaError| self.error(&Refusal::of(&error), "committing to");
        let mut list = TopicPartitionList::with_capacity(places.len());
        for place in places {
            let Some(note) = self.topics.get(&place.topic) else { continue };
            let mut element = list.add_partition(&place.topic, place.partition as i32);
            let offset = i64::try_from(place.offset).unwrap_or(i64::MAX);
            element.set_offset(Offset::Offset(offset)).map_err(failed)?;
            element.set_metadata(note.encode());
        }
        if list.count() == 0 {
            return Ok(());
        }
        let context = self.consumer().context();
        context.commits.fetch_add(1, Ordering::AcqRel);
        if self.commits.as_ref().is_none_or(|commits| commits.send(list).is_err()) {
            context.committed(false);
        }
        Ok(())
    }

    /// Whether every commit has been answered.
    pub fn are_committed(&self) -> bool {
        self.consumer().context().commits.load(Ordering::Acquire) == 0
    }

    /// Whether a commit has failed since the last call: what it said is to be said again, if it is
    /// still so.
    pub fn take_failed(&mut self) -> bool {
        self.consumer().context().has_failed.swap(false, Ordering::AcqRel)
    }

    /// Lets go of what was taken.
    ///
    /// # Errors
    /// When the client does not take it.
    pub fn release(&mut self) -> Result<(), LogError> {
        let released = self.consumer().unassign();
        released.map_err(|error| self.error(&Refusal::of(&error), "giving partitions back to"))
    }

    /// Why nothing was given yet, when the servers have said so.
    pub fn trouble(&self) -> Option<LogError> {
        let trouble = self.consumer().context().common.trouble(Duration::MAX)?;
        Some(trouble.error(
            &format!("being in the group `{}`", self.name),
            self.shared.asker.properties.servers(),
        ))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The thread that commits ends, and lets go of the client.
        self.commits = None;
        if let Some(consumer) = self.consumer.take() {
            consumer.context().is_closing.store(true, Ordering::Release);
            // Leaves the group, so that the others need not wait for a session to pass.
            self.shared.closing.close(consumer);
        }
    }
}

/// Commits one after the other, for as long as somebody asks for it.
fn commit_all(
    client: Arc<BaseConsumer<GroupContext>>,
    asked: &Receiver<TopicPartitionList>,
    open: Open,
) {
    while let Ok(list) = asked.recv() {
        let done = client.commit(&list, CommitMode::Sync);
        client.context().committed(done.is_ok());
    }
    drop(client);
    drop(open);
}

enum News {
    Given(Vec<(String, u32)>),
    Taken,
}

/// The context of a member.
struct GroupContext {
    common: Common,
    news: Mutex<Option<News>>,
    is_closing: AtomicBool,
    /// Commits that have not been answered.
    commits: AtomicU64,
    has_failed: AtomicBool,
}

impl GroupContext {
    fn new(common: Common) -> GroupContext {
        GroupContext {
            common,
            news: Mutex::default(),
            is_closing: AtomicBool::new(false),
            commits: AtomicU64::new(0),
            has_failed: AtomicBool::new(false),
        }
    }

    /// A commit was answered.
    fn committed(&self, is_done: bool) {
        if !is_done {
            self.has_failed.store(true, Ordering::Release);
        }
        self.commits.fetch_sub(1, Ordering::AcqRel);
    }
}

impl ClientContext for GroupContext {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, line: &str) {
        self.common.log(facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.common.error(&error, reason);
    }
}

impl ConsumerContext for GroupContext {
    /// Partitions are taken at once and never fetched; they are given back when their holder says
    /// so.
    fn rebalance(
        &self,
        client: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        if kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            // What fails here the group tells again: this member does not get on.
            drop(client.assign(partitions));
            drop(client.pause(partitions));
            let given = partitions.elements().into_iter().map(|one| {
                (one.topic().to_owned(), u32::try_from(one.partition()).unwrap_or_default())
            });
            *lock(&self.news) = Some(News::Given(given.collect()));
            return;
        }
        if self.is_closing.load(Ordering::Acquire) {
            drop(client.unassign());
            return;
        }
        *lock(&self.news) = Some(News::Taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed(offset: u64, id: u128, partitions: u32) -> Option<Committed> {
        Some(Committed { offset, note: Some(Note { id, partitions }) })
    }

    #[test]
    fn notes_are_read_as_they_were_written() {
        let note = Note { id: u128::MAX - 7, partitions: 12 };
        assert_eq!(Note::decode(&note.encode()), Some(note));
        for text in ["", "alluvium", "alluvium 7", "alluvium x 7", "somebody's own note"] {
            assert_eq!(Note::decode(text), None, "{text}");
        }
    }

    #[test]
    fn a_group_that_begins_stands_nowhere() {
        let (note, places) = stands(&[None, None], 5);
        assert_eq!(places, [Stands::Nowhere; 2]);
        assert_eq!(note, Note { id: 5, partitions: 2 });
        // Another member has begun with its own partition a moment before.
        let (note, places) = stands(&[committed(7, 5, 2), None], 5);
        assert_eq!(places, [Stands::At(7), Stands::Nowhere]);
        assert_eq!(note.partitions, 2);
    }

    #[test]
    fn a_partition_that_was_added_is_known() {
        let (note, places) = stands(&[committed(7, 5, 1), None], 5);
        assert_eq!(places, [Stands::At(7), Stands::Added]);
        assert_eq!(note.partitions, 1, "so that the next is known as well");
        // Moved by hand, without a note: what is missing is taken for added, and nothing is passed
        // over.
        let (_, places) = stands(&[Some(Committed { offset: 3, note: None }), None], 5);
        assert_eq!(places, [Stands::At(3), Stands::Added]);
    }

    #[test]
    fn what_was_noted_in_another_topic_of_the_name_counts_for_nothing() {
        let (note, places) = stands(&[committed(7, 4, 1), committed(9, 4, 1)], 5);
        assert_eq!(places, [Stands::Nowhere; 2]);
        assert_eq!(note, Note { id: 5, partitions: 2 });
    }
}
