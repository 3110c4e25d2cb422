//! The plan's paths as one tree, so that a record is walked once.

use crate::decode::Step;
use crate::decode::place::{Count, Layout};

/// A place of the tree that nobody reads.
pub(super) const UNREAD: usize = usize::MAX;

/// The tree. Node 0 is the record.
#[derive(Clone, Debug)]
pub(super) struct Trie {
    pub(super) nodes: Vec<Node>,
}

/// A value some field is in.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// Its key in the object around it.
    pub(super) key: Vec<u8>,
    /// The targets that take this value.
    pub(super) targets: Vec<usize>,
    /// What an array here must be.
    pub(super) counts: Vec<Count>,
    /// The nodes of an object here, ascending by key.
    keys: Vec<usize>,
    /// The nodes of an array here, ascending by index.
    pub(super) elements: Vec<(usize, usize)>,
    /// The node of the key that came first in an object here, in the last record, and of the one
    /// that followed this one in the object around it: nearly always right again, and then no
    /// search is needed. 0 is none. Speed hangs on them, never a result.
    first: usize,
    next: usize,
}

impl Trie {
    pub(super) fn new(layout: &Layout) -> Trie {
        let mut trie = Trie { nodes: vec![Node::default()] };
        for (steps, target) in &layout.in_value {
            let node = trie.grow(steps);
            trie.nodes[node].targets.push(*target);
        }
        for (steps, count) in &layout.counts {
            let node = trie.grow(steps);
            trie.nodes[node].counts.push(*count);
        }
        trie
    }

    /// The node of a path, made where it is not there.
    fn grow(&mut self, steps: &[Step]) -> usize {
        let mut node = 0;
        for step in steps {
            let new = self.nodes.len();
            let found = match step {
                Step::Key(key) => self.search(node, key.as_bytes()),
                Step::Index(index) => {
                    self.nodes[node].elements.binary_search_by_key(index, |element| element.0)
                }
            };
            node = match (found, step) {
                (Ok(at), Step::Key(_)) => self.nodes[node].keys[at],
                (Ok(at), Step::Index(_)) => self.nodes[node].elements[at].1,
                (Err(at), Step::Key(key)) => {
                    self.nodes[node].keys.insert(at, new);
                    self.nodes.push(Node { key: key.as_bytes().into(), ..Node::default() });
                    new
                }
                (Err(at), Step::Index(index)) => {
                    self.nodes[node].elements.insert(at, (*index, new));
                    self.nodes.push(Node::default());
                    new
                }
            };
        }
        node
    }

    fn search(&self, node: usize, key: &[u8]) -> Result<usize, usize> {
        self.nodes[node].keys.binary_search_by(|child| self.nodes[*child].key.as_slice().cmp(key))
    }

    /// The node of a key in an object at `node`, or [`UNREAD`]. `before` is the node of the last
    /// known key of this object, or [`UNREAD`].
    #[inline]
    pub(super) fn child(&mut self, node: usize, before: usize, key: &[u8]) -> usize {
        let guess = match self.nodes.get(before) {
            Some(before) => before.next,
            None => self.nodes[node].first,
        };
        if guess != 0 && self.nodes[guess].key == key {
            return guess;
        }
        let Ok(at) = self.search(node, key) else { return UNREAD };
        let found = self.nodes[node].keys[at];
        match self.nodes.get_mut(before) {
            Some(before) => before.next = found,
            None => self.nodes[node].first = found,
        }
        found
    }
}
