//! What each stage of a run costs: the log is read again and again, each time with one stage more.
//!
//! `stages PIPELINE ROUNDS [LOG]` prints one JSON object a line: the stage, its records, and the
//! seconds on the clock and on the processor, of the fastest round. The topics of the pipeline's
//! inputs have to be filled. `cargo xtask bench` runs it and makes a table.
//!
//! With one input each stage takes batches as they come. With several the order of their records is
//! the keeper's work, so from there on each stage is a whole run of it with less to do.
#![expect(clippy::print_stdout, reason = "it measures and prints")]

use std::{cell::Cell, fs, path::Path, sync::Arc, time::Instant};

use alluvium::{args::Named, clock, open::Opened, run, store::Store};
use alluvium_flow::{
    Batch, Chain, Effects, Input, InputPlan, Pipeline, Run, Settings,
    decode::Rows,
    spec::{Answer, Spec},
};
use alluvium_ledger::{
    keeper::{Keeper, Next, Signals},
    log::{Errand, Log, PartitionEnds, Polled, Span},
};
use anyhow::{Context, bail};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let (file, rounds, place) = match arguments.as_slice() {
        [_, file, rounds] => (file, rounds, None),
        [_, file, rounds, place] => (file, rounds, Some(place.clone())),
        _ => bail!("stages PIPELINE ROUNDS [LOG]"),
    };
    let bench = Bench::open(Path::new(file), place)?;
    let rounds: u32 = rounds.parse().context("the number of rounds")?;
    let silent = |spec: &mut Spec| spec.predictions.answer = Answer::Live;
    let plain = bench.settings_of(|_| {})?;
    let still = bench.settings_of(silent)?;
    let judged = bench.settings_of(|spec| without_learning(spec, false))?;
    let stepped = bench.settings_of(|spec| without_learning(spec, true))?;
    for stage in bench.stages() {
        let mut best: Option<Cost> = None;
        for round in 0..rounds {
            let cost = match stage {
                Stage::Read => bench.cost(|_, _| ())?,
                Stage::Decode => bench.decode(None)?,
                Stage::Digest => bench.decode(Some(bench.chains()))?,
                Stage::Judge => bench.step(&judged)?,
                Stage::Steps => bench.step(&stepped)?,
                Stage::Learn => bench.step(&still)?,
                Stage::Predictions => bench.step(&plain)?,
                Stage::KeepJudge => bench.keep(round, |spec| without_learning(spec, false))?,
                Stage::KeepSteps => bench.keep(round, |spec| without_learning(spec, true))?,
                Stage::KeepLearn => bench.keep(round, silent)?,
                Stage::KeepWhole | Stage::Whole => bench.keep(round, |_| {})?,
            };
            best = Some(best.map_or(cost, |best| best.least(cost)));
        }
        let Some(Cost { records, wall, cpu }) = best else { continue };
        let name = stage.name();
        println!(
            "{}",
            serde_json::json!({ "stage": name, "records": records, "wall_s": wall, "cpu_s": cpu })
        );
    }
    Ok(())
}

/// The stages, each with all before it.
#[derive(Clone, Copy)]
enum Stage {
    Read,
    Decode,
    Digest,
    Judge,
    Steps,
    Learn,
    Predictions,
    Whole,
    KeepJudge,
    KeepSteps,
    KeepLearn,
    KeepWhole,
}

impl Stage {
    /// Of one input.
    const OF_ONE: [Stage; 8] = [
        Stage::Read,
        Stage::Decode,
        Stage::Digest,
        Stage::Judge,
        Stage::Steps,
        Stage::Learn,
        Stage::Predictions,
        Stage::Whole,
    ];

    /// Of several.
    const OF_SEVERAL: [Stage; 7] = [
        Stage::Read,
        Stage::Decode,
        Stage::Digest,
        Stage::KeepJudge,
        Stage::KeepSteps,
        Stage::KeepLearn,
        Stage::KeepWhole,
    ];

