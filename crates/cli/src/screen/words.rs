//! How numbers, sizes and times are said.

use std::{path::Path, time::Duration};

/// A count: `45,312`.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// So many of something: `1 record`, `45,312 records`.
pub(crate) fn counted(value: u64, what: &str) -> String {
    let plural = if value == 1 { "" } else { "s" };
    format!("{} {what}{plural}", count(value))
}

/// What is rounded to nothing is nothing: `-0.000` is `0.000`.
pub(crate) fn unsigned_zero(figure: String) -> String {
    match figure.strip_prefix('-') {
        Some(digits) if digits.chars().all(|c| c == '0' || c == '.') => digits.into(),
        _ => figure,
    }
}

/// A number with three digits that mean something: 412,345 is `412,000`.
pub(crate) fn rough(value: f64) -> String {
    if !value.is_finite() || value < 0.0 {
        return "?".into();
    }
    if value < 10.0 {
        return format!("{value:.1}");
    }
    let scale = 10f64.powi((value.log10().floor() as i32 - 2).max(0));
    count(((value / scale).round() * scale) as u64)
}

/// Records a second, or nothing where none can be told.
pub(crate) fn rate(records: u64, time: Duration) -> Option<f64> {
    (records > 0 && time > Duration::ZERO).then(|| records as f64 / time.as_secs_f64())
}

/// A length of time: `0.31 s`, `12.4 s`, `2 min 5 s`, `3 h 12 min`, `4 d 2 h`.
pub(crate) fn took(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.2} s", time.as_secs_f64()),
        10..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// A length of time in one unit: `12 s`, `3 min`, `2 h`, `5 d`.
pub(crate) fn about(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A size: `640 B`, `14.2 MiB`.
pub(crate) fn bytes(value: u64) -> String {
    let (mut scaled, mut unit) = (value as f64, "B");
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if scaled < 1024.0 {
            break;
        }
        (scaled, unit) = (scaled / 1024.0, larger);
    }
    if unit == "B" || scaled >= 100.0 {
        format!("{scaled:.0} {unit}")
    } else {
        format!("{scaled:.1} {unit}")
    }
}

/// The beginning of a digest, in a form that two people can compare: `9f3c 02ab`.
pub(crate) fn digest(digest: &str) -> String {
    match (digest.get(..4), digest.get(4..8)) {
        (Some(first), Some(second)) => format!("{first} {second}"),
        _ => digest.into(),
    }
}

/// The names one after the other: `a, b and c`.
pub(crate) fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

/// A path as a shell takes it.
pub(crate) fn path(path: &Path) -> String {
    word(&path.display().to_string())
}

/// A word as a shell takes it.
pub(crate) fn word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "._-/:@+=,~".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_three() {
        let shown = [0, 7, 999, 1_000, 45_312, 1_234_567].map(count);
        assert_eq!(shown, ["0", "7", "999", "1,000", "45,312", "1,234,567"]);
        assert_eq!(counted(1, "record"), "1 record");
        assert_eq!(counted(0, "record"), "0 records");
    }

    #[test]
    fn rates_have_three_digits_that_mean_something() {
        let shown = [0.04, 9.87, 10.0, 123.4, 4_567.0, 412_345.0, f64::NAN].map(rough);
        assert_eq!(shown, ["0.0", "9.9", "10", "123", "4,570", "412,000", "?"]);
    }

    #[test]
    fn times_and_sizes_fit_what_they_say() {
        let times = [0.306, 12.44, 125.0, 11_520.0, 352_800.0];
        let shown = times.map(|seconds| took(Duration::from_secs_f64(seconds)));
        assert_eq!(shown, ["0.31 s", "12.4 s", "2 min 5 s", "3 h 12 min", "4 d 2 h"]);
        assert_eq!(
            [640, 2048, 14_890_000, 300 << 20].map(bytes),
            ["640 B", "2.0 KiB", "14.2 MiB", "300 MiB"]
        );
    }

    #[test]
    fn a_word_survives_the_shell() {
        assert_eq!(
            word("examples/electricity/pipeline.toml"),
            "examples/electricity/pipeline.toml"
        );
        assert_eq!(word("my data's.toml"), r"'my data'\''s.toml'");
    }
}
