//! A block: a run of one partition's records as it lies in the store, here on its way in. [`View`]
//! takes it apart.
//!
//! A header of [`HEADER_BYTES`], then five sections, so that a reader copies all keys and values at
//! once and walks nothing but lengths:
//!
//! | section | content |
//! |---|---|
//! | names | each header name once: length (u16), name |
//! | metas | a record: offsets passed over (sparse blocks only), zigzag time delta, key length + 1 or 0, value length + 1 or 0 |
//! | header metas | a record with headers: records passed over, number, then name and length of each |
//! | payload | key and value, record after record |
//! | header values | likewise |
//!
//! All numbers of the sections are LEB128 varints, those of the header little-endian.
//!
//! [`View`]: crate::view::View

use std::{collections::BTreeMap, io, io::Write};

use alluvium_flow::Headers;
use alluvium_learn::Time;

/// The version of this layout.
pub(crate) const FORMAT: u8 = 1;
/// Bytes before the sections.
pub(crate) const HEADER_BYTES: usize = 72;
/// The flag of a block in which offsets are passed over.
pub(crate) const SPARSE: u8 = 1;
/// A block is closed before it grows over this, so that it fills 32 pages of 4 KiB with LMDB's own
/// 16 bytes. A larger record has a block of its own.
pub(crate) const BLOCK_BYTES_MAX: usize = (128 << 10) - 16;
/// The most records of a block: it bounds what a reader takes at once.
pub(crate) const BLOCK_RECORDS_MAX: usize = 4096;
/// The most bytes of a block's records with their header names written out.
pub(crate) const BLOCK_EXPANDED_MAX: usize = 1 << 20;
/// The most a record's meta takes, and a header's.
const META_BYTES_MAX: usize = 40;

/// A record to be laid into a block. As the port's, with the offsets passed over before it.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) passed_over: u64,
    pub(crate) time: Time,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: Headers<'a>,
}

impl Entry<'_> {
    /// Its bytes, with the header names written out.
    pub(crate) fn bytes(&self) -> usize {
        let length = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
        length(self.key) + length(self.value) + self.headers.bytes().len()
    }
}

/// A block in the making. Reused: [`Block::clear`] keeps the room.
#[derive(Default)]
pub(crate) struct Block {
    sparse: bool,
    count: usize,
    /// How far the last record's offset lies above the first's.
    reach: u64,
    time_first: Time,
    time_last: Time,
    time_max: Time,
    expanded: usize,
    numbers: BTreeMap<Vec<u8>, u32>,
    names: Vec<u8>,
    metas: Vec<u8>,
    header_metas: Vec<u8>,
    payload: Vec<u8>,
    header_values: Vec<u8>,
    /// Records since the last one with headers.
    headless: u64,
}

impl Block {
    /// Forgets the records. A sparse block may pass over offsets, and writes for each record how
    /// many.
    pub(crate) fn clear(&mut self, sparse: bool) {
        self.sparse = sparse;
        (self.count, self.reach, self.expanded, self.headless) = (0, 0, 0, 0);
        if !self.numbers.is_empty() {
            self.numbers.clear();
        }
        for section in self.sections_mut() {
            section.clear();
        }
    }

    fn sections_mut(&mut self) -> [&mut Vec<u8>; 5] {
        [
            &mut self.names,
            &mut self.metas,
            &mut self.header_metas,
            &mut self.payload,
            &mut self.header_values,
        ]
    }

