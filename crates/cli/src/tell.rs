//! How figures, times and tables look to people.

use alluvium_learn::Time;

use crate::{plain, screen::words, table::Layout};

/// How wide the labels beside a table are.
const LABEL: usize = 11;

/// A table without borders, under a header. Columns of figures stand to the right.
pub fn table(header: &[String], rows: &[Vec<String>]) -> String {
    Layout::of(header, rows).whole(rows)
}

/// The same as the text of a label of [`labelled`], which are no longer than `pipeline`.
pub fn table_beside(header: &[String], rows: &[Vec<String>]) -> String {
    Layout::beside(header, rows, LABEL).whole(rows)
}

/// A header of a table.
pub fn header(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// A count with commas: `45,312`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut shown = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A metric's figure, or a dash where there is none yet.
pub fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), |value| words::unsigned_zero(format!("{value:.4}")))
}

/// A time as RFC 3339, in UTC.
pub fn time(time: Time) -> String {
    jiff::Timestamp::from_millisecond(time)
        .map_or_else(|_| format!("{time} ms"), |time| time.to_string())
}

/// How long ago that was, roughly.
pub fn ago(milliseconds: i64) -> String {
    match milliseconds / 1000 {
        ..=0 => "just now".into(),
        seconds @ ..120 => format!("{seconds} s ago"),
        seconds @ ..7200 => format!("{} min ago", seconds / 60),
        seconds @ ..172_800 => format!("{} h ago", seconds / 3600),
        seconds => format!("{} d ago", seconds / 86_400),
    }
}

/// The first digits of a digest.
pub fn digest(digest: &str) -> &str {
    digest.get(..16).unwrap_or(digest)
}

/// Settings, a line each: `model.learner.hoeffding_tree.grace_period = 200`.
pub fn settings(value: &serde_json::Value) -> String {
    let mut lines = Vec::new();
    flatten("", value, &mut lines);
    lines.join("\n")
}

fn flatten(path: &str, value: &serde_json::Value, lines: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(table) if !table.is_empty() => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, value, lines);
            }
        }
        value => lines.push(format!("{path} = {value}")),
    }
}

/// Lines of a label and a text, the label in a column of its own.
pub fn labelled(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(label, _)| label.len()).max().unwrap_or(0) + 2;
    let indented = |text: &str| text.replace('\n', &format!("\n{:width$}", ""));
    let line =
        |(label, text): &(&str, String)| format!("{label:width$}{}", indented(&plain::lines(text)));
    lines.iter().map(line).collect::<Vec<String>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_easy_to_read() {
        assert_eq!([count(7), count(1000), count(45_312)], ["7", "1,000", "45,312"]);
        assert_eq!(figure(None), "-");
        assert_eq!(time(0), "1970-01-01T00:00:00Z");
        assert_eq!(ago(600_000), "10 min ago");
        let lines = labelled(&[("a", "1\n2".into()), ("long", "3".into())]);
        assert_eq!(lines, "a     1\n      2\nlong  3");
    }
}
