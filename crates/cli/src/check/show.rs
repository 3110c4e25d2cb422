//! The plan, as people read it.

use std::{path::Path, time::Duration};

use serde_json::Value;

use super::{InputPlan, JoinPlan, LabelPlan, MemoryBytes, ModelPlan, Plan, StepPlan};
use crate::{
    args::Named,
    clock,
    screen::{
        paint::{Paint, padded, width},
        words,
    },
    typed,
};

/// How many names are written out before the rest is only counted.
const NAMES_MAX: usize = 6;

/// Rows below each other, their columns aligned.
struct Rows(Vec<Vec<String>>);

impl Rows {
    fn lines(&self) -> Vec<String> {
        let columns = self.0.iter().map(Vec::len).max().unwrap_or_default();
        let wide = |column: usize| {
            let cells = self.0.iter().filter_map(|row| row.get(column));
            cells.map(|cell| width(cell)).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(wide).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| padded(cell, *width));
            cells.collect::<Vec<_>>().join("   ").trim_end().to_string()
        };
        self.0.iter().map(line).collect()
    }
}

impl Plan {
    pub(super) fn lines(&self, paint: Paint, named: &Named) -> Vec<String> {
        let mut lines = vec![format!("{}   {}", paint.bold(&self.pipeline), paint.dim(&self.file))];
        let mut add = |label: &str, texts: Vec<String>| {
            for (index, text) in texts.iter().enumerate() {
                lines.push(paint.labelled(if index == 0 { label } else { "" }, text));
            }
        };
        add("input", Rows(self.inputs.iter().map(input).collect()).lines());
        add("log", vec![self.log()]);
        add("fields", self.fields());
        add("label", self.label.as_ref().map_or(vec!["none".into()], label));
        add("steps", Rows(self.steps.iter().map(step).collect()).lines());
        add("models", Rows(self.models.iter().flat_map(model).collect()).lines());
        add("memory", self.memory());
        add("judge", self.judge());
        let keep = &self.versions.keep;
        add("versions", vec![format!("one every {}; {keep} are kept", self.versions.every)]);
        add("digests", self.digests());
        add("speed", self.speed());
        add("next", vec![paint.command(&typed::command("run", Path::new(&self.file), "", named))]);
        lines
    }

    fn log(&self) -> String {
        let place = &self.log.place;
        if !self.log.is_there {
            return format!("{place}, which run makes");
        }
        let size = self.log.bytes.map(|bytes| format!(", {}", words::bytes(bytes)));
        let size = size.unwrap_or_default();
        let control = match self.log.control_records {
            None => "nothing was learned yet".into(),
            Some(records) => {
                format!("{}.control holds {}", self.pipeline, words::counted(records, "record"))
            }
        };
        format!("{place}{size}; {control}")
    }

    /// The fields; those that are alike in one line.
    fn fields(&self) -> Vec<String> {
        let mut groups: Vec<(String, String, Vec<String>, usize)> = Vec::new();
        for field in &self.fields {
            let gap = match (&field.missing, field.kind) {
                (Some(with), _) => format!("a gap becomes {with}"),
                (None, _) => "a gap refuses the record".into(),
            };
            match groups.iter_mut().find(|group| group.0 == field.kind && group.1 == gap) {
                Some(group) => {
                    group.2.push(field.name.clone());
                    group.3 += field.slots;
                }
                None => {
                    let names = vec![field.name.clone()];
                    groups.push((field.kind.into(), gap, names, field.slots));
                }
            }
        }
        let row = |(kind, gap, names, slots): &(String, String, Vec<String>, usize)| {
            let slots = match slots {
                0 => "no slot".into(),
                slots => words::counted(*slots as u64, "slot"),
            };
            vec![kind.clone(), names_of(names), slots, gap.clone()]
        };
        Rows(groups.iter().map(row).collect()).lines()
    }

    /// What the learned state takes, and what bounds it.
    fn memory(&self) -> Vec<String> {
        let row = |when: &str, memory: &MemoryBytes| {
            let part = |what: &str, bytes: usize| format!("{what} {}", words::bytes(bytes as u64));
            vec![
                format!("{} {when}", words::bytes(memory.sum as u64)),
                part("models", memory.models),
                part("steps", memory.steps),
                part("metrics", memory.metrics),
                part("names", memory.names),
            ]
            .into_iter()
            .chain((memory.waiting > 0).then(|| part("waiting", memory.waiting)))
            .collect()
        };
        let mut rows = vec![row("at first", &self.memory.at_first)];
        rows.extend(self.memory.kept.as_ref().map(|kept| row("as last kept", kept)));
        let mut lines = Rows(rows).lines();
        if self.memory.models_at_most > 0 {
            let most = words::bytes(self.memory.models_at_most);
            lines.push(format!("models with a memory_max come to {most} together at most"));
        }
        lines
    }

    fn judge(&self) -> Vec<String> {
        let judge = &self.judge;
        let mut lines = match judge.metrics.as_slice() {
            [] => vec!["no metrics".into()],
            metrics => {
                vec![format!("{} over everything, and over {}", metrics.join(", "), judge.over)]
            }
        };
        if !self.baselines.is_empty() {
            lines.push(format!("beside the baselines {}", words::listed(&self.baselines)));
        }
        if let Some(drift) = judge.drift {
            lines.push(format!("{drift} on each model's error raises alarms"));
        }
        let share = 100.0 * judge.refused_share_max;
        lines
            .push(format!("halts when more than {share} % of {} were refused", judge.refused_over));
        lines
    }

