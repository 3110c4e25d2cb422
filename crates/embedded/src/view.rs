//! A block as it lies in the store, taken apart: checked first, then copied in one go.

use alluvium_flow::{Batch, Meta};
use alluvium_learn::Time;

use crate::block::{FORMAT, HEADER_BYTES, SPARSE};

/// The first bytes of a block, checked by their own sum: enough to decide whether to read it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) sparse: bool,
    pub(crate) count: usize,
    /// The first record's offset.
    pub(crate) base: u64,
    /// The last record's offset.
    pub(crate) last: u64,
    pub(crate) time_first: Time,
    pub(crate) time_max: Time,
    /// Bytes of the records with their header names written out.
    pub(crate) expanded: usize,
    sections: [usize; 5],
    body_sum: u32,
}

impl Head {
    /// Reads the head of the block that is stored under an offset; `None` when it is damaged.
    pub(crate) fn of(bytes: &[u8], base: u64) -> Option<Head> {
        let header = bytes.first_chunk::<HEADER_BYTES>()?;
        let u32_at = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| header[at + byte]));
        let u64_at = |at: usize| u64::from(u32_at(at)) | (u64::from(u32_at(at + 4)) << 32);
        let sections = [0, 1, 2, 3, 4].map(|index| u32_at(48 + 4 * index) as usize);
        let head = Head {
            sparse: header[9] & SPARSE != 0,
            count: u32_at(12) as usize,
            base: u64_at(16),
            last: u64_at(24),
            time_first: u64_at(32) as i64,
            time_max: u64_at(40) as i64,
            expanded: u32_at(68) as usize,
            sections,
            body_sum: u32_at(4),
        };
        let whole = HEADER_BYTES + sections.iter().sum::<usize>() == bytes.len();
        let sound = crc32c::crc32c(&header[4..]) == u32_at(0) && header[8] == FORMAT;
        (whole && sound && head.base == base && head.last >= base).then_some(head)
    }
}

/// Room for what a block is taken apart with. Reused.
#[derive(Default)]
pub(crate) struct Scratch {
    names: Vec<(u32, u32)>,
    headers: Vec<u8>,
}

/// A whole block, checked.
pub(crate) struct View<'a> {
    pub(crate) head: Head,
    names: &'a [u8],
    metas: &'a [u8],
    header_metas: &'a [u8],
    payload: &'a [u8],
    header_values: &'a [u8],
}

impl<'a> View<'a> {
    /// Checks the block that is stored under an offset; `None` when it is damaged.
    pub(crate) fn of(bytes: &'a [u8], base: u64) -> Option<View<'a>> {
        let head = Head::of(bytes, base)?;
        let mut rest = &bytes[HEADER_BYTES..];
        if crc32c::crc32c(rest) != head.body_sum {
            return None;
        }
        let [names, metas, header_metas, payload, header_values] = head.sections.map(|length| {
            let (section, after) = rest.split_at(length);
            rest = after;
            section
        });
        Some(View { head, names, metas, header_metas, payload, header_values })
    }

    /// Appends the records from an offset on, and below another one, to a batch. `None`, and those
    /// before the mistake, when the sums were right and the content is wrong all the same.
    pub(crate) fn read(
        &self,
        from: u64,
        to: u64,
        scratch: &mut Scratch,
        into: &mut Batch,
    ) -> Option<()> {
        scratch.headers.clear();
        let result = self.read_metas(from, to, scratch, into);
        // They lie behind the payload, where the metas already expect them.
        into.extend(&scratch.headers);
        result
    }

    fn read_metas(
        &self,
        from: u64,
        to: u64,
        scratch: &mut Scratch,
        into: &mut Batch,
    ) -> Option<()> {
        let mut records = Records::of(self);
        let mut headers = HeaderWalk::of(self, scratch)?;
        let mut left = self.head.count;
        while left > 0 && records.upcoming()? < from {
            records.next()?;
            headers.skip()?;
            left -= 1;
        }
        if left == 0 {
            return Some(());
        }
        // The payload goes over in one piece; its rest lies there unused when the span ends inside.
        let payload = self.payload.get(records.payload_at..)?;
        let shift = into.extend(payload).wrapping_sub(records.payload_at as u32);
        let place = |(start, end): (u32, u32)| (start.wrapping_add(shift), end.wrapping_add(shift));
        let headers_at = into.bytes().len() as u32;
        while left > 0 && records.upcoming()? < to {
            let mut meta = records.next()?;
            (meta.key, meta.value) = (meta.key.map(place), meta.value.map(place));
            let start = headers_at + scratch.headers.len() as u32;
            headers.next(&scratch.names, &mut scratch.headers)?;
            meta.headers = (start, headers_at + scratch.headers.len() as u32);
            into.push_meta(meta);
            left -= 1;
        }
        Some(())
    }
}

/// Walks the metas of a block.
struct Records<'a> {
    sparse: bool,
    metas: &'a [u8],
    payload_bytes: usize,
    payload_at: usize,
    offset: u64,
    time: Time,
    /// Of a sparse block: whether what the next record passes over is counted already.
    peeked: bool,
}

