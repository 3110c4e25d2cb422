//! In office: takes acknowledgements, reads control, writes the next record of control, learns.

use alluvium_flow::{Chain, Pipeline, order};
use alluvium_learn::Time;

use super::{
    Halt, Keeper, Next, Office, Pending, Signals, Trouble, changes_reading, has_passed, input_ends,
    joins::Change, lane::Head, learn::inputs_digest, unknown,
};
use crate::{
    bugs::{Bug, planted},
    control::{At, Body, Control, Folded, Unread},
    log::{Log, LogError, Outgoing, Ticket},
};

/// How many records a turn learns, unless somebody says otherwise: bounds how long it takes.
pub(super) const LEARN_RECORDS: usize = 16_384;

/// How long a keeper that was asked to finish waits for a log that takes nothing, in milliseconds.
const STOP_MS: Time = 10_000;

/// How often new partitions are looked for, in milliseconds.
const LOOK_MS: Time = 5_000;

/// A record of control that was submitted and is not known to be accepted.
#[derive(Clone, Debug)]
pub(crate) struct InFlight {
    ticket: Ticket,
    bytes: Vec<u8>,
    /// The acknowledged ends of the outputs when it was submitted.
    pub(crate) output_ends: Vec<u64>,
    /// The digests at its ends, lane by lane.
    pub(crate) chains: Vec<Chain>,
}

impl<L: Log> Keeper<L> {
    pub(super) fn live(&mut self, now: Time, signals: Signals) -> Result<Next, Trouble> {
        self.acknowledge()?;
        self.waiting = None;
        let read = self.read_control();
        let mut any = self.unless_unreachable(read)?;
        let office = self.office.as_mut().expect("live means in office");
        office.silence.turn(now, office.replay.pipeline.as_ref());
        let fetched = office.replay.fetch(&mut self.log, self.options.buffer_bytes);
        any |= self.unless_unreachable(fetched.map_err(Trouble::from))?;
        if !signals.stop {
            let written = self.write_control(now);
            any |= self.unless_unreachable(written)?;
        }
        let office = self.office.as_mut().expect("live means in office");
        let share = office.share(self.learn_records);
        any |= self.learn(now, share)?;
        let past = self.learn_past(any);
        let learns_past = self.unless_unreachable(past)?;
        self.must_be_readable()?;
        let snapshot = self.snapshot(now, signals.stop);
        any |= self.unless_unreachable(snapshot)?;
        let office = self.office.as_mut().expect("live means in office");
        if any {
            office.last_activity = now;
            return Ok(Next::Again);
        }
        if learns_past && !signals.stop {
            return Ok(Next::Again);
        }
        let idle = office.replay.pending.is_empty()
            && office.in_flight.is_none()
            && office.replay.past.is_none();
        let finished = signals.stop || (idle && !self.options.follow && office.goal_reached());
        if finished && office.replay.pending.is_empty() && office.outputs.all_acked() {
            if office.snapshots.is_level(office.replay.pipeline.as_ref()) {
                return Ok(Next::Done);
            }
            office.snapshots.want();
            return Ok(Next::Again);
        }
        let waits_since = self.stop_since.map(|since| since.max(office.last_activity));
        if waits_since.is_some_and(|since| has_passed(since, now, STOP_MS)) {
            self.step_down("asked to finish, while the log took nothing".into());
            return Ok(Next::GivenUp);
        }
        Ok(if learns_past { Next::Again } else { Next::Wait })
    }

    /// Where nothing could be read for now, nothing was read: no reason to give an office up, with
    /// all that a recovery costs. What cannot be written ends the session, and that does.
    fn unless_unreachable(&mut self, read: Result<bool, Trouble>) -> Result<bool, Trouble> {
        match read {
            Err(Trouble::Log(error @ LogError::Unavailable(_))) => {
                self.waiting = Some(error.to_string());
                Ok(false)
            }
            read => read,
        }
    }

