//! What a run is held to when it is over.

use std::{collections::BTreeMap, rc::Rc};

use alluvium_flow::{ModelRecord, OutTopic};
use alluvium_learn::Reader;
use alluvium_ledger::{
    control::Control,
    manifest::{Manifest, StateKey, pages},
};

use crate::{
    log::{Kept, Landed, World},
    reference::{Expected, Moment, Reference, Trainer},
    scene::{PREFIX, Scene},
};

/// What was counted on the way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) doubles: u64,
    pub(crate) outputs: u64,
    pub(crate) manifests: u64,
    pub(crate) versions: u64,
}

/// What is asked of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Demands {
    /// Everything is learned and released.
    pub(crate) complete: bool,
    /// Control has lost its tail: only what is there at the end is compared.
    pub(crate) truncated: bool,
}

/// The reference of a world as it is.
pub(crate) fn reference(world: &World, scene: &Scene) -> Reference {
    let mut inputs = BTreeMap::new();
    for input in &scene.inputs {
        for number in 0..input.partitions.len() {
            let landed = world.partition(input.name, number).map(|p| p.history.clone());
            inputs.insert((input.name.to_string(), number as u32), landed.unwrap_or_default());
        }
    }
    let control = world.partition(&format!("{PREFIX}control"), 0);
    let control: Vec<(u64, Rc<Kept>)> = control
        .iter()
        .flat_map(|p| p.history.iter().map(|landed| (landed.offset, landed.record.clone())))
        .collect();
    let ever = world.watch.as_ref().map_or(&[][..], |watch| &watch.ever);
    let mut moments: Vec<u64> = ever.iter().map(|manifest| manifest.control.next).collect();
    moments.sort_unstable();
    moments.dedup();
    Trainer::new(&inputs, &control).run(&moments)
}

/// Holds a world to its reference.
pub(crate) fn check(
    world: &World,
    reference: &Reference,
    demands: Demands,
) -> Result<Counted, String> {
    let mut counted = Counted::default();
    if let Some(complaint) = &reference.complaint
        && !demands.truncated
    {
        return Err(complaint.clone());
    }
    check_outputs(world, reference, demands, &mut counted)?;
    if demands.truncated {
        return Ok(counted);
    }
    let state = state_pages(world);
    for manifest in world.watch.iter().flat_map(|watch| &watch.ever) {
        check_manifest(manifest, reference, &state)
            .map_err(|why| format!("the manifest {}: {why}", manifest.key().encode()))?;
        counted.manifests += 1;
    }
    check_models(world, reference, demands)?;
    counted.versions = reference.versions.len() as u64;
    if demands.complete {
        check_complete(world, reference)?;
    }
    Ok(counted)
}

fn check_outputs(
    world: &World,
    reference: &Reference,
    demands: Demands,
    counted: &mut Counted,
) -> Result<(), String> {
    for topic in [OutTopic::Predictions, OutTopic::Alarms, OutTopic::DeadLetters] {
        let name = format!("{PREFIX}{}", topic.name());
        let Some(index) = world.find(&name) else { continue };
        let count = world.topics[index].partitions.len();
        for number in 0..count {
            let expected = merged(reference, topic, number, count);
            let place = format!("{name}:{number}");
            let landed = &world.topics[index].partitions[number].history;
            let found = Landing { world, topic: index, partition: number, place: &place };
            found.check(landed, &expected, demands, counted)?;
        }
    }
    Ok(())
}

/// What belongs into one output partition: that of every input partition that leads there.
fn merged(reference: &Reference, topic: OutTopic, number: usize, count: usize) -> Vec<&Expected> {
    let leads_here =
        |place: &&(OutTopic, u32)| place.0 == topic && place.1 as usize % count == number;
    let places = reference.outputs.keys().filter(leads_here);
    let mut expected: Vec<&Expected> = places.flat_map(|place| &reference.outputs[place]).collect();
    expected.sort_by_key(|expected| (expected.step, expected.ordinal));
    expected
}

/// One output partition.
struct Landing<'a> {
    world: &'a World,
    topic: usize,
    partition: usize,
    place: &'a str,
}

