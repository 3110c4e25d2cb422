//! What a leaf remembers of the examples it saw: for every class a Gaussian for each number and the
//! counts of each nominal slot's codes.

use crate::{Features, Reader, Shape, SlotKind, StateError, Writer, math};

/// Numbers beyond this, on either side, count as this: their squares and sums stay finite.
pub(super) const VALUE_MAX: f64 = 1e100;

/// A sum of squares below this is no spread: its inverse would not be finite.
const SQUARES_MIN: f64 = 1e-280;

/// The least a logarithm of a likelihood falls to, so that no answer is made of infinities alone.
const LOG_FALL_MAX: f64 = 1e300;

/// Half the logarithm of 2π.
const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_7;

/// Bytes that observing is counted with before a class was seen. The counted sizes are those of a
/// 64-bit machine, on every machine, so that memory decides alike everywhere.
const OBSERVERS_BYTES: u64 = 32;
/// Bytes of an observed class, beside what its slots take.
const BLOCK_BYTES: u64 = 72;
/// Bytes of one number of one class: five values.
const NUMBER_BYTES: u64 = 40;
/// Bytes of one nominal slot of one class, beside its counts.
const NOMINAL_BYTES: u64 = 24;
/// Bytes of one count, with the room that a growing list keeps.
const COUNT_BYTES: u64 = 18;

/// One dense slot, as observers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A number, and its place among the numbers.
    Number(usize),
    /// A nominal slot, its place among the nominal ones, and how many codes there are.
    Nominal(usize, u32),
}

/// Which dense slots there are.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    /// Every slot in order.
    pub(super) kinds: Box<[Kind]>,
    numbers: Box<[u32]>,
    nominals: Box<[(u32, u32)]>,
    /// The log likelihood of any codes under a class of which nothing was seen.
    log_uniform: f64,
    /// Whether likelihoods are asked for at all.
    likelihoods: bool,
}

impl Slots {
    /// The slots of a shape, and whether likelihoods will be asked for.
    pub(super) fn new(shape: &Shape, likelihoods: bool) -> Slots {
        let (mut kinds, mut numbers, mut nominals) = (Vec::new(), Vec::new(), Vec::new());
        let mut uniform = Product::default();
        for (slot, described) in (0u32..).zip(&shape.dense) {
            match described.kind {
                SlotKind::Number => {
                    kinds.push(Kind::Number(numbers.len()));
                    numbers.push(slot);
                }
                SlotKind::Nominal { values } => {
                    let values = values.max(1);
                    kinds.push(Kind::Nominal(nominals.len(), values));
                    nominals.push((slot, values));
                    uniform.times(f64::from(values));
                }
            }
        }
        Slots {
            kinds: kinds.into(),
            numbers: numbers.into(),
            nominals: nominals.into(),
            log_uniform: -uniform.ln(),
            likelihoods,
        }
    }

    /// Heap bytes.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.kinds) + size_of_val(&*self.numbers) + size_of_val(&*self.nominals)
    }

    /// Bytes that one observed class is counted with before it has any codes.
    pub(super) fn class_bytes(&self) -> u64 {
        BLOCK_BYTES
            + NUMBER_BYTES * self.numbers.len() as u64
            + NOMINAL_BYTES * self.nominals.len() as u64
    }
}

/// The number in a slot; 0 if the row is shorter.
pub(super) fn number(x: &Features<'_>, slot: u32) -> f64 {
    let value = x.dense.get(slot as usize).copied().unwrap_or(0.0);
    let value = if value < VALUE_MAX { value } else { VALUE_MAX };
    if value > -VALUE_MAX { value } else { -VALUE_MAX }
}

/// The code in a nominal slot; codes beyond the bound are the last one, "unknown".
pub(super) fn code(x: &Features<'_>, slot: u32, values: u32) -> u32 {
    (number(x, slot) as u32).min(values - 1)
}

/// A product of positive numbers that cannot overflow, for one logarithm instead of many.
#[derive(Clone, Copy, Debug)]
struct Product {
    /// From 1 to below 2^900.
    mantissa: f64,
    exponent: i64,
}

impl Default for Product {
    fn default() -> Product {
        Product { mantissa: 1.0, exponent: 0 }
    }
}

