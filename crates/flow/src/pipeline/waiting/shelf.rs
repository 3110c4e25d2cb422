//! Rows of bytes under numbers that rise, in pages that are written once.
//!
//! A row is put at the end and taken from anywhere. A page that is full stays as it is, so that a
//! snapshot writes it once; only when more than half of it was taken it is written anew without
//! that, and joined with the page before if both fit into one. So what is kept takes at most about
//! twice its bytes, and a page is written a few times at most.

use std::collections::VecDeque;

use alluvium_learn::{Reader, StateError, Writer};

use super::super::Sections;

/// The most bytes of a page, unless a single row has more.
const PAGE_BYTES: usize = 512 << 10;

/// Bytes of a row beside its own: its number and its length.
const FRAME_BYTES: usize = 16;

/// One page. Invariant: rows ascend by number, and not all are gone; those before `first` are.
#[derive(Clone, Debug, Default)]
struct Page {
    /// Each row: number, length, bytes.
    bytes: Vec<u8>,
    /// Where each row starts.
    starts: Vec<u32>,
    /// Which rows were taken.
    gone: Vec<bool>,
    /// Of rows that go oldest first, so that the next one is found at once.
    first: usize,
    gone_rows: usize,
    gone_bytes: usize,
}

impl Page {
    fn number(&self, row: usize) -> u64 {
        let start = self.starts[row] as usize;
        u64::from_le_bytes(self.bytes[start..start + 8].try_into().expect("eight bytes"))
    }

    fn row(&self, row: usize) -> &[u8] {
        &self.bytes[self.starts[row] as usize + FRAME_BYTES..self.end(row)]
    }

    fn end(&self, row: usize) -> usize {
        self.starts.get(row + 1).map_or(self.bytes.len(), |next| *next as usize)
    }

    fn push(&mut self, number: u64, row: &[u8]) {
        self.starts.push(self.bytes.len() as u32);
        self.gone.push(false);
        self.bytes.extend_from_slice(&number.to_le_bytes());
        self.bytes.extend_from_slice(&(row.len() as u64).to_le_bytes());
        self.bytes.extend_from_slice(row);
    }

