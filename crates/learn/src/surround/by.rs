//! One small model for each key: a card, a sensor, a shop.
//!
//! - For: learners that are small, and things that are alike in kind and not in number: what is
//!   usual for one sensor is odd for the next. An example is answered and learned by the model of
//!   its key alone; a key that was not seen before is answered by a fresh one.
//! - Bounded: beyond `keys_max` the key goes that was unseen for longest in event time; of several
//!   seen last at one time the one with the least key. A key unseen for `forget_after` goes, too. A
//!   key that is gone begins anew. Time is the greatest event time so far, of any key: a record
//!   that comes late sees its key at that clock.
//! - Cost: `cusum`, `ewma` and `robust_z` are kept as the few words they are, where the key is
//!   found: with one number 64 bytes a key for `cusum`, times 1.3 to 2.7, and 16 to 32. Any other
//!   learner is an object of its own for each key: its memory and some 50 bytes, two more reads of
//!   memory a record, and a copy of a fresh one for each new key.
//! - Not for: learners that need many examples (one of a thousand keys sees a thousandth), large
//!   ones times many keys. Ids are hashed to 64 bits: two ids of one hash are one key, which
//!   happens among a million once in 37 million times.

use crate::{
    ConfigError, Features, Label, Learner, Prediction, Reader, Span, State, StateError, Task,
    Writer,
    keyed::{Keys, Limits},
    learners::Rule,
};

/// A learner for each key, which is the last of [`Features::ids`]; the inner learners do not see
/// it.
pub struct ByKey {
    keys: Keys,
    fresh: Box<dyn Learner>,
    members: Members,
}

/// The models of the keys.
enum Members {
    /// Each is the words at its key's place.
    Words { rule: Box<dyn Rule>, fresh: Box<[u64]> },
    /// Each is an object; the word at its key's place says which.
    Objects { objects: Vec<Option<Box<dyn Learner>>>, free: Vec<u32> },
}

impl ByKey {
    /// One such learner for each key; it must be as it was built.
    ///
    /// # Errors
    /// Names the setting (`keys_max`, `forget_after`) that is out of its range.
    pub fn new(
        inner: Box<dyn Learner>,
        keys_max: u64,
        forget_after: Option<Span>,
    ) -> Result<ByKey, ConfigError> {
        let limits = Limits::new(keys_max, forget_after)?;
        let (members, words) = match inner.rule() {
            Some(rule) => {
                let fresh: Box<[u64]> = vec![0; rule.words()].into();
                let words = fresh.len();
                (Members::Words { rule, fresh }, words)
            }
            None => (Members::Objects { objects: Vec::new(), free: Vec::new() }, 1),
        };
        Ok(ByKey { keys: Keys::new(limits, words), fresh: inner, members })
    }

    /// The object of a key, if it has one.
    fn object(&self, place: usize) -> Option<&dyn Learner> {
        match &self.members {
            Members::Words { .. } => None,
            Members::Objects { objects, .. } => objects[self.keys.at(place)[0] as usize].as_deref(),
        }
    }
}

/// The key of an example, and the example as the model of its key sees it.
fn split<'a>(x: &Features<'a>) -> (u64, Features<'a>) {
    match x.ids.split_last() {
        Some((key, ids)) => (*key, Features { ids, ..*x }),
        None => (0, *x),
    }
}

/// Takes a fresh object in. Returns its number.
fn added(
    objects: &mut Vec<Option<Box<dyn Learner>>>,
    free: &mut Vec<u32>,
    fresh: &dyn Learner,
) -> usize {
    match free.pop() {
        Some(number) => {
            objects[number as usize] = Some(fresh.fork());
            number as usize
        }
        None => {
            objects.push(Some(fresh.fork()));
            objects.len() - 1
        }
    }
}

impl Clone for ByKey {
    fn clone(&self) -> ByKey {
        let members = match &self.members {
            Members::Words { rule, fresh } => {
                Members::Words { rule: rule.fork(), fresh: fresh.clone() }
            }
            Members::Objects { objects, free } => {
                let fork = |object: &Option<Box<dyn Learner>>| object.as_ref().map(|o| o.fork());
                let objects = objects.iter().map(fork).collect();
                Members::Objects { objects, free: free.clone() }
            }
        };
        ByKey { keys: self.keys.clone(), fresh: self.fresh.fork(), members }
    }
}

/// Format 1: the table of keys, each with its model's words or state.
const FORMAT: u16 = 1;

impl State for ByKey {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        self.keys.save(to, |place, to| match self.object(place) {
            Some(object) => object.save(to),
            None => self.keys.at(place).iter().for_each(|word| to.u64(*word)),
        });
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("by", FORMAT)?;
        let ByKey { keys, fresh, members } = self;
        if let Members::Objects { objects, free } = members {
            objects.clear();
            free.clear();
        }
        keys.restore(from, |keys, place, from| match members {
            Members::Words { rule, .. } => {
                for word in keys.at_mut(place) {
                    *word = from.u64()?;
                }
                match rule.is_sound(keys.at(place)) {
                    true => Ok(()),
                    false => Err(StateError::Unfit { what: "by has a model that cannot be" }),
                }
            }
            Members::Objects { objects, free } => {
                let number = added(objects, free, &**fresh);
                keys.at_mut(place)[0] = number as u64;
                objects[number].as_mut().map_or(Ok(()), |object| object.restore(from))
            }
        })
    }

    fn footprint_bytes(&self) -> usize {
        let members = match &self.members {
            Members::Words { rule, fresh } => {
                size_of_val(&**rule) + rule.heap_bytes() + size_of_val(&**fresh)
            }
            Members::Objects { objects, free } => {
                objects.capacity() * size_of::<Option<Box<dyn Learner>>>()
                    + free.capacity() * size_of::<u32>()
                    + objects.iter().flatten().map(|o| o.footprint_bytes()).sum::<usize>()
            }
        };
        size_of::<ByKey>() + self.keys.heap_bytes() + self.fresh.footprint_bytes() + members
    }
}

