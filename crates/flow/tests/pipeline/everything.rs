//! Files and records with everything in them: every kind of field, every step, every format, every
//! kind of label, several partitions, wild times and garbage. By seed, the same each time.

use alluvium_flow::order::{OrderKey, first_and_second};
use alluvium_learn::math::random_bits;
use serde_json::{Value, json};

/// One record before it lies in a batch.
pub(crate) struct Kept {
    pub(crate) offset: u64,
    pub(crate) time: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
}

/// One partition of an input.
pub(crate) struct Lane {
    pub(crate) input: usize,
    pub(crate) partition: u32,
    pub(crate) records: Vec<Kept>,
}

/// What the label is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Truth {
    Listed,
    Open,
    Number,
    None,
}

pub(crate) const TRUTHS: [Truth; 4] = [Truth::Listed, Truth::Open, Truth::Number, Truth::None];

/// A file with a CSV and a JSON input that have the same fields.
pub(crate) fn file(truth: Truth) -> Value {
    let names = ["id", "a", "b", "f", "on", "cat", "color", "words", "at", "y"];
    let mut file = json!({
        "name": "p",
        "input": {
            "rows": { "format": { "csv": { "columns": names } }, "time": { "rfc3339": "at" } },
            "trees": {
                "format": { "json": {} },
                "time": { "s": "at" },
                "paths": { "b": "in.b[1]", "cat": "in.cat", "id": "$key" },
            },
        },
        "fields": {
            "a": { "number": { "min": -90.0, "max": 90.0 } },
            "b": { "number": { "missing": "mean" } },
            "f": { "numbers": { "count": 2, "missing": 0.5 } },
            "on": { "flag": { "missing": "previous" } },
            "cat": { "category": { "values_max": 4 } },
            "color": { "category": { "values": ["red", "green"], "missing": "previous" } },
            "words": { "text": { "bytes_max": "40 B" } },
            "id": { "id": {} },
        },
        "features": {
            "scaled": { "standardize": { "of": ["a", "b", "f"] } },
            "between": { "min_max": { "of": ["a"] } },
            "recent": { "window": { "by": "id", "over": "300 ms", "keys_max": 4, "make": {
                "count": "count", "mean": { "mean": "a" }, "cats": { "distinct": { "of": "cat" } } } } },
            "past": { "lag": { "of": ["a"], "by": "cat" } },
            "held": { "clip": { "of": ["scaled"], "min": -2.0, "max": 2.0 } },
            "log": { "log1p": { "of": ["b"] } },
            "less": { "difference": { "of": ["a", "before.a_1"] } },
            "share": { "ratio": { "of": ["a", "b"] } },
            "before": { "lag": { "of": ["a", "cat"], "back": [1, 3] } },
            "colors": { "one_hot": { "of": ["color", "cat"] } },
            "hashed": { "hash": { "of": ["words", "id", "cat"], "bits": 8 } },
            "few": { "window": { "over": "5 records", "make": {
                "mean": { "mean": "a" }, "most": { "max": "b" } } } },
            "recent": { "window": { "over": "2 s", "make": {
                "count": "count", "spread": { "variance": "a" } } } },
        },
        "judge": { "over": "20 records" },
        "versions": { "every": "37 records", "keep": "3 versions" },
        "predictions": { "carry": ["id", "cat", "words", "scaled.a", "b"] },
    });
    let (label, models) = label_and_models(truth);
    file["model"] = models;
    if truth != Truth::None {
        file["label"] = json!({ "field": "y", "type": label });
        let with_answer = json!({ "lag": { "of": ["label"] } });
        file["features"]["answer"] = with_answer;
        file["judge"]["drift"] = reset();
    }
    file
}

/// A detector that sees a change in nearly anything.
fn reset() -> Value {
    json!({ "adwin": { "delta": 0.9, "clock": 1, "only_increase": false } })
}

/// What is foretold, and by which models.
fn label_and_models(truth: Truth) -> (Value, Value) {
    let wide = json!([
        "held", "between", "log", "less", "share", "colors", "hashed", "few", "recent", "on"
    ]);
    let narrow = json!(["a", "b", "cat", "color", "before", "on"]);
    let reset = reset();
    let tree = json!({ "hoeffding_tree": { "grace_period": 5, "delta": 0.2 } });
    match truth {
        Truth::Listed => (
            json!({ "class": { "values": ["no", "yes"] } }),
            json!({
                "linear": { "use": wide, "learner": { "logistic_regression": {} },
                    "class_weight": { "yes": 2.0 }, "reset_on": reset },
                "tree": { "use": narrow, "learner": tree },
            }),
        ),
        Truth::Open => (
            json!({ "class": { "values_max": 3 } }),
            json!({ "tree": { "use": narrow, "learner": tree, "reset_on": reset } }),
        ),
        Truth::Number => (
            json!({ "number": {} }),
            json!({
                "linear": { "use": wide, "learner": { "linear_regression": {} } },
                "each": { "use": ["recent", "past"], "by": "cat",
                    "learner": { "linear_regression": {} } },
            }),
        ),
        Truth::None => (
            Value::Null,
            json!({
                "kinds": { "use": ["scaled", "few"], "learner": { "k_means": {} } },
                "jump": { "use": ["recent", "past"], "by": "id", "keys_max": 3,
                    "forget_after": "2 s", "learner": { "cusum": { "threshold": 2.0 } } },
            }),
        ),
    }
}