impl Product {
    /// Multiplies by a positive normal number.
    fn times(&mut self, factor: f64) {
        const FRACTION: u64 = (1 << 52) - 1;
        let bits = factor.to_bits();
        self.exponent += ((bits >> 52) & 0x7ff) as i64 - 1023;
        self.mantissa *= f64::from_bits((bits & FRACTION) | (1023 << 52));
        if self.mantissa >= 1e270 {
            let bits = self.mantissa.to_bits();
            self.exponent += ((bits >> 52) & 0x7ff) as i64 - 1023;
            self.mantissa = f64::from_bits((bits & FRACTION) | (1023 << 52));
        }
    }

    fn ln(self) -> f64 {
        math::ln(self.mantissa) + self.exponent as f64 * std::f64::consts::LN_2
    }
}

/// How often a code was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Count {
    /// The code.
    pub(super) code: u32,
    /// The weight of its examples, above 0.
    pub(super) weight: f64,
}

/// How the values of one number lie, of one class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    /// The weight of the examples, above 0.
    pub(super) weight: f64,
    /// Their mean.
    pub(super) mean: f64,
    /// The weighted sum of squared distances from the mean.
    pub(super) squares: f64,
    /// The least value.
    pub(super) least: f64,
    /// The greatest value.
    pub(super) most: f64,
}

impl Spread {
    /// The weight at or below a threshold that lies between the least and the greatest value: by
    /// the Gaussian, or by even spread where there is no variance to go by.
    pub(super) fn weight_below(&self, threshold: f64) -> f64 {
        let more = self.weight - 1.0;
        let share = if more > 0.0 && self.squares > SQUARES_MIN {
            let distance = (threshold - self.mean) / (self.squares / more).sqrt();
            0.5 * (1.0 + math::erf(distance / std::f64::consts::SQRT_2))
        } else {
            (threshold - self.least) / (self.most - self.least)
        };
        share * self.weight
    }
}

/// What was seen of one class.
///
/// `lanes` holds five runs of one value for each number: means, inverses, squares, least, most.
/// Invariant: `inverses`, `half` and `log_scale` follow from the rest (see [`Block::refresh`]).
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// The class.
    pub(super) class: u32,
    /// The weight of its examples, above 0.
    pub(super) weight: f64,
    lanes: Box<[f64]>,
    counts: Box<[Vec<Count>]>,
    half: f64,
    log_scale: f64,
}

impl Block {
    fn new(class: u32, slots: &Slots) -> Block {
        let count = slots.numbers.len();
        let mut lanes = vec![0.0; 5 * count].into_boxed_slice();
        lanes[3 * count..4 * count].fill(f64::INFINITY);
        lanes[4 * count..].fill(f64::NEG_INFINITY);
        let counts = vec![Vec::new(); slots.nominals.len()].into_boxed_slice();
        Block { class, weight: 0.0, lanes, counts, half: 0.0, log_scale: 0.0 }
    }

    /// How the values of a number lie.
    pub(super) fn spread(&self, number: usize) -> Spread {
        let count = self.lanes.len() / 5;
        let lane = |lane: usize| self.lanes[lane * count + number];
        Spread {
            weight: self.weight,
            mean: lane(0),
            squares: lane(2),
            least: lane(3),
            most: lane(4),
        }
    }

    /// The codes seen in a nominal slot, ascending.
    pub(super) fn counts(&self, nominal: usize) -> &[Count] {
        &self.counts[nominal]
    }

    /// Takes an example in. Returns how many codes are new.
    fn add(&mut self, slots: &Slots, x: &Features<'_>, weight: f64) -> u64 {
        self.weight += weight;
        let share = weight / self.weight;
        let count = slots.numbers.len();
        let (means, rest) = self.lanes.split_at_mut(count);
        let (_, rest) = rest.split_at_mut(count);
        let (squares, rest) = rest.split_at_mut(count);
        let (least, most) = rest.split_at_mut(count);
        for (index, slot) in slots.numbers.iter().enumerate() {
            let value = number(x, *slot);
            let distance = value - means[index];
            means[index] += share * distance;
            // Rounding may give a product below 0, when one example outweighs all before it.
            squares[index] += (weight * distance * (value - means[index])).max(0.0);
            // Compared, not `min` and `max`: which of two zeros these return is not laid down.
            if value < least[index] {
                least[index] = value;
            }
            if value > most[index] {
                most[index] = value;
            }
        }
        let mut fresh = 0;
        for (counts, (slot, values)) in self.counts.iter_mut().zip(&slots.nominals) {
            let code = code(x, *slot, *values);
            match counts.binary_search_by_key(&code, |count| count.code) {
                Ok(at) => counts[at].weight += weight,
                Err(at) => {
                    reserve_tight(counts);
                    counts.insert(at, Count { code, weight });
                    fresh += 1;
                }
            }
        }
        self.refresh(slots);
        fresh
    }

