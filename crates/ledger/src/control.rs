//! The control topic: what order is, who writes it, and what was decided.
//!
//! One partition, JSON. [`Fold`] reads it record by record and says which records count; every
//! process that reads the same control topic comes to the same answer.

use std::{collections::VecDeque, sync::Arc};

use alluvium_flow::{Decision, Gap, Settings};
use alluvium_learn::Time;
use serde::{Deserialize, Serialize};

use crate::bugs::{Bug, planted};

/// A partition of an input, by the input's name in the pipeline file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct At {
    /// The input.
    pub input: Arc<str>,
    /// The partition.
    pub partition: u32,
    /// An offset in it.
    pub offset: u64,
}

/// A record of the control topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Control {
    /// A writer opens its office. The term is this record's offset plus one.
    Term {
        /// Who: free text for people.
        by: String,
    },
    /// Somebody asks for a decision. Without force until a writer's record adopts it.
    Request {
        /// What is asked for.
        ask: Decision,
        /// Who asks: free text for people.
        by: String,
        /// What tells it from others, if anything: who does not know whether a request has landed
        /// asks again by the same name, and it is taken once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// A writer stops until somebody decides. Nothing of what is learned hangs on it.
    Halted(Stopped),
    /// What a writer says: counts only if its term is current and its number follows.
    Said {
        /// The writer's term.
        term: u64,
        /// Its number, global, never restarted.
        seq: u64,
        /// All requests below this control offset, once, in order, before this record's own effect.
        adopts: u64,
        /// When it was written, by the writer's clock. What it brings is dated by this, in every
        /// replay: the log's own timestamp may be one that a broker has set.
        #[serde(default)]
        time: Time,
        /// What it says.
        body: Body,
    },
}

/// A halt, as control holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// Whose.
    pub term: u64,
    /// When, by the writer's clock.
    pub time: Time,
    /// Of which kind: `changed`, `refused`, `log_changed`, `expired`, `unreadable`, `settings`
    /// or `broken`.
    pub kind: String,
    /// Why, in words.
    pub why: String,
    /// What cannot be read, if it is that, and if to pass over it would help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<Unread>,
}

/// Records of an input that cannot be read, beyond the newest accepted cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unread {
    /// The first of them.
    pub at: At,
    /// The first offset behind them that can be read, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
}

/// What a writer says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Body {
    /// What is learned and how it runs, from here on.
    Settings(Arc<Settings>),
    /// Up to these ends the order is that of one merge, wherever the cuts fall.
    Catchup {
        /// Where partitions named for the first time begin.
        begins: Vec<At>,
        /// Where the merge ends.
        ends: Vec<At>,
    },
    /// The order of the next records.
    Cut {
        /// Where partitions named for the first time begin.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        begins: Vec<At>,
        /// The next offset of each partition whose end moves.
        ends: Vec<At>,
        /// The chained digest of all inputs at the ends, in hexadecimal.
        digest: String,
        /// Whether a version of every model is published at the end of this cut.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        publish: bool,
    },
    /// Models join, with what they read: each with the state it would have here, had it been part
    /// of the pipeline from the beginning. All else that is learned stays as it is.
    Join(Arc<Settings>),
    /// Time has passed without records.
    Tick {
        /// The time.
        time: Time,
    },
}

impl Control {
    /// As bytes of JSON.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("control records are plain data")
    }

    /// From bytes of JSON. `None`: not a record this release knows, which counts for nothing.
    pub fn decode(bytes: &[u8]) -> Option<Control> {
        serde_json::from_slice(bytes).ok()
    }
}

/// What is known of one partition of an input from control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frontier {
    /// The input.
    pub input: Arc<str>,
    /// The partition.
    pub partition: u32,
    /// The first offset that belongs to this pipeline.
    pub begin: u64,
    /// The end of the newest accepted cut.
    pub end: u64,
}

