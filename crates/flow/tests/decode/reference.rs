//! The slow and plain reader that decoders are held against: the `csv` crate and `serde_json`, a
//! tree, and the standard library's numbers. Only good or refused and the values are compared.

use std::fmt;

use alluvium_flow::decode::{Field, Format, Kind, Path, Plan, Step, TimeUnit};
use alluvium_learn::math::hash64;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::Good;

pub(crate) enum Verdict {
    Good(Good),
    Refused,
    /// The library refuses what is right, or cannot tell what we promise.
    Unknown,
}

/// A value as both formats have it.
#[derive(Clone, Debug)]
enum Tree {
    Null,
    Flag(bool),
    /// With its text, if that is known: a tree keeps it only of integers.
    Number(f64, Option<String>),
    Text(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
    /// A cell of CSV.
    Cell(String),
}

struct Refused;
struct Unknown;
type Read<T> = Result<Result<T, Refused>, Unknown>;

pub(crate) fn decode(plan: &Plan, value: &[u8]) -> Verdict {
    let tree = match &plan.format {
        Format::Json => json(value),
        Format::Csv { columns, delimiter } => Ok(csv(columns, *delimiter, value)),
    };
    let tree = match tree {
        Ok(Ok(tree)) => tree,
        Ok(Err(Refused)) => return Verdict::Refused,
        Err(Unknown) => return Verdict::Unknown,
    };
    match values(plan, &tree) {
        Ok(Ok(good)) => Verdict::Good(good),
        Ok(Err(Refused)) => Verdict::Refused,
        Err(Unknown) => Verdict::Unknown,
    }
}

/// Stands for the text of a number that the tree has forgotten.
fn forgotten(value: f64) -> String {
    format!("\0{:x}", value.to_bits())
}

/// Whether a text is the expected one, or one of the same number where that was forgotten.
pub(crate) fn is_same_text(expected: &Option<String>, found: &Option<String>) -> bool {
    match (expected, found) {
        (Some(expected), Some(found)) if expected.starts_with('\0') => {
            found.parse().is_ok_and(|value| *expected == forgotten(value))
        }
        _ => expected == found,
    }
}

/// Cells as an object; a column's number is its key too, for `numbers`.
fn csv(columns: &[String], delimiter: u8, value: &[u8]) -> Result<Tree, Refused> {
    let text = std::str::from_utf8(value).map_err(|_| Refused)?;
    let line = text.strip_suffix("\r\n").or(text.strip_suffix(['\r', '\n'])).unwrap_or(text);
    if line.is_empty() || line.contains('\0') || line.starts_with('\u{feff}') {
        return Err(Refused);
    }
    if !is_well_formed(line, delimiter.into()) {
        return Err(Refused);
    }
    let mut reader = csv::ReaderBuilder::new();
    let mut reader =
        reader.has_headers(false).flexible(true).delimiter(delimiter).from_reader(line.as_bytes());
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let [record] = records.as_slice() else { panic!("{line:?} is one record") };
    if record.len() != columns.len() {
        return Err(Refused);
    }
    let cells = record.iter().map(|cell| Tree::Cell(cell.into()));
    Ok(Tree::Object(columns.iter().cloned().zip(cells).collect()))
}

/// What the `csv` crate does not tell: quotes that never end, text behind a closing quote, and line
/// ends outside quotes.
fn is_well_formed(line: &str, delimiter: char) -> bool {
    let mut rest = line;
    loop {
        if let Some(mut quoted) = rest.strip_prefix('"') {
            loop {
                let Some((_, after)) = quoted.split_once('"') else { return false };
                match after.strip_prefix('"') {
                    Some(after) => quoted = after,
                    None => {
                        rest = after;
                        break;
                    }
                }
            }
            if !rest.is_empty() && !rest.starts_with(delimiter) {
                return false;
            }
        }
        let (cell, after) = match rest.split_once(delimiter) {
            Some((cell, after)) => (cell, Some(after)),
            None => (rest, None),
        };
        if cell.contains(['\r', '\n']) {
            return false;
        }
        match after {
            Some(after) => rest = after,
            None => return true,
        }
    }
}

fn json(value: &[u8]) -> Read<Tree> {
    match serde_json::from_slice::<Tree>(value) {
        Ok(tree @ Tree::Object(_)) => Ok(Ok(tree)),
        Ok(_) => Ok(Err(Refused)),
        // To us 1e400 is good JSON, as the grammar has it: a matter of the field.
        Err(error) if error.to_string().starts_with("number out of range") => Err(Unknown),
        Err(_) => Ok(Err(Refused)),
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Tree, D::Error> {
        from.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }
    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Flag(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(value as f64, Some(value.to_string())))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value as f64, Some(value.to_string())))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Number(value, None))
    }
    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.into()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Tree, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = from.next_element()? {
            elements.push(element);
        }
        Ok(Tree::Array(elements))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Tree, A::Error> {
        let mut entries: Vec<(String, Tree)> = Vec::new();
        while let Some((key, value)) = from.next_entry::<String, Tree>()? {
            if entries.iter().any(|(known, _)| *known == key) {
                return Err(A::Error::custom("twice"));
            }
            entries.push((key, value));
        }
        Ok(Tree::Object(entries))
    }
}

