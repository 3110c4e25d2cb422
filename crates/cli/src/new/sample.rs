//! What a file is: CSV with which delimiter and which columns, or NDJSON; seen from its beginning.

use std::{
    collections::BTreeSet,
    io::Read,
    path::{Path, PathBuf},
};

use alluvium_flow::decode::{Framing, Lines};
use anyhow::{Context, bail};

use super::value::{is_gap_word, is_number, is_time};
use crate::{cells, source};

/// How much of a file is looked at to see what it is.
const HEAD_BYTES: u64 = 1 << 20;
/// How many records of it.
const HEAD_RECORDS: usize = 1000;
/// How much is read at once.
const CHUNK_BYTES: usize = 1 << 18;
/// The delimiters, the likeliest first where two cut the file equally well.
const DELIMITERS: [char; 4] = ['\t', ';', '|', ','];

/// Records, and what they are.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// What they are called.
    pub name: String,
    /// What they are.
    pub form: Form,
    records: Records,
}

/// Where the records are.
#[derive(Clone, Debug)]
enum Records {
    /// In a file, which is read as often as they are asked for.
    File(PathBuf),
    /// Here: taken from a topic, which may hold more.
    Taken { records: Vec<Vec<u8>>, is_whole: bool },
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Lines of cells.
    Csv {
        /// What separates them.
        delimiter: char,
        /// The columns' names: those of the header, made different from each other, or made up.
        columns: Vec<String>,
        /// Whether the first line holds the names.
        has_header: bool,
    },
    /// Lines that are JSON objects.
    Json,
}

impl Sample {
    /// Looks at the beginning of a file.
    ///
    /// # Errors
    /// When it cannot be read, or is no text of records; the message says what would help.
    pub(super) fn look(path: &Path) -> anyhow::Result<Sample> {
        let source = source::open(&path.to_string_lossy(), path)?;
        let name = source.name;
        let mut head = Vec::new();
        source
            .bytes
            .take(HEAD_BYTES)
            .read_to_end(&mut head)
            .with_context(|| format!("reading {} (is it whole, and a file?)", path.display()))?;
        let is_whole = (head.len() as u64) < HEAD_BYTES;
        check_text(&name, &head)?;
        let lines = head_records(&head, Framing::Line, is_whole);
        let Some(first) = lines.first() else {
            bail!("{name} is empty: there is nothing to learn")
        };
        let form = match first.trim_start().chars().next() {
            Some('{') => json(&name, first)?,
            Some('[') if is_array(&head) => {
                bail!("{name} is a JSON array: write one object a line, as jq -c '.[]' {name} does")
            }
            Some('[') if serde_json::from_str::<serde::de::IgnoredAny>(first).is_ok() => bail!(
                "{name} is a JSON array, not an object a line; jq -c '.[]' {name} makes one of it"
            ),
            _ => csv(&head, is_whole),
        };
        Ok(Sample { name, form, records: Records::File(path.into()) })
    }

