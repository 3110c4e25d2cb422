//! How well the payments of each week were answered, whenever their labels came; and the picture
//! of it.

use std::{collections::BTreeMap, fmt::Write};

use alluvium_fraud::{CHANGE, DAY, Made, START};
use serde_json::Value;

/// Whole weeks in the example.
const WEEKS: usize = 17;

/// What came of the payments of each week, and when somebody would have looked.
#[derive(Debug, Default)]
pub(crate) struct Weeks {
    /// By model, the average precision of the payments of each week.
    pub(crate) of: BTreeMap<String, Vec<f64>>,
    /// By model, the days from the beginning on which its error raised an alarm.
    pub(crate) alarms: BTreeMap<String, Vec<i64>>,
}

/// Average precision: the mean, over all that are to be found, of the share of them among all with
/// at least their score. Of equal scores none is first.
fn average_precision(mut scored: Vec<(f64, bool)>) -> f64 {
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let all = scored.iter().filter(|(_, is_fraud)| *is_fraud).count() as f64;
    let (mut found, mut seen, mut sum) = (0.0, 0.0, 0.0);
    for same in scored.chunk_by(|a, b| a.0 == b.0) {
        let new = same.iter().filter(|(_, is_fraud)| *is_fraud).count() as f64;
        found += new;
        seen += same.len() as f64;
        sum += new * found / seen;
    }
    sum / all
}

impl Weeks {
    /// Of what `alluvium show PIPELINE predictions --json --last 0` and the same of alarms print.
    pub(crate) fn of(made: &Made, predictions: &str, alarms: &str) -> Weeks {
        let is_so: Vec<(i64, bool)> = made.is_so().collect();
        let mut scored: BTreeMap<String, Vec<Vec<(f64, bool)>>> = BTreeMap::new();
        for line in predictions.lines() {
            let answer: Value = serde_json::from_str(line).unwrap();
            let id = answer["carry"]["payment_id"].as_str().unwrap();
            let (time, is_fraud) = is_so[id[1..].parse::<usize>().unwrap()];
            let week = ((time - START) / (7 * DAY)) as usize;
            let model = answer["model"].as_str().unwrap().to_string();
            let weeks = scored.entry(model).or_insert_with(|| vec![Vec::new(); WEEKS + 1]);
            weeks[week].push((answer["score"].as_f64().unwrap(), is_fraud));
        }
        let mut weeks = Weeks::default();
        for (model, mut scored) in scored {
            scored.truncate(WEEKS);
            weeks.of.insert(model, scored.into_iter().map(average_precision).collect());
        }
        let topics = [("payments", made.payments(), 3), ("chargebacks", made.chargebacks(), 2)];
        let topics = topics
            .map(|(name, text, partitions)| (name, String::from_utf8(text).unwrap(), partitions));
        for line in alarms.lines() {
            let alarm: Value = serde_json::from_str(line).unwrap();
            let place: Vec<&str> = alarm["at"].as_str().unwrap().split(':').collect();
            let number = |index: usize| place[index].parse::<usize>().unwrap();
            let (_, text, partitions) = topics.iter().find(|(name, ..)| *name == place[0]).unwrap();
            let line = text.lines().nth(number(2) * partitions + number(1)).unwrap();
            let record: Value = serde_json::from_str(line).unwrap();
            let time = record["booked_at"].as_i64().or(record["authorised_at"].as_i64()).unwrap();
            let model = alarm["model"].as_str().unwrap().to_string();
            weeks.alarms.entry(model).or_default().push((time - START) / DAY);
        }
        weeks
    }

