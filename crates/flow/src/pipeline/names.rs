//! Names that cannot be: each stands for one thing, can be said wherever it is used, and none
//! leads to the label but the label itself.

use std::collections::BTreeSet;

use super::{
    Mistake,
    model::baselines,
    plan::{FILLED, Parts, Planner},
};
use crate::{
    decode::{self, Kind, Path, Step},
    spec::{Field, LabelKind},
};

/// The longest name of a pipeline.
const NAME_MAX: usize = 100;

/// The topics that a pipeline owns: its name, a point, and one of these.
const OWN_TOPICS: [&str; 6] =
    ["control", "state", "models", "predictions", "alarms", "dead-letters"];

impl Planner<'_> {
    /// Looks at every name, and at what it leads to.
    pub(super) fn names(&mut self, parts: &Parts) {
        self.own_name();
        self.own_topics();
        self.names_of_tables();
        self.names_of_fields();
        self.names_with_points();
        self.fields_at_the_label(parts);
        self.values_twice();
    }

    /// The pipeline's name begins the names of its topics, and of its lease.
    fn own_name(&mut self) {
        let name = &self.spec.name;
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if !(1..=NAME_MAX).contains(&name.len()) || !name.chars().all(is_allowed) {
            let mistake = Mistake::new("name", format!("{name:?} cannot be a pipeline's name"));
            self.mistakes.push(mistake.help("1 to 100 letters from a to z, digits, `-` and `_`"));
        }
    }

    /// What a pipeline writes it cannot read.
    fn own_topics(&mut self) {
        for (name, input) in &self.spec.input {
            let topic = input.topic(name);
            let own = topic.strip_prefix(&self.spec.name).and_then(|rest| rest.strip_prefix('.'));
            if own.is_some_and(|own| OWN_TOPICS.contains(&own)) {
                let message = format!("{topic} is a topic that this pipeline writes itself");
                let mistake = Mistake::new(format!("input.{name}.topic"), message);
                self.mistakes
                    .push(mistake.help("another pipeline, with another name, can read it"));
            }
        }
    }

    /// Models are part of keys (`v/MODEL/VERSION`) and addresses (`MODEL@VERSION`), steps of
    /// `step.field`, inputs of places (`input:partition:offset`).
    fn names_of_tables(&mut self) {
        let spec = self.spec;
        let inputs = spec.input.keys().map(|name| ("input", name, ".-_"));
        let steps = spec.features.keys().map(|name| ("features", name, "-_"));
        let models = spec.model.keys().map(|name| ("model", name, "-_"));
        for (table, name, others) in inputs.chain(steps).chain(models) {
            let is_allowed = |c: char| c.is_alphanumeric() || others.contains(c);
            if name.is_empty() || !name.chars().all(is_allowed) {
                let message = format!("{name:?} cannot be a name here");
                let others: Vec<String> = others.chars().map(|c| format!("`{c}`")).collect();
                let help = format!("letters, digits, {}", others.join(", "));
                self.mistakes.push(Mistake::new(format!("{table}.{name}"), message).help(help));
            }
        }
        for baseline in baselines(self.label) {
            if spec.model.contains_key(*baseline) {
                let message = format!("`{baseline}` stands beside every model as a baseline");
                let mistake = Mistake::new(format!("model.{baseline}"), message);
                self.mistakes.push(mistake.help("give the model another name"));
            }
        }
    }

    fn names_of_fields(&mut self) {
        let spec = self.spec;
        for name in spec.fields.keys().filter(|name| name.is_empty() || name.ends_with(FILLED)) {
            let message = format!("{name:?} cannot be a field's name");
            let help = format!("a name that does not end with `{FILLED}`");
            self.mistakes.push(Mistake::new(format!("fields.{name}"), message).help(help));
        }
        let tables = [("fields", spec.fields.contains_key("label"))];
        let tables = tables.into_iter().chain([("features", spec.features.contains_key("label"))]);
        for (table, _) in tables.filter(|(_, is_there)| *is_there && spec.label.is_some()) {
            let message = "steps that look back call the newest label `label`";
            let mistake = Mistake::new(format!("{table}.label"), message);
            self.mistakes.push(mistake.help("give it another name; `paths` says where it lies"));
        }
    }

    /// A field may have points in its name; but a step makes `step.field`, and a field of so many
    /// numbers `field.0`.
    fn names_with_points(&mut self) {
        let spec = self.spec;
        let is_several = |name: &str| matches!(spec.fields.get(name), Some(Field::Numbers(_)));
        for name in spec.fields.keys() {
            let mut befores = name.match_indices('.').map(|(at, _)| &name[..at]);
            let owner = befores.find(|it| spec.features.contains_key(*it) || is_several(it));
            if let Some(owner) = owner {
                let message = format!("`{name}` would be a part of `{owner}`");
                let mistake = Mistake::new(format!("fields.{name}"), message);
                self.mistakes.push(mistake.help("give one of them another name"));
            }
        }
    }

    /// A field that is read where the label lies would tell the models the answer.
    fn fields_at_the_label(&mut self, parts: &Parts) {
        for input in &parts.inputs {
            let Some(label) = &input.decode.label else { continue };
            for field in &input.decode.fields {
                let path = format!("fields.{}", field.name);
                let is_known = self.mistakes.iter().any(|mistake| mistake.path == path);
                if is_known || !reads(&input.decode.format, field, &label.path) {
                    continue;
                }
                let message = format!("`{}` is read from where the label is", field.name);
                self.mistakes.push(Mistake::new(path, message).help(
                    "leave it out: no model may see the answer. A step that looks back may read \
                     the label: before.lag = [\"label\"]",
                ));
            }
        }
    }

    fn values_twice(&mut self) {
        let class = self.spec.label.as_ref().and_then(|label| match &label.kind {
            LabelKind::Class(class) => Some(("label.type.class.values".into(), &class.values)),
            LabelKind::Number(_) => None,
        });
        let categories = self.spec.fields.iter().filter_map(|(name, field)| match field {
            Field::Category(category) => {
                Some((format!("fields.{name}.category.values"), &category.values))
            }
            _ => None,
        });
        for (path, values) in class.into_iter().chain(categories) {
            let mut seen = BTreeSet::new();
            for (index, value) in values.iter().enumerate().filter(|(_, name)| !seen.insert(*name))
            {
                let path = format!("{path}[{index}]");
                let mistake = Mistake::new(path, format!("`{value}` is listed twice"));
                self.mistakes.push(mistake.help("list each once"));
            }
        }
    }
}

/// Whether a field is read from a place, or from several of which it is one.
fn reads(format: &decode::Format, field: &decode::Field, place: &Path) -> bool {
    let count = if let Kind::Numbers { count } = field.kind { count } else { 1 };
    let (Path::Value(steps), Path::Value(wanted)) = (&field.path, place) else {
        return field.path == *place;
    };
    match format {
        decode::Format::Csv { columns, .. } => {
            let column =
                |steps: &[Step]| columns.iter().position(|name| steps == [Step::Key(name.clone())]);
            let (first, wanted) = (column(steps), column(wanted));
            first
                .zip(wanted)
                .is_some_and(|(first, wanted)| (first..first + count).contains(&wanted))
        }
        decode::Format::Json if matches!(field.kind, Kind::Numbers { .. }) => {
            let element = wanted.strip_prefix(steps.as_slice());
            element.is_some_and(|rest| match rest {
                [Step::Index(index)] => *index < count,
                rest => rest.is_empty(),
            })
        }
        decode::Format::Json => steps == wanted,
    }
}