    fn name(self) -> &'static str {
        match self {
            Stage::Read => "raw read of the log",
            Stage::Decode => "+ decode",
            Stage::Digest => "+ digest of the inputs",
            Stage::Judge => "+ label, baselines, judges",
            Stage::Steps | Stage::KeepSteps => "+ feature steps",
            Stage::Learn | Stage::KeepLearn => "+ predict and learn",
            Stage::Predictions => "+ predictions as JSON",
            Stage::Whole => "+ cuts, versions, everything written",
            Stage::KeepJudge => "+ one order, cuts, labels, baselines, judges, versions",
            Stage::KeepWhole => "+ predictions, written",
        }
    }
}

/// What a stage took.
#[derive(Clone, Copy)]
struct Cost {
    records: u64,
    wall: f64,
    cpu: Option<f64>,
}

impl Cost {
    fn least(self, other: Cost) -> Cost {
        let cpu = match (self.cpu, other.cpu) {
            (Some(a), Some(b)) => Some(a.min(b)),
            _ => None,
        };
        Cost { records: self.records, wall: self.wall.min(other.wall), cpu }
    }
}

/// Leaves the learner out: the majority stands in for it.
fn without_learning(spec: &mut Spec, keep_steps: bool) {
    spec.predictions.answer = Answer::Live;
    let fields: Vec<String> = spec.fields.keys().cloned().collect();
    if !keep_steps {
        spec.features.clear();
    }
    let majority = serde_json::from_value(serde_json::json!({ "majority": {} }));
    let Ok(majority) = majority else { return };
    for model in spec.model.values_mut() {
        model.learner = Clone::clone(&majority);
        if !keep_steps {
            model.uses.clone_from(&fields);
        }
    }
}

struct Bench {
    opened: Opened,
    log: Store,
    spans: Vec<Of>,
    /// How many runs were kept: each has a name of its own.
    kept: Cell<u32>,
}

/// One partition of an input.
struct Of {
    input: usize,
    topic: Arc<str>,
    partition: u32,
    ends: PartitionEnds,
}

impl Bench {
    fn open(file: &Path, log: Option<String>) -> anyhow::Result<Bench> {
        let named = Named { name: None, log };
        let opened = Opened::read(file, &named).map_err(|e| anyhow::anyhow!("{e:?}"))?;
        let mut log = opened.existing_log().map_err(|e| anyhow::anyhow!("{e:?}"))?;
        let mut spans = Vec::new();
        for (input, (name, settings)) in opened.spec.input.iter().enumerate() {
            let topic: Arc<str> = settings.topic(name).into();
            let ends = log.ends(&topic)?.with_context(|| format!("there is no topic {topic}"))?;
            let partitions = ends.partitions.into_iter().enumerate();
            spans.extend(partitions.map(|(partition, ends)| Of {
                input,
                topic: topic.clone(),
                partition: partition as u32,
                ends,
            }));
        }
        Ok(Bench { opened, log, spans, kept: Cell::new(0) })
    }

