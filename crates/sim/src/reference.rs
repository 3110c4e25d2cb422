//! The reference: what a plain loop without terms, manifests or sessions makes of the control topic
//! and the inputs as they are at the end. One record a step, one record a batch.

mod labels;

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use alluvium_flow::{
    Batch, Chain, Decision, Effects, Headers, Input, ModelRecord, OutTopic, Pipeline, Run,
    Sections, Settings,
    decode::{Decoder, Rows},
};
use alluvium_learn::{Over, Time};
use alluvium_ledger::control::{At, Body, Control};

use self::labels::Plain;
use crate::{
    log::{Kept, Landed},
    scene::beside,
};

/// An output as it has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) step: u64,
    pub(crate) ordinal: u32,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Vec<u8>,
    pub(crate) headers: Vec<u8>,
}

/// Where one partition stands.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) position: u64,
    /// The key of the newest record taken that was not refused when it was read, and its time.
    pub(crate) newest: Option<(Time, Time)>,
    pub(crate) chain: Chain,
    next: usize,
}

/// The state at one place of control: all that lies below it has been learned.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) step: u64,
    pub(crate) settings: Arc<Settings>,
    /// Length and digest of each page, by section, in order.
    pub(crate) sections: Sections,
    pub(crate) places: BTreeMap<(Arc<str>, u32), Place>,
}

/// All that the log asks for.
#[derive(Default)]
pub(crate) struct Reference {
    pub(crate) moments: BTreeMap<u64, Moment>,
    pub(crate) outputs: BTreeMap<(OutTopic, u32), Vec<Expected>>,
    pub(crate) models: Vec<ModelRecord>,
    /// How often each request was adopted, by its offset.
    pub(crate) adopted: BTreeMap<u64, u64>,
    pub(crate) terms: u64,
    pub(crate) steps: u64,
    pub(crate) alarms: u64,
    pub(crate) refused: u64,
    /// Of these, how many for their time.
    pub(crate) mistimed: u64,
    pub(crate) ticks: u64,
    /// What became of labels that have an input of their own, and of their examples.
    pub(crate) labels: [u64; 10],
    /// How often records were passed over.
    pub(crate) skipped: u64,
    pub(crate) versions: BTreeMap<(Arc<str>, u64), String>,
    pub(crate) digests: Vec<Option<String>>,
    pub(crate) places: BTreeMap<(Arc<str>, u32), Place>,
    /// What control holds that it must not.
    pub(crate) complaint: Option<String>,
    /// How often something joined.
    pub(crate) joined: u64,
}

/// The settings in force from a place of control on: the number of the request that the record
/// adopts, or the greatest for its own effect.
type InForce = BTreeMap<(u64, usize), Arc<Settings>>;

/// What somebody learns who has been there all along: what joins later, beside all else.
struct Along {
    from: Arc<Settings>,
    to: Arc<Settings>,
    in_force: InForce,
}

/// More than all clocks of a run together go on by, leaps left out, in milliseconds.
const RUN_MS: Time = 3_600_000;

/// The loop.
pub(crate) struct Trainer<'a> {
    inputs: &'a BTreeMap<(String, u32), Vec<Landed>>,
    pipeline: Option<Pipeline>,
    /// One for each input, as the settings in force would have it.
    decoders: Vec<Box<dyn Decoder>>,
    effects: Effects,
    requests: BTreeMap<u64, Decision>,
    catchup: BTreeMap<(Arc<str>, u32), u64>,
    ends: BTreeMap<(Arc<str>, u32), u64>,
    /// What the join has to come to, where labels have an input of their own.
    labels: Plain,
    found: Reference,
    control: &'a [(u64, Rc<Kept>)],
    in_force: InForce,
    along: Option<Along>,
}

