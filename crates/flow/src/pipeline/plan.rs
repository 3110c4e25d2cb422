//! From settings to a pipeline: names become slots, once; every mistake is found, not the first.

use std::{collections::BTreeMap, sync::Arc};

use alluvium_learn::{
    ConfigError, LabelShape, Layout, Place, Scope, SlotKind,
    steps::{StepConfig, impute},
};

use super::{Mistake, dictionary::Dictionary, paths};
use crate::{
    decode,
    spec::{
        CategoryMissing, Csv, Field, FlagMissing, Format, LabelKind, NumberMissing, Spec, StandIn,
    },
};

/// An input of a pipeline, as its records are read.
#[derive(Clone, Debug)]
pub struct InputPlan {
    /// Its name in the pipeline file.
    pub name: Arc<str>,
    /// The topic.
    pub topic: Arc<str>,
    /// How its records are decoded.
    pub decode: decode::Plan,
    /// Whether its records are labels, and no examples.
    pub is_label: bool,
    /// How far an event time may lie behind the greatest one so far, in milliseconds.
    pub late_max: Option<u64>,
}

impl InputPlan {
    /// A decoder with room of its own.
    pub fn decoder(&self) -> Box<dyn decode::Decoder> {
        decode::build(&self.decode)
    }
}

/// A category: where its text is found, and where its code goes.
#[derive(Clone, Debug)]
pub(super) struct Category {
    pub(super) name: String,
    /// Which text of a row.
    pub(super) text: usize,
    pub(super) slot: usize,
    /// The code of a name that is not known: the last.
    pub(super) unknown: u32,
    /// The name that stands for a gap.
    pub(super) constant: Option<String>,
    pub(super) dictionary: Dictionary,
}

/// What the fields and steps of a pipeline come to.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) inputs: Vec<InputPlan>,
    pub(super) layout: Layout,
    /// Dense slots that are copied from the decoded numbers, from slot 0 on.
    pub(super) numbers: usize,
    pub(super) categories: Vec<Category>,
    /// Which texts of a decoded row are text fields, in the order of the layout.
    pub(super) texts: Vec<usize>,
    /// Texts of a decoded row, label excluded.
    pub(super) texts_per_row: usize,
    pub(super) steps: Vec<Step>,
    /// Identities that are written beside predictions: name, and which text holds it.
    pub(super) carried_ids: Vec<(String, usize)>,
}

/// A feature step with its name.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) object: StepObject,
}

/// The step itself; apart so that what holds it can be printed.
pub(super) struct StepObject(pub(super) Box<dyn alluvium_learn::FeatureStep>);

impl std::fmt::Debug for StepObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("step")
    }
}

/// What is found while the settings are gone through.
pub(super) struct Planner<'a> {
    pub(super) spec: &'a Spec,
    pub(super) label: LabelShape,
    pub(super) mistakes: Vec<Mistake>,
}

/// What the name of a hidden step that fills a field's gaps ends with.
pub(super) const FILLED: &str = "~";

