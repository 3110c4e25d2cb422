//! Who pays, and whom: countries, merchants and cards with their habits.

use crate::random::{Choice, Purpose, Random};

/// A country and its share of cards and merchants.
const COUNTRIES: [(&str, f64); 12] = [
    ("AT", 0.06),
    ("BE", 0.06),
    ("CZ", 0.05),
    ("DE", 0.22),
    ("DK", 0.04),
    ("ES", 0.12),
    ("FR", 0.15),
    ("IE", 0.04),
    ("IT", 0.11),
    ("NL", 0.07),
    ("PL", 0.05),
    ("PT", 0.03),
];

/// A kind of merchant: its share, whether it sells over the net, and its usual amounts.
struct Kind {
    share: f64,
    is_online: bool,
    median: f64,
    deviation: f64,
}

/// What a kind of merchant is called here: groceries, fuel, and so on.
const KINDS: [Kind; 10] = [
    kind(0.20, false, 24.0, 0.7),
    kind(0.08, false, 46.0, 0.4),
    kind(0.18, false, 19.0, 0.6),
    kind(0.09, false, 6.0, 0.7),
    kind(0.10, false, 48.0, 0.7),
    kind(0.06, false, 120.0, 0.9),
    kind(0.04, true, 190.0, 0.8),
    kind(0.12, true, 38.0, 0.8),
    kind(0.06, true, 5.0, 0.7),
    kind(0.07, true, 28.0, 0.6),
];

/// Electronics and jewellery: what can be sold on.
const ELECTRONICS: usize = 5;
/// Shops over the net.
const SHOP: usize = 7;
/// Games and other things that are had at once.
const DIGITAL: usize = 8;

const fn kind(share: f64, is_online: bool, median: f64, deviation: f64) -> Kind {
    Kind { share, is_online, median, deviation }
}

/// A merchant.
#[derive(Clone, Debug)]
pub(crate) struct Merchant {
    pub(crate) country: usize,
    kind: usize,
    /// Whether it checks little: the first method is tried out there.
    is_weak: bool,
}

impl Merchant {
    pub(crate) fn is_online(&self) -> bool {
        KINDS[self.kind].is_online
    }

    /// What is usually paid there: the median, and the deviation of the logarithm.
    pub(crate) fn amounts(&self) -> (f64, f64) {
        (KINDS[self.kind].median, KINDS[self.kind].deviation)
    }
}

/// A card, and the habits of its holder.
#[derive(Clone, Debug)]
pub(crate) struct Card {
    pub(crate) country: usize,
    /// By how much its amounts are above the usual, as a factor.
    pub(crate) level: f64,
    /// By how many hours its day is later than that of others.
    pub(crate) later: i64,
    /// Where the holder goes again and again, the most beloved first.
    pub(crate) favourites: Vec<u32>,
    /// First day, day after the last, and country of the one journey, if there is one.
    pub(crate) journey: Option<(u32, u32, usize)>,
}

/// All of them.
pub(crate) struct World {
    pub(crate) merchants: Vec<Merchant>,
    pub(crate) cards: Vec<Card>,
    /// By how often each card is used.
    pub(crate) active: Choice,
    /// The merchants of each country, as indices.
    of_country: Vec<Vec<u32>>,
    /// Where the first method is tried out: merchants over the net that check little.
    testing: Vec<u32>,
    /// Where the second method buys, by country.
    buying: Vec<Vec<u32>>,
    /// Where many small payments are nothing special.
    digital: Vec<u32>,
}

/// How many merchants a holder returns to.
const FAVOURITES: usize = 12;

