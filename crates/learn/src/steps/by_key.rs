//! What a step knows of each key: so many words of 8 bytes.

use super::shared::Key;
use crate::{
    Ahead, ConfigError, Reader, Row, Scope, Span, StateError, Writer,
    keyed::{Keys, Limits},
};

/// Words for each key of a step; for all records, where the step has no key.
#[derive(Clone, Debug)]
pub(super) struct ByKey {
    key: Option<Key>,
    keys: Keys,
}

impl ByKey {
    /// Checks the settings `by`, `keys_max` and `forget_after`.
    pub(super) fn new(
        scope: &Scope<'_>,
        by: Option<&String>,
        keys_max: u64,
        forget_after: Option<Span>,
        words: usize,
    ) -> Result<ByKey, ConfigError> {
        let limits = Limits::new(keys_max, forget_after)?;
        let key = by.map(|by| Key::find(scope, by)).transpose()?;
        let limits = if key.is_some() { limits } else { Limits::one() };
        Ok(ByKey { key, keys: Keys::new(limits, words) })
    }

    fn key(&self, row: &Row<'_>) -> u64 {
        self.key.map_or(0, |key| key.read(row))
    }

    /// What is known of a row's key.
    #[inline]
    pub(super) fn get(&self, row: &Row<'_>) -> Option<&[u64]> {
        let place = self.keys.get(self.key(row), self.keys.clock_at(row.time))?;
        Some(self.keys.at(place))
    }

    /// Sees a row's key. Its words are 0 if it was not known.
    #[inline]
    pub(super) fn see(&mut self, row: &Row<'_>) -> &mut [u64] {
        let seen = self.keys.see(self.key(row), row.time, |_| ());
        self.keys.at_mut(seen.place)
    }

    pub(super) fn look_ahead(&self, next: Ahead<'_>) {
        if let Some(keys) = self.key.and_then(|key| key.ahead(next)) {
            self.keys.look_ahead(keys);
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.keys.heap_bytes()
    }

    pub(super) fn save(&self, to: &mut Writer) {
        self.keys.save(to, |place, to| {
            self.keys.at(place).iter().for_each(|word| to.u64(*word));
        });
    }

    /// Reads what was saved; `is_right` looks at the words of each key.
    pub(super) fn restore(
        &mut self,
        from: &mut Reader<'_>,
        is_right: impl Fn(&[u64]) -> bool,
    ) -> Result<(), StateError> {
        self.keys.restore(from, |keys, place, from| {
            for word in keys.at_mut(place) {
                *word = from.u64()?;
            }
            match is_right(keys.at(place)) {
                true => Ok(()),
                false => Err(StateError::Unfit { what: "what is known of a key cannot be" }),
            }
        })
    }
}
