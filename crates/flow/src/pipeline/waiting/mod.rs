//! Examples that wait for their labels, labels that came before their examples, and the ids of what
//! is settled: all bounded, and forgotten in one order on every machine.
//!
//! An example waits from when it came, by the greatest event time so far; that never falls, so what
//! came first is done first, and no record from the past is done before its label can come.

mod counts;
mod rows;
mod shelf;
mod table;

use alluvium_learn::{Reader, StateError, Time, Writer};

pub use self::counts::LabelCounts;
pub(super) use self::rows::{Head, Parked};
use self::{
    rows::{read_head, read_parked, read_settled, write_head},
    shelf::Shelf,
    table::Table,
};
use super::Sections;
use crate::spec::{Label, Late};

/// The section that says what waits; its pages are sections below it.
pub(super) const SECTION: &str = "waiting";

/// What is known of an id.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Known {
    /// Nothing.
    Nothing,
    /// Its example waits, as this row.
    Waits(u64),
    /// Its label has come, and waits for the example.
    Parked { number: u64, label: f64 },
    /// It is settled: with a label, or without; the row may be kept on.
    Settled { label: Option<f64>, row: u64 },
}

/// All that waits.
pub(super) struct Waiting {
    wait: u64,
    /// For how long a row is kept after it has waited in vain.
    kept_on: u64,
    /// Rows may be here that were kept on under settings of before; no part of the state.
    has_other_rows: bool,
    pub(super) late: Late,
    bytes_max: usize,
    /// The number of the next row, on any shelf.
    next: u64,
    /// Rows below have waited in vain.
    closed: u64,
    /// A [`Head`] each, and the baselines' answers.
    heads: Shelf,
    /// For each model that learns by the label, its answer and what it saw.
    models: Vec<ModelShelf>,
    parked: Shelf,
    settled: Shelf,
    table: Table,
    pub(super) counts: LabelCounts,
    /// Before that time nothing is due: what is at the front of each shelf is only looked at from
    /// then on. No part of the state.
    quiet_until: Time,
    scratch: Writer,
}

/// The rows of one model. How many it had to let go is its own affair: another model would count
/// others.
struct ModelShelf {
    name: String,
    rows: Shelf,
    pushed_out: u64,
}

impl ModelShelf {
    fn new(name: String) -> ModelShelf {
        ModelShelf { name, rows: Shelf::default(), pushed_out: 0 }
    }
}

/// Which shelf a number in the table belongs to: its two lowest bits.
const WAITS: u64 = 0;
const PARKED: u64 = 1;
const SETTLED: u64 = 2;

fn tagged(number: u64, tag: u64) -> u64 {
    number << 2 | tag
}

impl Waiting {
    /// What waits as a label's settings say, for models of these names. `None`: the label lies in
    /// the record.
    pub(super) fn new(label: &Label, models: impl Iterator<Item = String>) -> Option<Waiting> {
        label.input.as_ref()?;
        let kept_on = match &label.late {
            Late::Correct(correct) => correct.within.0,
            Late::Drop | Late::DeadLetter => 0,
        };
        Some(Waiting {
            wait: label.wait.map_or(1, |wait| wait.0),
            kept_on,
            has_other_rows: false,
            late: label.late.clone(),
            bytes_max: usize::try_from(label.pending_max.0).unwrap_or(usize::MAX),
            next: 0,
            closed: 0,
            heads: Shelf::default(),
            models: models.map(ModelShelf::new).collect(),
            parked: Shelf::default(),
            settled: Shelf::default(),
            table: Table::default(),
            counts: LabelCounts::default(),
            quiet_until: Time::MIN,
            scratch: Writer::new(),
        })
    }

    /// How many examples wait.
    pub(super) fn examples(&self) -> u64 {
        // Those that are kept on have waited; with none kept on there are none.
        match self.has_kept_on() {
            false => self.heads.rows(),
            true => self.heads.iter_from(self.closed).count() as u64,
        }
    }

    /// Whether there may be rows that have waited in vain.
    fn has_kept_on(&self) -> bool {
        self.kept_on > 0 || self.has_other_rows
    }

