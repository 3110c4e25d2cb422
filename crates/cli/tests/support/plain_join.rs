//! Late labels by plain code: the order of two topics, and which label meets which payment, as the
//! manual says it, with maps that have no bound. Knows nothing of how a pipeline does it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// One payment, as its line says it.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    pub(crate) id: String,
    pub(crate) time: i64,
    pub(crate) card: String,
    pub(crate) merchant: String,
    pub(crate) amount: f64,
    pub(crate) country: String,
    pub(crate) is_present: bool,
}

/// One chargeback.
#[derive(Clone, Debug)]
pub(crate) struct Booking {
    pub(crate) id: String,
    pub(crate) time: i64,
    pub(crate) is_fraud: bool,
}

/// A record of either topic.
#[derive(Clone, Debug)]
pub(crate) enum Record {
    Payment(Payment),
    Booking(Booking),
}

impl Record {
    fn time(&self) -> i64 {
        match self {
            Record::Payment(payment) => payment.time,
            Record::Booking(booking) => booking.time,
        }
    }
}

/// The payments of some lines.
pub(crate) fn payments(text: &str) -> Vec<Record> {
    let payment = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| record[name].as_str().unwrap().to_string();
        Record::Payment(Payment {
            id: text("payment_id"),
            time: record["authorised_at"].as_i64().unwrap(),
            card: text("card"),
            merchant: text("merchant"),
            amount: record["amount"]["value"].as_f64().unwrap(),
            country: text("country"),
            is_present: record["present"].as_bool().unwrap(),
        })
    };
    text.lines().map(payment).collect()
}

/// The chargebacks of some lines.
pub(crate) fn bookings(text: &str) -> Vec<Record> {
    let booking = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        Record::Booking(Booking {
            id: record["payment_id"].as_str().unwrap().into(),
            time: record["booked_at"].as_i64().unwrap(),
            is_fraud: record["fraud"].as_bool().unwrap(),
        })
    };
    text.lines().map(booking).collect()
}

/// The one order of topics whose records were spread over partitions one by one. A record's key is
/// the greatest so far of the lesser of two neighbouring event times of its partition; of equal
/// keys the earlier topic, then the lower partition goes first. Topics come as examples before
/// labels, then by name.
pub(crate) fn merged(topics: Vec<(Vec<Record>, usize)>) -> Vec<Record> {
    let mut order = BTreeMap::new();
    for (topic, (records, partitions)) in topics.into_iter().enumerate() {
        let mut newest: Vec<Option<(i64, i64)>> = vec![None; partitions];
        for (number, record) in records.into_iter().enumerate() {
            let (partition, time) = (number % partitions, record.time());
            let key = match newest[partition] {
                None => time,
                Some((key, before)) => key.max(time.min(before)),
            };
            newest[partition] = Some((key, time));
            order.insert((key, topic, partition, number), record);
        }
    }
    order.into_values().collect()
}

/// What happens to a payment, in the order in which it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The payment at this place of the order is answered.
    Answered(usize),
    /// It is judged and learned.
    Learned(usize, bool),
}

/// How often each thing happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Payments that met their label.
    pub(crate) labelled: u64,
    /// Of these, those whose label was there first.
    pub(crate) early: u64,
    /// Payments whose wait passed without one.
    pub(crate) absent: u64,
    /// Payments that wait.
    pub(crate) waiting: u64,
    /// Labels that said again what was said.
    pub(crate) duplicate: u64,
    /// Labels that said another thing.
    pub(crate) conflicting: u64,
    /// Labels of payments whose wait had passed.
    pub(crate) late: u64,
    /// Labels that waited for a payment that never came.
    pub(crate) unmatched: u64,
    /// Labels that wait for one.
    pub(crate) parked: u64,
}

/// What is known of an id.
#[derive(Clone, Copy)]
enum Known {
    /// The payment at this place waits.
    Waiting(usize),
    /// A label waits, which came at this place.
    Parked(usize, bool),
    /// Its payment was labelled so, or its wait has passed; until then it is known.
    Settled(Option<bool>, i64),
}

