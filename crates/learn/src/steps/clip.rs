//! Holds numbers between two bounds that are given, or near the median of those before.
//!
//! - Makes: `step.field`, a number for each number read: the number, or the bound it lies beyond.
//! - `hampel`: a number further from the median of the newest so many before it than `deviations`
//!   deviations becomes the number just so far. A deviation is 1.4826 times the median distance to
//!   the median, which is the standard deviation of numbers that are normal; up to half of the
//!   numbers may be wild. The numbers enter as they came, so a new level that lasts is followed
//!   after half a window. Nothing is held before there are three numbers, nor while more than half
//!   of them are equal, as there is no deviation then.
//! - `by` a key: the numbers before are those of the same key; a key that was not seen before, or
//!   is forgotten, begins anew. Keys are bounded by `keys_max` and forgotten in the order of event
//!   time, of several seen last at one time the least key first. Time is the greatest event time so
//!   far, of any key.
//! - Cost: constant time and no state for `min` and `max`. With `hampel` time grows with the
//!   window, about a microsecond for 50 records; memory 8 bytes a number and record of the window,
//!   for each key and times 1.3 to 2.7 where there are keys.
//! - Not for: bounds that are not known beforehand and should follow all values (see `min_max`).
//! - Paper: for `hampel` R. K. Pearson, "Outliers in Process Modeling and Identification", IEEE
//!   Transactions on Control Systems Technology 10 (1), 2002, pages 55-63.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    by_key::ByKey,
    shared::{Each, finite},
};
use crate::{
    Ahead, ConfigError, FeatureStep, Over, Reader, Row, Scope, Span, State, StateError,
    StepComponent, Writer, check_number,
    robust::{NORMAL, median_and_deviation},
};

/// Settings of [`Clip`]. At least one of `min`, `max` and `hampel` has to be given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The numbers to hold: fields, steps or `step.field`. At least one. Default: none, so it has
    /// to be given.
    pub of: Vec<String>,
    /// The least that comes out, in the unit of the numbers. Range: any number not above `max`.
    /// Default: no lower bound. Raise it to cut more of the low values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The most that comes out, in the unit of the numbers. Range: any number not below `min`.
    /// Default: no upper bound. Raise it to cut fewer of the high values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Holds a number near the median of those before it: `hampel = { over = "50 records" }`.
    /// Default: left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hampel: Option<Hampel>,
    /// The name of an id or a category: the window of `hampel` for each of its values. Default:
    /// left out, for one over all records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The most keys; beyond it the one unseen for longest goes. Range: 1 to 100,000,000. Default:
    /// 1,000,000. Raise it for more keys, at the memory that each of them takes.
    pub keys_max: u64,
    /// After how much event time an unseen key is forgotten. Range: 1 ms and more. Default: left
    /// out: never. Without effect without `by`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forget_after: Option<Span>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            of: Vec::new(),
            min: None,
            max: None,
            hampel: None,
            by: None,
            keys_max: 1_000_000,
            forget_after: None,
        }
    }
}

/// Settings of `hampel`. A bare string is `over`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "over"))]
pub struct Hampel {
    /// Of how many records before. Range: 3 to 1000 records. Default: `"50 records"`. Raise it for
    /// steadier bounds, which follow a new level later.
    pub over: Over,
    /// How many deviations from the median a number may lie. Range: above 0. Default: 3. Raise it
    /// to hold fewer numbers.
    pub deviations: f64,
}

impl Default for Hampel {
    fn default() -> Hampel {
        Hampel { over: Over::Records(50), deviations: 3.0 }
    }
}

/// The most records of a window.
const RECORDS_MAX: u64 = 1000;

/// The step. Invariant: `min` is at most `max`.
#[derive(Clone, Debug)]
pub struct Clip {
    each: Each,
    min: f64,
    max: f64,
    near: Option<Near>,
}

/// The numbers before: of each key how many records it had, then the newest of each number.
#[derive(Clone, Debug)]
struct Near {
    records: usize,
    deviations: f64,
    keyed: ByKey,
}

impl Near {
    /// How many of so many records are in the window.
    fn held(&self, had: u64) -> usize {
        had.min(self.records as u64) as usize
    }

