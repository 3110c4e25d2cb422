//! What each stage of a run costs: the embedded log is read again and again, each time with one
//! stage more.
//!
//! `stages PIPELINE ROUNDS` prints one JSON object a line: the stage, its records, and the seconds
//! on the clock and on the processor, of the fastest round. The topic of the pipeline's only input
//! has to be filled. `cargo xtask bench` runs it and makes a table.
#![expect(clippy::print_stdout, reason = "it measures and prints")]

use std::{fs, path::Path, sync::Arc, time::Instant};

use alluvium::{args::Named, clock, open::Opened, run, store::Store};
use alluvium_flow::{
    Batch, Chain, Effects, Input, Pipeline, Run, Settings,
    decode::Rows,
    spec::{Answer, Spec},
};
use alluvium_ledger::{
    keeper::{Keeper, Next, Signals},
    log::{Errand, Log, Polled, Span},
};
use anyhow::{Context, bail};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, file, rounds] = arguments.as_slice() else { bail!("stages PIPELINE ROUNDS") };
    let bench = Bench::open(Path::new(file))?;
    let rounds: u32 = rounds.parse().context("the number of rounds")?;
    let plain = bench.settings_of(|_| {})?;
    let still = bench.settings_of(|spec| spec.predictions.answer = Answer::Live)?;
    let judged = bench.settings_of(|spec| without_learning(spec, false))?;
    let stepped = bench.settings_of(|spec| without_learning(spec, true))?;
    for stage in Stage::ALL {
        let mut best: Option<Cost> = None;
        for round in 0..rounds {
            let cost = match stage {
                Stage::Read => bench.cost(|_| ())?,
                Stage::Decode => bench.decode(None)?,
                Stage::Digest => bench.decode(Some(Chain::default()))?,
                Stage::Judge => bench.step(&judged)?,
                Stage::Steps => bench.step(&stepped)?,
                Stage::Learn => bench.step(&still)?,
                Stage::Predictions => bench.step(&plain)?,
                Stage::Whole => bench.keep(round)?,
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
}

impl Stage {
    const ALL: [Stage; 8] = [
        Stage::Read,
        Stage::Decode,
        Stage::Digest,
        Stage::Judge,
        Stage::Steps,
        Stage::Learn,
        Stage::Predictions,
        Stage::Whole,
    ];

    fn name(self) -> &'static str {
        match self {
            Stage::Read => "raw read of the log",
            Stage::Decode => "+ decode",
            Stage::Digest => "+ digest of the inputs",
            Stage::Judge => "+ label, baselines, judges",
            Stage::Steps => "+ feature steps",
            Stage::Learn => "+ predict and learn",
            Stage::Predictions => "+ predictions as JSON",
            Stage::Whole => "+ cuts, versions, everything written",
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
    topic: String,
    end: u64,
}

impl Bench {
    fn open(file: &Path) -> anyhow::Result<Bench> {
        let opened = Opened::read(file, &Named::default()).map_err(|e| anyhow::anyhow!("{e:?}"))?;
        let mut log = opened.existing_log().map_err(|e| anyhow::anyhow!("{e:?}"))?;
        let (name, input) = opened.spec.input.iter().next().context("an input")?;
        let topic = input.topic(name).to_string();
        let ends = log.ends(&topic)?.context("the input's topic")?;
        let [partition] = ends.partitions.as_slice() else { bail!("a topic of one partition") };
        let end = partition.stable;
        Ok(Bench { opened, log, topic, end })
    }

    fn settings_of(&self, change: impl FnOnce(&mut Spec)) -> anyhow::Result<Arc<Settings>> {
        let mut spec = self.opened.spec.clone();
        change(&mut spec);
        Pipeline::of_spec(&spec).map_err(|error| anyhow::anyhow!("{:?}", error.mistakes))?;
        Ok(Arc::new(Settings::of(&spec)))
    }

    /// Reads the whole topic, and does something with each batch.
    fn cost(&self, mut each: impl FnMut(&Batch)) -> anyhow::Result<Cost> {
        let span =
            Span { topic: self.topic.as_str().into(), partition: 0, from: 0, to: Some(self.end) };
        let watch = Watch::start();
        let mut log = self.log.clone();
        let (mut reader, mut batch, mut records) = (log.reader(&[span])?, Batch::new(), 0);
        while batch.next < self.end {
            batch.clear();
            if reader.poll(&mut batch)? == Polled::Nothing {
                bail!("the log ended too early");
            }
            records += batch.len() as u64;
            each(&batch);
        }
        Ok(watch.stop(records))
    }

    fn decode(&self, mut chain: Option<Chain>) -> anyhow::Result<Cost> {
        let pipeline = self.pipeline(&self.opened.settings)?;
        let (mut decoder, mut rows) = (pipeline.inputs()[0].decoder(), Rows::default());
        self.cost(|batch| {
            rows.clear();
            decoder.decode(0, batch, &mut rows);
            if let Some(chain) = &mut chain {
                batch.iter().for_each(|record| chain.add(&record));
            }
        })
    }

    fn step(&self, settings: &Arc<Settings>) -> anyhow::Result<Cost> {
        let mut pipeline = self.pipeline(settings)?;
        let (mut decoder, mut rows) = (pipeline.inputs()[0].decoder(), Rows::default());
        let mut chain = Chain::default();
        let mut effects = Effects { backlog: true, ..Effects::default() };
        self.cost(|batch| {
            rows.clear();
            decoder.decode(0, batch, &mut rows);
            batch.iter().for_each(|record| chain.add(&record));
            // As the keeper hands them over, so that the effects stay small.
            for start in (0..batch.len()).step_by(2048) {
                let range = start..batch.len().min(start + 2048);
                effects.clear();
                let run = Run { input: 0, partition: 0, batch, rows: &rows, range };
                pipeline.step(Input::Records(run), &mut effects);
            }
        })
    }

    fn pipeline(&self, settings: &Arc<Settings>) -> anyhow::Result<Pipeline> {
        Pipeline::build(settings).map_err(|error| anyhow::anyhow!("{:?}", error.mistakes))
    }

    /// All of `alluvium run`, as a pipeline of its own name each round.
    fn keep(&self, round: u32) -> anyhow::Result<Cost> {
        let name = format!("{}-{round}-{}", self.opened.spec.name, std::process::id());
        let log = self.opened.place.directory().map(|at| at.display().to_string());
        let named = Named { name: Some(name), log };
        let opened =
            Opened::read(&self.opened.file, &named).map_err(|e| anyhow::anyhow!("{e:?}"))?;
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

/// Measures the clock, and the processor time of all threads that are still there at the end.
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

/// Processor time of this process's threads, where the system says it (Linux).
fn cpu_seconds() -> Option<f64> {
    let mut nanoseconds = 0;
    for task in fs::read_dir("/proc/self/task").ok()? {
        let spent = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        nanoseconds += spent.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(nanoseconds as f64 / 1e9)
}
