//! From a stream of bytes to records: one a line.

use memchr::{memchr, memchr2};

use super::RECORD_BYTES_MAX;

/// Where a record ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// At every line end: NDJSON, log lines.
    Line,
    /// At every line end that is not in a quoted cell (RFC 4180).
    Csv {
        /// What separates the cells: one ASCII character. A quote opens a cell only after it.
        delimiter: u8,
    },
}

/// Cuts a stream that arrives in chunks into records, the same wherever the chunks end.
///
/// - A record ends before `\n` or `\r\n`; the last one needs neither. Empty lines are left out, and
///   so is a byte order mark at the start of the stream.
/// - No line is lost: one longer than [`RECORD_BYTES_MAX`] comes out as its first
///   `RECORD_BYTES_MAX + 1` bytes, so that it is refused as too large, and the next line is whole.
/// - A quote that is not closed within `RECORD_BYTES_MAX` bytes, or at all, is taken for a stray
///   one: the lines from there on to where this was noticed come out one by one. The first is
///   refused as malformed, the others are judged by themselves.
///
/// Time O(bytes); memory `RECORD_BYTES_MAX` at most. Nothing is allocated per line.
#[derive(Clone, Debug)]
pub struct Lines {
    framing: Framing,
    /// The beginning of a record whose end has not arrived.
    held: Vec<u8>,
    state: State,
    /// Bytes of the byte order mark seen so far; `None` once the start is past.
    mark: Option<usize>,
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// What surrounds the next byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A cell begins.
    Begin,
    /// In a cell that is not quoted, or behind the closing quote of one that was.
    Plain,
    /// In a quoted cell.
    Quoted,
    /// Behind a quote in a quoted cell: it closed the cell, unless a second one follows.
    Quote,
    /// In a line that is too long already, whose first bytes have come out.
    Skipped,
}

impl Lines {
    /// A splitter at the start of a stream.
    pub fn new(framing: Framing) -> Lines {
        Lines { framing, held: Vec::new(), state: State::Begin, mark: Some(0) }
    }

    /// Takes the next bytes, and calls `each` with every record that ends in them.
    pub fn feed(&mut self, chunk: &[u8], mut each: impl FnMut(&[u8])) {
        let mut rest = self.after_mark(chunk);
        while !rest.is_empty() {
            if self.state == State::Skipped {
                let Some(end) = memchr(b'\n', rest) else { return };
                self.state = State::Begin;
                rest = &rest[end + 1..];
                continue;
            }
            let room = RECORD_BYTES_MAX + 1 - self.held.len();
            let (piece, is_all) = match rest.get(..room) {
                Some(piece) => (piece, false),
                None => (rest, true),
            };
            if let Some(end) = self.find_end(piece) {
                self.emit(&piece[..end], &mut each);
                self.state = State::Begin;
                rest = &rest[end + 1..];
                continue;
            }
            self.held.extend_from_slice(piece);
            rest = &rest[piece.len()..];
            if !is_all {
                self.overflow(&mut each);
            }
        }
    }

    /// Ends the stream: what is left is the last record.
    pub fn finish(&mut self, mut each: impl FnMut(&[u8])) {
        if let Some(seen) = self.mark.take() {
            self.held.extend_from_slice(&BYTE_ORDER_MARK[..seen]);
        }
        if self.state == State::Quoted {
            self.fall_apart(&mut each);
        }
        self.emit(&[], &mut each);
        self.state = State::Begin;
    }

