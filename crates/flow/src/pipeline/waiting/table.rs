//! From ids to numbers: open addressing, nothing is ever gone through in its order.

/// A table from ids to numbers below `u64::MAX`. Time: constant; memory: 16 bytes a place, of which
/// a quarter to a half are taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    places: Vec<(u64, u64)>,
    count: usize,
}

const EMPTY: u64 = u64::MAX;

impl Table {
    /// The number of an id.
    pub(super) fn get(&self, id: u64) -> Option<u64> {
        if self.places.is_empty() {
            return None;
        }
        let (_, number) = self.places[self.find(id)];
        (number != EMPTY).then_some(number)
    }

    /// Gives an id a number, in place of the one it may have had.
    pub(super) fn set(&mut self, id: u64, number: u64) {
        if self.places.len() < 2 * (self.count + 1) {
            self.grow();
        }
        let place = self.find(id);
        self.count += usize::from(self.places[place].1 == EMPTY);
        self.places[place] = (id, number);
    }

    /// Takes an id out, if that is still its number.
    pub(super) fn remove(&mut self, id: u64, number: u64) {
        if self.get(id) != Some(number) {
            return;
        }
        let mask = self.places.len() - 1;
        let mut hole = self.find(id);
        let mut next = hole;
        loop {
            next = (next + 1) & mask;
            if self.places[next].1 == EMPTY {
                break;
            }
            // What would be found from the hole on as well moves there: no search ends early.
            let home = self.home(self.places[next].0);
            if (next.wrapping_sub(home) & mask) >= (next.wrapping_sub(hole) & mask) {
                self.places[hole] = self.places[next];
                hole = next;
            }
        }
        self.places[hole].1 = EMPTY;
        self.count -= 1;
    }

    /// The memory it takes.
    pub(super) fn footprint_bytes(&self) -> usize {
        self.places.capacity() * size_of::<(u64, u64)>()
    }

    fn home(&self, id: u64) -> usize {
        // Ids are hashes, but codes are not.
        (id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & (self.places.len() - 1)
    }

    /// The place of an id, or the one it would get.
    fn find(&self, id: u64) -> usize {
        let mask = self.places.len() - 1;
        let mut place = self.home(id);
        while self.places[place].1 != EMPTY && self.places[place].0 != id {
            place = (place + 1) & mask;
        }
        place
    }

    fn grow(&mut self) {
        let places = vec![(0, EMPTY); (self.places.len() * 2).max(16)];
        for (id, number) in std::mem::replace(&mut self.places, places) {
            if number != EMPTY {
                let place = self.find(id);
                self.places[place] = (id, number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use alluvium_learn::math::random_bits;

    use super::*;

    #[test]
    fn it_holds_what_a_plain_map_holds() {
        let (mut table, mut plain) = (Table::default(), BTreeMap::new());
        for turn in 0..20_000u64 {
            // Few ids, close together, so that places collide and holes are filled.
            let id = random_bits(1, turn) % 700;
            match random_bits(2, turn) % 3 {
                0 => {
                    let number = plain.get(&id).copied().unwrap_or(1);
                    table.remove(id, number);
                    plain.remove(&id);
                }
                _ => {
                    table.set(id, turn);
                    plain.insert(id, turn);
                }
            }
            assert_eq!((table.get(id), table.count), (plain.get(&id).copied(), plain.len()));
        }
        assert!((0..700).all(|id| table.get(id) == plain.get(&id).copied()));
        table.set(1, 5);
        table.remove(1, 4);
        assert_eq!(table.get(1), Some(5), "another number is another thing");
    }
}