/// Joins labels to payments. A payment waits from when it came, by the greatest event time so far.
/// A label meets the payment of its id and is learned at its own place; a label that was there
/// first, at the payment's. A payment without a label for `wait` is learned as honest, at the
/// record that brings the event time to it. For as long again what became of it is known.
pub(crate) struct Join {
    wait: i64,
    ids: BTreeMap<String, Known>,
    /// When the wait of what came at a place ends, and its id.
    ends: BTreeSet<(i64, usize, String)>,
    newest: i64,
    pub(crate) counts: Counts,
    pub(crate) events: Vec<Event>,
}

impl Join {
    /// Of all records, in their order.
    pub(crate) fn of(order: &[Record], wait: i64) -> Join {
        let (ids, ends) = (BTreeMap::new(), BTreeSet::new());
        let (counts, events) = (Counts::default(), Vec::new());
        let mut join = Join { wait, ids, ends, newest: i64::MIN, counts, events };
        for (place, record) in order.iter().enumerate() {
            join.newest = join.newest.max(record.time());
            match record {
                Record::Payment(payment) => join.payment(place, payment),
                Record::Booking(booking) => join.booking(place, booking),
            }
            join.pass();
        }
        for known in join.ids.values() {
            match known {
                Known::Waiting(_) => join.counts.waiting += 1,
                Known::Parked(..) => join.counts.parked += 1,
                Known::Settled(..) => {}
            }
        }
        join
    }

    fn settle(&mut self, id: &str, label: Option<bool>) {
        self.ids.insert(id.into(), Known::Settled(label, self.newest + self.wait));
    }

    /// Lets a payment or a label wait.
    fn park(&mut self, id: &str, place: usize, known: Known) {
        self.ids.insert(id.into(), known);
        self.ends.insert((self.newest + self.wait, place, id.into()));
    }

    fn payment(&mut self, place: usize, payment: &Payment) {
        self.events.push(Event::Answered(place));
        match self.ids.get(&payment.id).copied() {
            None => self.park(&payment.id, place, Known::Waiting(place)),
            Some(Known::Parked(_, is_fraud)) => {
                self.counts.early += 1;
                self.counts.labelled += 1;
                self.events.push(Event::Learned(place, is_fraud));
                self.settle(&payment.id, Some(is_fraud));
            }
            Some(_) => panic!("{} came twice", payment.id),
        }
    }

    fn booking(&mut self, place: usize, booking: &Booking) {
        let Booking { id, is_fraud, .. } = booking;
        match self.ids.get(id).copied() {
            Some(Known::Waiting(payment)) => {
                self.events.push(Event::Learned(payment, *is_fraud));
                self.counts.labelled += 1;
                self.settle(id, Some(*is_fraud));
            }
            Some(Known::Settled(_, until)) if until <= self.newest => {
                self.park(id, place, Known::Parked(place, *is_fraud));
            }
            Some(Known::Settled(None, _)) => self.counts.late += 1,
            Some(Known::Parked(_, before) | Known::Settled(Some(before), _)) => {
                match before == *is_fraud {
                    true => self.counts.duplicate += 1,
                    false => self.counts.conflicting += 1,
                }
            }
            None => self.park(id, place, Known::Parked(place, *is_fraud)),
        }
    }

    /// Lets time pass up to the newest event time.
    fn pass(&mut self) {
        while self.ends.first().is_some_and(|(end, ..)| *end <= self.newest) {
            let Some((_, place, id)) = self.ends.pop_first() else { break };
            match self.ids.get(&id).copied() {
                Some(Known::Waiting(payment)) if payment == place => {
                    self.events.push(Event::Learned(payment, false));
                    self.counts.absent += 1;
                    self.settle(&id, None);
                }
                Some(Known::Parked(parked, _)) if parked == place => {
                    self.counts.unmatched += 1;
                    self.ids.remove(&id);
                }
                _ => {}
            }
        }
    }
}
