//! From what was counted to what each column is, and which of them is to be foretold.

use std::collections::BTreeSet;

use super::{
    draft::{Draft, EventTime, From, Label, LabelKind, Part, What},
    sample::{Form, Sample},
    survey::{Column, Counts, Survey},
    value,
};
use crate::failure::Failure;

/// The most values that are taken for classes by their number alone.
const CLASSES_MAX: usize = 20;
/// The most names that are taken for classes when somebody says so, or the column's name does.
const CLASSES_MAX_NAMED: usize = 100;
/// The most names of a category that are listed.
const LISTED_MAX: usize = 12;
/// The most names of a category; with more it is an identity.
const CATEGORY_MAX: usize = 1000;
/// The longest array of numbers that becomes features.
const NUMBERS_MAX: usize = 1024;
/// A column that more records lack is not worth the gaps.
const GAPS_MAX: f64 = 0.5;

/// What labels are often called.
const LABEL_NAMES: [&str; 22] = [
    "class",
    "classes",
    "label",
    "labels",
    "target",
    "targets",
    "y",
    "outcome",
    "result",
    "is_fraud",
    "fraud",
    "isfraud",
    "churn",
    "churned",
    "survived",
    "species",
    "diagnosis",
    "default",
    "is_anomaly",
    "anomaly",
    "ground_truth",
    "truth",
];
/// What the names of labels often end with.
const LABEL_ENDS: [&str; 6] = ["_class", "_label", "_target", "_outcome", ".y", "-class"];
/// Words of the names of times.
const TIME_WORDS: [&str; 9] =
    ["time", "timestamp", "ts", "date", "datetime", "at", "when", "epoch", "created"];

/// Decides what each column is. `said` is the label that somebody named.
///
/// # Errors
/// When the label that was named cannot be one, or nothing is left to learn from.
pub(super) fn draft(
    sample: &Sample,
    survey: &Survey,
    said: Option<&str>,
) -> Result<Draft, Failure> {
    let time = survey.columns.iter().find_map(|column| event_time(column, survey));
    let label = match said {
        Some(name) => Some(said_label(sample, survey, name)?),
        None => guessed_label(sample, survey, time.as_ref()),
    };
    let mut names = BTreeSet::new();
    let label = label.map(|(path, kind, guess)| {
        let name = field_name(&sample.form, path, &mut names);
        Label { name, path: path.into(), kind, guess }
    });
    // Steps know the label by this name, whatever it is called in the record.
    names.insert("label".to_string());
    let mut parts = Vec::new();
    for column in &survey.columns {
        let is_time = time.as_ref().is_some_and(|time| time.path == column.path);
        let is_label = label.as_ref().is_some_and(|label| label.path == column.path);
        if !is_time && !is_label {
            let name = field_name(&sample.form, &column.path, &mut names);
            parts.push(part(column, survey, &sample.form, name));
        }
    }
    Ok(Draft {
        name: String::new(),
        sample: sample.name.clone(),
        from: From::File(String::new()),
        form: sample.form.clone(),
        parts,
        label,
        time,
        records: survey.records,
        read: survey.records,
        refused_share: None,
    })
}

/// The last part of a path, in lower case.
fn bare(path: &str) -> String {
    path.rsplit('.').next().unwrap_or(path).trim().to_lowercase()
}

fn sounds_like_label(path: &str) -> bool {
    let name = bare(path);
    LABEL_NAMES.contains(&name.as_str()) || LABEL_ENDS.iter().any(|end| name.ends_with(end))
}

fn sounds_like_time(path: &str) -> bool {
    let name = bare(path);
    let mut words = name.split(|c: char| !c.is_alphanumeric());
    words.any(|word| TIME_WORDS.contains(&word))
        || name.ends_with("time")
        || name.ends_with("stamp")
}

fn sounds_like_id(path: &str) -> bool {
    let name = bare(path);
    let ends = path.ends_with("Id") || path.ends_with("ID");
    let words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).collect();
    ends || words.iter().any(|word| ["id", "uuid", "guid", "hash", "ip"].contains(word))
}