impl Landing<'_> {
    /// Each output as it has to be, none before the one before it, and twice only where a zombie's
    /// append came after its successor had read the topic's end.
    fn check(
        &self,
        landed: &[Landed],
        expected: &[&Expected],
        demands: Demands,
        counted: &mut Counted,
    ) -> Result<(), String> {
        let place = self.place;
        let mut covered = 0;
        let mut copies: BTreeMap<(u64, u32), Vec<(u64, usize)>> = BTreeMap::new();
        for one in landed {
            let (step, ordinal) = order_of(&one.record)
                .ok_or_else(|| format!("{place}:{} has no place in the order", one.offset))?;
            let index = expected.binary_search_by_key(&(step, ordinal), |e| (e.step, e.ordinal));
            let Ok(index) = index else {
                return Err(format!("{place}: {step}.{ordinal} is no output of an accepted cut"));
            };
            self.same(&one.record, expected[index])?;
            if demands.truncated {
                continue;
            }
            if index > covered {
                let lost = expected[covered];
                return Err(format!(
                    "{place}: {}.{} was lost: {step}.{ordinal} came first",
                    lost.step, lost.ordinal
                ));
            }
            covered = covered.max(index + 1);
            let session = one.session.ok_or("an outsider wrote an output")?;
            let before = copies.entry((step, ordinal)).or_default();
            if !before.is_empty() {
                self.justify(session, before, (step, ordinal))?;
                counted.doubles += 1;
            }
            before.push((one.offset, session));
            counted.outputs += 1;
        }
        if demands.complete && !demands.truncated && covered < expected.len() {
            let (lost, count) = (expected[covered], expected.len());
            return Err(format!(
                "{place}: {covered} of {count} outputs came; {}.{} is missing",
                lost.step, lost.ordinal
            ));
        }
        Ok(())
    }

    fn same(&self, record: &Kept, expected: &Expected) -> Result<(), String> {
        let Expected { step, ordinal, key, value, headers } = expected;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if record.key.as_deref() != key.as_deref() || *record.headers != **headers {
            return Err(format!(
                "{}: {step}.{ordinal} has another key or other headers: {:?} where {:?} had to be",
                self.place,
                text(&record.headers),
                text(headers)
            ));
        }
        if record.value.as_deref() != Some(value) {
            return Err(format!(
                "{}: {step}.{ordinal} is {} where {} had to be",
                self.place,
                record.value.as_deref().map(text).unwrap_or_default(),
                text(value)
            ));
        }
        Ok(())
    }

    /// A session may write what is there already only if it landed after the session could know.
    fn justify(
        &self,
        session: usize,
        before: &[(u64, usize)],
        (step, ordinal): (u64, u32),
    ) -> Result<(), String> {
        let first_ack = &self.world.sessions[session].first_ack;
        let end = first_ack.as_ref().and_then(|ends| ends.get(self.topic)?.get(self.partition));
        let end = end.copied().unwrap_or(0);
        match before.iter().find(|(offset, by)| *offset < end || *by == session) {
            None => Ok(()),
            Some((offset, _)) => Err(format!(
                "{}: {step}.{ordinal} was at {offset} already, and its writer could know (it \
                 read up to {end})",
                self.place
            )),
        }
    }
}

/// Step and ordinal of an output.
fn order_of(record: &Kept) -> Option<(u64, u32)> {
    let order = std::str::from_utf8(record.headers().get("order")?).ok()?;
    let mut parts = order.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Every page that ever landed.
fn state_pages(world: &World) -> BTreeMap<StateKey, &[u8]> {
    let history = world.partition(&format!("{PREFIX}state"), 0).map(|p| &p.history[..]);
    let page = |landed: &'_ Landed| {
        let key = landed.record.key.as_deref().and_then(StateKey::decode);
        key.filter(|key| key.page > 0)
    };
    let mut found = BTreeMap::new();
    for landed in history.unwrap_or_default() {
        if let (Some(key), Some(bytes)) = (page(landed), landed.record.value.as_deref()) {
            found.insert(key, bytes);
        }
    }
    found
}

fn check_manifest(
    manifest: &Manifest,
    reference: &Reference,
    state: &BTreeMap<StateKey, &[u8]>,
) -> Result<(), String> {
    let at = manifest.control.next;
    let moment = reference.moments.get(&at).ok_or("there is no state at its place")?;
    if manifest.step != moment.step {
        return Err(format!("step {} where {} had to be", manifest.step, moment.step));
    }
    if manifest.settings.as_ref() != Some(&moment.settings) {
        return Err("other settings are in force".into());
    }
    let mut named = moment.places.iter();
    let positions_agree = manifest.positions.len() == moment.places.len()
        && manifest.positions.iter().all(|at| {
            named.next().is_some_and(|((input, partition), place)| {
                (&at.input, at.partition, at.offset) == (input, *partition, place.position)
            })
        });
    if !positions_agree {
        let places: Vec<_> =
            moment.places.iter().map(|(name, place)| (name, place.position)).collect();
        return Err(format!("positions {:?} where {places:?} had to be", manifest.positions));
    }
    let mut expected = pages(&moment.sections);
    for page in &manifest.pages {
        let Some(landed) = state.get(&page.key) else {
            return Err(format!("its page {} never landed", page.key.encode()));
        };
        if *blake3::hash(landed).to_hex() != *page.digest {
            return Err(format!("its page {} has other bytes", page.key.encode()));
        }
        if page.section == "order" {
            check_order(landed, moment)?;
            continue;
        }
        let Some((section, bytes)) = expected.next() else {
            return Err(format!("a page of {} too many", page.section));
        };
        if section != page.section {
            return Err(format!("a page of {} where {section} had to be", page.section));
        }
        if *blake3::hash(bytes).to_hex() != *page.digest || bytes.len() != page.bytes as usize {
            return Err(format!("at step {} {section} is not the reference's", manifest.step));
        }
    }
    match expected.next() {
        Some((section, _)) => Err(format!("a page of {section} is missing")),
        None => Ok(()),
    }
}

