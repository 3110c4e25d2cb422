//! The payments and chargebacks of the example `examples/fraud`, made from a seed: the same bytes
//! on every machine. For tests, the bench and the example alone.
//!
//! 120 days of card payments, of which 0.3 % are fraud, and a topic of chargebacks that come days
//! and weeks later. After two months the method changes: first many small payments on one card
//! within minutes at merchants abroad, which try a stolen number out; then a few large ones by
//! night, at home, at merchants that the card never used.

mod booking;
mod payment;
mod random;
mod text;
mod world;

use std::{fs, io, path::Path};

use booking::Booking;
pub use payment::CHANGE;
use payment::{Payment, Payments};
use random::{Purpose, Random};
use world::World;

/// Milliseconds of a day.
pub const DAY: i64 = 86_400_000;
/// The beginning: 1 March 2026, midnight UTC, in milliseconds since 1970.
pub const START: i64 = 1_772_323_200_000;
/// How many days there are: up to 28 June 2026.
const DAYS: u32 = 120;
/// The moment after the last day: what would be booked later is not there yet.
const END: i64 = START + DAYS as i64 * DAY;
/// How long the pipeline waits for a label.
const WAIT: i64 = 45 * DAY;

/// The share of frauds among all payments, in thousandths.
const FRAUD_THOUSANDTHS: u64 = 3;
/// Payments a card makes in these days, where the number of cards is not given.
const PAYMENTS_A_CARD: u64 = 50;

/// What to make.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many payments. Range: 1000 and more.
    pub payments: u64,
    /// Another seed, other payments.
    pub seed: u64,
    /// How many cards; `None`: one for each 50 payments.
    pub cards: Option<u64>,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan { payments: 1_000_000, seed: 1, cards: None }
    }
}

/// What is so in what was made, by construction: to hold what a pipeline counts against it.
///
/// Each fraud is one of `charged`, `coming`, `late`, `early` and `never`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// Payments.
    pub payments: u64,
    /// Cards.
    pub cards: u64,
    /// Payments that are fraud.
    pub fraud: u64,
    /// Frauds of the first method: many small payments within minutes.
    pub testing: u64,
    /// Frauds of the second method: a few large payments by night.
    pub night: u64,
    /// Records of the topic of chargebacks.
    pub chargebacks: u64,
    /// Frauds that are booked within the wait, after their payment.
    pub charged: u64,
    /// Frauds that will be booked after the last day: their record is not there.
    pub coming: u64,
    /// Frauds that are booked more than 45 days after their payment.
    pub late: u64,
    /// Frauds that are booked before their payment, by a minute or more: a clock is fast.
    pub early: u64,
    /// Frauds that nobody ever notices.
    pub never: u64,
    /// Records that say again what was said.
    pub doubled: u64,
    /// Honest payments that are charged back and withdrawn later: two records each.
    pub conflicting: u64,
    /// Honest payments whose holder was asked and said that it was theirs: one record each.
    pub asked: u64,
    /// Records about payments that are not there.
    pub unknown: u64,
    /// Of these, those whose wait is over at the newest event time.
    pub unmatched: u64,
    /// Payments without a record, whose wait is not over at the newest event time.
    pub waiting: u64,
    /// The newest event time, in milliseconds since 1970.
    pub newest: i64,
}

impl Truth {
    /// Payments that have a label within the wait.
    pub fn labelled(&self) -> u64 {
        self.charged + self.early + self.conflicting + self.asked
    }

    /// Payments whose wait passes without a label.
    pub fn absent(&self) -> u64 {
        self.payments - self.labelled() - self.waiting
    }

    /// All counts, as one JSON object.
    pub fn to_json(&self) -> String {
        let counts = [
            ("payments", self.payments),
            ("cards", self.cards),
            ("fraud", self.fraud),
            ("testing", self.testing),
            ("night", self.night),
            ("chargebacks", self.chargebacks),
            ("charged", self.charged),
            ("coming", self.coming),
            ("late", self.late),
            ("early", self.early),
            ("never", self.never),
            ("doubled", self.doubled),
            ("conflicting", self.conflicting),
            ("asked", self.asked),
            ("unknown", self.unknown),
            ("unmatched", self.unmatched),
            ("waiting", self.waiting),
            ("labelled", self.labelled()),
            ("absent", self.absent()),
            ("newest", self.newest as u64),
        ];
        let lines = counts.map(|(name, count)| format!("  \"{name}\": {count}"));
        format!("{{\n{}\n}}\n", lines.join(",\n"))
    }
}