    /// What the rows of one model take, of that which takes most; or the heads.
    pub(super) fn largest_bytes(&self) -> usize {
        let models = self.models.iter().map(|model| model.rows.bytes());
        models.chain([self.heads.bytes()]).max().unwrap_or(0)
    }

    /// When the oldest example that waits came.
    pub(super) fn oldest(&self) -> Option<Time> {
        let (head, _) = self.heads.first_from(self.closed).and_then(|(_, row)| read_head(row))?;
        Some(head.due.saturating_sub_unsigned(self.wait))
    }

    /// Examples that a model had to let go before their label came.
    pub(super) fn pushed_out(&self) -> impl Iterator<Item = (&str, u64)> {
        self.models.iter().map(|model| (model.name.as_str(), model.pushed_out))
    }

    /// How many labels wait for their example.
    pub(super) fn labels(&self) -> u64 {
        self.parked.rows()
    }

    /// The memory of it all.
    pub(super) fn footprint_bytes(&self) -> usize {
        let models: usize = self.models.iter().map(|model| model.rows.footprint_bytes()).sum();
        let shelves = [&self.heads, &self.parked, &self.settled].map(Shelf::footprint_bytes);
        models + shelves.iter().sum::<usize>() + self.table.footprint_bytes()
    }

    /// What is known of an id at that time.
    pub(super) fn known(&self, id: u64, now: Time) -> Known {
        let Some(place) = self.table.get(id) else { return Known::Nothing };
        let number = place >> 2;
        match place & 3 {
            WAITS => Known::Waits(number),
            PARKED => self
                .parked
                .get(number)
                .and_then(read_parked)
                .map_or(Known::Nothing, |parked| Known::Parked { number, label: parked.label }),
            _ => match self.settled.get(number).and_then(read_settled) {
                Some(settled) if settled.until > now => {
                    Known::Settled { label: settled.label, row: settled.row }
                }
                _ => Known::Nothing,
            },
        }
    }

    /// Lets an example wait: what `head` writes beside it is the baselines' answers, and what
    /// `model` writes is what the model of that place on the shelves answered and saw.
    pub(super) fn keep(
        &mut self,
        head: Head,
        beside: impl FnOnce(&mut Writer),
        mut model: impl FnMut(usize, &mut Writer),
    ) -> u64 {
        let number = self.next;
        self.next += 1;
        let to = &mut self.scratch;
        to.clear();
        write_head(&head, to);
        beside(to);
        self.heads.push(number, to.bytes());
        for (index, shelf) in self.models.iter_mut().enumerate() {
            to.clear();
            model(index, to);
            shelf.rows.push(number, to.bytes());
        }
        self.table.set(head.id, tagged(number, WAITS));
        self.quiet_until = self.quiet_until.min(head.due);
        self.make_room();
        number
    }

    /// When an example that comes now has waited in vain.
    pub(super) fn due(&self, now: Time) -> Time {
        now.saturating_add_unsigned(self.wait)
    }

    /// When the next has waited in vain, or is forgotten.
    pub(super) fn next_due(&self) -> Option<Time> {
        let example = self.heads.first_from(self.closed).and_then(|(_, row)| read_head(row));
        let parked = self.parked.first_from(0).and_then(|(_, row)| read_parked(row));
        let dues = [example.map(|(head, _)| head.due), parked.map(|parked| parked.due)];
        dues.into_iter().flatten().min()
    }

    /// An example, with what lies beside its head.
    pub(super) fn head(&self, number: u64) -> Option<(Head, &[u8])> {
        self.heads.get(number).and_then(read_head)
    }

    /// What a model answered and saw; `None`: it had to go.
    pub(super) fn of_model(&self, model: usize, number: u64) -> Option<&[u8]> {
        self.models[model].rows.get(number)
    }

    /// The next example that has waited in vain by that time.
    pub(super) fn next_in_vain(&mut self, now: Time) -> Option<(u64, u64)> {
        let (number, row) = self.heads.first_from(self.closed)?;
        let (head, _) = read_head(row)?;
        if head.due > now {
            return None;
        }
        self.closed = number + 1;
        Some((number, head.id))
    }

