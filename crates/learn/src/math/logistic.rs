//! The logistic function, for the inner loop of a learner.
//!
//! A learner waits for this one value before it can move a weight, so what counts is the time from
//! argument to result: no branch that depends on the sign, a table in place of a long polynomial,
//! and a short tree of products. P. T. P. Tang, "Table-Driven Implementation of the Exponential
//! Function in IEEE Floating-Point Arithmetic", TOMS 15 (2), 1989, section 2, with 64 entries.

/// Arguments beyond this size count as this: the exponential and its inverse stay normal numbers.
const SIZE_MAX: f64 = 700.0;

/// 64 / ln 2.
const STEPS: f64 = f64::from_bits(0x4057_1547_652b_82fe);

/// ln 2 / 64, in two parts: the product of the first with a whole number below 2^20 is exact.
const STEP: [f64; 2] =
    [f64::from_bits(0x3f86_2e42_fee0_0000), f64::from_bits(0x3d8a_39ef_3579_3c76)];

/// 1.5 * 2^52: added to a number below 2^51 it leaves the nearest whole number in the last bits.
const ROUND: f64 = f64::from_bits(0x4338_0000_0000_0000);

/// 2^(index / 64), as bits, correctly rounded.
#[rustfmt::skip]
const POWERS: [u64; 64] = [
    0x3ff0_0000_0000_0000, 0x3ff0_2c9a_3e77_8061, 0x3ff0_59b0_d315_8574, 0x3ff0_8745_1875_9bc8,
    0x3ff0_b558_6cf9_890f, 0x3ff0_e3ec_32d3_d1a2, 0x3ff1_1301_d012_5b51, 0x3ff1_429a_aea9_2de0,
    0x3ff1_72b8_3c7d_517b, 0x3ff1_a35b_eb6f_cb75, 0x3ff1_d487_3168_b9aa, 0x3ff2_063b_8862_8cd6,
    0x3ff2_387a_6e75_6238, 0x3ff2_6b45_65e2_7cdd, 0x3ff2_9e9d_f51f_dee1, 0x3ff2_d285_a6e4_030b,
    0x3ff3_06fe_0a31_b715, 0x3ff3_3c08_b264_16ff, 0x3ff3_71a7_373a_a9cb, 0x3ff3_a7db_34e5_9ff7,
    0x3ff3_dea6_4c12_3422, 0x3ff4_160a_21f7_2e2a, 0x3ff4_4e08_6061_892d, 0x3ff4_86a2_b5c1_3cd0,
    0x3ff4_bfda_d536_2a27, 0x3ff4_f9b2_769d_2ca7, 0x3ff5_342b_569d_4f82, 0x3ff5_6f47_36b5_27da,
    0x3ff5_ab07_dd48_5429, 0x3ff5_e76f_15ad_2148, 0x3ff6_247e_b03a_5585, 0x3ff6_6238_8255_2225,
    0x3ff6_a09e_667f_3bcd, 0x3ff6_dfb2_3c65_1a2f, 0x3ff7_1f75_e8ec_5f74, 0x3ff7_5feb_5642_67c9,
    0x3ff7_a114_73eb_0187, 0x3ff7_e2f3_36cf_4e62, 0x3ff8_2589_994c_ce13, 0x3ff8_68d9_9b44_92ed,
    0x3ff8_ace5_422a_a0db, 0x3ff8_f1ae_9915_7736, 0x3ff9_3737_b0cd_c5e5, 0x3ff9_7d82_9fde_4e50,
    0x3ff9_c491_82a3_f090, 0x3ffa_0c66_7b5d_e565, 0x3ffa_5503_b23e_255d, 0x3ffa_9e6b_5579_fdbf,
    0x3ffa_e89f_995a_d3ad, 0x3ffb_33a2_b84f_15fb, 0x3ffb_7f76_f2fb_5e47, 0x3ffb_cc1e_904b_c1d2,
    0x3ffc_199b_dd85_529c, 0x3ffc_67f1_2e57_d14b, 0x3ffc_b720_dcef_9069, 0x3ffd_072d_4a07_897c,
    0x3ffd_5818_dcfb_a487, 0x3ffd_a9e6_03db_3285, 0x3ffd_fc97_337b_9b5f, 0x3ffe_502e_e78b_3ff6,
    0x3ffe_a4af_a2a4_90da, 0x3ffe_fa1b_ee61_5a27, 0x3fff_5076_5b6e_4540, 0x3fff_a7c1_819e_90d8,
];

