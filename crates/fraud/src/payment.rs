//! Payments: the honest ones, and the two methods of fraud.

use crate::{
    DAY, Plan, START,
    random::{Choice, Purpose, Random},
    world::{Card, World},
};

/// One payment, before it has a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payment {
    /// When, in milliseconds since 1970.
    pub(crate) time: i64,
    pub(crate) card: u32,
    pub(crate) merchant: u32,
    /// How much, in cents.
    pub(crate) cents: u32,
    /// Where: the merchant's country.
    pub(crate) country: u8,
    /// Whether the card was there.
    pub(crate) is_present: bool,
    pub(crate) is_fraud: bool,
}

const SECOND: f64 = 1000.0;
const MINUTE: f64 = 60.0 * SECOND;
const HOUR: i64 = 3_600_000;

/// How much is paid in each hour of the day, and on each day of the week from Monday on.
const HOURS: [f64; 24] = [
    0.8, 0.4, 0.3, 0.2, 0.2, 0.5, 1.5, 3.5, 5.0, 5.5, 6.0, 6.5, 7.5, 7.0, 6.0, 6.0, 6.5, 7.5, 8.0,
    7.0, 5.5, 4.0, 2.5, 1.5,
];
const WEEK: [f64; 7] = [0.9, 0.9, 0.95, 1.0, 1.2, 1.35, 0.7];
/// The first day is a Sunday.
const FIRST_WEEKDAY: usize = 6;

/// The day on which the method changes, counted from the beginning: 1 May.
pub const CHANGE: u32 = 61;

/// The share of all fraud that is done by the first method, before and after the change.
const TESTING_BEFORE: f64 = 0.50;
const TESTING_AFTER: f64 = 0.03;

/// Waves: their middle in days, and their size. Between them little goes on.
const TESTING_WAVES: [(f64, f64); 4] = [(7.0, 1.0), (23.0, 1.3), (38.0, 0.8), (53.0, 1.4)];
const NIGHT_WAVES: [(f64, f64); 4] = [(64.0, 1.4), (79.0, 1.1), (95.0, 1.3), (111.0, 1.0)];

/// Makes payments in a world.
pub(crate) struct Payments<'a> {
    plan: &'a Plan,
    world: &'a World,
    days: Choice,
    hours: Choice,
}