/// The section that says where each partition stands, compared with the reference.
fn check_order(bytes: &[u8], moment: &Moment) -> Result<(), String> {
    let damaged = |_| "the order section is damaged".to_string();
    let mut from = Reader::new(bytes);
    from.format("the order", 1).map_err(damaged)?;
    let count = from.len(1).map_err(damaged)?;
    if count != moment.places.len() {
        return Err(format!("{count} partitions where {} had to be", moment.places.len()));
    }
    for _ in 0..count {
        let input = from.str().map_err(damaged)?.to_string();
        let (partition, offset) = (from.u32().map_err(damaged)?, from.u64().map_err(damaged)?);
        let newest = from.bool().map_err(damaged)?;
        let newest = if newest {
            Some((from.i64().map_err(damaged)?, from.i64().map_err(damaged)?))
        } else {
            None
        };
        let chain = alluvium_flow::Chain::read(&mut from).map_err(damaged)?;
        let place = moment.places.get(&(input.as_str().into(), partition));
        let place = place.ok_or_else(|| format!("{input}:{partition} is not named yet"))?;
        if (offset, newest) != (place.position, place.newest) {
            return Err(format!("{input}:{partition} stands at {offset}, {newest:?}"));
        }
        if chain != place.chain {
            return Err(format!("{input}:{partition} has another chain"));
        }
    }
    Ok(())
}

/// The name of an alias and the term of whoever wrote it, from the key.
fn alias_of(key: &str) -> Option<(&str, &str)> {
    key.strip_prefix("alias/")?.split_once('/')
}

/// What came to `p.models`: aliases are keyed by the term of their writer, all else is the
/// reference's, key by key.
fn check_models(world: &World, reference: &Reference, demands: Demands) -> Result<(), String> {
    let Some(partition) = world.partition(&format!("{PREFIX}models"), 0) else { return Ok(()) };
    let bare = |key: &'_ str| alias_of(key).map_or(key.to_string(), |(name, _)| name.to_string());
    let mut expected: BTreeMap<(String, Option<&[u8]>), u64> = BTreeMap::new();
    for ModelRecord { key, value } in &reference.models {
        expected.entry((bare(key), value.as_deref())).or_default();
    }
    let terms = terms(world);
    let mut aliases: BTreeMap<&str, (u64, &Kept)> = BTreeMap::new();
    for landed in &partition.history {
        let key = landed.record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok());
        let key = key.ok_or("a record of p.models has no key")?;
        let Some(count) = expected.get_mut(&(bare(key), landed.record.value.as_deref())) else {
            return Err(format!("p.models:{} ({key}) is not the reference's", landed.offset));
        };
        *count += 1;
        if let Some((_, term)) = alias_of(key) {
            let said = u64::from_str_radix(term, 16).ok();
            if said.is_none()
                || said != landed.session.and_then(|session| terms.get(&session).copied())
            {
                return Err(format!("{key} was not written in that term"));
            }
            aliases.insert(key, (step_of(&landed.record), &landed.record));
        }
    }
    if !demands.complete {
        return Ok(());
    }
    if let Some(((key, _), _)) = expected.iter().find(|(_, count)| **count == 0) {
        return Err(format!("{key} never came to p.models"));
    }
    // What a reader takes: of all writers' newest aliases that with the greatest step.
    let newest = reference.models.iter().rev().find(|record| alias_of(&record.key).is_some());
    let found = aliases.iter().max_by_key(|(key, (step, _))| (*step, **key));
    match (newest, found) {
        (Some(newest), Some((_, (_, found))))
            if newest.value.as_deref() != found.value.as_deref() =>
        {
            Err("readers see an old champion".into())
        }
        _ => Ok(()),
    }
}

fn step_of(alias: &Kept) -> u64 {
    let value: Option<serde_json::Value> =
        alias.value.as_deref().and_then(|value| serde_json::from_slice(value).ok());
    value.and_then(|value| value["step"].as_u64()).unwrap_or(0)
}

/// The term of each session that has one.
fn terms(world: &World) -> BTreeMap<usize, u64> {
    let control = world.partition(&format!("{PREFIX}control"), 0);
    let mut terms = BTreeMap::new();
    for landed in control.iter().flat_map(|p| &p.history) {
        let value = landed.record.value.as_deref().and_then(Control::decode);
        if let (Some(Control::Term { .. }), Some(session)) = (value, landed.session) {
            terms.insert(session, landed.offset + 1);
        }
    }
    terms
}

fn check_complete(world: &World, reference: &Reference) -> Result<(), String> {
    for ((input, partition), place) in &reference.places {
        let end = world.partition(input, *partition as usize).map_or(0, |p| p.next);
        if place.position != end {
            return Err(format!(
                "{input}:{partition} is learned up to {} of {end}",
                place.position
            ));
        }
    }
    let newest = world.watch.as_ref().and_then(|watch| watch.verified().first().map(|m| m.step));
    if newest.unwrap_or(0) != reference.steps {
        return Err(format!("the newest manifest is of {newest:?}, not of {}", reference.steps));
    }
    Ok(())
}
