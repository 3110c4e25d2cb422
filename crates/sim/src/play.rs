//! What happens in a run: keepers turn, pause, die and come back; records arrive; somebody asks for
//! something; the log does what it may.

mod ask;
mod mischief;

use std::{collections::BTreeMap, sync::Arc};

use alluvium_flow::{Decision, Gap, Headers, Settings};
use alluvium_learn::Time;
use alluvium_ledger::{
    control::{Body, Control},
    keeper::{Halt, Keeper, Next, Options, Signals},
    log::{Outgoing, Policy},
};

use crate::{
    Faults, Kind, Stats, VirtualLog,
    log::{Kept, Watch},
    random::{Random, mix},
    scene::{File, PREFIX, Scene, Size},
};

/// When a run begins: so late that a clock can be set back by ten years.
const BEGIN_MS: Time = 1_000_000_000_000;

/// Turns after which a keeper without faults must be done.
const TURNS_MAX: u64 = 60_000;

/// How seldom records arrive in a partition that lags, in thousandths of what others get.
const HELD: u32 = 40;

/// A process that keeps the pipeline, or would.
struct Actor {
    keeper: Option<Keeper<VirtualLog>>,
    client: usize,
    lives: u64,
    /// How many changes of what is learned its file knows.
    decided: u64,
    paused: bool,
    /// Whether it believes in its lease.
    lease: bool,
    stop: bool,
    /// How far its clock is off.
    skew: Time,
    /// Halted with reason: dead until it is started again.
    halted: bool,
}

/// What may happen, in the order of the weights.
const HAPPENINGS: usize = 15;

pub(crate) struct Play {
    kind: Kind,
    size: Size,
    random: Random,
    pub(crate) log: VirtualLog,
    pub(crate) scene: Scene,
    actors: Vec<Actor>,
    arrived: BTreeMap<(usize, usize), usize>,
    /// The newest pipeline file, and how often what is learned was changed in it.
    file: File,
    decided: u64,
    now: Time,
    weights: [u32; HAPPENINGS],
    pub(crate) requests: u64,
    pub(crate) stats: Stats,
    /// Everything had to be learned, and was said to be.
    pub(crate) complete: bool,
    pub(crate) truncated: bool,
    pub(crate) tell: bool,
    pub(crate) lines: Vec<String>,
}

impl Play {
    /// Inputs come from one seed, all that happens from another.
    pub(crate) fn new(inputs: u64, seed: u64, kind: Kind) -> Play {
        let size = Size::of(kind);
        let scene = Scene::new(kind, size, inputs);
        let mut random = Random::new(mix(seed, 2));
        let faults = faults(kind, &mut random);
        let mut play = Play::staged(scene, random, seed, kind, faults);
        for actor in 0..play.actors.len() {
            play.start(actor, None);
        }
        play
    }

    /// A finished topic, a log in which nothing fails, and nobody who keeps a pipeline yet.
    pub(crate) fn calm(inputs: u64, seed: u64, faults: Faults) -> Play {
        let size = Size::of(Kind::Finished);
        let scene = Scene::new(Kind::Finished, size, inputs);
        let random = Random::new(mix(seed, 2));
        Play::staged(scene, random, seed, Kind::Finished, faults)
    }

    fn staged(scene: Scene, mut random: Random, seed: u64, kind: Kind, faults: Faults) -> Play {
        let size = Size::of(kind);
        let log = VirtualLog::new(mix(seed, 3), faults);
        let actor = |_| Actor {
            keeper: None,
            client: 0,
            lives: 0,
            decided: 0,
            paused: false,
            lease: false,
            stop: false,
            skew: 0,
            halted: false,
        };
        let actors = (0..size.keepers).map(actor).collect();
        let (weights, file) = (weights(kind, &mut random), scene.first);
        let mut play = Play {
            kind,
            size,
            random,
            log,
            scene,
            actors,
            arrived: BTreeMap::new(),
            file,
            decided: 0,
            now: BEGIN_MS,
            weights,
            requests: 0,
            stats: Stats::default(),
            complete: false,
            truncated: false,
            tell: false,
            lines: Vec::new(),
        };
        play.set_the_stage();
        play
    }