    /// Halts where records cannot be read. All that was read before them is learned and kept
    /// first.
    fn must_be_readable(&mut self) -> Result<(), Trouble> {
        let office = self.office.as_mut().expect("live means in office");
        let Some((lane, error)) = office.replay.stuck() else { return Ok(()) };
        let (fold, pending) = (&office.replay.fold, &office.replay.pending);
        let position = lane.learned.position;
        if office.replay.reads_from(&lane.name, lane.partition, position) > position {
            return Ok(()); // Somebody has answered.
        }
        let index = fold.index_of(&lane.name, lane.partition);
        // What lies in a cut must be read.
        if index.is_some_and(|index| position < fold.partitions[index].end) {
            return Err(error.clone().into());
        }
        if !fold.requests.is_empty() || pending.iter().any(|one| one.changes) {
            return Ok(()); // What is asked for acts first: it may be that nobody needs this.
        }
        let is_damage = matches!(error, LogError::Damaged { .. });
        if !pending.is_empty() || office.in_flight.is_some() || index.is_none() && is_damage {
            return Ok(());
        }
        // What no cut has named begins where it can.
        if index.is_none() {
            return Err(error.clone().into());
        }
        if !office.snapshots.is_level(office.replay.pipeline.as_ref()) {
            office.snapshots.want();
            return Ok(());
        }
        let LogError::Damaged { next, .. } = error else {
            // Somebody else may be further by now, and need it no more: recovery sees to that.
            return Err(error.clone().into());
        };
        let (input, partition) = (lane.name.clone(), lane.partition);
        let at = At { input, partition, offset: position };
        let (why, unread) = (error.to_string(), Unread { at, to: *next });
        Err(Halt::Unreadable { unread, why }.into())
    }

    /// Takes the acknowledgements that have come.
    fn acknowledge(&mut self) -> Result<(), Trouble> {
        let office = self.office.as_mut().expect("live means in office");
        let mut settled = std::mem::take(&mut office.settled);
        settled.clear();
        let polled = office.appender.poll(&mut settled);
        for one in &settled {
            if one.route == office.control_route {
                office.control_acknowledged(one.ticket, one.offset)?;
            } else {
                office.outputs.settle(one);
                office.snapshots.settle(one);
            }
        }
        office.settled = settled;
        Ok(polled?)
    }

    /// Reads control all the time: a silent topic must still adopt requests, and a later term ends
    /// this one.
    fn read_control(&mut self) -> Result<bool, Trouble> {
        let office = self.office.as_mut().expect("live means in office");
        let mut batch = std::mem::take(&mut office.batch);
        batch.clear();
        let control = office.control.as_mut().expect("opened when recovery ended");
        let polled = control.poll(&mut batch)?;
        let mut any = false;
        for record in batch.iter().filter(|_| polled == crate::log::Polled::Records) {
            if record.offset >= office.replay.fold.next {
                office.fold_record(record.offset, record.value.unwrap_or_default())?;
                any = true;
            }
        }
        office.batch = batch;
        if office.replay.fold.term != office.term {
            return Err(Trouble::StepDown("another writer has opened a later term"));
        }
        Ok(any)
    }

    /// Writes the next record of control, when there is something to say and nothing in flight.
    fn write_control(&mut self, now: Time) -> Result<bool, Trouble> {
        let office = self.office.as_ref().expect("live means in office");
        if office.in_flight.is_some() || office.replay.fold.term != office.term {
            return Ok(false);
        }
        if office.replaying() || office.changing() {
            return Ok(false);
        }
        let body = match self.next_body(now)? {
            None => self.next_tick(now)?,
            body => body,
        };
        let Some(body) = body else { return Ok(false) };
        let office = self.office.as_mut().expect("live means in office");
        office.submit(body, now);
        Ok(true)
    }