    fn digests(&self) -> Vec<String> {
        let whole =
            format!("what is learned {}   how it runs {}", self.learned_digest, self.runs_digest);
        let of_model =
            |model: &ModelPlan| Some(format!("{} {}", model.name, model.learned_digest.as_ref()?));
        let models: Vec<String> = self.models.iter().filter_map(of_model).collect();
        vec![whole, format!("of each model: {}", models.join("   "))]
    }

    fn speed(&self) -> Vec<String> {
        let Some(run) = &self.last_run else { return Vec::new() };
        let Some(rate) = run.records_per_second else { return Vec::new() };
        let ago = clock::now().saturating_sub(run.ended).max(0).unsigned_abs();
        vec![format!(
            "{} records/s in the last run that learned ({}, {} ago)",
            words::rough(rate),
            words::counted(run.records, "record"),
            words::about(Duration::from_millis(ago)),
        )]
    }
}

fn input(input: &InputPlan) -> Vec<String> {
    let partitions = words::counted(input.partitions as u64, "partition");
    let holds = match input.records {
        None => format!("not there yet: run makes it with {partitions}"),
        Some(records) => format!("{} in {partitions}", words::counted(records, "record")),
    };
    let load = match input.load.as_slice() {
        [] => String::new(),
        sources => format!("load {}", sources.join(", ")),
    };
    let name = if input.name == input.topic {
        format!("topic {}", input.topic)
    } else {
        format!("{} = topic {}", input.name, input.topic)
    };
    vec![name, holds, input.format.clone(), load]
}

fn label(label: &LabelPlan) -> Vec<String> {
    let mut lines = vec![label_kind(label)];
    if let Some(join) = &label.join {
        let JoinPlan { input, matches, wait, pending_max, .. } = join;
        let absent = match &join.absent {
            Some(absent) => format!("then it is {absent}"),
            None => "then it is not learned".into(),
        };
        lines.push(format!("comes by {input}, by {matches}; awaited for {wait}, {absent}"));
        lines.push(match &join.need {
            Some(need) => need.clone(),
            None => format!("room for {pending_max} for each model"),
        });
    }
    lines
}

fn label_kind(label: &LabelPlan) -> String {
    let field = &label.field;
    match (label.kind, label.classes.as_slice(), label.classes_max) {
        ("number", ..) => format!("{field}: a number"),
        (_, [_, second], _) => {
            format!("{field}: {}; {second} is the one to find", label.classes.join(" or "))
        }
        (_, _, Some(most)) => {
            format!("{field}: up to {} classes, as they come", words::count(most.into()))
        }
        (_, classes, None) => format!("{field}: one of {}", names_of(classes)),
    }
}

fn step(step: &StepPlan) -> Vec<String> {
    let makes = match step.hashed_slots {
        0 => words::counted(step.makes.len() as u64, "feature"),
        slots => format!("{} hashed slots", words::count(slots.into())),
    };
    let reads = format!("{} of {}", step.kind, names_of(&step.reads));
    let made = match step.makes.as_slice() {
        [first, .., last] => format!("{first} .. {last}"),
        made => made.concat(),
    };
    vec![step.name.clone(), reads, makes, made]
}

fn model(model: &ModelPlan) -> Vec<Vec<String>> {
    let name = if model.is_champion { format!("{} *", model.name) } else { model.name.clone() };
    let mut slots = words::counted(model.slots as u64, "slot");
    if model.hashed_slots > 0 {
        slots.push_str(&format!(", {} hashed", words::count(model.hashed_slots.into())));
    }
    let mut memory = format!("{} at first", words::bytes(model.bytes_at_first as u64));
    if let Some(most) = &model.memory_max {
        memory.push_str(&format!(", {most} at most"));
    }
    let learner = match model.settings.as_object() {
        Some(settings) if !settings.is_empty() => {
            format!("{} {}", model.learner, setting(&model.settings))
        }
        _ => format!("{} with its defaults", model.learner),
    };
    let mut rows = vec![vec![name, format!("of {}", names_of(&model.uses)), slots, memory]];
    rows.push(vec![String::new(), learner]);
    for (name, value) in model.around.as_object().into_iter().flatten() {
        rows.push(vec![String::new(), format!("{name} = {}", setting(value))]);
    }
    rows
}

/// A setting as the file could have it.
fn setting(value: &Value) -> String {
    match value {
        Value::Object(table) if table.is_empty() => "{}".into(),
        Value::Object(table) => {
            let entry = |(name, value): (&String, &Value)| format!("{name} = {}", setting(value));
            format!("{{ {} }}", table.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        Value::Array(list) => {
            format!("[{}]", list.iter().map(setting).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn names_of(names: &[String]) -> String {
    match names.len() {
        0..=NAMES_MAX => names.join(", "),
        count => format!("{}, ... {count} in all", names[..NAMES_MAX - 1].join(", ")),
    }
}