/// What was made.
pub struct Made {
    world: World,
    /// In the order of their event time; the place is the number.
    payments: Vec<Payment>,
    bookings: Vec<Booking>,
    seed: u64,
    /// What is so in it.
    pub truth: Truth,
}

/// Makes payments and chargebacks.
pub fn make(plan: &Plan) -> Made {
    let cards = plan.cards.unwrap_or(plan.payments / PAYMENTS_A_CARD).max(1);
    let world = World::new(plan.seed, cards, DAYS);
    let maker = Payments::new(plan, &world);
    let frauds = (plan.payments * FRAUD_THOUSANDTHS / 1000) as usize;
    let (testing, night) = Payments::split(frauds);
    let mut payments = Vec::with_capacity(plan.payments as usize);
    maker.honest(plan.payments as usize - frauds, &mut payments);
    maker.testing(testing, &mut payments);
    maker.night(night, &mut payments);
    // Stable, so that payments of one time have one order.
    payments.sort_by_key(|payment| payment.time);
    let mut truth = Truth {
        payments: payments.len() as u64,
        cards,
        testing: testing as u64,
        night: night as u64,
        ..Truth::default()
    };
    let mut bookings = booking::bookings(plan, &payments, &mut truth);
    bookings.sort_by_key(|booking| booking.time);
    truth.chargebacks = bookings.len() as u64;
    booking::count_open(&payments, &bookings, &mut truth);
    Made { world, payments, bookings, seed: plan.seed, truth }
}

impl Made {
    /// The lines of `payments.ndjson`: in the order of event time, but for a few seconds.
    pub fn payments(&self) -> Vec<u8> {
        let jitter = |number: u32| self.jitter(Purpose::PaymentJitter, number, 8000.0);
        let mut order: Vec<(i64, u32)> = (0u32..)
            .zip(&self.payments)
            .map(|(number, payment)| (payment.time + jitter(number), number))
            .collect();
        order.sort_unstable();
        let mut to = Vec::with_capacity(order.len() * 176);
        for (_, number) in order {
            text::payment(&mut to, &self.world, number, &self.payments[number as usize]);
        }
        to
    }

    /// The event time of each payment, by its number, and whether it is fraud, noticed or not.
    pub fn is_so(&self) -> impl Iterator<Item = (i64, bool)> {
        self.payments.iter().map(|payment| (payment.time, payment.is_fraud))
    }

    /// The lines of `chargebacks.ndjson`: in the order of event time, but for a few seconds.
    pub fn chargebacks(&self) -> Vec<u8> {
        let jitter = |number: u32| self.jitter(Purpose::BookingJitter, number, 20_000.0);
        let mut order: Vec<(i64, u32)> = (0u32..)
            .zip(&self.bookings)
            .map(|(number, booking)| (booking.time + jitter(number), number))
            .collect();
        order.sort_unstable();
        let mut to = Vec::with_capacity(order.len() * 80);
        for (_, number) in order {
            text::booking(&mut to, &self.bookings[number as usize]);
        }
        to
    }

    /// How much later than its event time one record of ten is written.
    fn jitter(&self, purpose: Purpose, number: u32, most_ms: f64) -> i64 {
        let mut random = Random::of(self.seed, purpose, u64::from(number));
        match random.happens(0.1) {
            true => random.between(0.0, most_ms) as i64,
            false => 0,
        }
    }

    /// Writes `payments.ndjson`, `chargebacks.ndjson` and `truth.json` into a directory.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&self, directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        fs::write(directory.join("payments.ndjson"), self.payments())?;
        fs::write(directory.join("chargebacks.ndjson"), self.chargebacks())?;
        fs::write(directory.join("truth.json"), self.truth.to_json())
    }
}

#[cfg(test)]
mod tests;
