//! `alluvium check`: what would run, without running it.

mod show;

use alluvium_flow::{
    Memory, Pipeline,
    spec::{Field, Format, Input, Label, LabelKind, Spec},
};
use alluvium_learn::{Bytes, Place};
use alluvium_ledger::log::Log;
use serde::Serialize;
use serde_json::Value;

use crate::{
    args,
    failure::Failure,
    labels::{self, Need},
    last_run::{self, LastRun},
    look::{Look, Standing},
    open::Opened,
    plain,
    screen::{paint::Paint, say},
    store::Store,
    topics::{self, Survey},
};

/// What would run.
#[derive(Debug, Serialize)]
struct Plan {
    pipeline: String,
    file: String,
    log: LogPlan,
    inputs: Vec<InputPlan>,
    fields: Vec<FieldPlan>,
    label: Option<LabelPlan>,
    steps: Vec<StepPlan>,
    models: Vec<ModelPlan>,
    baselines: Vec<String>,
    memory: MemoryPlan,
    judge: JudgePlan,
    versions: VersionsPlan,
    learned_digest: String,
    runs_digest: String,
    /// The newest run that learned something, if one is remembered.
    last_run: Option<LastRun>,
}

#[derive(Debug, Serialize)]
struct LogPlan {
    place: String,
    is_there: bool,
    /// The size of its file, where it has one on this machine.
    bytes: Option<u64>,
    /// The records in control, which hold the order of everything learned.
    control_records: Option<u64>,
}

#[derive(Debug, Serialize)]
struct InputPlan {
    name: String,
    topic: String,
    format: String,
    partitions: usize,
    /// `None`: there is no such topic yet.
    records: Option<u64>,
    load: Vec<String>,
}

#[derive(Debug, Serialize)]
struct FieldPlan {
    name: String,
    kind: &'static str,
    slots: usize,
    /// What stands in for a missing value; `None`: the record is refused.
    missing: Option<String>,
}

#[derive(Debug, Serialize)]
struct LabelPlan {
    field: String,
    kind: &'static str,
    classes: Vec<String>,
    /// The most classes, where they are not listed.
    classes_max: Option<u32>,
    /// How it finds its record, where it comes by an input of its own.
    join: Option<JoinPlan>,
}

#[derive(Debug, Serialize)]
struct JoinPlan {
    input: String,
    #[serde(rename = "match")]
    matches: String,
    wait: String,
    absent: Option<String>,
    late: Value,
    pending_max: String,
    /// What waits and what was counted, as it was last kept.
    kept: Option<Value>,
    /// What `wait` needs at the pace of what waits now.
    need: Option<String>,
}

#[derive(Debug, Serialize)]
struct StepPlan {
    name: String,
    kind: &'static str,
    reads: Vec<String>,
    makes: Vec<String>,
    hashed_slots: u32,
}

#[derive(Debug, Serialize)]
struct ModelPlan {
    name: String,
    is_champion: bool,
    #[serde(rename = "use")]
    uses: Vec<String>,
    learner: &'static str,
    /// The settings that are not the defaults.
    settings: Value,
    /// What surrounds the learner.
    around: Value,
    slots: usize,
    hashed_slots: u32,
    /// What it takes before it has learned anything.
    bytes_at_first: usize,
    /// The identity of what it learns: a change of another model alone does not change it.
    learned_digest: Option<String>,
    /// What it takes at most, where the learner has such a setting.
    memory_max: Option<String>,
}

/// What the learned state takes: models, steps, metrics and names.
#[derive(Debug, Serialize)]
struct MemoryPlan {
    at_first: MemoryBytes,
    /// As it was last kept; `None`: nothing was.
    kept: Option<MemoryBytes>,
    /// The models whose size is their own to bound, with `memory_max`: what they take together at
    /// most. Everything else is bounded by its own settings.
    models_at_most: u64,
}

#[derive(Debug, Serialize)]
struct MemoryBytes {
    models: usize,
    steps: usize,
    metrics: usize,
    names: usize,
    waiting: usize,
    sum: usize,
}

impl From<Memory> for MemoryBytes {
    fn from(memory: Memory) -> MemoryBytes {
        let sum = memory.sum();
        let Memory { models, steps, metrics, names, waiting } = memory;
        MemoryBytes { models, steps, metrics, names, waiting, sum }
    }
}

#[derive(Debug, Serialize)]
struct JudgePlan {
    metrics: Vec<String>,
    over: String,
    drift: Option<&'static str>,
    refused_share_max: f64,
    refused_over: String,
}

#[derive(Debug, Serialize)]
struct VersionsPlan {
    every: String,
    keep: String,
}

