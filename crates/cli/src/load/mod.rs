//! Brings records into a topic, each once: a load that was cut short goes on where it ended.
//!
//! Every record carries a header `load`: a digest of the source's name and the record's number in
//! it, and an exclamation mark on the last. Record number n goes to partition n modulo the number
//! of partitions; so the greatest such number of each partition says where to go on.

mod job;
mod marks;

use std::{
    io::Read,
    thread,
    time::{Duration, Instant},
};

use alluvium_flow::{
    Headers,
    decode::{Framing, Lines},
    spec::{Csv, Input, Spec},
};
use alluvium_ledger::log::{Appender, Log, LogError, Outgoing, Policy, Route, Settled};
use anyhow::{Context, bail};

pub use self::marks::name_of;
use self::{
    job::{Job, Progress},
    marks::{Before, Marks, digest_of},
};
use crate::{
    args, clock,
    failure::Failure,
    header::{self, First},
    open::Opened,
    patience,
    screen::{LoadBar, note},
    signals::Stop,
    source::{self, Source},
    store::Store,
};

/// How much is read at once.
const CHUNK_BYTES: usize = 1 << 20;
/// The same where records go out at a pace: what is read ahead is not yet loaded.
const PACED_BYTES: usize = 4 << 10;

/// The longest that a slow load sleeps at once.
const STEP: Duration = Duration::from_millis(50);

/// What a load did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// What the source is called.
    pub source: String,
    /// Records in the source so far.
    pub read: u64,
    /// Records appended by this load.
    pub appended: u64,
    /// Whether the source was read to its end.
    pub finished: bool,
}

/// `alluvium load`.
///
/// # Errors
/// When the source or the log fails.
pub fn run(call: &args::Load) -> Result<(), Failure> {
    let opened = Opened::read(&call.file, &call.named)?;
    let (name, input) = opened.pick_input(call.input.as_deref())?;
    let mut log = opened.log()?;
    let stop = Stop::listen()?;
    let sources: Vec<String> = match &call.source {
        Some(source) => vec![source.clone()],
        None if input.load.is_empty() => {
            let why = format!("input `{name}` has no `load` in the file: name a source");
            return Err(Failure::Usage(why));
        }
        None => input.load.clone(),
    };
    let make = || create(&mut log, input, name);
    let Some(()) = patience::until(&stop, make)? else { return Ok(()) };
    let job = Job { opened: &opened, input: name, rate: call.rate, stop: &stop };
    for address in &sources {
        let path = match call.source {
            Some(_) => address.into(),
            None => opened.beside(address),
        };
        let turn = if is_stream(address) { None } else { job.turn(&mut log)? };
        let mut bar = LoadBar::new(call.json);
        let loaded = job.load(&mut log, address, &path, None, &mut |source, read, position| {
            bar.at(source, read, position);
        })?;
        bar.finish(&loaded, job.topic());
        drop(turn);
    }
    Ok(())
}

/// Makes an input's topic, if it is not there.
///
/// # Errors
/// When the log fails.
pub fn create(log: &mut Store, input: &Input, name: &str) -> anyhow::Result<()> {
    let policy = Policy::Delete { retention_ms: None };
    Ok(log.create(input.topic(name), input.partitions, policy)?)
}

/// Fills a topic with what the file says, if that is not done yet.
///
/// # Errors
/// When a source or the log fails.
pub fn fill(
    opened: &Opened,
    log: &mut Store,
    stop: &Stop,
    progress: Progress<'_>,
) -> anyhow::Result<Vec<(String, Loaded)>> {
    let mut done = Vec::new();
    for (name, input) in &opened.spec.input {
        create(log, input, name)?;
        let job = Job { opened, input: name, rate: 0, stop };
        match fill_one(&job, log, input, progress, &mut done) {
            // What is there cannot be told from what is not: whoever learns it says what to do.
            Err(error) if is_damage(&error) => {
                note(&format!("nothing is loaded into {}: {error:#}", job.topic()));
            }
            filled => filled?,
        }
    }
    Ok(done)
}

fn fill_one(
    job: &Job<'_>,
    log: &mut Store,
    input: &Input,
    progress: Progress<'_>,
    done: &mut Vec<(String, Loaded)>,
) -> anyhow::Result<()> {
    let (opened, topic) = (job.opened, job.topic());
    let files: Vec<&String> = input.load.iter().filter(|address| !is_stream(address)).collect();
    if marks::is_filled(log, topic, &files)? {
        return Ok(());
    }
    let turn = job.turn(log)?;
    for address in files {
        let marks = Marks::read(log, topic)?;
        if turn.is_none() || !marks.wants(address, &input.load) {
            continue;
        }
        let loaded = job.load(log, address, &opened.beside(address), Some(marks), progress);
        let loaded = loaded.with_context(|| {
            format!("`load` of input `{}` in {}", job.input, opened.file.display())
        })?;
        done.push((topic.to_string(), loaded));
    }
    Ok(())
}

