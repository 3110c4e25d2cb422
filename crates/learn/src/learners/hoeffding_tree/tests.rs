//! Tests of the tree as a whole; parity with River is in `tests/river_tree.rs`.

use proptest::prelude::*;

use super::*;
use crate::{Reader, Slot, SlotKind, State, Writer, learners::LearnerConfig, math};

fn shape(numbers: usize, nominal: &[u32], values_max: u32) -> Shape {
    let mut shape = Shape::numbers(numbers, LabelShape::Class { values_max });
    for (index, values) in nominal.iter().enumerate() {
        let kind = SlotKind::Nominal { values: *values };
        shape.dense.push(Slot { name: format!("n{index}"), kind });
    }
    shape
}

fn bytes(tree: &HoeffdingTree) -> Vec<u8> {
    let mut to = Writer::new();
    tree.save(&mut to);
    to.into_bytes()
}

fn restored(config: &Config, shape: &Shape, bytes: &[u8]) -> HoeffdingTree {
    let mut tree = HoeffdingTree::new(config.clone(), shape).unwrap();
    let mut from = Reader::new(bytes);
    tree.restore(&mut from).unwrap();
    from.end().unwrap();
    tree
}

fn learn(tree: &mut HoeffdingTree, dense: &[f64], class: u32) {
    tree.learn(&Features { dense, ..Features::default() }, Label::Class(class), 1.0);
}

fn answer(tree: &HoeffdingTree, dense: &[f64]) -> Prediction {
    let mut out = Prediction::default();
    tree.predict(&Features { dense, ..Features::default() }, &mut out);
    out
}

/// The counts that are kept beside the state are those a fresh count gives.
fn assert_counted(tree: &HoeffdingTree) {
    let mut fresh = tree.clone();
    fresh.count_bytes();
    let counts = |tree: &HoeffdingTree| (tree.fixed_bytes, tree.observed_bytes, tree.inactive);
    assert_eq!(counts(tree), counts(&fresh));
}

/// A row of a stream of three numbers and two slots of codes, and its class: a checkerboard of the
/// first two numbers, turned by the first code, with one label in ten at random.
fn example(seed: u64, at: u64) -> ([f64; 5], u32) {
    let unit = |field: u64| math::random_unit(seed + field, at);
    let (a, b, noise) = (unit(0), unit(1), unit(2));
    let (colour, shape) = ((unit(3) * 4.0).floor(), (unit(4) * 3.0).floor());
    let class = u32::from((a > 0.4) != (b > 0.6)) + u32::from(colour == 2.0);
    let class = if unit(5) < 0.1 { (unit(6) * 3.0) as u32 } else { class };
    ([a, b, noise, colour, shape], class)
}

fn small() -> Config {
    Config { grace_period: 50, tau: 0.2, ..Config::default() }
}

