//! Randomness that is a function of a seed, a purpose and a number: what is made of one payment
//! never depends on how many were made before it.

/// What a run of numbers is drawn for; each purpose has its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Merchant = 1,
    Card,
    Honest,
    Testing,
    Night,
    Fate,
    Disputed,
    Asked,
    Unknown,
    Delay,
    PaymentJitter,
    BookingJitter,
}

/// Randomness: SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators",
/// OOPSLA 2014, figure 17), and normal numbers by the polar method (Marsaglia and Bray, 1964).
/// Logarithms are `libm`'s, so the numbers are the same on every machine.
pub(crate) struct Random {
    state: u64,
    spare: Option<f64>,
}

/// The step of SplitMix64: the golden ratio, as 64 bits.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

fn mixed(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl Random {
    /// The numbers of one thing of a purpose.
    pub(crate) fn of(seed: u64, purpose: Purpose, index: u64) -> Random {
        let seed = mixed(seed.wrapping_add(GOLDEN));
        let purpose = mixed(seed ^ (purpose as u64).wrapping_mul(GOLDEN));
        Random { state: mixed(purpose ^ index.wrapping_mul(GOLDEN)), spare: None }
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mixed(self.state)
    }

    /// From 0 up to 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// From one number up to another.
    pub(crate) fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.share()
    }

    /// A whole number below `count`, which is above 0.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        ((self.share() * count as f64) as usize).min(count - 1)
    }

    /// Whether something of that probability happens.
    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        self.share() < probability
    }

    /// A normal number of deviation 1.
    pub(crate) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (a, b) = (2.0 * self.share() - 1.0, 2.0 * self.share() - 1.0);
            let square = a * a + b * b;
            if square > 0.0 && square < 1.0 {
                let scale = (-2.0 * libm::log(square) / square).sqrt();
                self.spare = Some(b * scale);
                return a * scale;
            }
        }
    }

    /// A log-normal number: its median, and the deviation of its logarithm.
    pub(crate) fn log_normal(&mut self, median: f64, deviation: f64) -> f64 {
        median * libm::exp(deviation * self.normal())
    }
}

/// A choice among things of different weight.
pub(crate) struct Choice {
    /// The sum of the weights up to each.
    upto: Vec<f64>,
}

impl Choice {
    pub(crate) fn new(weights: impl Iterator<Item = f64>) -> Choice {
        let upto = weights.scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Choice { upto: upto.collect() }
    }

    /// One of them.
    pub(crate) fn pick(&self, random: &mut Random) -> usize {
        let all = self.upto.last().copied().unwrap_or(0.0);
        let at = random.share() * all;
        self.upto.partition_point(|upto| *upto <= at).min(self.upto.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_hang_on_the_seed_the_purpose_and_the_index() {
        let first = |seed, purpose, index| Random::of(seed, purpose, index).bits();
        let one = first(1, Purpose::Card, 7);
        assert_eq!(one, first(1, Purpose::Card, 7));
        for other in
            [first(2, Purpose::Card, 7), first(1, Purpose::Honest, 7), first(1, Purpose::Card, 8)]
        {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn a_choice_goes_by_weight() {
        let choice = Choice::new([1.0, 0.0, 3.0].into_iter());
        let mut random = Random::of(1, Purpose::Card, 0);
        let mut counts = [0u32; 3];
        (0..10_000).for_each(|_| counts[choice.pick(&mut random)] += 1);
        assert_eq!(counts[1], 0);
        assert!((7300..7700).contains(&counts[2]), "{counts:?}");
    }
}
