//! `alluvium new`: reads a file or a live topic, guesses what it is, and writes a commented
//! pipeline file that runs.
//!
//! The first records say what the columns are; then the whole file goes through the decoder of the
//! pipeline that was drafted, so that what is said of it is what a run will see. Before anything
//! is written, the text is read again by the reader of pipeline files.

mod draft;
mod guess;
mod measure;
mod report;
mod sample;
mod survey;
mod toml;
mod topic;
mod value;
mod walk;
mod write;

use std::{
    ffi::OsStr,
    fs::OpenOptions,
    io::{ErrorKind, Write},
    path::{Component, Path, PathBuf},
};

use alluvium_flow::decode::Reason;
use anyhow::Context;

use self::{
    draft::{Draft, From, LabelKind, Part, What},
    measure::Measured,
    sample::Sample,
    survey::Survey,
};
use crate::{args, args::Named, failure::Failure, open::Opened, store::Place};

/// A run halts when more than this share of a thousand records is refused.
const REFUSED_SHARE_MAX: f64 = 0.05;
/// How often a draft is mended after the whole file was read.
const ROUNDS_MAX: usize = 8;
/// With more classes they are not listed.
const CLASSES_LISTED_MAX: usize = 100;

/// `alluvium new`.
///
/// # Errors
/// When the file to write is there already, the sample cannot be read, or nothing can be learned
/// from it.
pub fn run(call: &args::New) -> Result<(), Failure> {
    if call.to.symlink_metadata().is_ok() {
        return Err(is_there(&call.to));
    }
    let address = call.sample.to_string_lossy();
    let live = Place::of_topic(&address, call.client.as_deref()).transpose()?;
    let (sample, name, from, records) = match live {
        Some((place, topic)) => {
            let taken = topic::take(&place, &topic)?;
            let client = call.client.as_deref().map(|client| load_path(client, &call.to));
            let log = place.in_file(client.transpose()?.as_deref());
            let name = topic::name_of(&topic);
            (taken.sample, name, From::Topic { topic, log }, Some(taken.records))
        }
        None if call.client.is_some() => {
            let why = "--client is for a live topic, kafka://HOST:PORT/TOPIC";
            return Err(Failure::Usage(why.into()));
        }
        None => {
            let (sample, load) = (file(call)?, load_path(&call.sample, &call.to)?);
            let name = name_of(&sample.name);
            (sample, name, From::File(load), None)
        }
    };
    let survey = Survey::of(&sample)?;
    if survey.records == 0 {
        let why = match survey.odd {
            0 => "a header and no records: there is nothing to learn".to_string(),
            odd => format!("none of its first {odd} records is in the format"),
        };
        return Err(Failure::Failed(anyhow::anyhow!("{}: {why}", sample.name)));
    }
    let mut draft = guess::draft(&sample, &survey, call.label.as_deref())?;
    (draft.name, draft.from) = (name, from);
    if draft.label.is_none() && draft.used().next().is_none() {
        return Err(nothing(&draft));
    }
    let measured = settle(&mut draft, &sample, &call.to, records)?;
    let text = write::file(&draft);
    read_again(&text, &call.to)?;
    save(&call.to, &text)?;
    report::print(&draft, &measured, &survey, &text, &call.to);
    Ok(())
}

/// Looks at a file.
fn file(call: &args::New) -> Result<Sample, Failure> {
    // A pipe is at its end once it was read; what is not there is told of when it is opened.
    let is_pipe = call.sample.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir());
    if call.sample == Path::new("-") || is_pipe {
        let why = "`new` reads a sample twice, so it has to be a file: save what comes in first";
        return Err(Failure::Usage(why.into()));
    }
    Ok(Sample::look(&call.sample)?)
}

/// Reads the whole file with the pipeline that was drafted, and mends the draft until it fits.
///
/// `records`: how many there are where not all were read.
fn settle(
    draft: &mut Draft,
    sample: &Sample,
    to: &Path,
    records: Option<u64>,
) -> Result<Measured, Failure> {
    let mut rounds = 0;
    loop {
        let opened = read_again(&write::file(draft), to)?;
        let measured = measure::measure(sample, &opened.spec)?;
        rounds += 1;
        if rounds < ROUNDS_MAX && mend(draft, &measured) {
            continue;
        }
        if is_constant(draft, &measured) {
            without_label(draft, &measured)?;
            continue;
        }
        finish(draft, &measured);
        draft.records = records.unwrap_or(measured.records);
        return Ok(measured);
    }
}

/// There is no column that a model could use.
fn nothing(draft: &Draft) -> Failure {
    let why = |part: &Part| format!("\n  {}: {}", part.path, part.note.as_deref().unwrap_or("?"));
    let columns: String = draft.parts.iter().take(20).map(why).collect();
    Failure::Failed(anyhow::anyhow!("{}: nothing in it can be learned{columns}", draft.sample))
}

/// Whether a label of classes has one class alone, in all of the file.
fn is_constant(draft: &Draft, measured: &Measured) -> bool {
    let kind = draft.label.as_ref().map(|label| &label.kind);
    kind.is_some_and(|kind| *kind != LabelKind::Number) && measured.classes.len() < 2
}

