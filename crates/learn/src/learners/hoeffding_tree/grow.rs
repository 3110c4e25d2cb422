//! How an example finds its leaf, and how a leaf becomes a branch.

use super::{
    HoeffdingTree,
    node::{ClassWeight, Leaf, NODE_BYTES, Node, TABLE_BYTES, WAY_BYTES, Way, total},
    observer::{Kind, code, number, reserve_tight},
    split::{self, Decision, Test},
};
use crate::Features;

impl HoeffdingTree {
    /// The code in a nominal slot of a row.
    fn code(&self, x: &Features<'_>, slot: u32) -> u32 {
        match self.slots.kinds[slot as usize] {
            Kind::Nominal(_, values) => code(x, slot, values),
            Kind::Number(_) => unreachable!("only a nominal slot is tested for its code"),
        }
    }

    /// The child that a row takes at a two-way branch, or else the node itself.
    fn step(&self, at: u32, x: &Features<'_>) -> u32 {
        match self.nodes[at as usize] {
            Node::Threshold { slot, first, threshold } => {
                first + u32::from(number(x, slot) > threshold)
            }
            Node::Equal { slot, first, code } => first + u32::from(self.code(x, slot) != code),
            Node::Leaf(_) | Node::Each { .. } => at,
        }
    }

    /// The leaf that answers for a row.
    pub(super) fn leaf_of(&self, x: &Features<'_>) -> usize {
        let mut at = 0;
        loop {
            at = match self.nodes[at as usize] {
                Node::Leaf(leaf) => return leaf as usize,
                Node::Each { slot, table } => {
                    let ways = &self.tables[table as usize];
                    let code = self.code(x, slot);
                    match ways.binary_search_by_key(&code, |way| way.code) {
                        Ok(way) => ways[way].node,
                        Err(_) => ways[heaviest(ways)].node,
                    }
                }
                _ => self.step(at, x),
            };
        }
    }

    /// The node and the leaf that learn a row. A many-way branch gets a new leaf for a new code,
    /// while there is room.
    fn leaf_to_learn(&mut self, x: &Features<'_>, weight: f64) -> (u32, usize) {
        let (mut at, mut depth) = (0, 0);
        loop {
            at = match self.nodes[at as usize] {
                Node::Leaf(leaf) => return (at, leaf as usize),
                Node::Each { slot, table } => {
                    let code = self.code(x, slot);
                    let ways = &self.tables[table as usize];
                    let way = match ways.binary_search_by_key(&code, |way| way.code) {
                        Ok(way) => way,
                        Err(way) if self.may_grow(1) => {
                            self.add_way(table, way, code, depth + 1);
                            way
                        }
                        Err(_) => heaviest(ways),
                    };
                    let way = &mut self.tables[table as usize][way];
                    way.weight += weight;
                    way.node
                }
                _ => self.step(at, x),
            };
            depth += 1;
        }
    }

    fn add_way(&mut self, table: u32, place: usize, code: u32, depth: u32) {
        let leaf = self.new_leaf(Leaf::new(depth, Vec::new()));
        let node = self.new_node(Node::Leaf(leaf));
        let ways = &mut self.tables[table as usize];
        reserve_tight(ways);
        ways.insert(place, Way { code, node, weight: 0.0 });
        self.fixed_bytes += WAY_BYTES;
    }

    fn new_node(&mut self, node: Node) -> u32 {
        reserve_tight(&mut self.nodes);
        self.nodes.push(node);
        self.fixed_bytes += NODE_BYTES;
        self.nodes.len() as u32 - 1
    }

    /// Puts a leaf into the arena, observing if that has a use.
    fn new_leaf(&mut self, leaf: Leaf) -> u32 {
        reserve_tight(&mut self.leaves);
        self.fixed_bytes += leaf.counted_bytes();
        self.leaves.push(leaf);
        let index = self.leaves.len() - 1;
        if self.leaves[index].may_observe(&self.config) {
            self.inactive += 1;
            self.activate(index);
        }
        index as u32
    }