    fn next_body(&mut self, now: Time) -> Result<Option<Body>, Trouble> {
        let control = self.topic("control");
        let Keeper { office, log, options, learn_records, origin, .. } = self;
        let office = office.as_mut().expect("live means in office");
        let wanted = &options.settings;
        if office.replay.pipeline.is_none() {
            let settings = || Body::Settings(wanted.clone());
            return Ok(Some(origin.clone().map_or_else(settings, Body::Born)));
        }
        let joins = match office.change(log, &control, wanted, *learn_records)? {
            Change::Asked => return Ok(Some(office.empty_cut())),
            Change::Joins => return Ok(Some(Body::Join(wanted.clone()))),
            Change::Joining => true,
            Change::Nothing => false,
        };
        if office.replay.fold.requests.iter().any(|(_, ask)| changes_reading(ask)) {
            return Ok(Some(office.empty_cut()));
        }
        let pipeline = office.replay.pipeline.as_ref().expect("looked at above");
        // It may run so only once it has joined.
        if !joins && pipeline.settings().runs != wanted.runs {
            return Ok(Some(Body::Settings(wanted.clone())));
        }
        if let Some((refused, of)) = pipeline.refused_beyond(options.refused_share_max) {
            return Err(Halt::Refused { refused, of }.into());
        }
        // What was read is learned and kept first; then it halts. What was asked for meanwhile is
        // adopted, and a partition is named before anybody can pass over its beginning.
        if let Some((lane, error)) = office.replay.stuck() {
            let is_unnamed = office.replay.fold.index_of(&lane.name, lane.partition).is_none();
            if is_unnamed && matches!(error, LogError::Damaged { .. }) && office.goal.is_some() {
                return Ok(Some(office.cut(false)));
            }
            return Ok(office.otherwise());
        }
        let is_short = office.replay.fold.caught_up() && !office.goal_reached();
        if (office.goal.is_none() || is_short)
            && let Some(body) = office.catch_up(log)?
        {
            return Ok(Some(body));
        }
        if office.closes && !joins && office.is_at_its_end() {
            office.closes = false;
            let pipeline = office.replay.pipeline.as_ref();
            if pipeline.is_some_and(Pipeline::has_unpublished) {
                return Ok(Some(office.cut(true)));
            }
        }
        let body = if !office.replay.fold.caught_up() && !planted(Bug::CutByArrival) {
            office.plan_catchup(options.cut_records_max, !options.follow)
        } else if options.follow || !office.replay.fold.caught_up() {
            office.look_for_partitions(log, now)?;
            office.plan_live(now, options.cut_ms)
        } else {
            None
        };
        Ok(body.or_else(|| office.otherwise()))
    }
}

impl Office {
    /// Whether records accepted before this term are still being learned.
    fn replaying(&self) -> bool {
        self.replay.pending.iter().any(|pending| pending.own.is_none())
    }

    /// Whether everything seen at the start is learned.
    pub(super) fn is_at_its_end(&mut self) -> bool {
        self.replay.fold.caught_up() && self.goal_reached() && self.replay.pending.is_empty()
    }

    /// Whether everything seen at the start is in accepted cuts.
    pub(super) fn goal_reached(&mut self) -> bool {
        let Some(goal) = self.goal.as_ref().filter(|_| !self.goal_reached) else {
            return self.goal_reached;
        };
        let is_reached = |at: &At| {
            let index = self.replay.fold.index_of(&at.input, at.partition);
            let lane = self.replay.lane_of(&at.input, at.partition);
            let is_named = lane.is_none_or(|lane| self.replay.lanes[lane].input.is_some());
            !is_named
                || index.is_some_and(|index| self.replay.fold.partitions[index].end >= at.offset)
        };
        self.goal_reached = goal.iter().all(is_reached);
        self.goal_reached
    }

    /// Whether a record that changes the settings is still to be learned.
    fn changing(&self) -> bool {
        self.replay.pending.iter().any(|pending| pending.changes)
    }

    fn empty_cut(&self) -> Body {
        let digest = inputs_digest(&self.replay.lanes);
        Body::Cut { begins: Vec::new(), ends: Vec::new(), digest, publish: false }
    }

    /// Requests must be adopted when there are no records either.
    fn otherwise(&self) -> Option<Body> {
        (!self.replay.fold.requests.is_empty()).then(|| self.empty_cut())
    }

