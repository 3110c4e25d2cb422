//! What is told of labels that come by an input of their own.

use alluvium_flow::Labels;
use alluvium_learn::{Bytes, Span};
use serde_json::{Map, Value, json};

use crate::screen::words;

/// As scripts read it.
pub fn json(labels: &Labels) -> Value {
    let counts = labels.counts.named().into_iter().map(|(name, count)| (name.into(), count.into()));
    let mut value: Map<String, Value> = counts.collect();
    value.insert("examples_waiting".into(), labels.examples.into());
    value.insert("labels_waiting".into(), labels.labels.into());
    value.insert("bytes".into(), labels.bytes.into());
    let models = labels.pushed_out.iter().map(|(name, count)| (name.to_string(), json!(count)));
    value.insert("pushed_out_by".into(), Value::Object(models.collect()));
    Value::Object(value)
}

/// As people read it, a line or a few.
pub fn lines(labels: &Labels) -> Vec<String> {
    let counts = &labels.counts;
    let mut first = format!("{} found their record", words::counted(counts.labelled, "label"));
    if counts.early > 0 {
        first.push_str(&format!(" ({} came before it)", words::count(counts.early)));
    }
    if counts.absent > 0 {
        let absent = words::counted(counts.absent, "record");
        first.push_str(&format!(", {absent} waited in vain"));
    }
    first.push_str(&format!(", {} wait", words::counted(labels.examples, "record")));
    let mut lines = vec![first];
    let odd = [
        (counts.duplicate, "came twice"),
        (counts.conflicting, "said another thing than the first"),
        (counts.late, "came too late"),
        (counts.corrected, "of these corrected what was learned"),
        (counts.unmatched, "for no record"),
        (labels.labels, "wait for their record"),
    ];
    let said = odd.into_iter().filter(|(count, _)| *count > 0);
    let said: Vec<String> =
        said.map(|(count, what)| format!("{} {what}", words::count(count))).collect();
    if !said.is_empty() {
        lines.push(format!("of the labels {}", said.join(", ")));
    }
    if counts.repeated > 0 {
        let records = words::counted(counts.repeated, "record");
        lines.push(format!("{records} had an id that another one had: answered, not learned"));
    }
    if counts.pushed_out > 0 {
        let count = words::count(counts.pushed_out);
        lines.push(format!("{count} had to go before their time: raise label.pending_max"));
    }
    for (model, count) in &labels.pushed_out {
        let records = words::counted(*count, "record");
        lines.push(format!("{model} had to let {records} go: raise label.pending_max"));
    }
    lines
}

/// What waiting takes at the pace of what waits now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Need {
    /// How many examples wait at once.
    pub examples: u64,
    /// What those of one model, or the ids of all, take.
    pub bytes: u64,
}

impl Need {
    /// `None`: nothing waits, or all came at once, so there is no pace.
    pub fn of(labels: &Labels, wait: Span) -> Option<Need> {
        let past = labels.waited.filter(|past| *past > 0)?;
        let share = (wait.0 as f64 / past as f64).max(1.0);
        let times = |count: u64| (count as f64 * share).ceil() as u64;
        Some(Need { examples: times(labels.examples), bytes: times(labels.largest_bytes as u64) })
    }

    /// In words.
    pub fn text(&self, wait: Span, most: Bytes) -> String {
        format!(
            "at this pace {wait} hold {}, {} for each model; there is room for {}",
            words::counted(self.examples, "record"),
            words::bytes(self.bytes),
            words::bytes(most.0)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Labels {
        Labels {
            examples: 1_000,
            labels: 2,
            bytes: 300_000,
            largest_bytes: 200_000,
            waited: Some(10_000),
            pushed_out: Vec::new(),
            counts: Default::default(),
        }
    }

    #[test]
    fn the_need_grows_with_the_wait() {
        let need = Need::of(&labels(), Span(40_000)).unwrap();
        assert_eq!((need.examples, need.bytes), (4_000, 800_000));
        // What waits has waited for longer than new ones will.
        assert_eq!(Need::of(&labels(), Span(10)).unwrap().examples, 1_000);
        assert_eq!(Need::of(&Labels { waited: None, ..labels() }, Span(40_000)), None);
    }

    #[test]
    fn only_what_happened_is_told() {
        let mut labels = labels();
        labels.counts.labelled = 1;
        assert_eq!(
            lines(&labels),
            [
                "1 label found their record, 1,000 records wait",
                "of the labels 2 wait for their record",
            ]
        );
        labels.counts.conflicting = 3;
        labels.pushed_out = vec![("tree".into(), 7)];
        assert!(lines(&labels)[1].starts_with("of the labels 3 said another thing"));
        assert!(lines(&labels)[2].starts_with("tree had to let 7 records go"));
        assert_eq!(json(&labels)["conflicting"], 3);
    }
}
