//! The digest of what was read: is it still the same log?
//!
//! A partition's records are encoded canonically and hashed in links of 256 records, or sooner when
//! a link holds 64 KiB; each link's digest is chained to the one before. The links depend on the
//! records alone, never on fetches or cuts. A link that is not full is kept as its bytes, so that a
//! snapshot may fall anywhere.

use alluvium_learn::{Reader, StateError, Writer};

use crate::Record;

const LINK_RECORDS: u32 = 256;
const LINK_BYTES: usize = 64 << 10;

/// The digest of one partition's records from its beginning on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    digest: [u8; 32],
    records: u32,
    /// The digest and the records since it, in one piece: hashed in two, the second would not lie
    /// on the hash's own blocks, and take twice the time. Empty without records.
    link: Vec<u8>,
}

/// Bytes of a link before its records.
const DIGEST_BYTES: usize = 32;

impl Chain {
    /// Takes the next record.
    pub fn add(&mut self, record: &Record<'_>) {
        let mut head = [0u8; 28];
        head[..8].copy_from_slice(&record.offset.to_le_bytes());
        head[8..16].copy_from_slice(&record.time.to_le_bytes());
        let length = |part: Option<&[u8]>| part.map_or(u32::MAX, |p| p.len() as u32);
        head[16..20].copy_from_slice(&length(record.key).to_le_bytes());
        head[20..24].copy_from_slice(&length(record.value).to_le_bytes());
        head[24..].copy_from_slice(&(record.headers.bytes().len() as u32).to_le_bytes());
        if self.records == 0 {
            self.link.extend_from_slice(&self.digest);
        }
        self.link.extend_from_slice(&head);
        self.link.extend_from_slice(record.key.unwrap_or_default());
        self.link.extend_from_slice(record.value.unwrap_or_default());
        self.link.extend_from_slice(record.headers.bytes());
        self.records += 1;
        if self.records == LINK_RECORDS || self.link.len() >= DIGEST_BYTES + LINK_BYTES {
            self.digest = self.digest();
            self.records = 0;
            self.link.clear();
        }
    }

    /// The digest of all records so far.
    pub fn digest(&self) -> [u8; 32] {
        if self.records == 0 {
            return self.digest;
        }
        *blake3::hash(&self.link).as_bytes()
    }

    /// Writes it.
    pub fn save(&self, to: &mut Writer) {
        to.blob(&self.digest);
        to.u32(self.records);
        to.blob(self.link.get(DIGEST_BYTES..).unwrap_or_default());
    }

    /// Reads it.
    ///
    /// # Errors
    /// When the bytes are no chain.
    pub fn read(from: &mut Reader<'_>) -> Result<Chain, StateError> {
        let digest = from.blob()?;
        let digest: [u8; 32] =
            digest.try_into().map_err(|_| StateError::Unfit { what: "a digest" })?;
        let (records, since) = (from.u32()?, from.blob()?);
        if records >= LINK_RECORDS || since.len() >= LINK_BYTES {
            return Err(StateError::Unfit { what: "a link that is too long" });
        }
        if (records == 0) != since.is_empty() {
            return Err(StateError::Unfit { what: "a link without records" });
        }
        let link = if records == 0 { Vec::new() } else { [&digest[..], since].concat() };
        Ok(Chain { digest, records, link })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, Headers};

    fn batch(count: u64) -> Batch {
        let mut batch = Batch::new();
        for offset in 0..count {
            let value = vec![b'x'; (offset % 400) as usize];
            batch.push(offset, offset as i64, None, Some(&value), Headers::default());
        }
        batch
    }

    #[test]
    fn a_chain_goes_on_where_it_was_saved() {
        let (batch, mut whole, mut parts) = (batch(1000), Chain::default(), Chain::default());
        for (index, record) in batch.iter().enumerate() {
            whole.add(&record);
            parts.add(&record);
            if index % 77 == 0 {
                let mut to = Writer::new();
                parts.save(&mut to);
                parts = Chain::read(&mut Reader::new(to.bytes())).unwrap();
            }
            assert_eq!(whole.digest(), parts.digest());
        }
    }

    #[test]
    fn every_part_of_a_record_counts() {
        let digest = |offset, time, key: Option<&[u8]>, value: Option<&[u8]>| {
            let mut batch = Batch::new();
            batch.push(offset, time, key, value, Headers::default());
            let mut chain = Chain::default();
            chain.add(&batch.get(0));
            chain.digest()
        };
        let digests = [
            digest(0, 0, None, Some(b"ab")),
            digest(1, 0, None, Some(b"ab")),
            digest(0, 1, None, Some(b"ab")),
            digest(0, 0, Some(b"a"), Some(b"b")),
            digest(0, 0, Some(b""), Some(b"ab")),
            digest(0, 0, None, None),
        ];
        for (index, one) in digests.iter().enumerate() {
            assert!(digests[index + 1..].iter().all(|other| other != one));
        }
    }
}
