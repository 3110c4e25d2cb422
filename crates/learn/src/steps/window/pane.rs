//! What is known of some neighbouring records of one key, in words of 8 bytes: the pane's number,
//! how many records there are, then a word or some for each thing that is kept.

use crate::{
    ConfigError, Row, Scope, math,
    steps::shared::{VALUE_MAX, Value, bounded},
};

/// Where the pane's number is, and how many records it has: a number, as they may fade.
pub(super) const NUMBER: usize = 0;
pub(super) const COUNT: usize = 1;

/// Fewer records than this are none: what a faded pane holds is not worth a division any more.
pub(super) const COUNT_MIN: f64 = 1e-12;

/// No pane can have counted further.
const COUNT_MAX: f64 = (1u64 << 53) as f64;

/// What one word, or some, of a pane hold.
#[derive(Clone, Debug)]
struct Lane {
    word: usize,
    keep: Keep,
}

#[derive(Clone, Debug, PartialEq)]
enum Keep {
    /// The sum of a number.
    Sum {
        slot: usize,
    },
    Least {
        slot: usize,
    },
    Greatest {
        slot: usize,
    },
    /// A bit set for each value met: its place is a hash of the value.
    Bits {
        source: Value,
        words: usize,
    },
}

/// The squared distances of a number to its mean, beside its sum.
#[derive(Clone, Debug)]
struct Squares {
    word: usize,
    slot: usize,
    sum: usize,
}

/// What the words of a pane are.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    width: usize,
    lanes: Vec<Lane>,
    squares: Vec<Squares>,
}

fn number(word: u64) -> f64 {
    f64::from_bits(word)
}

impl Layout {
    pub(super) fn new() -> Layout {
        Layout { width: COUNT + 1, lanes: Vec::new(), squares: Vec::new() }
    }

    /// Words a pane takes.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// The first word of what is kept so; taken if there is none yet.
    fn lane(&mut self, keep: Keep, words: usize) -> usize {
        if let Some(lane) = self.lanes.iter().find(|lane| lane.keep == keep) {
            return lane.word;
        }
        let word = self.width;
        self.width += words;
        self.lanes.push(Lane { word, keep });
        word
    }

    pub(super) fn sum(&mut self, slot: usize) -> usize {
        self.lane(Keep::Sum { slot }, 1)
    }

    pub(super) fn least(&mut self, slot: usize) -> usize {
        self.lane(Keep::Least { slot }, 1)
    }

    pub(super) fn greatest(&mut self, slot: usize) -> usize {
        self.lane(Keep::Greatest { slot }, 1)
    }

    pub(super) fn bits(&mut self, source: Value, words: usize) -> usize {
        self.lane(Keep::Bits { source, words }, words)
    }

    pub(super) fn squares(&mut self, slot: usize, sum: usize) -> usize {
        if let Some(squares) = self.squares.iter().find(|squares| squares.slot == slot) {
            return squares.word;
        }
        let word = self.width;
        self.width += 1;
        self.squares.push(Squares { word, slot, sum });
        word
    }

    /// Takes a record into a pane.
    #[inline]
    pub(super) fn add(&self, pane: &mut [u64], row: &Row<'_>) {
        let count = number(pane[COUNT]);
        for Squares { word, slot, sum } in &self.squares {
            if count > 0.0 {
                let apart = bounded(row.values[*slot]) - number(pane[*sum]) / count;
                let more = apart * apart * (count / (count + 1.0));
                pane[*word] = (number(pane[*word]) + more).to_bits();
            }
        }
        for Lane { word, keep } in &self.lanes {
            let word = *word;
            match keep {
                Keep::Sum { slot } => {
                    pane[word] = (number(pane[word]) + bounded(row.values[*slot])).to_bits();
                }
                // Compared, not `min` and `max`: which of two zeros these return is not laid down.
                Keep::Least { slot } => {
                    let value = bounded(row.values[*slot]);
                    if count == 0.0 || value < number(pane[word]) {
                        pane[word] = value.to_bits();
                    }
                }
                Keep::Greatest { slot } => {
                    let value = bounded(row.values[*slot]);
                    if count == 0.0 || value > number(pane[word]) {
                        pane[word] = value.to_bits();
                    }
                }
                Keep::Bits { source, words } => {
                    let bit = source.hash(row) as usize & (64 * words - 1);
                    pane[word + bit / 64] |= 1 << (bit % 64);
                }
            }
        }
        pane[COUNT] = (count + 1.0).to_bits();
    }

    /// Lets a pane of counts, sums and squares fade.
    pub(super) fn fade(&self, pane: &mut [u64], kept: f64) {
        let count = number(pane[COUNT]) * kept;
        let kept = if count < COUNT_MIN { 0.0 } else { kept };
        for word in &mut pane[COUNT..] {
            *word = (number(*word) * kept).to_bits();
        }
    }

    /// Whether a pane that was read can be.
    pub(super) fn is_sound(&self, pane: &[u64]) -> bool {
        let count = number(pane[COUNT]);
        let is_bounded = |value: f64, most: f64| value.abs() <= most;
        // A sum of bounded values, rounded.
        let sum_max = 1.001 * VALUE_MAX * count;
        let is_lane = |Lane { word, keep }: &Lane| match keep {
            Keep::Sum { .. } => is_bounded(number(pane[*word]), sum_max),
            Keep::Least { .. } | Keep::Greatest { .. } => {
                is_bounded(number(pane[*word]), VALUE_MAX)
            }
            Keep::Bits { .. } => true,
        };
        let is_squares = |squares: &Squares| (0.0..=1e298).contains(&number(pane[squares.word]));
        (1.0..=COUNT_MAX).contains(&count)
            && self.lanes.iter().all(is_lane)
            && self.squares.iter().all(is_squares)
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.lanes.capacity() * size_of::<Lane>() + self.squares.capacity() * size_of::<Squares>()
    }
}

/// The squared distances of all records of some panes to their mean.
pub(super) fn squares_of<'a>(
    panes: impl Iterator<Item = &'a [u64]>,
    sum: usize,
    squares: usize,
) -> f64 {
    let parts = panes.map(|pane| (number(pane[COUNT]), number(pane[sum]), number(pane[squares])));
    let joined = parts.reduce(|(count, sum, squares), (newer, newer_sum, newer_squares)| {
        let apart = newer_sum / newer - sum / count;
        let share = count * (newer / (count + newer));
        (count + newer, sum + newer_sum, squares + newer_squares + apart * apart * share)
    });
    joined.map_or(0.0, |(_, _, squares)| squares)
}

/// About how many values there are, by the bits that they set (linear counting).
pub(super) fn distinct<'a, I: Iterator<Item = &'a [u64]>>(
    panes: impl Fn() -> I,
    word: usize,
    words: usize,
) -> f64 {
    let zeros: u32 = (word..word + words)
        .map(|word| panes().fold(0, |bits, pane| bits | pane[word]).count_zeros())
        .sum();
    let bits = 64.0 * words as f64;
    (bits * math::ln(bits / f64::from(zeros.max(1)))).round()
}

/// Finds the values that are told apart.
pub(super) fn source(scope: &Scope<'_>, setting: &str, of: &str) -> Result<Value, ConfigError> {
    let columns = scope.columns(setting, &[of.to_string()])?;
    let must_be = "the name of one category, id, text or number";
    match columns.as_slice() {
        [column] => Value::new(column, setting, must_be),
        _ => Err(ConfigError::new(setting, of, must_be)),
    }
}
