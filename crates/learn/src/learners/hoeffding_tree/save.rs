//! How the tree is written and read.

use super::{
    HoeffdingTree, Leaf, Node, Observers, Way,
    node::ClassWeight,
    observer::{Kind, Slots, read_class, read_finite, read_weight},
};
use crate::{Reader, State, StateError, Writer};

/// Format 1: examples learned, classes seen, nodes, leaves and tables in the order of their
/// indices.
const FORMAT: u16 = 1;

impl State for HoeffdingTree {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        to.u64(self.learned);
        to.u32(self.classes);
        to.len(self.nodes.len());
        for node in &self.nodes {
            save_node(node, to);
        }
        to.len(self.leaves.len());
        for leaf in &self.leaves {
            save_leaf(leaf, to);
        }
        to.len(self.tables.len());
        for ways in &self.tables {
            to.len(ways.len());
            for way in ways {
                to.u32(way.code);
                to.u32(way.node);
                to.f64(way.weight);
            }
        }
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("hoeffding_tree", FORMAT)?;
        self.learned = from.u64()?;
        self.classes = from.u32()?;
        if self.classes > self.classes_max {
            return Err(StateError::Unfit { what: "more classes than the bound" });
        }
        let count = from.len(5)?;
        self.nodes = Vec::with_capacity(count);
        for _ in 0..count {
            self.nodes.push(read_node(from, &self.slots)?);
        }
        let count = from.len(37)?;
        self.leaves = Vec::with_capacity(count);
        for _ in 0..count {
            self.leaves.push(read_leaf(from, &self.slots, self.classes)?);
        }
        let count = from.len(8)?;
        self.tables = Vec::with_capacity(count);
        for _ in 0..count {
            self.tables.push(read_ways(from)?);
        }
        self.check_tree()?;
        self.count_bytes();
        Ok(())
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<HoeffdingTree>()
            + self.slots.heap_bytes()
            + self.nodes.capacity() * size_of::<Node>()
            + self.leaves.capacity() * size_of::<Leaf>()
            + self.leaves.iter().map(Leaf::heap_bytes).sum::<usize>()
            + self.tables.capacity() * size_of::<Vec<Way>>()
            + self.tables.iter().map(|ways| ways.capacity() * size_of::<Way>()).sum::<usize>()
    }
}

impl HoeffdingTree {
    /// Checks that the nodes are one tree: every node but the root, every leaf and every table has
    /// one parent, before it, and depths are what they say.
    fn check_tree(&self) -> Result<(), StateError> {
        let unfit = Err(StateError::Unfit { what: "nodes that are not one tree" });
        let mut depths: Vec<Option<u32>> = vec![None; self.nodes.len()];
        let mut leaves = vec![false; self.leaves.len()];
        let mut tables = vec![false; self.tables.len()];
        let Some(root) = depths.first_mut() else { return unfit };
        *root = Some(0);
        for (at, node) in self.nodes.iter().enumerate() {
            let Some(depth) = depths[at] else { return unfit };
            let children: &mut dyn Iterator<Item = u32> = match node {
                Node::Leaf(leaf) => {
                    let leaf = *leaf as usize;
                    if leaves.get(leaf) != Some(&false) || self.leaves[leaf].depth != depth {
                        return unfit;
                    }
                    leaves[leaf] = true;
                    continue;
                }
                Node::Threshold { first, .. } | Node::Equal { first, .. } => {
                    &mut [*first, first.saturating_add(1)].into_iter()
                }
                Node::Each { table, .. } => {
                    let table = *table as usize;
                    if tables.get(table) != Some(&false) || self.tables[table].is_empty() {
                        return unfit;
                    }
                    tables[table] = true;
                    &mut self.tables[table].iter().map(|way| way.node)
                }
            };
            for child in children {
                let child = child as usize;
                let free = depths.get(child) == Some(&None);
                if child <= at || !free || depth >= self.config.depth_max {
                    return unfit;
                }
                depths[child] = Some(depth + 1);
            }
        }
        if leaves.contains(&false) || tables.contains(&false) { unfit } else { Ok(()) }
    }
}