/// The event time, if this column is one: nothing missing, and written as a file can say.
fn event_time(column: &Column, survey: &Survey) -> Option<EventTime> {
    let counts = &column.counts;
    if !column.is_reachable || counts.present < survey.records || counts.present == 0 {
        return None;
    }
    let time = |unit| Some(EventTime { unit, path: column.path.clone() });
    if counts.times == counts.present {
        return time("rfc3339");
    }
    let (least, most) = counts.range?;
    let is_epoch = counts.numbers == counts.present && sounds_like_time(&column.path);
    match is_epoch {
        true if least >= 3e8 && most < 5e9 => time("s"),
        true if least >= 3e11 && most < 5e12 => time("ms"),
        _ => None,
    }
}

type Found<'a> = (&'a str, LabelKind, Option<&'static str>);

fn said_label<'a>(sample: &Sample, survey: &'a Survey, name: &str) -> Result<Found<'a>, Failure> {
    let Some(column) = survey.columns.iter().find(|column| column.path == name) else {
        let known: Vec<&str> = survey.columns.iter().map(|c| c.path.as_str()).collect();
        let what = if sample.form == Form::Json { "key" } else { "column" };
        let scored = known.iter().map(|known| (strsim::damerau_levenshtein(name, known), known));
        let hint = match scored.min() {
            Some((distance, nearest)) if distance <= 1 + name.len() / 4 => {
                format!("did you mean {nearest}?")
            }
            _ => format!("there are {}", known[..known.len().min(30)].join(", ")),
        };
        let why = format!("{} has no {what} {name}: {hint}", sample.name);
        return Err(Failure::Usage(why));
    };
    if !column.is_reachable {
        let why = format!("a pipeline file cannot say where {name} is: rename it in the sample");
        return Err(Failure::Usage(why));
    }
    match named_kind(column, survey) {
        Ok(kind) => Ok((&column.path, kind, None)),
        Err(why) => Err(Failure::Usage(format!("{name} cannot be the label: {why}"))),
    }
}

fn guessed_label<'a>(
    sample: &Sample,
    survey: &'a Survey,
    time: Option<&EventTime>,
) -> Option<Found<'a>> {
    let can_be =
        |column: &&Column| column.is_reachable && time.is_none_or(|time| time.path != column.path);
    let named = survey.columns.iter().rev().filter(can_be);
    for column in named.filter(|column| sounds_like_label(&column.path)) {
        if let Ok(kind) = named_kind(column, survey) {
            return Some((&column.path, kind, Some("by its name")));
        }
    }
    let last = survey.columns.iter().next_back().filter(can_be)?;
    if sounds_like_id(&last.path) || sounds_like_time(&last.path) {
        return None;
    }
    let has_names = !matches!(sample.form, Form::Csv { has_header: false, .. });
    match label_kind(&last.counts, CLASSES_MAX, 2).ok()? {
        // Numbers without a name are as likely to be measurements.
        LabelKind::Number if !has_names => None,
        // A number that only rises is a count or an identity.
        LabelKind::Number if last.counts.is_whole() && last.counts.falls == 0 => None,
        kind => Some((&last.path, kind, Some("the last column"))),
    }
}

/// What a label is that somebody, or its name, says is one. Where the file goes on, a class that
/// has not come yet may come later: an anomaly, most often.
fn named_kind(column: &Column, survey: &Survey) -> Result<LabelKind, String> {
    let counts = &column.counts;
    let is_constant = counts.different() == 1 && counts.long + counts.others + counts.arrays == 0;
    match is_constant && !survey.is_whole {
        true => Ok(LabelKind::ManyClasses(CLASSES_MAX_NAMED as u32)),
        false => label_kind(counts, CLASSES_MAX_NAMED, 1),
    }
}

