//! Records that are one JSON object (RFC 8259).
//!
//! The record is walked once, from its first byte to its last, along a tree of the plan's paths.
//! What nobody reads is checked as strictly as what somebody does, so that a verdict on the record
//! as a whole does not depend on the fields: UTF-8, grammar, escapes, [`DEPTH_MAX`], [`KEYS_MAX`],
//! [`ELEMENTS_MAX`], and keys that stand twice in one object, at every depth and whether escaped or
//! not. Of several such mistakes the first one met is named. Only the size of a number is
//! left to whoever reads it: `1e400` is good JSON.
//!
//! Numbers, also those of flags and times, are JSON numbers, never strings. Text and identities
//! take a number as it is written (identities: only an integer), so that 12 and "12" are the same
//! identity, and no digit of a long one is lost. Null is missing, an empty string is a text (but no
//! identity). A byte order mark and UTF-16 are refused.
//!
//! The scanner is our own: a general parser hides how a number was written, stops at the first
//! that no double holds, and what skips unread values in it knows neither depth nor keys. The tests
//! hold it against `serde_json`.

mod scan;
mod trie;

use super::place::{Layout, Row, Target, What, is_utf8};
use super::{Decoder, Plan, RECORD_BYTES_MAX, Reason, Rows, TimeUnit};
use crate::Batch;
use crate::decode::number;
use scan::{Scanner, Text, Token};
use trie::{Trie, UNREAD};

/// How many objects and arrays may lie in one another, the record itself included.
const DEPTH_MAX: usize = 64;
/// How many keys a record may have in all.
const KEYS_MAX: usize = 10_000;
/// How many array elements a record may have in all.
const ELEMENTS_MAX: usize = 100_000;

pub(super) struct JsonDecoder {
    layout: Layout,
    trie: Trie,
    scratch: Scratch,
}

/// Room that is used again for each record.
#[derive(Clone, Debug, Default)]
struct Scratch {
    /// How many records were walked: the mark of the present one.
    record: u64,
    /// For each node of the tree, the last record that had it.
    nodes_seen: Vec<u64>,
    /// The unread keys of the objects that are open, those of the innermost last.
    keys: Vec<Key>,
    /// Unread keys that had escapes, without them.
    unescaped_keys: Vec<u8>,
    /// A text without its escapes.
    text: Vec<u8>,
}

/// A key that nobody reads, kept until its object ends, to find it a second time.
#[derive(Clone, Copy, Debug)]
struct Key {
    /// Its first bytes, so that most comparisons end here.
    head: u64,
    start: u32,
    length: u32,
    /// It lies in `unescaped_keys`, not in the record.
    was_escaped: bool,
}

impl JsonDecoder {
    pub(super) fn new(plan: &Plan) -> JsonDecoder {
        let layout = Layout::new(plan);
        let trie = Trie::new(&layout);
        let nodes_seen = vec![0; trie.nodes.len()];
        JsonDecoder { layout, trie, scratch: Scratch { nodes_seen, ..Scratch::default() } }
    }
}

impl Decoder for JsonDecoder {
    fn decode(&mut self, partition: u32, batch: &Batch, into: &mut Rows) {
        let JsonDecoder { layout, trie, scratch } = self;
        for record in batch.iter() {
            let value = record.value.unwrap_or_default();
            into.add(layout, partition, &record, |row| {
                if value.is_empty() {
                    return Err(Reason::Empty);
                }
                if value.len() > RECORD_BYTES_MAX {
                    return Err(Reason::TooLarge);
                }
                if !is_utf8(value) {
                    return Err(Reason::NotUtf8);
                }
                scratch.record += 1;
                scratch.keys.clear();
                scratch.unescaped_keys.clear();
                let scanner = Scanner::new(value);
                let targets = &layout.targets;
                let mut walk = Walk {
                    bytes: value,
                    scanner,
                    targets,
                    trie: &mut *trie,
                    scratch: &mut *scratch,
                    row: &mut *row,
                    keys: 0,
                    elements: 0,
                };
                walk.record()?;
                for (node, seen) in trie.nodes.iter().zip(&scratch.nodes_seen) {
                    if *seen != scratch.record {
                        node.targets.iter().for_each(|target| row.missing(&targets[*target]));
                    }
                }
                Ok(())
            });
        }
    }
}

