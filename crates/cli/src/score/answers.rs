//! Reads the partitions that are this process's, and writes the answers: of each partition in its
//! order, and with it up to where all answers are acknowledged.

use std::collections::{BTreeMap, VecDeque};

use alluvium_flow::{Batch, Headers, Scored, decode::Rows};
use alluvium_ledger::log::{
    Appender, Log, LogError, Outgoing, Polled, RecordReader, Route, Settled, Span, Ticket,
};

use super::{loaded::Loaded, told::Told};
use crate::{clock, failure::Failure, store::Store};

/// How many bytes of answers may wait for their acknowledgement before reading waits as well.
const WAITING_BYTES_MAX: usize = 32 << 20;

/// A partition of an input, and where to begin in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) input: String,
    pub(super) topic: String,
    pub(super) partition: u32,
    /// The next offset: everything before it was answered, and the answers acknowledged.
    pub(super) from: u64,
}

impl Start {
    /// `INPUT:PARTITION`.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.input, self.partition)
    }
}

/// A partition that is being answered.
struct Part {
    start: Start,
    /// Which of the version's inputs it is.
    input: usize,
    /// `INPUT:PARTITION:`.
    place: String,
    route: Route,
    /// Runs of records whose answers are not all acknowledged: the last answer, if there was one,
    /// the offset after the run, and the bytes of its answers.
    waiting: VecDeque<(Option<Ticket>, u64, usize)>,
}

/// Reading and answering.
pub(super) struct Answers {
    parts: Vec<Part>,
    reader: Box<dyn RecordReader>,
    appender: Box<dyn Appender>,
    settled: Vec<Settled>,
    /// The newest ticket acknowledged, and the newest handed over, of each route.
    acked: BTreeMap<Route, Ticket>,
    last: BTreeMap<Route, Ticket>,
    waiting_bytes: usize,
    batch: Batch,
    rows: Rows,
    line: Vec<u8>,
    headers: Vec<u8>,
}

impl Answers {
    /// Begins to read and answer. The topic of the answers is there.
    ///
    /// # Errors
    /// When the log fails, or the version does not know an input.
    pub(super) fn open(
        log: &mut Store,
        starts: Vec<Start>,
        to: &str,
        loaded: &Loaded,
    ) -> Result<Answers, Failure> {
        let ends = log.ends(to)?.ok_or_else(|| LogError::NoTopic { topic: to.into() })?;
        let partitions = ends.partitions.len() as u32;
        let mut appender = log.appender()?;
        let spans: Vec<Span> = starts
            .iter()
            .map(|start| Span {
                topic: start.topic.as_str().into(),
                partition: start.partition,
                from: start.from,
                to: None,
            })
            .collect();
        let mut parts = Vec::with_capacity(starts.len());
        for start in starts {
            parts.push(Part {
                input: loaded.input(&start.input)?,
                place: format!("{}:", start.place()),
                route: appender.route(to, start.partition % partitions.max(1))?,
                waiting: VecDeque::new(),
                start,
            });
        }
        Ok(Answers {
            parts,
            reader: log.reader(&spans)?,
            appender,
            settled: Vec::new(),
            acked: BTreeMap::new(),
            last: BTreeMap::new(),
            waiting_bytes: 0,
            batch: Batch::new(),
            rows: Rows::default(),
            line: Vec::new(),
            headers: Vec::new(),
        })
    }

    /// Another version answers from the next record on.
    ///
    /// # Errors
    /// When it does not know an input.
    pub(super) fn renew(&mut self, loaded: &Loaded) -> Result<(), Failure> {
        for part in &mut self.parts {
            part.input = loaded.input(&part.start.input)?;
        }
        Ok(())
    }

    /// Answers the next records, if there is room for answers; says whether there were any.
    ///
    /// # Errors
    /// When the log fails.
    pub(super) fn turn(&mut self, loaded: &mut Loaded, told: &mut Told) -> Result<bool, LogError> {
        if self.waiting_bytes > WAITING_BYTES_MAX {
            return Ok(false);
        }
        match self.reader.poll(&mut self.batch)? {
            Polled::Nothing => Ok(false),
            Polled::Records => {
                self.answer(loaded, told);
                Ok(true)
            }
        }
    }

    /// Answers a batch, and hands the answers over.
    fn answer(&mut self, loaded: &mut Loaded, told: &mut Told) {
        let Answers { parts, batch, rows, line, headers, appender, last, .. } = self;
        let part = &mut parts[batch.span];
        rows.clear();
        loaded.decoders[part.input].decode(part.start.partition, batch, rows);
        let (now, mut bytes) = (clock::now(), 0);
        let [mut digits, mut number] = [itoa::Buffer::new(), itoa::Buffer::new()];
        let version = number.format(loaded.version);
        for (index, record) in batch.iter().enumerate() {
            line.clear();
            for text in ["{\"model\":\"", &loaded.model, "\",\"version\":", version] {
                line.extend_from_slice(text.as_bytes());
            }
            let answer = line.len();
            if let Scored::Refused(refusal) = loaded.predictor.score(rows, index, line) {
                let plan = &loaded.predictor.inputs()[part.input].decode;
                let why = || refusal.describe(plan).to_string();
                told.refused(|| (format!("{}{}", part.place, record.offset), why()));
                continue;
            }
            // The answer is an object of its own: its members go on in this one.
            line[answer] = b',';
            headers.clear();
            let at = [part.place.as_bytes(), digits.format(record.offset).as_bytes()].concat();
            Headers::encode(headers, "at", &at);
            Headers::encode(headers, "model", loaded.model.as_bytes());
            Headers::encode(headers, "version", version.as_bytes());
            let headers = Headers::new(headers);
            let outgoing = Outgoing { time: now, key: record.key, value: Some(line), headers };
            last.insert(part.route, appender.submit(part.route, outgoing));
            bytes += line.len();
            told.answered += 1;
        }
        // Where all were refused, what came before on the route has to be acknowledged still.
        part.waiting.push_back((last.get(&part.route).copied(), batch.next, bytes));
        self.waiting_bytes += bytes;
    }

    /// Takes the acknowledgements that have come.
    ///
    /// # Errors
    /// When the session has ended: what was not acknowledged has to be answered again.
    pub(super) fn settle(&mut self) -> Result<(), LogError> {
        self.settled.clear();
        let polled = self.appender.poll(&mut self.settled);
        for one in &self.settled {
            let newest = self.acked.entry(one.route).or_insert(one.ticket);
            *newest = one.ticket.max(*newest);
        }
        for part in &mut self.parts {
            let acked = self.acked.get(&part.route).copied();
            while let Some((ticket, next, bytes)) = part.waiting.front().copied() {
                if ticket > acked {
                    break;
                }
                part.start.from = next;
                self.waiting_bytes -= bytes;
                part.waiting.pop_front();
            }
        }
        polled
    }

    /// Whether every answer is acknowledged.
    pub(super) fn are_settled(&self) -> bool {
        self.parts.iter().all(|part| part.waiting.is_empty())
    }

    /// Where each partition stands.
    pub(super) fn starts(&self) -> Vec<Start> {
        self.parts.iter().map(|part| part.start.clone()).collect()
    }
}
