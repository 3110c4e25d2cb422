//! Prints what one answer and one learned example cost, in nanoseconds, for each optimizer of
//! logistic regression: 20 numbers, or 20 hashed features in a table of 2^20 slots.
//!
//! `cargo run --release --example linear_speed -p alluvium-learn`
#![allow(clippy::print_stdout, reason = "this prints a table")]

use std::{hint::black_box, time::Instant};

use alluvium_learn::{
    Component, ConfigError, Features, Label, LabelShape, Learner, Pair, Prediction, Shape,
    learners::logistic_regression::{AdaGrad, Config, Ftrl, LogisticRegression, Optimizer, Sgd},
    math::{random_bits, random_unit},
};

const FEATURES: usize = 20;
const EXAMPLES: u64 = 256;
const ROUNDS: u64 = 2000;
const HASHED_SLOTS: u32 = 1 << 20;

/// One example, with numbers or with hashed features.
struct Example {
    dense: Vec<f64>,
    sparse: Vec<Pair>,
    class: u32,
}

fn examples(hashed: bool) -> Vec<Example> {
    let example = |index: u64| {
        let unit = |feature: usize| random_unit(1, index * 64 + feature as u64);
        let numbers: Vec<f64> = (0..FEATURES).map(unit).collect();
        let class = u32::from(numbers.iter().sum::<f64>() + unit(FEATURES) > 10.5);
        let slot = |feature| random_bits(2, index * 64 + feature as u64) as u32 % HASHED_SLOTS;
        let mut slots: Vec<u32> = (0..FEATURES).map(slot).collect();
        slots.sort_unstable();
        slots.dedup();
        let sparse = slots.into_iter().map(|slot| Pair { slot, field: 0, value: 1.0 }).collect();
        match hashed {
            true => Example { dense: Vec::new(), sparse, class },
            false => Example { dense: numbers, sparse: Vec::new(), class },
        }
    };
    (0..EXAMPLES).map(example).collect()
}

/// The fastest of all rounds: what else the machine does makes the others slower.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn nanoseconds(mut act: impl FnMut(&Example), examples: &[Example]) -> f64 {
    let round = |_| {
        let start = Instant::now();
        for example in examples {
            act(black_box(example));
        }
        start.elapsed().as_nanos() as f64 / examples.len() as f64
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

fn view(example: &Example) -> Features<'_> {
    Features { dense: &example.dense, sparse: &example.sparse, ..Features::default() }
}

/// Nanoseconds for an answer, for learning, and for both in turn.
fn measure(config: Config, examples: &[Example], shape: &Shape) -> Result<[f64; 3], ConfigError> {
    let mut learner = LogisticRegression::new(config, shape)?;
    let mut out = Prediction::default();
    let both = nanoseconds(
        |example| {
            learner.predict(&view(example), &mut out);
            black_box(&out);
            learner.learn(&view(example), Label::Class(example.class), 1.0);
        },
        examples,
    );
    let predict = nanoseconds(
        |example| {
            learner.predict(&view(example), &mut out);
            black_box(&out);
        },
        examples,
    );
    let learn = nanoseconds(
        |example| learner.learn(&view(example), Label::Class(example.class), 1.0),
        examples,
    );
    Ok([predict, learn, both])
}

fn main() -> Result<(), ConfigError> {
    let optimizers = [
        ("sgd", Optimizer::Sgd(Sgd::default())),
        ("adagrad", Optimizer::AdaGrad(AdaGrad::default())),
        ("ftrl", Optimizer::Ftrl(Ftrl::default())),
    ];
    println!("{:34} {:>8} {:>8} {:>8}", "nanoseconds an example", "predict", "learn", "both");
    for hashed in [false, true] {
        let examples = examples(hashed);
        let label = LabelShape::Class { values_max: 2 };
        let mut shape = Shape::numbers(if hashed { 0 } else { FEATURES }, label);
        shape.sparse_size = if hashed { HASHED_SLOTS } else { 0 };
        for (name, optimizer) in &optimizers {
            for normalized in [true, false] {
                let optimizer = optimizer.clone();
                let config = Config { optimizer, normalized, ..Config::default() };
                let [predict, learn, both] = measure(config, &examples, &shape)?;
                let features = if hashed { "hashed" } else { "dense" };
                let update = if normalized { "normalized" } else { "textbook" };
                println!(
                    "{name:10} {features:10} {update:12} {predict:8.1} {learn:8.1} {both:8.1}"
                );
            }
        }
    }
    Ok(())
}