/// Control, read up to a point.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fold {
    /// The next control offset to read.
    pub next: u64,
    /// The current term; 0: none yet.
    pub term: u64,
    /// The number of the newest accepted record.
    pub seq: u64,
    /// Requests not yet adopted, with their offsets.
    pub requests: Vec<(u64, Decision)>,
    /// The names of the newest requests, oldest first.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub asked: VecDeque<String>,
    /// The partitions, in the order they were first named.
    pub partitions: Vec<Frontier>,
    /// Where the newest catch-up ends; nothing once it is over.
    pub catchup: Vec<At>,
    /// The halt that the newest writer has come to; the next one's term makes it a thing of the
    /// past.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halted: Option<Stopped>,
    /// The offset and digest (BLAKE3, hexadecimal, 16 digits) of the newest record read.
    pub last: Option<(u64, String)>,
}

/// A record that counts.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Its control offset.
    pub offset: u64,
    /// The term of its writer.
    pub term: u64,
    /// Decisions it adopts, with the offsets of their requests.
    pub adopts: VecDeque<(u64, Decision)>,
    /// When it was written.
    pub time: Time,
    /// What it says.
    pub body: Body,
    /// Control before it.
    pub before: Arc<Fold>,
}

/// What became of a record of control.
#[derive(Debug)]
pub enum Folded {
    /// It has no effect of its own: a term, a request, a zombie's word.
    Nothing,
    /// It counts.
    Accepted(Box<Accepted>),
    /// It would count, but a later release wrote it, and this one does not know what it says.
    Unknown,
    /// The numbers of the current term leave a gap: control lost records.
    Gap {
        /// The number found.
        found: u64,
        /// The number that had to follow.
        expected: u64,
    },
}

/// How many names of requests are remembered: who asks again does so within a minute.
const ASKED_MAX: usize = 100;

impl Fold {
    /// Reads the record at [`Fold::next`] or, over a gap of the log, at a later offset.
    pub fn fold(&mut self, offset: u64, bytes: &[u8]) -> Folded {
        debug_assert!(offset >= self.next, "control is read in order");
        let before = self.clone();
        self.next = offset + 1;
        self.last = Some((offset, digest_of(bytes)));
        match Control::decode(bytes) {
            None if self.would_count(bytes) => Folded::Unknown,
            None => Folded::Nothing,
            Some(Control::Term { .. }) => {
                self.term = offset + 1;
                self.halted = None;
                Folded::Nothing
            }
            Some(Control::Halted(stopped)) => {
                if stopped.term == self.term {
                    self.halted = Some(stopped);
                }
                Folded::Nothing
            }
            Some(Control::Request { ask, id, .. }) => {
                if id.is_none_or(|id| self.is_new(id)) {
                    self.requests.push((offset, ask));
                }
                Folded::Nothing
            }
            Some(Control::Said { term, seq, adopts, time, body }) => {
                let is_zombie = term != self.term && !planted(Bug::ZombiesCount);
                if is_zombie || seq <= self.seq {
                    return Folded::Nothing;
                }
                if seq != self.seq + 1 {
                    return Folded::Gap { found: seq, expected: self.seq + 1 };
                }
                self.seq = seq;
                let adopts = self.adopt(adopts);
                self.apply(&body);
                let before = Arc::new(before);
                Folded::Accepted(Box::new(Accepted { offset, term, adopts, time, body, before }))
            }
        }
    }

    /// Whether what cannot be read was said by the current writer, and is next. To pass over it
    /// would be to part from whoever can read it.
    fn would_count(&self, bytes: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Any {
            said: Head,
        }
        #[derive(Deserialize)]
        struct Head {
            term: u64,
            seq: u64,
        }
        let any: Option<Any> = serde_json::from_slice(bytes).ok();
        any.is_some_and(|any| any.said.term == self.term && any.said.seq == self.seq + 1)
    }

    /// Remembers a request's name; whether it was not known.
    fn is_new(&mut self, id: String) -> bool {
        if self.asked.contains(&id) {
            return false;
        }
        if self.asked.len() == ASKED_MAX {
            self.asked.pop_front();
        }
        self.asked.push_back(id);
        true
    }

