//! Chargebacks: which payments get one, when, and what goes wrong on the way.

use std::collections::BTreeSet;

use crate::{
    DAY, END, Plan, START, Truth, WAIT,
    payment::Payment,
    random::{Purpose, Random},
};

/// One record of the topic of chargebacks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Booking {
    /// When, in milliseconds since 1970.
    pub(crate) time: i64,
    pub(crate) of: Of,
    pub(crate) is_fraud: bool,
}

/// What it is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of {
    /// The payment of this number.
    Payment(u32),
    /// A payment that nobody knows.
    Unknown(u32),
}

/// Shares of all frauds: those that nobody ever notices, that are booked too late, that are booked
/// a minute or more before their payment by a clock that is fast.
const NEVER: f64 = 0.08;
const LATE: f64 = 0.015;
const EARLY: f64 = 0.01;
/// Shares of what is booked: again under the same number; honest and withdrawn later; of nothing
/// that is known.
const DOUBLED: f64 = 0.05;
const WITHDRAWN: f64 = 0.03;
const UNKNOWN: f64 = 0.015;
/// The share of honest payments whose holder is asked, by lot, and says that it was theirs.
const ASKED: f64 = 0.1;

/// Of a count of frauds so many, but one at least.
fn some(share: f64, of: usize) -> usize {
    ((share * of as f64) as usize).max(1)
}

/// How long after its payment a fraud is booked: a day and more, most within three weeks, none
/// later than 44 days.
fn delay(random: &mut Random) -> i64 {
    let days = (1.0 + random.log_normal(7.0, 0.75)).min(44.0);
    (days * DAY as f64) as i64
}

/// Makes bookings of payments that are in the order of their numbers, and counts them.
pub(crate) fn bookings(plan: &Plan, payments: &[Payment], truth: &mut Truth) -> Vec<Booking> {
    let mut made = Vec::new();
    let mut frauds: Vec<u32> =
        (0u32..).zip(payments).filter(|(_, payment)| payment.is_fraud).map(|(n, _)| n).collect();
    frauds.sort_by_key(|number| Random::of(plan.seed, Purpose::Fate, u64::from(*number)).bits());
    truth.fraud = frauds.len() as u64;
    let counts = [NEVER, LATE, EARLY].map(|share| some(share, frauds.len()));
    // Late is only what can be: booked, and after the wait of its payment.
    let can_be_late = |number: &&u32| payments[**number as usize].time < END - 62 * DAY;
    let late: BTreeSet<u32> = frauds.iter().filter(can_be_late).take(counts[1]).copied().collect();
    let rest: Vec<u32> = frauds.into_iter().filter(|number| !late.contains(number)).collect();
    let (never, rest) = rest.split_at(counts[0].min(rest.len()));
    let (early, usual) = rest.split_at(counts[2].min(rest.len()));
    truth.never = never.len() as u64;
    let random = |number: u32| Random::of(plan.seed, Purpose::Delay, u64::from(number));
    let mut book = |number: u32, after: i64| {
        let time = payments[number as usize].time + after;
        let is_there = time < END;
        if is_there {
            made.push(Booking { time, of: Of::Payment(number), is_fraud: true });
        }
        is_there
    };
    for number in &late {
        let after = WAIT + (random(*number).between(1.5, 15.0) * DAY as f64) as i64;
        truth.late += u64::from(book(*number, after));
    }
    for number in early {
        let after = -(random(*number).between(60_000.0, 180_000.0) as i64);
        truth.early += u64::from(book(*number, after));
    }
    let mut doubled = some(DOUBLED, usual.len());
    for number in usual {
        let mut random = random(*number);
        let after = delay(&mut random);
        if !book(*number, after) {
            truth.coming += 1;
            continue;
        }
        truth.charged += 1;
        let again = after + (random.between(0.01, 6.0) * DAY as f64) as i64;
        if doubled > 0 && again < 44 * DAY && book(*number, again) {
            doubled -= 1;
            truth.doubled += 1;
        }
    }
    let taken = withdrawn(plan, payments, truth, &mut made);
    asked(plan, payments, &taken, truth, &mut made);
    unknown(plan, truth, &mut made);
    made
}

/// Honest payments that are charged back and withdrawn later.
fn withdrawn(
    plan: &Plan,
    payments: &[Payment],
    truth: &mut Truth,
    made: &mut Vec<Booking>,
) -> BTreeSet<u32> {
    let mut taken = BTreeSet::new();
    let count = some(WITHDRAWN, truth.fraud as usize);
    for index in 0..(100 * count as u64) {
        if taken.len() == count {
            break;
        }
        let mut random = Random::of(plan.seed, Purpose::Disputed, index);
        let number = random.below(payments.len()) as u32;
        let payment = &payments[number as usize];
        if payment.is_fraud || payment.time >= END - 44 * DAY || !taken.insert(number) {
            continue;
        }
        let charged = payment.time + (random.between(1.0, 20.0) * DAY as f64) as i64;
        let withdrawn = charged + (random.between(2.0, 15.0) * DAY as f64) as i64;
        for (time, is_fraud) in [(charged, true), (withdrawn, false)] {
            made.push(Booking { time, of: Of::Payment(number), is_fraud });
        }
        truth.conflicting += 1;
    }
    taken
}

/// Honest payments whose holder was asked.
fn asked(
    plan: &Plan,
    payments: &[Payment],
    taken: &BTreeSet<u32>,
    truth: &mut Truth,
    made: &mut Vec<Booking>,
) {
    for (number, payment) in (0u32..).zip(payments) {
        let mut random = Random::of(plan.seed, Purpose::Asked, u64::from(number));
        if payment.is_fraud || !random.happens(ASKED) || taken.contains(&number) {
            continue;
        }
        let time = payment.time + (random.between(0.2, 5.0) * DAY as f64) as i64;
        if time < END {
            truth.asked += 1;
            made.push(Booking { time, of: Of::Payment(number), is_fraud: false });
        }
    }
}

/// Chargebacks of payments that nobody knows.
fn unknown(plan: &Plan, truth: &mut Truth, made: &mut Vec<Booking>) {
    for index in 0..some(UNKNOWN, truth.fraud as usize) as u32 {
        let mut random = Random::of(plan.seed, Purpose::Unknown, u64::from(index));
        let time = START + (random.share() * (END - START) as f64) as i64;
        made.push(Booking { time, of: Of::Unknown(index), is_fraud: true });
        truth.unknown += 1;
    }
}

/// Counts what waits at the newest event time, and what was waited for in vain.
pub(crate) fn count_open(payments: &[Payment], made: &[Booking], truth: &mut Truth) {
    let newest_of = |payment: Option<i64>| payment.unwrap_or(START);
    truth.newest = newest_of(payments.last().map(|payment| payment.time))
        .max(newest_of(made.last().map(|booking| booking.time)));
    let mut labelled = vec![false; payments.len()];
    for booking in made {
        match booking.of {
            Of::Payment(number) => labelled[number as usize] = true,
            Of::Unknown(_) => truth.unmatched += u64::from(booking.time + WAIT <= truth.newest),
        }
    }
    let is_open = |payment: &Payment| payment.time + WAIT > truth.newest;
    let open =
        payments.iter().zip(&labelled).filter(|(payment, known)| !**known && is_open(payment));
    truth.waiting = open.count() as u64;
}
