//! Decimal numbers to doubles, always correctly rounded.

use super::Reason;

/// The powers of ten that a double holds exactly. Only as many as digits are counted.
const POWERS_OF_TEN: [f64; DIGITS_MAX + 1] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18,
];
/// So many digits never overflow 64 bits.
const DIGITS_MAX: usize = 18;
/// Every integer up to here is a double.
const MANTISSA_MAX: u64 = 1 << 53;

/// A double from digits without a point and how many of them stood behind it, if one division is
/// exact: both numbers are doubles, and a division rounds once (W. Clinger, "How to read floating
/// point numbers accurately", PLDI 1990, section 2).
#[inline]
pub(super) fn exact(negative: bool, mantissa: u64, digits: usize, decimals: usize) -> Option<f64> {
    if digits > DIGITS_MAX || mantissa > MANTISSA_MAX {
        return None;
    }
    let value = mantissa as f64 / POWERS_OF_TEN[decimals];
    Some(with_sign(value, negative))
}

/// Signs are as good as random, so a branch on them would be guessed wrong half of the time.
#[inline(always)]
fn with_sign(value: f64, negative: bool) -> f64 {
    f64::from_bits(value.to_bits() ^ (u64::from(negative) << 63))
}

/// Appends the digits at `at` to `mantissa`; returns where they end. Wraps when there are too many,
/// which the caller sees by their number.
#[inline(always)]
pub(super) fn digits(bytes: &[u8], mut at: usize, mantissa: &mut u64) -> usize {
    while let Some(&byte) = bytes.get(at) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        *mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    at
}

/// Reads a short decimal (`-12.5`) at the start of the bytes; returns it with where it ends.
/// `None`: something else stands there, or more digits than are exact this way.
#[inline]
pub(super) fn short(bytes: &[u8]) -> Option<(f64, usize)> {
    let negative = bytes.first() == Some(&b'-');
    let start = usize::from(negative);
    let mut mantissa = 0;
    let point = digits(bytes, start, &mut mantissa);
    let (mut end, mut count, mut decimals) = (point, point - start, 0);
    if bytes.get(point) == Some(&b'.') {
        end = digits(bytes, point + 1, &mut mantissa);
        decimals = end - point - 1;
        count += decimals;
    }
    if count == 0 {
        return None;
    }
    exact(negative, mantissa, count, decimals).map(|value| (value, end))
}

