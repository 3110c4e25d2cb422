//! Event times: milliseconds since 1970-01-01T00:00:00Z, read exactly, without a clock or a zone.

use alluvium_learn::Time;

use super::TimeUnit;

/// The earliest event time: 1970-01-01T00:00:00Z. A negative one is refused: it is nearly always a
/// mark for "no time".
pub const TIME_MIN: Time = 0;
/// The latest event time, in ms: 2262-04-11T23:47:16.854Z, where nanoseconds in 64 bits end. It
/// also turns away micro- and nanoseconds that were taken for milliseconds.
pub const TIME_MAX: Time = i64::MAX / 1_000_000;

const DAY_SECONDS: i64 = 86_400;

/// A time as RFC 3339, in UTC, to the millisecond.
pub(crate) fn shown(time: Time) -> String {
    let (seconds, milliseconds) = (time.div_euclid(1000), time.rem_euclid(1000));
    let (days, second) = (seconds.div_euclid(DAY_SECONDS), seconds.rem_euclid(DAY_SECONDS));
    // No year is longer than this: never above the right one, and seldom more than one below.
    let mut year = 1970 + days.div_euclid(366);
    while days_since_1970(year + 1, 1, 1) <= days {
        year += 1;
    }
    let is_begun = |month: &i64| days_since_1970(year, *month, 1) <= days;
    let month = (1..=12).rev().find(is_begun).unwrap_or(1);
    let day = days - days_since_1970(year, month, 1) + 1;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
}

/// Reads an event time. A fraction of a millisecond is cut off. `None` when it is not written in
/// that unit, or outside [`TIME_MIN`] and [`TIME_MAX`].
pub(super) fn parse(text: &[u8], unit: TimeUnit) -> Option<Time> {
    let time = match unit {
        TimeUnit::Milliseconds => scaled(text, 0),
        TimeUnit::Seconds => scaled(text, 3),
        TimeUnit::Rfc3339 => rfc3339(text),
    }?;
    (TIME_MIN..=TIME_MAX).contains(&time).then_some(time)
}

/// A decimal number times a power of ten, rounded toward 0, digit by digit: through a double,
/// 1700000000.123 s would lose its last millisecond. Signs, points and exponents as in
/// [`super::number::parse`].
fn scaled(text: &[u8], power: i64) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let end = digits.iter().position(|b| matches!(b, b'e' | b'E')).unwrap_or(digits.len());
    let exponent: i64 = match digits.get(end + 1..) {
        None => 0,
        Some(exponent) => std::str::from_utf8(exponent).ok()?.parse().ok()?,
    };
    let (mantissa, mut seen_point, mut seen_digit) = (&digits[..end], false, false);
    // How many more digits belong to the whole part, once a point was seen.
    let shift = exponent.clamp(-1_000_000, 1_000_000) + power;
    let point = mantissa.iter().position(|b| *b == b'.').unwrap_or(mantissa.len()) as i64;
    let (mut value, mut place) = (0i64, 0i64);
    for byte in mantissa {
        match byte {
            b'.' if !seen_point => seen_point = true,
            b'0'..=b'9' => {
                seen_digit = true;
                if place < point + shift {
                    value = value.checked_mul(10)?.checked_add(i64::from(byte - b'0'))?;
                }
                place += 1;
            }
            _ => return None,
        }
    }
    if !seen_digit {
        return None;
    }
    // Zeros that the text leaves out: 17e11. No more than 19 can follow anything but 0.
    for _ in 0..(point + shift - place).clamp(0, 20) {
        value = value.checked_mul(10)?;
    }
    Some(if negative { -value } else { value })
}