    fn sections(&self) -> [&[u8]; 5] {
        [&self.names, &self.metas, &self.header_metas, &self.payload, &self.header_values]
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Bytes of its records, with the header names written out.
    pub(crate) fn expanded(&self) -> usize {
        self.expanded
    }

    /// How far the last record's offset lies above the first's.
    pub(crate) fn reach(&self) -> u64 {
        self.reach
    }

    /// The bytes it takes in the store.
    pub(crate) fn encoded_bytes(&self) -> usize {
        HEADER_BYTES + self.sections().iter().map(|section| section.len()).sum::<usize>()
    }

    /// The room it holds, in bytes.
    pub(crate) fn capacity(&self) -> usize {
        self.payload.capacity() + self.header_values.capacity() + self.metas.capacity()
    }

    /// Whether a record fits in without making the block too large. Any fits into an empty one.
    pub(crate) fn fits(&self, entry: &Entry<'_>) -> bool {
        let bytes = entry.bytes();
        // A header costs at most its encoding, since a name is written out at most once, with six
        // bytes of lengths, and its meta.
        let grown = self.encoded_bytes() + META_BYTES_MAX + 2 * bytes - entry.payload_bytes();
        self.count == 0
            || (grown <= BLOCK_BYTES_MAX
                && self.count < BLOCK_RECORDS_MAX
                && self.expanded + bytes <= BLOCK_EXPANDED_MAX)
    }

    /// Lays a record in. What a sparse block's first record passes over does not count: the block
    /// begins at its offset.
    pub(crate) fn push(&mut self, entry: &Entry<'_>) {
        debug_assert!(self.sparse || entry.passed_over == 0);
        if self.count == 0 {
            (self.time_first, self.time_last, self.time_max) = (entry.time, entry.time, entry.time);
        }
        let passed_over = if self.count == 0 { 0 } else { entry.passed_over };
        if self.sparse {
            put_varint(&mut self.metas, passed_over);
        }
        self.reach += if self.count == 0 { 0 } else { passed_over + 1 };
        put_varint(&mut self.metas, zigzag(entry.time.wrapping_sub(self.time_last)));
        self.time_last = entry.time;
        self.time_max = self.time_max.max(entry.time);
        for part in [entry.key, entry.value] {
            put_varint(&mut self.metas, part.map_or(0, |bytes| bytes.len() as u64 + 1));
            self.payload.extend_from_slice(part.unwrap_or_default());
        }
        if entry.headers.bytes().is_empty() {
            self.headless += 1;
        } else {
            self.push_headers(entry.headers);
        }
        self.expanded += entry.bytes();
        self.count += 1;
    }

    fn push_headers(&mut self, headers: Headers<'_>) {
        put_varint(&mut self.header_metas, self.headless);
        self.headless = 0;
        put_varint(&mut self.header_metas, headers.into_iter().count() as u64);
        for (name, value) in headers {
            let number = self.number(name);
            put_varint(&mut self.header_metas, number.into());
            put_varint(&mut self.header_metas, value.len() as u64);
            self.header_values.extend_from_slice(value);
        }
    }

    fn number(&mut self, name: &[u8]) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.numbers.len() as u32;
        self.numbers.insert(name.to_vec(), number);
        self.names.extend_from_slice(&(name.len() as u16).to_le_bytes());
        self.names.extend_from_slice(name);
        number
    }

    /// Writes the block, whose first record has that offset: [`Block::encoded_bytes`] in all.
    pub(crate) fn write(&self, base: u64, to: &mut impl Write) -> io::Result<()> {
        let mut header = [0; HEADER_BYTES];
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        put(8, &[FORMAT, if self.sparse { SPARSE } else { 0 }]);
        put(12, &(self.count as u32).to_le_bytes());
        put(16, &base.to_le_bytes());
        put(24, &(base + self.reach).to_le_bytes());
        put(32, &self.time_first.to_le_bytes());
        put(40, &self.time_max.to_le_bytes());
        for (index, section) in self.sections().iter().enumerate() {
            put(48 + 4 * index, &(section.len() as u32).to_le_bytes());
        }
        put(68, &(self.expanded as u32).to_le_bytes());
        let body = self.sections().iter().fold(0, |sum, part| crc32c::crc32c_append(sum, part));
        put(4, &body.to_le_bytes());
        let head = crc32c::crc32c(&header[4..]);
        header[..4].copy_from_slice(&head.to_le_bytes());
        to.write_all(&header)?;
        self.sections().iter().try_for_each(|section| to.write_all(section))
    }
}

impl Entry<'_> {
    fn payload_bytes(&self) -> usize {
        self.bytes() - self.headers.bytes().len()
    }
}

/// Maps small numbers of both signs to small ones of none.
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn put_varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}