impl<'a> Trainer<'a> {
    pub(crate) fn new(
        inputs: &'a BTreeMap<(String, u32), Vec<Landed>>,
        control: &'a [(u64, Rc<Kept>)],
    ) -> Trainer<'a> {
        Trainer {
            inputs,
            control,
            in_force: InForce::new(),
            along: None,
            pipeline: None,
            decoders: Vec::new(),
            effects: Effects::default(),
            requests: BTreeMap::new(),
            catchup: BTreeMap::new(),
            ends: BTreeMap::new(),
            labels: Plain::default(),
            found: Reference::default(),
        }
    }

    /// Reads control from its beginning. `moments` are the places whose state is wanted.
    pub(crate) fn run(mut self, moments: &[u64]) -> Reference {
        self.read(moments);
        self.finish()
    }

    fn read(&mut self, moments: &[u64]) {
        let (mut term, mut seq) = (0, 0);
        let mut wanted = moments.iter().copied().peekable();
        for (offset, record) in self.control {
            while wanted.next_if(|at| at <= offset).is_some_and(|at| self.keep(at)) {}
            match record.value.as_deref().and_then(Control::decode) {
                None | Some(Control::Halted(_)) => {}
                Some(Control::Term { .. }) => {
                    term = offset + 1;
                    self.found.terms += 1;
                }
                Some(Control::Request { ask, .. }) => drop(self.requests.insert(*offset, ask)),
                Some(Control::Said { term: said, seq: number, adopts, time, body }) => {
                    if said == term && number == seq + 1 {
                        seq = number;
                        self.effects.time = time;
                        self.accept(*offset, adopts, &body);
                    } else if said == term && number > seq {
                        let why = format!("control:{offset} has number {number} after {seq}");
                        self.found.complaint.get_or_insert(why);
                    }
                }
            }
        }
        while wanted.next().is_some_and(|at| self.keep(at)) {}
    }

    fn keep(&mut self, at: u64) -> bool {
        if let Some(pipeline) = &self.pipeline {
            let moment = Moment {
                step: pipeline.steps(),
                settings: pipeline.settings().clone(),
                sections: pipeline.save(),
                places: self.found.places.clone(),
            };
            self.found.moments.insert(at, moment);
        }
        true
    }

    fn finish(mut self) -> Reference {
        if let Some(pipeline) = &self.pipeline {
            self.found.steps = pipeline.steps();
            self.found.alarms = pipeline.counters().alarms;
            self.found.refused = pipeline.counters().refused;
            let by = |code: &str| pipeline.counters().refused_by.get(code).copied().unwrap_or(0);
            self.found.mistimed = by("late") + by("ahead");
            self.found.labels = self.labels.ever();
            self.found.digests = ["linear", "tree"].map(|m| pipeline.state_digest(m)).to_vec();
        }
        self.found
    }

    fn accept(&mut self, offset: u64, adopts: u64, body: &Body) {
        self.effects.cut = offset;
        self.effects.backlog =
            self.catchup.iter().any(|(place, end)| self.ends.get(place).is_some_and(|at| at < end));
        let later = self.requests.split_off(&adopts);
        let asked = std::mem::replace(&mut self.requests, later);
        for (number, (request, ask)) in asked.into_iter().enumerate() {
            *self.found.adopted.entry(request).or_default() += 1;
            match self.is_possible(&ask) {
                true if self.along.is_some() && ask.settings().is_some() => {
                    self.follow((offset, number));
                }
                true => self.step(Input::Decided(&ask)),
                false => self.step(Input::Impossible("")),
            }
            if matches!(ask, Decision::Reset { model: None }) {
                self.labels.forget_all();
            }
            self.note((offset, number));
        }
        self.act(offset, body);
        self.note((offset, usize::MAX));
    }

    /// Remembers other settings in force.
    fn note(&mut self, place: (u64, usize)) {
        let Some(pipeline) = &self.pipeline else { return };
        if self.in_force.values().next_back() != Some(pipeline.settings()) {
            self.in_force.insert(place, pipeline.settings().clone());
        }
    }

    /// Goes on as the others did, and with what joins later beside it.
    fn follow(&mut self, place: (u64, usize)) {
        let Some(along) = &self.along else { return };
        let Some(settings) = along.in_force.get(&place) else { return };
        let settings = beside(settings, &along.from, &along.to);
        self.step(Input::Decided(&Decision::Adopt { settings: settings.clone() }));
        if self.pipeline.as_ref().is_some_and(|pipeline| *pipeline.settings() != settings) {
            self.found.complaint = Some(format!("what joins cannot follow at {place:?}"));
        }
    }

    /// What somebody has learned up to a place who was there all along.
    fn learned_along(&self, offset: u64, to: &Arc<Settings>) -> Sections {
        let upto = self.control.partition_point(|(at, _)| *at < offset);
        let mut trainer = Trainer::new(self.inputs, &self.control[..upto]);
        let from = self.pipeline.as_ref().map(|pipeline| pipeline.settings().clone());
        trainer.along = from.map(|from| {
            let (to, in_force) = (to.clone(), self.in_force.clone());
            Along { from, to, in_force }
        });
        trainer.read(&[]);
        trainer.pipeline.map(|pipeline| pipeline.save()).unwrap_or_default()
    }

    fn act(&mut self, offset: u64, body: &Body) {
        match body {
            Body::Settings(settings) => {
                let along = self.along.as_ref();
                let all = along.map(|along| beside(settings, &along.from, &along.to));
                match &self.pipeline {
                    None => match Pipeline::build(all.as_ref().unwrap_or(settings)) {
                        Ok(built) => (self.pipeline, self.decoders) = (Some(built), Vec::new()),
                        Err(why) => self.found.complaint = Some(why.to_string()),
                    },
                    Some(_) if all.is_some() => self.follow((offset, usize::MAX)),
                    Some(_) => self.step(Input::Settings(settings)),
                }
            }
            Body::Born(_) => {
                self.found.complaint = Some("nothing is born of another pipeline here".into());
            }
            Body::Join(_) if self.along.is_some() => self.follow((offset, usize::MAX)),
            Body::Join(settings) => {
                let past = self.learned_along(offset, settings);
                self.step(Input::Join { settings, past: &past });
                self.found.joined += 1;
            }
            Body::Catchup { begins, ends } => {
                self.begin(begins);
                self.catchup = ends.iter().map(|at| (place_of(at), at.offset)).collect();
            }
            Body::Cut { begins, ends, publish, .. } => {
                self.begin(begins);
                for at in ends {
                    let end = self.ends.entry(place_of(at)).or_default();
                    *end = at.offset.max(*end);
                }
                self.learn(ends);
                if *publish {
                    self.step(Input::Publish);
                }
            }
            Body::Tick { time } => {
                self.tick(offset, *time);
                self.step(Input::Tick(*time));
                self.label_join(None, Some(*time));
            }
        }
    }

    /// Nobody says that time has passed but where something waits for it; and whatever the clocks
    /// do, time goes on by no more than a run of ours takes.
    fn tick(&mut self, offset: u64, time: Time) {
        self.found.ticks += 1;
        let Some(pipeline) = &self.pipeline else { return };
        let counters = pipeline.counters();
        let is_by_time = matches!(pipeline.spec().versions.every, Over::Time(_));
        let is_due = counters.due.is_some_and(|due| due <= time) && pipeline.has_unpublished();
        let is_waited_for = self.labels.due().is_some_and(|due| due <= time);
        if !(is_by_time && is_due || is_waited_for) {
            let why = format!("the tick at control:{offset} has nothing to do");
            self.found.complaint.get_or_insert(why);
        }
        let moved = counters.time.map(|known| time - known);
        if !moved.is_some_and(|moved| (0..RUN_MS).contains(&moved)) {
            let why = format!("the tick at control:{offset} moves time by {moved:?}");
            self.found.complaint.get_or_insert(why);
        }
    }

    /// Only what no cut holds can be passed over; it is, then.
    fn is_possible(&mut self, ask: &Decision) -> bool {
        let Decision::Skip(gap) = ask else { return true };
        let place = (gap.input.clone(), gap.partition);
        let (Some(end), Some(stands)) =
            (self.ends.get_mut(&place), self.found.places.get_mut(&place))
        else {
            return false;
        };
        let fits = *end == gap.from && gap.from < gap.to;
        if fits {
            (*end, stands.position) = (gap.to, gap.to);
            self.found.skipped += 1;
        }
        fits
    }

    fn begin(&mut self, begins: &[At]) {
        for at in begins {
            let place =
                Place { position: at.offset, newest: None, chain: Chain::default(), next: 0 };
            self.found.places.entry(place_of(at)).or_insert(place);
            self.ends.entry(place_of(at)).or_insert(at.offset);
        }
    }

    /// Takes the least head of all partitions, again and again, until all ends are reached.
    fn learn(&mut self, ends: &[At]) {
        loop {
            let mut least: Option<(Time, &At, &Landed)> = None;
            for at in ends {
                let Some(place) = self.found.places.get_mut(&place_of(at)) else { continue };
                let records = &self.inputs[&(at.input.to_string(), at.partition)];
                let behind = |landed: &&Landed| landed.offset < place.position;
                place.next += records[place.next..].iter().take_while(behind).count();
                let Some(landed) = records.get(place.next).filter(|l| l.offset < at.offset) else {
                    continue;
                };
                let newest = place.newest;
                let key = key_of(newest, self.time_of(at, landed));
                let rank = |at: &'_ At| (self.is_label(&at.input), at.input.clone(), at.partition);
                let is_less =
                    least.is_none_or(|(least, other, _)| (key, rank(at)) < (least, rank(other)));
                if is_less {
                    least = Some((key, at, landed));
                }
            }
            let Some((key, at, landed)) = least else { break };
            let time = self.time_of(at, landed);
            if let Some(place) = self.found.places.get_mut(&place_of(at)) {
                place.newest = time.map(|time| (key, time)).or(place.newest);
                place.position = landed.offset + 1;
            }
            self.learn_record(at, landed);
        }
        for at in ends {
            if let Some(place) = self.found.places.get_mut(&place_of(at)) {
                place.position = place.position.max(at.offset);
            }
        }
    }

    /// One record, read as the settings in force have it, and which input it is of.
    fn decode(&mut self, at: &At, landed: &Landed) -> Option<(usize, Batch, Rows)> {
        let inputs = self.pipeline.as_ref()?.inputs();
        let input = inputs.iter().position(|input| input.name == at.input)?;
        if self.decoders.is_empty() {
            self.decoders = inputs.iter().map(|input| input.decoder()).collect();
        }
        let (mut batch, mut rows) = (Batch::new(), Rows::default());
        let record = &landed.record;
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        batch.push(landed.offset, record.time, key, value, record.headers());
        self.decoders[input].decode(at.partition, &batch, &mut rows);
        Some((input, batch, rows))
    }

    /// The time of a record, read by hand: its last column where the settings in force name a time,
    /// else the log's. `None` if it was refused.
    fn time_of(&mut self, at: &At, landed: &Landed) -> Option<Time> {
        let (_, _, rows) = self.decode(at, landed)?;
        if rows.refusals[0].is_some() {
            return None;
        }
        let settings = self.pipeline.as_ref()?.settings();
        if settings.learned["input"][&*at.input].get("time").is_none() {
            return Some(landed.record.time);
        }
        let value = std::str::from_utf8(landed.record.value.as_deref()?).ok()?;
        value.rsplit(',').next()?.parse().ok()
    }

    fn learn_record(&mut self, at: &At, landed: &Landed) {
        let Some((input, batch, rows)) = self.decode(at, landed) else { return };
        if let Some(place) = self.found.places.get_mut(&place_of(at)) {
            place.chain.add(&batch.get(0));
        }
        let time = self.time_of(at, landed);
        let came = time.and_then(|time| self.came(at, landed, time));
        time.into_iter().for_each(|time| self.labels.passed(at, time));
        let (batch, rows, partition) = (&batch, &rows, at.partition);
        self.step(Input::Records(Run { input, partition, batch, rows, range: 0..1 }));
        self.label_join(came.as_ref(), time.filter(|_| came.is_some()));
    }

    fn step(&mut self, input: Input<'_>) {
        let Some(pipeline) = &mut self.pipeline else {
            self.found.complaint.get_or_insert("a step before there are settings".into());
            return;
        };
        self.effects.clear();
        if matches!(input, Input::Decided(_) | Input::Settings(_) | Input::Join { .. }) {
            self.decoders.clear();
        }
        pipeline.step(input, &mut self.effects);
        let effects = &self.effects;
        for output in &effects.outputs {
            let expected = Expected {
                step: output.order.step,
                ordinal: output.order.ordinal,
                key: output.key.map(|key| effects.part(key).to_vec()),
                value: effects.part(output.value).to_vec(),
                headers: Headers::bytes(&effects.headers(output)).to_vec(),
            };
            let place = (output.topic, output.partition);
            self.found.outputs.entry(place).or_default().push(expected);
        }
        for news in &effects.news {
            if let alluvium_flow::News::Version { model, version, state_digest, .. } = news {
                self.found.versions.insert((model.clone(), *version), state_digest.clone());
            }
        }
        self.found.models.extend_from_slice(&effects.models);
    }
}

fn place_of(at: &At) -> (Arc<str>, u32) {
    (at.input.clone(), at.partition)
}

/// The greatest, so far, of the lesser of two neighbouring times; a record without one goes along
/// with what came before it.
fn key_of(newest: Option<(Time, Time)>, time: Option<Time>) -> Time {
    match time {
        Some(time) => newest.map_or(time, |(key, before)| key.max(before.min(time))),
        None => newest.map_or(Time::MIN, |(key, _)| key),
    }
}