    /// Each figure by its row and its column: of each week by its first day, of each alarm by the
    /// day it was raised.
    pub(crate) fn figures(&self) -> BTreeMap<(String, String), f64> {
        let mut figures = BTreeMap::new();
        for (model, weeks) in &self.of {
            for (week, value) in weeks.iter().enumerate() {
                figures.insert((day(7 * week as i64), format!("by_{model}")), *value);
            }
        }
        for (model, alarms) in &self.alarms {
            for (index, alarm) in alarms.iter().enumerate() {
                let row = format!("{model} alarm {}", index + 1);
                figures.insert((row, "days".into()), *alarm as f64);
            }
        }
        figures
    }

    /// The picture: each model's weeks, its alarms, and the day of the change.
    pub(crate) fn picture(&self) -> String {
        let mut svg = String::from(HEAD);
        for tenths in [0, 2, 4, 6, 8, 10] {
            let (y, label) = (height(f64::from(tenths) / 10.0), f64::from(tenths) / 10.0);
            writeln!(svg, "<path class=\"grid\" d=\"M60 {y:.1}H700\"/>").unwrap();
            writeln!(svg, "<text x=\"52\" y=\"{:.1}\" class=\"end\">{label}</text>", y + 4.0)
                .unwrap();
        }
        for week in (0..WEEKS).step_by(2) {
            let (x, label) = (across(7.0 * week as f64), day(7 * week as i64));
            writeln!(svg, "<text x=\"{x:.1}\" y=\"272\">{label}</text>").unwrap();
        }
        let change = across(f64::from(CHANGE));
        writeln!(svg, "<path class=\"change\" d=\"M{change:.1} 24V250\"/>").unwrap();
        let says = "the method changes";
        writeln!(svg, "<text x=\"{change:.1}\" y=\"18\" class=\"middle\">{says}</text>").unwrap();
        for (index, (model, weeks)) in self.of.iter().enumerate() {
            let points: Vec<String> = weeks
                .iter()
                .enumerate()
                .map(|(week, value)| {
                    format!("{:.1},{:.1}", across(7.0 * week as f64 + 3.5), height(*value))
                })
                .collect();
            let points = points.join(" ");
            writeln!(svg, "<polyline class=\"m{index}\" points=\"{points}\"/>").unwrap();
            let y = 296 + 22 * index;
            writeln!(svg, "<path class=\"m{index}\" d=\"M60 {y}h24\"/>").unwrap();
            writeln!(svg, "<text x=\"90\" y=\"{}\">{model}; its alarms:</text>", y + 4).unwrap();
            for alarm in self.alarms.get(model).into_iter().flatten() {
                let x = across(*alarm as f64 + 0.5);
                writeln!(svg, "<circle class=\"a{index}\" cx=\"{x:.1}\" cy=\"{y}\" r=\"4\"/>")
                    .unwrap();
            }
        }
        svg + "</svg>\n"
    }
}

/// What every picture begins with.
const HEAD: &str = "\
<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 330\" width=\"720\" height=\"330\">
<title>Average precision of the payments of each week, and alarms</title>
<style>
text{font:12px sans-serif;fill:#57606a}.end{text-anchor:end}.middle{text-anchor:middle}
.grid{stroke:#d0d7de}.change{stroke:#57606a;stroke-dasharray:4 4}
polyline,.m0,.m1{fill:none;stroke-width:2}.m0{stroke:#0969da}.m1{stroke:#bc4c00}
.a0{fill:#0969da}.a1{fill:#bc4c00}
</style>
";

/// Where a day lies, from left to right.
fn across(day: f64) -> f64 {
    60.0 + 640.0 * day / (7.0 * WEEKS as f64)
}

/// Where a value from 0 to 1 lies, from the top.
fn height(value: f64) -> f64 {
    250.0 - 220.0 * value
}

/// A day of 2026, so many after the first of March.
fn day(days: i64) -> String {
    let months = [("March", 31), ("April", 30), ("May", 31), ("June", 30)];
    let mut left = days;
    for (month, length) in months {
        if left < length {
            return format!("{} {month}", left + 1);
        }
        left -= length;
    }
    panic!("{days} days after 1 March are none of the example's")
}
