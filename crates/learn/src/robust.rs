//! Median and median absolute deviation: what a few wild values cannot move.

use crate::math;

/// The median, and the median distance to it. The values are put in another order. Of an even
/// number the median is the middle of the two in the middle. `None` of no values.
pub(crate) fn median_and_deviation(values: &mut [f64]) -> Option<(f64, f64)> {
    let median = median(values)?;
    for value in values.iter_mut() {
        *value = (*value - median).abs().min(f64::MAX);
    }
    Some((median, self::median(values)?))
}

fn median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    let is_even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    let lower = below.iter().copied().max_by(f64::total_cmp);
    Some(if is_even { lower.map_or(upper, |lower| math::toward(lower, upper, 0.5)) } else { upper })
}

/// So many median absolute deviations are one standard deviation, of values that are normal.
pub(crate) const NORMAL: f64 = 1.482_602_218_505_602;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_values_may_be_wild() {
        assert_eq!(median_and_deviation(&mut []), None);
        assert_eq!(median_and_deviation(&mut [7.0]), Some((7.0, 0.0)));
        assert_eq!(median_and_deviation(&mut [1.0, 9.0, 2.0]), Some((2.0, 1.0)));
        assert_eq!(median_and_deviation(&mut [4.0, 1.0, 3.0, 2.0]), Some((2.5, 1.0)));
        let wild = &mut [1.0, f64::MAX, 2.0, -f64::MAX, 3.0];
        assert_eq!(median_and_deviation(wild), Some((2.0, 1.0)));
        let widest = &mut [f64::MAX, -f64::MAX];
        assert_eq!(median_and_deviation(widest), Some((0.0, f64::MAX)));
    }
}
