//! How state is written and read: little-endian, length-prefixed, no self-description.
//!
//! Every stateful thing begins its bytes with a format number of its own, so that a later release
//! can read what an earlier one wrote. All lengths are checked before anything is allocated.

use std::fmt;

/// Bytes that are being written. Equal states write equal bytes on every machine.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty writer.
    pub fn new() -> Writer {
        Writer::default()
    }

    /// The bytes written so far.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Gives the bytes away.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Forgets the bytes and keeps the room they took.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// A flag, as 0 or 1.
    pub fn bool(&mut self, value: bool) {
        self.u8(value.into());
    }

    /// Two bytes.
    pub fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Four bytes.
    pub fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Eight bytes.
    pub fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Eight bytes, two's complement.
    pub fn i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// A number by its bits: what is read is what was written, the sign of zero included.
    pub fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }

    /// A length: what follows is repeated so often.
    pub fn len(&mut self, value: usize) {
        self.u64(value as u64);
    }

    /// A length, then the bytes.
    pub fn blob(&mut self, value: &[u8]) {
        self.len(value.len());
        self.bytes.extend_from_slice(value);
    }

    /// A length, then the text.
    pub fn str(&mut self, value: &str) {
        self.blob(value.as_bytes());
    }

    /// A length, then the numbers.
    pub fn f64s(&mut self, values: &[f64]) {
        self.len(values.len());
        for value in values {
            self.f64(*value);
        }
    }

    /// A length, then the numbers.
    pub fn u64s(&mut self, values: &[u64]) {
        self.len(values.len());
        for value in values {
            self.u64(*value);
        }
    }

    /// Whether there is a value, then the value.
    pub fn option_f64(&mut self, value: Option<f64>) {
        self.bool(value.is_some());
        if let Some(value) = value {
            self.f64(value);
        }
    }
}

/// Why bytes are not a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateError {
    /// The bytes ended before the state did.
    Short,
    /// Bytes were left over.
    Long {
        /// How many.
        left_bytes: usize,
    },
    /// Written by another release in a way this one does not know.
    Format {
        /// What has the format.
        of: &'static str,
        /// The format found.
        found: u16,
        /// The newest format this release knows.
        newest: u16,
    },
    /// The state does not fit the settings, or is damaged.
    Unfit {
        /// What does not fit.
        what: &'static str,
    },
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StateError::Short => write!(f, "the state ends too early"),
            StateError::Long { left_bytes } => {
                write!(f, "the state has {left_bytes} bytes too many")
            }
            StateError::Format { of, found, newest } => {
                write!(f, "{of} is in format {found}, and this release reads up to {newest}")
            }
            StateError::Unfit { what } => write!(f, "the state does not fit: {what}"),
        }
    }
}

impl std::error::Error for StateError {}

/// Bytes that are being read.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the first byte on.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes }
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.bytes.len()
    }

    /// Nothing may be left over.
    pub fn end(&self) -> Result<(), StateError> {
        match self.bytes.len() {
            0 => Ok(()),
            left_bytes => Err(StateError::Long { left_bytes }),
        }
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], StateError> {
        let (head, tail) = self.bytes.split_at_checked(count).ok_or(StateError::Short)?;
        self.bytes = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        let (head, tail) = self.bytes.split_first_chunk::<N>().ok_or(StateError::Short)?;
        self.bytes = tail;
        Ok(*head)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, StateError> {
        Ok(self.array::<1>()?[0])
    }

    /// A flag.
    pub fn bool(&mut self) -> Result<bool, StateError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(StateError::Unfit { what: "a flag that is neither 0 nor 1" }),
        }
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Result<u16, StateError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Result<u32, StateError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Result<u64, StateError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Eight bytes, two's complement.
    pub fn i64(&mut self) -> Result<i64, StateError> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// A number by its bits.
    pub fn f64(&mut self) -> Result<f64, StateError> {
        Ok(f64::from_bits(self.u64()?))
    }

    /// A length of things that take at least `least_bytes` each: refused when so many bytes are
    /// not there, so that a damaged length allocates nothing.
    pub fn len(&mut self, least_bytes: usize) -> Result<usize, StateError> {
        let count = usize::try_from(self.u64()?).map_err(|_| StateError::Short)?;
        match count.checked_mul(least_bytes) {
            Some(bytes) if bytes <= self.bytes.len() => Ok(count),
            _ => Err(StateError::Short),
        }
    }

    /// A length, then the bytes.
    pub fn blob(&mut self) -> Result<&'a [u8], StateError> {
        let count = self.len(1)?;
        self.take(count)
    }

    /// A length, then the text.
    pub fn str(&mut self) -> Result<&'a str, StateError> {
        std::str::from_utf8(self.blob()?).map_err(|_| StateError::Unfit { what: "not UTF-8" })
    }

    /// A length, then the numbers.
    pub fn f64s(&mut self) -> Result<Vec<f64>, StateError> {
        let count = self.len(8)?;
        (0..count).map(|_| self.f64()).collect()
    }

    /// A length, then the numbers.
    pub fn u64s(&mut self) -> Result<Vec<u64>, StateError> {
        let count = self.len(8)?;
        (0..count).map(|_| self.u64()).collect()
    }

    /// Whether there is a value, then the value.
    pub fn option_f64(&mut self) -> Result<Option<f64>, StateError> {
        Ok(if self.bool()? { Some(self.f64()?) } else { None })
    }

    /// The format number at the head of a state, which must be from 1 to `newest`.
    pub fn format(&mut self, of: &'static str, newest: u16) -> Result<u16, StateError> {
        match self.u16()? {
            found if (1..=newest).contains(&found) => Ok(found),
            found => Err(StateError::Format { of, found, newest }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut to = Writer::new();
        to.u16(3);
        to.f64s(&[-0.0, f64::MIN_POSITIVE]);
        to.str("ä");
        to.option_f64(None);
        let mut from = Reader::new(to.bytes());
        assert_eq!(from.format("test", 3), Ok(3));
        assert_eq!(from.f64s().unwrap()[0].to_bits(), (-0.0f64).to_bits());
        assert_eq!(from.str(), Ok("ä"));
        assert_eq!(from.option_f64(), Ok(None));
        assert_eq!(from.end(), Ok(()));
    }

    #[test]
    fn a_damaged_length_allocates_nothing() {
        let mut to = Writer::new();
        to.len(usize::MAX);
        assert_eq!(Reader::new(to.bytes()).f64s(), Err(StateError::Short));
    }
}
