//! `alluvium score`: answers with a published version; nothing is learned.

use std::{
    io::{BufWriter, Write},
    thread,
    time::{Duration, Instant},
};

use alluvium_flow::{
    Batch, Predictor, Scored,
    decode::{Decoder, Rows},
};
use alluvium_ledger::{
    log::{Log, Polled, Span},
    versions::{Published, Version},
};
use anyhow::{Context, anyhow};

use crate::{
    args,
    failure::Failure,
    look::{Look, find_version, named_version},
    screen::{note, words},
    signals::Stop,
    source,
    source_rows::SourceRows,
};

/// How often a newer version is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long is waited for new records.
const WAIT: Duration = Duration::from_millis(1);

/// `alluvium score`.
///
/// # Errors
/// When there is no such version, it is not what was published, or the source or the log fails.
pub fn run(call: &args::Score) -> Result<(), Failure> {
    let mut look = Look::open(&call.file, &call.named)?;
    let published = look.published()?;
    let version = pick(&look, &published, call.model.as_deref())?;
    let loaded = Loaded::load(&mut look, &published, version)?;
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
        None => scoring.topics(&mut look, published, call, &stop)?,
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

/// A version that is ready to answer.
struct Loaded {
    model: String,
    version: u64,
    predictor: Predictor,
    decoders: Vec<Box<dyn Decoder>>,
}

impl Loaded {
    fn load(look: &mut Look, published: &Published, version: &Version) -> Result<Loaded, Failure> {
        let topic = look.opened.topic("models");
        let name = format!("{}@{}", version.model, version.version);
        let sections = look.with(|observer| observer.sections(&topic, published, version));
        let sections = sections.with_context(|| name.clone())?;
        let predictor = Predictor::new(&version.settings, &version.model, &sections);
        let predictor = predictor.with_context(|| name)?;
        let decoders = predictor.inputs().iter().map(|input| input.decoder()).collect();
        Ok(Loaded { model: version.model.clone(), version: version.version, predictor, decoders })
    }

    /// Which of its inputs has that name.
    fn input(&self, name: &str) -> Result<usize, Failure> {
        let index = self.predictor.inputs().iter().position(|input| *input.name == *name);
        index.ok_or_else(|| {
            let version = format!("{}@{}", self.model, self.version);
            Failure::Failed(anyhow!("{version} knows no input {name}"))
        })
    }
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
        let (name, _) = look.opened.pick_input(input)?;
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

    /// Answers the records of the pipeline's own topics: all there are, or with `--follow` those to
    /// come, always with the newest version.
    fn topics(
        &mut self,
        look: &mut Look,
        mut published: Published,
        call: &args::Score,
        stop: &Stop,
    ) -> Result<(), Failure> {
        let mut spans = Vec::new();
        let mut inputs: Vec<(String, usize, String)> = Vec::new();
        let named = call.input.as_deref();
        for (name, topic) in look.opened.topics() {
            if named.is_some_and(|named| named != name) {
                continue;
            }
            let index = self.loaded.input(&name)?;
            for (partition, ends) in look.ends(&topic)?.into_iter().enumerate() {
                let from = if call.follow { ends.stable } else { ends.earliest };
                let to = (!call.follow).then_some(ends.stable);
                let partition = partition as u32;
                inputs.push((name.clone(), index, json_text(&format!("{name}:{partition}:"))));
                spans.push(Span { topic: topic.as_str().into(), partition, from, to });
            }
        }
        let mut reader = look.log.reader(&spans)?;
        let mut batch = Batch::new();
        let mut next: Vec<u64> = spans.iter().map(|span| span.from).collect();
        let mut looked = Instant::now();
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
                    let (_, index, place) = &inputs[span];
                    self.batch(*index, spans[span].partition, &batch, place);
                }
            }
            if call.follow && looked.elapsed() >= LOOK_EVERY {
                looked = Instant::now();
                if self.renew(look, &mut published, call.model.as_deref())? {
                    for (name, index, _) in &mut inputs {
                        *index = self.loaded.input(name)?;
                    }
                }
            }
        }
        self.flush();
        Ok(())
    }

    /// Takes a version that was published since, unless the call holds on to one.
    fn renew(
        &mut self,
        look: &mut Look,
        published: &mut Published,
        model: Option<&str>,
    ) -> Result<bool, Failure> {
        if model.map(named_version).transpose()?.is_some_and(|(_, version)| version.is_some()) {
            return Ok(false);
        }
        let topic = look.opened.topic("models");
        look.with(|observer| observer.published(&topic, published))?;
        let version = pick(look, published, model)?;
        if version.model == self.loaded.model && version.version == self.loaded.version {
            return Ok(false);
        }
        // A version may be retired while it is being read: then the next look finds a newer one.
        match Loaded::load(look, published, version) {
            Ok(loaded) => self.loaded = loaded,
            Err(why) => {
                let Loaded { model, version, .. } = &self.loaded;
                note(format!("staying with {model}@{version}: {why}").trim_end());
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A text as the inside of a JSON string.
fn json_text(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_string()
}
