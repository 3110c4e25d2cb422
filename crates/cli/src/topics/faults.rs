//! What can be wrong with a topic that is there, and the command that mends it.

use std::time::Duration;

use super::{Entry, Fault, Role, Wanted};
use crate::{
    open::Opened,
    screen::words,
    store::{Seen, Tools, TopicSettings},
};

/// The largest page of a version or of the running state, with its key and what surrounds it.
const PAGE_BYTES_MAX: u64 = (768 << 10) + (4 << 10);

/// The settings of a topic that is kept for ever. Both of a topic's bounds are named: where it was
/// compacted before, they had no effect so far.
const FOR_EVER: [(&str, &str); 2] = [("retention.ms", "-1"), ("retention.bytes", "-1")];

/// A number of partitions with which no run can work.
pub(super) fn of_shape(opened: &Opened, wanted: &Wanted, partitions: u32) -> Option<Fault> {
    let is_single = matches!(wanted.role, Role::Control | Role::Kept);
    (is_single && partitions != 1).then(|| Fault {
        topic: wanted.topic.clone(),
        why: format!("it has {partitions} partitions, and no run can work with more than one"),
        mend: opened.run_as_another(),
    })
}

/// What is wrong with how a topic is kept, as far as that is a matter of this topic alone.
pub(super) fn of_settings(wanted: &Wanted, found: &TopicSettings, tools: &Tools) -> Vec<Fault> {
    let mut faults = Vec::new();
    let topic = &wanted.topic;
    let mut add = |why: String, settings: &[(&str, &str)]| {
        faults.push(Fault { topic: topic.clone(), why, mend: tools.alter(topic, settings) });
    };
    let delete = [&[("cleanup.policy", "delete")][..], &FOR_EVER].concat();
    let compact = [("cleanup.policy", "compact")];
    match wanted.role {
        Role::Input { .. } if found.compacts => {
            let why = "it is compacted: records go once a newer one has their key, and what was \
                       learned of them cannot be learned again";
            add(why.into(), &delete);
        }
        Role::Control | Role::Output | Role::Scores if found.compacts => {
            add(
                "it is compacted: it takes no record without a key, so no run can work".into(),
                &delete,
            );
        }
        Role::Kept if !found.compacts => {
            let why = match is_for_ever(found) {
                true => "it is not compacted: it grows with all that was ever written".to_string(),
                false => format!("it is not compacted: {}", what_is_lost(found)),
            };
            add(why, &compact);
        }
        Role::Kept if found.deletes && !is_for_ever(found) => {
            add(format!("it is compacted, but {}", what_is_lost(found)), &compact);
        }
        _ => {}
    }
    if wanted.role == Role::Kept
        && let Some(most) = found.batch_bytes_max.filter(|most| *most < PAGE_BYTES_MAX)
    {
        let why = format!(
            "it takes batches of {most} bytes at most, and a page has up to {PAGE_BYTES_MAX}"
        );
        add(why, &[("max.message.bytes", "1048588")]);
    }
    faults
}

/// Whether control, without which nothing is learned again, expires sooner than what is learned.
pub(super) fn of_control(entries: &[Entry], tools: &Tools) -> Option<Fault> {
    let control = entries.iter().find(|entry| entry.wanted.role == Role::Control)?;
    let found = control.there()?.settings.as_ref().filter(|found| found.deletes)?;
    let sooner = match (found.retention_ms, found.retention_bytes) {
        (Some(own), _) => {
            let input = entries.iter().find(|entry| outlives(entry, own))?;
            let (own, topic) = (kept_ms(own), &input.wanted.topic);
            format!("it is kept for {own}, and {topic} for {}", kept(input))
        }
        // How many bytes of control belong to how many of an input nobody can say.
        (None, Some(bytes)) => {
            format!("it is bounded to {}, whatever the inputs are", words::bytes(bytes))
        }
        (None, None) => return None,
    };
    let topic = control.wanted.topic.clone();
    let why = format!("{sooner}: without it what was learned cannot be learned again");
    let mend = tools.alter(&topic, &FOR_EVER);
    Some(Fault { topic, why, mend })
}

/// Whether an input is kept for longer than so many milliseconds. One that is not there will be
/// kept for ever; of one whose settings nobody may see nothing is known.
fn outlives(entry: &Entry, own_ms: u64) -> bool {
    if !matches!(entry.wanted.role, Role::Input { .. }) {
        return false;
    }
    match &entry.seen {
        Seen::Missing => true,
        Seen::Hidden => false,
        Seen::There(topic) => topic.settings.as_ref().is_some_and(|settings| {
            !settings.deletes || settings.retention_ms.is_none_or(|input| input > own_ms)
        }),
    }
}

/// For how long an input is kept.
fn kept(entry: &Entry) -> String {
    let settings = entry.there().and_then(|topic| topic.settings.as_ref());
    let bound = settings.filter(|settings| settings.deletes).and_then(|found| found.retention_ms);
    bound.map_or("ever".into(), kept_ms)
}

