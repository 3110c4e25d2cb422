//! What time does to a log: compaction, retention, tails that are lost, pages that rot.

use super::*;

impl World {
    /// Of each key in some part of a compacted topic only the newest record stays; now and then a
    /// tombstone goes as well.
    pub(crate) fn compact(&mut self) {
        let compacted = |topic: &Topic| topic.policy == Policy::Compact;
        let indices: Vec<usize> =
            (0..self.topics.len()).filter(|index| compacted(&self.topics[*index])).collect();
        if indices.is_empty() {
            return;
        }
        let topic = *self.random.pick(&indices);
        let partition = self.random.index(self.topics[topic].partitions.len());
        let next = self.topics[topic].partitions[partition].next;
        let upto = self.random.below(next + 1);
        let tombstones = self.random.chance(100);
        let records = &mut self.topics[topic].partitions[partition].records;
        let last = records.last_key_value().map(|(offset, _)| *offset);
        let mut newest: BTreeSet<Option<Box<[u8]>>> = BTreeSet::new();
        let mut dead = Vec::new();
        for (offset, record) in records.iter().rev() {
            let is_newest = newest.insert(record.key.clone());
            let is_buried = tombstones && record.value.is_none() && Some(*offset) != last;
            if *offset < upto && (!is_newest || is_buried) {
                dead.push(*offset);
            }
        }
        // A tombstone may go only when nothing older of its key is left; as all older ones below
        // `upto` go at the same time, that holds.
        for offset in dead {
            records.remove(&offset);
        }
    }

    /// What the newest manifests do not need expires, or, in a lossy world, anything.
    pub(crate) fn expire(&mut self) {
        let Some(watch) = &self.watch else { return };
        let (needed, newest) = (watch.needed(3), watch.needed(1));
        if self.lossy && self.random.chance(300) {
            let places: Vec<(String, usize)> = watch.places();
            let (topic, partition) = self.random.pick(&places).clone();
            let Some(index) = self.find(&topic) else { return };
            let Some(found) = self.topics[index].partitions.get(partition) else { return };
            let to = found.earliest + self.random.below(found.next - found.earliest + 1);
            let least = newest.get(&(topic, partition)).copied();
            // Before there is a manifest, all from the beginning on is needed.
            self.lost |= to > least.unwrap_or(0);
            self.drop_below(index, partition, to);
            return;
        }
        for ((topic, partition), least) in needed {
            let Some(index) = self.find(&topic) else { continue };
            let earliest = self.topics[index].partitions[partition].earliest;
            if least > earliest {
                let to = earliest + self.random.below(least - earliest + 1);
                self.drop_below(index, partition, to);
            }
        }
    }

    pub(crate) fn drop_below(&mut self, topic: usize, partition: usize, earliest: u64) {
        let found = &mut self.topics[topic].partitions[partition];
        if earliest > found.earliest {
            found.earliest = earliest;
            found.records = found.records.split_off(&earliest);
        }
    }

    /// A partition loses its tail: an acknowledged end that was not copied before its leader died.
    pub(crate) fn truncate(&mut self, topic: usize, partition: usize, end: u64) {
        let found = &mut self.topics[topic].partitions[partition];
        found.next = end;
        found.records.split_off(&end);
        found.history.retain(|landed| landed.offset < end);
    }

    /// A topic with the same name and nothing in it takes the place of another.
    pub(crate) fn make_again(&mut self, topic: usize) {
        let topic = &mut self.topics[topic];
        topic.id = !topic.id;
        topic.partitions.iter_mut().for_each(|partition| *partition = Partition::default());
    }

    /// A page of the newest manifest is no longer what it was, where there is another manifest and
    /// nothing under way that could take it away.
    pub(crate) fn rot(&mut self, topic: usize) -> bool {
        let is_busy =
            |(session, way): &(usize, usize)| self.sessions[*session].ways[*way].topic == topic;
        let page = self.watch.as_ref().and_then(Watch::dispensable_page);
        let Some(key) = page.filter(|_| !self.busy.iter().any(is_busy)) else { return false };
        let name = key.encode();
        let records = &mut self.topics[topic].partitions[0].records;
        let is_it = |kept: &&mut Rc<Kept>| kept.key.as_deref() == Some(name.as_bytes());
        let Some(kept) = records.values_mut().find(is_it) else { return false };
        let mut rotten = Kept::clone(kept);
        let Some(byte) = rotten.value.as_mut().and_then(|value| value.last_mut()) else {
            return false;
        };
        *byte ^= 1;
        *kept = Rc::new(rotten);
        if let Some(watch) = &mut self.watch {
            watch.page_rots(key, kept.value.as_deref().unwrap_or_default());
        }
        true
    }
}