    /// Makes what is derived: after every change, and after the state was read.
    fn refresh(&mut self, slots: &Slots) {
        if !slots.likelihoods {
            return;
        }
        let count = slots.numbers.len();
        let more = self.weight - 1.0;
        self.half = 0.0;
        self.log_scale = 0.0;
        if more > 0.0 {
            let (left, right) = self.lanes.split_at_mut(2 * count);
            let inverses = &mut left[count..];
            let mut product = Product::default();
            let mut spreads = 0.0;
            for (inverse, squares) in inverses.iter_mut().zip(&right[..count]) {
                *inverse = 0.0;
                if *squares > SQUARES_MIN {
                    *inverse = 1.0 / squares;
                    product.times(*squares);
                    spreads += 1.0;
                }
            }
            self.half = 0.5 * more;
            self.log_scale = spreads * (0.5 * math::ln(more) - HALF_LOG_TAU) - 0.5 * product.ln();
        }
        if !slots.nominals.is_empty() {
            let mut product = Product::default();
            for (_, values) in &slots.nominals {
                product.times(self.weight + f64::from(*values));
            }
            self.log_scale -= product.ln();
        }
    }

    /// The logarithm of the likelihood of an example under this class, features taken as
    /// independent. A number without spread says nothing; codes are smoothed by one example each
    /// (Laplace), so that one never seen is rare rather than impossible.
    fn log_likelihood(&self, slots: &Slots, x: &Features<'_>) -> f64 {
        let count = slots.numbers.len();
        let mut log = self.log_scale;
        if self.half > 0.0 {
            let (means, rest) = self.lanes.split_at(count);
            let mut fall = 0.0;
            for ((slot, mean), inverse) in slots.numbers.iter().zip(means).zip(rest) {
                let distance = number(x, *slot) - mean;
                fall += distance * distance * inverse;
            }
            log -= (self.half * fall).min(LOG_FALL_MAX);
        }
        if !slots.nominals.is_empty() {
            let mut product = Product::default();
            for (counts, (slot, values)) in self.counts.iter().zip(&slots.nominals) {
                let code = code(x, *slot, *values);
                let seen = counts.binary_search_by_key(&code, |count| count.code);
                product.times(1.0 + seen.map_or(0.0, |at| counts[at].weight));
            }
            log += product.ln();
        }
        log
    }

    fn heap_bytes(&self) -> usize {
        let counts = |counts: &Vec<Count>| counts.capacity() * size_of::<Count>();
        size_of_val(&*self.lanes)
            + size_of_val(&*self.counts)
            + self.counts.iter().map(counts).sum::<usize>()
    }

    fn save(&self, to: &mut Writer) {
        let count = self.lanes.len() / 5;
        to.u32(self.class);
        to.f64(self.weight);
        for (index, value) in self.lanes.iter().enumerate() {
            if !(count..2 * count).contains(&index) {
                to.f64(*value);
            }
        }
        for counts in &self.counts {
            to.len(counts.len());
            for count in counts {
                to.u32(count.code);
                to.f64(count.weight);
            }
        }
    }

    fn read(from: &mut Reader<'_>, slots: &Slots, classes_max: u32) -> Result<Block, StateError> {
        let class = read_class(from, classes_max)?;
        let weight = read_weight(from)?;
        let count = slots.numbers.len();
        if from.left() < 32 * count {
            return Err(StateError::Short);
        }
        let mut block = Block::new(class, slots);
        block.weight = weight;
        for (index, value) in block.lanes.iter_mut().enumerate() {
            if !(count..2 * count).contains(&index) {
                *value = read_finite(from)?;
            }
        }
        for index in 0..count {
            let Spread { squares, least, most, mean, .. } = block.spread(index);
            let bound = -VALUE_MAX..=VALUE_MAX;
            // A mean may be rounded over the edge, by a place or a few.
            if squares < 0.0
                || least > most
                || mean.abs() > 1.001 * VALUE_MAX
                || ![least, most].iter().all(|v| bound.contains(v))
            {
                return Err(StateError::Unfit { what: "a spread that no numbers have" });
            }
        }
        for (counts, (_, values)) in block.counts.iter_mut().zip(&slots.nominals) {
            let length = from.len(12)?;
            counts.reserve_exact(length);
            for _ in 0..length {
                let count = Count { code: from.u32()?, weight: read_weight(from)? };
                let ascending = counts.last().is_none_or(|last| last.code < count.code);
                if count.code >= *values || !ascending {
                    return Err(StateError::Unfit { what: "codes out of order or bound" });
                }
                counts.push(count);
            }
        }
        block.refresh(slots);
        Ok(block)
    }
}