    /// The bounds that the numbers before set.
    fn bounds(&self, before: &[u64]) -> Option<(f64, f64)> {
        let mut values = [0.0; RECORDS_MAX as usize];
        let values = &mut values[..before.len()];
        for (value, word) in values.iter_mut().zip(before) {
            *value = f64::from_bits(*word);
        }
        if values.len() < 3 {
            return None;
        }
        let (median, deviation) = median_and_deviation(values)?;
        let far = self.deviations * (NORMAL * deviation);
        let is_bound = deviation > 0.0 && far.is_finite();
        is_bound.then(|| (finite(median - far), finite(median + far)))
    }
}

impl StepComponent for Clip {
    const NAME: &'static str = "clip";
    type Config = Config;

    fn reads(config: &Config) -> Vec<String> {
        config.of.iter().chain(&config.by).cloned().collect()
    }

    fn new(config: Config, scope: &mut Scope<'_>) -> Result<Clip, ConfigError> {
        let Config { of, min, max, hampel, by, keys_max, forget_after } = config;
        if min.is_none() && max.is_none() && hampel.is_none() {
            return Err(ConfigError::new("min", "", "clip needs `min`, `max` or `hampel`"));
        }
        let min = check_number("min", min.unwrap_or(-f64::MAX), "a finite number", |_| true)?;
        let must_be = format!("a finite number, not below `min`, which is {min}");
        let max = check_number("max", max.unwrap_or(f64::MAX), &must_be, |max| min <= max)?;
        let each = Each::new(scope, &of)?;
        let near = match hampel {
            Some(Hampel { over, deviations }) => {
                let Over::Records(records @ 3..=RECORDS_MAX) = over else {
                    return Err(ConfigError::new("hampel.over", over, "from 3 to 1000 records"));
                };
                check_number("hampel.deviations", deviations, "above 0", |count| count > 0.0)?;
                let records = records as usize;
                let words = 1 + each.len() * records;
                let keyed = ByKey::new(scope, by.as_ref(), keys_max, forget_after, words)?;
                Some(Near { records, deviations, keyed })
            }
            None if by.is_some() => {
                return Err(ConfigError::new("by", "a key", "left out: only `hampel` has keys"));
            }
            None => None,
        };
        Ok(Clip { each, min, max, near })
    }
}

/// Format 1: nothing. Format 2, with `hampel`: for each key how many records it had, and the newest
/// of each number.
const FORMAT: u16 = 1;
const FORMAT_NEAR: u16 = 2;

impl State for Clip {
    fn save(&self, to: &mut Writer) {
        match &self.near {
            None => to.u16(FORMAT),
            Some(near) => {
                to.u16(FORMAT_NEAR);
                near.keyed.save(to);
            }
        }
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        let is_near = from.format("clip", FORMAT_NEAR)? == FORMAT_NEAR;
        match &mut self.near {
            Some(Near { records, keyed, .. }) if is_near => keyed.restore(from, |words| {
                let had = words[0];
                // What it had not yet is 0.
                let is_right = |(place, word): (u64, &u64)| match place < had {
                    true => f64::from_bits(*word).is_finite(),
                    false => *word == 0,
                };
                let columns = words[1..].chunks_exact(*records);
                had > 0 && columns.flat_map(|values| (0..).zip(values)).all(is_right)
            }),
            None if !is_near => Ok(()),
            _ => Err(StateError::Unfit { what: "clip is with hampel, or without" }),
        }
    }

    fn footprint_bytes(&self) -> usize {
        let near = self.near.as_ref().map_or(0, |near| near.keyed.heap_bytes());
        size_of::<Clip>() + self.each.heap_bytes() + near
    }
}

impl FeatureStep for Clip {
    fn apply(&self, row: &mut Row<'_>) {
        let before = self.near.as_ref().and_then(|near| Some((near, near.keyed.get(row)?)));
        for (index, (from, to)) in self.each.slots().enumerate() {
            let mut value = row.values[from];
            if let Some((near, words)) = before {
                let start = 1 + index * near.records;
                let values = &words[start..start + near.held(words[0])];
                if let Some((least, most)) = near.bounds(values) {
                    value = value.clamp(least, most);
                }
            }
            row.values[to] = value.clamp(self.min, self.max);
        }
    }