/// `alluvium check`.
///
/// # Errors
/// Every mistake in the file; or that the log cannot be opened.
pub fn run(call: &args::Check) -> Result<(), Failure> {
    let opened = match Opened::read(&call.pipeline.file, &call.pipeline.named) {
        Err(Failure::Mistakes(mistakes)) if call.json => {
            let event = serde_json::json!({ "mistakes": mistakes.to_json() });
            say(&serde_json::to_string_pretty(&event)?);
            return Err(Failure::Mistakes(mistakes));
        }
        read => read?,
    };
    if call.topics {
        return topics(&opened, call.json);
    }
    let plan = Plan::of(&opened)?;
    if call.json {
        say(&serde_json::to_string_pretty(&plan)?);
    } else {
        say(&plan.lines(Paint::stdout(), &call.pipeline.named).join("\n"));
    }
    Ok(())
}

/// `alluvium check --topics`.
fn topics(opened: &Opened, json: bool) -> Result<(), Failure> {
    let survey = match opened.place.tools()? {
        // Looking makes no log.
        None => None,
        Some(_) => {
            let mut log = opened.log()?;
            let asked = Survey::of(opened, &mut log);
            asked.map_err(|why| topics::unanswered(why, &log))?
        }
    };
    match json {
        true => say(&plain::json(&topics::json(opened, survey.as_ref()))),
        false => say(&topics::text(opened, survey.as_ref(), Paint::stdout())),
    }
    Ok(())
}

impl Plan {
    fn of(opened: &Opened) -> Result<Plan, Failure> {
        let spec = &opened.spec;
        let pipeline = Pipeline::build(&opened.settings)?;
        let mut log = if opened.place.is_missing() { None } else { Some(opened.log()?) };
        let mut inputs = Vec::new();
        for (name, input) in &spec.input {
            inputs.push(input_plan(log.as_mut(), name, input)?);
        }
        let control = topic_records(log.as_mut(), &opened.topic("control"))?;
        let standing = match log {
            Some(_) => Some(Look::of(opened.clone())?.standing()?),
            None => None,
        };
        let kept = standing.as_ref().and_then(Standing::pipeline);
        let baselines = pipeline.judges().filter(|(_, _, is_model)| !is_model);
        Ok(Plan {
            pipeline: spec.name.clone(),
            file: opened.file.display().to_string(),
            log: LogPlan {
                place: opened.place.to_string(),
                is_there: log.is_some(),
                bytes: log.as_ref().and_then(|log| log.file_bytes().ok()).flatten(),
                control_records: control.map(|(records, _)| records),
            },
            inputs,
            fields: fields(spec, &pipeline),
            label: label(spec, kept)?,
            steps: steps(spec, &pipeline),
            models: models(spec, &pipeline),
            baselines: baselines.map(|(name, _, _)| name.to_string()).collect(),
            memory: memory(opened, &pipeline, kept),
            judge: judge(spec, &pipeline),
            versions: VersionsPlan {
                every: spec.versions.every.to_string(),
                keep: spec.versions.keep.to_string(),
            },
            learned_digest: opened.settings.learned_digest(),
            runs_digest: opened.settings.runs_digest(),
            last_run: last_run::read(&opened.place, &spec.name),
        })
    }
}

/// What the learned state takes at first, and as it was last kept.
fn memory(opened: &Opened, pipeline: &Pipeline, kept: Option<&Pipeline>) -> MemoryPlan {
    let bounds = opened.spec.model.values().filter_map(|model| {
        let whole = serde_json::to_value(&model.learner).ok()?;
        let bound = whole[model.learner.name()]["memory_max"].as_str()?.parse::<Bytes>();
        bound.ok().map(|bytes| bytes.0)
    });
    MemoryPlan {
        at_first: pipeline.memory().into(),
        kept: kept.map(|kept| kept.memory().into()),
        models_at_most: bounds.sum(),
    }
}

/// How many records a topic holds, and in how many partitions; `None`: it is not there.
fn topic_records(log: Option<&mut Store>, topic: &str) -> Result<Option<(u64, usize)>, Failure> {
    let Some(log) = log else { return Ok(None) };
    let ends = log.ends(topic)?;
    Ok(ends.map(|ends| {
        let records = ends.partitions.iter().map(|p| p.stable.saturating_sub(p.earliest)).sum();
        (records, ends.partitions.len())
    }))
}

fn input_plan(log: Option<&mut Store>, name: &str, input: &Input) -> Result<InputPlan, Failure> {
    let topic = input.topic(name);
    let found = topic_records(log, topic)?;
    let format = match &input.format {
        Format::Csv(csv) => format!("csv of {} columns", csv.columns.len()),
        Format::Json(_) => "json".into(),
    };
    Ok(InputPlan {
        name: name.into(),
        topic: topic.into(),
        format,
        partitions: found.map_or(input.partitions as usize, |(_, partitions)| partitions),
        records: found.map(|(records, _)| records),
        load: input.load.clone(),
    })
}