    /// Asks where the inputs end now, and says that up to there the order is that of one merge.
    fn catch_up(&mut self, log: &mut dyn Log) -> Result<Option<Body>, Trouble> {
        let pipeline = self.replay.pipeline.as_ref().expect("settings come first");
        let found = input_ends(log, pipeline)?;
        let (mut begins, mut ends, mut grown) = (Vec::new(), Vec::new(), false);
        for ((input, partition), known) in &found {
            let at = |offset| At { input: input.clone(), partition: *partition, offset };
            let end = match self.replay.fold.index_of(input, *partition) {
                Some(index) => self.replay.fold.partitions[index].end,
                None => {
                    begins.push(at(known.earliest));
                    known.earliest
                }
            };
            grown |= known.stable > end;
            ends.push(at(known.stable.max(end)));
        }
        self.goal.get_or_insert_with(|| ends.clone());
        if !self.replay.fold.caught_up() {
            return Ok(None);
        }
        for at in &begins {
            self.replay.open_lane(at);
        }
        let first = self.replay.fold.partitions.is_empty();
        Ok((first || grown || !begins.is_empty()).then_some(Body::Catchup { begins, ends }))
    }

    /// The next cut on the path of the one merge, about a second of work.
    ///
    /// Where it ends a version is published, if the run ends there too: who follows publishes by
    /// count alone, and its versions do not hang on what happened to be there when it began.
    fn plan_catchup(&mut self, most: usize, ends_there: bool) -> Option<Body> {
        let ends: Vec<(usize, u64)> = self
            .replay
            .fold
            .partitions
            .iter()
            .filter_map(|frontier| {
                let end = self.replay.fold.catchup_end(frontier).max(frontier.end);
                Some((self.replay.lane_of(&frontier.input, frontier.partition)?, end))
            })
            .collect();
        let mut planned = 0;
        while planned < most {
            if ends.iter().any(|(i, end)| self.replay.lanes[*i].head_planned(*end) == Head::NotYet)
            {
                break;
            }
            let heads =
                ends.iter().filter_map(|(i, end)| match self.replay.lanes[*i].head_planned(*end) {
                    Head::Record(key) => Some((*i, key, self.replay.lanes[*i].rank)),
                    _ => None,
                });
            let Some((index, bound)) = order::first_and_second(heads) else { break };
            let end = ends.iter().find(|(i, _)| *i == index).map_or(0, |(_, end)| *end);
            planned += self.replay.lanes[index].plan(end, bound, most - planned);
        }
        // Asked anew: whether a cut ends the catch-up must not depend on how large cuts are.
        let done =
            ends.iter().all(|(i, end)| self.replay.lanes[*i].head_planned(*end) == Head::Nothing);
        if done {
            for (index, end) in &ends {
                self.replay.lanes[*index].finish_plan(*end);
            }
        }
        (planned > 0 || done).then(|| self.cut(done && ends_there))
    }

    /// A cut by arrival: what has been delivered, of every partition. At once, if the last is some
    /// time ago; else what arrives meanwhile goes with it.
    fn plan_live(&mut self, now: Time, cut_ms: Time) -> Option<Body> {
        if self.last_cut.is_some_and(|last| !has_passed(last, now, cut_ms)) {
            return None;
        }
        let mut any = false;
        for lane in &mut self.replay.lanes {
            let end = lane.delivered;
            while lane.plan(end, None, usize::MAX) > 0 {
                any = true;
            }
            if lane.planned.position < end {
                lane.finish_plan(end);
                any = true;
            }
        }
        if any {
            self.last_cut = Some(now);
        }
        any.then(|| self.cut(false))
    }