/// A byte in each of eight places.
const fn everywhere(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// How many bits stand before the first byte that is `byte` everywhere; 64 for none.
#[inline(always)]
fn bits_before(word: u64, byte: u64) -> u32 {
    let difference = word ^ byte;
    // The lowest bit set is the top of the lowest byte that is zero.
    let zeros = difference.wrapping_sub(everywhere(1)) & !difference & everywhere(0x80);
    zeros.trailing_zeros() & !7
}

/// Eight digits, the first in the lowest byte, as a number: pairs, then fours, then all.
#[inline(always)]
fn eight_digits(word: u64) -> u64 {
    const PAIRS: u64 = 0x0000_00ff_0000_00ff;
    let pairs = word.wrapping_mul(10).wrapping_add(word >> 8);
    let first = (pairs & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
    let second = ((pairs >> 16) & PAIRS).wrapping_mul(1 + (10_000 << 32));
    first.wrapping_add(second) >> 32
}

/// Reads a short decimal that is all of a cell, if cell and delimiter have at most eight characters
/// and as many are there. All of them at once, without a branch that hangs on where the point is;
/// where the cell ends is known first, so that a processor can begin the next one.
#[inline]
pub(super) fn packed(bytes: &[u8], delimiter: u8) -> Option<(f64, usize)> {
    let word = u64::from_le_bytes(*bytes.first_chunk()?);
    let end = bits_before(word, everywhere(delimiter));
    let sign = u32::from(word as u8 == b'-') * 8;
    let point = bits_before(word, everywhere(b'.')).min(end);
    if end == 64 {
        return None;
    }
    // Digits become 0 to 9; the point goes, and those behind it move up to those before it.
    let digits = (word ^ everywhere(b'0')) & ((1 << end) - 1);
    let below_point = (1 << point) - 1;
    let has_point = u32::from(point < end) * 8;
    let fraction = (digits >> has_point) & !below_point;
    let joined = ((digits & below_point) | fraction) >> sign;
    let count = end - has_point - sign;
    let is_digits = (joined.wrapping_add(everywhere(0x76)) | joined) & everywhere(0x80) == 0;
    if count == 0 || !is_digits {
        return None;
    }
    let mantissa = eight_digits(joined << (64 - count));
    let decimals = (end - point - has_point) / 8;
    let value = mantissa as f64 / POWERS_OF_TEN[decimals as usize];
    Some((with_sign(value, sign > 0), end as usize / 8))
}

/// Reads a number that is all of a text: digits with an optional sign (`+` too), point (`.5` and
/// `5.` too) and decimal exponent.
///
/// # Errors
/// `NotFinite` when it is beyond a double, or spells infinity or NaN; `WrongKind` when it is not a
/// number, or something follows it.
pub(super) fn parse(text: &[u8]) -> Result<f64, Reason> {
    match short(text) {
        Some((value, end)) if end == text.len() => Ok(value),
        _ => long(text),
    }
}

/// As [`parse`], for a number that is rarely short.
pub(super) fn long(text: &[u8]) -> Result<f64, Reason> {
    match fast_float2::parse::<f64, _>(text) {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => Err(Reason::NotFinite),
        Err(_) => Err(Reason::WrongKind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alluvium_learn::math::random_bits;

    /// The same text to the standard library.
    fn check(text: &str) {
        let expected = text.parse::<f64>().ok().map(f64::to_bits);
        let cell = format!("{text},12345678");
        if let Some((value, end)) = packed(cell.as_bytes(), b',')
            && !text.contains(',')
        {
            assert_eq!((Some(value.to_bits()), end), (expected, text.len()), "{text} packed");
        }
        match parse(text.as_bytes()) {
            Ok(value) => assert_eq!(Some(value.to_bits()), expected, "{text}"),
            Err(Reason::NotFinite) => {
                assert!(!f64::from_bits(expected.unwrap()).is_finite(), "{text}")
            }
            Err(_) => assert_eq!(expected, None, "{text}"),
        }
    }

    #[test]
    fn numbers_are_those_of_the_standard_library_bit_for_bit() {
        for case in 0..400_000u64 {
            let bits = |counter| random_bits(case, counter);
            let text = match case % 8 {
                0 => format!("{}", f64::from_bits(bits(0))),
                1 => format!("{:e}", f64::from_bits(bits(0))),
                2 => format!("{}", bits(0) as i64 >> (bits(1) % 64)),
                3 => format!("{}.{}", bits(0) >> (bits(1) % 64), bits(2) >> (bits(3) % 64)),
                4 => format!("-0.{:0width$}", bits(0) % 100_000, width = (bits(1) % 30) as usize),
                5 => format!("{}{}.{}", bits(0), bits(1), bits(2)),
                6 => format!("{:.*}", (bits(1) % 25) as usize, bits(0) as f64 / 1e15),
                _ => format!("{}e{}", bits(0) >> 10, bits(1) as i64 % 400),
            };
            check(&text);
        }
    }

    /// Every text of up to six of these characters.
    #[test]
    fn short_texts_are_judged_as_the_standard_library_judges_them() {
        let characters = ['0', '1', '9', '.', '-', '+', 'e'];
        let mut texts = vec![String::new()];
        for _ in 0..6 {
            texts.iter().for_each(|text| check(text));
            let longer = |text: &String| characters.map(|character| format!("{text}{character}"));
            texts = texts.iter().flat_map(longer).collect();
        }
    }

    #[test]
    fn odd_numbers_are_judged_as_the_standard_library_judges_them() {
        let texts = [
            "",
            "-",
            "+",
            ".",
            "-.",
            "+.",
            "+1",
            "+-1",
            "--1",
            ".5",
            "5.",
            "-.5",
            "1e",
            "1e+",
            "e5",
            "1e5",
            "1E5",
            "1e+5",
            "1e-5",
            "1.e5",
            ".e5",
            "0x10",
            "1_000",
            "1,5",
            "1 ",
            " 1",
            "1f",
            "inf",
            "-inf",
            "+inf",
            "infinity",
            "Infinity",
            "nan",
            "NaN",
            "-NaN",
            "infx",
            "nano",
            "1e400",
            "-1e400",
            "1e-400",
            "-0",
            "-0.0",
            "00012",
            "9007199254740993",
            "1..2",
            "1.2.3",
            "9007199254740992",
            "9007199254740991.5",
            "0.000000000000000000000000000001",
            "1e99999",
            "123456789012345678901234567890",
            "4.9e-324",
            "2.2250738585072011e-308",
            "٣",
        ];
        for text in texts {
            check(text);
        }
    }

    #[test]
    fn what_is_no_finite_number_says_why() {
        for text in ["nan", "inf", "-Infinity", "1e400"] {
            assert_eq!(parse(text.as_bytes()), Err(Reason::NotFinite), "{text}");
        }
        for text in ["", "abc", "1x", "0x1p3", "--1"] {
            assert_eq!(parse(text.as_bytes()), Err(Reason::WrongKind), "{text}");
        }
    }
}