impl Payments<'_> {
    pub(crate) fn new<'a>(plan: &'a Plan, world: &'a World) -> Payments<'a> {
        let weekday = |day: u32| WEEK[(day as usize + FIRST_WEEKDAY) % 7];
        let days = Choice::new((0..crate::DAYS).map(weekday));
        Payments { plan, world, days, hours: Choice::new(HOURS.into_iter()) }
    }

    /// So many honest payments, in no order. Some are ambiguous: journeys, many small payments
    /// within minutes, large ones at merchants that the card has never used.
    pub(crate) fn honest(&self, count: usize, to: &mut Vec<Payment>) {
        let all = to.len() + count;
        for index in 0.. {
            if to.len() >= all {
                break;
            }
            let mut random = Random::of(self.plan.seed, Purpose::Honest, index);
            let number = self.world.active.pick(&mut random);
            let day = self.days.pick(&mut random) as u32;
            let time = self.moment(&self.world.cards[number], day, &mut random);
            match random.share() {
                share if share < 0.0012 => {
                    let count = (3 + random.below(7)).min(all - to.len());
                    self.rush(number, time, count, &mut random, to);
                }
                share if share < 0.011 => to.push(self.purchase(number, time, &mut random)),
                _ => to.push(self.ordinary(number, day, time, &mut random)),
            }
        }
    }

    fn ordinary(&self, number: usize, day: u32, time: i64, random: &mut Random) -> Payment {
        let card = &self.world.cards[number];
        let abroad = card.journey.filter(|(from, to, _)| (*from..*to).contains(&day));
        let merchant = match abroad {
            Some((_, _, country)) if random.happens(0.85) => self.world.somewhere(country, random),
            _ if random.happens(0.75) => {
                let share = random.share();
                card.favourites[(share * share * card.favourites.len() as f64) as usize]
            }
            // Over the net one buys abroad without going there.
            _ if random.happens(0.08) => self.world.testing(card.country, random),
            _ => self.world.somewhere(card.country, random),
        };
        let (median, deviation) = self.world.merchants[merchant as usize].amounts();
        let amount = random.log_normal(median * card.level, deviation);
        self.payment(number, merchant, time, amount, false)
    }

    /// Many small payments within minutes, as somebody makes who plays.
    fn rush(
        &self,
        number: usize,
        time: i64,
        count: usize,
        random: &mut Random,
        to: &mut Vec<Payment>,
    ) {
        let merchant = self.world.digital(random);
        let mut time = time;
        for _ in 0..count {
            let amount = random.log_normal(4.0, 0.5);
            to.push(self.payment(number, merchant, time, amount, false));
            time += random.between(20.0 * SECOND, 4.0 * MINUTE) as i64;
        }
    }

    /// Something large that is bought once: mostly somewhere else than usual, at times by night.
    fn purchase(&self, number: usize, time: i64, random: &mut Random) -> Payment {
        let card = &self.world.cards[number];
        let merchant = match random.happens(0.3) {
            true => self.world.buying(card, random),
            false => self.world.somewhere(card.country, random),
        };
        let amount = random.log_normal(320.0 * card.level, 0.5);
        self.payment(number, merchant, time, amount, false)
    }

    /// So many payments by the first method: many small ones on one card within minutes, at
    /// merchants abroad that check little.
    pub(crate) fn testing(&self, count: usize, to: &mut Vec<Payment>) {
        let share = TESTING_BEFORE / (TESTING_BEFORE + TESTING_AFTER);
        let waves = waves(&TESTING_WAVES, 0..CHANGE);
        let all = to.len() + count;
        for index in 0.. {
            if to.len() >= all {
                break;
            }
            let mut random = Random::of(self.plan.seed, Purpose::Testing, index);
            let day = match random.happens(share) {
                true => waves.pick(&mut random) as u32,
                false => CHANGE + random.below((crate::DAYS - CHANGE) as usize) as u32,
            };
            let number = random.below(self.world.cards.len());
            let home = self.world.cards[number].country;
            let mut time = START + i64::from(day) * DAY + (random.share() * 20.0) as i64 * HOUR;
            time += (random.share() * HOUR as f64) as i64;
            let merchants = [0; 3].map(|_| self.world.testing(home, &mut random));
            for _ in 0..(5 + random.below(14)).min(all - to.len()) {
                let merchant = merchants[random.below(merchants.len())];
                let amount = random.log_normal(2.5, 0.6);
                to.push(self.payment(number, merchant, time, amount, true));
                time += random.between(5.0 * SECOND, 80.0 * SECOND) as i64;
            }
        }
    }

    /// So many payments by the second method: a few large ones by night, in the card's own
    /// country, at merchants that it has never used.
    pub(crate) fn night(&self, count: usize, to: &mut Vec<Payment>) {
        let waves = waves(&NIGHT_WAVES, CHANGE..crate::DAYS);
        let all = to.len() + count;
        for index in 0.. {
            if to.len() >= all {
                break;
            }
            let mut random = Random::of(self.plan.seed, Purpose::Night, index);
            let day = CHANGE + waves.pick(&mut random) as u32;
            let number = random.below(self.world.cards.len());
            let card = &self.world.cards[number];
            let mut time = START + i64::from(day) * DAY;
            time += (random.share() * 4.5 * HOUR as f64) as i64;
            for _ in 0..(1 + random.below(4)).min(all - to.len()) {
                let merchant = self.world.buying(card, &mut random);
                let amount = random.log_normal(420.0 * card.level, 0.4);
                to.push(self.payment(number, merchant, time, amount, true));
                time += random.between(4.0 * MINUTE, 50.0 * MINUTE) as i64;
            }
        }
    }

    /// How many payments each method makes, of so many.
    pub(crate) fn split(frauds: usize) -> (usize, usize) {
        let testing = (frauds as f64 * (TESTING_BEFORE + TESTING_AFTER)) as usize;
        (testing, frauds - testing)
    }

    /// A moment of a day, by the holder's habit.
    fn moment(&self, card: &Card, day: u32, random: &mut Random) -> i64 {
        let hour = (self.hours.pick(random) as i64 + card.later).rem_euclid(24);
        let within = (random.share() * HOUR as f64) as i64;
        START + i64::from(day) * DAY + hour * HOUR + within
    }

    fn payment(
        &self,
        number: usize,
        merchant: u32,
        time: i64,
        amount: f64,
        is_fraud: bool,
    ) -> Payment {
        let shop = &self.world.merchants[merchant as usize];
        // What begins before midnight of the last day ends then.
        let time = time.min(START + i64::from(crate::DAYS) * DAY - 1);
        let cents = (amount * 100.0).clamp(10.0, 2_000_000.0) as u32;
        Payment {
            time,
            card: number as u32,
            merchant,
            cents,
            country: shop.country as u8,
            is_present: !shop.is_online(),
            is_fraud,
        }
    }
}

/// The days of some waves, from the first of a span on: bells of three and a half days' deviation,
/// and a little all the time.
fn waves(waves: &[(f64, f64)], days: std::ops::Range<u32>) -> Choice {
    let height = |day: u32| {
        let bell = |(middle, size): &(f64, f64)| {
            let apart = (f64::from(day) + 0.5 - middle) / 3.5;
            size * libm::exp(-0.5 * apart * apart)
        };
        0.15 + waves.iter().map(bell).sum::<f64>()
    };
    Choice::new(days.map(height))
}