    fn stages(&self) -> &'static [Stage] {
        match self.opened.spec.input.len() {
            1 => &Stage::OF_ONE,
            _ => &Stage::OF_SEVERAL,
        }
    }

    /// The digests of all partitions, as they are at the beginning.
    fn chains(&self) -> Vec<Chain> {
        self.spans.iter().map(|_| Chain::default()).collect()
    }

    fn settings_of(&self, change: impl FnOnce(&mut Spec)) -> anyhow::Result<Arc<Settings>> {
        let mut spec = self.opened.spec.clone();
        change(&mut spec);
        Pipeline::of_spec(&spec).map_err(|error| anyhow::anyhow!("{:?}", error.mistakes))?;
        Ok(Arc::new(Settings::of(&spec)))
    }

    /// Reads all topics, and does something with each batch of a partition.
    fn cost(&self, mut each: impl FnMut(&Batch, usize)) -> anyhow::Result<Cost> {
        let span = |of: &Of| Span {
            topic: of.topic.clone(),
            partition: of.partition,
            from: of.ends.earliest,
            to: Some(of.ends.stable),
        };
        let spans: Vec<Span> = self.spans.iter().map(span).collect();
        let mut left = self.spans.iter().filter(|of| of.ends.earliest < of.ends.stable).count();
        let watch = Watch::start();
        let mut log = self.log.clone();
        let (mut reader, mut batch, mut records) = (log.reader(&spans)?, Batch::new(), 0);
        while left > 0 {
            batch.clear();
            if reader.poll(&mut batch)? == Polled::Nothing {
                std::thread::sleep(std::time::Duration::from_micros(100));
                continue;
            }
            records += batch.len() as u64;
            left -= usize::from(batch.next >= self.spans[batch.span].ends.stable);
            each(&batch, batch.span);
        }
        Ok(watch.stop(records))
    }

    fn decode(&self, mut chains: Option<Vec<Chain>>) -> anyhow::Result<Cost> {
        let pipeline = self.pipeline(&self.opened.settings)?;
        let mut decoders: Vec<_> = pipeline.inputs().iter().map(InputPlan::decoder).collect();
        let mut rows = Rows::default();
        self.cost(|batch, span| {
            rows.clear();
            let Of { input, partition, .. } = self.spans[span];
            decoders[input].decode(partition, batch, &mut rows);
            if let Some(chains) = &mut chains {
                batch.iter().for_each(|record| chains[span].add(&record));
            }
        })
    }

    fn step(&self, settings: &Arc<Settings>) -> anyhow::Result<Cost> {
        let mut pipeline = self.pipeline(settings)?;
        let (mut decoder, mut rows) = (pipeline.inputs()[0].decoder(), Rows::default());
        let mut chains = self.chains();
        let mut effects = Effects { backlog: true, ..Effects::default() };
        self.cost(|batch, index| {
            let partition = index as u32;
            rows.clear();
            decoder.decode(partition, batch, &mut rows);
            batch.iter().for_each(|record| chains[index].add(&record));
            // As the keeper hands them over, so that the effects stay small.
            for start in (0..batch.len()).step_by(2048) {
                let range = start..batch.len().min(start + 2048);
                effects.clear();
                let run = Run { input: 0, partition, batch, rows: &rows, range };
                pipeline.step(Input::Records(run), &mut effects);
            }
        })
    }

    fn pipeline(&self, settings: &Arc<Settings>) -> anyhow::Result<Pipeline> {
        Pipeline::build(settings).map_err(|error| anyhow::anyhow!("{:?}", error.mistakes))
    }

    /// All of `alluvium run`, as a pipeline of its own name each round.
    fn keep(&self, round: u32, change: impl Fn(&mut Spec)) -> anyhow::Result<Cost> {
        let count = self.kept.replace(self.kept.get() + 1);
        let name = format!("{}-{round}-{count}-{}", self.opened.spec.name, std::process::id());
        let named = Named { name: Some(name), log: self.opened.named.log.clone() };
        let mut opened =
            Opened::read(&self.opened.file, &named).map_err(|e| anyhow::anyhow!("{e:?}"))?;
        change(&mut opened.spec);
        opened.settings = Arc::new(Settings::of(&opened.spec));
        let watch = Watch::start();
        let mut log = self.log.clone();
        let lease = log.lease(&opened.spec.name, Errand::Run)?;
        let mut keeper = Keeper::new(log, run::options(&opened, false));
        let signals = Signals { lease: true, stop: false };
        loop {
            match keeper.turn(clock::now(), signals).map_err(|halt| anyhow::anyhow!("{halt}"))? {
                Next::Done => break,
                Next::Again => {}
                _ => std::thread::sleep(std::time::Duration::from_millis(1)),
            }
        }
        let records = keeper.pipeline().map_or(0, |pipeline| pipeline.counters().read);
        let cost = watch.stop(records);
        drop(lease);
        Ok(cost)
    }
}

/// Measures the clock, and the processor time of all threads, those that have ended too.
struct Watch {
    wall: Instant,
    cpu: Option<f64>,
}

impl Watch {
    fn start() -> Watch {
        Watch { cpu: cpu_seconds(), wall: Instant::now() }
    }

    fn stop(&self, records: u64) -> Cost {
        let wall = self.wall.elapsed().as_secs_f64();
        let cpu = self.cpu.zip(cpu_seconds()).map(|(start, end)| end - start);
        Cost { records, wall, cpu }
    }
}

/// Processor time of this process, where the system says it (Linux, in hundredths of a second).
fn cpu_seconds() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system) = (fields.next()?.parse::<f64>().ok()?, fields.next()?.parse::<f64>().ok()?);
    Some((user + system) / 100.0)
}