    /// A partition that was added joins the next cut, from its beginning. A topic that is another
    /// one now has nothing to do with the offsets it was read up to.
    fn look_for_partitions(&mut self, log: &mut dyn Log, now: Time) -> Result<(), Trouble> {
        if !has_passed(self.last_look, now, LOOK_MS) {
            return Ok(());
        }
        self.last_look = now;
        let pipeline = self.replay.pipeline.as_ref().expect("settings come first");
        for topic in pipeline.inputs().iter().map(|input| &*input.topic) {
            let (was, is) = (self.topics.get(topic), log.ends(topic)?.map(|ends| ends.id));
            if was.zip(is).is_some_and(|(was, is)| *was != is) {
                let why = format!("the topic {topic} was deleted and made again");
                return Err(Halt::LogChanged(why).into());
            }
        }
        for ((input, partition), ends) in input_ends(log, pipeline)? {
            self.replay.open_lane(&At { input, partition, offset: ends.earliest });
        }
        Ok(())
    }

    /// The record for a cut at the planned positions.
    fn cut(&self, publish: bool) -> Body {
        let (mut begins, mut ends) = (Vec::new(), Vec::new());
        for lane in &self.replay.lanes {
            let at = |offset| At { input: lane.name.clone(), partition: lane.partition, offset };
            let frontier = self.replay.fold.index_of(&lane.name, lane.partition);
            match frontier.map(|index| &self.replay.fold.partitions[index]) {
                None => {
                    begins.push(at(lane.learned.position));
                    ends.push(at(lane.planned.position));
                }
                Some(frontier) if frontier.end < lane.planned.position => {
                    ends.push(at(lane.planned.position));
                }
                Some(_) => {}
            }
        }
        Body::Cut { begins, ends, digest: inputs_digest(&self.replay.lanes), publish }
    }

    fn submit(&mut self, body: Body, now: Time) {
        // Nothing can be decided before there is a pipeline: what was asked waits for the next
        // record.
        let adopts = if self.replay.pipeline.is_some() { self.replay.fold.next } else { 0 };
        let (term, seq) = (self.term, self.replay.fold.seq + 1);
        let bytes = Control::Said { term, seq, adopts, time: now, body }.encode();
        let record = Outgoing {
            time: now,
            key: None,
            value: Some(&bytes),
            headers: alluvium_flow::Headers::default(),
        };
        let ticket = self.appender.submit(self.control_route, record);
        let chains = self.replay.lanes.iter().map(|lane| lane.chain.clone()).collect();
        let output_ends = self.outputs.acked_ends();
        self.in_flight = Some(InFlight { ticket, bytes, output_ends, chains });
    }

    /// Our record of control lies at an offset. It counts as accepted when nobody wrote in between,
    /// or once control has been read back to there.
    fn control_acknowledged(&mut self, ticket: Ticket, offset: u64) -> Result<(), Trouble> {
        let Some(in_flight) = self.in_flight.as_ref().filter(|f| f.ticket == ticket) else {
            return Ok(());
        };
        if offset < self.replay.fold.next {
            let why = format!(
                "control:{offset} was acknowledged, but control had been read up to {}",
                self.replay.fold.next
            );
            return Err(Halt::LogChanged(why).into());
        }
        if offset == self.replay.fold.next || planted(Bug::LearnOnAcknowledgement) {
            let bytes = in_flight.bytes.clone();
            self.fold_record(offset, &bytes)?;
        }
        Ok(())
    }

    /// Folds one record of control, and queues it if it counts.
    pub(super) fn fold_record(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Trouble> {
        let folded = self.replay.fold.fold(offset, bytes);
        let is_ours = self.in_flight.as_ref().is_some_and(|in_flight| in_flight.bytes == bytes);
        match folded {
            Folded::Nothing => {}
            Folded::Unknown => return Err(unknown(offset).into()),
            Folded::Gap { found, expected } => {
                let why = format!(
                    "control:{offset} has number {found} where {expected} had to follow: \
                     control has lost records"
                );
                return Err(Halt::LogChanged(why).into());
            }
            Folded::Accepted(accepted) => {
                let own = if is_ours { self.in_flight.take().map(Box::new) } else { None };
                self.replay.pending.push_back(Pending::new(*accepted, own));
            }
        }
        Ok(())
    }
}