/// Whether records of the log cannot be read.
fn is_damage(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<LogError>(), Some(LogError::Damaged { .. }))
}

/// Whether a source has no end that can be waited for, and cannot be read again.
pub fn is_stream(address: &str) -> bool {
    address == "-" || address.starts_with("tcp://")
}

/// Loads what has no end into a topic that is there, until it ends or is asked to.
///
/// # Errors
/// When the source or the log fails.
pub fn follow(
    address: &str,
    spec: &Spec,
    input: &str,
    log: &mut Store,
    stop: &Stop,
) -> anyhow::Result<Loaded> {
    let source = source::open(address, address.as_ref())?;
    let mut loaded = Loaded::default();
    let mut loader = Loader::new(log, spec, input, Marks::default())?;
    loader.load(source, stop, &mut |_| {}, &mut loaded)?;
    Ok(loaded)
}

/// Loads sources into one topic.
struct Loader<'a> {
    log: &'a mut Store,
    topic: String,
    partitions: u32,
    framing: Framing,
    header: Option<Csv>,
    /// The most records a second; 0: as fast as it goes.
    rate: u64,
    /// What was loaded before.
    marks: Marks,
}

impl<'a> Loader<'a> {
    /// A loader for the topic of an input, into which so much was loaded before; the topic is
    /// there.
    ///
    /// # Errors
    /// When the log fails.
    fn new(
        log: &'a mut Store,
        spec: &Spec,
        input: &str,
        marks: Marks,
    ) -> anyhow::Result<Loader<'a>> {
        let topic = spec.input[input].topic(input);
        let ends = log.ends(topic)?.with_context(|| format!("there is no topic {topic}"))?;
        let header = header::expected(spec, input);
        let framing = header::framing(header.as_ref());
        let partitions = ends.partitions.len() as u32;
        Ok(Loader { log, topic: topic.into(), partitions, framing, header, rate: 0, marks })
    }

    /// Loads a source to its end, or until it is asked to stop, and says how far it came.
    ///
    /// # Errors
    /// When the source or the log fails. What was appended stays, and is not appended again.
    fn load(
        &mut self,
        source: Source,
        stop: &Stop,
        progress: &mut dyn FnMut(u64),
        loaded: &mut Loaded,
    ) -> anyhow::Result<()> {
        let mut session = self.session(&source)?;
        let result = self.read(&mut session, source, stop, progress);
        *loaded = session.done;
        result
    }

    fn session(&mut self, source: &Source) -> anyhow::Result<Session> {
        let digest = digest_of(&source.name);
        let before = if source.is_file { self.marks.of(&digest) } else { Before::default() };
        let mut appender = self.log.appender()?;
        let routes: Result<Vec<Route>, _> =
            (0..self.partitions).map(|p| appender.route(&self.topic, p)).collect();
        Ok(Session {
            appender,
            routes: routes?,
            before,
            digest,
            held: None,
            is_file: source.is_file,
            header: self.header.clone(),
            mark: Vec::new(),
            headers: Vec::new(),
            settled: Vec::new(),
            last: None,
            acked: None,
            done: Loaded { source: source.name.clone(), ..Loaded::default() },
            wrong_header: None,
            other: None,
        })
    }

    fn read(
        &self,
        session: &mut Session,
        mut source: Source,
        stop: &Stop,
        progress: &mut dyn FnMut(u64),
    ) -> anyhow::Result<()> {
        let mut lines = Lines::new(self.framing);
        let mut chunk = vec![0; if self.rate == 0 { CHUNK_BYTES } else { PACED_BYTES }];
        let pace = Pace { rate: self.rate, started: Instant::now(), stop };
        let mut is_over = false;
        while !is_over {
            if stop.is_asked() {
                return session.flush();
            }
            let count = match source.bytes.read(&mut chunk) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                count => count.with_context(|| format!("reading {}", source.name))?,
            };
            is_over = count == 0;
            let (mut result, mut goes_on, read) = (Ok(()), true, clock::now());
            let each = |line: &[u8]| {
                // Behind a line that was left out none may follow.
                goes_on = goes_on && pace.is_due(session, &mut result, progress);
                if goes_on {
                    session.line(line, if self.rate == 0 { read } else { clock::now() });
                }
            };
            if is_over {
                lines.finish(each);
            } else {
                lines.feed(&chunk[..count], each);
            }
            result?;
            self.check(session)?;
            if source.is_file {
                session.poll()?;
            } else {
                session.flush()?;
            }
            progress(session.done.read);
        }
        if stop.is_asked() {
            return session.flush();
        }
        session.finish()?;
        self.check(session)?;
        progress(session.done.read);
        Ok(())
    }

    /// Turns away a source whose first line says that it is another.
    fn check(&self, session: &Session) -> anyhow::Result<()> {
        if let Some(found) = &session.wrong_header {
            let known = self.header.as_ref().map(|csv| csv.columns.join(", ")).unwrap_or_default();
            let source = &session.done.source;
            bail!("{source} begins with `{found}`, but the file names `{known}`");
        }
        session.check(&self.topic)
    }
}