impl Planner<'_> {
    pub(super) fn parts(&mut self) -> Parts {
        let mut layout = Layout::default();
        let (mut fields, mut fills) = (Vec::new(), Vec::new());
        self.numbers(&mut layout, &mut fields, &mut fills);
        let numbers = layout.dense;
        let (categories, texts) = self.texts(&mut layout, &mut fields, &mut fills);
        let texts_of_fields = categories.len() + texts.len();
        let carried_ids = self.ids(&mut layout, &mut fields, texts_of_fields);
        let inputs = self.inputs(&fields);
        let mut steps = Vec::new();
        for (name, config) in fills {
            self.build_step(&format!("{name}{FILLED}"), &config, &mut layout, &mut steps);
            fill(&mut layout, &name);
        }
        for name in self.order_of_steps() {
            let config = &self.spec.features[&name];
            self.build_step(&name, config, &mut layout, &mut steps);
        }
        let texts_per_row = texts_of_fields + carried_ids.len();
        Parts { inputs, layout, numbers, categories, texts, texts_per_row, steps, carried_ids }
    }

    /// Numbers and flags come first, so that a row begins as it was decoded.
    fn numbers(
        &mut self,
        layout: &mut Layout,
        fields: &mut Vec<(String, decode::Kind, bool)>,
        fills: &mut Vec<(String, StepConfig)>,
    ) {
        for (name, field) in &self.spec.fields {
            let (kind, with) = match field {
                Field::Number(number) => {
                    let min = number.min.unwrap_or(f64::NEG_INFINITY);
                    let max = number.max.unwrap_or(f64::INFINITY);
                    if min > max {
                        let message = format!("min {min} is above max {max}");
                        self.mistakes.push(Mistake::new(format!("fields.{name}"), message));
                    }
                    layout.add_dense(name, name.clone(), SlotKind::Number);
                    (decode::Kind::Number { min, max }, number.missing.as_ref().map(with_number))
                }
                Field::Numbers(numbers) => {
                    for index in 0..numbers.count {
                        layout.add_dense(name, format!("{name}.{index}"), SlotKind::Number);
                    }
                    let count = numbers.count as usize;
                    (decode::Kind::Numbers { count }, numbers.missing.as_ref().map(with_number))
                }
                Field::Flag(flag) => {
                    layout.add_dense(name, name.clone(), SlotKind::Number);
                    (decode::Kind::Flag, flag.missing.as_ref().map(with_flag))
                }
                Field::Category(_) | Field::Text(_) | Field::Id(_) => continue,
            };
            fields.push((name.clone(), kind, with.is_some()));
            if let Some(with) = with {
                fills.push((name.clone(), impute_of(name, with)));
            }
        }
    }

    fn texts(
        &mut self,
        layout: &mut Layout,
        fields: &mut Vec<(String, decode::Kind, bool)>,
        fills: &mut Vec<(String, StepConfig)>,
    ) -> (Vec<Category>, Vec<usize>) {
        let (mut categories, mut texts, mut count) = (Vec::new(), Vec::new(), 0);
        for (name, field) in &self.spec.fields {
            match field {
                Field::Category(category) => {
                    let dictionary = Dictionary::new(&category.values, category.values_max);
                    let unknown = match category.values.len() as u32 {
                        0 => category.values_max,
                        listed => listed,
                    };
                    let kind = SlotKind::Nominal { values: unknown + 1 };
                    let slot = layout.add_dense(name, name.clone(), kind);
                    let bytes_max = decode::NAME_BYTES_MAX;
                    let gaps = category.missing.is_some();
                    fields.push((name.clone(), decode::Kind::Text { bytes_max }, gaps));
                    let constant = match &category.missing {
                        Some(CategoryMissing::Constant(text)) => Some(text.clone()),
                        Some(CategoryMissing::Known(_)) => {
                            let with = impute::With::Previous;
                            fills.push((name.clone(), impute_of(name, with)));
                            None
                        }
                        None => None,
                    };
                    let (name, text) = (name.clone(), count);
                    let category = Category { name, text, slot, unknown, constant, dictionary };
                    categories.push(category);
                }
                Field::Text(text) => {
                    layout.add_text(name);
                    texts.push(count);
                    let bytes_max = text.bytes_max.0 as usize;
                    fields.push((name.clone(), decode::Kind::Text { bytes_max }, false));
                }
                _ => continue,
            }
            count += 1;
        }
        (categories, texts)
    }

    /// Identities are hashed; those that are carried are decoded as text once more.
    fn ids(
        &mut self,
        layout: &mut Layout,
        fields: &mut Vec<(String, decode::Kind, bool)>,
        texts: usize,
    ) -> Vec<(String, usize)> {
        let is_id = |(_, field): &(&String, &Field)| matches!(field, Field::Id(_));
        let names: Vec<&String> =
            self.spec.fields.iter().filter(is_id).map(|(name, _)| name).collect();
        for name in &names {
            layout.add_id(name);
            fields.push(((*name).clone(), decode::Kind::Id, false));
        }
        let carried = names.into_iter().filter(|name| self.spec.predictions.carry.contains(name));
        let mut ids = Vec::new();
        for name in carried {
            fields.push((name.clone(), decode::Kind::Text { bytes_max: 1024 }, true));
            ids.push((name.clone(), texts + ids.len()));
        }
        ids
    }

    fn inputs(&mut self, fields: &[(String, decode::Kind, bool)]) -> Vec<InputPlan> {
        let mut inputs = Vec::new();
        for (name, input) in &self.spec.input {
            let format = match &input.format {
                Format::Csv(csv) => {
                    let delimiter = csv.delimiter;
                    if !delimiter.is_ascii() || "\"\r\n".contains(delimiter) {
                        let message = format!("the delimiter is {delimiter:?}");
                        let path = format!("input.{name}.format.csv.delimiter");
                        let help = "one ASCII character, no quote and no line break";
                        self.mistakes.push(Mistake::new(path, message).help(help));
                    }
                    decode::Format::Csv {
                        columns: self.columns(name, csv),
                        delimiter: delimiter as u8,
                    }
                }
                Format::Json(_) => decode::Format::Json,
            };
            let topic = input.topic(name);
            if !paths::is_topic(topic) {
                let message = format!("{topic:?} cannot be the name of a topic");
                let help = "letters, digits, `.`, `_` and `-`, at most 249 of them";
                self.mistakes.push(Mistake::new(format!("input.{name}"), message).help(help));
            }
            let said = self.spec.label.as_ref();
            let is_label = said.is_some_and(|label| label.input.as_ref() == Some(name));
            let is_apart = said.is_some_and(|label| label.input.is_some());
            // A label has the id it shares with its example, and no other field.
            let shared = said.and_then(|label| label.matches.as_ref()).filter(|_| is_label);
            let is_read = |(field, kind, _): &&(String, decode::Kind, bool)| {
                !is_label || shared == Some(field) && *kind == decode::Kind::Id
            };
            let decoded = fields
                .iter()
                .filter(is_read)
                .map(|(field, kind, gaps)| decode::Field {
                    name: field.clone(),
                    path: self.path(name, &format, field, &format!("fields.{field}")),
                    kind: kind.clone(),
                    gaps: *gaps,
                })
                .collect();
            let label = said.filter(|_| is_label == is_apart).map(|label| decode::LabelField {
                name: label.field.clone(),
                path: self.path(name, &format, &label.field, "label.field"),
                is_class: matches!(label.kind, LabelKind::Class(_)),
            });
            let time = self.event_time(name, input, &format);
            let decode = decode::Plan { format, fields: decoded, label, time };
            if self.mistakes.is_empty()
                && let Err(error) = decode.check()
            {
                self.mistakes.push(Mistake::new(format!("input.{name}"), error.to_string()));
            }
            let (name, topic) = (name.as_str().into(), topic.into());
            let late_max = input.late_max.map(|span| span.0);
            inputs.push(InputPlan { name, topic, decode, is_label, late_max });
        }
        inputs
    }

    /// The columns one by one: the first of several has their name.
    fn columns(&self, input: &str, csv: &Csv) -> Vec<String> {
        let spread = |(name, count): (&str, u32)| {
            let rest = (1..count).map(|_| "_".to_string());
            std::iter::once(name.to_string()).chain(rest).collect::<Vec<String>>()
        };
        self.spec.columns(input, csv).flat_map(spread).collect()
    }

    /// Where a value lies in a record of an input: under its own name, or where `paths` says.
    pub(super) fn path(
        &mut self,
        input: &str,
        format: &decode::Format,
        name: &str,
        place: &str,
    ) -> decode::Path {
        let said = self.spec.input[input].paths.get(name);
        let text = said.map_or(name, String::as_str);
        let place = match said {
            Some(_) => format!("input.{input}.paths.{name}"),
            None => place.to_string(),
        };
        let path = match paths::parse(text, matches!(format, decode::Format::Csv { .. })) {
            Ok(path) => path,
            Err(why) => {
                self.mistakes.push(Mistake::new(&place, why));
                return decode::Path::Key;
            }
        };
        if let (decode::Format::Csv { columns, .. }, decode::Path::Value(steps)) = (format, &path)
            && let [decode::Step::Key(column)] = steps.as_slice()
            && !columns.contains(column)
        {
            let help = paths::nearest(column, columns.iter().map(String::as_str));
            let names: Vec<&str> =
                columns.iter().map(String::as_str).filter(|name| *name != "_").collect();
            let known = format!("the columns are {}", names.join(", "));
            let message = format!("input {input} has no column `{column}`");
            self.mistakes.push(Mistake::new(&place, message).help(help.unwrap_or(known)));
        }
        path
    }

    /// The steps, each after those it reads. Names decide where reading does not, so that moving
    /// lines in the file changes nothing.
    fn order_of_steps(&mut self) -> Vec<String> {
        let features = &self.spec.features;
        let reads = |name: &String| -> Vec<String> {
            let whole = |read: String| self.spec.whole(&read).to_string();
            let known = |read: &String| features.contains_key(read);
            features[name].reads().into_iter().map(whole).filter(known).collect()
        };
        let mut left: BTreeMap<&String, Vec<String>> =
            features.keys().map(|name| (name, reads(name))).collect();
        let mut ordered = Vec::new();
        while !left.is_empty() {
            let is_free = |(_, reads): &(&&String, &Vec<String>)| {
                reads.iter().all(|read| !left.contains_key(read))
            };
            let Some(name) = left.iter().find(is_free).map(|(name, _)| (*name).clone()) else {
                self.cycle(left);
                break;
            };
            left.remove(&name);
            ordered.push(name);
        }
        for name in features.keys().filter(|name| self.spec.fields.contains_key(*name)) {
            let message = format!("`{name}` is a field and a step");
            let help = "give the step another name";
            self.mistakes.push(Mistake::new(format!("features.{name}"), message).help(help));
        }
        ordered
    }

    /// Steps that cannot be put in an order. Those that only read one of them are no part of it.
    fn cycle(&mut self, mut left: BTreeMap<&String, Vec<String>>) {
        loop {
            let is_read = |name: &String| left.values().any(|reads| reads.contains(name));
            let Some(reader) = left.keys().find(|name| !is_read(name)).copied() else { break };
            left.remove(reader);
        }
        let cycle: Vec<&str> = left.keys().map(|name| name.as_str()).collect();
        let message = match cycle.as_slice() {
            [one] => format!("`{one}` reads itself"),
            steps => format!("these steps read each other: {}", steps.join(", ")),
        };
        self.mistakes.push(Mistake::new(format!("features.{}", cycle[0]), message));
    }

    fn build_step(
        &mut self,
        name: &str,
        config: &StepConfig,
        layout: &mut Layout,
        steps: &mut Vec<Step>,
    ) {
        let known = layout.clone();
        match config.build(&mut Scope::new(layout, name, self.label)) {
            Ok(object) => steps.push(Step { name: name.into(), object: StepObject(object) }),
            Err(error) => {
                let path = format!("features.{name}.{}", config.name());
                let mut mistake = self.config_mistake(&path, &error);
                if mistake.help.is_none() {
                    mistake.help = self.nearest_column(&known, &error.value);
                }
                if !self.is_mistaken_step(&known, &error.value) {
                    self.mistakes.push(mistake);
                }
                // What it would have made is known, so that no reader of it seems wrong as well.
                let made = known.find(name).next().is_none() && layout.find(name).next().is_none();
                if made {
                    layout.add_dense(name, name.into(), SlotKind::Number);
                }
            }
        }
    }

    pub(super) fn config_mistake(&self, path: &str, error: &ConfigError) -> Mistake {
        let path = match error.field.as_str() {
            "" => path.to_string(),
            field => format!("{path}.{field}"),
        };
        match error.value.as_str() {
            "" => Mistake::new(path, error.must_be.clone()),
            value => {
                let name = error.field.rsplit('.').next().unwrap_or_default();
                let must_be = &error.must_be;
                Mistake::new(path, format!("`{name}` has `{value}`, but must be {must_be}"))
            }
        }
    }

    /// Whether a name leads to a step that has a mistake of its own: nothing more is known of it.
    pub(super) fn is_mistaken_step(&self, layout: &Layout, name: &str) -> bool {
        let step = self.spec.whole(name);
        let is_own = |mistake: &Mistake| {
            let rest = mistake.path.strip_prefix("features.").and_then(|it| it.strip_prefix(step));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.spec.features.contains_key(step)
            && (layout.find(step).next().is_none() || self.mistakes.iter().any(is_own))
    }

    /// What a name that does not fit is, or the known name nearest to a wrong one.
    pub(super) fn nearest_column(&self, layout: &Layout, name: &str) -> Option<String> {
        let kind = match self.spec.fields.get(name) {
            Some(Field::Number(_)) => "a number",
            Some(Field::Numbers(_)) => "several numbers",
            Some(Field::Flag(_)) => "a flag",
            Some(Field::Category(_)) => "a category",
            Some(Field::Text(_)) => "a text",
            Some(Field::Id(_)) => "an id",
            None => "",
        };
        if !kind.is_empty() {
            return Some(format!("`{name}` is {kind}"));
        }
        let columns = layout.columns().iter().filter(|column| !column.group.ends_with(FILLED));
        let names = columns.flat_map(|column| [column.name.as_str(), column.group.as_str()]);
        paths::nearest(name, names.chain(self.spec.features.keys().map(String::as_str)))
    }
}