/// What a path leads to; `Null` where it leads nowhere.
fn find<'a>(tree: &'a Tree, path: &Path) -> &'a Tree {
    let Path::Value(steps) = path else { panic!("only paths into the value") };
    let mut here = tree;
    for step in steps {
        here = match (here, step) {
            (Tree::Object(entries), Step::Key(key)) => {
                entries.iter().find(|(known, _)| known == key).map_or(&Tree::Null, |entry| &entry.1)
            }
            (Tree::Array(elements), Step::Index(index)) => {
                elements.get(*index).unwrap_or(&Tree::Null)
            }
            _ => &Tree::Null,
        };
    }
    here
}

fn values(plan: &Plan, tree: &Tree) -> Read<Good> {
    let mut good = Good { numbers: vec![], texts: vec![], ids: vec![], time: 5 };
    for field in &plan.fields {
        if field.path == Path::Time {
            good.numbers.push(5f64.to_bits());
            continue;
        }
        if let Err(Refused) = one(field, tree, &mut good)? {
            return Ok(Err(Refused));
        }
    }
    if let Some(label) = &plan.label {
        let found = find(tree, &label.path);
        if is_missing(found, label.is_class) {
            match label.is_class {
                true => good.texts.push(None),
                false => good.numbers.push(f64::NAN.to_bits()),
            }
        } else if label.is_class {
            match text(found) {
                Ok(text) => good.texts.push(Some(text)),
                Err(Refused) => return Ok(Err(Refused)),
            }
        } else {
            match number(found) {
                Some(value) => good.numbers.push(value.to_bits()),
                None => return Ok(Err(Refused)),
            }
        }
    }
    if let Some(at) = &plan.time {
        match time(find(tree, &at.path), at.unit) {
            Some(time) => good.time = time,
            None => return Ok(Err(Refused)),
        }
    }
    Ok(Ok(good))
}

