//! What linear and logistic regression promise, for each optimizer.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use alluvium_learn::{
    Component, Features, Label, LabelShape, Learner, Pair, Prediction, Reader, Shape, Slot,
    SlotKind, State, Writer,
    learners::{
        LearnerConfig,
        linear_regression::LinearRegression,
        logistic_regression::{AdaGrad, Config, Ftrl, LogisticRegression, Optimizer, Sgd},
    },
    math,
};
use proptest::prelude::*;

const TWO: LabelShape = LabelShape::Class { values_max: 2 };

/// Every optimizer, normalized and not, with and without pulls.
fn configs() -> Vec<Config> {
    let optimizers = [
        (Optimizer::Sgd(Sgd::default()), 0.01),
        (Optimizer::AdaGrad(AdaGrad::default()), 0.01),
        (Optimizer::Ftrl(Ftrl { l1: 0.01, l2: 0.01, ..Ftrl::default() }), 0.0),
    ];
    let mut configs = Vec::new();
    for (optimizer, pull) in optimizers {
        for normalized in [true, false] {
            let optimizer = optimizer.clone();
            configs.push(Config { optimizer, normalized, l1: pull, l2: pull, ..Config::default() });
        }
    }
    configs
}

/// Two numbers and eight hashed slots.
fn shape(label: LabelShape) -> Shape {
    Shape { sparse_size: 8, sparse_fields: 1, ..Shape::numbers(2, label) }
}

fn saved(learner: &impl State) -> Vec<u8> {
    let mut to = Writer::new();
    learner.save(&mut to);
    to.into_bytes()
}

fn answer(learner: &impl Learner, x: &Features<'_>) -> f64 {
    let mut out = Prediction::default();
    learner.predict(x, &mut out);
    assert!(out.value.is_finite() && out.scores.iter().all(|score| score.is_finite()));
    if out.scores.is_empty() { out.value } else { out.scores[1] }
}

fn dense(dense: &[f64]) -> Features<'_> {
    Features { dense, ..Features::default() }
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -10.0..10.0f64,
        1 => Just(0.0),
        1 => Just(f64::MAX),
        1 => Just(-f64::MAX),
        1 => Just(5e-324),
        1 => prop::num::f64::NORMAL,
    ]
}

fn pairs() -> impl Strategy<Value = Vec<Pair>> {
    let value = prop_oneof![4 => Just(1f32), 1 => Just(f32::MAX), 1 => prop::num::f32::NORMAL];
    let pair = |(slot, value): (u32, f32)| Pair { slot, field: 0, value };
    prop::collection::btree_map(0..10u32, value, 0..4)
        .prop_map(move |pairs| pairs.into_iter().map(pair).collect())
}