    fn set_the_stage(&mut self) {
        let mut watched = (BTreeMap::new(), BTreeMap::new());
        for (number, input) in self.scene.inputs.clone().iter().enumerate() {
            let policy = Policy::Delete { retention_ms: None };
            self.log.world().create(input.name, input.partitions.len() as u32, policy);
            watched.0.insert(input.name.to_string(), input.name.to_string());
            watched.1.insert(input.name.to_string(), input.partitions.len());
            for (partition, records) in input.partitions.iter().enumerate() {
                let all = self.kind == Kind::Finished;
                let count = if all { records.len() } else { self.random.index(records.len() + 1) };
                let is_held = !all && self.scene.held == Some((number, partition));
                for _ in 0..if is_held { 0 } else { count } {
                    self.arrive(number, partition);
                }
            }
        }
        let mut world = self.log.world();
        world.create(&format!("{PREFIX}control"), 1, Policy::Delete { retention_ms: None });
        world.watch = Some(Watch::new(PREFIX, watched.0, watched.1));
        world.lossy = self.kind == Kind::Lossy;
        drop(world);
        self.actors[0].lease = true;
    }

    pub(crate) fn first_settings(&mut self) -> Arc<Settings> {
        self.scene.settings(self.file)
    }

    pub(crate) fn say(&mut self, text: impl FnOnce() -> String) {
        if self.tell {
            let events = self.stats.events;
            let text = text();
            let told = std::mem::take(&mut self.log.world().told);
            self.lines.extend(told.into_iter().map(|line| format!("{events:6}     {line}")));
            self.lines.push(format!("{events:6} {text}"));
        }
    }

    /// Plays all of it.
    pub(crate) fn go(&mut self) -> Result<(), String> {
        for _ in 0..self.size.events {
            self.stats.events += 1;
            self.happen()?;
            self.watched()?;
        }
        self.finish()
    }

    fn watched(&mut self) -> Result<(), String> {
        let failure = self.log.world().watch.as_mut().and_then(|watch| watch.failure.take());
        failure.map_or(Ok(()), Err)
    }

    fn happen(&mut self) -> Result<(), String> {
        self.now += self.random.below(8) as Time;
        let total: u32 = self.weights.iter().sum();
        let mut left = self.random.below(u64::from(total)) as u32;
        let mut what = 0;
        while left >= self.weights[what] {
            left -= self.weights[what];
            what += 1;
        }
        let actor = self.random.index(self.actors.len());
        match what {
            0 if !self.actors[actor].paused => self.turn(actor)?,
            1 => self.log.turn_world(),
            2 => self.arrive_some(),
            3 => self.ask(),
            4 => self.pause(actor),
            5 => self.die_or_live(actor),
            6 => self.move_lease(actor),
            7 => self.end_session(),
            8 => self.lose_late(),
            9 => self.turn_slow(),
            10 => self.change_file(),
            11 => self.truncate(),
            12 => self.now += self.random.below(12_000) as Time,
            13 => self.actors[actor].stop = self.random.chance(300),
            14 => self.set_clock(actor),
            _ => {}
        }
        Ok(())
    }

    // ------------------------------------------------------------------ keepers

    fn start(&mut self, number: usize, last: Option<Options>) {
        let is_last = last.is_some();
        let options = last.unwrap_or_else(|| self.options(number));
        let log = self.log.client();
        let actor = &mut self.actors[number];
        actor.client = log.number();
        actor.lives += 1;
        actor.decided = self.decided;
        (actor.halted, actor.paused, actor.stop) = (false, false, false);
        actor.skew = self.random.below(2_000) as Time - 1_000;
        if !is_last && self.random.chance(150) {
            let submits = self.random.below(120);
            self.log.world().kill_after(log.number(), submits);
        }
        let file = self.file;
        self.say(|| {
            format!(
                "k{number} starts with {file:?}: follow {}, cut {}, snapshot {}/{} ms, buffer {}, \
                 tick {:?}",
                options.follow,
                options.cut_records_max,
                options.snapshot_steps,
                options.snapshot_ms,
                options.buffer_bytes,
                options.tick_ms
            )
        });
        let mut keeper = Keeper::new(log, options);
        if self.random.chance(700) {
            keeper.bound_turns(self.random.between(1, 6) as usize);
        }
        self.actors[number].keeper = Some(keeper);
    }

