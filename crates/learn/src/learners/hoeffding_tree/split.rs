//! Whether and where a leaf is split.

use super::{
    Config, NominalSplit, Split,
    node::{ClassWeight, Leaf, total},
    observer::{Kind, Observers, Slots},
};
use crate::math;

/// A test that parts examples.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    /// At most the threshold: first; above: second.
    Threshold(f64),
    /// This code: first; any other: second.
    Equal(u32),
    /// A branch for each of these codes, ascending.
    Each(Vec<u32>),
}

/// What came of looking at a leaf.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Decision {
    /// Not enough is known.
    Wait,
    /// The leaf is best left whole.
    Keep,
    /// Split by the test on the slot.
    Split(u32, Test),
}

/// How far the mean of `weight` observations of a variable with that range may lie from its
/// expectation, with probability `1 - delta` (Hoeffding's inequality).
pub(super) fn hoeffding_bound(range: f64, delta: f64, weight: f64) -> f64 {
    (range * range * math::ln(1.0 / delta) / (2.0 * weight)).sqrt()
}

/// Entropy in bits.
fn entropy(classes: &[ClassWeight]) -> f64 {
    let (mut sum, mut entropy) = (0.0, 0.0);
    for weight in classes.iter().map(|entry| entry.weight).filter(|weight| *weight > 0.0) {
        entropy -= weight * math::log2(weight);
        sum += weight;
    }
    if sum > 0.0 { (entropy + sum * math::log2(sum)) / sum } else { 0.0 }
}

/// The probability that two drawn at random differ.
fn gini(classes: &[ClassWeight]) -> f64 {
    let sum = total(classes);
    let mut gini = 1.0;
    if sum > 0.0 {
        for entry in classes {
            gini -= (entry.weight / sum) * (entry.weight / sum);
        }
    }
    gini
}

impl Split {
    /// The impurity of a leaf that splits are held against.
    fn whole(self, classes: &[ClassWeight]) -> f64 {
        match self {
            Split::InfoGain => entropy(classes),
            Split::Gini => 1.0,
        }
    }

    /// How much lower the impurity is after a split: information gain in bits, or 1 less the Gini
    /// index. Minus infinity when fewer than two branches hold more than `share_min` of the weight.
    fn merit(self, whole: f64, parts: &[Vec<ClassWeight>], share_min: f64) -> f64 {
        let all: f64 = parts.iter().map(|part| total(part)).sum();
        let large = |part: &&Vec<ClassWeight>| total(part) / all > share_min;
        if all <= 0.0 || parts.iter().filter(large).count() < 2 {
            return f64::NEG_INFINITY;
        }
        let mean = match self {
            Split::InfoGain => {
                parts.iter().map(|part| total(part) * entropy(part)).sum::<f64>() / all
            }
            Split::Gini => parts.iter().map(|part| total(part) / all * gini(part)).sum(),
        };
        whole - mean
    }

    /// The merit of no split at all.
    fn nothing(self, classes: &[ClassWeight]) -> f64 {
        match self {
            Split::InfoGain => 0.0,
            Split::Gini => 1.0 - gini(classes),
        }
    }

    /// The range of the merit.
    fn range(self, classes: usize) -> f64 {
        match self {
            Split::InfoGain => math::log2(classes.max(2) as f64),
            Split::Gini => 1.0,
        }
    }
}

/// The class weights on either side of a threshold.
fn part_number(
    observers: &Observers,
    number: usize,
    threshold: f64,
    parts: &mut [Vec<ClassWeight>; 2],
) {
    let [left, right] = parts;
    left.clear();
    right.clear();
    for block in &observers.blocks {
        let spread = block.spread(number);
        let entry = |weight| ClassWeight { class: block.class, weight };
        if threshold < spread.least {
            right.push(entry(spread.weight));
        } else if threshold >= spread.most {
            left.push(entry(spread.weight));
        } else {
            let below = spread.weight_below(threshold);
            left.push(entry(below));
            right.push(entry(spread.weight - below));
        }
    }
}