/// One record being walked.
struct Walk<'a, 'b, 'r> {
    bytes: &'a [u8],
    scanner: Scanner<'a>,
    targets: &'b [Target],
    trie: &'b mut Trie,
    scratch: &'b mut Scratch,
    row: &'b mut Row<'r>,
    keys: usize,
    elements: usize,
}

impl<'a> Walk<'a, '_, '_> {
    fn record(&mut self) -> Result<(), Reason> {
        self.scratch.nodes_seen[0] = self.scratch.record;
        let token = self.value(0, 1)?;
        if !self.scanner.is_at_end() {
            return Err(Reason::Malformed);
        }
        if let Token::Object = token { Ok(()) } else { Err(Reason::WrongKind) }
    }

    /// Walks a value at a node of the tree, or [`UNREAD`], and gives it to who reads it.
    fn value(&mut self, node: usize, depth: usize) -> Result<Token<'a>, Reason> {
        let token = match self.scanner.peek() {
            b'{' | b'[' if depth > DEPTH_MAX => return Err(Reason::TooComplex),
            b'{' => self.object(node, depth)?,
            b'[' => self.array(node, depth)?,
            _ => self.scanner.scalar()?,
        };
        if let Some(node) = self.trie.nodes.get(node) {
            for target in &node.targets {
                take(self.row, &self.targets[*target], token, &mut self.scratch.text);
            }
            // The elements that null does not have will be found missing.
            if !matches!(token, Token::Array | Token::Null) {
                for count in &node.counts {
                    self.row.wrong_count(self.targets, *count);
                }
            }
        }
        Ok(token)
    }

    fn object(&mut self, node: usize, depth: usize) -> Result<Token<'a>, Reason> {
        self.scanner.skip();
        let open = self.scratch.keys.len();
        if self.scanner.peek() == b'}' {
            self.scanner.skip();
            return Ok(Token::Object);
        }
        let mut before = UNREAD;
        loop {
            if self.scanner.peek() != b'"' {
                return Err(Reason::Malformed);
            }
            let key = self.scanner.string()?;
            self.keys += 1;
            if self.keys > KEYS_MAX {
                return Err(Reason::TooComplex);
            }
            let child = self.key(node, before, key)?;
            if child != UNREAD {
                before = child;
            }
            self.scanner.expect(b':')?;
            self.value(child, depth + 1)?;
            match self.scanner.peek() {
                b',' => self.scanner.skip(),
                b'}' => break,
                _ => return Err(Reason::Malformed),
            }
        }
        self.scanner.skip();
        self.check_unread_keys(open)?;
        Ok(Token::Object)
    }

    /// The node of a key; [`UNREAD`] for one that nobody reads, which is kept.
    #[inline]
    fn key(&mut self, node: usize, before: usize, key: Text<'a>) -> Result<usize, Reason> {
        let start = self.scratch.unescaped_keys.len();
        let name = if key.is_escaped {
            key.unescape(&mut self.scratch.unescaped_keys);
            &self.scratch.unescaped_keys[start..]
        } else {
            key.raw
        };
        let child = match node {
            UNREAD => UNREAD,
            _ => self.trie.child(node, before, name),
        };
        if child == UNREAD {
            let mut head = [0; 8];
            let known = name.len().min(8);
            head[..known].copy_from_slice(&name[..known]);
            let start = match key.is_escaped {
                true => start,
                false => self.scanner.position() - 1 - key.raw.len(),
            };
            self.scratch.keys.push(Key {
                head: u64::from_be_bytes(head),
                start: start as u32,
                length: name.len() as u32,
                was_escaped: key.is_escaped,
            });
        } else {
            let seen = &mut self.scratch.nodes_seen[child];
            if *seen == self.scratch.record {
                return Err(Reason::DuplicateKey);
            }
            *seen = self.scratch.record;
        }
        Ok(child)
    }

    /// Looks for a key that stands twice among the unread ones of an object that ends, and forgets
    /// them. A few are compared each with each, many are sorted.
    fn check_unread_keys(&mut self, open: usize) -> Result<(), Reason> {
        let Scratch { keys, unescaped_keys, .. } = &mut *self.scratch;
        let bytes = self.bytes;
        let name = |key: &Key| {
            let within = if key.was_escaped { unescaped_keys.as_slice() } else { bytes };
            &within[key.start as usize..][..key.length as usize]
        };
        let mine = &mut keys[open..];
        let is_same = |a: &Key, b: &Key| a.head == b.head && name(a) == name(b);
        let twice = if mine.len() <= 16 {
            (1..mine.len()).any(|last| mine[..last].iter().any(|key| is_same(key, &mine[last])))
        } else {
            mine.sort_unstable_by(|a, b| a.head.cmp(&b.head).then_with(|| name(a).cmp(name(b))));
            mine.windows(2).any(|pair| is_same(&pair[0], &pair[1]))
        };
        keys.truncate(open);
        if twice { Err(Reason::DuplicateKey) } else { Ok(()) }
    }

    fn array(&mut self, node: usize, depth: usize) -> Result<Token<'a>, Reason> {
        self.scanner.skip();
        let (mut length, mut next_known) = (0, 0);
        if self.scanner.peek() == b']' {
            self.scanner.skip();
        } else {
            loop {
                self.elements += 1;
                if self.elements > ELEMENTS_MAX {
                    return Err(Reason::TooComplex);
                }
                let mut child = UNREAD;
                if let Some(node) = self.trie.nodes.get(node)
                    && let Some((_, known)) =
                        node.elements.get(next_known).filter(|(index, _)| *index == length)
                {
                    child = *known;
                    next_known += 1;
                    self.scratch.nodes_seen[child] = self.scratch.record;
                }
                self.value(child, depth + 1)?;
                length += 1;
                match self.scanner.peek() {
                    b',' => self.scanner.skip(),
                    b']' => break,
                    _ => return Err(Reason::Malformed),
                }
            }
            self.scanner.skip();
        }
        if let Some(node) = self.trie.nodes.get(node) {
            for count in node.counts.iter().filter(|count| count.count != length) {
                self.row.wrong_count(self.targets, *count);
            }
        }
        Ok(Token::Array)
    }
}