/// What a label of such values is, with so many texts as classes at most, each of which comes so
/// many times at least, on average.
fn label_kind(counts: &Counts, texts_max: usize, each_min: u64) -> Result<LabelKind, String> {
    let different = counts.different();
    if counts.present == 0 {
        return Err("it is always empty".into());
    }
    if counts.others + counts.arrays > 0 {
        return Err("it is not a single value".into());
    }
    if different == 1 && counts.long == 0 {
        let value = counts.values.keys().next().map_or("", |value| &**value);
        return Err(format!("it is always {value}"));
    }
    let is_number = counts.is_number();
    let classes: Vec<(String, u64)> = counts
        .values
        .iter()
        .filter(|(name, _)| !value::is_no_class(name))
        .map(|(name, count)| (name.to_string(), *count))
        .collect();
    let classes_max = if is_number { CLASSES_MAX } else { texts_max };
    let come_again = classes.len() as u64 * each_min.max(1) <= counts.present
        && (classes.len() as u64) < counts.present.max(3);
    let is_class = !counts.is_full
        && counts.long == 0
        && (2..=classes_max).contains(&classes.len())
        && (!is_number || counts.is_whole())
        && come_again;
    match is_class {
        true => Ok(LabelKind::Classes(classes)),
        false if is_number => Ok(LabelKind::Number),
        false => Err(format!("{different} different texts are no classes, and no numbers")),
    }
}

fn percent(share: f64) -> String {
    match share * 100.0 {
        percent if percent < 0.1 => "less than 0.1 %".into(),
        percent => format!("{percent:.1} %"),
    }
}

fn part(column: &Column, survey: &Survey, form: &Form, name: String) -> Part {
    let counts = &column.counts;
    let (what, note) = match column.is_reachable {
        true => kind(column, survey, form),
        false => (What::LeftOut, Some("a pipeline file cannot say where it is".to_string())),
    };
    let good = match what {
        What::Number => counts.numbers,
        What::Flag if counts.flags > 0 => counts.flags,
        What::Numbers(_) => counts.arrays,
        _ => counts.present,
    };
    let lacking = survey.records.saturating_sub(good);
    let share = lacking as f64 / survey.records.max(1) as f64;
    let path = column.path.clone();
    let (what, note) = match what {
        What::LeftOut => (what, note),
        _ if share > GAPS_MAX => {
            (What::LeftOut, Some(format!("{} of the records lack it", percent(share))))
        }
        What::Id if lacking > 0 => {
            (What::LeftOut, Some("an identity that some records lack".to_string()))
        }
        _ => (what, note),
    };
    let gaps = (lacking > 0 && what != What::LeftOut).then_some(share);
    Part { name, path, what, gaps, note }
}

/// What a column is, and what a reader should know.
fn kind(column: &Column, survey: &Survey, form: &Form) -> (What, Option<String>) {
    let counts = &column.counts;
    let left_out = |why: &str| (What::LeftOut, Some(why.to_string()));
    let nearly_all = |count: u64| count > 0 && count * 20 >= counts.present * 19;
    if counts.present == 0 {
        return left_out("always empty");
    }
    if nearly_all(counts.arrays) && counts.others == 0 {
        return match counts.array_len {
            Some(count @ 1..=NUMBERS_MAX) => (What::Numbers(count), None),
            _ => left_out("an array of very many numbers"),
        };
    }
    if counts.arrays + counts.others > 0 {
        return left_out("an array of other things than numbers, or of many lengths");
    }
    if survey.is_whole && counts.different() == 1 && counts.long == 0 && counts.present > 1 {
        let value = counts.values.keys().next().map_or("", |value| &**value);
        return left_out(&format!("always {value}"));
    }
    if counts.is_number() {
        return number(column, survey);
    }
    if counts.flags == counts.present {
        return (What::Flag, None);
    }
    if nearly_all(counts.times) {
        return left_out("another time");
    }
    if nearly_all(counts.times_no_zone) {
        return left_out(
            "a time without a zone; written with one (2026-11-21T13:00:00Z) it can be when it \
             happened: time.rfc3339 in the input above",
        );
    }
    if nearly_all(counts.decimal_commas) {
        return left_out("numbers with a decimal comma: write points, and they can be read");
    }
    if *form == Form::Json && counts.values.keys().all(|text| value::is_number(text)) {
        let (what, _) = text(column, survey);
        return (what, Some("numbers in quotes: in JSON those are texts".into()));
    }
    text(column, survey)
}