impl Learner for ByKey {
    fn task(&self) -> Task {
        self.fresh.task()
    }

    fn predict(&self, x: &Features<'_>, out: &mut Prediction) {
        let (key, x) = split(x);
        let place = self.keys.get(key, self.keys.clock_at(x.time));
        match &self.members {
            Members::Words { rule, fresh } => {
                out.clear();
                let known = place.map_or(&**fresh, |place| self.keys.at(place));
                out.value = rule.score(known, &x);
            }
            Members::Objects { .. } => {
                let object = place.and_then(|place| self.object(place));
                object.unwrap_or(&*self.fresh).predict(&x, out);
            }
        }
    }

    fn learn(&mut self, x: &Features<'_>, y: Label<'_>, weight: f64) {
        if weight == 0.0 {
            return;
        }
        let (key, x) = split(x);
        match &mut self.members {
            Members::Words { rule, .. } => {
                let seen = self.keys.see(key, x.time, |_| ());
                rule.learn(self.keys.at_mut(seen.place), &x, weight);
            }
            Members::Objects { objects, free } => {
                let seen = self.keys.see(key, x.time, |words| {
                    objects[words[0] as usize] = None;
                    free.push(words[0] as u32);
                });
                let number = &mut self.keys.at_mut(seen.place)[0];
                if seen.before.is_none() {
                    *number = added(objects, free, &*self.fresh) as u64;
                }
                if let Some(object) = &mut objects[*number as usize] {
                    object.learn(&x, y, weight);
                }
            }
        }
    }

    fn explain(&self, x: &Features<'_>, out: &mut Vec<f64>) -> bool {
        let (key, x) = split(x);
        let place = self.keys.get(key, self.keys.clock_at(x.time));
        let object = place.and_then(|place| self.object(place));
        object.unwrap_or(&*self.fresh).explain(&x, out)
    }

    fn look_ahead(&self, keys: &[u64]) {
        self.keys.look_ahead(keys.iter().copied());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LabelShape, Shape, learners::LearnerConfig};

    fn around(name: &str, label: LabelShape, keys_max: u64) -> ByKey {
        let shape = Shape::numbers(1, label);
        let inner = LearnerConfig::by_name(name).unwrap().build(&shape).unwrap();
        ByKey::new(inner, keys_max, Some(Span(1000))).unwrap()
    }

    fn next(learner: &mut ByKey, key: u64, time: i64, value: f64) -> f64 {
        let x = Features { dense: &[value], ids: &[key], time, ..Features::default() };
        let mut out = Prediction::default();
        learner.predict(&x, &mut out);
        learner.learn(&x, Label::Number(value), 1.0);
        out.value
    }

    #[test]
    fn each_key_has_a_model_of_its_own() {
        let mut learner = around("mean", LabelShape::Number, 2);
        assert_eq!([next(&mut learner, 1, 0, 4.0), next(&mut learner, 2, 1, 10.0)], [0.0, 0.0]);
        assert_eq!([next(&mut learner, 1, 2, 6.0), next(&mut learner, 2, 3, 10.0)], [4.0, 10.0]);
        // A third key takes the place of the first, which begins anew.
        assert_eq!([next(&mut learner, 3, 4, 7.0), next(&mut learner, 1, 5, 5.0)], [0.0, 0.0]);
        // And all do after a second.
        assert_eq!(next(&mut learner, 3, 1004, 7.0), 0.0);
        let Members::Objects { objects, .. } = &learner.members else { panic!("objects") };
        assert_eq!(objects.len(), 2, "what one key leaves the next takes");
    }

    /// The words of a key are what the learner alone would know.
    #[test]
    fn a_key_answers_as_the_learner_alone() {
        for name in ["cusum", "ewma", "robust_z"] {
            let shape = Shape::numbers(1, LabelShape::None);
            let build = || LearnerConfig::by_name(name).unwrap().build(&shape).unwrap();
            let mut learner = ByKey::new(build(), 9, None).unwrap();
            let mut alone = [build(), build(), build()];
            for record in 0..2000u64 {
                let key = crate::math::random_bits(1, record) % 3;
                let jump = if record > 1000 && key == 1 { 3.0 } else { 0.0 };
                let value = crate::math::random_unit(2, record) + jump + key as f64;
                let score = next(&mut learner, key, record as i64, value);
                let x = Features { dense: &[value], ..Features::default() };
                let mut out = Prediction::default();
                alone[key as usize].predict(&x, &mut out);
                alone[key as usize].learn(&x, Label::None, 1.0);
                assert_eq!(score.to_bits(), out.value.to_bits());
            }
        }
    }
}
