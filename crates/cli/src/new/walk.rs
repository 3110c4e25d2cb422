//! One JSON object, walked in the order of its keys, without keeping it.

use std::fmt::{self, Write};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::survey::Cell;

/// Objects that lie deeper than this in one another are not looked into.
const DEPTH_MAX: usize = 8;

/// Calls `each` with the path, the value and the text of everything that is no object. False: it is
/// no JSON object; what was met before that was noticed has been given to `each`.
pub(super) fn object(text: &str, mut each: impl FnMut(&str, Cell<'_>, &str)) -> bool {
    let mut path = String::new();
    let walk = Walk { path: &mut path, depth: 0, each: &mut each };
    let mut from = serde_json::Deserializer::from_str(text);
    walk.deserialize(&mut from).is_ok() && from.end().is_ok() && text.trim_start().starts_with('{')
}

struct Walk<'a, F> {
    path: &'a mut String,
    depth: usize,
    each: &'a mut F,
}

impl<F: FnMut(&str, Cell<'_>, &str)> Walk<'_, F> {
    fn found(self, cell: Cell<'_>, text: &str) {
        if self.depth > 0 {
            (self.each)(self.path, cell, text);
        }
    }

    fn number(self, value: f64, text: impl fmt::Display) {
        let mut written = String::new();
        // Writing to a text cannot fail.
        write!(written, "{text}").unwrap_or_default();
        self.found(Cell::Number(value), &written);
    }
}

impl<'de, F: FnMut(&str, Cell<'_>, &str)> DeserializeSeed<'de> for Walk<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de, F: FnMut(&str, Cell<'_>, &str)> Visitor<'de> for Walk<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.found(Cell::Missing, "");
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.found(Cell::Flag(value), if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.number(value as f64, value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.number(value as f64, value);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.number(value, value);
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.found(Cell::Text(value), value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<(), A::Error> {
        let (mut length, mut are_numbers) = (0, true);
        while let Some(is_number) = from.next_element::<IsNumber>()? {
            length += 1;
            are_numbers &= is_number.0;
        }
        let cell = if are_numbers && length > 0 { Cell::Numbers(length) } else { Cell::Other };
        self.found(cell, "");
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<(), A::Error> {
        if self.depth >= DEPTH_MAX {
            while from.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            self.found(Cell::Other, "");
            return Ok(());
        }
        let length = self.path.len();
        while let Some(key) = from.next_key::<String>()? {
            if length > 0 {
                self.path.push('.');
            }
            match key.is_empty() || key.contains(['.', '[', ']', '`']) {
                true => self.path.extend(["`", &key, "`"]),
                false => self.path.push_str(&key),
            }
            let walk = Walk { path: &mut *self.path, depth: self.depth + 1, each: &mut *self.each };
            from.next_value_seed(walk)?;
            self.path.truncate(length);
        }
        Ok(())
    }
}

/// Whether an element of an array is a number.
struct IsNumber(bool);

impl<'de> serde::Deserialize<'de> for IsNumber {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<IsNumber, D::Error> {
        let mut is_number = false;
        let mut each =
            |_: &str, cell: Cell<'_>, _: &str| is_number = matches!(cell, Cell::Number(_));
        let mut path = String::new();
        // So deep that an object in the array is not looked into.
        let walk = Walk { path: &mut path, depth: DEPTH_MAX, each: &mut each };
        walk.deserialize(from)?;
        Ok(IsNumber(is_number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> (bool, String) {
        let mut all = String::new();
        let is_object = object(text, |path, cell, text| {
            write!(all, "{path} {cell:?} {text}; ").unwrap();
        });
        (is_object, all)
    }

    #[test]
    fn objects_are_walked_in_the_order_of_their_keys() {
        let (is_object, all) =
            found(r#"{"z":1,"a":{"b":"x","c.d":null},"e":[1,2],"f":[1,{"g":2}]}"#);
        assert!(is_object);
        let expected =
            r#"z Number(1.0) 1; a.b Text("x") x; a.`c.d` Missing ; e Numbers(2) ; f Other ; "#;
        assert_eq!(all, expected);
        for wrong in ["1", "[1]", "{", "{\"a\":1} x", "null", ""] {
            assert!(!found(wrong).0, "{wrong}");
        }
        assert!(found(r#"{"a":[]}"#).1.contains("a Other"));
        assert!(found(r#"{"a":{}}"#).1.is_empty());
    }
}
