//! `alluvium score`: answers with a published version; nothing is learned. Rows, and records that
//! are there, are answered on standard output; with `--follow` records to come in a topic.

mod answers;
mod ended;
mod follow;
mod loaded;
mod share;
mod told;

pub use share::group;

use std::{
    io::{BufWriter, Write},
    thread,
    time::Duration,
};

use alluvium_flow::{Batch, Scored, decode::Rows};
use alluvium_ledger::{
    log::{Log, Polled, Span},
    versions::{Published, Version},
};
use anyhow::anyhow;

pub(crate) use self::loaded::Loaded;
use crate::{
    args,
    failure::Failure,
    look::{Look, find_version},
    screen::{note, words},
    signals::Stop,
    source,
    source_rows::SourceRows,
};

/// How long is waited for new records.
const WAIT: Duration = Duration::from_millis(1);

/// `alluvium score`.
///
/// # Errors
/// When there is no such version, it is not what was published, or the source or the log fails.
pub fn run(call: &args::Score) -> Result<(), Failure> {
    if call.follow {
        return follow::run(call);
    }
    let mut look = Look::open(&call.file, &call.named)?;
    let published = look.published()?;
    let version = pick(&look, &published, call.model.as_deref())?;
    let topic = look.opened.topic("models");
    let loaded = Loaded::load(&mut look.log, &topic, &published, version)?;
    let mut scoring = Scoring {
        loaded,
        out: BufWriter::with_capacity(1 << 16, std::io::stdout()),
        rows: Rows::default(),
        line: Vec::new(),
        answered: 0,
        refused: 0,
        first_refused: None,
    };
    let stop = Stop::listen()?;
    match &call.source {
        Some(source) => scoring.source(&look, source, call.input.as_deref(), &stop)?,
        None => scoring.topics(&mut look, call.input.as_deref(), &stop)?,
    }
    let (answered, refused) = (scoring.answered, scoring.refused);
    note(&format!("{} answered, {refused} refused", words::counted(answered, "record")));
    match scoring.first_refused {
        Some((at, why)) if answered == 0 => Err(Failure::Failed(anyhow!(
            "every record was refused, the first ({at}) because {why}"
        ))),
        _ => Ok(()),
    }
}

/// The version a call means: the one it names, else the champion's.
fn pick<'a>(
    look: &Look,
    published: &'a Published,
    model: Option<&str>,
) -> Result<&'a Version, Failure> {
    if let Some(model) = model {
        return find_version(published, model);
    }
    let Some(champion) = published.champion() else {
        let run = look.opened.command("run", "");
        let why = anyhow!("no version was published yet: {run}");
        return Err(Failure::Failed(why));
    };
    find_version(published, &format!("{}@{}", champion.model, champion.version))
}

struct Scoring {
    loaded: Loaded,
    out: BufWriter<std::io::Stdout>,
    rows: Rows,
    line: Vec<u8>,
    answered: u64,
    refused: u64,
    /// Where the first refused record is, and why it was.
    first_refused: Option<(String, String)>,
}

impl Scoring {
    /// Answers a batch, a line for each record; `place` is what comes before its number.
    fn batch(&mut self, input: usize, partition: u32, batch: &Batch, place: &str) {
        let Scoring { loaded, out, rows, line, answered, refused, first_refused } = self;
        rows.clear();
        loaded.decoders[input].decode(partition, batch, rows);
        let mut number = itoa::Buffer::new();
        let mut digits = itoa::Buffer::new();
        let version = digits.format(loaded.version);
        for (index, meta) in batch.metas().iter().enumerate() {
            line.clear();
            line.extend_from_slice(b"{\"at\":\"");
            line.extend_from_slice(place.as_bytes());
            line.extend_from_slice(number.format(meta.offset).as_bytes());
            let after_place = line.len();
            line.extend_from_slice(b"\",\"model\":\"");
            line.extend_from_slice(loaded.model.as_bytes());
            line.push(b'@');
            line.extend_from_slice(version.as_bytes());
            line.push(b'"');
            let answer = line.len();
            match loaded.predictor.score(rows, index, line) {
                Scored::Answered => {
                    // The answer is an object of its own: its members go on in this one.
                    line[answer] = b',';
                    *answered += 1;
                }
                Scored::Refused(refusal) => {
                    line.truncate(after_place);
                    line.extend_from_slice(b"\",\"refused\":\"");
                    line.extend_from_slice(refusal.reason.code().as_bytes());
                    line.extend_from_slice(b"\"}");
                    *refused += 1;
                    first_refused.get_or_insert_with(|| {
                        let plan = &loaded.predictor.inputs()[input].decode;
                        (format!("{place}{}", meta.offset), refusal.describe(plan).to_string())
                    });
                }
            }
            line.push(b'\n');
            if out.write_all(line).is_err() {
                // A closed pipe is not our mistake.
                std::process::exit(0);
            }
        }
    }

    fn flush(&mut self) {
        if self.out.flush().is_err() {
            std::process::exit(0);
        }
    }

    /// Answers the rows of a source.
    fn source(
        &mut self,
        look: &Look,
        address: &str,
        input: Option<&str>,
        stop: &Stop,
    ) -> Result<(), Failure> {
        let name = look.opened.pick_example(input)?;
        let index = self.loaded.input(name)?;
        let source = source::open(address, address.as_ref())?;
        let place = json_text(&format!("{}:", source.name));
        let mut rows = SourceRows::new(source, &look.opened.spec, name);
        let mut batch = Batch::new();
        while !stop.is_asked() && rows.read(&mut batch)? {
            self.batch(index, 0, &batch, &place);
            self.flush();
        }
        Ok(())
    }

    /// Answers the records of the pipeline's own topics, all there are.
    fn topics(&mut self, look: &mut Look, named: Option<&str>, stop: &Stop) -> Result<(), Failure> {
        let mut spans = Vec::new();
        let mut inputs: Vec<(usize, String)> = Vec::new();
        let named = named.map(|name| look.opened.pick_example(Some(name))).transpose()?;
        let named = named.map(str::to_string);
        for (name, topic) in look.opened.examples() {
            if named.as_ref().is_some_and(|named| *named != name) {
                continue;
            }
            let index = self.loaded.input(&name)?;
            for (partition, ends) in look.ends(&topic)?.into_iter().enumerate() {
                let (from, to, partition) = (ends.earliest, Some(ends.stable), partition as u32);
                inputs.push((index, json_text(&format!("{name}:{partition}:"))));
                spans.push(Span { topic: topic.as_str().into(), partition, from, to });
            }
        }
        let mut reader = look.log.reader(&spans)?;
        let mut batch = Batch::new();
        let mut next: Vec<u64> = spans.iter().map(|span| span.from).collect();
        let is_left =
            |next: &[u64]| spans.iter().zip(next).any(|(s, n)| s.to.is_none_or(|to| *n < to));
        while !stop.is_asked() && is_left(&next) {
            match reader.poll(&mut batch)? {
                Polled::Nothing => {
                    self.flush();
                    thread::sleep(WAIT);
                }
                Polled::Records => {
                    let span = batch.span;
                    next[span] = batch.next;
                    let (index, place) = &inputs[span];
                    self.batch(*index, spans[span].partition, &batch, place);
                }
            }
        }
        self.flush();
        Ok(())
    }
}

/// A text as the inside of a JSON string.
fn json_text(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_string()
}
