//! The topics of a pipeline, for people and for scripts.

use serde_json::{Value, json};

use super::{Entry, Fault, Role, Survey, faults::kept_ms};
use crate::{
    open::Opened,
    screen::{
        paint::{Paint, padded, width},
        words,
    },
    store::{ADMIN_FILE, Right, Seen, TopicSettings},
};

/// What people read. `survey`: `None` where nobody administers the log.
pub(crate) fn text(opened: &Opened, survey: Option<&Survey>, paint: Paint) -> String {
    let head =
        format!("{}   {}", paint.bold(&opened.spec.name), paint.dim(&opened.place.to_string()));
    let mut lines = vec![head];
    let mut add = |label: &str, texts: Vec<String>| {
        for (index, text) in texts.iter().enumerate() {
            lines.push(paint.labelled(if index == 0 { label } else { "" }, text));
        }
    };
    let run = opened.command("run", "");
    let Some(survey) = survey else {
        add(
            "topics",
            vec!["nothing needs creating: run makes its topics in the embedded log".into()],
        );
        add("next", vec![paint.command(&run)]);
        return lines.join("\n");
    };
    let names = survey.entries.iter().map(|entry| entry.wanted.topic.as_str());
    let names = names.chain(survey.groups.iter().map(|(group, _)| group.as_str()));
    let column = names.map(width).max().unwrap_or_default();
    let row = |name: &str, text: &str| format!("{}   {text}", padded(name, column));
    let topic = |entry: &Entry| row(&entry.wanted.topic, &is(entry));
    add("topics", survey.entries.iter().map(topic).collect());
    let group = |(group, lacks): &(String, Vec<Right>)| match lacks.as_slice() {
        [] => row(group, "may be used"),
        lacks => row(group, &format!("this user lacks {}", listed(lacks))),
    };
    add("groups", survey.groups.iter().map(group).collect());
    add("wrong", survey.faults.iter().flat_map(|fault| wrong(fault, paint)).collect());
    let commands = |all: Vec<String>| all.iter().map(|one| paint.command(one)).collect();
    add("create", commands(survey.to_create()));
    add("allow", commands(survey.to_allow()));
    add("note", notes(survey));
    if survey.is_ready() {
        add("next", vec![paint.command(&run)]);
    }
    lines.join("\n")
}

/// A topic as it is.
fn is(entry: &Entry) -> String {
    let mut says = Vec::new();
    match (&entry.seen, &entry.makes) {
        (Seen::There(topic), _) => {
            says.push(words::counted(topic.partitions.into(), "partition"));
            says.push(match &topic.settings {
                Some(settings) => kept(settings),
                None => "how it is kept is not to be seen".into(),
            });
        }
        (Seen::Missing, Some(Ok(()))) => says.push("not there: run makes it".into()),
        (Seen::Missing, _) => says.push("not there, and this user may not make it".into()),
        (Seen::Hidden, _) => says.push("not to be seen".into()),
    }
    if !entry.lacks.is_empty() {
        says.push(format!("this user lacks {}", listed(&entry.lacks)));
    }
    says.join(", ")
}

/// How a topic is kept.
fn kept(settings: &TopicSettings) -> String {
    let mut bounds = Vec::new();
    if settings.deletes {
        bounds.extend(settings.retention_ms.map(|ms| format!("for {}", kept_ms(ms))));
        let bytes = settings.retention_bytes.map(words::bytes);
        bounds.extend(bytes.map(|bytes| format!("up to {bytes} a partition")));
    }
    let bounds = match bounds.as_slice() {
        [] => "for ever".to_string(),
        bounds => bounds.join(" and "),
    };
    match (settings.compacts, settings.deletes) {
        (true, false) => "compacted".into(),
        (true, true) => format!("compacted, and kept {bounds}"),
        (false, _) => format!("kept {bounds}"),
    }
}

fn wrong(fault: &Fault, paint: Paint) -> [String; 2] {
    [format!("{}: {}", paint.bad(&fault.topic), fault.why), paint.command(&fault.mend)]
}