fn with_number(missing: &NumberMissing) -> impute::With {
    match missing {
        NumberMissing::Known(StandIn::Mean) => impute::With::Mean,
        NumberMissing::Known(StandIn::Previous) => impute::With::Previous,
        NumberMissing::Known(StandIn::Zero) => impute::With::Zero,
        NumberMissing::Constant(value) => impute::With::Constant(*value),
    }
}

fn with_flag(missing: &FlagMissing) -> impute::With {
    match missing {
        FlagMissing::Known(_) => impute::With::Previous,
        FlagMissing::Constant(value) => impute::With::Constant(f64::from(u8::from(*value))),
    }
}

fn impute_of(field: &str, with: impute::With) -> StepConfig {
    StepConfig::Impute(impute::Config { of: vec![field.to_string()], with })
}

/// From here on the field's name stands for the filled values.
fn fill(layout: &mut Layout, field: &str) {
    let filled: Vec<usize> = layout
        .find(&format!("{field}{FILLED}"))
        .filter_map(|column| match column.place {
            Place::Dense { slot, .. } => Some(slot),
            _ => None,
        })
        .collect();
    let names: Vec<String> = layout.find(field).map(|column| column.name.clone()).collect();
    for (name, slot) in names.iter().zip(filled) {
        layout.redirect(name, slot);
    }
}
