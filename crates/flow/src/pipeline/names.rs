//! Names that a pipeline file gives: of the pipeline, of topics, of classes. Looked at where a file
//! is read, and not where settings come from the log: what ran before goes on.

use std::collections::BTreeSet;

use super::{Mistake, paths};
use crate::spec::{Field, LabelKind, Spec};

/// The topics that a pipeline owns: its name, a dot, and one of these.
const OWN_TOPICS: [&str; 6] =
    ["control", "state", "models", "predictions", "alarms", "dead-letters"];

/// Every name that cannot be.
pub(super) fn check(spec: &Spec) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let own: Vec<String> = OWN_TOPICS.iter().map(|own| format!("{}.{own}", spec.name)).collect();
    if spec.name.is_empty() || !own.iter().all(|topic| paths::is_topic(topic)) {
        let message = format!("{:?} cannot be the name of a pipeline", spec.name);
        let help = "its topics begin with it: letters, digits, `.`, `_` and `-`, at most 236";
        mistakes.push(Mistake::new("name", message).help(help));
    }
    for (name, input) in &spec.input {
        let topic = input.topic(name);
        if own.iter().any(|own| own == topic) {
            let message = format!("{topic} is a topic that this pipeline writes itself");
            let help = "another pipeline, with another name, can read it";
            let path = format!("input.{name}.topic");
            mistakes.push(Mistake::new(path, message).help(help));
        }
    }
    for (name, field) in &spec.fields {
        if let Field::Category(category) = field {
            let path = format!("fields.{name}.category.values");
            again(&category.values, &path, &mut mistakes);
        }
    }
    if let Some(LabelKind::Class(class)) = spec.label.as_ref().map(|label| &label.kind) {
        again(&class.values, "label.type.class.values", &mut mistakes);
    }
    mistakes
}

/// A name that stands in a list for the second time would have two codes.
fn again(values: &[String], path: &str, mistakes: &mut Vec<Mistake>) {
    let mut seen = BTreeSet::new();
    for (index, value) in values.iter().enumerate() {
        if !seen.insert(value) {
            let message = format!("{value:?} is listed twice");
            mistakes.push(Mistake::new(format!("{path}[{index}]"), message));
        }
    }
}