    fn observe(&mut self, row: &Row<'_>) {
        let Some(Near { records, keyed, .. }) = &mut self.near else { return };
        let words = keyed.see(row);
        let place = (words[0] % *records as u64) as usize;
        words[0] = words[0].saturating_add(1);
        for (index, from) in self.each.from().enumerate() {
            words[1 + index * *records + place] = row.values[from].to_bits();
        }
    }

    fn look_ahead(&self, next: Ahead<'_>) {
        if let Some(near) = &self.near {
            near.keyed.look_ahead(next);
        }
    }

    fn fork(&self) -> Box<dyn FeatureStep> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::shared::tests::*;
    use super::*;

    fn clip(min: Option<f64>, max: Option<f64>) -> Result<Clip, ConfigError> {
        build(Config { of: of(&["x"]), min, max, ..Config::default() }, &mut numbers(&["x"]))
    }

    #[test]
    fn what_lies_beyond_a_bound_becomes_the_bound() {
        let mut both = clip(Some(-1.0), Some(2.0)).unwrap();
        assert_eq!(next(&mut both, &[-1.5], 1, 0), [-1.0]);
        assert_eq!(next(&mut both, &[0.5], 1, 0), [0.5]);
        assert_eq!(next(&mut both, &[f64::MAX], 1, 0), [2.0]);
        let mut upper = clip(None, Some(2.0)).unwrap();
        assert_eq!(next(&mut upper, &[-f64::MAX], 1, 0), [-f64::MAX]);
    }

    #[test]
    fn bounds_are_needed_and_in_order() {
        assert_eq!(clip(None, None).unwrap_err().field, "min");
        assert_eq!(clip(Some(2.0), Some(1.0)).unwrap_err().field, "max");
        assert!(clip(Some(1.0), Some(1.0)).is_ok());
    }

    /// 1 to 5: median 3, deviation 1.4826, so with two of them the bounds are 0.0348 and 5.9652.
    #[test]
    fn a_wild_number_becomes_the_furthest_that_is_near() {
        let hampel = Hampel { over: Over::Records(5), deviations: 2.0 };
        let config = Config { of: of(&["x"]), hampel: Some(hampel), ..Config::default() };
        let mut step: Clip = build(config, &mut numbers(&["x"])).unwrap();
        for value in [1.0, 5.0] {
            assert_eq!(next(&mut step, &[value], 1, 0), [value]);
        }
        for value in [3.0, 2.0, 4.0] {
            assert_eq!(next(&mut step, &[value], 1, 0), [value]);
        }
        let held = next(&mut step, &[1e300], 1, 0)[0];
        assert!((held - (3.0 + 2.0 * NORMAL)).abs() < 1e-12, "{held}");
        // 5, 3, 2, 4 and the wild one as it came: median 4, and a deviation of one again.
        let held = next(&mut step, &[-1e300], 1, 0)[0];
        assert!((held - (4.0 - 2.0 * NORMAL)).abs() < 1e-12, "{held}");
        // Half of them at one new level: it is followed.
        for _ in 0..3 {
            next(&mut step, &[70.0], 1, 0);
        }
        assert_eq!(next(&mut step, &[71.0], 1, 0), [71.0]);
    }

    #[test]
    fn each_key_has_numbers_before_of_its_own() {
        let mut layout = numbers(&["x"]);
        layout.add_dense("kind", "kind".into(), crate::SlotKind::Nominal { values: 3 });
        let hampel = Some(Hampel { over: Over::Records(3), deviations: 1.0 });
        let by = Some("kind".to_string());
        let config = Config { of: of(&["x"]), hampel, by, ..Config::default() };
        let mut step: Clip = build(config, &mut layout).unwrap();
        for x in [1.0, 2.0, 3.0] {
            next(&mut step, &[x, 0.0], 1, 0);
            next(&mut step, &[x + 100.0, 1.0], 1, 0);
        }
        assert_eq!(next(&mut step, &[50.0, 0.0], 1, 0), [2.0 + NORMAL]);
        assert_eq!(next(&mut step, &[50.0, 1.0], 1, 0), [102.0 - NORMAL]);
        assert_eq!(next(&mut step, &[50.0, 2.0], 1, 0), [50.0]);
    }
}