impl<'a> Records<'a> {
    fn of(view: &View<'a>) -> Records<'a> {
        Records {
            sparse: view.head.sparse,
            metas: view.metas,
            payload_bytes: view.payload.len(),
            payload_at: 0,
            offset: view.head.base,
            time: view.head.time_first,
            peeked: false,
        }
    }

    /// The next record's offset.
    #[inline]
    fn upcoming(&mut self) -> Option<u64> {
        if self.sparse && !self.peeked {
            let passed_over = varint(&mut self.metas)?;
            self.offset = self.offset.checked_add(passed_over)?;
            self.peeked = true;
        }
        Some(self.offset)
    }

    /// The next record, laid over the payload. Call [`Records::upcoming`] first.
    #[inline]
    fn next(&mut self) -> Option<Meta> {
        let offset = self.offset;
        self.time = self.time.wrapping_add(unzigzag(varint(&mut self.metas)?));
        let key = self.part()?;
        let value = self.part()?;
        self.offset = offset.checked_add(1)?;
        self.peeked = false;
        Some(Meta { offset, time: self.time, key, value, headers: (0, 0) })
    }

    /// The place of a key or a value in the payload: `None` outside when it is not there.
    #[inline]
    fn part(&mut self) -> Option<Option<(u32, u32)>> {
        let length = varint(&mut self.metas)?;
        if length == 0 {
            return Some(None);
        }
        let start = self.payload_at;
        let end = start.checked_add(usize::try_from(length - 1).ok()?)?;
        if end > self.payload_bytes {
            return None;
        }
        self.payload_at = end;
        Some(Some((start as u32, end as u32)))
    }
}

/// Walks the headers of a block, record by record.
struct HeaderWalk<'a> {
    names: &'a [u8],
    metas: &'a [u8],
    values: &'a [u8],
    /// Records before the next one with headers; `None` when there is none.
    headless: Option<u64>,
}