    fn options(&mut self, number: usize) -> Options {
        let random = &mut self.random;
        Options {
            prefix: PREFIX.into(),
            by: format!("k{number} life {}", self.actors[number].lives),
            settings: self.scene.settings(self.file),
            follow: self.kind != Kind::Finished && random.chance(700),
            cut_records_max: random.between(1, 8) as usize,
            snapshot_steps: random.between(1, self.size.snapshot_steps_max),
            snapshot_ms: [30, 300, 3_000][random.index(3)],
            buffer_bytes: random.between(1, 600) as usize,
            waiting_bytes: [300, 3_000, 1 << 20, 1 << 20][random.index(4)],
            cut_ms: [0, 0, 0, 20][random.index(4)],
            retry_ms: [0, 0, 2][random.index(3)],
            tick_ms: (self.kind != Kind::Finished && random.chance(500))
                .then(|| random.between(1, 100) as i64),
            refused_share_max: 1.0,
        }
    }

    fn turn(&mut self, number: usize) -> Result<(), String> {
        let actor = &mut self.actors[number];
        let Some(keeper) = &mut actor.keeper else { return Ok(()) };
        let signals = Signals { lease: actor.lease, stop: actor.stop };
        let now = self.now + actor.skew;
        let result = keeper.turn(now, signals);
        let (term, waiting) = if self.tell {
            let progress = keeper.progress();
            (progress.term, progress.waiting)
        } else {
            (None, None)
        };
        self.stats.turns += 1;
        let dull = matches!(result, Ok(Next::Standby | Next::Wait)) && waiting.is_none();
        if !dull {
            self.say(|| {
                let result = result.as_ref().map_err(Halt::to_string);
                format!("k{number} turns: {result:?} {term:?} {waiting:?}")
            });
        }
        if self.log.world().is_dead(self.actors[number].client) {
            self.crash(number);
            return Ok(());
        }
        match result {
            Ok(Next::Done) => {
                self.say(|| format!("k{number} is done"));
                self.actors[number].keeper = None;
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(halt) => self.halted(number, &halt),
        }
    }

    /// A halt must have a reason.
    fn halted(&mut self, number: usize, halt: &Halt) -> Result<(), String> {
        self.say(|| format!("k{number} HALTS: {halt}"));
        let old_file = self.actors[number].decided != self.decided;
        // Where something was lost any halt is right.
        let justified = self.truncated
            || match halt {
                Halt::Changed { .. } => old_file,
                Halt::Expired(_) | Halt::Unreadable { .. } => self.log.world().lost,
                Halt::LogChanged(_)
                | Halt::Denied(_)
                | Halt::Refused { .. }
                | Halt::Settings(_)
                | Halt::Broken(_) => false,
            };
        if !justified {
            return Err(format!("a false halt: {halt}"));
        }
        self.stats.halts += 1;
        self.actors[number].keeper = None;
        self.actors[number].halted = true;
        Ok(())
    }

    fn crash(&mut self, number: usize) {
        self.say(|| format!("k{number} DIES"));
        self.log.world().kill(self.actors[number].client);
        self.actors[number].keeper = None;
        self.stats.crashes += 1;
    }

    // ------------------------------------------------------------------ what the world does

    fn arrive_some(&mut self) {
        let input = self.random.index(self.scene.inputs.len());
        let partition = self.random.index(self.scene.inputs[input].partitions.len());
        if self.scene.held == Some((input, partition)) && !self.random.chance(HELD) {
            return;
        }
        for _ in 0..self.random.between(1, 3) {
            self.arrive(input, partition);
        }
    }

    fn arrive(&mut self, input: usize, partition: usize) {
        let arrived = self.arrived.entry((input, partition)).or_default();
        let topic = &self.scene.inputs[input];
        if let Some(record) = topic.partitions[partition].get(*arrived) {
            *arrived += 1;
            let mut world = self.log.world();
            if let Some(index) = world.find(topic.name) {
                world.append(index, partition, record.clone());
            }
        }
    }

    /// All faults end; one keeper has to finish everything.
    fn finish(&mut self) -> Result<(), String> {
        self.say(|| "ALL FAULTS END".into());
        for number in 0..self.actors.len() {
            if self.actors[number].keeper.is_some() {
                self.crash(number);
            }
            self.actors[number].lease = false;
        }
        self.log.world().calm_down();
        self.rot();
        for input in 0..self.scene.inputs.len() {
            for partition in 0..self.scene.inputs[input].partitions.len() {
                for _ in 0..self.scene.inputs[input].partitions[partition].len() {
                    self.arrive(input, partition);
                }
            }
        }
        let keeper = self.random.index(self.actors.len());
        let mut options = self.options(keeper);
        (options.follow, options.tick_ms) = (false, None);
        self.learn_alone(keeper, options)
    }

    /// One keeper learns everything, in peace.
    pub(crate) fn learn_all(&mut self, options: Options) -> Result<(), String> {
        self.learn_alone(0, options)
    }

    fn learn_alone(&mut self, keeper: usize, options: Options) -> Result<(), String> {
        self.start(keeper, Some(options));
        self.actors[keeper].lease = true;
        for _ in 0..TURNS_MAX {
            self.stats.events += 1;
            self.now += 1;
            self.turn(keeper)?;
            self.log.turn_world();
            self.watched()?;
            let actor = &mut self.actors[keeper];
            if actor.halted {
                return Ok(());
            }
            if actor.keeper.is_none() {
                return self.wind_up();
            }
        }
        let keeper = self.actors[keeper].keeper.as_ref();
        let progress = keeper.map(Keeper::progress);
        Err(format!("no end without faults: {progress:?}"))
    }

    /// Bytes rot in the state topic: what was written before has to do.
    fn rot(&mut self) {
        if self.truncated || self.kind == Kind::Lossy || self.random.chance(500) {
            return;
        }
        let mut world = self.log.world();
        let topic = world.find(&format!("{PREFIX}state"));
        if topic.is_some_and(|topic| world.rot(topic)) {
            drop(world);
            self.say(|| "A PAGE of the newest manifest rots".into());
        }
    }

    /// What zombies still have under way lands as well.
    fn wind_up(&mut self) -> Result<(), String> {
        let sessions = self.log.world().sessions.len();
        for session in 0..sessions {
            if self.random.chance(700) {
                self.log.world().land_all(session);
            }
        }
        self.complete = true;
        self.watched()
    }
}

/// Each seed has its own mix of faults of the log.
fn faults(kind: Kind, random: &mut Random) -> Faults {
    let faults = some_faults(kind, random);
    // What joins learns the past, so that must be there.
    Faults { retention: if kind == Kind::Joining { 0 } else { faults.retention }, ..faults }
}

fn some_faults(kind: Kind, random: &mut Random) -> Faults {
    let mut some = |values: &[u32]| *random.pick(values);
    Faults {
        late: true,
        batch_records_max: [2, 5, 40][some(&[0, 1, 2]) as usize],
        stale: some(&[0, 100, 400]),
        unavailable: some(&[0, 0, 2, 10]),
        meanwhile: some(&[0, 50, 300, 800]),
        gaps: some(&[0, 0, 30, 150]),
        compaction: if kind == Kind::Heavy { some(&[50, 200]) } else { some(&[0, 20, 100]) },
        retention: if kind == Kind::Lossy { some(&[20, 60]) } else { some(&[0, 20, 100]) },
        slow: some(&[0, 150, 300]),
    }
}

/// Each seed has its own mix of events.
fn weights(kind: Kind, random: &mut Random) -> [u32; HAPPENINGS] {
    let mut weights = [1200, 900, 60, 8, 12, 8, 6, 6, 20, 6, 4, 6, 3, 4, 4];
    for weight in &mut weights[3..] {
        if random.chance(250) {
            *weight = 0;
        } else if random.chance(200) {
            *weight *= 4;
        }
    }
    if random.chance(500) {
        weights[0] *= 3;
        weights[1] *= 3;
    }
    if kind == Kind::Joining {
        weights[10] = 24;
    }
    if kind != Kind::Truncate {
        weights[11] = 0;
    } else {
        weights[11] = weights[11].max(6);
    }
    weights
}