impl World {
    /// A world of so many cards, from a seed; the journeys are within so many days.
    pub(crate) fn new(seed: u64, cards: u64, days: u32) -> World {
        let count = (cards / 10).max(240);
        let country = Choice::new(COUNTRIES.iter().map(|(_, share)| *share));
        let kinds = Choice::new(KINDS.iter().map(|kind| kind.share));
        let merchants: Vec<Merchant> = (0..count)
            .map(|index| {
                let mut random = Random::of(seed, Purpose::Merchant, index);
                // One of each kind in each country, so that no list is empty.
                let (country, kind) = match usize::try_from(index) {
                    Ok(index) if index < 120 => (index % 12, index / 12),
                    _ => (country.pick(&mut random), kinds.pick(&mut random)),
                };
                Merchant { country, kind, is_weak: index < 120 || random.happens(0.15) }
            })
            .collect();
        let having = |is: &dyn Fn(&Merchant) -> bool| -> Vec<u32> {
            let has = merchants.iter().enumerate().filter(|(_, merchant)| is(merchant));
            has.map(|(index, _)| index as u32).collect()
        };
        let by_country = |is: &dyn Fn(&Merchant) -> bool| -> Vec<Vec<u32>> {
            let one = |country| having(&|merchant| merchant.country == country && is(merchant));
            (0..COUNTRIES.len()).map(one).collect()
        };
        let of_country = by_country(&|_| true);
        let testing = having(&|m| m.is_weak && [SHOP, DIGITAL].contains(&m.kind));
        let buying = by_country(&|m| m.is_weak && [ELECTRONICS, SHOP].contains(&m.kind));
        let digital = having(&|m| m.kind == DIGITAL);
        let (cards, weights): (Vec<Card>, Vec<f64>) = (0..cards.max(1))
            .map(|index| {
                let mut random = Random::of(seed, Purpose::Card, index);
                let home = country.pick(&mut random);
                let card = Card::new(&mut random, home, days, &of_country);
                (card, random.log_normal(1.0, 0.8))
            })
            .unzip();
        let active = Choice::new(weights.into_iter());
        World { merchants, cards, active, of_country, testing, buying, digital }
    }

    /// The name of a country.
    pub(crate) fn country(&self, index: usize) -> &'static str {
        COUNTRIES[index].0
    }

    /// Some merchant of a country; a few are far better known than others.
    pub(crate) fn somewhere(&self, country: usize, random: &mut Random) -> u32 {
        among(&self.of_country[country], random)
    }

    /// A merchant where the first method is tried out, out of the card's own country.
    pub(crate) fn testing(&self, home: usize, random: &mut Random) -> u32 {
        loop {
            let merchant = self.testing[random.below(self.testing.len())];
            if self.merchants[merchant as usize].country != home {
                return merchant;
            }
        }
    }

    /// A merchant in a country where the second method buys, and the card never did.
    pub(crate) fn buying(&self, card: &Card, random: &mut Random) -> u32 {
        let there = &self.buying[card.country];
        let tries = (0..8).map(|_| there[random.below(there.len())]);
        let tries: Vec<u32> = tries.collect();
        let strange = tries.iter().find(|merchant| !card.favourites.contains(merchant));
        strange.copied().unwrap_or(tries[0])
    }

    /// A merchant of things that are had at once.
    pub(crate) fn digital(&self, random: &mut Random) -> u32 {
        among(&self.digital, random)
    }
}

/// One of a list; those at its head far more often.
fn among(list: &[u32], random: &mut Random) -> u32 {
    let share = random.share();
    list[((share * share * list.len() as f64) as usize).min(list.len() - 1)]
}

impl Card {
    fn new(random: &mut Random, country: usize, days: u32, of_country: &[Vec<u32>]) -> Card {
        let level = random.log_normal(1.0, 0.35);
        let later = random.below(7) as i64 - 3;
        let favourites = (0..FAVOURITES).map(|_| among(&of_country[country], random)).collect();
        let journey = random.happens(0.3).then(|| {
            let (from, length) = (random.below(days.max(1) as usize) as u32, random.below(9) + 3);
            (from, from + length as u32, random.below(of_country.len()))
        });
        Card { country, level, later, favourites, journey }
    }
}
