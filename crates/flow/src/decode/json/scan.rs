//! The words of JSON (RFC 8259): strings, numbers and literals, without their meaning.

use crate::decode::{Reason, number};

/// A value as it is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Token<'a> {
    Null,
    Flag(bool),
    Number {
        /// As written.
        text: &'a [u8],
        /// Its value if that was easy; otherwise it is parsed when someone asks.
        value: Option<f64>,
    },
    Text(Text<'a>),
    Object,
    Array,
}

/// What stands between the quotes of a string.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    pub(super) raw: &'a [u8],
    pub(super) is_escaped: bool,
}

/// Reads words one after the other. The bytes are UTF-8.
#[derive(Clone, Debug)]
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Scanner<'a> {
        Scanner { bytes, at: 0 }
    }

    /// How many bytes were read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The byte at a place; 0, which no JSON has, beyond the end.
    #[inline(always)]
    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    /// The next byte that is not white space; 0 at the end.
    #[inline(always)]
    pub(super) fn peek(&mut self) -> u8 {
        while matches!(self.byte(self.at), b' ' | b'\n' | b'\t' | b'\r') {
            self.at += 1;
        }
        self.byte(self.at)
    }

    /// Goes beyond the byte that was peeked at.
    #[inline(always)]
    pub(super) fn skip(&mut self) {
        self.at += 1;
    }

    /// Takes one byte that must come next, after white space.
    #[inline(always)]
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), Reason> {
        if self.peek() != byte {
            return Err(Reason::Malformed);
        }
        self.at += 1;
        Ok(())
    }

    /// Whether nothing but white space is left.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.peek();
        self.at == self.bytes.len()
    }

    /// A value that is neither an object nor an array; its first byte was peeked at.
    #[inline]
    pub(super) fn scalar(&mut self) -> Result<Token<'a>, Reason> {
        match self.byte(self.at) {
            b'"' => self.string().map(Token::Text),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal(b"true", Token::Flag(true)),
            b'f' => self.literal(b"false", Token::Flag(false)),
            b'n' => self.literal(b"null", Token::Null),
            _ => Err(Reason::Malformed),
        }
    }

    fn literal(&mut self, word: &[u8], token: Token<'a>) -> Result<Token<'a>, Reason> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(Reason::Malformed);
        }
        self.at += word.len();
        Ok(token)
    }

    /// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
    #[inline]
    fn number(&mut self) -> Result<Token<'a>, Reason> {
        let (bytes, start) = (self.bytes, self.at);
        let negative = bytes[start] == b'-';
        let first = start + usize::from(negative);
        let mut mantissa = 0;
        let point = number::digits(bytes, first, &mut mantissa);
        let mut count = point - first;
        if count == 0 || (count > 1 && bytes[first] == b'0') {
            return Err(Reason::Malformed);
        }
        let (mut end, mut decimals) = (point, 0);
        if self.byte(point) == b'.' {
            end = number::digits(bytes, point + 1, &mut mantissa);
            decimals = end - point - 1;
            count += decimals;
            if decimals == 0 {
                return Err(Reason::Malformed);
            }
        }
        let mut value = number::exact(negative, mantissa, count, decimals);
        if matches!(self.byte(end), b'e' | b'E') {
            let signs = usize::from(matches!(self.byte(end + 1), b'+' | b'-'));
            let exponent = end + 1 + signs;
            end = number::digits(bytes, exponent, &mut 0);
            value = None;
            if end == exponent {
                return Err(Reason::Malformed);
            }
        }
        self.at = end;
        Ok(Token::Number { text: &bytes[start..end], value })
    }

    /// A string; its quote was peeked at. Every escape is checked, also where nobody reads it.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Text<'a>, Reason> {
        let start = self.at + 1;
        let (mut at, mut is_escaped) = (start, false);
        loop {
            match self.byte(at) {
                b'"' => break,
                b'\\' => {
                    at += escape(&self.bytes[at..]).ok_or(Reason::Malformed)?.1;
                    is_escaped = true;
                }
                0..0x20 => return Err(Reason::Malformed),
                _ => at += 1,
            }
        }
        self.at = at + 1;
        Ok(Text { raw: &self.bytes[start..at], is_escaped })
    }
}

impl Text<'_> {
    /// Appends the text with its escapes undone.
    pub(super) fn unescape(&self, into: &mut Vec<u8>) {
        let mut rest = self.raw;
        while let Some(plain) = memchr::memchr(b'\\', rest) {
            into.extend_from_slice(&rest[..plain]);
            // The scanner has checked every escape.
            let Some((character, length)) = escape(&rest[plain..]) else { return };
            into.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            rest = &rest[plain + length..];
        }
        into.extend_from_slice(rest);
    }
}

/// The escape that the bytes start with, and how long it is. Half a surrogate pair is none.
fn escape(bytes: &[u8]) -> Option<(char, usize)> {
    let character = match bytes.get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode_escape(bytes),
        _ => return None,
    };
    Some((character, 2))
}

fn unicode_escape(bytes: &[u8]) -> Option<(char, usize)> {
    let high = hexadecimal(bytes.get(2..6)?)?;
    if !(0xd800..0xdc00).contains(&high) {
        return char::from_u32(high).map(|character| (character, 6));
    }
    if bytes.get(6..8)? != b"\\u" {
        return None;
    }
    let low = hexadecimal(bytes.get(8..12)?)?;
    if !(0xdc00..0xe000).contains(&low) {
        return None;
    }
    let joined = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    char::from_u32(joined).map(|character| (character, 12))
}

fn hexadecimal(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0, |sum, byte| Some(sum * 16 + char::from(*byte).to_digit(16)?))
}
