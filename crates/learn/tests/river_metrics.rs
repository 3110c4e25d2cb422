//! Goal: the figures are those of the textbooks, on real answers to real streams.
//! Method: River's answers to two of its streams lie in `oracles/river`. The formulas are written
//! out here in their plainest form, over all rows at once. River does not count rows it could not
//! answer yet, and neither does this.
#![allow(clippy::unwrap_used)]

#[path = "support/oracle.rs"]
#[allow(dead_code, reason = "features are of no use here")]
mod oracle;

use alluvium_learn::{
    Label, LabelShape, Outcome, Prediction, Shape, Task, math, metrics::MetricConfig,
};

const LOGISTIC: &str = "LogReg_default_SGD_.01_StandardScaler";

/// Truth, and probability given to "yes", of each row with an answer.
fn rows(stream: &str, model: &str) -> Vec<(bool, f64)> {
    let labels = oracle::stream(stream).labels;
    let answers = oracle::answers(stream, model);
    assert_eq!(labels.len(), answers.len());
    labels.iter().zip(answers).filter_map(|(y, p)| Some((*y == 1.0, p?))).collect()
}

fn figure(name: &str, rows: &[(bool, f64)]) -> f64 {
    let shape = Shape::numbers(0, LabelShape::Class { values_max: 2 });
    let mut metric = MetricConfig::by_name(name).unwrap().build(&shape).unwrap();
    let (mut answer, mut truth_before) = (Prediction::default(), f64::NAN);
    for (truth, second) in rows {
        answer.set_binary(*second);
        let label = Label::Class(u32::from(*truth));
        metric.add(&Outcome::of(Task::Class, &answer, label, truth_before).unwrap());
        truth_before = f64::from(u8::from(*truth));
    }
    metric.value().unwrap()
}

/// Right and wrong "yes", wrong and right "no".
struct Counts {
    tp: f64,
    fp: f64,
    fn_: f64,
    tn: f64,
}

fn counts(rows: &[(bool, f64)]) -> Counts {
    let count = |truth, answer| {
        rows.iter().filter(|(y, p)| *y == truth && (*p > 0.5) == answer).count() as f64
    };
    Counts {
        tp: count(true, true),
        fp: count(false, true),
        fn_: count(true, false),
        tn: count(false, false),
    }
}

fn log_loss(rows: &[(bool, f64)]) -> f64 {
    let loss = |(y, p): &(bool, f64)| -math::ln(if *y { *p } else { 1.0 - p }.max(1e-15));
    rows.iter().map(loss).sum::<f64>() / rows.len() as f64
}

/// Every pair of a "yes" and a "no".
fn roc_auc(rows: &[(bool, f64)]) -> f64 {
    let of = |truth| rows.iter().filter(move |(y, _)| *y == truth).map(|(_, p)| *p);
    let (mut beaten, mut pairs) = (0.0, 0.0);
    for yes in of(true) {
        for no in of(false) {
            beaten += f64::from(u8::from(yes > no)) + 0.5 * f64::from(u8::from(yes == no));
            pairs += 1.0;
        }
    }
    beaten / pairs
}

/// Each figure as the textbooks have it.
fn textbook(rows: &[(bool, f64)]) -> [(&'static str, f64); 7] {
    let Counts { tp, fp, fn_, tn } = counts(rows);
    let all = tp + fp + fn_ + tn;
    let accuracy = (tp + tn) / all;
    let chance = ((tp + fp) * (tp + fn_) + (tn + fn_) * (tn + fp)) / (all * all);
    let after = &rows[1..];
    let right = after.iter().filter(|(y, p)| *y == (*p > 0.5)).count() as f64 / (all - 1.0);
    let unchanged = rows.windows(2).filter(|two| two[0].0 == two[1].0).count() as f64 / (all - 1.0);
    [
        ("accuracy", accuracy),
        ("balanced_accuracy", (tp / (tp + fn_) + tn / (tn + fp)) / 2.0),
        ("f1", 2.0 * tp / (2.0 * tp + fp + fn_)),
        ("log_loss", log_loss(rows)),
        ("roc_auc", roc_auc(rows)),
        ("kappa", (accuracy - chance) / (1.0 - chance)),
        ("kappa_t", (right - unchanged) / (1.0 - unchanged)),
    ]
}

#[test]
fn the_figures_of_real_answers_are_those_of_the_textbooks() {
    for stream in ["Phishing", "Bananas"] {
        for model in ["NoChange", "PriorClassifier", LOGISTIC] {
            let rows = rows(stream, model);
            for (name, expected) in textbook(&rows) {
                let found = figure(name, &rows);
                let what = format!("{name} of {model} on {stream}: {found}, not {expected}");
                assert!((found - expected).abs() < 1e-12 * expected.abs().max(1.0), "{what}");
            }
        }
    }
}

#[test]
fn no_change_is_no_better_than_no_change() {
    for stream in ["Phishing", "Bananas"] {
        assert_eq!(figure("kappa_t", &rows(stream, "NoChange")[1..]), 0.0);
    }
}

#[test]
fn the_first_example_of_rivers_manual_comes_out_alike() {
    // "Accuracy: 89.28%" for a scaled logistic regression on Phishing.
    assert_eq!(figure("accuracy", &rows("Phishing", LOGISTIC)), 0.8928);
}