/// What a leaf remembers. Invariant: no class twice; `codes` is the number of all counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Observers {
    /// The classes in the order of their first example.
    pub(super) blocks: Vec<Block>,
    codes: u64,
}

impl Observers {
    /// Takes an example in.
    pub(super) fn add(&mut self, slots: &Slots, x: &Features<'_>, class: u32, weight: f64) {
        let at = match self.blocks.iter().position(|block| block.class == class) {
            Some(at) => at,
            None => {
                self.blocks.reserve_exact(1);
                self.blocks.push(Block::new(class, slots));
                self.blocks.len() - 1
            }
        };
        self.codes += self.blocks[at].add(slots, x, weight);
    }

    /// The logarithm of the likelihood of an example under a class.
    pub(super) fn log_likelihood(&self, slots: &Slots, x: &Features<'_>, class: u32) -> f64 {
        match self.blocks.iter().find(|block| block.class == class) {
            Some(block) => block.log_likelihood(slots, x),
            None => slots.log_uniform,
        }
    }

    /// The bytes it is counted with.
    pub(super) fn counted_bytes(&self, slots: &Slots) -> u64 {
        OBSERVERS_BYTES + self.blocks.len() as u64 * slots.class_bytes() + self.codes * COUNT_BYTES
    }

    /// Heap bytes, itself included, as it lies in a box.
    pub(super) fn boxed_bytes(&self) -> usize {
        size_of::<Observers>()
            + self.blocks.capacity() * size_of::<Block>()
            + self.blocks.iter().map(Block::heap_bytes).sum::<usize>()
    }

    /// Writes it.
    pub(super) fn save(&self, to: &mut Writer) {
        to.len(self.blocks.len());
        for block in &self.blocks {
            block.save(to);
        }
    }

    /// Reads it.
    pub(super) fn read(
        from: &mut Reader<'_>,
        slots: &Slots,
        classes_max: u32,
    ) -> Result<Observers, StateError> {
        let length = from.len(12)?;
        let mut observers = Observers::default();
        for _ in 0..length {
            let block = Block::read(from, slots, classes_max)?;
            if observers.blocks.iter().any(|other| other.class == block.class) {
                return Err(StateError::Unfit { what: "a class twice in a leaf" });
            }
            observers.codes += block.counts.iter().map(|counts| counts.len() as u64).sum::<u64>();
            observers.blocks.reserve_exact(1);
            observers.blocks.push(block);
        }
        Ok(observers)
    }
}

/// Makes room for one more, and for an eighth, so that a list wastes little and grows seldom.
pub(super) fn reserve_tight<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(1 + list.len() / 8);
    }
}

/// A class below the bound.
pub(super) fn read_class(from: &mut Reader<'_>, classes_max: u32) -> Result<u32, StateError> {
    match from.u32()? {
        class if class < classes_max => Ok(class),
        _ => Err(StateError::Unfit { what: "a class beyond the bound" }),
    }
}

/// A finite number.
pub(super) fn read_finite(from: &mut Reader<'_>) -> Result<f64, StateError> {
    match from.f64()? {
        value if value.is_finite() => Ok(value),
        _ => Err(StateError::Unfit { what: "a number that is not finite" }),
    }
}

/// A number from 0 to so much that no sum of many overflows.
pub(super) fn read_weight(from: &mut Reader<'_>) -> Result<f64, StateError> {
    match read_finite(from)? {
        value if (0.0..=1e100).contains(&value) => Ok(value),
        _ => Err(StateError::Unfit { what: "a weight out of range" }),
    }
}
