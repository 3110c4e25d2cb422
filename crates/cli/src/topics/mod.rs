//! The topics of a pipeline on a log that somebody administers: what it needs, what is there,
//! what is wrong with it, and what to type.

mod faults;
mod show;

use alluvium_ledger::log::{Errand, LogError, Policy};

pub(crate) use self::show::text;
pub use self::show::{fault, json};
use crate::{
    failure::Failure,
    open::Opened,
    score,
    store::{Resource, Right, Seen, Store, Tools, Topic},
};

/// How many lines of the client are shown.
const LINES_MAX: usize = 5;

/// What a topic is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Records come from it; `fills`: the pipeline file loads them, too.
    Input {
        /// Whether the pipeline file names sources.
        fills: bool,
    },
    /// The order.
    Control,
    /// The running pipeline, or its versions: compacted.
    Kept,
    /// Answers, alarms, refused records.
    Output,
    /// What `score --follow` answers: no run needs it.
    Scores,
}

/// A topic that a pipeline needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub topic: String,
    /// What it is for.
    pub role: Role,
    /// With how many partitions `run` would make it.
    pub partitions: u32,
}

impl Wanted {
    /// How `run` would have it kept.
    fn policy(&self) -> Policy {
        match self.role {
            Role::Kept => Policy::Compact,
            _ => Policy::Delete { retention_ms: None },
        }
    }

    /// What a run needs to be allowed.
    fn needs(&self) -> &'static [Right] {
        match self.role {
            Role::Input { fills: false } => &[Right::Read, Right::DescribeConfigs],
            _ => &[Right::Read, Right::Write, Right::DescribeConfigs],
        }
    }
}

/// What is wrong with a topic that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The topic.
    pub topic: String,
    /// What is wrong, and what comes of it.
    pub why: String,
    /// What to type.
    pub mend: String,
}

/// A topic that a pipeline needs, and what is there.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What is needed.
    pub wanted: Wanted,
    /// What is there.
    pub seen: Seen,
    /// Where it is not there, or not to be seen: whether this user may make it; else why not.
    pub makes: Option<Result<(), String>>,
    /// What this user lacks. Of a topic that is not there nobody can say what he would lack.
    pub lacks: Vec<Right>,
}

impl Entry {
    /// The topic, if it can be seen.
    fn there(&self) -> Option<&Topic> {
        match &self.seen {
            Seen::There(topic) => Some(topic),
            Seen::Missing | Seen::Hidden => None,
        }
    }
}

/// All topics and groups of a pipeline, compared with what it needs.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The topics, inputs first.
    pub entries: Vec<Entry>,
    /// The groups, and what this user lacks.
    pub groups: Vec<(String, Vec<Right>)>,
    /// What is wrong.
    pub faults: Vec<Fault>,
    /// How commands look.
    tools: Tools,
}

/// What is wrong with the topics that are there, and the names of those whose settings this user
/// may not see. Nothing on a log that nobody administers.
///
/// # Errors
/// When the log fails.
pub fn faults(opened: &Opened, log: &mut Store) -> anyhow::Result<(Vec<Fault>, Vec<String>)> {
    let Some(tools) = opened.place.tools()? else {
        return Ok((Vec::new(), Vec::new()));
    };
    let mut entries = Vec::new();
    for wanted in inputs(opened).into_iter().chain(own(opened, 1)) {
        if let Some(seen) = log.seen(&wanted.topic)? {
            entries.push(Entry { wanted, seen, makes: None, lacks: Vec::new() });
        }
    }
    let is_unseen = |entry: &&Entry| entry.there().is_some_and(|topic| topic.settings.is_none());
    let unseen = entries.iter().filter(is_unseen).map(|entry| entry.wanted.topic.clone());
    Ok((found(opened, &entries, &tools), unseen.collect()))
}

