//! Arithmetic that gives the same bits on every machine.
//!
//! The platform's `exp`, `ln` and `pow` differ between libraries in the last bit, and the order of
//! a sum changes its value; so the functions come from one pinned library, and every reduction has
//! a fixed number of lanes.

use std::array::from_fn;

mod logistic;

pub use logistic::sigmoid;

/// Lanes of every sum over a slice: wide enough for the machine, and the same everywhere.
pub(crate) const LANES: usize = 16;

/// `e` to the power of `x`.
pub fn exp(x: f64) -> f64 {
    libm::exp(x)
}

/// Natural logarithm.
pub fn ln(x: f64) -> f64 {
    libm::log(x)
}

/// Logarithm to base 2.
pub fn log2(x: f64) -> f64 {
    libm::log2(x)
}

/// Natural logarithm of `1 + x`, exact for small `x`.
pub fn ln_1p(x: f64) -> f64 {
    libm::log1p(x)
}

/// `x` to the power of `y`.
pub fn pow(x: f64, y: f64) -> f64 {
    libm::pow(x, y)
}

/// The error function.
pub fn erf(x: f64) -> f64 {
    libm::erf(x)
}

/// The sum of `a[i] * b[i]`, in a fixed order: 16 lanes, then a tree.
///
/// The slices have one length.
#[inline]
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "both sides of a dot product have one length");
    reduce([a, b], |[a, b]| a * b)
}

/// The sum of what `term` makes of the numbers at one index, in a fixed order: 16 lanes, then a
/// tree.
///
/// The rest goes by fours, at places that are known when this is compiled, into the lanes it would
/// reach one by one: the same bits, and the lanes stay in registers.
#[inline(always)]
pub(crate) fn reduce<const N: usize>(rows: [&[f64]; N], term: impl Fn([f64; N]) -> f64) -> f64 {
    let count = rows.iter().map(|row| row.len()).min().unwrap_or(0);
    let chunks = rows.map(|row| row[..count].as_chunks::<LANES>());
    let mut lanes = [0.0; LANES];
    for index in 0..count / LANES {
        let chunk = chunks.map(|(chunks, _)| &chunks[index]);
        for lane in 0..LANES {
            lanes[lane] += term(chunk.map(|chunk| chunk[lane]));
        }
    }
    let rest = chunks.map(|(_, rest)| rest);
    let left = count % LANES;
    for quad in 0..LANES / 4 {
        let first = 4 * quad;
        if first + 4 <= left {
            let four = rest.map(|rest| &rest[first..first + 4]);
            for lane in 0..4 {
                lanes[first + lane] += term(four.map(|four| four[lane]));
            }
        } else {
            for lane in first..first + 3 {
                if lane < left {
                    lanes[lane] += term(rest.map(|rest| rest[lane]));
                }
            }
            break;
        }
    }
    fold(lanes)
}

/// The squared Euclidean distance of two points, in a fixed order: 16 lanes, then a tree. At most
/// [`f64::MAX`], so finite for all finite numbers.
///
/// The slices have one length.
#[inline]
pub fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "two points of one space have one length");
    reduce([a, b], |[a, b]| (a - b) * (a - b)).min(f64::MAX)
}

/// The sum of a slice, in a fixed order: 16 lanes, then a tree.
#[inline]
pub fn sum(values: &[f64]) -> f64 {
    reduce([values], |[value]| value)
}

/// The sum of the lanes, by a tree.
#[inline(always)]
fn fold(lanes: [f64; LANES]) -> f64 {
    let eight: [f64; 8] = from_fn(|lane| lanes[lane] + lanes[lane + 8]);
    let four: [f64; 4] = from_fn(|lane| eight[lane] + eight[lane + 4]);
    let two: [f64; 2] = from_fn(|lane| four[lane] + four[lane + 2]);
    two[0] + two[1]
}

/// The number that lies a share of the way from one number to another. `share` is from 0 to 1. The
/// result is finite for all finite numbers, and exactly `from` where both are the same: so a mean
/// is kept without a sum that could overflow.
pub fn toward(from: f64, to: f64, share: f64) -> f64 {
    let there = from + share * (to - from);
    if there.is_finite() { there } else { from * (1.0 - share) + to * share }
}

/// Counter-based random bits: a function of a key and a counter, with no state to save
/// (splitmix64's finaliser; Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
/// Generators", OOPSLA 2014, figure 17).
pub fn random_bits(key: u64, counter: u64) -> u64 {
    let mut z = key.wrapping_add(counter.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A random number in [0, 1), of 53 bits.
pub fn random_unit(key: u64, counter: u64) -> f64 {
    (random_bits(key, counter) >> 11) as f64 / (1u64 << 53) as f64
}

/// A 64-bit hash of bytes (XXH3 with a seed). Part of the state format: pinned.
pub fn hash64(bytes: &[u8], seed: u64) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(bytes, seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_of_any_length_is_a_sum() {
        for count in 0..70u32 {
            let values: Vec<f64> = (0..count).map(f64::from).collect();
            let ones = vec![1.0; values.len()];
            let expected = f64::from(count * count.saturating_sub(1) / 2);
            assert_eq!(sum(&values), expected);
            assert_eq!(dot(&values, &ones), expected);
        }
    }

    #[test]
    fn a_distance_of_any_length_is_finite() {
        for count in 0..40u32 {
            let values: Vec<f64> = (0..count).map(f64::from).collect();
            let twos: Vec<f64> = values.iter().map(|value| value + 2.0).collect();
            assert_eq!(squared_distance(&values, &twos), f64::from(4 * count));
        }
        assert_eq!(squared_distance(&[f64::MAX], &[f64::MIN]), f64::MAX);
    }

    #[test]
    fn a_share_of_the_way_is_never_beyond_the_ends() {
        assert_eq!(toward(2.0, 4.0, 0.25), 2.5);
        assert_eq!(toward(0.1, 0.1, 0.3), 0.1);
        assert_eq!(toward(f64::MAX, f64::MIN, 0.5), 0.0);
        assert_eq!(toward(f64::MAX, f64::MIN, 1.0), f64::MIN);
        // One and a half units of the last place of the greatest number: their difference is
        // rounded up, and so is the sum of it and the first.
        let far = 1.5 * (f64::MAX - f64::MAX.next_down());
        assert_eq!(toward(far, f64::MAX, 1.0), f64::MAX);
        assert_eq!(toward(-far, f64::MIN, 1.0), f64::MIN);
    }
}