/// The logistic function, `1 / (1 + e^-x)`, without overflow at either end. Within 3 units of the
/// last place; the same bits on every machine. NaN gives NaN.
#[inline]
pub fn sigmoid(x: f64) -> f64 {
    let x = if x.abs() <= SIZE_MAX { x } else { clamped(x) };
    let (power, more) = exp_parts(-x);
    // The power is known long before the rest, and 1 + power with it.
    1.0 / ((1.0 + power) + power * more)
}

/// Rare, and so a branch: the usual argument then does not wait for two comparisons.
#[cold]
fn clamped(x: f64) -> f64 {
    x.clamp(-SIZE_MAX, SIZE_MAX)
}

/// `e^x` as `power + power * more`, for an `x` of at most [`SIZE_MAX`] in size.
#[inline(always)]
fn exp_parts(x: f64) -> (f64, f64) {
    // x = whole * ln 2 / 64 + r, with r at most ln 2 / 128 in size.
    let rounded = x * STEPS + ROUND;
    let whole = rounded - ROUND;
    let r = (x - whole * STEP[0]) - whole * STEP[1];
    let bits = rounded.to_bits();
    let power = POWERS[(bits % 64) as usize].wrapping_add((bits >> 6) << 52);
    // e^r - 1 by its series; what is left out is below 2^-54.
    let r2 = r * r;
    let more =
        (r + r2 * (1.0 / 2.0 + r * (1.0 / 6.0))) + (r2 * r2) * (1.0 / 24.0 + r * (1.0 / 120.0));
    (f64::from_bits(power), more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{hash64, random_unit};

    /// How many numbers apart two positive numbers are.
    fn apart(a: f64, b: f64) -> u64 {
        a.to_bits().abs_diff(b.to_bits())
    }

    /// A dense grid, the same grid near 0, and numbers without a pattern.
    fn arguments() -> impl Iterator<Item = f64> {
        let grid = (-70_000..=70_000).map(|step| f64::from(step) * 0.01);
        let small = (-10_000..=10_000).map(|step| f64::from(step) * 1e-7);
        let random = (0..200_000).map(|index| 80.0 * (random_unit(3, index) - 0.5));
        grid.chain(small).chain(random)
    }

    #[test]
    fn it_is_the_logistic_function_to_the_last_places() {
        // The quotient that it is compared with is itself up to 2 numbers from the truth.
        for x in arguments() {
            let (power, more) = exp_parts(x);
            assert!(apart(power + power * more, libm::exp(x)) <= 2, "e^{x}");
            let expected = 1.0 / (1.0 + libm::exp(-x));
            assert!(apart(sigmoid(x), expected) <= 4, "{x}: {} is not {expected}", sigmoid(x));
        }
    }

    #[test]
    fn powers_are_correctly_rounded() {
        for (index, power) in POWERS.iter().enumerate() {
            assert!(apart(f64::from_bits(*power), libm::exp2(index as f64 / 64.0)) <= 1);
        }
    }

    /// The bits themselves, as a digest: a change of any is a change of every model.
    #[test]
    fn it_has_the_same_bits_everywhere() {
        let bytes: Vec<u8> = arguments().flat_map(|x| sigmoid(x).to_le_bytes()).collect();
        assert_eq!(hash64(&bytes, 0), 5_419_943_279_223_618_708);
    }

    #[test]
    fn it_has_finite_ends() {
        assert_eq!(sigmoid(0.0), 0.5);
        assert_eq!(sigmoid(-0.0), 0.5);
        assert_eq!(sigmoid(f64::INFINITY), 1.0);
        assert!(sigmoid(-f64::MAX) > 0.0 && sigmoid(-f64::MAX) < 1e-300);
        assert_eq!(sigmoid(f64::NEG_INFINITY), sigmoid(-700.0));
        assert!(sigmoid(f64::NAN).is_nan());
    }
}