/// Three partitions: two of CSV, one of JSON.
pub(crate) fn lanes(seed: u64, truth: Truth, most: u64) -> Vec<Lane> {
    let lane = |(index, (input, partition))| {
        let seed = random_bits(seed, index);
        let count = most / 2 + random_bits(seed, 0) % (most / 2 + 1);
        let (mut offset, mut time) = (random_bits(seed, 1) % 9, 1_000);
        let records = (0..count).map(|index| {
            let seed = random_bits(seed, 2 + index);
            // Offsets have gaps, as after compaction.
            offset += 1 + u64::from(random_bits(seed, 0).is_multiple_of(9)) * 5;
            time += (random_bits(seed, 1) % 20) as i64;
            let wild = [time + 1_000_000, time - 900, -1, time / 16 * 16];
            let time = *wild.get(random_bits(seed, 2) as usize % 30).unwrap_or(&time);
            let key = Some(format!("k{}", random_bits(seed, 3) % 5).into_bytes());
            Kept { offset, time, key, value: value(seed, input == 1, truth, index) }
        });
        Lane { input, partition, records: records.collect() }
    };
    (0..).zip([(0, 0), (0, 1), (1, 0)]).map(lane).collect()
}

/// A record's value; some are missing, damaged or in the wrong format.
fn value(seed: u64, is_json: bool, truth: Truth, index: u64) -> Option<Vec<u8>> {
    let random = |counter: u64, below: u64| random_bits(seed, 10 + counter) % below;
    let pick =
        |counter: u64, from: &[&str]| from[random(counter, from.len() as u64) as usize].to_string();
    let a = random(0, 200) as f64 - 100.0;
    let b = if random(1, 9) == 0 { String::new() } else { format!("{}.25", random(2, 50)) };
    let f = [pick(3, &["1", "-0.5", "1e3", "x"]), pick(4, &["2", "0.1", "7"])];
    let on = pick(5, &["true", "false", "1", "0", "?"]);
    let (cat, color) = (format!("c{}", random(6, 6)), pick(7, &["red", "green", "blue", ""]));
    let words = pick(8, &["to be", "or \"not\", to be", "line\\nend", "é"]);
    let answer = match truth {
        Truth::Listed => pick(9, &["no", "yes", "yes", "", "maybe"]),
        Truth::Open => pick(9, &["x", "y", "z", "w", ""]),
        Truth::Number | Truth::None => format!("{}.5", random(9, 40)),
    };
    let second = index / 3;
    let text = match random(20, 30) {
        0 => return None,
        1 => String::new(),
        2 => "garbage,\"".into(),
        _ if is_json => {
            let b = if b.is_empty() { "null".into() } else { b };
            let number = |text: String| match text.as_str() {
                "x" => "null".to_string(),
                _ => text,
            };
            let [f, g] = f.map(number);
            let on = if on == "?" { "null".into() } else { on };
            let color = if color.is_empty() { "null".into() } else { format!("\"{color}\"") };
            let words = words.replace('"', "\\\"");
            let answer = match truth {
                Truth::Number | Truth::None => answer,
                _ if answer.is_empty() => "null".into(),
                _ => format!("\"{answer}\""),
            };
            format!(r#"{{"in":{{"b":[0,{b}],"cat":"{cat}"}},"a":{a},"f":[{f},{g}],"on":{on},"#)
                + &format!(
                    r#""color":{color},"words":"{words}","u{index}":[{{}}],"y":{answer},"at":{second}.125}}"#
                )
        }
        _ => {
            let [f, g] = f;
            let words = words.replace('"', "\"\"");
            let end = pick(10, &["", "\n", "\r\n"]);
            let at = format!("1970-01-01T{:02}:{:02}:{:02}.5Z", 0, second / 60, second % 60);
            let id = random(11, 7);
            format!("{id},{a},{b},{f},{g},{on},{cat},{color},\"{words}\",{at},{answer}{end}")
        }
    };
    Some(text.into_bytes())
}

/// The merged order, record by record: the lane and the index in it.
pub(crate) fn merged(lanes: &[Lane]) -> Vec<(usize, usize)> {
    let (mut next, mut keys) = (vec![0; lanes.len()], vec![OrderKey::default(); lanes.len()]);
    let mut order = Vec::new();
    loop {
        let heads = lanes.iter().enumerate().filter_map(|(lane, it)| {
            let record = it.records.get(next[lane])?;
            Some((lane, keys[lane].of(Some(record.time)), lane as u32))
        });
        let Some((lane, _)) = first_and_second(heads) else { return order };
        keys[lane].take(Some(lanes[lane].records[next[lane]].time));
        order.push((lane, next[lane]));
        next[lane] += 1;
    }
}