/// Gives a value to one of its targets. `scratch` is room for a text without its escapes.
fn take(row: &mut Row<'_>, target: &Target, token: Token<'_>, scratch: &mut Vec<u8>) {
    let is_integer = |text: &[u8]| text.iter().all(|byte| matches!(byte, b'-' | b'0'..=b'9'));
    match (target.what, token) {
        (_, Token::Null) => row.missing(target),
        (What::Number { .. }, Token::Number { text, value }) => {
            row.number(target, value.map_or_else(|| number::parse(text), Ok));
        }
        (What::Flag { place }, Token::Flag(value)) => row.flag(place, value),
        (What::Flag { place }, Token::Number { text: b"1" | b"0", value }) => {
            row.flag(place, value == Some(1.0));
        }
        (What::Text { .. }, Token::Flag(value)) => {
            row.text(target, if value { b"true" } else { b"false" });
        }
        (What::Text { .. }, Token::Number { text, .. }) => row.text(target, text),
        (What::Id { .. }, Token::Number { text, .. }) if is_integer(text) => row.text(target, text),
        (What::Text { .. } | What::Id { .. }, Token::Text(text)) if !text.is_escaped => {
            row.text(target, text.raw);
        }
        (What::Text { .. } | What::Id { .. }, Token::Text(text)) => {
            scratch.clear();
            text.unescape(scratch);
            row.text(target, scratch);
        }
        (What::Time { unit, .. }, Token::Number { text, .. }) if unit != TimeUnit::Rfc3339 => {
            row.time(target, text);
        }
        (What::Time { unit: TimeUnit::Rfc3339, .. }, Token::Text(text)) => {
            scratch.clear();
            text.unescape(scratch);
            row.time(target, scratch);
        }
        _ => row.bad(target, Reason::WrongKind),
    }
}
