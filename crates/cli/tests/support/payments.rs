//! Payments, and on another topic which of them were fraud: days later, out of order, twice, of two
//! minds, for nobody, or never. Made from a seed.

use std::{fmt::Write, fs, path::Path};

use crate::killed::random;

/// How many payments there are: one a minute, for six weeks.
pub(crate) const PAYMENTS: usize = 60_000;

/// The models that answer each.
pub(crate) const MODELS: usize = 2;

/// When it begins: in January 2024.
const BEGIN_MS: i64 = 1_704_067_200_000;
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 1_440 * MINUTE_MS;

const PIPELINE: &str = r#"name = "payments"

[input.payments]
load = "payments.csv"
format.csv = ["id", "at", "card", "amount"]
time.ms = "at"
partitions = 2

[input.chargebacks]
load = "chargebacks.csv"
format.csv = ["id", "at", "fraud"]
time.ms = "at"
partitions = 2

[fields]
id = "id"
card = "id"
amount = "number"

[label]
input = "chargebacks"
match = "id"
field = "fraud"
type.class = ["no", "yes"]
wait = "7 d"
absent = "no"
late.correct = { within = "5 d", weight = 2.0 }

[features]
usual.standardize = { of = ["amount"], by = "card" }
before.lag = ["label"]

[model.linear]
use = ["amount", "usual", "before"]
learner = "logistic_regression"

[model.tree]
use = ["amount", "usual"]
learner.hoeffding_tree = { grace_period = 200 }

[versions]
every = "2 d"
keep = "90 d"
"#;

/// Writes the pipeline file and what it loads.
pub(crate) fn write(folder: &Path) {
    let (mut state, mut payments, mut said) = (24, String::new(), Vec::new());
    let mut draw = |below: u64| random(&mut state) % below;
    for number in 0..PAYMENTS as i64 {
        let at = BEGIN_MS + number * MINUTE_MS;
        let (card, amount) = (draw(500), draw(1_000));
        // Now and then a payment comes again, as one of before.
        let id = if draw(200) == 0 { number / 2 } else { number };
        writeln!(payments, "p{id},{at},c{card},{amount}").unwrap();
        let is_fraud = (amount > 800) == (draw(10) > 0);
        let days = |days: u64| days * DAY_MS as u64;
        let delay = match draw(100) {
            0..40 => draw(days(5)) as i64,
            40..50 => draw(days(9)) as i64 + 6 * DAY_MS,
            50..55 => -(draw(days(1)) as i64),
            _ => continue,
        };
        let whose = if draw(50) == 0 { "nobody" } else { "p" };
        said.push((at + delay, format!("{whose}{number}"), is_fraud));
        if draw(10) == 0 {
            said.push((at + delay + draw(days(8)) as i64, format!("p{number}"), draw(2) == 0));
        }
    }
    said.sort();
    let mut chargebacks = String::new();
    for (at, id, is_fraud) in said {
        let fraud = if is_fraud { "yes" } else { "no" };
        writeln!(chargebacks, "{id},{at},{fraud}").unwrap();
    }
    fs::write(folder.join("payments.toml"), PIPELINE).unwrap();
    fs::write(folder.join("payments.csv"), payments).unwrap();
    fs::write(folder.join("chargebacks.csv"), chargebacks).unwrap();
}