/// How fast records may go out.
struct Pace<'a> {
    rate: u64,
    started: Instant,
    stop: &'a Stop,
}

impl Pace<'_> {
    /// Waits until the next record may go out; says no when it is asked to stop first. What went
    /// out before is sent meanwhile.
    fn is_due(
        &self,
        session: &mut Session,
        result: &mut anyhow::Result<()>,
        progress: &mut dyn FnMut(u64),
    ) -> bool {
        if self.rate == 0 {
            return true;
        }
        let due = Duration::from_secs_f64(session.done.appended as f64 / self.rate as f64);
        while let Some(left) = due.checked_sub(self.started.elapsed()).filter(|l| !l.is_zero()) {
            *result = session.poll();
            progress(session.done.read);
            if result.is_err() || self.stop.is_asked() {
                return false;
            }
            thread::sleep(left.min(STEP));
        }
        true
    }
}

/// One load under way.
struct Session {
    appender: Box<dyn Appender>,
    routes: Vec<Route>,
    /// What is known of the source, if it was loaded before.
    before: Before,
    digest: String,
    /// The record that was read last: of a file it is held back until it is known whether it is the
    /// last.
    held: Option<Vec<u8>>,
    is_file: bool,
    header: Option<Csv>,
    mark: Vec<u8>,
    headers: Vec<u8>,
    settled: Vec<Settled>,
    last: Option<u64>,
    /// The newest ticket that was acknowledged.
    acked: Option<u64>,
    done: Loaded,
    wrong_header: Option<String>,
    /// The record that is not the one that was loaded under its number.
    other: Option<u64>,
}

impl Session {
    fn line(&mut self, line: &[u8], now: i64) {
        if self.done.read == 0 && self.held.is_none() && self.is_header(line) {
            return;
        }
        if !self.is_file {
            self.done.read += 1;
            return self.append(line, now, false);
        }
        let mut held = self.held.take().unwrap_or_default();
        if self.done.read > 0 {
            self.append(&held, now, false);
        }
        self.done.read += 1;
        held.clear();
        held.extend_from_slice(line);
        self.held = Some(held);
    }

    /// Whether the first line only names the columns. A wrong header is remembered.
    fn is_header(&mut self, line: &[u8]) -> bool {
        let Some(csv) = &self.header else { return false };
        match header::judge(csv, line) {
            First::Header => true,
            First::WrongHeader(found) => {
                self.wrong_header = Some(found);
                false
            }
            First::Record => false,
        }
    }

    fn append(&mut self, value: &[u8], now: i64, is_last: bool) {
        let number = self.done.read;
        let partition = ((number - 1) % self.routes.len() as u64) as usize;
        if self.before.denies(number, value) {
            self.other = self.other.or(Some(number));
        }
        if number <= self.before.upto(partition) || self.other.is_some() {
            return;
        }
        self.mark.clear();
        self.mark.extend_from_slice(self.digest.as_bytes());
        self.mark.push(b':');
        let mut digits = itoa::Buffer::new();
        self.mark.extend_from_slice(digits.format(number).as_bytes());
        if is_last {
            self.mark.push(b'!');
        }
        self.headers.clear();
        Headers::encode(&mut self.headers, "load", &self.mark);
        let headers = Headers::new(&self.headers);
        let record = Outgoing { time: now, key: None, value: Some(value), headers };
        self.last = Some(self.appender.submit(self.routes[partition], record));
        self.done.appended += 1;
    }

    /// Turns away another file of a name that was loaded before: taking it for the same, as its
    /// name says, would leave out its first records without a word.
    fn check(&self, topic: &str) -> anyhow::Result<()> {
        let Some(number) = self.other else { return Ok(()) };
        let name = &self.done.source;
        bail!(
            "record {number} of {name} is not the one that was loaded into topic {topic} from a \
             file of this name: it is another file, so give it another name"
        );
    }

    fn poll(&mut self) -> anyhow::Result<()> {
        self.settled.clear();
        self.appender.poll(&mut self.settled)?;
        self.acked = self.acked.max(self.settled.iter().map(|settled| settled.ticket).max());
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        while self.acked < self.last {
            self.poll()?;
            if self.acked >= self.last {
                break;
            }
            thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        if let Some(held) = self.held.take() {
            self.append(&held, clock::now(), true);
        }
        self.done.finished = self.other.is_none();
        self.flush()
    }
}
