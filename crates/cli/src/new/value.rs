//! What a text could be, by its look alone.

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// RFC 3339: with a zone.
    Rfc3339,
    /// A date, perhaps a time, and no zone: it cannot be told when that was.
    NoZone,
}

/// Whether the decoder would take it as a finite number.
pub(super) fn is_number(text: &str) -> bool {
    number(text).is_some()
}

/// The finite number that it is.
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim_matches([' ', '\t']);
    let may_be = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    if text.is_empty() || !text.bytes().all(may_be) {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// A number with a comma before its decimals, which the decoder does not take.
pub(super) fn is_decimal_comma(text: &str) -> bool {
    let text = text.trim_matches([' ', '\t']);
    text.matches(',').count() == 1 && is_number(&text.replace(',', "."))
}

/// Whether people write it where a value is not there.
pub(super) fn is_gap_word(text: &str) -> bool {
    const WORDS: [&str; 18] = [
        "na",
        "n/a",
        "#n/a",
        "nan",
        "-nan",
        "null",
        "none",
        "nil",
        "?",
        "-",
        "--",
        ".",
        "inf",
        "-inf",
        "infinity",
        "missing",
        "unknown",
        "undefined",
    ];
    let text = text.trim().trim_start_matches('+').to_ascii_lowercase();
    WORDS.contains(&text.as_str())
}

/// Whether it stands for a class that is not there: fewer words than for numbers, since `none` and
/// `unknown` may well be classes.
pub(super) fn is_no_class(text: &str) -> bool {
    is_gap_word(text)
        && text.trim().len() <= 4
        && !matches!(text.trim(), "-" | "--" | ".")
        && !matches!(text.trim().to_ascii_lowercase().as_str(), "none" | "nil")
}

/// Whether it is a date and a time, and how it is written.
pub(super) fn is_time(text: &str) -> Option<Written> {
    let bytes = text.trim_matches([' ', '\t']).as_bytes();
    let fits = |bytes: &[u8], shape: &[u8]| {
        bytes.len() == shape.len()
            && bytes.iter().zip(shape).all(|(byte, shape)| match shape {
                b'0' => byte.is_ascii_digit(),
                b'T' => matches!(byte, b'T' | b't' | b' '),
                _ => byte == shape,
            })
    };
    if fits(bytes, b"0000-00-00") || fits(bytes, b"0000-00-00T00:00") {
        return Some(Written::NoZone);
    }
    let (head, mut rest) = bytes.split_at_checked(19)?;
    if !fits(head, b"0000-00-00T00:00:00") {
        return None;
    }
    if let [b'.', fraction @ ..] = rest {
        rest = &fraction[fraction.iter().take_while(|byte| byte.is_ascii_digit()).count()..];
    }
    match rest {
        [] => Some(Written::NoZone),
        [b'Z' | b'z'] => Some(Written::Rfc3339),
        [b'+' | b'-', offset @ ..] if fits(offset, b"00:00") => Some(Written::Rfc3339),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_judged_as_the_decoder_judges_them() {
        for number in ["1", "-1.5e3", " 2 ", "+.5", "5."] {
            assert!(is_number(number), "{number}");
        }
        for other in ["", "nan", "inf", "1,5", "0x10", "e", "1e999", "1 2"] {
            assert!(!is_number(other), "{other}");
        }
        assert!(is_decimal_comma("1,5") && is_decimal_comma("-0,25"));
        assert!(!is_decimal_comma("1,5,2") && !is_decimal_comma("a,b"));
        assert!(is_gap_word("NaN") && is_gap_word(" ? ") && is_gap_word("+Inf"));
        assert!(!is_gap_word("0") && !is_gap_word("no"));
        assert_eq!(is_time("2026-11-21T13:00:00.25+01:00"), Some(Written::Rfc3339));
        assert_eq!(is_time("2014-02-14 14:27:00"), Some(Written::NoZone));
        assert_eq!(is_time("2014-02-14"), Some(Written::NoZone));
        assert_eq!(is_time("2014-02-14T1"), None);
        assert_eq!(is_time("größer als das hier oben"), None);
    }
}