    /// The next label whose example has not come by that time; it is taken out.
    pub(super) fn next_unmatched(&mut self, now: Time) -> Option<Parked> {
        let (number, row) = self.parked.first_from(0)?;
        let parked = read_parked(row)?;
        if parked.due > now {
            return None;
        }
        self.parked.remove(number);
        self.table.remove(parked.id, tagged(number, PARKED));
        Some(parked)
    }

    /// Lets a label wait for its example.
    pub(super) fn park(&mut self, id: u64, label: f64, now: Time, partition: u32, offset: u64) {
        let number = self.next;
        self.next += 1;
        let to = &mut self.scratch;
        to.clear();
        to.u64(id);
        to.f64(label);
        let due = now.saturating_add_unsigned(self.wait);
        to.i64(due);
        to.u32(partition);
        to.u64(offset);
        self.quiet_until = self.quiet_until.min(due);
        self.parked.push(number, to.bytes());
        self.table.set(id, tagged(number, PARKED));
        while self.parked.bytes() > self.bytes_max {
            let Some((number, row)) = self.parked.first_from(0) else { break };
            let id = read_parked(row).map(|parked| parked.id);
            self.parked.remove(number);
            id.into_iter().for_each(|id| self.table.remove(id, tagged(number, PARKED)));
            self.counts.pushed_out += 1;
        }
    }

    /// The label that waited is taken.
    pub(super) fn unpark(&mut self, number: u64) {
        self.parked.remove(number);
    }

    /// An id is settled, with a label or without; for as long as an example waits it is known so.
    /// The row goes, unless it is kept on.
    pub(super) fn settle(&mut self, id: u64, label: Option<f64>, row: u64, now: Time) {
        let is_kept_on = label.is_none() && self.kept_on > 0;
        if !is_kept_on {
            self.take_out(row);
        }
        let number = self.next;
        self.next += 1;
        let to = &mut self.scratch;
        to.clear();
        to.u64(id);
        let until = now.saturating_add_unsigned(self.wait.max(self.kept_on));
        to.i64(until);
        to.u64(row);
        self.quiet_until = self.quiet_until.min(until);
        to.option_f64(label);
        self.settled.push(number, to.bytes());
        self.table.set(id, tagged(number, SETTLED));
    }

    /// Forgets what is settled for long enough, and rows that were kept on.
    pub(super) fn forget(&mut self, now: Time) {
        while let Some((number, row)) = self.settled.first_from(0) {
            let Some(settled) = read_settled(row) else { break };
            if settled.until > now && self.settled.bytes() <= self.bytes_max {
                break;
            }
            self.settled.remove(number);
            self.table.remove(settled.id, tagged(number, SETTLED));
        }
        while self.has_kept_on()
            && let Some((number, row)) = self.heads.first_from(0)
            && number < self.closed
            && let Some((head, _)) = read_head(row)
            && head.due.saturating_add_unsigned(self.kept_on) <= now
        {
            self.take_out(number);
        }
        self.has_other_rows = false;
        self.quiet_until = self.next_event();
    }

    /// Whether nothing is done with by that time, and nothing has to go for want of room.
    pub(super) fn is_quiet(&self, now: Time) -> bool {
        now < self.quiet_until && self.settled.bytes() <= self.bytes_max
    }

    /// When what is at the front of a shelf is done with, or forgotten.
    fn next_event(&self) -> Time {
        let settled = self.settled.first_from(0).and_then(|(_, row)| read_settled(row));
        let kept_on = self.heads.first_from(0).filter(|(number, _)| *number < self.closed);
        let kept_on = kept_on.and_then(|(_, row)| read_head(row)).map(|(head, _)| head.due);
        let kept_on = kept_on.map(|due| due.saturating_add_unsigned(self.kept_on));
        let events = [self.next_due(), settled.map(|settled| settled.until), kept_on];
        events.into_iter().flatten().min().unwrap_or(Time::MAX)
    }

