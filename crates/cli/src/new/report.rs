//! What `new` says of the sample, of its guesses, and of what has to be beaten.

use std::path::Path;

use super::{
    draft::{Draft, From, LabelKind, What, words},
    measure::Measured,
    sample::Form,
    survey::{self, Survey},
    toml::comment_text,
    write::{guesses, percent},
};
use crate::{
    screen::{say, words::counted},
    tell::count,
};

/// How wide the left part of a line is where there is a right one.
const LEFT: usize = 62;

/// Prints it.
pub(super) fn print(draft: &Draft, measured: &Measured, survey: &Survey, text: &str, to: &Path) {
    for line in lines(draft, measured, survey, text, to) {
        say(&line);
    }
}

fn lines(
    draft: &Draft,
    measured: &Measured,
    survey: &Survey,
    text: &str,
    to: &Path,
) -> Vec<String> {
    let both = |left: String, right: &str| match right {
        "" => left,
        right => format!("{left:<LEFT$} {right}"),
    };
    let columns = survey.columns.len();
    let (what, s) = match draft.form {
        Form::Csv { .. } => ("column", if columns == 1 { "" } else { "s" }),
        Form::Json => ("key", if columns == 1 { "" } else { "s" }),
    };
    let rows = match draft.from {
        From::File(_) => counted(measured.records, "row"),
        From::Topic { .. } => {
            format!("{} of {}", count(measured.records), counted(draft.records, "record"))
        }
    };
    let sample = comment_text(&draft.sample);
    let mut lines = vec![both(format!("read     {rows}, {columns} {what}{s}"), &sample)];
    if !survey.is_whole && matches!(draft.from, From::File(_)) {
        let most = count(survey::RECORDS_MAX);
        lines.push(format!("         the first {most} say what the columns are"));
    }
    if measured.refused > 0 {
        lines.push(refused(measured));
    }
    lines.push(label(draft, measured));
    lines.extend(beat(draft, measured));
    let left_out = draft.parts.iter().filter(|part| part.what == What::LeftOut).count();
    if left_out > 0 {
        let s = if left_out == 1 { "" } else { "s" };
        lines.push(format!("left     {left_out} {what}{s} out: the file says why"));
    }
    let marked = match guesses(text) {
        0 => "no guesses".to_string(),
        1 => "1 line marked \"guess\"".to_string(),
        several => format!("{several} lines marked \"guess\""),
    };
    lines.push(format!("wrote    {}    {marked}", to.display()));
    let file =
        if to == Path::new("pipeline.toml") { String::new() } else { format!(" {}", to.display()) };
    let topics = if matches!(draft.from, From::Topic { .. }) { " --topics" } else { "" };
    lines.push(format!("next     alluvium check{file}{topics}, then alluvium run{file}"));
    lines
}

fn refused(measured: &Measured) -> String {
    let refused = count(measured.refused);
    let share = percent(measured.refused as f64 / measured.records.max(1) as f64);
    let most = measured.refused_by.iter().max_by_key(|(_, (times, _))| *times);
    let why = match most {
        None => "the time cannot be read".to_string(),
        Some((field, (_, reason))) => {
            let why = reason.map_or("it is refused", words);
            match field.as_str() {
                "" => format!("mostly a record of which {why}").replace("of which it", "that"),
                field => format!("mostly {field}: {why}"),
            }
        }
    };
    format!("refuse   {refused} of them, {share}: {why}")
}

fn label(draft: &Draft, measured: &Measured) -> String {
    let Some(label) = &draft.label else {
        let columns = draft.used().count();
        let s = if columns == 1 { "" } else { "s" };
        let left = format!("guess    no label: clusters of {columns} column{s}");
        return format!("{left:<LEFT$} (--label NAME for another)");
    };
    let name = comment_text(&label.path);
    let classes = draft.classes();
    let what = match &label.kind {
        LabelKind::Number => "a number".to_string(),
        LabelKind::ManyClasses(_) => format!("{} classes", measured.classes.len()),
        LabelKind::Classes(_) => match classes.as_slice() {
            [_, (second, times)] => {
                let share = percent(*times as f64 / measured.labelled.max(1) as f64);
                format!("two values, {} in {share} of rows", comment_text(second))
            }
            classes => format!("{} classes", classes.len()),
        },
    };
    match label.guess {
        Some(why) => format!("guess    label {name}: {why}, {what}"),
        None => format!("label    {name}: {what}"),
    }
}

/// What the models must do better than: the harder of two baselines first.
fn beat(draft: &Draft, measured: &Measured) -> Option<String> {
    let label = draft.label.as_ref().filter(|_| measured.labelled > 0)?;
    let name = comment_text(&label.path);
    let line = |hard: String, easy: String| {
        Some(format!("{:<LEFT$} ({easy})", format!("beat     {hard}")))
    };
    if label.kind == LabelKind::Number {
        let (change, mean) = (measured.error_no_change, measured.error_mean);
        let shown = |error: f64| format!("{}", Short(error));
        return match change <= mean {
            true => line(
                format!("{} off on average: {name} stays as it was", shown(change)),
                format!("the mean so far: {}", shown(mean)),
            ),
            false => line(
                format!("{} off on average: the mean so far", shown(mean)),
                format!("{name} stays as it was: {}", shown(change)),
            ),
        };
    }
    // Before there is a label, the baseline of a run answers with the first class.
    let first = draft.classes().first().is_some_and(|(class, _)| *class == measured.first_class);
    let unchanged = (measured.unchanged + u64::from(first)) as f64 / measured.labelled as f64;
    let (majority, class) = measured.majority();
    let class = comment_text(class);
    match unchanged >= majority {
        true => line(
            format!("{}: {name} equals the one before it", percent(unchanged)),
            format!("always {class}: {}", percent(majority)),
        ),
        false => line(
            format!("{}: always {class}", percent(majority)),
            format!("{name} equals the one before it: {}", percent(unchanged)),
        ),
    }
}

/// A number with four digits that count.
struct Short(f64);

impl std::fmt::Display for Short {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0.0 => f.write_str("0"),
            value if !(1e-4..1e6).contains(&value) => write!(f, "{value:.3e}"),
            value => {
                let whole = (value.abs() + 1.0).log10().floor() as usize;
                let decimals = if value < 0.1 { 5 } else { 3_usize.saturating_sub(whole) };
                write!(f, "{value:.decimals$}")
            }
        }
    }
}
