//! Records as they lie in the log: a run of one partition's records in one buffer.

use alluvium_learn::Time;

/// A run of records of one partition, ascending by offset, with gaps allowed (compaction,
/// transaction markers). Reused: [`Batch::clear`] keeps the room.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Which of the reader's spans it belongs to.
    pub span: usize,
    /// The next offset to read after this run: above the last record's, and beyond any gap.
    pub next: u64,
    bytes: Vec<u8>,
    records: Vec<Meta>,
}

/// Where one record lies in its batch's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Its offset.
    pub offset: u64,
    /// The log's timestamp.
    pub time: Time,
    /// Start and end of the key; `None` for no key.
    pub key: Option<(u32, u32)>,
    /// Start and end of the value; `None` for a tombstone.
    pub value: Option<(u32, u32)>,
    /// Start and end of the headers, as [`Headers`] reads them.
    pub headers: (u32, u32),
}

/// One record, borrowed from its batch.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its offset.
    pub offset: u64,
    /// The log's timestamp.
    pub time: Time,
    /// The key, if there is one.
    pub key: Option<&'a [u8]>,
    /// The value; `None` for a tombstone.
    pub value: Option<&'a [u8]>,
    /// Names and values beside it.
    pub headers: Headers<'a>,
}

/// The headers of a record, in order: length (u16), name, length (u32), value, little-endian.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headers<'a> {
    bytes: &'a [u8],
}

impl<'a> Headers<'a> {
    /// Headers that were written by [`Headers::encode`].
    pub fn new(bytes: &'a [u8]) -> Headers<'a> {
        Headers { bytes }
    }

    /// Their bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Appends one header to an encoding.
    #[inline]
    pub fn encode(to: &mut Vec<u8>, name: &str, value: &[u8]) {
        let name = &name.as_bytes()[..name.len().min(u16::MAX.into())];
        to.extend_from_slice(&(name.len() as u16).to_le_bytes());
        to.extend_from_slice(name);
        to.extend_from_slice(&(value.len() as u32).to_le_bytes());
        to.extend_from_slice(value);
    }

    /// The first header of that name.
    pub fn get(self, name: &str) -> Option<&'a [u8]> {
        self.into_iter().find(|(found, _)| *found == name.as_bytes()).map(|(_, value)| value)
    }
}

impl<'a> IntoIterator for Headers<'a> {
    type Item = (&'a [u8], &'a [u8]);
    type IntoIter = HeaderIter<'a>;

    fn into_iter(self) -> HeaderIter<'a> {
        HeaderIter { bytes: self.bytes }
    }
}

/// Walks the headers of a record. Ends early where the bytes are damaged.
#[derive(Clone, Debug)]
pub struct HeaderIter<'a> {
    bytes: &'a [u8],
}

impl<'a> Iterator for HeaderIter<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let (length, rest) = self.bytes.split_first_chunk::<2>()?;
        let (name, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (value, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        self.bytes = rest;
        Some((name, value))
    }
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Forgets the records and keeps the room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.records.clear();
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// All the bytes the records lie in.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where each record lies.
    pub fn metas(&self) -> &[Meta] {
        &self.records
    }

    /// Appends bytes that records will be laid over by [`Batch::push_meta`]; returns where they
    /// start. For logs that hold whole runs.
    pub fn extend(&mut self, bytes: &[u8]) -> u32 {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        start
    }

    /// Lays a record over bytes that are there already.
    pub fn push_meta(&mut self, meta: Meta) {
        self.records.push(meta);
    }

    /// Appends a record.
    pub fn push(
        &mut self,
        offset: u64,
        time: Time,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: Headers<'_>,
    ) {
        let mut lay = |bytes: &[u8]| {
            let start = self.extend(bytes);
            (start, start + bytes.len() as u32)
        };
        let (key, value) = (key.map(&mut lay), value.map(&mut lay));
        let headers = lay(headers.bytes);
        self.push_meta(Meta { offset, time, key, value, headers });
    }

    /// One record.
    pub fn get(&self, index: usize) -> Record<'_> {
        let meta = self.records[index];
        let part = |(start, end): (u32, u32)| &self.bytes[start as usize..end as usize];
        Record {
            offset: meta.offset,
            time: meta.time,
            key: meta.key.map(part),
            value: meta.value.map(part),
            headers: Headers::new(part(meta.headers)),
        }
    }

    /// Every record, in order.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        (0..self.len()).map(|index| self.get(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_out_as_it_went_in() {
        let mut headers = Vec::new();
        Headers::encode(&mut headers, "at", b"x:0:1");
        let mut batch = Batch::new();
        batch.push(7, -1, None, Some(b"value"), Headers::new(&headers));
        batch.push(9, 2, Some(b""), None, Headers::default());
        let (first, second) = (batch.get(0), batch.get(1));
        assert_eq!((first.offset, first.key, first.value), (7, None, Some(&b"value"[..])));
        assert_eq!(first.headers.get("at"), Some(&b"x:0:1"[..]));
        assert_eq!((second.key, second.value), (Some(&b""[..]), None));
        assert_eq!(second.headers.get("at"), None);
    }
}