    fn take_out(&mut self, row: u64) {
        self.heads.remove(row);
        for model in &mut self.models {
            model.rows.remove(row);
        }
    }

    /// Beyond the bound the oldest goes. Each model's shelf for itself, so that no model changes
    /// what another one learns.
    fn make_room(&mut self) {
        while self.heads.bytes() > self.bytes_max {
            let Some((number, row)) = self.heads.first_from(0) else { break };
            let id = read_head(row).map(|(head, _)| head.id);
            self.take_out(number);
            id.into_iter().for_each(|id| self.table.remove(id, tagged(number, WAITS)));
            self.counts.pushed_out += u64::from(number >= self.closed);
        }
        for model in &mut self.models {
            while model.rows.bytes() > self.bytes_max {
                let Some((number, _)) = model.rows.first_from(0) else { break };
                model.rows.remove(number);
                model.pushed_out += 1;
            }
        }
    }

    /// Writes all of it.
    pub(super) fn save(&self, sections: &mut Sections) {
        let mut to = Writer::new();
        to.u16(1);
        to.u64(self.next);
        to.u64(self.closed);
        let mut counts = self.counts;
        counts.all().into_iter().for_each(|count| to.u64(*count));
        for (name, shelf) in
            [("heads", &self.heads), ("parked", &self.parked), ("settled", &self.settled)]
        {
            shelf.save(&format!("{SECTION}/{name}"), &mut to, sections);
        }
        sections.insert(SECTION.into(), to.into_bytes());
        for model in &self.models {
            let (mut to, name) = (Writer::new(), of_model(&model.name));
            to.u64(model.pushed_out);
            model.rows.save(&name, &mut to, sections);
            sections.insert(name, to.into_bytes());
        }
    }

    /// Takes what [`Waiting::save`] wrote.
    pub(super) fn restore(&mut self, sections: &Sections) -> Result<(), StateError> {
        let of = |name: &str| {
            sections.get(name).ok_or(StateError::Unfit { what: "what waits is not there" })
        };
        let mut from = Reader::new(of(SECTION)?);
        from.format("what waits", 1)?;
        (self.next, self.closed) = (from.u64()?, from.u64()?);
        for count in self.counts.all() {
            *count = from.u64()?;
        }
        for (name, shelf) in [
            ("heads", &mut self.heads),
            ("parked", &mut self.parked),
            ("settled", &mut self.settled),
        ] {
            *shelf = Shelf::read(&format!("{SECTION}/{name}"), &mut from, sections)?;
        }
        from.end()?;
        self.has_other_rows = true;
        for model in &mut self.models {
            let name = of_model(&model.name);
            let mut from = Reader::new(of(&name)?);
            model.pushed_out = from.u64()?;
            model.rows = Shelf::read(&name, &mut from, sections)?;
            from.end()?;
        }
        self.find_again()
    }

    /// Fills the table from the shelves. An id may be on two of them: the newest counts.
    fn find_again(&mut self) -> Result<(), StateError> {
        let mut found = Vec::new();
        let unreadable = StateError::Unfit { what: "a row that waits cannot be read" };
        let ids: [(&Shelf, u64, IdOf); 3] = [
            (&self.heads, WAITS, |row| read_head(row).map(|(head, _)| head.id)),
            (&self.parked, PARKED, |row| read_parked(row).map(|parked| parked.id)),
            (&self.settled, SETTLED, |row| read_settled(row).map(|settled| settled.id)),
        ];
        for (shelf, tag, id_of) in ids {
            // What has waited in vain is found by what it was settled as.
            let first = if tag == WAITS { self.closed } else { 0 };
            for (number, row) in shelf.iter_from(first) {
                found.push((number, tag, id_of(row).ok_or(unreadable.clone())?));
            }
        }
        found.sort_unstable();
        self.table = Table::default();
        for (number, tag, id) in found {
            self.table.set(id, tagged(number, tag));
        }
        Ok(())
    }
}

/// Reads the id of a row.
type IdOf = fn(&[u8]) -> Option<u64>;

/// The section of a model's rows; its pages are sections below it.
pub(super) fn of_model(name: &str) -> String {
    format!("{SECTION}/model/{name}")
}