    /// Which row has that number, or the first with a greater one.
    fn find(&self, number: u64) -> usize {
        // Where nothing was left out, a row is as far in as its number is.
        let guess = number.saturating_sub(self.number(0)) as usize;
        if guess < self.starts.len() && self.number(guess) == number {
            return guess;
        }
        let (mut low, mut high) = (0, self.starts.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.number(middle) < number { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// Takes a row out.
    fn take(&mut self, row: usize) {
        self.gone[row] = true;
        self.gone_rows += 1;
        self.gone_bytes += self.end(row) - self.starts[row] as usize;
        while self.gone.get(self.first) == Some(&true) {
            self.first += 1;
        }
    }

    fn is_empty(&self) -> bool {
        self.gone_rows == self.starts.len()
    }

    /// The same rows without those that are gone.
    fn compacted(&self) -> Page {
        let mut page = Page::default();
        page.take_in(self);
        page
    }

    /// Puts the rows of another page that are not gone at the end.
    fn take_in(&mut self, other: &Page) {
        for row in (0..other.starts.len()).filter(|row| !other.gone[*row]) {
            self.push(other.number(row), other.row(row));
        }
    }

    /// Reads what [`Page::bytes`] holds.
    fn read(bytes: &[u8]) -> Result<Page, StateError> {
        let mut page = Page { bytes: bytes.to_vec(), ..Page::default() };
        let (mut from, mut before) = (Reader::new(bytes), None);
        while from.left() > 0 {
            page.starts.push((bytes.len() - from.left()) as u32);
            let number = from.u64()?;
            if before.is_some_and(|before| before >= number) {
                return Err(StateError::Unfit { what: "rows that wait are not in their order" });
            }
            before = Some(number);
            from.blob()?;
        }
        page.gone = vec![false; page.starts.len()];
        Ok(page)
    }
}

/// The rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf {
    pages: VecDeque<Page>,
    bytes: usize,
    rows: u64,
}

impl Shelf {
    /// How many rows there are.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// The bytes of all pages.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The memory it takes.
    pub(super) fn footprint_bytes(&self) -> usize {
        let page =
            |page: &Page| page.bytes.capacity() + page.starts.capacity() * 4 + page.gone.capacity();
        self.pages.iter().map(page).sum()
    }

    /// Puts a row at the end; its number is above those of all that were ever put here.
    pub(super) fn push(&mut self, number: u64, row: &[u8]) {
        let length = row.len() + FRAME_BYTES;
        let has_room =
            |page: &Page| page.bytes.is_empty() || page.bytes.len() + length <= PAGE_BYTES;
        if !self.pages.back().is_some_and(has_room) {
            self.pages.push_back(Page::default());
        }
        self.pages.back_mut().expect("there is one now").push(number, row);
        self.bytes += length;
        self.rows += 1;
    }

    /// The row of that number, if it is here.
    pub(super) fn get(&self, number: u64) -> Option<&[u8]> {
        let (page, row) = self.find(number)?;
        Some(self.pages[page].row(row))
    }

    /// The rows of that number and above.
    pub(super) fn iter_from(&self, number: u64) -> impl Iterator<Item = (u64, &[u8])> {
        let pages = self.pages.range(self.page_of(number).min(self.pages.len())..);
        pages.flat_map(move |page| {
            let from = page.find(number).max(page.first);
            let rows = (from..page.starts.len()).filter(|row| !page.gone[*row]);
            rows.map(|row| (page.number(row), page.row(row)))
        })
    }

    /// The first row of that number or a greater one.
    pub(super) fn first_from(&self, number: u64) -> Option<(u64, &[u8])> {
        self.iter_from(number).next()
    }

    /// Takes a row out. Says whether it was here.
    pub(super) fn remove(&mut self, number: u64) -> bool {
        let Some((index, row)) = self.find(number) else { return false };
        let page = &mut self.pages[index];
        page.take(row);
        self.rows -= 1;
        if page.is_empty() {
            self.bytes -= page.bytes.len();
            self.pages.remove(index);
        } else if index > 0 && index + 1 < self.pages.len() {
            // The first goes by itself before long, and the last is still being filled.
            self.compact(index);
        }
        true
    }

    fn compact(&mut self, index: usize) {
        let page = &self.pages[index];
        if page.gone_bytes * 2 <= page.bytes.len() {
            return;
        }
        let (before, rest) = (page.bytes.len(), page.bytes.len() - page.gone_bytes);
        self.bytes -= before - rest;
        if index > 1 && self.pages[index - 1].bytes.len() + rest <= PAGE_BYTES {
            let page = self.pages.remove(index).expect("it was just looked at");
            self.pages[index - 1].take_in(&page);
        } else {
            self.pages[index] = page.compacted();
        }
    }

    /// The last page whose first number is not above that number.
    fn page_of(&self, number: u64) -> usize {
        self.pages.partition_point(|page| page.number(0) <= number).saturating_sub(1)
    }

    fn find(&self, number: u64) -> Option<(usize, usize)> {
        let index = self.page_of(number);
        let page = self.pages.get(index)?;
        let row = page.find(number);
        let is_here = row < page.starts.len() && page.number(row) == number && !page.gone[row];
        is_here.then_some((index, row))
    }

    /// Writes which pages there are, and which of their rows are gone; the pages themselves become
    /// sections of their own.
    pub(super) fn save(&self, name: &str, to: &mut Writer, sections: &mut Sections) {
        to.len(self.pages.len());
        for page in &self.pages {
            to.u64(page.number(0));
            to.len(page.gone.len());
            for eight in page.gone.chunks(8) {
                let bits = eight.iter().enumerate();
                to.u8(bits.fold(0, |bits, (place, gone)| bits | u8::from(*gone) << place));
            }
            sections.insert(section(name, page.number(0)), page.bytes.clone());
        }
    }

    /// Reads what [`Shelf::save`] wrote.
    pub(super) fn read(
        name: &str,
        from: &mut Reader<'_>,
        sections: &Sections,
    ) -> Result<Shelf, StateError> {
        let mut shelf = Shelf::default();
        for _ in 0..from.len(16)? {
            let section = sections.get(&section(name, from.u64()?));
            let bytes = section.ok_or(StateError::Unfit { what: "a page of rows is not there" })?;
            let mut page = Page::read(bytes)?;
            if from.len(0)? != page.gone.len() {
                return Err(StateError::Unfit { what: "a page has another number of rows" });
            }
            for first in (0..page.gone.len()).step_by(8) {
                let bits = from.u8()?;
                for row in first..(first + 8).min(page.gone.len()) {
                    if bits >> (row - first) & 1 == 1 {
                        page.take(row);
                    }
                }
            }
            if page.is_empty() {
                return Err(StateError::Unfit { what: "a page has no rows" });
            }
            shelf.bytes += page.bytes.len();
            shelf.rows += (page.starts.len() - page.gone_rows) as u64;
            shelf.pages.push_back(page);
        }
        Ok(shelf)
    }
}

/// The section of a page, by the number of its first row.
fn section(name: &str, first: u64) -> String {
    format!("{name}/{first:016x}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use alluvium_learn::math::random_bits;

    use super::*;

    fn saved(shelf: &Shelf) -> (Vec<u8>, Sections) {
        let (mut to, mut sections) = (Writer::new(), Sections::new());
        shelf.save("s", &mut to, &mut sections);
        (to.into_bytes(), sections)
    }

    #[test]
    fn it_holds_what_a_plain_map_holds_and_little_more() {
        let (mut shelf, mut plain) = (Shelf::default(), BTreeMap::new());
        for number in 0..6_000u64 {
            let row = vec![number as u8; 200 + (random_bits(1, number) % 900) as usize];
            shelf.push(number, &row);
            plain.insert(number, row);
            // Most go soon, some at once, a few stay.
            for back in [1, 700, 2_900] {
                let old = number.saturating_sub(back + random_bits(back, number) % 50);
                if old % 17 != 0 {
                    assert_eq!(shelf.remove(old), plain.remove(&old).is_some());
                }
            }
            if number % 500 == 0 {
                let (index, sections) = saved(&shelf);
                let read = Shelf::read("s", &mut Reader::new(&index), &sections).unwrap();
                assert_eq!(saved(&read), (index, sections));
                assert_eq!((read.rows, read.bytes), (shelf.rows, shelf.bytes));
                shelf = read;
            }
        }
        assert_eq!(shelf.rows(), plain.len() as u64);
        assert!(
            (0..6_000).all(|number| shelf.get(number) == plain.get(&number).map(Vec::as_slice))
        );
        for number in 0..6_000 {
            let first = plain.range(number..).next().map(|(number, row)| (*number, row.as_slice()));
            assert_eq!(shelf.first_from(number), first);
        }
        let kept: usize = plain.values().map(|row| row.len() + FRAME_BYTES).sum();
        assert!(shelf.bytes() < 2 * kept + 3 * PAGE_BYTES, "{} for {kept}", shelf.bytes());
        for number in plain.into_keys() {
            assert!(shelf.remove(number));
        }
        assert_eq!((shelf.bytes(), shelf.rows(), shelf.pages.len()), (0, 0, 0));
    }

    #[test]
    fn damaged_pages_are_told() {
        let mut shelf = Shelf::default();
        shelf.push(3, b"row");
        shelf.push(4, b"row");
        let (index, sections) = saved(&shelf);
        let read =
            |sections: &Sections| Shelf::read("s", &mut Reader::new(&index), sections).is_ok();
        assert!(read(&sections) && !read(&Sections::new()));
        for cut in 1..sections["s/0000000000000003"].len() {
            let mut damaged = sections.clone();
            damaged.get_mut("s/0000000000000003").unwrap().truncate(cut);
            assert!(!read(&damaged), "{cut}");
        }
    }
}