    /// Looks at records that were taken from a topic; `is_whole`: there are no others in it.
    ///
    /// # Errors
    /// When they are no text that is read here.
    pub(super) fn of_topic(
        name: String,
        records: Vec<Vec<u8>>,
        is_whole: bool,
    ) -> anyhow::Result<Sample> {
        let mut head = Vec::new();
        for record in records.iter().take(HEAD_RECORDS) {
            if head.len() as u64 >= HEAD_BYTES {
                break;
            }
            head.extend_from_slice(record);
            head.push(b'\n');
        }
        if head.contains(&0) || records.iter().all(|record| std::str::from_utf8(record).is_err()) {
            bail!("the records of {name} are no text (Avro, Protobuf?): CSV and JSON are read");
        }
        let first = records.iter().map(|record| String::from_utf8_lossy(record));
        let first = first.map(|record| record.trim().to_string()).find(|record| !record.is_empty());
        let Some(first) = first else { bail!("the records of {name} have no value") };
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&first).is_ok();
        let form = match first.chars().next() {
            Some('{') if is_json => Form::Json,
            Some('{') => bail!("a record of {name} begins like JSON, and is no whole object"),
            Some('[') if is_json => bail!("a record of {name} is a JSON array, and not an object"),
            _ => csv(&head, true),
        };
        Ok(Sample { name, form, records: Records::Taken { records, is_whole } })
    }

    /// Whether there are no other records than those that are read.
    pub(super) fn is_whole(&self) -> bool {
        match &self.records {
            Records::File(_) => true,
            Records::Taken { is_whole, .. } => *is_whole,
        }
    }

    /// How its records are cut.
    pub(super) fn framing(&self) -> Framing {
        match &self.form {
            Form::Csv { delimiter, .. } => Framing::Csv { delimiter: *delimiter as u8 },
            Form::Json => Framing::Line,
        }
    }

    /// Calls `each` with every record until it says false. A header is none.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn each(&self, mut each: impl FnMut(&[u8]) -> bool) -> anyhow::Result<()> {
        let path = match &self.records {
            Records::File(path) => path,
            // A header that somebody has written to the topic says nothing of the others: a run
            // will refuse it.
            Records::Taken { records, .. } => {
                let has_header = matches!(self.form, Form::Csv { has_header: true, .. });
                records.iter().skip(has_header.into()).all(|record| each(record));
                return Ok(());
            }
        };
        let mut source = source::open(&path.to_string_lossy(), path)?;
        let (mut lines, mut chunk) = (Lines::new(self.framing()), vec![0; CHUNK_BYTES]);
        let mut is_header = matches!(self.form, Form::Csv { has_header: true, .. });
        let mut goes_on = true;
        let mut take = |line: &[u8]| {
            if !std::mem::take(&mut is_header) && goes_on {
                goes_on = each(line);
            }
            goes_on
        };
        loop {
            let count = match source.bytes.read(&mut chunk) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                count => count.with_context(|| format!("reading {}", path.display()))?,
            };
            let mut more = true;
            if count == 0 {
                lines.finish(|line| more = take(line));
                return Ok(());
            }
            lines.feed(&chunk[..count], |line| more = take(line));
            if !more {
                return Ok(());
            }
        }
    }
}

/// Whether a file begins like a JSON array of objects, on however many lines.
fn is_array(head: &[u8]) -> bool {
    let mut bytes = head.iter().filter(|byte| !byte.is_ascii_whitespace());
    // A byte order mark may stand before.
    bytes.find(|byte| **byte == b'[').is_some() && bytes.next() == Some(&b'{')
}

/// Turns away what is not UTF-8 text at all.
fn check_text(name: &str, head: &[u8]) -> anyhow::Result<()> {
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        bail!(
            "{name} is UTF-16; iconv -f UTF-16 -t UTF-8 {name} makes text of it that can be read"
        );
    }
    if head.get(257..262) == Some(b"ustar") {
        bail!("{name} is a tar archive: unpack it, and name one of its files");
    }
    if head.starts_with(b"PK\x03\x04") {
        bail!("{name} is a zip archive (or a spreadsheet): unpack it, or save it as CSV");
    }
    if head.starts_with(b"PAR1") {
        bail!("{name} is Parquet: write it as CSV or as a JSON object a line");
    }
    if head.contains(&b'\r') && !head.contains(&b'\n') {
        bail!("{name} ends its lines with CR alone: tr '\\r' '\\n' < {name} makes lines of them");
    }
    let begin = &head[..head.len().min(64 << 10)];
    if begin.contains(&0) {
        bail!("{name} is binary: `new` reads CSV and NDJSON, also as .xz, .gz and .zst");
    }
    let lines = begin.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let (mut odd, mut all) = (0, 0);
    // The last line may be cut within a character.
    for line in lines.take(HEAD_RECORDS) {
        all += 1;
        odd += usize::from(std::str::from_utf8(line).is_err());
    }
    let header = begin.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_header_odd = std::str::from_utf8(header).is_err();
    if odd * 20 > all + 20 || is_header_odd {
        bail!("{name} is not UTF-8; iconv -f LATIN1 -t UTF-8 {name} may make it so");
    }
    Ok(())
}

