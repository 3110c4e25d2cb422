//! Sums and extremes over the newest records, exact to the last record that goes.
//!
//! Nothing is ever taken away from a sum, so nothing drifts. The records are numbered, and each
//! aligned block of 2, 4, 8, ... of them gets its value, made of its two halves, when its last
//! record arrives. A question about records `from..end` is answered by the fewest blocks that cover
//! just these, from the oldest to the newest. So what a sum comes to depends on the numbers of its
//! records and on nothing else: not on how the room grew, nor on what went before.
//!
//! - Cost: constant time for each record on average, logarithmic time for each question; 8 bytes a
//!   record for each column and for each lane.
//! - Paper: A. Arasu, J. Widom, "Resource Sharing in Continuous Sliding-Window Aggregates", VLDB
//!   2004, pages 336-347 (there: algorithm B-Int). For the squares: T. F. Chan, G. H. Golub,
//!   R. J. LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances",
//!   COMPSTAT 1982, pages 30-41.

/// What is kept of each block of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    Sum,
    /// The squared distances to the block's own mean, which comes from the sums in that lane.
    Squares {
        sums: usize,
    },
    Least,
    Greatest,
}

/// What is known of some neighbouring records.
#[derive(Clone, Copy, Debug)]
struct Part {
    count: u64,
    value: f64,
    /// Their sum, where the value is of squares; else 0.
    sum: f64,
}

impl Keep {
    /// What is known of two neighbours together.
    fn join(self, older: Part, newer: Part) -> Part {
        let value = match self {
            Keep::Sum => older.value + newer.value,
            Keep::Squares { .. } => {
                let (older_count, newer_count) = (older.count as f64, newer.count as f64);
                let apart = newer.sum / newer_count - older.sum / older_count;
                let share = older_count * (newer_count / (older_count + newer_count));
                older.value + newer.value + apart * apart * share
            }
            // Compared, not `min` and `max`: which of two zeros these return is not laid down.
            Keep::Least if newer.value < older.value => newer.value,
            Keep::Greatest if newer.value > older.value => newer.value,
            Keep::Least | Keep::Greatest => older.value,
        };
        Part { count: older.count + newer.count, value, sum: older.sum + newer.sum }
    }
}

/// One kind of value of one column's blocks.
#[derive(Clone, Debug)]
struct Lane {
    column: usize,
    keep: Keep,
    /// One value a block of two or more records, as [`Blocks::node`] counts them.
    nodes: Vec<f64>,
}

/// The newest records of some columns. Invariant: `end - first` is at most `room`, which is a power
/// of two and the length of every column and of every lane's nodes.
#[derive(Clone, Debug)]
pub(super) struct Blocks {
    first: u64,
    end: u64,
    room: usize,
    columns: Vec<Vec<f64>>,
    lanes: Vec<Lane>,
}

impl Blocks {
    pub(super) fn new() -> Blocks {
        Blocks { first: 0, end: 0, room: 1, columns: Vec::new(), lanes: Vec::new() }
    }

    /// Adds a column, before the first record. Returns its index.
    pub(super) fn add_column(&mut self) -> usize {
        self.columns.push(vec![0.0; self.room]);
        self.columns.len() - 1
    }

    /// The lane that keeps this of a column; added where there is none, before the first record.
    pub(super) fn lane(&mut self, column: usize, keep: Keep) -> usize {
        let is_it = |lane: &Lane| lane.column == column && lane.keep == keep;
        self.lanes.iter().position(is_it).unwrap_or_else(|| {
            self.lanes.push(Lane { column, keep, nodes: vec![0.0; self.room] });
            self.lanes.len() - 1
        })
    }

    /// The number of the oldest record, and one above that of the newest.
    pub(super) fn ends(&self) -> (u64, u64) {
        (self.first, self.end)
    }

    pub(super) fn len(&self) -> usize {
        (self.end - self.first) as usize
    }

    /// Forgets all records and numbers the next one so.
    pub(super) fn clear(&mut self, next: u64) {
        (self.first, self.end) = (next, next);
    }

    /// Forgets the records below that number.
    pub(super) fn forget_below(&mut self, first: u64) {
        self.first = first.clamp(self.first, self.end);
    }

    /// A record's value in a column.
    pub(super) fn value(&self, column: usize, record: u64) -> f64 {
        self.columns[column][place(record, self.room)]
    }

    /// Adds a record, and grows when there is no room for it; `values` gives its value in each
    /// column.
    pub(super) fn push(&mut self, values: impl Fn(usize) -> f64) {
        if self.len() == self.room {
            self.grow();
        }
        let place = place(self.end, self.room);
        for (index, column) in self.columns.iter_mut().enumerate() {
            column[place] = values(index);
        }
        self.end += 1;
        self.complete(self.end);
    }

    /// What a lane keeps, over the records `from..end`. `None` where there are none.
    pub(super) fn fold(&self, lane: usize, from: u64) -> Option<f64> {
        let mut all: Option<Part> = None;
        let mut at = from;
        while at < self.end {
            let level = at.trailing_zeros().min((self.end - at).ilog2());
            let part = self.part(lane, level, at);
            all = Some(all.map_or(part, |before| self.lanes[lane].keep.join(before, part)));
            at += part.count;
        }
        all.map(|part| part.value)
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let columns = self.columns.capacity() * size_of::<Vec<f64>>();
        let lanes = self.lanes.capacity() * size_of::<Lane>();
        let arrays = self.columns.len() + self.lanes.len();
        columns + lanes + arrays * self.room * size_of::<f64>()
    }