proptest! {
    /// Also with rows too short, slots beyond the table, and huge weights.
    #[test]
    fn no_input_leaves_the_finite_numbers(
        examples in prop::collection::vec(
            (prop::collection::vec(number(), 0..=2), pairs(), number(), any::<bool>(), number()),
            1..40,
        ),
    ) {
        for config in configs() {
            let mut logistic = LogisticRegression::new(config.clone(), &shape(TWO)).unwrap();
            let mut linear = LinearRegression::new(config, &shape(LabelShape::Number)).unwrap();
            let mut parts = Vec::new();
            for (row, sparse, label, class, weight) in &examples {
                let x = Features { dense: row, sparse, ..Features::default() };
                let weight = if *class { 1.0 } else { weight.abs() };
                answer(&logistic, &x);
                answer(&linear, &x);
                logistic.learn(&x, Label::Class(u32::from(*class)), weight);
                linear.learn(&x, Label::Number(*label), weight);
                for learner in [&logistic as &dyn Learner, &linear] {
                    prop_assert!(learner.explain(&x, &mut parts));
                    prop_assert!(parts.iter().all(|part| part.is_finite()));
                }
            }
            // A state with a number that is not finite is refused.
            let bytes = saved(&logistic);
            let mut again = logistic.clone();
            prop_assert!(again.restore(&mut Reader::new(&bytes)).is_ok());
            prop_assert_eq!(saved(&again), bytes);
            let bytes = saved(&linear);
            let mut again = linear.clone();
            prop_assert!(again.restore(&mut Reader::new(&bytes)).is_ok());
            prop_assert_eq!(saved(&again), bytes);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 0..400usize) {
        for config in configs() {
            let mut learner = LogisticRegression::new(config, &shape(TWO)).unwrap();
            let mut good = saved(&learner);
            prop_assert!(learner.restore(&mut Reader::new(&bytes)).is_err() || bytes.len() > 300);
            good.truncate(cut);
            drop(learner.restore(&mut Reader::new(&good)));
        }
    }
}

/// A stream of two numbers, the second 10^6 times as large, whose difference is the class.
fn stream(count: u64, unit: f64) -> impl Iterator<Item = ([f64; 2], u32)> {
    (0..count).map(move |index| {
        let value = |which| math::random_unit(7, 2 * index + which);
        let class = u32::from(value(0) > value(1));
        ([value(0), value(1) * unit + 3.0 * unit], class)
    })
}

#[test]
fn the_unit_of_a_column_does_not_matter() {
    for config in configs().into_iter().filter(|config| config.normalized) {
        let learn = |unit: f64| {
            let mut learner = LogisticRegression::new(config.clone(), &shape(TWO)).unwrap();
            let (mut right, mut all) = (0, 0);
            for (index, (row, class)) in stream(2000, unit).enumerate() {
                let found = u32::from(answer(&learner, &dense(&row)) > 0.5);
                if index >= 1000 {
                    all += 1;
                    right += u32::from(found == class);
                }
                learner.learn(&dense(&row), Label::Class(class), 1.0);
            }
            f64::from(right) / f64::from(all)
        };
        assert!(learn(1.0) > 0.93, "{}", learn(1.0));
        assert!((learn(1.0) - learn(1e6)).abs() < 0.005);
    }
}

#[test]
fn a_line_is_found_in_any_unit_of_the_label() {
    for unit in [1e-3, 1.0, 1e6] {
        let config = Config::default();
        let mut learner = LinearRegression::new(config, &shape(LabelShape::Number)).unwrap();
        let mut error = 0.0;
        for (index, (row, _)) in stream(4000, 1e6).enumerate() {
            let truth = unit * (5.0 + 2.0 * row[0] - 1e-6 * row[1]);
            if index >= 3000 {
                error += (answer(&learner, &dense(&row)) - truth).abs() / 1000.0;
            }
            learner.learn(&dense(&row), Label::Number(truth), 1.0);
        }
        assert!(error < 0.01 * unit, "{error} of {unit}");
    }
}

#[test]
fn hashed_features_alone_are_learned() {
    for config in configs() {
        let mut learner = LogisticRegression::new(config, &shape(TWO)).unwrap();
        for index in 0..400 {
            let slot = (index % 2) as u32 * 3;
            let sparse = [Pair { slot, field: 0, value: 2.0 }];
            let x = Features { sparse: &sparse, ..Features::default() };
            learner.learn(&x, Label::Class(u32::from(slot == 3)), 1.0);
        }
        let at = |slot| {
            let sparse = [Pair { slot, field: 0, value: 2.0 }];
            answer(&learner, &Features { sparse: &sparse, ..Features::default() })
        };
        assert!(at(3) > 0.8 && at(0) < 0.2, "{} {}", at(3), at(0));
    }
}

/// The intercept is the only feature of size: 1 / N is 1, the curvature 2, and a step of 0.5 goes
/// half the way from 0 to the label, which is 0 deviations from its own mean; the mean is what
/// answers.
#[test]
fn the_first_label_is_the_first_answer() {
    let shape = Shape::numbers(0, LabelShape::Number);
    let mut learner = LinearRegression::new(Config::default(), &shape).unwrap();
    assert_eq!(answer(&learner, &dense(&[])), 0.0);
    learner.learn(&dense(&[]), Label::Number(42.0), 1.0);
    assert_eq!(answer(&learner, &dense(&[])), 42.0);
}

/// Gradient -1/2, no features, so N = t = 1: the step 0.1 / curvature 1/4 moves the intercept by
/// 0.2. With a weight of 50 it stops at the safe step, 1 / (1/4): 2.
#[test]
fn a_normalized_step_is_a_part_of_the_way_and_never_more_than_safe() {
    for (weight, margin) in [(1.0, 0.2), (50.0, 2.0)] {
        let mut learner =
            LogisticRegression::new(Config::default(), &Shape::numbers(0, TWO)).unwrap();
        learner.learn(&dense(&[]), Label::Class(1), weight);
        assert!((answer(&learner, &dense(&[])) - math::sigmoid(margin)).abs() < 1e-15);
    }
}

#[test]
fn the_parts_and_the_intercept_make_the_answer() {
    for config in configs() {
        let config = Config { intercept: false, ..config };
        let mut learner = LogisticRegression::new(config, &shape(TWO)).unwrap();
        for (row, class) in stream(100, 1.0) {
            learner.learn(&dense(&row), Label::Class(class), 1.0);
        }
        let mut parts = Vec::new();
        assert!(learner.explain(&dense(&[0.3, 3.4]), &mut parts));
        let sum = parts[0] + parts[1];
        assert!((answer(&learner, &dense(&[0.3, 3.4])) - math::sigmoid(sum)).abs() < 1e-12);
    }
}

#[test]
fn weight_0_and_other_labels_change_nothing_and_answers_neither() {
    for config in configs() {
        let mut learner = LogisticRegression::new(config, &shape(TWO)).unwrap();
        let x = dense(&[1.0, 2.0]);
        learner.learn(&x, Label::Class(1), 1.0);
        let before = saved(&learner);
        learner.learn(&x, Label::Class(1), 0.0);
        learner.learn(&x, Label::None, 1.0);
        learner.learn(&x, Label::Number(1.0), 1.0);
        answer(&learner, &x);
        assert_eq!(saved(&learner), before);
    }
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let refused = |config: Config, shape: &Shape| {
        LogisticRegression::new(config, shape).unwrap_err().to_string()
    };
    let mut nominal = shape(TWO);
    nominal.dense[1] = Slot { name: "colour".into(), kind: SlotKind::Nominal { values: 3 } };
    let error = refused(Config::default(), &nominal);
    assert_eq!(error, "`colour` is a category: one_hot or hash it first");
    let three = shape(LabelShape::Class { values_max: 3 });
    assert!(refused(Config::default(), &three).contains("hoeffding_tree"));
    let large = Shape { sparse_size: (1 << 28) + 1, ..shape(TWO) };
    assert!(refused(Config::default(), &large).contains("at most 268435456 hashed slots"));
    let error = LinearRegression::new(Config::default(), &shape(TWO)).unwrap_err();
    assert!(error.to_string().contains("use logistic_regression"));

    let optimizer = |optimizer| Config { optimizer, ..Config::default() };
    let wrong = [
        (optimizer(Optimizer::Sgd(Sgd { step: 0.0 })), "optimizer.sgd.step"),
        (optimizer(Optimizer::AdaGrad(AdaGrad { step: f64::NAN })), "optimizer.adagrad.step"),
        (optimizer(Optimizer::Ftrl(Ftrl { alpha: -1.0, ..Ftrl::default() })), "ftrl.alpha"),
        (optimizer(Optimizer::Ftrl(Ftrl { beta: -1.0, ..Ftrl::default() })), "ftrl.beta"),
        (optimizer(Optimizer::Ftrl(Ftrl { l1: -1.0, ..Ftrl::default() })), "ftrl.l1"),
        (optimizer(Optimizer::Ftrl(Ftrl { l2: 2e6, ..Ftrl::default() })), "ftrl.l2"),
        (Config { l1: -0.1, ..Config::default() }, "l1"),
        (Config { l2: 1001.0, ..Config::default() }, "l2"),
        (Config { intercept_step: Some(-0.1), ..Config::default() }, "intercept_step"),
        (Config { l2: 0.1, ..optimizer(Optimizer::Ftrl(Ftrl::default())) }, "optimizer.ftrl.l2"),
    ];
    for (config, field) in wrong {
        let error = refused(config, &shape(TWO));
        assert!(error.contains(field), "{error} does not name {field}");
    }
}

#[test]
fn the_settings_of_the_pipeline_file_are_read() {
    let text =
        r#"{ "logistic_regression": { "optimizer": { "ftrl": { "alpha": 0.05, "l1": 1 } } } }"#;
    let config: LearnerConfig = serde_json::from_str(text).unwrap();
    let ftrl = Ftrl { alpha: 0.05, l1: 1.0, ..Ftrl::default() };
    let expected = Config { optimizer: Optimizer::Ftrl(ftrl), ..Config::default() };
    assert_eq!(config, LearnerConfig::LogisticRegression(expected));
    for name in ["sgd", "adagrad", "ftrl"] {
        let text = format!(r#"{{ "linear_regression": {{ "optimizer": {{ "{name}": {{}} }} }} }}"#);
        assert!(serde_json::from_str::<LearnerConfig>(&text).is_ok(), "{name}");
    }
}