/// The first records, without one that may be cut.
fn head_records(head: &[u8], framing: Framing, is_whole: bool) -> Vec<String> {
    let (mut lines, mut records) = (Lines::new(framing), Vec::new());
    let mut keep = |line: &[u8]| {
        if records.len() < HEAD_RECORDS {
            records.push(String::from_utf8_lossy(line).into_owned());
        }
    };
    lines.feed(head, &mut keep);
    if is_whole {
        lines.finish(&mut keep);
    }
    if records.is_empty() {
        lines.finish(|line| records.push(String::from_utf8_lossy(line).into_owned()));
    }
    records
}

fn json(name: &str, first: &str) -> anyhow::Result<Form> {
    if serde_json::from_str::<serde::de::IgnoredAny>(first).is_err() {
        bail!(
            "{name} begins like JSON, but its first line is no whole object; \
             jq -c . {name} writes one a line"
        );
    }
    Ok(Form::Json)
}

fn csv(head: &[u8], is_whole: bool) -> Form {
    let cut = |delimiter: char| -> Vec<Vec<String>> {
        let framing = Framing::Csv { delimiter: delimiter as u8 };
        let records = head_records(head, framing, is_whole);
        records.iter().map(|line| cells::split(line, delimiter)).collect()
    };
    let mut best = (',', cut(','), 0.0);
    for delimiter in DELIMITERS {
        let records = cut(delimiter);
        let score = regularity(&records);
        if score > best.2 {
            best = (delimiter, records, score);
        }
    }
    let (delimiter, records, _) = best;
    let has_header = has_header(&records);
    let columns = names(&records[0], has_header);
    Form::Csv { delimiter, columns, has_header }
}

/// The share of records with as many cells as the first has, if that is more than one.
fn regularity(records: &[Vec<String>]) -> f64 {
    let count = records.first().map_or(0, Vec::len);
    let same = records.iter().filter(|record| record.len() == count).count();
    let share = same as f64 / records.len().max(1) as f64;
    if count > 1 && share >= 0.8 { (share * 20.0).round() } else { 0.0 }
}

/// Whether the first record holds names: in some column it is a word where all others are numbers,
/// times or flags; or everything is words, and those of the first record never come again though
/// others do.
fn has_header(records: &[Vec<String>]) -> bool {
    let [first, rest @ ..] = records else { return false };
    let is_name = |cell: &String| !cell.trim().is_empty() && !is_gap_word(cell);
    let is_value = |cell: &str| is_number(cell) || is_time(cell).is_some() || is_flag(cell);
    if rest.is_empty() {
        return !first.iter().any(|cell| is_value(cell)) && first.iter().all(is_name);
    }
    let below = |column: usize| {
        let cells = rest.iter().filter_map(move |record| record.get(column));
        cells.map(String::as_str).filter(|cell| !cell.trim().is_empty() && !is_gap_word(cell))
    };
    let differ = first.iter().collect::<BTreeSet<_>>().len() == first.len();
    let are_words = !first.iter().any(|cell| is_value(cell));
    let (mut has_values, mut is_evident) = (false, false);
    for (column, cell) in first.iter().enumerate() {
        let all = below(column).count();
        let values = below(column).filter(|cell| is_value(cell)).count();
        if all > 0 && values * 10 >= all * 9 {
            has_values = true;
            is_evident |= is_name(cell) && !is_value(cell);
        }
    }
    if has_values {
        return is_evident && (differ || are_words);
    }
    let never_again = |(column, cell): (usize, &String)| below(column).all(|other| other != cell);
    let repeats = |column: usize| {
        let different: BTreeSet<&str> = below(column).collect();
        different.len() < below(column).count()
    };
    differ
        && are_words
        && first.iter().all(is_name)
        && first.iter().enumerate().all(never_again)
        && (0..first.len()).any(repeats)
}