/// RFC 3339, section 5.6: `2026-11-21T13:00:00.25+01:00`. `t`, `z` and a space for the `T` are
/// taken as well. A second 60 is taken where UTC may have one, and is the next day's first.
fn rfc3339(text: &[u8]) -> Option<Time> {
    let (head, mut rest) = text.split_first_chunk::<19>()?;
    let separators = [head[4], head[7], head[13], head[16]];
    if separators != *b"--::" || !matches!(head[10], b'T' | b't' | b' ') {
        return None;
    }
    let (year, month) = (decimal(&head[..4])?, decimal(&head[5..7])?);
    let (day, hour) = (decimal(&head[8..10])?, decimal(&head[11..13])?);
    let (minute, second) = (decimal(&head[14..16])?, decimal(&head[17..])?);
    let is_right = (1..=12).contains(&month)
        && (1..=days_of_month(year, month)).contains(&day)
        && hour <= 23
        && minute <= 59
        && second <= 60;
    if !is_right {
        return None;
    }
    let mut milliseconds = 0;
    if let [b'.', fraction @ ..] = rest {
        let count = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        milliseconds = decimal(&fraction[..count.min(3)])? * [0, 100, 10, 1][count.min(3)];
        rest = &fraction[count..];
    }
    let local = days_since_1970(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60;
    let time = local + second - offset_seconds(rest)?;
    if second == 60 && (time % DAY_SECONDS != 0 || milliseconds != 0) {
        return None;
    }
    Some(time * 1000 + milliseconds)
}

/// `Z`, or `+HH:MM`, as seconds east of Greenwich.
fn offset_seconds(text: &[u8]) -> Option<i64> {
    let [sign, hour @ .., b':', m1, m2] = text else {
        return matches!(text, b"Z" | b"z").then_some(0);
    };
    let (hour, minute) = (decimal(hour).filter(|_| hour.len() == 2)?, decimal(&[*m1, *m2])?);
    if hour > 23 || minute > 59 {
        return None;
    }
    match sign {
        b'+' => Some(hour * 3600 + minute * 60),
        b'-' => Some(-(hour * 3600 + minute * 60)),
        _ => None,
    }
}

/// One to four digits.
fn decimal(text: &[u8]) -> Option<i64> {
    let add =
        |sum: i64, byte: &u8| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0'));
    if text.is_empty() { None } else { text.iter().try_fold(0, add) }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the proleptic Gregorian calendar. Years are counted from March, so that the leap day is
/// the last of a year, and months by the 153 days that any five of them from March on have.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let from_march = (month + 9) % 12;
    let in_year = (153 * from_march + 2) / 5 + day - 1;
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 1970-01-01 is day 719,468 from 0000-03-01.
    year * 365 + leaps + in_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_follows_the_one_before() {
        let mut expected = 0;
        for year in 1970..2263 {
            for month in 1..=12 {
                for day in 1..=days_of_month(year, month) {
                    assert_eq!(days_since_1970(year, month, day), expected);
                    expected += 1;
                }
            }
        }
    }

    #[test]
    fn rfc3339_is_read_to_the_millisecond() {
        let cases: &[(&str, Option<i64>)] = &[
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-11-21T13:00:00Z", Some(1_795_266_000_000)),
            ("2026-11-21T14:30:00+01:30", Some(1_795_266_000_000)),
            ("2026-11-21t08:00:00-05:00", Some(1_795_266_000_000)),
            ("2026-11-21 13:00:00.25z", Some(1_795_266_000_250)),
            ("2026-11-21T13:00:00.123999Z", Some(1_795_266_000_123)),
            ("2000-02-29T00:00:00Z", Some(951_782_400_000)),
            ("2016-12-31T23:59:60Z", Some(1_483_228_800_000)),
            ("2017-01-01T08:59:60+09:00", Some(1_483_228_800_000)),
            ("2262-04-11T23:47:16.854Z", Some(TIME_MAX)),
            ("2262-04-11T23:47:16.855Z", None),
            ("1969-12-31T23:59:59Z", None),
            ("2016-12-31T12:59:60Z", None),
            ("2016-12-31T23:59:60.5Z", None),
            ("2026-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-00-01T00:00:00Z", None),
            ("2026-01-00T00:00:00Z", None),
            ("2026-01-01T24:00:00Z", None),
            ("2026-01-01T00:60:00Z", None),
            ("2026-01-01T00:00:61Z", None),
            ("2026-01-01T00:00:00", None),
            ("2026-01-01T00:00:00.Z", None),
            ("2026-01-01T00:00:00+1:00", None),
            ("2026-01-01T00:00:00+0100", None),
            ("2026-01-01T00:00:00+24:00", None),
            ("2026-01-01T00:00:00+01:60", None),
            ("2026-01-01T00:00:00Z ", None),
            ("2026-01-01", None),
            ("+026-01-01T00:00:00Z", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text.as_bytes(), TimeUnit::Rfc3339), *expected, "{text}");
        }
    }

    #[test]
    fn a_time_that_is_shown_can_be_read() {
        let days = (0..=TIME_MAX).step_by(86_400_000 / 2 + 1);
        for time in days.chain([TIME_MAX, 951_782_400_000, 951_868_799_999]) {
            assert_eq!(rfc3339(shown(time).as_bytes()), Some(time));
        }
        assert_eq!(shown(1_795_266_000_250), "2026-11-21T13:00:00.250Z");
    }

    #[test]
    fn decimal_times_are_exact() {
        use TimeUnit::{Milliseconds, Seconds};
        let cases: &[(&str, TimeUnit, Option<i64>)] = &[
            ("0", Milliseconds, Some(0)),
            ("-0", Milliseconds, Some(0)),
            ("-1", Milliseconds, None),
            ("1700000000123", Milliseconds, Some(1_700_000_000_123)),
            ("1700000000123.9", Milliseconds, Some(1_700_000_000_123)),
            ("1.7e12", Milliseconds, Some(1_700_000_000_000)),
            ("17E+11", Milliseconds, Some(1_700_000_000_000)),
            ("17000000000000e-1", Milliseconds, Some(1_700_000_000_000)),
            ("1700000000.123", Seconds, Some(1_700_000_000_123)),
            ("1700000000.1239", Seconds, Some(1_700_000_000_123)),
            ("1700000000", Seconds, Some(1_700_000_000_000)),
            (".5", Seconds, Some(500)),
            ("5.", Seconds, Some(5_000)),
            ("0.0001", Seconds, Some(0)),
            ("9223372036854", Milliseconds, Some(TIME_MAX)),
            ("9223372036855", Milliseconds, None),
            ("1700000000000000000", Milliseconds, None),
            ("99999999999999999999999", Milliseconds, None),
            ("1e99999999999999999999", Milliseconds, None),
            ("1e9999999", Milliseconds, None),
            ("0e9999999", Milliseconds, Some(0)),
            ("1e-9999999", Milliseconds, Some(0)),
            ("", Milliseconds, None),
            ("-", Milliseconds, None),
            (".", Seconds, None),
            ("1.2.3", Seconds, None),
            ("1e", Seconds, None),
            ("1e5x", Seconds, None),
            ("nan", Seconds, None),
            ("12 ", Seconds, None),
        ];
        for (text, unit, expected) in cases {
            assert_eq!(parse(text.as_bytes(), *unit), *expected, "{text}");
        }
    }
}