/// The class weights of one code, and of all others.
fn part_equal(observers: &Observers, nominal: usize, code: u32, parts: &mut [Vec<ClassWeight>; 2]) {
    let [equal, other] = parts;
    equal.clear();
    other.clear();
    for block in &observers.blocks {
        let (mut same, mut rest) = (0.0, 0.0);
        for count in block.counts(nominal) {
            let side = if count.code == code { &mut same } else { &mut rest };
            *side += count.weight;
        }
        for (weight, side) in [(same, &mut *equal), (rest, &mut *other)] {
            if weight > 0.0 {
                side.push(ClassWeight { class: block.class, weight });
            }
        }
    }
}

/// The class weights of each code, classes ascending.
fn part_each(observers: &Observers, nominal: usize, codes: &[u32]) -> Vec<Vec<ClassWeight>> {
    let mut parts = vec![Vec::new(); codes.len()];
    for block in &observers.blocks {
        for count in block.counts(nominal) {
            if let Ok(at) = codes.binary_search(&count.code) {
                parts[at].push(ClassWeight { class: block.class, weight: count.weight });
            }
        }
    }
    for part in &mut parts {
        part.sort_by_key(|entry| entry.class);
    }
    parts
}

/// The class weights of each branch that a test makes.
pub(super) fn parts(observers: &Observers, kind: Kind, test: &Test) -> Vec<Vec<ClassWeight>> {
    let mut two = [Vec::new(), Vec::new()];
    match (kind, test) {
        (Kind::Number(at), Test::Threshold(value)) => part_number(observers, at, *value, &mut two),
        (Kind::Nominal(at, _), Test::Equal(code)) => part_equal(observers, at, *code, &mut two),
        (Kind::Nominal(at, _), Test::Each(codes)) => return part_each(observers, at, codes),
        _ => unreachable!("a test is made for its slot's kind"),
    }
    two.into()
}

/// The best threshold of a number: one of `bins` that lie evenly between the least and the greatest
/// value seen. A tie is for the least.
fn best_threshold(
    config: &Config,
    whole: f64,
    observers: &Observers,
    number: usize,
) -> Option<(f64, Test)> {
    let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
    for block in &observers.blocks {
        let spread = block.spread(number);
        least = least.min(spread.least);
        most = most.max(spread.most);
    }
    let width = (most - least) / (f64::from(config.bins) + 1.0);
    let mut best = None;
    let mut parts = [Vec::new(), Vec::new()];
    for bin in 1..=config.bins {
        let threshold = least + width * f64::from(bin);
        if least < threshold && threshold < most {
            part_number(observers, number, threshold, &mut parts);
            let merit = config.split.merit(whole, &parts, config.branch_share_min);
            if merit > best.as_ref().map_or(f64::NEG_INFINITY, |(merit, _)| *merit) {
                best = Some((merit, Test::Threshold(threshold)));
            }
        }
    }
    best
}