/// What has to be known beside the commands.
fn notes(survey: &Survey) -> Vec<String> {
    let (creates, allows) = (survey.to_create(), survey.to_allow());
    let mut notes = Vec::new();
    if !creates.is_empty()
        && survey.entries.iter().all(|entry| !matches!(entry.makes, Some(Err(_))))
    {
        notes
            .push("run makes by itself what is missing: create is for whoever would rather".into());
    }
    if survey.tools.is_secured()
        && !(creates.is_empty() && allows.is_empty() && survey.faults.is_empty())
    {
        notes.push(format!(
            "{ADMIN_FILE}: the client.properties of somebody who may do this, for Java's tools"
        ));
    }
    if !allows.is_empty() && !survey.tools.knows_user() {
        notes.push("NAME: what the brokers call this user; client.properties names none".into());
    }
    if !allows.is_empty() {
        notes.push(
            "no IdempotentWrite is needed: since 2.8 whoever may write to a topic has it".into(),
        );
    }
    let is_hidden = |entry: &Entry| entry.there().is_some_and(|topic| topic.settings.is_none());
    if survey.entries.iter().any(is_hidden) {
        notes.push(
            "without DescribeConfigs a run works, and nobody is told of a wrong policy".into(),
        );
    }
    let unpacks = |entry: &Entry| {
        let settings = entry.there().and_then(|topic| topic.settings.as_ref());
        matches!(entry.wanted.role, Role::Input { .. })
            && settings.is_some_and(|settings| settings.compression != "zstd")
    };
    for entry in survey.entries.iter().filter(|entry| unpacks(entry)) {
        notes.push(format!(
            "{}: without compression.type=zstd a small record may unpack into a very large one",
            entry.wanted.topic
        ));
    }
    notes
}

fn listed(rights: &[Right]) -> String {
    let names: Vec<String> = rights.iter().map(ToString::to_string).collect();
    words::listed(&names)
}

/// What scripts read.
pub fn json(opened: &Opened, survey: Option<&Survey>) -> Value {
    let names = |rights: &[Right]| rights.iter().map(ToString::to_string).collect::<Vec<_>>();
    let topic = |entry: &Entry| {
        let settings = entry.there().and_then(|topic| topic.settings.as_ref());
        let mut one = json!({
            "topic": entry.wanted.topic,
            "role": role(entry),
            "there": match entry.seen {
                Seen::There(_) => Some(true),
                Seen::Missing => Some(false),
                Seen::Hidden => None,
            },
            "partitions": entry.there().map(|topic| topic.partitions),
            "policy_is_seen": settings.is_some(),
            "may_create": entry.makes.as_ref().map(Result::is_ok),
            "why_not": entry.makes.as_ref().and_then(|makes| makes.as_ref().err()),
            "lacks": names(&entry.lacks),
        });
        if let Some(settings) = settings {
            one["compacts"] = settings.compacts.into();
            one["deletes"] = settings.deletes.into();
            one["retention_ms"] = settings.retention_ms.into();
            one["retention_bytes"] = settings.retention_bytes.into();
            one["compression"] = settings.compression.as_str().into();
        }
        one
    };
    let group =
        |(group, lacks): &(String, Vec<Right>)| json!({ "group": group, "lacks": names(lacks) });
    let (mut topics, mut groups, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    let (mut create, mut allow) = (Vec::new(), Vec::new());
    if let Some(survey) = survey {
        topics = survey.entries.iter().map(topic).collect();
        groups = survey.groups.iter().map(group).collect();
        faults = survey.faults.iter().map(fault).collect();
        (create, allow) = (survey.to_create(), survey.to_allow());
    }
    json!({
        "event": "topics",
        "pipeline": opened.spec.name,
        "log": opened.place.to_string(),
        "ready": survey.is_none_or(Survey::is_ready),
        "topics": topics,
        "groups": groups,
        "wrong": faults,
        "create": create,
        "allow": allow,
    })
}

/// A fault, as scripts read it.
pub fn fault(fault: &Fault) -> Value {
    json!({ "topic": fault.topic, "why": fault.why, "type": fault.mend })
}

fn role(entry: &Entry) -> &'static str {
    match entry.wanted.role {
        Role::Input { .. } => "input",
        Role::Control => "control",
        Role::Kept => "kept",
        Role::Output => "output",
        Role::Scores => "scores",
    }
}
