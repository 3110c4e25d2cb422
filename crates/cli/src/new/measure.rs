//! The whole file once more, through the pipeline's own decoder: what it refuses, and what has to
//! be beaten.

use std::collections::{BTreeMap, VecDeque};

use alluvium_flow::{
    Batch, Headers, Pipeline,
    decode::{Reason, Rows},
    spec::{LabelKind, Spec},
};

use super::{sample::Sample, value};

/// Records decoded at once.
const BATCH_RECORDS: usize = 1000;
const BATCH_BYTES: usize = 4 << 20;
/// So many classes are counted.
const CLASSES_MAX: usize = 10_000;
/// A run halts by the share of refused records among so many: the default of the settings.
const REFUSALS_OVER: usize = 1000;

/// What was measured.
#[derive(Clone, Debug, Default)]
pub(super) struct Measured {
    /// Records in the file.
    pub records: u64,
    /// Records that would be refused.
    pub refused: u64,
    /// Of those, by field; no name is the record as a whole. The reason is the first one's.
    pub refused_by: BTreeMap<String, (u64, Option<Reason>)>,
    /// The greatest share of refused ones among a thousand records in a row.
    pub refused_share: f64,
    /// Records that would be refused for their time.
    pub bad_times: u64,
    /// Records with a label.
    pub labelled: u64,
    /// The classes, and how often each came.
    pub classes: BTreeMap<String, u64>,
    /// Labels equal to the one before.
    pub unchanged: u64,
    /// The first class.
    pub first_class: String,
    /// The mean distance of a number from the one before.
    pub error_no_change: f64,
    /// The mean distance of a number from the mean of all before.
    pub error_mean: f64,
    newest: VecDeque<bool>,
    newest_refused: usize,
    class_before: String,
    number_before: f64,
    mean: f64,
}

/// Decodes a whole file as a pipeline would.
///
/// # Errors
/// When the file cannot be read, or the settings make no pipeline.
pub(super) fn measure(sample: &Sample, spec: &Spec) -> anyhow::Result<Measured> {
    let pipeline = Pipeline::of_spec(spec)?;
    let Some(input) = pipeline.inputs().first() else { anyhow::bail!("there is no input") };
    let plan = &input.decode;
    let mut names: Vec<String> = plan.fields.iter().map(|field| field.name.clone()).collect();
    names.extend(plan.label.as_ref().map(|label| label.name.clone()));
    names.resize(plan.fields.len() + 1, "label".into());
    let is_class = spec.label.as_ref().map(|label| matches!(label.kind, LabelKind::Class(_)));
    let (texts, numbers) = (plan.texts_per_row(), plan.numbers_per_row());
    let (mut decoder, mut batch, mut rows) = (input.decoder(), Batch::new(), Rows::default());
    let mut measured = Measured::default();
    let mut settle = |batch: &mut Batch| {
        rows.clear();
        decoder.decode(0, batch, &mut rows);
        batch.clear();
        for row in 0..rows.len() {
            let mut refusal = rows.refusals[row].map(|refusal| (refusal.field, refusal.reason));
            if refusal.is_none() && is_class == Some(true) {
                let class = text(&rows, rows.texts[(row + 1) * texts - 1]);
                if class.is_some_and(value::is_no_class) {
                    refusal = Some((Some(plan.fields.len() as u16), Reason::UnknownClass));
                } else if let Some(class) = class {
                    measured.class(class);
                }
            } else if refusal.is_none() && is_class == Some(false) {
                measured.number(rows.numbers[(row + 1) * numbers - 1]);
            }
            measured.record(refusal, &names);
        }
    };
    sample.each(|line| {
        // No time of the log's: it will be that of loading, which no event time is held to here.
        batch.push(0, -1, None, Some(line), Headers::default());
        if batch.len() >= BATCH_RECORDS || batch.bytes().len() >= BATCH_BYTES {
            settle(&mut batch);
        }
        true
    })?;
    settle(&mut batch);
    if measured.labelled > 0 {
        measured.error_no_change /= measured.labelled as f64;
        measured.error_mean /= measured.labelled as f64;
    }
    Ok(measured)
}

fn text(rows: &Rows, span: (u32, u32)) -> Option<&str> {
    let bytes = rows.bytes.get(span.0 as usize..span.1 as usize)?;
    std::str::from_utf8(bytes).ok()
}

impl Measured {
    fn record(&mut self, refusal: Option<(Option<u16>, Reason)>, names: &[String]) {
        self.records += 1;
        if let Some((field, reason)) = refusal {
            self.refused += 1;
            let name = field.map(|field| names.get(usize::from(field)));
            match name {
                Some(None) => self.bad_times += 1,
                name => {
                    let name = name.flatten().cloned().unwrap_or_default();
                    let entry = self.refused_by.entry(name).or_insert((0, Some(reason)));
                    entry.0 += 1;
                }
            }
        }
        self.newest.push_back(refusal.is_some());
        self.newest_refused += usize::from(refusal.is_some());
        if self.newest.len() > REFUSALS_OVER {
            self.newest_refused -= usize::from(self.newest.pop_front() == Some(true));
        }
        if self.newest.len() == REFUSALS_OVER {
            let share = self.newest_refused as f64 / REFUSALS_OVER as f64;
            self.refused_share = self.refused_share.max(share);
        }
    }

    fn class(&mut self, class: &str) {
        match self.labelled {
            0 => self.first_class = class.into(),
            _ => self.unchanged += u64::from(self.class_before == class),
        }
        self.class_before.clear();
        self.class_before.push_str(class);
        self.labelled += 1;
        if let Some(count) = self.classes.get_mut(class) {
            *count += 1;
        } else if self.classes.len() < CLASSES_MAX {
            self.classes.insert(class.into(), 1);
        }
    }

    /// As the baselines of a run do: before the first number both say 0.
    fn number(&mut self, number: f64) {
        if number.is_nan() {
            return;
        }
        self.error_no_change += (number - self.number_before).abs();
        self.error_mean += (number - self.mean).abs();
        self.number_before = number;
        self.labelled += 1;
        self.mean += (number - self.mean) / self.labelled as f64;
    }

    /// The share of records with a label that hold the class that comes most, and that class.
    pub(super) fn majority(&self) -> (f64, &str) {
        let most = self.classes.iter().max_by_key(|(_, count)| **count);
        let (class, count) = most.map_or(("", 0), |(class, count)| (class.as_str(), *count));
        (count as f64 / self.labelled.max(1) as f64, class)
    }
}