#[test]
fn settings_read_as_the_manual_writes_them() {
    let text = r#"{ "hoeffding_tree": { "split": "gini", "depth_max": 5, "bins": 32 } }"#;
    let config: LearnerConfig = serde_json::from_str(text).unwrap();
    let expected = Config { split: Split::Gini, depth_max: 5, bins: 32, ..Config::default() };
    assert_eq!(config, LearnerConfig::HoeffdingTree(expected));
    assert!(serde_json::from_str::<Config>(r#"{ "memory_max": "16 MiB" }"#).is_ok());
    assert!(serde_json::from_str::<Config>(r#"{ "leaf": "naive_bayes_adaptive" }"#).is_ok());
    assert!(serde_json::from_str::<Config>(r#"{ "max_depth": 5 }"#).is_err());
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let shape = shape(1, &[], 2);
    let base = Config::default;
    let wrong = [
        ("grace_period", Config { grace_period: 0, ..base() }),
        ("delta", Config { delta: 1.0, ..base() }),
        ("tau", Config { tau: f64::NAN, ..base() }),
        ("bins", Config { bins: 0, ..base() }),
        ("depth_max", Config { depth_max: 0, ..base() }),
        ("memory_max", Config { memory_max: Bytes(1), ..base() }),
        ("branch_share_min", Config { branch_share_min: 0.6, ..base() }),
        ("majority_share_max", Config { majority_share_max: 0.4, ..base() }),
        ("naive_bayes_weight_min", Config { naive_bayes_weight_min: -1.0, ..base() }),
    ];
    for (field, config) in wrong {
        assert_eq!(HoeffdingTree::new(config, &shape).unwrap_err().field, field);
    }
}

#[test]
fn hashed_features_and_numbers_as_labels_are_refused() {
    let hashed = Shape { sparse_size: 8, ..shape(1, &[], 2) };
    assert!(HoeffdingTree::new(Config::default(), &hashed).is_err());
    let number = Shape::numbers(1, LabelShape::Number);
    assert!(HoeffdingTree::new(Config::default(), &number).is_err());
}

/// Class 0 lies at -1 and 1 (variance 2), class 1 at 3 and 5 (variance 2). At x = 2 both are two
/// from the mean, so both have half; at x = 1 the distances are 1 and 3, and the odds e^((9-1)/4).
#[test]
fn naive_bayes_is_the_closed_form_of_two_gaussians() {
    let config = Config { leaf: LeafAnswer::NaiveBayes, ..Config::default() };
    let mut tree = HoeffdingTree::new(config, &shape(1, &[], 2)).unwrap();
    for (value, class) in [(-1.0, 0), (3.0, 1), (1.0, 0), (5.0, 1)] {
        learn(&mut tree, &[value], class);
    }
    assert_eq!(answer(&tree, &[2.0]).scores, [0.5, 0.5]);
    let odds = math::exp(2.0);
    let first = answer(&tree, &[1.0]).scores[0];
    assert!((first - odds / (1.0 + odds)).abs() < 1e-15, "{first}");
}

/// Three of class 0 with code 0, one of class 1 with code 1, of three codes. Code 0: shares 3/4 and
/// 1/4, likelihoods (3+1)/(3+3) and (0+1)/(1+3), so 8/9 to 1/9.
#[test]
fn naive_bayes_smooths_codes_by_laplace() {
    let config = Config { leaf: LeafAnswer::NaiveBayes, ..Config::default() };
    let mut tree = HoeffdingTree::new(config, &shape(0, &[3], 2)).unwrap();
    for (code, class) in [(0.0, 0), (0.0, 0), (1.0, 1), (0.0, 0)] {
        learn(&mut tree, &[code], class);
    }
    let first = answer(&tree, &[0.0]).scores[0];
    assert!((first - 8.0 / 9.0).abs() < 1e-15, "{first}");
}

/// Class 0 at 0 and 2: mean 1, deviation √2. Half of it lies below 1, and below 1 + √2 the normal
/// distribution's 0.841345.
#[test]
fn a_gaussian_is_cut_at_its_distribution() {
    let spread = observer::Spread { weight: 2.0, mean: 1.0, squares: 2.0, least: 0.0, most: 2.0 };
    assert_eq!(spread.weight_below(1.0), 1.0);
    let below = spread.weight_below(1.0 + std::f64::consts::SQRT_2);
    assert!((below - 2.0 * 0.841_344_746_068_543).abs() < 1e-12, "{below}");
}

#[test]
fn two_clear_classes_are_split_at_the_first_look() {
    let config = Config { leaf: LeafAnswer::Majority, ..Config::default() };
    let mut tree = HoeffdingTree::new(config, &shape(2, &[], 2)).unwrap();
    for at in 0..200u32 {
        let class = at % 2;
        learn(&mut tree, &[f64::from(class) * 10.0 + f64::from(at % 7), 1.0], class);
        assert_eq!(tree.nodes.len(), if at < 199 { 1 } else { 3 });
    }
    let Node::Threshold { slot: 0, threshold, .. } = tree.nodes[0] else { panic!("no split") };
    assert!((6.0..10.0).contains(&threshold), "{threshold}");
    assert_eq!(answer(&tree, &[0.0, 1.0]).value, 0.0);
    assert_eq!(answer(&tree, &[12.0, 1.0]).value, 1.0);
}

/// One number that says nothing: with pruning the leaf stays whole, without it is split in vain.
#[test]
fn pruning_keeps_a_leaf_from_a_useless_split() {
    for prune in [true, false] {
        let config = Config { prune, ..Config::default() };
        let mut tree = HoeffdingTree::new(config, &shape(1, &[], 2)).unwrap();
        for at in 0..5_000 {
            let class = u32::from(math::random_unit(1, at) < 0.5);
            learn(&mut tree, &[math::random_unit(2, at)], class);
        }
        assert_eq!(tree.nodes.len() == 1, prune, "{} nodes", tree.nodes.len());
    }
}

#[test]
fn codes_are_split_into_a_branch_each_and_new_codes_get_their_own() {
    let config = Config { leaf: LeafAnswer::Majority, ..Config::default() };
    let mut tree = HoeffdingTree::new(config, &shape(0, &[5], 3)).unwrap();
    for at in 0..200u32 {
        learn(&mut tree, &[f64::from(at % 3)], at % 3);
    }
    assert!(matches!(tree.nodes[0], Node::Each { .. }));
    assert_eq!(answer(&tree, &[2.0]).value, 2.0);
    assert_eq!(tree.leaves.len(), 3);
    learn(&mut tree, &[3.0], 1);
    assert_eq!(tree.leaves.len(), 4);
    assert_eq!(answer(&tree, &[3.0]).value, 1.0);
    assert_eq!(answer(&tree, &[4.0]).value, 0.0, "the way that most took");
    assert_counted(&tree);
}

#[test]
fn a_tree_no_deeper_than_allowed_has_no_deeper_leaf() {
    let config = Config { depth_max: 2, ..small() };
    let mut tree = HoeffdingTree::new(config, &shape(3, &[4, 3], 3)).unwrap();
    for at in 0..20_000 {
        let (dense, class) = example(1, at);
        learn(&mut tree, &dense, class);
    }
    assert_eq!(tree.leaves.iter().map(|leaf| leaf.depth).max(), Some(2));
}

#[test]
fn a_class_first_seen_late_is_learned() {
    let mut tree = HoeffdingTree::new(small(), &shape(3, &[4, 3], 10)).unwrap();
    for at in 0..5_000 {
        let (dense, class) = example(2, at);
        learn(&mut tree, &dense, class);
    }
    assert_eq!(answer(&tree, &[0.0; 5]).scores.len(), 3);
    for at in 0..2_000 {
        let (mut dense, _) = example(3, at);
        dense[2] += 5.0;
        learn(&mut tree, &dense, 9);
    }
    assert_eq!(answer(&tree, &[0.5, 0.5, 5.5, 0.0, 0.0]).value, 9.0);
    learn(&mut tree, &[0.0; 5], 10);
    assert_eq!(tree.classes, 10, "a class beyond the bound is not learned");
}

#[test]
fn memory_stays_within_its_limit_and_comes_back() {
    for memory_max in [Bytes(64 << 10), Bytes(100 << 10), Bytes(256 << 10)] {
        let config = Config { memory_max, grace_period: 25, tau: 1.0, ..Config::default() };
        let shape = shape(3, &[4, 3], 3);
        let mut tree = HoeffdingTree::new(config, &shape).unwrap();
        let overhead = size_of::<HoeffdingTree>() + 1024;
        let mut was_off = vec![false; 10_000];
        let mut back = 0;
        for at in 0..60_000 {
            let (dense, class) = example(4, at);
            learn(&mut tree, &dense, class);
            for (leaf, was_off) in tree.leaves.iter().zip(&mut was_off) {
                back += u32::from(*was_off && leaf.observers.is_some());
                *was_off = leaf.observers.is_none();
            }
            let footprint = tree.footprint_bytes();
            assert!(footprint <= memory_max.0 as usize + overhead, "{at}: {footprint}");
        }
        assert!(tree.inactive > 0 && back > 0, "{memory_max}: {back} came back");
        assert_counted(&tree);
    }
}

#[test]
fn a_tree_restored_in_the_middle_goes_on_alike() {
    let configs = [
        small(),
        Config { memory_max: Bytes(64 << 10), ..small() },
        Config { nominal_split: NominalSplit::Binary, split: Split::Gini, ..small() },
    ];
    for config in configs {
        let shape = shape(3, &[4, 3], 3);
        let mut unbroken = HoeffdingTree::new(config.clone(), &shape).unwrap();
        let mut broken = unbroken.clone();
        for at in 0..20_000 {
            let (dense, class) = example(5, at);
            learn(&mut unbroken, &dense, class);
            learn(&mut broken, &dense, class);
            if at % 1777 == 0 {
                let saved = bytes(&broken);
                broken = restored(&config, &shape, &saved);
                assert_eq!(bytes(&broken), saved);
            }
            assert_eq!(answer(&unbroken, &dense), answer(&broken, &dense));
        }
        assert!(unbroken.nodes.len() > 20);
        assert_eq!(bytes(&unbroken), bytes(&broken));
        assert_counted(&broken);
    }
}

/// Both zeros are equal, so which of them an extreme is has to be laid down: the one that came
/// first.
#[test]
fn of_two_zeros_the_first_is_the_extreme() {
    for zeros in [[0.0, -0.0], [-0.0, 0.0]] {
        let mut tree = HoeffdingTree::new(Config::default(), &shape(1, &[], 2)).unwrap();
        zeros.iter().for_each(|zero| learn(&mut tree, &[*zero], 0));
        let spread = tree.leaves[0].observers.as_ref().unwrap().blocks[0].spread(0);
        let bits = [spread.least, spread.most].map(f64::to_bits);
        assert_eq!(bits, [zeros[0].to_bits(); 2], "after {zeros:?}");
    }
}

/// The way from the one number to the other is rounded up, so it ends one place beyond the other.
#[test]
fn a_mean_rounded_over_the_edge_still_loads() {
    let shape = shape(1, &[], 2);
    for edge in [observer::VALUE_MAX, -observer::VALUE_MAX] {
        for tenth in 1..100 {
            let first = -edge * f64::from(tenth) / 100.0;
            let mut tree = HoeffdingTree::new(Config::default(), &shape).unwrap();
            for (value, weight) in [(first, 1e-9), (edge, 1e12)] {
                let x = Features { dense: &[value], ..Features::default() };
                tree.learn(&x, Label::Class(0), weight);
            }
            let state = bytes(&tree);
            assert_eq!(bytes(&restored(&Config::default(), &shape, &state)), state, "{first}");
        }
    }
}

#[test]
fn a_damaged_state_is_refused_and_never_panics() {
    let shape = shape(3, &[4, 3], 3);
    let mut tree = HoeffdingTree::new(small(), &shape).unwrap();
    for at in 0..3_000 {
        let (dense, class) = example(6, at);
        learn(&mut tree, &dense, class);
    }
    let saved = bytes(&tree);
    for at in (0..saved.len()).step_by(7) {
        let mut damaged = saved.clone();
        damaged[at] ^= 1 << (at % 8);
        let mut other = HoeffdingTree::new(small(), &shape).unwrap();
        if other.restore(&mut Reader::new(&damaged)).is_ok() {
            let (dense, class) = example(6, at as u64);
            answer(&other, &dense);
            learn(&mut other, &dense, class);
        }
        let mut other = HoeffdingTree::new(small(), &shape).unwrap();
        assert!(other.restore(&mut Reader::new(&saved[..at])).is_err());
    }
}

fn extreme() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        Just(-0.0),
        Just(f64::MAX),
        Just(f64::MIN),
        Just(f64::MIN_POSITIVE),
        Just(5e-324),
        Just(1e155),
        Just(-1e100),
        -2.0..2.0,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_legal_example_makes_an_answer_that_is_not_finite(
        rows in prop::collection::vec(
            (prop::array::uniform3(extreme()), 0u32..4, extreme()),
            1..300,
        ),
        gini in any::<bool>(),
    ) {
        let split = if gini { Split::Gini } else { Split::InfoGain };
        let leaf = LeafAnswer::NaiveBayes;
        let config = Config { grace_period: 5, tau: 1.0, split, leaf, ..Config::default() };
        let shape = shape(2, &[3], 4);
        let mut tree = HoeffdingTree::new(config.clone(), &shape).unwrap();
        for (dense, class, weight) in &rows {
            let x = Features { dense, ..Features::default() };
            tree.learn(&x, Label::Class(*class), weight.abs());
            let answer = answer(&tree, dense);
            prop_assert!(answer.scores.iter().all(|score| (0.0..=1.0).contains(score)));
            let sum: f64 = answer.scores.iter().sum();
            prop_assert!((sum - 1.0).abs() < 1e-9, "{sum}");
        }
        let saved = bytes(&tree);
        prop_assert_eq!(bytes(&restored(&config, &shape, &saved)), saved);
    }
}
