//! The first line of a source of CSV: a header, a wrong header, or a record.

use alluvium_flow::{
    decode::Framing,
    spec::{Csv, Format, Spec},
};

use crate::cells;

/// What a first line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum First {
    /// It names the columns.
    Header,
    /// It names some of the columns, and others beside them.
    WrongHeader(String),
    /// It is a record like any other.
    Record,
}

/// How the first line of an input's sources may begin, if they are CSV: the columns one by one.
/// Those that one name stands for may have any.
pub fn expected(spec: &Spec, input: &str) -> Option<Csv> {
    let Format::Csv(csv) = &spec.input.get(input)?.format else { return None };
    let spread = |(name, count): (&str, u32)| match count {
        1 => vec![name.to_string()],
        _ => vec!["_".to_string(); count as usize],
    };
    Some(Csv { columns: spec.columns(input, csv).flat_map(spread).collect(), ..csv.clone() })
}

/// Where a source's records end: CSV may have line breaks in quotes.
pub fn framing(csv: Option<&Csv>) -> Framing {
    csv.map_or(Framing::Line, |csv| Framing::Csv { delimiter: csv.delimiter as u8 })
}

/// A first line that agrees with the columns is a header; one that shares names with them and does
/// not agree is a wrong one.
pub fn judge(csv: &Csv, line: &[u8]) -> First {
    let Ok(text) = std::str::from_utf8(line) else { return First::Record };
    let plain = |name: &str| name.trim().to_lowercase();
    let known: Vec<String> = csv.columns.iter().map(|name| plain(name)).collect();
    let found: Vec<String> =
        cells::split(text, csv.delimiter).iter().map(|name| plain(name)).collect();
    if agrees(&known, &found) {
        let has_name = known.iter().any(|name| name != "_");
        return if has_name { First::Header } else { First::Record };
    }
    let is_name = |name: &&String| name.chars().any(char::is_alphabetic);
    match known.iter().filter(is_name).any(|name| found.contains(name)) {
        true => First::WrongHeader(text.chars().take(200).collect()),
        false => First::Record,
    }
}

/// Whether the names of a header are those of the columns. A name that the header leaves empty can
/// be any, and so can one that stands there for the second time: columns must have different names.
fn agrees(known: &[String], all: &[String]) -> bool {
    let same = |(index, (known, found)): (usize, (&String, &String))| {
        let is_again = || all[..index].contains(found) && known.starts_with(&**found);
        known == "_" || known == found || found.is_empty() || is_again()
    };
    let has_name = all.iter().any(|name| !name.is_empty());
    has_name && known.len() == all.len() && known.iter().zip(all).enumerate().all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_agrees_with_the_columns() {
        let columns = ["price", "_", "class"].map(String::from).to_vec();
        let csv = Csv { columns, delimiter: ';' };
        assert_eq!(judge(&csv, b"\"Price\";x;class"), First::Header);
        assert_eq!(judge(&csv, b"class;x;price"), First::WrongHeader("class;x;price".into()));
        assert_eq!(judge(&csv, b"1;2;0"), First::Record);
        assert_eq!(judge(&csv, b"\xff"), First::Record);
    }

    #[test]
    fn columns_that_one_name_stands_for_may_have_any_name() {
        let file = r#"{ "name": "w", "input": { "w": { "format": { "csv": { "columns": ["y", "x"] } } } },
            "fields": { "x": { "numbers": { "count": 3 } } }, "model": {} }"#;
        let spec: Spec = serde_json::from_str(file).unwrap();
        let csv = expected(&spec, "w").unwrap();
        assert_eq!(csv.columns, ["y", "_", "_", "_"]);
        assert_eq!(judge(&csv, b"y,x0,x1,x2"), First::Header);
        assert_eq!(judge(&csv, b"y,x0,x1"), First::WrongHeader("y,x0,x1".into()));
    }
}