    /// Leaves out the byte order mark, however the chunks cut it.
    fn after_mark<'a>(&mut self, chunk: &'a [u8]) -> &'a [u8] {
        let Some(seen) = self.mark else { return chunk };
        let expected = &BYTE_ORDER_MARK[seen..];
        let same = expected.iter().zip(chunk).take_while(|(a, b)| a == b).count();
        if same == expected.len() {
            self.mark = None;
        } else if same == chunk.len() {
            self.mark = Some(seen + same);
        } else {
            // It only began like one: what was held back belongs to the first record.
            self.mark = None;
            self.held.extend_from_slice(&BYTE_ORDER_MARK[..seen]);
            if seen > 0 {
                self.state = State::Plain;
            }
            return chunk;
        }
        &chunk[same..]
    }

    /// Calls `each` with what is held and the rest of the record, without `\r`, unless it is empty.
    fn emit(&mut self, rest: &[u8], each: &mut impl FnMut(&[u8])) {
        let without_return = |line: &[u8]| line.len() - usize::from(line.ends_with(b"\r"));
        if self.held.is_empty() {
            match &rest[..without_return(rest)] {
                [] => (),
                line => each(line),
            }
            return;
        }
        self.held.extend_from_slice(rest);
        match &self.held[..without_return(&self.held)] {
            [] => (),
            line => each(line),
        }
        self.held.clear();
    }

    /// More than a record may be, and no end.
    fn overflow(&mut self, each: &mut impl FnMut(&[u8])) {
        if self.state == State::Quoted && memchr(b'\n', &self.held).is_some() {
            self.fall_apart(each);
            return;
        }
        each(&self.held);
        self.held.clear();
        self.state = State::Skipped;
    }

    /// A quote was never closed: emits what is held line by line, and keeps the last, begun line.
    fn fall_apart(&mut self, each: &mut impl FnMut(&[u8])) {
        let mut held = std::mem::take(&mut self.held);
        let mut start = 0;
        while let Some(end) = memchr(b'\n', &held[start..]) {
            self.emit(&held[start..start + end], each);
            start += end + 1;
        }
        held.drain(..start);
        self.state = State::Begin;
        let end = self.find_end(&held);
        debug_assert_eq!(end, None, "there is no line end left");
        self.held = held;
    }

    /// Where the record ends in these bytes, if it does; the state is then that of the end.
    fn find_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let Framing::Csv { delimiter } = self.framing else { return memchr(b'\n', bytes) };
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            match self.state {
                State::Begin | State::Plain | State::Skipped => {
                    let Some(found) = memchr2(b'\n', b'"', rest) else {
                        let is_begin = rest.ends_with(&[delimiter]);
                        self.state = if is_begin { State::Begin } else { State::Plain };
                        return None;
                    };
                    if rest[found] == b'\n' {
                        return Some(at + found);
                    }
                    let opens = match found {
                        0 => self.state == State::Begin,
                        _ => rest[found - 1] == delimiter,
                    };
                    self.state = if opens { State::Quoted } else { State::Plain };
                    at += found + 1;
                }
                State::Quoted => {
                    at += memchr(b'"', rest)? + 1;
                    self.state = State::Quote;
                }
                State::Quote if rest[0] == b'"' => {
                    self.state = State::Quoted;
                    at += 1;
                }
                State::Quote => self.state = State::Plain,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alluvium_learn::math::random_bits;

    const CSV: Framing = Framing::Csv { delimiter: b',' };

    /// The records of a stream that arrives whole, one byte at a time, and in random chunks.
    fn records(framing: Framing, stream: &[u8]) -> Vec<String> {
        let cut = |size: &mut dyn FnMut(usize) -> usize| {
            let (mut lines, mut found) = (Lines::new(framing), Vec::new());
            let mut rest = stream;
            let mut keep = |record: &[u8]| found.push(String::from_utf8_lossy(record).into_owned());
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at(size(rest.len()).min(rest.len()));
                lines.feed(chunk, &mut keep);
                rest = after;
            }
            lines.finish(&mut keep);
            found
        };
        let whole = cut(&mut |length| length);
        let mut counter = 0;
        for seed in 0..20 {
            let random = cut(&mut |_| {
                counter += 1;
                random_bits(seed, counter) as usize % (stream.len() / 4 + 2)
            });
            assert!(whole == random, "chunks change {framing:?}");
        }
        if stream.len() < 10_000 {
            assert_eq!(whole, cut(&mut |_| 1));
        }
        whole
    }

    #[test]
    fn lines_end_with_or_without_a_return_or_an_end() {
        for framing in [Framing::Line, CSV] {
            assert_eq!(records(framing, b"a\nb\r\n\n\r\nc"), ["a", "b", "c"]);
            assert_eq!(records(framing, b"a\n"), ["a"]);
            assert_eq!(records(framing, b""), [""; 0]);
            assert_eq!(records(framing, b"\r"), [""; 0]);
            assert_eq!(records(framing, b"a\rb\r\r\n"), ["a\rb\r"]);
        }
    }

    #[test]
    fn only_the_first_byte_order_mark_is_left_out() {
        for framing in [Framing::Line, CSV] {
            assert_eq!(records(framing, "\u{feff}a\n\u{feff}b".as_bytes()), ["a", "\u{feff}b"]);
            assert_eq!(records(framing, "\u{feff}\"a\n".as_bytes()), ["\"a"]);
            assert_eq!(records(framing, b"\xef\xbbx\n"), [String::from_utf8_lossy(b"\xef\xbbx")]);
            assert_eq!(records(framing, b"\xef\xbb"), [String::from_utf8_lossy(b"\xef\xbb")]);
        }
    }

    #[test]
    fn a_quoted_cell_may_hold_line_ends() {
        let stream = b"1,\"a\nb\",2\n\"c\"\"\n\"\nd\"e\nf,\"\"\n";
        let expected = ["1,\"a\nb\",2", "\"c\"\"\n\"", "d\"e", "f,\"\""];
        assert_eq!(records(CSV, stream), expected);
        assert_eq!(records(Framing::Line, b"\"a\nb\""), ["\"a", "b\""]);
    }

    #[test]
    fn a_line_that_is_too_long_comes_out_once_and_the_next_is_whole() {
        let long = "x".repeat(RECORD_BYTES_MAX + 100);
        let most = "y".repeat(RECORD_BYTES_MAX);
        for framing in [Framing::Line, CSV] {
            let found = records(framing, format!("a\n{long}\nb\n{most}\nc\n{long}").as_bytes());
            let sizes: Vec<usize> = found.iter().map(String::len).collect();
            let cut = RECORD_BYTES_MAX + 1;
            assert_eq!(sizes, [1, cut, 1, RECORD_BYTES_MAX, 1, cut]);
        }
    }

    #[test]
    fn a_stray_quote_costs_its_own_line() {
        assert_eq!(records(CSV, b"a\n\"b\nc\nd"), ["a", "\"b", "c", "d"]);
        let many = "1,2\n".repeat(RECORD_BYTES_MAX / 2);
        let found = records(CSV, format!("x,\"y\n{many}").as_bytes());
        assert_eq!(found[0], "x,\"y");
        assert_eq!(found.len(), 1 + RECORD_BYTES_MAX / 2);
        let long = "z".repeat(2 * RECORD_BYTES_MAX);
        let found = records(CSV, format!("\"{long}\nb\n").as_bytes());
        assert_eq!(found.len(), 2);
        assert_eq!(found[1], "b");
    }

    #[test]
    fn chunks_change_nothing_on_any_stream() {
        for seed in 0..1_000 {
            let random = |counter| random_bits(seed, counter) as usize;
            let stream: Vec<u8> =
                (0..200).map(|at| b"\"\",\n\rab\xef\xbb\xbf"[random(at) % 10]).collect();
            records(CSV, &stream);
            records(Framing::Line, &stream);
        }
    }

    #[test]
    fn records_are_those_the_csv_crate_reads() {
        let parse = |text: &str| -> Vec<csv::StringRecord> {
            let mut reader = csv::ReaderBuilder::new();
            let reader = reader.has_headers(false).flexible(true).from_reader(text.as_bytes());
            reader.into_records().map(Result::unwrap).collect()
        };
        for seed in 0..300 {
            let random = |counter| random_bits(seed, counter) as usize;
            let cell =
                |at| ["1.5", "a\"b", "\"x\ny\"", "\"\"", "\"\"\"\"", "\",\r\n\""][random(at) % 6];
            let end = |at| [",", ",", "\n", "\r\n"][random(at) % 4];
            let stream: String = (0..50).map(|at| cell(at).to_owned() + end(at + 50)).collect();
            let found = records(CSV, stream.as_bytes());
            let found: Vec<csv::StringRecord> = found.iter().flat_map(|one| parse(one)).collect();
            assert_eq!(found, parse(&stream), "{stream}");
        }
    }
}
