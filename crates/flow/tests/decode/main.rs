//! What decoders promise: a verdict for everything, the same as a slow and plain reader's.
//! Seeds are fixed, so every run is the same.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod poison;
mod reference;

use alluvium_flow::decode::{
    Field, Format, Kind, LabelField, Path, Plan, Refusal, Rows, Step, TimeField, TimeUnit, build,
};
use alluvium_flow::{Batch, Headers};
use alluvium_learn::math::random_bits;

/// One row, with texts instead of places and bits instead of numbers, so that rows compare.
#[derive(Clone, Debug, PartialEq)]
struct Good {
    numbers: Vec<u64>,
    texts: Vec<Option<String>>,
    ids: Vec<u64>,
    time: i64,
}

fn row(plan: &Plan, rows: &Rows, index: usize) -> Result<Good, Refusal> {
    if let Some(refusal) = rows.refusals[index] {
        return Err(refusal);
    }
    fn of<T>(all: &[T], count: usize, index: usize) -> &[T] {
        &all[index * count..][..count]
    }
    let text = |&(start, end): &(u32, u32)| {
        let bytes = rows.bytes.get(start as usize..end as usize)?;
        Some(String::from_utf8(bytes.into()).unwrap())
    };
    Ok(Good {
        numbers: of(&rows.numbers, plan.numbers_per_row(), index)
            .iter()
            .map(|value| value.to_bits())
            .collect(),
        texts: of(&rows.texts, plan.texts_per_row(), index).iter().map(text).collect(),
        ids: of(&rows.ids, plan.ids_per_row(), index).into(),
        time: rows.times[index],
    })
}

/// Decodes records that have nothing but a value, in batches of `size(index)` records.
fn decode(
    plan: &Plan,
    values: &[Vec<u8>],
    mut size: impl FnMut(usize) -> usize,
) -> Vec<Result<Good, Refusal>> {
    let (mut decoder, mut rows, mut batch) = (build(plan), Rows::default(), Batch::new());
    let mut found = Vec::new();
    let mut rest = values;
    while !rest.is_empty() {
        let (now, after) = rest.split_at(size(found.len()).clamp(1, rest.len()));
        batch.clear();
        rows.clear();
        for value in now {
            batch.push(0, 5, None, Some(value), Headers::default());
        }
        decoder.decode(0, &batch, &mut rows);
        assert_eq!(rows.len(), now.len());
        assert_eq!(rows.numbers.len(), now.len() * plan.numbers_per_row());
        found.extend((0..now.len()).map(|index| row(plan, &rows, index)));
        rest = after;
    }
    found
}

fn key(name: &str) -> Path {
    Path::Value(name.split('.').map(step).collect())
}

/// `a.b.1` for `a.b[1]`.
fn step(name: &str) -> Step {
    name.parse().map_or_else(|_| Step::Key(name.into()), Step::Index)
}

fn field(name: &str, path: Path, kind: Kind, gaps: bool) -> Field {
    Field { name: name.into(), path, kind, gaps }
}

const ANY: Kind = Kind::Number { min: f64::NEG_INFINITY, max: f64::INFINITY };

/// One field of each kind, some of them twice, at places that suit the format.
fn plan(format: Format, gaps: bool, is_class: bool) -> Plan {
    let is_csv = format != Format::Json;
    let nested = |csv: &str, json: &str| key(if is_csv { csv } else { json });
    Plan {
        fields: vec![
            field("a", key("a"), ANY, gaps),
            field("b", nested("b", "in.b"), Kind::Number { min: -2.0, max: 1e3 }, gaps),
            field("c", nested("c", "in.c"), Kind::Text { bytes_max: 12 }, gaps),
            field("flag", nested("d", "in.deep.1.d"), Kind::Flag, gaps),
            field("id", key("e"), Kind::Id, gaps),
            field("f", key("f"), Kind::Numbers { count: 3 }, gaps),
            field("a_text", key("a"), Kind::Text { bytes_max: 99 }, false),
            field("at", Path::Time, ANY, false),
        ],
        label: Some(LabelField { name: "y".into(), path: key("y"), is_class }),
        time: Some(TimeField {
            path: key("t"),
            unit: if is_csv { TimeUnit::Milliseconds } else { TimeUnit::Seconds },
            ahead_max: u64::MAX,
        }),
        format,
    }
}

fn csv_format() -> Format {
    let names = ["_", "a", "b", "c", "_", "d", "e", "f", "_", "_", "y", "t"];
    Format::Csv { columns: names.iter().map(|name| name.to_string()).collect(), delimiter: b',' }
}

fn plans() -> Vec<Plan> {
    let mut plans = Vec::new();
    for format in [csv_format(), Format::Json] {
        for (gaps, is_class) in [(false, true), (true, false)] {
            plans.push(plan(format.clone(), gaps, is_class));
        }
    }
    plans
}