/// What goes, where a topic is not kept for ever.
fn what_is_lost(found: &TopicSettings) -> String {
    let bounds = [
        found.retention_ms.map(|ms| format!("after {}", kept_ms(ms))),
        found.retention_bytes.map(|bytes| format!("beyond {}", words::bytes(bytes))),
    ];
    let bounds: Vec<String> = bounds.into_iter().flatten().collect();
    format!("what is still needed goes {}", bounds.join(" and "))
}

/// A length of time for which something is kept.
pub(super) fn kept_ms(ms: u64) -> String {
    match Duration::from_millis(ms) {
        time if time < Duration::from_secs(2) => format!("{ms} ms"),
        time => words::about(time),
    }
}

/// Whether nothing goes, if anything is deleted at all.
fn is_for_ever(found: &TopicSettings) -> bool {
    found.retention_ms.is_none() && found.retention_bytes.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Place, Topic};

    fn tools() -> Tools {
        let kafka = Place::Kafka(alluvium_kafka::Settings::new("a:1", None));
        kafka.tools().unwrap().unwrap()
    }

    fn kept(policy: &str, retention_ms: Option<u64>) -> TopicSettings {
        TopicSettings {
            compacts: policy.contains("compact"),
            deletes: policy.contains("delete"),
            retention_ms,
            ..TopicSettings::default()
        }
    }

    fn entry(role: Role, settings: Option<TopicSettings>) -> Entry {
        let topic = if role == Role::Control { "p.control" } else { "x" };
        let wanted = Wanted { topic: topic.into(), role, partitions: 1 };
        let seen = Seen::There(Topic { partitions: 1, rights: Vec::new(), settings });
        Entry { wanted, seen, makes: None, lacks: Vec::new() }
    }

    fn whys(role: Role, settings: TopicSettings) -> String {
        let entry = entry(role, None);
        let faults = of_settings(&entry.wanted, &settings, &tools());
        faults.iter().map(|fault| format!("{} [{}]", fault.why, fault.mend)).collect()
    }

    #[test]
    fn what_must_not_be_compacted_is_told_from_what_must_be() {
        let input = Role::Input { fills: false };
        assert_eq!(whys(input, kept("delete", Some(1000))), "");
        let compacted = whys(input, kept("compact,delete", Some(1000)));
        assert!(compacted.contains("cleanup.policy=delete,retention.ms=-1,retention.bytes=-1"));
        assert!(whys(Role::Output, kept("compact", None)).contains("no run can work"));
        assert_eq!(whys(Role::Kept, kept("compact", Some(1000))), "", "of no effect there");
        assert!(whys(Role::Kept, kept("delete", None)).contains("it grows"));
        let lost = whys(Role::Kept, kept("delete", Some(604_800_000)));
        assert!(lost.contains("not compacted: what is still needed goes after 7 d"), "{lost}");
        assert!(lost.contains("--add-config cleanup.policy=compact]"), "{lost}");
        let both = whys(Role::Kept, kept("compact,delete", Some(604_800_000)));
        assert!(both.contains("it is compacted, but what"), "{both}");
        let small = TopicSettings { batch_bytes_max: Some(1000), ..kept("compact", None) };
        assert!(whys(Role::Kept, small).contains("max.message.bytes=1048588"));
    }

    #[test]
    fn control_has_to_be_kept_as_long_as_every_input() {
        let control = |settings| entry(Role::Control, Some(settings));
        let input = |settings| entry(Role::Input { fills: false }, settings);
        let why = |entries: &[Entry]| of_control(entries, &tools()).map(|fault| fault.why);
        let week = || kept("delete", Some(604_800_000));
        let day = || kept("delete", Some(86_400_000));
        assert_eq!(why(&[input(Some(day())), control(week())]), None);
        assert_eq!(why(&[input(Some(week())), control(week())]), None);
        assert_eq!(why(&[input(None), control(day())]), None, "nobody may see it");
        assert_eq!(why(&[input(Some(week())), control(kept("delete", None))]), None);
        let sooner = why(&[input(Some(week())), control(day())]).unwrap();
        assert!(sooner.starts_with("it is kept for 1 d, and x for 7 d: "), "{sooner}");
        for ever in [kept("delete", None), kept("compact", Some(1))] {
            let sooner = why(&[input(Some(day())), input(Some(ever)), control(week())]).unwrap();
            assert!(sooner.starts_with("it is kept for 7 d, and x for ever"), "{sooner}");
        }
        let missing = Entry { seen: Seen::Missing, ..input(None) };
        assert!(why(&[missing, control(week())]).is_some(), "a run makes it, to be kept for ever");
        let bounded = TopicSettings { retention_bytes: Some(1 << 20), ..kept("delete", None) };
        let sooner = why(&[input(Some(day())), control(bounded)]).unwrap();
        assert!(sooner.starts_with("it is bounded to 1.0 MiB"), "{sooner}");
    }
}
