//! The first line of a source of CSV: a header, a wrong header, or a record.

use alluvium_flow::spec::Csv;

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
    let plain = |name: &str| name.trim().trim_matches('"').to_lowercase();
    let known: Vec<String> = csv.columns.iter().map(|name| plain(name)).collect();
    let found: Vec<String> = text.split(csv.delimiter).map(plain).collect();
    let agrees = |(known, found): (&String, &String)| known == "_" || known == found;
    if known.len() == found.len() && known.iter().zip(&found).all(agrees) {
        let has_name = known.iter().any(|name| name != "_");
        return if has_name { First::Header } else { First::Record };
    }
    let is_name = |name: &&String| name.chars().any(char::is_alphabetic) && name.len() > 1;
    match known.iter().filter(is_name).any(|name| found.contains(name)) {
        true => First::WrongHeader(text.chars().take(200).collect()),
        false => First::Record,
    }
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
