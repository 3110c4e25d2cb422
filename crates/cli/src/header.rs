//! The first line of a source of CSV: a header, a wrong header, or a record.

use alluvium_flow::spec::Csv;

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
}