fn is_flag(cell: &str) -> bool {
    matches!(cell.trim().to_ascii_lowercase().as_str(), "true" | "false")
}

/// The columns' names, all different.
fn names(first: &[String], has_header: bool) -> Vec<String> {
    if !has_header {
        // A name that stands in the data would be taken for a header that is wrong.
        let begins = ["c", "column", "field", "alluvium"];
        let name = |begin: &str, index: usize| format!("{begin}{}", index + 1);
        let is_free = |begin: &&&str| {
            (0..first.len()).all(|index| !first.iter().any(|cell| *cell == name(begin, index)))
        };
        let begin = begins.iter().find(is_free).unwrap_or(&"c");
        return (0..first.len()).map(|index| name(begin, index)).collect();
    }
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let all: BTreeSet<&str> = first.iter().map(|name| name.trim()).collect();
    let mut different = |(index, name): (usize, &String)| {
        let name = match name.trim() {
            "" => format!("c{}", index + 1),
            name => name.to_string(),
        };
        let mut unique = name.clone();
        let mut number = 2;
        while taken.contains(&unique) || (unique != name && all.contains(unique.as_str())) {
            unique = format!("{name}_{number}");
            number += 1;
        }
        taken.insert(unique.clone());
        unique
    };
    first.iter().enumerate().map(&mut different).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Form {
        csv(text.as_bytes(), true)
    }

    fn columns(text: &str) -> (char, Vec<String>, bool) {
        match form(text) {
            Form::Csv { delimiter, columns, has_header } => (delimiter, columns, has_header),
            Form::Json => panic!("not CSV"),
        }
    }

    #[test]
    fn headers_are_told_from_data() {
        let header = |text| columns(text).2;
        assert!(header("a,b\n1,2\n3,4\n"));
        assert!(header("0,1,target\n1,0,1\n0,0,1\n"), "names may be numbers, if one is not");
        assert!(header("when,x\n2014-02-14 14:27:00,a\n2014-02-14 14:32:00,b\n"));
        assert!(header("ok,x\ntrue,a\nfalse,a\n"));
        assert!(header("colour,size\nred,big\nblue,big\n"), "all words, and others repeat");
        assert!(header("a,b\n"), "only words, and nothing else");
        assert!(header("x,x\n1,2\n3,4\n"));
        assert!(!header("1,2\n3,4\n"));
        assert!(!header("?,2\n3,4\n"), "a gap is no name");
        assert!(!header("red,big\nblue,big\nred,small\n"));
        assert!(!header("1.5\n"));
        assert!(!header("5.1,3.5,setosa\n4.9,3.0,setosa\n"), "a class below numbers is no name");
    }

    #[test]
    fn delimiters_are_found() {
        assert_eq!(columns("a;b\n1,5;2\n2,5;3\n").0, ';');
        assert_eq!(columns("1,5;2,5\n2,5;3,5\n").0, ';');
        assert_eq!(columns("a\tb\n1\t2\n").0, '\t');
        assert_eq!(columns("a|b\n1|2\n").0, '|');
        assert_eq!(columns("a,b\n\"x;y\",2\n").0, ',');
        assert_eq!(columns("a\n1\n").0, ',');
    }

    #[test]
    fn names_are_made_different() {
        assert_eq!(columns("x,x,,x_2\n1,2,3,4\n").1, ["x", "x_3", "c3", "x_2"]);
        assert_eq!(columns("1,2\n3,4\n").1, ["c1", "c2"]);
        assert_eq!(columns("c1,2\nc2,4\nc1,3\n").1, ["column1", "column2"]);
    }
}
