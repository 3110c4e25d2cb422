//! How fast the Hoeffding tree answers and learns, and how well: on a stream of ten numbers made
//! here, and on the electricity stream if its xz-compressed CSV file is named.
//!
//! `cargo run --release -p alluvium-learn --example tree_speed [-- elec.csv.xz]`
#![allow(clippy::print_stdout, reason = "printing is what it is for")]
#![allow(clippy::disallowed_methods, reason = "it measures time")]

use std::time::Instant;

use alluvium_learn::{
    Component, Features, Label, LabelShape, Learner, Prediction, Shape, State,
    learners::hoeffding_tree::{Config, HoeffdingTree, LeafAnswer},
    math::random_unit,
};

type Rows = Vec<(Vec<f64>, u32)>;

fn run(name: &str, rows: &Rows, config: Config) {
    let Some((first, _)) = rows.first() else { return };
    let shape = Shape::numbers(first.len(), LabelShape::Class { values_max: 2 });
    let mut tree = HoeffdingTree::new(config, &shape).expect("the settings are right");
    let mut answer = Prediction::default();
    let mut right = 0;
    let start = Instant::now();
    for (dense, class) in rows {
        let x = Features { dense, ..Features::default() };
        tree.predict(&x, &mut answer);
        right += u32::from(answer.value == f64::from(*class));
        tree.learn(&x, Label::Class(*class), 1.0);
    }
    let each = start.elapsed().as_nanos() as f64 / rows.len() as f64;
    let accuracy = f64::from(right) / rows.len() as f64;
    let footprint = tree.footprint_bytes();
    println!("{name:28} {each:7.0} ns a record, accuracy {accuracy:.4}, {footprint} bytes");
}

/// A checkerboard of the first two of ten numbers, one label in twenty wrong.
fn made(count: u64) -> Rows {
    let row = |at| {
        let dense: Vec<f64> = (0..10).map(|slot| random_unit(slot, at)).collect();
        let class = (dense[0] > 0.5) != (dense[1] > 0.3) || dense[2] > 0.9;
        (dense, u32::from(class != (random_unit(99, at) < 0.05)))
    };
    (0..count).map(row).collect()
}

/// The electricity stream, with the label of the record before as a feature or without.
fn electricity(path: &str, with_label_before: bool) -> Rows {
    let packed = std::fs::read(path).expect("the file can be read");
    let mut plain = Vec::new();
    lzma_rs::xz_decompress(&mut packed.as_slice(), &mut plain).expect("the file is xz");
    let text = String::from_utf8(plain).expect("the file is text");
    let mut before = 0.0;
    let mut rows = Rows::new();
    for line in text.lines().skip(1) {
        let mut row: Vec<f64> =
            line.split(',').map(|cell| cell.parse().expect("a number")).collect();
        let class = row.pop().expect("a label");
        if with_label_before {
            row.push(before);
        }
        before = class;
        rows.push((row, class as u32));
    }
    rows
}

fn main() {
    let mut streams = vec![("made, 10 numbers", made(1_000_000))];
    if let Some(path) = std::env::args().nth(1) {
        streams.push(("electricity", electricity(&path, false)));
        streams.push(("electricity, label before", electricity(&path, true)));
    }
    for (name, rows) in &streams {
        println!("{name}: {} records", rows.len());
        run("  naive_bayes_adaptive", rows, Config::default());
        run("  naive_bayes", rows, Config { leaf: LeafAnswer::NaiveBayes, ..Config::default() });
        run("  majority", rows, Config { leaf: LeafAnswer::Majority, ..Config::default() });
    }
}