/// A good record, more or less.
fn base(plan: &Plan, seed: u64) -> String {
    let pick = |counter: u64, from: &[&str]| {
        from[random_bits(seed, counter) as usize % from.len()].to_string()
    };
    let number = |counter| {
        pick(
            counter,
            &["0", "-1.25", "12.5", "0.1234", "1e2", "-0", "0.30000000000000004", "1.5E-3"],
        )
    };
    let label = if plan.label.as_ref().unwrap().is_class { ["up", "1"] } else { ["0.5", "-3"] };
    let time = pick(9, &["1700000000123", "0", "1700000000.123", "1.7e9", "99"]);
    if plan.format == Format::Json {
        let quote = |text: String| {
            if text.parse::<f64>().is_ok() { text } else { format!("\"{text}\"") }
        };
        let (a, b, f, g, h) = (number(0), number(1), number(2), number(3), number(4));
        let c = pick(5, &[r#""red""#, r#""é\u00e9\ud83d\ude00""#, r#""a\"\\\/b""#, "null", "7"]);
        let d = pick(6, &["true", "false", "1", "0"]);
        let e = pick(7, &[r#""k1""#, "17", "-5", r#""17""#]);
        let y = quote(pick(8, &label));
        let free =
            pick(10, &["{}", "[]", r#"{"x":1,"y":[1,{"z":null}]}"#, r#""\n""#, "1e5", "[[2]]"]);
        return format!(
            r#"{{"a":{a},"in":{{"c":{c}, "b":{b},"deep":[3,{{"d":{d}}},{free}]}},"e":{e},"o{free2}":{free},"f":[{f},{g},{h}],"y":{y},"t":{time}}}"#,
            free2 = seed % 10,
        );
    }
    let text = |counter| {
        pick(counter, &["red", "", "\"a,b\"", "\"a\"\"b\"", "\"x\ny\"", "é", "5\" x", "\"\""])
    };
    let end = pick(11, &["", "", "", "\n", "\r\n"]);
    let numbers: Vec<String> = (0..5).map(number).collect();
    let (c, d, e) =
        (text(5), pick(6, &["true", "0", " 1 ", "\"false\""]), pick(7, &["k", "\"k\""]));
    let [a, b, f, g, h] = numbers.try_into().unwrap();
    let free = pick(10, &["", "z", "\"q\"", "1"]);
    format!("{free},{a},{b},{c},{free},{d},{e},{f},{g},{h},{},{time}{end}", pick(8, &label))
}

/// Changes, adds or takes away one or two bytes.
fn mutate(value: &mut Vec<u8>, seed: u64) {
    const BYTES: &[u8] = b"\"\",,..--+ee0123459  \n\r\t\0\x7f\x80\xc3\xa9\xff:{}[]\\utrfn/xinaf";
    for change in 0..1 + random_bits(seed, 100) % 2 {
        let random = |counter| random_bits(seed, 101 + change * 10 + counter) as usize;
        let at = random(0) % value.len().max(1);
        let byte = match random(1) % 8 {
            0 => random(2) as u8,
            1..=4 => b'0' + (random(2) % 10) as u8,
            _ => BYTES[random(2) % BYTES.len()],
        };
        match random(3) % 6 {
            0 => value.insert(at, byte),
            1 if !value.is_empty() => drop(value.remove(at)),
            _ if !value.is_empty() => value[at] = byte,
            _ => (),
        }
    }
}

fn records(plan: &Plan, count: u64, seed: u64) -> Vec<Vec<u8>> {
    (0..count)
        .map(|index| {
            let seed = random_bits(seed, index);
            let mut value = base(plan, seed).into_bytes();
            if index % 10 != 0 {
                mutate(&mut value, seed);
            }
            value
        })
        .collect()
}

#[test]
fn mutated_records_get_the_verdict_and_values_of_a_plain_reader() {
    for (seed, plan) in plans().iter().enumerate() {
        let values = records(plan, 100_000, seed as u64);
        let found = decode(plan, &values, |done| random_bits(1, done as u64) as usize % 500);
        let (mut good, mut unknown) = (0, 0);
        for (value, found) in values.iter().zip(&found) {
            match (reference::decode(plan, value), found) {
                (reference::Verdict::Unknown, _) => unknown += 1,
                (reference::Verdict::Refused, Err(_)) => (),
                (reference::Verdict::Good(expected), Ok(found)) => {
                    good += 1;
                    assert_same(&expected, found, value);
                }
                (_, found) => panic!("{:?} {found:?}", String::from_utf8_lossy(value)),
            }
        }
        assert!(good > 12_000 && good < 90_000 && unknown < 500, "{good} good, {unknown} unknown");
    }
}

fn assert_same(expected: &Good, found: &Good, value: &[u8]) {
    let texts = expected.texts.iter().zip(&found.texts);
    assert!(
        Good { texts: found.texts.clone(), ..expected.clone() } == *found
            && texts.into_iter().all(|(expected, found)| reference::is_same_text(expected, found)),
        "{:?}\n{expected:?}\n{found:?}",
        String::from_utf8_lossy(value)
    );
}

#[test]
fn batches_change_nothing() {
    for (seed, plan) in plans().iter().enumerate() {
        let values = records(plan, 5_000, 1_000 + seed as u64);
        let whole = decode(plan, &values, |_| values.len());
        for sizes in 0..10 {
            let size = |done| random_bits(sizes, done as u64) as usize % (1 << (sizes + 1));
            assert_eq!(whole, decode(plan, &values, size));
        }
    }
}

#[test]
fn verdicts_do_not_depend_on_the_fields_that_are_read() {
    for (seed, plan) in plans().iter().enumerate() {
        let values = records(plan, 20_000, 2_000 + seed as u64);
        let all = decode(plan, &values, |_| 100);
        let unread = Plan { fields: Vec::new(), label: None, time: None, ..plan.clone() };
        for (value, (all, none)) in
            values.iter().zip(all.iter().zip(decode(&unread, &values, |_| 100)))
        {
            let of_record = |verdict: &Result<Good, Refusal>| match verdict {
                Err(refusal) if refusal.field.is_none() => Some(refusal.reason),
                _ => None,
            };
            let shown = String::from_utf8_lossy(value);
            assert_eq!(of_record(all).is_some(), of_record(&none).is_some(), "{shown:?}");
        }
    }
}