fn fields(spec: &Spec, pipeline: &Pipeline) -> Vec<FieldPlan> {
    let columns = pipeline.layout().columns();
    let slots = |name: &str| {
        let own = columns.iter().filter(|column| column.group == *name);
        own.filter(|column| matches!(column.place, Place::Dense { .. })).count()
    };
    let plan = |(name, field): (&String, &Field)| {
        let (kind, missing) = match field {
            Field::Number(number) => ("number", shown(&number.missing)),
            Field::Numbers(numbers) => ("numbers", shown(&numbers.missing)),
            Field::Category(category) => ("category", shown(&category.missing)),
            Field::Flag(flag) => ("flag", shown(&flag.missing)),
            Field::Text(_) => ("text", None),
            Field::Id(_) => ("id", None),
        };
        FieldPlan { name: name.clone(), kind, slots: slots(name), missing }
    };
    spec.fields.iter().map(plan).collect()
}

/// A setting as the file has it, without quotes.
fn shown(setting: &Option<impl Serialize>) -> Option<String> {
    match serde_json::to_value(setting.as_ref()?).ok()? {
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

fn label(spec: &Spec, kept: Option<&Pipeline>) -> Result<Option<LabelPlan>, Failure> {
    let Some(label) = &spec.label else { return Ok(None) };
    let (kind, classes, classes_max) = match &label.kind {
        LabelKind::Number(_) => ("number", Vec::new(), None),
        LabelKind::Class(class) => {
            let max = class.values.is_empty().then(|| class.classes_max());
            ("class", class.values.clone(), max)
        }
    };
    let field = label.field.clone();
    let join = join(label, kept)?;
    Ok(Some(LabelPlan { field, kind, classes, classes_max, join }))
}

/// How labels find their records. What cannot fit is refused.
fn join(label: &Label, kept: Option<&Pipeline>) -> Result<Option<JoinPlan>, Failure> {
    let (Some(input), Some(matches), Some(wait)) = (&label.input, &label.matches, label.wait)
    else {
        return Ok(None);
    };
    let kept = kept.and_then(Pipeline::labels);
    let need = kept.as_ref().and_then(|labels| Need::of(labels, wait));
    let text = need.map(|need| need.text(wait, label.pending_max));
    if need.is_some_and(|need| need.bytes > label.pending_max.0) {
        let text = text.unwrap_or_default();
        return Err(Failure::Usage(format!(
            "what waits for its label does not fit: {text}\nraise label.pending_max, or lower \
             label.wait"
        )));
    }
    Ok(Some(JoinPlan {
        input: input.clone(),
        matches: matches.clone(),
        wait: wait.to_string(),
        absent: shown(&label.absent),
        late: serde_json::to_value(&label.late)?,
        pending_max: label.pending_max.to_string(),
        kept: kept.as_ref().map(labels::json),
        need: text,
    }))
}

/// The steps in the order they run; those that fill a field's gaps are told of with the field.
fn steps(spec: &Spec, pipeline: &Pipeline) -> Vec<StepPlan> {
    let mut steps = Vec::new();
    for name in pipeline.step_names() {
        let Some(config) = spec.features.get(name) else { continue };
        let made = pipeline.layout().columns().iter().filter(|column| column.group == name);
        let mut plan = StepPlan {
            name: name.into(),
            kind: config.name(),
            reads: config.reads(),
            makes: Vec::new(),
            hashed_slots: 0,
        };
        for column in made {
            if let Place::Sparse { size, .. } = column.place {
                plan.hashed_slots += size;
            }
            plan.makes.push(column.name.clone());
        }
        steps.push(plan);
    }
    steps
}

fn models(spec: &Spec, pipeline: &Pipeline) -> Vec<ModelPlan> {
    let mut models = Vec::new();
    for ((name, slots, hashed_slots), (_, bytes)) in pipeline.sizes().zip(pipeline.footprints()) {
        let Some(model) = spec.model.get(&**name) else { continue };
        let kind = model.learner.name();
        let mut settings = pipeline.model_settings(name).cloned().unwrap_or_default();
        let mut around = settings["model"].take();
        let settings = around["learner"][kind].take();
        if let Some(around) = around.as_object_mut() {
            around.remove("learner");
            around.remove("use");
        }
        let whole = serde_json::to_value(&model.learner).unwrap_or_default();
        models.push(ModelPlan {
            name: name.to_string(),
            is_champion: spec.first_champion() == Some(&**name),
            uses: model.uses.clone(),
            learner: kind,
            settings,
            around,
            slots,
            hashed_slots,
            bytes_at_first: bytes,
            learned_digest: pipeline.settings().model_digest(name),
            memory_max: whole[kind]["memory_max"].as_str().map(String::from),
        });
    }
    models
}

fn judge(spec: &Spec, pipeline: &Pipeline) -> JudgePlan {
    let mut metrics: Vec<String> = Vec::new();
    for (_, judge, _) in pipeline.judges() {
        for name in (0..judge.len()).map(|metric| judge.name(metric)) {
            if !metrics.iter().any(|known| known == name) {
                metrics.push(name.into());
            }
        }
    }
    JudgePlan {
        metrics,
        over: spec.judge.over.to_string(),
        drift: spec.judge.drift.as_ref().map(|drift| drift.name()),
        refused_share_max: spec.refusals.share_max,
        refused_over: spec.refusals.over.to_string(),
    }
}
