//! Goal: the Hoeffding tree answers as River's does, row by row, for the same settings.
//! Method: the streams and answers in `oracles/river` (see its README).

#![allow(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]

#[path = "support/tree_oracle.rs"]
mod tree_oracle;

use alluvium_learn::{
    Component, Features, Label, LabelShape, Learner, Prediction, Shape, SlotKind,
    learners::hoeffding_tree::{Config, HoeffdingTree, LeafAnswer, NominalSplit, Split},
    math,
};
use tree_oracle::load;

/// How far the answers lie from River's.
#[derive(Debug, Default)]
struct Distance {
    rows: usize,
    /// Rows whose probability differs by more than 1e-9, or whose class differs.
    unlike: usize,
    first: Option<usize>,
    /// The largest difference of a probability.
    most: f64,
    accuracy: f64,
    accuracy_river: f64,
    log_loss: f64,
    log_loss_river: f64,
}

fn distance(stream: &str, model: &str, config: Config) -> Distance {
    let oracle = load(stream, model);
    let values_max = oracle.classes.len() as u32;
    let shape = Shape::numbers(oracle.rows[0].len(), LabelShape::Class { values_max });
    let mut tree = HoeffdingTree::new(config, &shape).unwrap();
    let mut answer = Prediction::default();
    let mut sum = Distance::default();
    for (row, dense) in oracle.rows.iter().enumerate() {
        let x = Features { dense, ..Features::default() };
        let truth = oracle.truths[row];
        tree.predict(&x, &mut answer);
        let theirs = oracle.answers[row].as_str();
        if theirs != "None" {
            sum.rows += 1;
            let (class, apart) = match theirs.replace("False", "0").parse::<f64>() {
                Ok(second) => {
                    let clip = |p: f64| p.clamp(1e-15, 1.0 - 1e-15);
                    let log = |p: f64| {
                        -if truth == 1 { math::ln(clip(p)) } else { math::ln(1.0 - clip(p)) }
                    };
                    sum.log_loss += log(answer.scores[1]);
                    sum.log_loss_river += log(second);
                    (u32::from(second > 0.5), (answer.scores[1] - second).abs())
                }
                Err(_) => {
                    let name = theirs.trim_matches('\'').to_string();
                    let class = oracle.classes.binary_search(&name).unwrap() as u32;
                    (class, f64::from(u8::from(class != answer.value as u32)))
                }
            };
            sum.accuracy += f64::from(u8::from(answer.value == f64::from(truth)));
            sum.accuracy_river += f64::from(u8::from(class == truth));
            sum.most = sum.most.max(apart);
            if apart > 1e-9 {
                sum.unlike += 1;
                sum.first = sum.first.or(Some(row));
            }
        }
        tree.learn(&x, Label::Class(truth), 1.0);
    }
    for total in
        [&mut sum.accuracy, &mut sum.accuracy_river, &mut sum.log_loss, &mut sum.log_loss_river]
    {
        *total /= sum.rows as f64;
    }
    sum
}

/// Checks that every answer is River's, but for the last bits, and so are the metrics.
fn check(stream: &str, model: &str, config: Config) {
    let distance = distance(stream, model, config);
    assert!(distance.rows > 1000, "{distance:?}");
    assert_eq!(distance.unlike, 0, "{distance:?}");
    assert_eq!(distance.accuracy, distance.accuracy_river, "{distance:?}");
    assert!((distance.log_loss - distance.log_loss_river).abs() < 1e-6, "{distance:?}");
}

#[test]
fn the_defaults_are_rivers() {
    for stream in ["Phishing", "Bananas", "ImageSegments"] {
        check(stream, "HoeffdingTree", Config::default());
    }
}

#[test]
fn majority_leaves_are_rivers() {
    for stream in ["Phishing", "Bananas", "ImageSegments"] {
        let config = Config { leaf: LeafAnswer::Majority, ..Config::default() };
        check(stream, "HoeffdingTree_mc_leaves", config);
    }
}

#[test]
fn naive_bayes_leaves_are_rivers() {
    for stream in ["Phishing", "Bananas"] {
        let config = Config { leaf: LeafAnswer::NaiveBayes, ..Config::default() };
        check(stream, "HoeffdingTree_nb_leaves", config);
    }
}

#[test]
fn gini_with_a_shorter_grace_is_rivers() {
    for stream in ["Phishing", "Bananas"] {
        let config =
            Config { split: Split::Gini, grace_period: 100, delta: 1e-5, ..Config::default() };
        check(stream, "HoeffdingTree_gini_grace_100_delta_1e_5", config);
    }
}

/// Slots of codes: of each kind of branch the answers are River's, with new codes halfway. In two
/// rows the code is new to a branch, and the way of most examples is not River's.
#[test]
fn branches_by_code_are_rivers() {
    let base =
        Config { leaf: LeafAnswer::Majority, grace_period: 50, tau: 0.2, ..Config::default() };
    let binary = NominalSplit::Binary;
    for (model, config, new_code) in [
        ("info_gain", base.clone(), &[3001, 3008][..]),
        ("info_gain_binary", Config { nominal_split: binary, ..base.clone() }, &[]),
        ("gini", Config { split: Split::Gini, ..base.clone() }, &[]),
    ] {
        let oracle = load("Codes", &format!("HoeffdingTree_mc_{model}"));
        let mut shape = Shape::numbers(4, LabelShape::Class { values_max: 3 });
        for slot in &mut shape.dense[1..] {
            slot.kind = SlotKind::Nominal { values: 6 };
        }
        let mut tree = HoeffdingTree::new(config, &shape).unwrap();
        let mut answer = Prediction::default();
        for (row, dense) in oracle.rows.iter().enumerate() {
            let x = Features { dense, ..Features::default() };
            tree.predict(&x, &mut answer);
            if oracle.answers[row] != "None" {
                let theirs = oracle.answers[row].split(' ').map(|p| p.parse::<f64>().unwrap());
                for (class, theirs) in theirs.enumerate() {
                    let ours = answer.probability(class as u32);
                    let alike = (ours - theirs).abs() < 1e-9 || new_code.contains(&row);
                    assert!(alike, "{model}, row {row}: {ours} {theirs}");
                }
            }
            tree.learn(&x, Label::Class(oracle.truths[row]), 1.0);
        }
    }
}