#[cfg(test)]
mod tests {
    use alluvium_learn::{Bytes, Span};

    use super::*;
    use crate::spec::{Correct, LabelKind, NumberLabel};

    fn label() -> Label {
        Label {
            field: "y".into(),
            kind: LabelKind::Number(NumberLabel {}),
            input: Some("labels".into()),
            matches: Some("id".into()),
            wait: Some(Span(100)),
            absent: None,
            late: Late::Drop,
            pending_max: Bytes(1 << 20),
        }
    }

    fn keep(waiting: &mut Waiting, id: u64, now: Time) -> u64 {
        let head = Head { id, due: waiting.due(now), time: now, before: 0.0 };
        waiting.keep(head, |_| {}, |model, to| to.blob(&vec![0; [20, 2_000][model]]))
    }

    /// What one model has no room for, another one keeps: none changes what another one learns.
    #[test]
    fn a_model_with_large_rows_lets_its_own_go() {
        let names = ["small", "large"].map(String::from);
        let mut waiting = Waiting::new(&label(), names.into_iter()).unwrap();
        let rows: Vec<u64> = (0..1_000).map(|id| keep(&mut waiting, id, 0)).collect();
        assert_eq!(waiting.examples(), 1_000);
        assert!(waiting.of_model(0, rows[0]).is_some() && waiting.of_model(1, rows[0]).is_none());
        let pushed_out: Vec<(&str, u64)> = waiting.pushed_out().collect();
        assert!(pushed_out[0] == ("small", 0) && pushed_out[1].1 > 400, "{pushed_out:?}");
        let mut sections = Sections::new();
        waiting.save(&mut sections);
        let mut again = Waiting::new(&label(), ["large".to_string()].into_iter()).unwrap();
        again.restore(&sections).unwrap();
        assert_eq!(again.pushed_out().next(), Some(pushed_out[1]));
        assert_eq!(again.known(999, 0), Known::Waits(rows[999]));
    }

    #[test]
    fn an_id_is_known_for_as_long_again_as_it_may_wait() {
        let mut waiting = Waiting::new(&label(), std::iter::empty()).unwrap();
        let row = keep(&mut waiting, 7, 0);
        assert_eq!((waiting.next_due(), waiting.known(7, 50)), (Some(100), Known::Waits(row)));
        assert_eq!(waiting.next_in_vain(99), None);
        assert_eq!(waiting.next_in_vain(100), Some((row, 7)));
        waiting.settle(7, None, row, 100);
        assert_eq!(waiting.known(7, 199), Known::Settled { label: None, row });
        waiting.forget(199);
        assert!(waiting.is_quiet(199) && !waiting.is_quiet(200));
        assert_eq!((waiting.known(7, 200), waiting.settled.rows()), (Known::Nothing, 1));
        waiting.forget(200);
        assert_eq!((waiting.settled.rows(), waiting.table.get(7)), (0, None));
    }

    /// What was kept on to be corrected goes when other settings would correct it no more.
    #[test]
    fn other_settings_let_go_what_was_kept_on() {
        let correct = Late::Correct(Correct { within: Span(1_000), weight: 1.0 });
        let mut waiting =
            Waiting::new(&Label { late: correct, ..label() }, std::iter::empty()).unwrap();
        let row = keep(&mut waiting, 7, 0);
        keep(&mut waiting, 8, 50);
        assert_eq!(waiting.next_in_vain(100), Some((row, 7)));
        waiting.settle(7, None, row, 100);
        waiting.forget(100);
        assert!(waiting.head(row).is_some() && waiting.examples() == 1);
        let mut sections = Sections::new();
        waiting.save(&mut sections);
        let mut adopted = Waiting::new(&label(), std::iter::empty()).unwrap();
        adopted.restore(&sections).unwrap();
        assert_eq!(adopted.examples(), 1);
        adopted.forget(100);
        assert!(adopted.head(row).is_none() && adopted.examples() == 1);
        assert_eq!(adopted.known(7, 200), Known::Settled { label: None, row });
    }
}
