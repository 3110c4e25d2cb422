//! Names and their codes, in the order of first sight.

use std::collections::BTreeMap;

use alluvium_learn::{Reader, State, StateError, Writer};

/// Names with codes from 0 on. Bounded. Invariant: `codes` holds each name of `names` with its
/// index.
#[derive(Clone, Debug)]
pub(super) struct Dictionary {
    names: Vec<Box<str>>,
    codes: BTreeMap<Box<str>, u32>,
    names_max: u32,
    listed: bool,
}

impl Dictionary {
    /// A dictionary of listed names, which never grows; or an open one, of at most so many.
    pub(super) fn new(listed: &[String], names_max: u32) -> Dictionary {
        let names_max = if listed.is_empty() { names_max } else { listed.len() as u32 };
        let (names, codes) = (Vec::new(), BTreeMap::new());
        let mut dictionary = Dictionary { names, codes, names_max, listed: !listed.is_empty() };
        for name in listed {
            dictionary.add(name);
        }
        dictionary
    }

    /// The code of a name, if it has one.
    pub(super) fn code(&self, name: &str) -> Option<u32> {
        self.codes.get(name).copied()
    }

    /// The name of a code.
    pub(super) fn name(&self, code: u32) -> Option<&str> {
        self.names.get(code as usize).map(|name| &**name)
    }

    /// Gives a name a code, if it has none and there is room.
    pub(super) fn learn(&mut self, name: &str) -> Option<u32> {
        match self.code(name) {
            None if !self.listed => self.add(name),
            code => code,
        }
    }

    fn add(&mut self, name: &str) -> Option<u32> {
        let code = self.names.len() as u32;
        if code >= self.names_max || self.codes.contains_key(name) {
            return None;
        }
        self.names.push(name.into());
        self.codes.insert(name.into(), code);
        Some(code)
    }

    /// Whether one more name would get a code.
    pub(super) fn has_room(&self) -> bool {
        !self.listed && (self.names.len() as u32) < self.names_max
    }

    /// Whether there are two names, and never will be more.
    pub(super) fn is_two(&self) -> bool {
        self.names_max == 2
    }

    /// Every name, by code.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }
}

/// Format 1: the names in the order of their codes.
const FORMAT: u16 = 1;

impl State for Dictionary {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        to.len(self.names.len());
        self.names.iter().for_each(|name| to.str(name));
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("a dictionary", FORMAT)?;
        let count = from.len(8)?;
        let mut names = Vec::new();
        for _ in 0..count {
            names.push(from.str()?);
        }
        let fits = if self.listed {
            self.names().eq(names.iter().copied())
        } else {
            names.len() <= self.names_max as usize
        };
        if !fits {
            return Err(StateError::Unfit { what: "a dictionary has other names than are listed" });
        }
        for name in names {
            self.learn(name);
        }
        if self.names.len() != count {
            return Err(StateError::Unfit { what: "a name stands twice in a dictionary" });
        }
        Ok(())
    }

    fn footprint_bytes(&self) -> usize {
        let texts: usize = self.names.iter().map(|name| name.len()).sum();
        size_of::<Dictionary>() + 2 * texts + self.names.len() * 64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_in_the_order_of_first_sight_and_end() {
        let mut open = Dictionary::new(&[], 2);
        assert_eq!(open.learn("b"), Some(0));
        assert_eq!(open.learn("a"), Some(1));
        assert_eq!(open.learn("b"), Some(0));
        assert_eq!(open.learn("c"), None);
        assert!(!open.has_room());
        let mut listed = Dictionary::new(&["x".into(), "y".into()], 100);
        assert_eq!((listed.code("y"), listed.learn("z")), (Some(1), None));
    }

    #[test]
    fn a_dictionary_comes_back_as_it_was() {
        let mut open = Dictionary::new(&[], 10);
        open.learn("ä");
        open.learn("");
        let mut to = Writer::new();
        open.save(&mut to);
        let mut back = Dictionary::new(&[], 10);
        back.restore(&mut Reader::new(to.bytes())).unwrap();
        assert!(back.names().eq(open.names()));
        assert!(Dictionary::new(&[], 1).restore(&mut Reader::new(to.bytes())).is_err());
    }
}