    /// Learns one example.
    pub(super) fn grow(&mut self, x: &Features<'_>, entry: ClassWeight) {
        self.learned = self.learned.wrapping_add(1);
        self.classes = self.classes.max(entry.class + 1);
        let (node, index) = self.leaf_to_learn(x, entry.weight);

        let with_new_class = self.fixed_bytes < self.config.memory_max.0;
        let leaf = &mut self.leaves[index];
        let observed = |leaf: &Leaf| {
            leaf.observers.as_ref().map_or(0, |observers| observers.counted_bytes(&self.slots))
        };
        let (fixed_before, observed_before) = (leaf.counted_bytes(), observed(leaf));
        leaf.add(&self.config, &self.slots, x, entry, with_new_class);
        self.fixed_bytes += leaf.counted_bytes() - fixed_before;
        self.observed_bytes += observed(leaf) - observed_before;

        let weight = total(&leaf.classes);
        let due = weight - leaf.looked_at >= f64::from(self.config.grace_period);
        if due && leaf.depth < self.config.depth_max && leaf.observers.is_some() {
            leaf.looked_at = weight;
            self.look(node, index);
        }
        self.keep_to_memory();
    }

    /// Looks whether a leaf should be split, and does what was decided.
    fn look(&mut self, node: u32, index: usize) {
        let leaf = &self.leaves[index];
        let Some(observers) = &leaf.observers else { return };
        match split::decide(&self.config, &self.slots, leaf, observers) {
            Decision::Wait => {}
            Decision::Keep => {
                self.deactivate(index);
                self.activate(index);
            }
            Decision::Split(slot, test) => self.split(node, index, slot, test),
        }
    }

    /// Puts a branch in a leaf's place. Its leaf becomes the first child's.
    fn split(&mut self, node: u32, index: usize, slot: u32, test: Test) {
        let leaf = &self.leaves[index];
        let Some(observers) = &leaf.observers else { return };
        let parts = split::parts(observers, self.slots.kinds[slot as usize], &test);
        if !self.may_grow(parts.len() as u64) {
            return;
        }
        let depth = leaf.depth + 1;
        let first = self.nodes.len() as u32;
        let weights: Vec<f64> = parts.iter().map(|part| total(part)).collect();

        self.deactivate(index);
        if self.leaves[index].may_observe(&self.config) {
            self.inactive -= 1;
        }
        self.fixed_bytes -= self.leaves[index].counted_bytes();
        for (child, part) in parts.into_iter().enumerate() {
            let fresh = Leaf::new(depth, part);
            let place =
                if child == 0 { self.reuse_leaf(index, fresh) } else { self.new_leaf(fresh) };
            self.new_node(Node::Leaf(place));
        }
        self.nodes[node as usize] = match test {
            Test::Threshold(threshold) => Node::Threshold { slot, first, threshold },
            Test::Equal(code) => Node::Equal { slot, first, code },
            Test::Each(codes) => {
                let children = (first..).zip(weights);
                let way = |(code, (node, weight))| Way { code, node, weight };
                let ways: Vec<Way> = codes.into_iter().zip(children).map(way).collect();
                self.fixed_bytes += TABLE_BYTES + WAY_BYTES * ways.len() as u64;
                reserve_tight(&mut self.tables);
                self.tables.push(ways);
                Node::Each { slot, table: self.tables.len() as u32 - 1 }
            }
        };
    }

    fn reuse_leaf(&mut self, index: usize, leaf: Leaf) -> u32 {
        self.fixed_bytes += leaf.counted_bytes();
        self.leaves[index] = leaf;
        if self.leaves[index].may_observe(&self.config) {
            self.inactive += 1;
            self.activate(index);
        }
        index as u32
    }
}

/// The way that most examples took. A tie is for the first.
fn heaviest(ways: &[Way]) -> usize {
    let mut best = 0;
    for (index, way) in ways.iter().enumerate() {
        if way.weight > ways[best].weight {
            best = index;
        }
    }
    best
}