fn one(field: &Field, tree: &Tree, good: &mut Good) -> Read<()> {
    let found = find(tree, &field.path);
    // One value that may be a gap.
    let mut push = |value: Option<f64>| {
        let value = value.or(field.gaps.then_some(f64::NAN)).ok_or(Refused)?;
        good.numbers.push(value.to_bits());
        Ok(())
    };
    Ok(match &field.kind {
        Kind::Number { min, max } => {
            push(number(found).filter(|value| (*min..=*max).contains(value)))
        }
        Kind::Flag => push(match found {
            Tree::Flag(value) => Some(f64::from(u8::from(*value))),
            Tree::Number(_, Some(text)) if text == "0" || text == "1" => text.parse().ok(),
            Tree::Cell(cell) => match cell.trim_matches([' ', '\t']) {
                "true" | "1" => Some(1.0),
                "false" | "0" => Some(0.0),
                _ => None,
            },
            _ => None,
        }),
        Kind::Numbers { count } => {
            let all: Vec<Option<f64>> = match found {
                Tree::Array(elements) if elements.len() == *count => {
                    elements.iter().map(number).collect()
                }
                Tree::Cell(_) => {
                    let (Tree::Object(cells), Path::Value(steps)) = (tree, &field.path) else {
                        panic!("a cell is in an object")
                    };
                    let first =
                        cells.iter().position(|(key, _)| steps[0] == Step::Key(key.clone()));
                    cells[first.unwrap()..][..*count].iter().map(|(_, cell)| number(cell)).collect()
                }
                _ => vec![None; *count],
            };
            all.into_iter().try_for_each(push)
        }
        Kind::Text { bytes_max } => {
            let text = match is_missing(found, true) {
                true => None,
                false => text(found).ok().filter(|text| text.len() <= *bytes_max),
            };
            if *bytes_max < 50 && text.as_ref().is_some_and(|text| text.starts_with('\0')) {
                return Err(Unknown);
            }
            if text.is_none() && !field.gaps {
                return Ok(Err(Refused));
            }
            good.texts.push(text);
            Ok(())
        }
        Kind::Id => match found {
            Tree::Number(_, None) => return Err(Unknown),
            Tree::Number(_, Some(text)) | Tree::Text(text) | Tree::Cell(text)
                if !text.is_empty() =>
            {
                good.ids.push(hash64(text.as_bytes(), 0));
                Ok(())
            }
            _ => Err(Refused),
        },
    })
}

fn is_missing(tree: &Tree, is_text: bool) -> bool {
    match tree {
        Tree::Null => true,
        Tree::Cell(cell) if is_text => cell.is_empty(),
        Tree::Cell(cell) => cell.trim_matches([' ', '\t']).is_empty(),
        _ => false,
    }
}

fn number(tree: &Tree) -> Option<f64> {
    match tree {
        Tree::Number(value, _) => Some(*value),
        Tree::Cell(cell) => cell.trim_matches([' ', '\t']).parse().ok(),
        _ => None,
    }
    .filter(|value| value.is_finite())
}

fn text(tree: &Tree) -> Result<String, Refused> {
    match tree {
        Tree::Text(text) | Tree::Cell(text) => Ok(text.clone()),
        Tree::Flag(value) => Ok(value.to_string()),
        Tree::Number(_, Some(text)) => Ok(text.clone()),
        Tree::Number(value, None) => Ok(forgotten(*value)),
        _ => Err(Refused),
    }
}

/// Moves the point in the text, and reads what stands before it.
fn time(tree: &Tree, unit: TimeUnit) -> Option<i64> {
    let text = match tree {
        Tree::Cell(cell) => cell.trim_matches([' ', '\t']).to_string(),
        Tree::Number(_, Some(text)) => text.clone(),
        // The shortest text of a double is what was written, as long as that was no longer.
        Tree::Number(value, None) => value.to_string(),
        _ => return None,
    };
    if text.parse::<f64>().map_or(true, |value| !value.is_finite()) {
        return None;
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa.trim_start_matches('+')),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let power = if unit == TimeUnit::Seconds { 3 } else { 0 };
    let point = whole.len() as i64 + exponent.parse::<i64>().unwrap() + power;
    let mut digits = format!("{whole}{fraction}");
    while (digits.len() as i64) < point {
        digits.push('0');
    }
    digits.truncate(point.max(0) as usize);
    let value: i128 = format!("{sign}0{digits}").parse().unwrap_or(i128::MAX);
    i64::try_from(value).ok().filter(|time| (0..=9_223_372_036_854).contains(time))
}