/// The best test of a nominal slot: a branch for each code, or one code against all others. A tie
/// is for the branch each, then for the lowest code.
fn best_code(
    config: &Config,
    whole: f64,
    observers: &Observers,
    nominal: usize,
) -> Option<(f64, Test)> {
    let counts = observers.blocks.iter().flat_map(|block| block.counts(nominal));
    let mut codes: Vec<u32> = counts.map(|count| count.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let merit =
        |parts: &[Vec<ClassWeight>]| config.split.merit(whole, parts, config.branch_share_min);
    let mut best: Option<(f64, Test)> = None;
    if config.nominal_split == NominalSplit::Multiway {
        let merit = merit(&part_each(observers, nominal, &codes));
        if merit > f64::NEG_INFINITY {
            best = Some((merit, Test::Each(codes.clone())));
        }
    }
    let mut parts = [Vec::new(), Vec::new()];
    for code in codes {
        part_equal(observers, nominal, code, &mut parts);
        let merit = merit(&parts);
        if merit > best.as_ref().map_or(f64::NEG_INFINITY, |(merit, _)| *merit) {
            best = Some((merit, Test::Equal(code)));
        }
    }
    best
}

/// Looks at a leaf: Domingos and Hulten's table 1, lines 12 to 17. A tie between slots is for the
/// last.
pub(super) fn decide(
    config: &Config,
    slots: &Slots,
    leaf: &Leaf,
    observers: &Observers,
) -> Decision {
    let weight = total(&leaf.classes);
    let heaviest = leaf.classes.iter().map(|entry| entry.weight).fold(0.0, f64::max);
    if leaf.classes.iter().filter(|entry| entry.weight > 0.0).count() < 2 {
        return Decision::Wait;
    }
    if heaviest / weight > config.majority_share_max {
        return Decision::Keep;
    }
    let (mut best, mut second) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    let mut choice = None;
    let whole = config.split.whole(&leaf.classes);
    for (slot, kind) in (0u32..).zip(&slots.kinds) {
        let found = match *kind {
            Kind::Number(number) => best_threshold(config, whole, observers, number),
            Kind::Nominal(nominal, _) => best_code(config, whole, observers, nominal),
        };
        let Some((merit, test)) = found else { continue };
        if merit >= best {
            second = best;
            best = merit;
            choice = Some((slot, test));
        } else if merit > second {
            second = merit;
        }
    }
    let bound = hoeffding_bound(config.split.range(leaf.classes.len()), config.delta, weight);
    let useful = !config.prune || best - config.split.nothing(&leaf.classes) > bound;
    match choice {
        Some((slot, test)) if useful && (best - second > bound || bound < config.tau) => {
            Decision::Split(slot, test)
        }
        None if bound < config.tau => Decision::Keep,
        _ => Decision::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(weights: &[f64]) -> Vec<ClassWeight> {
        (0..).zip(weights).map(|(class, weight)| ClassWeight { class, weight: *weight }).collect()
    }

    /// ln(1e7) = 16.118; times 1, over 400, is 0.040295; its root is 0.200737.
    #[test]
    fn the_bound_of_two_hundred_examples_is_a_fifth() {
        assert!((hoeffding_bound(1.0, 1e-7, 200.0) - 0.200_737_0).abs() < 1e-6);
        assert_eq!(hoeffding_bound(2.0, 1e-7, 800.0), hoeffding_bound(1.0, 1e-7, 200.0));
    }

    /// Quinlan's tennis: 9 yes and 5 no have 0.940 bits; humidity parts them 3:4 and 6:1, and
    /// gains 0.152.
    #[test]
    fn humidity_gains_what_quinlan_says() {
        let (whole, parts) = (classes(&[9.0, 5.0]), [classes(&[3.0, 4.0]), classes(&[6.0, 1.0])]);
        assert!((entropy(&whole) - 0.940_285_958_7).abs() < 1e-9);
        let gain = Split::InfoGain.merit(entropy(&whole), &parts, 0.01);
        assert!((gain - 0.151_835_501_4).abs() < 1e-9, "{gain}");
    }

    /// 3:1 has 1 - 9/16 - 1/16 = 3/8; pure has 0; the mean over 4 and 4 is 3/16.
    #[test]
    fn the_gini_merit_is_one_less_the_mean_index() {
        let parts = [classes(&[3.0, 1.0]), classes(&[4.0])];
        assert_eq!(gini(&parts[0]), 0.375);
        assert_eq!(Split::Gini.merit(1.0, &parts, 0.01), 1.0 - 3.0 / 16.0);
    }

    #[test]
    fn a_split_that_parts_next_to_nothing_has_no_merit() {
        let parts = [classes(&[50.0, 49.5]), classes(&[0.0, 0.5])];
        assert_eq!(Split::Gini.merit(1.0, &parts, 0.01), f64::NEG_INFINITY);
        assert!(Split::Gini.merit(1.0, &parts, 0.001) > 0.0);
    }
}