    fn adopt(&mut self, below: u64) -> VecDeque<(u64, Decision)> {
        let (adopted, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.requests).into_iter().partition(|(at, _)| *at < below);
        self.requests = left;
        for (_, ask) in &adopted {
            if let Decision::Skip(gap) = ask
                && self.fits(gap)
                && let Some(index) = self.index_of(&gap.input, gap.partition)
            {
                self.partitions[index].end = gap.to;
            }
        }
        adopted.into()
    }

    /// Where a partition will be read from, once everything is adopted that was asked for; nothing,
    /// if no cut has named it.
    pub fn reads_from(&self, input: &str, partition: u32) -> Option<u64> {
        let end = self.partitions[self.index_of(input, partition)?].end;
        Some(passed_over(self.requests.iter().map(|(_, ask)| ask), input, partition, end))
    }

    /// Whether records can be passed over from there on: only beyond the newest accepted cut. What
    /// lies in a cut was learned, or will be.
    pub fn fits(&self, gap: &Gap) -> bool {
        let index = self.index_of(&gap.input, gap.partition);
        gap.from < gap.to && index.is_some_and(|index| self.partitions[index].end == gap.from)
    }

    fn apply(&mut self, body: &Body) {
        match body {
            Body::Settings(_) | Body::Join(_) | Body::Tick { .. } => {}
            Body::Catchup { begins, ends } => {
                self.begin(begins);
                self.catchup.clone_from(ends);
            }
            Body::Cut { begins, ends, .. } => {
                self.begin(begins);
                for at in ends {
                    if let Some(index) = self.index_of(&at.input, at.partition) {
                        let frontier = &mut self.partitions[index];
                        frontier.end = frontier.end.max(at.offset);
                    }
                }
                // What is over need not be compared with every partition at every look.
                if self.caught_up() {
                    self.catchup.clear();
                }
            }
        }
    }

    fn begin(&mut self, begins: &[At]) {
        for at in begins {
            if self.index_of(&at.input, at.partition).is_none() {
                self.partitions.push(Frontier {
                    input: at.input.clone(),
                    partition: at.partition,
                    begin: at.offset,
                    end: at.offset,
                });
            }
        }
    }

    /// Which of [`Fold::partitions`] that is.
    pub fn index_of(&self, input: &str, partition: u32) -> Option<usize> {
        self.partitions.iter().position(|f| &*f.input == input && f.partition == partition)
    }

    /// The newest catch-up's end of a partition; where it is cut to, if the catch-up did not name
    /// it.
    pub fn catchup_end(&self, partition: &Frontier) -> u64 {
        let names = |at: &&At| at.input == partition.input && at.partition == partition.partition;
        self.catchup.iter().find(names).map_or(partition.end, |at| at.offset)
    }

    /// Whether every partition has been cut up to the end of the newest catch-up.
    pub fn caught_up(&self) -> bool {
        self.partitions.iter().all(|frontier| frontier.end >= self.catchup_end(frontier))
    }
}

/// Where a partition that stands at an offset goes on, behind what decisions pass over, in their
/// order.
pub(crate) fn passed_over<'a>(
    asked: impl Iterator<Item = &'a Decision>,
    input: &str,
    partition: u32,
    from: u64,
) -> u64 {
    asked.fold(from, |from, ask| match ask {
        Decision::Skip(gap)
            if *gap.input == *input && gap.partition == partition && gap.from == from =>
        {
            gap.to.max(from)
        }
        _ => from,
    })
}