fn number(column: &Column, survey: &Survey) -> (What, Option<String>) {
    let counts = &column.counts;
    let left_out = |why: &str| (What::LeftOut, Some(why.to_string()));
    let rows = counts.numbers;
    if rows >= 10 && counts.steps_of_one + 1 == rows {
        return left_out("counts the records");
    }
    if counts.is_whole() && sounds_like_id(&column.path) {
        if counts.is_full || counts.different() > 50 {
            return match counts.falls == 0 || (!counts.is_full && counts.all_differ()) {
                true => left_out("an identity, never twice the same"),
                false => (What::Id, Some("guess: an identity, by its name".into())),
            };
        }
        let (what, _) = text(column, survey);
        return (what, Some("guess: names, though written as numbers".into()));
    }
    if let Some((least, most)) = counts.range
        && counts.is_whole()
        && (least >= 1e15 || (sounds_like_time(&column.path) && least >= 3e8 && most < 5e18))
    {
        return left_out("a time, or an identity");
    }
    if survey.is_whole && counts.bits == counts.numbers && counts.different() <= 2 {
        return (What::Flag, None);
    }
    (What::Number, None)
}

fn text(column: &Column, survey: &Survey) -> (What, Option<String>) {
    let counts = &column.counts;
    let left_out = |why: String| (What::LeftOut, Some(why));
    let different = counts.different();
    if counts.long * 5 > counts.present {
        return left_out("free text".into());
    }
    if counts.present > 1 && counts.all_differ() {
        return left_out("never twice the same: an identity, or free text".into());
    }
    let is_many = counts.is_full || different > CATEGORY_MAX - 2;
    if is_many || (different > 50 && sounds_like_id(&column.path)) {
        let note = format!("guess: an identity, {different} or more of them");
        return (What::Id, Some(note));
    }
    if different as u64 * 2 > counts.present && counts.present >= 20 {
        return left_out(format!("{different} different texts, hardly one of them twice"));
    }
    let values: Vec<String> = counts.values.keys().map(|value| value.to_string()).collect();
    let are_short = counts.long == 0 && values.iter().all(|value| value.len() <= 30);
    match survey.is_whole && different <= LISTED_MAX && are_short {
        true => (What::Category { room: values.len() as u32, values }, None),
        false => {
            // Room for as many again, in steps that are easy to read.
            let wanted = (different * 2).min(CATEGORY_MAX - 2) as u32;
            let room = wanted.div_ceil(10) * 10;
            let note = format!("{different} names so far");
            (What::Category { values: Vec::new(), room: room.min(998) }, Some(note))
        }
    }
}

/// A name that fields can have: letters, digits and `_`; not taken yet.
fn field_name(form: &Form, path: &str, taken: &mut BTreeSet<String>) -> String {
    let mut name = String::new();
    for character in path.chars() {
        match character.is_alphanumeric() || character == '_' {
            true => name.push(character),
            false if name.ends_with('_') => {}
            false => name.push('_'),
        }
    }
    let trimmed = match form {
        Form::Csv { .. } if name == path => name.as_str(),
        _ => name.trim_matches('_'),
    };
    let mut name = if trimmed.is_empty() { "field".to_string() } else { trimmed.to_string() };
    if taken.contains(&name) {
        let number = (2..).find(|number| !taken.contains(&format!("{name}_{number}")));
        name = format!("{name}_{}", number.unwrap_or(2));
    }
    taken.insert(name.clone());
    name
}
