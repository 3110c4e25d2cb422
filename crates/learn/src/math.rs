//! Arithmetic that gives the same bits on every machine.
//!
//! The platform's `exp`, `ln` and `pow` differ between libraries in the last bit, and the order of
//! a sum changes its value; so the functions come from one pinned library, and every reduction has
//! a fixed number of lanes.

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

/// The logistic function, `1 / (1 + e^-x)`, without overflow at either end.
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x.clamp(-700.0, 700.0)))
}

/// The sum of `a[i] * b[i]`, in a fixed order: 16 lanes, then a tree.
///
/// The slices have one length.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "both sides of a dot product have one length");
    let mut lanes = [0.0; LANES];
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    // The rest by fours, into the lanes it would reach one by one: the same bits in half the time.
    let ((a_quads, a_rest), (b_quads, b_rest)) = (a_rest.as_chunks::<4>(), b_rest.as_chunks::<4>());
    let quads = lanes.as_chunks_mut::<4>().0.iter_mut();
    for ((lanes, a), b) in quads.zip(a_quads).zip(b_quads) {
        for lane in 0..4 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    for (lane, (a, b)) in lanes[4 * a_quads.len()..].iter_mut().zip(a_rest.iter().zip(b_rest)) {
        *lane += a * b;
    }
    fold(lanes)
}

/// The squared Euclidean distance of two points, in a fixed order: 16 lanes, then a tree. At most
/// [`f64::MAX`], so finite for all finite numbers.
///
/// The slices have one length.
pub fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "two points of one space have one length");
    let mut lanes = [0.0; LANES];
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..LANES {
            let apart = a[lane] - b[lane];
            lanes[lane] += apart * apart;
        }
    }
    for (lane, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
        let apart = a - b;
        lanes[lane] += apart * apart;
    }
    fold(lanes).min(f64::MAX)
}

/// The sum of a slice, in a fixed order: 16 lanes, then a tree.
pub fn sum(values: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] += chunk[lane];
        }
    }
    for (lane, value) in rest.iter().enumerate() {
        lanes[lane] += value;
    }
    fold(lanes)
}

/// The sum of the lanes, by a tree.
pub(crate) fn fold(mut lanes: [f64; LANES]) -> f64 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// The number that lies a share of the way from one number to another. `share` is from 0 to 1. The
/// result is finite for all finite numbers, and exactly `from` where both are the same: so a mean
/// is kept without a sum that could overflow.
pub fn toward(from: f64, to: f64, share: f64) -> f64 {
    let apart = to - from;
    if apart.is_finite() { from + share * apart } else { from * (1.0 - share) + to * share }
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
    }

    #[test]
    fn the_logistic_function_has_finite_ends() {
        assert_eq!(sigmoid(0.0), 0.5);
        assert_eq!(sigmoid(f64::MAX), 1.0);
        assert!(sigmoid(-f64::MAX) >= 0.0 && sigmoid(-f64::MAX) < 1e-300);
    }
}