fn save_node(node: &Node, to: &mut Writer) {
    match *node {
        Node::Leaf(leaf) => {
            to.u8(0);
            to.u32(leaf);
        }
        Node::Threshold { slot, first, threshold } => {
            to.u8(1);
            to.u32(slot);
            to.u32(first);
            to.f64(threshold);
        }
        Node::Equal { slot, first, code } => {
            to.u8(2);
            to.u32(slot);
            to.u32(first);
            to.u32(code);
        }
        Node::Each { slot, table } => {
            to.u8(3);
            to.u32(slot);
            to.u32(table);
        }
    }
}

fn read_node(from: &mut Reader<'_>, slots: &Slots) -> Result<Node, StateError> {
    let node = match from.u8()? {
        0 => return Ok(Node::Leaf(from.u32()?)),
        1 => {
            Node::Threshold { slot: from.u32()?, first: from.u32()?, threshold: read_finite(from)? }
        }
        2 => Node::Equal { slot: from.u32()?, first: from.u32()?, code: from.u32()? },
        3 => Node::Each { slot: from.u32()?, table: from.u32()? },
        _ => return Err(StateError::Unfit { what: "a node of no known kind" }),
    };
    let kind = |slot: u32| slots.kinds.get(slot as usize);
    let fits = match node {
        Node::Leaf(_) => true,
        Node::Threshold { slot, .. } => matches!(kind(slot), Some(Kind::Number(_))),
        Node::Equal { slot, .. } | Node::Each { slot, .. } => {
            matches!(kind(slot), Some(Kind::Nominal(..)))
        }
    };
    if fits {
        Ok(node)
    } else {
        Err(StateError::Unfit { what: "a test of a slot not of its kind" })
    }
}

fn save_leaf(leaf: &Leaf, to: &mut Writer) {
    to.u32(leaf.depth);
    to.f64(leaf.looked_at);
    to.f64(leaf.majority_right);
    to.f64(leaf.naive_bayes_right);
    to.len(leaf.classes.len());
    for entry in &leaf.classes {
        to.u32(entry.class);
        to.f64(entry.weight);
    }
    to.bool(leaf.observers.is_some());
    if let Some(observers) = &leaf.observers {
        observers.save(to);
    }
}

fn read_leaf(from: &mut Reader<'_>, slots: &Slots, classes: u32) -> Result<Leaf, StateError> {
    let mut leaf = Leaf {
        depth: from.u32()?,
        looked_at: read_weight(from)?,
        majority_right: read_weight(from)?,
        naive_bayes_right: read_weight(from)?,
        ..Leaf::default()
    };
    let count = from.len(12)?;
    leaf.classes = Vec::with_capacity(count);
    for _ in 0..count {
        let class = read_class(from, classes)?;
        leaf.classes.push(ClassWeight { class, weight: read_weight(from)? });
    }
    let mut seen: Vec<u32> = leaf.classes.iter().map(|entry| entry.class).collect();
    seen.sort_unstable();
    if seen.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(StateError::Unfit { what: "a class twice in a leaf" });
    }
    if from.bool()? {
        leaf.observers = Some(Box::new(Observers::read(from, slots, classes)?));
    }
    Ok(leaf)
}

fn read_ways(from: &mut Reader<'_>) -> Result<Vec<Way>, StateError> {
    let count = from.len(16)?;
    let mut ways: Vec<Way> = Vec::with_capacity(count);
    for _ in 0..count {
        let way = Way { code: from.u32()?, node: from.u32()?, weight: read_weight(from)? };
        if ways.last().is_some_and(|last| last.code >= way.code) {
            return Err(StateError::Unfit { what: "codes out of order" });
        }
        ways.push(way);
    }
    Ok(ways)
}