impl<'a> HeaderWalk<'a> {
    fn of(view: &View<'a>, scratch: &mut Scratch) -> Option<HeaderWalk<'a>> {
        scratch.names.clear();
        let mut at = 0;
        while let Some(length) = view.names.get(at..).and_then(|rest| rest.first_chunk::<2>()) {
            let end = at + 2 + usize::from(u16::from_le_bytes(*length));
            scratch.names.push((at as u32, end as u32));
            at = end;
        }
        if at != view.names.len() {
            return None;
        }
        let mut metas = view.header_metas;
        let headless = if metas.is_empty() { None } else { Some(varint(&mut metas)?) };
        Some(HeaderWalk { names: view.names, metas, values: view.header_values, headless })
    }

    /// Whether the next record has headers.
    #[inline]
    fn due(&mut self) -> bool {
        match &mut self.headless {
            None => false,
            Some(0) => true,
            Some(headless) => {
                *headless -= 1;
                false
            }
        }
    }

    fn advance(&mut self) -> Option<()> {
        self.headless = if self.metas.is_empty() { None } else { Some(varint(&mut self.metas)?) };
        Some(())
    }

    /// Passes over the next record's headers.
    fn skip(&mut self) -> Option<()> {
        if !self.due() {
            return Some(());
        }
        for _ in 0..varint(&mut self.metas)? {
            varint(&mut self.metas)?;
            self.value()?;
        }
        self.advance()
    }

    /// Writes the next record's headers out.
    #[inline]
    fn next(&mut self, names: &[(u32, u32)], to: &mut Vec<u8>) -> Option<()> {
        if !self.due() {
            return Some(());
        }
        for _ in 0..varint(&mut self.metas)? {
            let number = usize::try_from(varint(&mut self.metas)?).ok()?;
            let (start, end) = *names.get(number)?;
            let value = self.value()?;
            // The names lie there with their lengths in front, just as they are written out.
            to.extend_from_slice(&self.names[start as usize..end as usize]);
            to.extend_from_slice(&(value.len() as u32).to_le_bytes());
            to.extend_from_slice(value);
        }
        self.advance()
    }

    #[inline]
    fn value(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(varint(&mut self.metas)?).ok()?;
        let (value, rest) = self.values.split_at_checked(length)?;
        self.values = rest;
        Some(value)
    }
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[inline]
fn varint(from: &mut &[u8]) -> Option<u64> {
    let (first, rest) = from.split_first()?;
    if *first < 0x80 {
        *from = rest;
        return Some((*first).into());
    }
    long_varint(from)
}

fn long_varint(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for (index, byte) in from.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index as u32);
        if *byte < 0x80 {
            *from = &from[index + 1..];
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use alluvium_flow::Headers;
    use alluvium_learn::math::random_bits;

    use super::*;
    use crate::block::{Block, Entry};

    /// Records of every kind, as a batch.
    fn records(seed: u64, count: u64, sparse: bool) -> Batch {
        let mut batch = Batch::new();
        let (mut offset, mut draws) = (1_000, 0);
        let mut draw = |below: u64| {
            draws += 1;
            random_bits(seed, draws) % below
        };
        for _ in 0..count {
            let bytes = vec![b'x'; draw(300) as usize];
            let key = (draw(3) > 0).then_some(&bytes[..bytes.len() / 3]);
            let value = (draw(4) > 0).then_some(&bytes[..]);
            let time = [0, 1_700_000_000_000, -5, i64::MIN, i64::MAX][draw(5) as usize];
            let mut headers = Vec::new();
            for _ in 0..draw(10).saturating_sub(6) {
                Headers::encode(
                    &mut headers,
                    ["key", "", "model"][draw(3) as usize],
                    &bytes[..bytes.len() / 9],
                );
            }
            batch.push(
                offset,
                time + draw(2) as i64 * i64::from(time < 0),
                key,
                value,
                Headers::new(&headers),
            );
            offset += 1 + if sparse { draw(5) * draw(1 << 40) } else { 0 };
        }
        batch
    }

    fn stored(batch: &Batch, sparse: bool) -> Vec<u8> {
        let mut block = Block::default();
        block.clear(sparse);
        let (mut expected, mut bytes) = (1_000, Vec::new());
        for record in batch.iter() {
            block.push(&Entry {
                passed_over: record.offset - expected,
                time: record.time,
                key: record.key,
                value: record.value,
                headers: record.headers,
            });
            expected = record.offset + 1;
        }
        block.write(1_000, &mut bytes).unwrap();
        assert_eq!(bytes.len(), block.encoded_bytes());
        bytes
    }

    fn same(read: &Batch, written: &Batch, from: u64, to: u64) {
        let of = |batch: &Batch| -> Vec<String> {
            let inside = batch.iter().filter(|record| (from..to).contains(&record.offset));
            inside.map(|record| format!("{record:?}")).collect()
        };
        assert_eq!(of(read), of(written));
        assert!(read.iter().all(|record| (from..to).contains(&record.offset)));
    }

    #[test]
    fn a_block_gives_back_its_records_from_anywhere_to_anywhere() {
        for seed in 0..60 {
            let sparse = seed % 2 == 1;
            let written = records(seed, 1 + seed * 3, sparse);
            let bytes = stored(&written, sparse);
            let view = View::of(&bytes, 1_000).unwrap();
            let last = written.metas()[written.len() - 1].offset;
            assert_eq!((view.head.count, view.head.last), (written.len(), last));
            assert_eq!(
                Some(view.head.time_max),
                written.metas().iter().map(|meta| meta.time).max()
            );
            let middle = written.metas()[written.len() / 2].offset;
            for (from, to) in [(0, u64::MAX), (middle, last), (middle + 1, u64::MAX), (0, middle)] {
                let mut read = Batch::new();
                read.push(0, 0, None, Some(b"what was read before"), Headers::default());
                view.read(from, to, &mut Scratch::default(), &mut read).unwrap();
                let mut rest = Batch::new();
                for record in read.iter().skip(1) {
                    rest.push(record.offset, record.time, record.key, record.value, record.headers);
                }
                same(&rest, &written, from, to);
            }
        }
    }

    /// What was written with an earlier version must still be read: another digest needs another
    /// format number.
    #[test]
    fn the_layout_is_the_one_of_format_1() {
        let both = [stored(&records(1, 50, false), false), stored(&records(2, 50, true), true)];
        assert_eq!(blake3::hash(&both.concat()).to_hex()[..16], *"06c1d4acabd9bd1f");
    }

    #[test]
    fn a_changed_byte_is_found_anywhere() {
        let bytes = stored(&records(3, 20, true), true);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            assert!(View::of(&damaged, 1_000).is_none(), "byte {at}");
        }
        assert!(View::of(&bytes, 1_001).is_none(), "it lies in another's place");
        assert!((0..bytes.len()).all(|length| View::of(&bytes[..length], 1_000).is_none()));
    }

    /// Should a sum be right by chance, or by malice.
    #[test]
    fn wrong_content_under_right_sums_is_refused_without_a_panic() {
        for sparse in [false, true] {
            let bytes = stored(&records(5, 20, sparse), sparse);
            for at in 9..bytes.len() {
                for flip in [0x01, 0x80, 0xff] {
                    let mut damaged = bytes.clone();
                    damaged[at] ^= flip;
                    let body = crc32c::crc32c(&damaged[HEADER_BYTES..]);
                    damaged[4..8].copy_from_slice(&body.to_le_bytes());
                    let head = crc32c::crc32c(&damaged[4..HEADER_BYTES]);
                    damaged[..4].copy_from_slice(&head.to_le_bytes());
                    if let Some(view) = View::of(&damaged, 1_000) {
                        let mut read = Batch::new();
                        view.read(0, u64::MAX, &mut Scratch::default(), &mut read);
                        read.iter().for_each(|record| drop(format!("{record:?}")));
                    }
                }
            }
        }
    }
}