/// Sixteen hexadecimal digits of BLAKE3: enough to see that a record is not the one it was.
pub fn digest_of(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..16].to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(term: u64, seq: u64, adopts: u64, body: Body) -> Vec<u8> {
        Control::Said { term, seq, adopts, time: 0, body }.encode()
    }

    fn at(offset: u64) -> At {
        At { input: "x".into(), partition: 0, offset }
    }

    fn cut(to: u64) -> Body {
        Body::Cut { begins: vec![at(0)], ends: vec![at(to)], digest: String::new(), publish: false }
    }

    #[test]
    fn only_the_current_term_counts_and_only_in_order() {
        let mut fold = Fold::default();
        let term = Control::Term { by: "test".into() }.encode();
        assert!(matches!(fold.fold(0, &term), Folded::Nothing));
        assert!(matches!(fold.fold(1, &said(1, 1, 0, cut(5))), Folded::Accepted(_)));
        assert!(matches!(fold.fold(2, &term), Folded::Nothing));
        assert!(matches!(fold.fold(3, &said(1, 2, 0, cut(9))), Folded::Nothing), "a zombie");
        assert!(matches!(fold.fold(4, &said(3, 2, 0, cut(7))), Folded::Accepted(_)));
        assert_eq!(fold.partitions[0].end, 7);
        assert!(matches!(fold.fold(5, &said(3, 4, 0, cut(8))), Folded::Gap { .. }));
    }

    #[test]
    fn a_catch_up_that_is_over_is_forgotten() {
        let mut fold = Fold::default();
        fold.fold(0, &Control::Term { by: String::new() }.encode());
        let catchup = Body::Catchup { begins: vec![at(0)], ends: vec![at(9)] };
        fold.fold(1, &said(1, 1, 0, catchup));
        for (seq, end, is_over) in [(2, 5, false), (3, 9, true), (4, 12, true)] {
            fold.fold(seq, &said(1, seq, 0, cut(end)));
            assert_eq!((fold.caught_up(), fold.catchup.is_empty()), (is_over, is_over));
        }
    }

    #[test]
    fn a_request_is_adopted_once() {
        let mut fold = Fold::default();
        fold.fold(0, &Control::Term { by: String::new() }.encode());
        let ask = Decision::Reset { model: None };
        fold.fold(1, &Control::Request { ask: ask.clone(), by: String::new(), id: None }.encode());
        let Folded::Accepted(first) = fold.fold(2, &said(1, 1, 2, cut(0))) else { panic!() };
        assert_eq!(first.adopts, [(1, ask)]);
        let Folded::Accepted(second) = fold.fold(3, &said(1, 2, 3, cut(0))) else { panic!() };
        assert!(second.adopts.is_empty() && fold.requests.is_empty());
    }

    #[test]
    fn a_request_that_landed_twice_is_taken_once() {
        let mut fold = Fold::default();
        let ask = |id: &str| {
            let (by, id) = (String::new(), Some(id.to_string()));
            Control::Request { ask: Decision::Rollback, by, id }.encode()
        };
        for (at, id) in [(0, "a"), (1, "b"), (2, "a")] {
            fold.fold(at, &ask(id));
        }
        let taken: Vec<u64> = fold.requests.iter().map(|(at, _)| *at).collect();
        assert_eq!(taken, [0, 1]);
        (3..2 * ASKED_MAX as u64).for_each(|at| drop(fold.fold(at, &ask(&at.to_string()))));
        assert_eq!(fold.asked.len(), ASKED_MAX);
    }

    #[test]
    fn what_a_later_release_said_is_not_passed_over() {
        let mut fold = Fold::default();
        fold.fold(0, &Control::Term { by: String::new() }.encode());
        let said = |term: u64, seq: u64, body: &str| {
            format!(r#"{{"said":{{"term":{term},"seq":{seq},"adopts":0,"body":{body}}}}}"#)
        };
        let fork = r#"{"fork":{"at":7}}"#;
        let longer = r#"{"tick":{"time":1,"why":"later"}}"#;
        for (at, body) in [(1, fork), (2, longer)] {
            assert!(matches!(fold.fold(at, said(1, 1, body).as_bytes()), Folded::Unknown));
        }
        let zombie = said(9, 1, fork);
        assert!(matches!(fold.fold(3, zombie.as_bytes()), Folded::Nothing));
        let late = said(1, 5, fork);
        assert!(matches!(fold.fold(4, late.as_bytes()), Folded::Nothing));
    }

    #[test]
    fn garbage_counts_for_nothing() {
        let mut fold = Fold::default();
        assert!(matches!(fold.fold(0, b"{\"cut\":"), Folded::Nothing));
        assert!(matches!(fold.fold(1, b"\xff"), Folded::Nothing));
        assert_eq!(fold.next, 2);
    }
}