    /// Where the block of `1 << level` records from `start` on lies in a lane's nodes: the largest
    /// block first, 0 left free, as in a heap.
    fn node(&self, level: u32, start: u64) -> usize {
        let blocks = self.room >> level;
        blocks + ((start >> level) as usize & (blocks - 1))
    }

    fn at(&self, lane: usize, level: u32, start: u64) -> f64 {
        let Lane { column, keep, nodes } = &self.lanes[lane];
        match (level, keep) {
            (0, Keep::Squares { .. }) => 0.0,
            (0, _) => self.value(*column, start),
            _ => nodes[self.node(level, start)],
        }
    }

    fn part(&self, lane: usize, level: u32, start: u64) -> Part {
        let sum = match self.lanes[lane].keep {
            Keep::Squares { sums } => self.at(sums, level, start),
            Keep::Sum | Keep::Least | Keep::Greatest => 0.0,
        };
        Part { count: 1 << level, value: self.at(lane, level, start), sum }
    }

    /// Gives their values to the blocks that end at `end`.
    fn complete(&mut self, end: u64) {
        for level in 1..=end.trailing_zeros().min(self.room.ilog2()) {
            let start = end - (1 << level);
            let node = self.node(level, start);
            for lane in 0..self.lanes.len() {
                let older = self.part(lane, level - 1, start);
                let newer = self.part(lane, level - 1, start + older.count);
                let joined = self.lanes[lane].keep.join(older, newer);
                self.lanes[lane].nodes[node] = joined.value;
            }
        }
    }

    /// Doubles the room.
    fn grow(&mut self) {
        let (before, room) = (self.room, self.room * 2);
        for column in &mut self.columns {
            let mut larger = vec![0.0; room];
            for record in self.first..self.end {
                larger[place(record, room)] = column[place(record, before)];
            }
            *column = larger;
        }
        for lane in &mut self.lanes {
            lane.nodes = vec![0.0; room];
        }
        self.room = room;
        // Blocks that begin before the first record come out wrong here. No question meets them.
        for end in self.first + 1..=self.end {
            self.complete(end);
        }
    }
}

/// Where a record lies in a column of that room.
fn place(record: u64, room: usize) -> usize {
    record as usize & (room - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math;

    fn sums_of(values: &[f64], first: u64, keep: usize) -> Vec<u64> {
        let mut blocks = Blocks::new();
        let column = blocks.add_column();
        let lane = blocks.lane(column, Keep::Sum);
        blocks.clear(first);
        let mut sums = Vec::new();
        for value in values {
            if blocks.len() == keep {
                blocks.forget_below(blocks.ends().0 + 1);
            }
            blocks.push(|_| *value);
            sums.push(blocks.fold(lane, blocks.ends().0).unwrap().to_bits());
        }
        sums
    }

    fn random(count: u64) -> Vec<f64> {
        (0..count).map(|index| math::random_unit(7, index) - 0.5).collect()
    }

    /// 1e16 swallows a 1 that is added to it; taking it away again would not bring the 1 back.
    #[test]
    fn a_huge_value_leaves_no_trace() {
        let mut blocks = Blocks::new();
        let column = blocks.add_column();
        let lane = blocks.lane(column, Keep::Sum);
        for value in [1e16, 1.0, 1.0, 1.0] {
            blocks.push(|_| value);
        }
        assert_eq!(blocks.fold(lane, 0), Some(1e16 + 2.0));
        assert_eq!(blocks.fold(lane, 1), Some(3.0));
        assert_eq!(blocks.fold(lane, 4), None);
    }

    /// A window that began anew in the middle (a restored one) sums the same bits, though its room
    /// grew otherwise.
    #[test]
    fn a_sum_hangs_on_the_numbers_of_its_records_alone() {
        let values = random(300);
        for keep in [1, 2, 3, 7, 8, 64, 100] {
            let all = sums_of(&values, 0, keep);
            for from in [0, 1, 37, 150] {
                let later = sums_of(&values[from..], from as u64, keep);
                assert_eq!(all[from + keep..], later[keep..], "{keep} records from {from} on");
            }
        }
    }

    #[test]
    fn every_lane_is_what_it_is_from_scratch() {
        let values: Vec<f64> = random(200).iter().map(|value| (value * 64.0).round()).collect();
        let mut blocks = Blocks::new();
        let column = blocks.add_column();
        let sums = blocks.lane(column, Keep::Sum);
        let squares = blocks.lane(column, Keep::Squares { sums });
        let least = blocks.lane(column, Keep::Least);
        let greatest = blocks.lane(column, Keep::Greatest);
        assert_eq!(blocks.lane(column, Keep::Sum), sums);
        for (index, value) in values.iter().enumerate() {
            blocks.push(|_| *value);
            blocks.forget_below((index as u64 + 1).saturating_sub(50));
            let (first, end) = blocks.ends();
            for from in first..end {
                let part = &values[from as usize..=index];
                let (sum, count) = (part.iter().sum::<f64>(), part.len() as f64);
                let apart = |value: &f64| (value - sum / count) * (value - sum / count);
                let expected: f64 = part.iter().map(apart).sum();
                assert_eq!(blocks.fold(sums, from), Some(sum));
                assert_eq!(blocks.fold(least, from), part.iter().copied().reduce(f64::min));
                assert_eq!(blocks.fold(greatest, from), part.iter().copied().reduce(f64::max));
                assert!((blocks.fold(squares, from).unwrap() - expected).abs() < 1e-9);
            }
        }
    }
}
