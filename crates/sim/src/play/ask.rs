//! What people ask for.

use super::*;

impl Play {
    pub(super) fn ask(&mut self) {
        if self.requests < self.size.requests {
            let gap = if self.random.chance(200) { self.gap() } else { None };
            let ask = gap.map(Decision::Skip);
            let ask = ask.unwrap_or_else(|| self.scene.request(&mut self.random));
            self.request(ask);
        }
    }

    /// Records that may be passed over, if nobody cuts them before that is adopted: those behind
    /// the newest cut that anybody has written.
    fn gap(&mut self) -> Option<Gap> {
        let world = self.log.world();
        let control = world.partition(&format!("{PREFIX}control"), 0)?;
        let cut = control.records.values().rev().find_map(|record| {
            match record.value.as_deref().and_then(Control::decode) {
                Some(Control::Said { body: Body::Cut { ends, .. }, .. }) => ends.last().cloned(),
                _ => None,
            }
        })?;
        let arrived = world.partition(&cut.input, cut.partition as usize)?.next;
        drop(world);
        let from = cut.offset;
        let to = from + self.random.between(0, 4).min(arrived.saturating_sub(from));
        Some(Gap { input: cut.input, partition: cut.partition, from, to })
    }

    pub(crate) fn request(&mut self, ask: Decision) {
        self.requests += 1;
        let value =
            Control::Request { ask, by: format!("somebody {}", self.requests), id: None }.encode();
        self.say(|| format!("REQUEST {}", String::from_utf8_lossy(&value)));
        let record = Outgoing {
            time: self.now,
            key: None,
            value: Some(&value),
            headers: Headers::default(),
        };
        let mut world = self.log.world();
        if let Some(control) = world.find(&format!("{PREFIX}control")) {
            world.append(control, 0, Kept::new(&record));
        }
    }
}