/// A question that got no answer, with what the log's client has said meanwhile: what keeps
/// brokers and client apart is often told by those lines alone.
pub fn unanswered(why: anyhow::Error, log: &Store) -> anyhow::Error {
    let mut lines: Vec<String> = Vec::new();
    for line in log.lines().into_iter().rev() {
        if lines.len() < LINES_MAX && !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.reverse();
    match lines.as_slice() {
        [] => why,
        lines => anyhow::anyhow!("{why:#}\n\nwhat the client said:\n  {}", lines.join("\n  ")),
    }
}

/// A refusal, with the command that shows what this user lacks.
pub fn with_hint(failure: Failure, opened: &Opened) -> Failure {
    match failure {
        Failure::Failed(error) if matches!(error.downcast_ref(), Some(LogError::Denied(_))) => {
            let topics = opened.command("check", "--topics");
            anyhow::anyhow!("{error:#}\n\n  {topics}     shows what this user may do").into()
        }
        failure => failure,
    }
}

/// The inputs of a pipeline.
fn inputs(opened: &Opened) -> Vec<Wanted> {
    let inputs = opened.spec.input.iter();
    let wanted = inputs.map(|(name, input)| {
        let role = Role::Input { fills: !input.load.is_empty() };
        Wanted { topic: input.topic(name).to_string(), role, partitions: input.partitions }
    });
    wanted.collect()
}

/// A pipeline's own topics, where the widest input has so many partitions.
fn own(opened: &Opened, widest: u32) -> Vec<Wanted> {
    let topics = [
        ("control", Role::Control, 1),
        ("state", Role::Kept, 1),
        ("models", Role::Kept, 1),
        ("predictions", Role::Output, widest),
        ("alarms", Role::Output, 1),
        ("dead-letters", Role::Output, widest),
    ];
    let wanted = |(name, role, partitions)| Wanted { topic: opened.topic(name), role, partitions };
    topics.map(wanted).into()
}

/// What is wrong with what is there.
fn found(opened: &Opened, entries: &[Entry], tools: &Tools) -> Vec<Fault> {
    let mut faults = Vec::new();
    for entry in entries {
        let Some(topic) = entry.there() else { continue };
        faults.extend(faults::of_shape(opened, &entry.wanted, topic.partitions));
        if let Some(settings) = &topic.settings {
            faults.extend(faults::of_settings(&entry.wanted, settings, tools));
        }
    }
    faults.extend(faults::of_control(entries, tools));
    faults
}

impl Survey {
    /// Compares what a pipeline needs with what is there. `None`: nobody administers this log.
    ///
    /// # Errors
    /// When the log fails.
    pub fn of(opened: &Opened, log: &mut Store) -> anyhow::Result<Option<Survey>> {
        let Some(tools) = opened.place.tools()? else {
            return Ok(None);
        };
        let (mut entries, mut groups) = (Vec::new(), Vec::new());
        for wanted in inputs(opened) {
            entries.push(entry(log, wanted)?);
        }
        let width =
            |entry: &Entry| entry.there().map_or(entry.wanted.partitions, |topic| topic.partitions);
        let widest = entries.iter().map(width).max().unwrap_or(1);
        let topic = opened.topic("scores");
        let scores = Wanted { topic, role: Role::Scores, partitions: widest };
        for wanted in own(opened, widest).into_iter().chain([scores]) {
            entries.push(entry(log, wanted)?);
        }
        let name = &opened.spec.name;
        let mut errands = vec![Errand::Run];
        for entry in &entries {
            if entry.wanted.role == (Role::Input { fills: true }) {
                errands.push(Errand::Load { topic: &entry.wanted.topic });
            }
        }
        for errand in errands {
            if let Some((group, rights)) = log.lease_group(name, errand)? {
                groups.push((group, lacking(&rights)));
            }
        }
        let score = score::group(name);
        if let Some(rights) = log.group_rights(&score)? {
            groups.push((score, lacking(&rights)));
        }
        let faults = found(opened, &entries, &tools);
        Ok(Some(Survey { entries, groups, faults, tools }))
    }

    /// Whether a run would find, or make, all it needs; what scores alone is no part of it.
    pub fn is_ready(&self) -> bool {
        let entry = |entry: &Entry| {
            let needed = entry.lacks.iter().any(|right| *right != Right::DescribeConfigs);
            !needed && matches!(entry.makes, None | Some(Ok(())))
        };
        let is_run = |entry: &&Entry| entry.wanted.role != Role::Scores;
        // The last group is that of scores.
        let groups = self.groups.len().saturating_sub(1);
        self.faults.is_empty()
            && self.entries.iter().filter(is_run).all(entry)
            && self.groups[..groups].iter().all(|(_, lacks)| lacks.is_empty())
    }

    /// What makes the topics that are missing; that of scores only where this user may not.
    pub fn to_create(&self) -> Vec<String> {
        let is_asked = |entry: &&Entry| match &entry.makes {
            None => false,
            Some(Ok(())) => entry.wanted.role != Role::Scores,
            Some(Err(_)) => true,
        };
        let missing = self.entries.iter().filter(is_asked);
        let make = |entry: &Entry| {
            let Wanted { topic, partitions, .. } = &entry.wanted;
            self.tools.create(topic, *partitions, entry.wanted.policy())
        };
        missing.map(make).collect()
    }

    /// What gives this user the rights that are lacking: a command for all that lack the same.
    pub fn to_allow(&self) -> Vec<String> {
        let mut alike: Vec<(&[Right], Vec<Resource<'_>>)> = Vec::new();
        let topics = self.entries.iter();
        let topics = topics.map(|entry| (&*entry.lacks, Resource::Topic(&entry.wanted.topic)));
        let groups = self.groups.iter().map(|(group, lacks)| (&**lacks, Resource::Group(group)));
        for (lacks, resource) in topics.chain(groups).filter(|(lacks, _)| !lacks.is_empty()) {
            let is_group = |resource: &Resource<'_>| matches!(resource, Resource::Group(_));
            let is_alike = |(known, resources): &&mut (&[Right], Vec<Resource<'_>>)| {
                *known == lacks && is_group(&resources[0]) == is_group(&resource)
            };
            match alike.iter_mut().find(is_alike) {
                Some((_, resources)) => resources.push(resource),
                None => alike.push((lacks, vec![resource])),
            }
        }
        alike.iter().map(|(lacks, resources)| self.tools.allow(lacks, resources)).collect()
    }
}

/// What a member of a group lacks.
fn lacking(rights: &[Right]) -> Vec<Right> {
    if rights.contains(&Right::Read) { vec![] } else { vec![Right::Read] }
}

/// Compares one topic with what is needed.
fn entry(log: &mut Store, wanted: Wanted) -> anyhow::Result<Entry> {
    let seen = log.seen(&wanted.topic)?.unwrap_or(Seen::Missing);
    let needs = wanted.needs().iter().copied();
    if let Seen::There(topic) = &seen {
        let lacks = needs.filter(|right| !topic.rights.contains(right)).collect();
        return Ok(Entry { wanted, seen, makes: None, lacks });
    }
    let makes = match log.may_create(&wanted.topic, wanted.partitions) {
        Ok(()) => Ok(()),
        Err(LogError::Denied(why)) => Err(why),
        Err(error) => return Err(error.into()),
    };
    // Whoever may make a topic of which he may know that it is not there is taken at his word.
    let mut lacks: Vec<Right> = match (&seen, &makes) {
        (Seen::Missing, Ok(())) => Vec::new(),
        _ => needs.collect(),
    };
    if makes.is_err() {
        lacks.push(Right::Create);
    }
    Ok(Entry { wanted, seen, makes: Some(makes), lacks })
}