/// Takes a label back that was guessed.
fn without_label(draft: &mut Draft, measured: &Measured) -> Result<(), Failure> {
    let Some(label) = draft.label.take() else { return Ok(()) };
    let note = format!("always {}", measured.majority().1);
    if label.guess.is_none() {
        let why = format!("{} cannot be the label: it is {note}", label.path);
        return Err(Failure::Usage(why));
    }
    let (what, note) = (What::LeftOut, Some(note));
    draft.parts.push(Part { name: label.name, path: label.path, what, gaps: None, note });
    match draft.used().next() {
        Some(_) => Ok(()),
        None => Err(nothing(draft)),
    }
}

/// What later records have shown to be wrong: a time that cannot be read, and gaps where the first
/// records had none.
fn mend(draft: &mut Draft, measured: &Measured) -> bool {
    if measured.bad_times > 0 && draft.time.take().is_some() {
        return true;
    }
    let mut is_mended = false;
    for (name, (count, reason)) in &measured.refused_by {
        let Some(part) = draft.parts.iter_mut().find(|part| part.name == *name) else { continue };
        let share = *count as f64 / measured.records.max(1) as f64;
        is_mended = true;
        match part.what {
            What::Flag if *reason != Some(Reason::Missing) => part.what = What::Number,
            _ if part.gaps.is_none() && part.what != What::Id => part.gaps = Some(share),
            _ => {
                part.what = What::LeftOut;
                let why = reason.map_or("it is refused", draft::words);
                part.note = Some(format!("in some records {why}"));
            }
        }
    }
    is_mended
}

/// What only the whole file can say.
fn finish(draft: &mut Draft, measured: &Measured) {
    draft.read = measured.records;
    if let Some(label) = &mut draft.label
        && label.kind != LabelKind::Number
        && !measured.classes.is_empty()
    {
        label.kind = match measured.classes.len() {
            many @ CLASSES_LISTED_MAX.. => LabelKind::ManyClasses((many as u32 * 2).min(10_000)),
            _ => LabelKind::Classes(measured.classes.clone().into_iter().collect()),
        };
    }
    if measured.refused_share > REFUSED_SHARE_MAX {
        // Some room above what was seen, in tenths.
        draft.refused_share = Some(((measured.refused_share * 10.0).ceil() / 10.0).min(1.0));
    }
}

/// Holds the text against the reader of pipeline files: a mistake in it is our own.
fn read_again(text: &str, to: &Path) -> Result<Opened, Failure> {
    Opened::of_text(to, text, &Named::default()).map_err(|failure| {
        let why = format!(
            "what was to be written does not read, which is a mistake of alluvium's own; please \
             report it with the first lines of the sample\n\n{failure}"
        );
        Failure::Failed(anyhow::anyhow!(why))
    })
}

fn is_there(to: &Path) -> Failure {
    let to = to.display();
    Failure::Usage(format!(
        "{to} is there already, and `new` never overwrites: name another with --to FILE, or move \
         it away"
    ))
}

fn save(to: &Path, text: &str) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).open(to);
    let mut file = match file {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(is_there(to)),
        file => file.with_context(|| format!("writing {}", to.display()))?,
    };
    file.write_all(text.as_bytes()).with_context(|| format!("writing {}", to.display()))?;
    Ok(())
}

/// A pipeline's name from a file's: what stands before the first dot, as topics are spelled.
fn name_of(file: &str) -> String {
    let stem = file.split('.').find(|part| !part.is_empty()).unwrap_or_default();
    let spelled = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let name: String = stem.chars().map(spelled).take(100).collect();
    let name = name.trim_matches(['_', '-']);
    if name.is_empty() { "pipeline".into() } else { name.into() }
}

/// Where the sample lies, seen from the pipeline file: relative where that is short.
fn load_path(sample: &Path, to: &Path) -> Result<String, Failure> {
    let whole = |path: &Path| -> anyhow::Result<PathBuf> {
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let parent = parent
            .canonicalize()
            .with_context(|| format!("looking for the directory {}", parent.display()))?;
        Ok(parent.join(path.file_name().unwrap_or(OsStr::new(""))))
    };
    let (sample, to) = (whole(sample)?, whole(to)?);
    let beside = to.parent().unwrap_or(Path::new("/"));
    let same = sample.components().zip(beside.components()).take_while(|(a, b)| a == b).count();
    let up = beside.components().count() - same;
    let down: PathBuf = sample.components().skip(same).collect();
    let shares_a_directory =
        beside.components().take(same).any(|part| matches!(part, Component::Normal(_)));
    let relative: PathBuf =
        std::iter::repeat_n(Component::ParentDir, up).chain(down.components()).collect();
    let path = if shares_a_directory || up == 0 { relative } else { sample };
    path.to_str().map(str::to_string).ok_or_else(|| {
        Failure::Usage(format!(
            "{} is not UTF-8, which the file has to be: rename it",
            path.display()
        ))
    })
}
