//! Several columns as one: each combination of their values is a feature of its own.
//!
//! - Makes: `step`, a block of `1 << bits` slots. A record gives one pair: the slot is a hash of
//!   the columns' names and of all their values, in the order of `of`, and the value 1 or -1 by
//!   another bit of the hash, so that what falls into one slot cancels out on average.
//! - For linear models, which weigh a shop and an hour but not this shop at this hour. Categories
//!   count by their codes, so all values beyond `values_max` are one; identities by their hash;
//!   texts as a whole.
//! - Cost: one hash for each column and record; no state. What it costs a learner is `bits`.
//! - Not for: trees, which find combinations themselves; features that have to be explained, since
//!   a slot has no name; numbers, which hardly ever have the same value twice.
//! - Paper: K. Weinberger, A. Dasgupta, J. Langford, A. Smola, J. Attenberg, "Feature Hashing for
//!   Large Scale Multitask Learning", ICML 2009, section 2.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::Value;
use crate::{
    ConfigError, FeatureStep, Pair, Reader, Row, Scope, State, StateError, StepComponent, Writer,
    check_count, math,
};

/// Settings of [`Cross`]. A bare list is `of`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "of"))]
pub struct Config {
    /// The columns to cross: categories, identities and texts, as fields, steps or `step.field`.
    /// Range: 2 to 16 columns. Default: none, so it has to be given.
    pub of: Vec<String>,
    /// Base-2 logarithm of the number of slots. Range: 4 to 28. Default: 20, which is 1,048,576.
    /// Raise it so that fewer combinations share a slot; each step up doubles what a linear model
    /// takes.
    pub bits: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config { of: Vec::new(), bits: 20 }
    }
}

/// The step.
#[derive(Clone, Debug)]
pub struct Cross {
    columns: Box<[Value]>,
    /// A hash of the columns' names.
    seed: u64,
    bits: u32,
    block: usize,
}

impl StepComponent for Cross {
    const NAME: &'static str = "cross";
    type Config = Config;

    fn reads(config: &Config) -> Vec<String> {
        config.of.clone()
    }

    fn new(config: Config, scope: &mut Scope<'_>) -> Result<Cross, ConfigError> {
        let bits = check_count("bits", config.bits.into(), 4, 28)? as u32;
        let found = scope.columns("of", &config.of)?;
        if !(2..=16).contains(&found.len()) {
            return Err(ConfigError::new("of", found.len(), "from 2 to 16 columns"));
        }
        let (mut columns, mut seed) = (Vec::with_capacity(found.len()), 0);
        for column in &found {
            let must_be = "the name of a category, an id or a text";
            match Value::new(column, "of", must_be)? {
                Value::Number(_) => return Err(ConfigError::new("of", &column.name, must_be)),
                value => columns.push(value),
            }
            seed = math::hash64(column.name.as_bytes(), seed);
        }
        Ok(Cross { columns: columns.into(), seed, bits, block: scope.block(1 << bits) })
    }
}

/// Format 1: nothing.
const FORMAT: u16 = 1;

impl State for Cross {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("cross", FORMAT).map(|_| ())
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<Cross>() + size_of_val(&*self.columns)
    }
}

impl FeatureStep for Cross {
    fn apply(&self, row: &mut Row<'_>) {
        let hash = self
            .columns
            .iter()
            .fold(self.seed, |hash, column| math::hash64(&column.hash(row).to_le_bytes(), hash));
        // The slot takes the highest bits, the sign the lowest one.
        let slot = (hash >> (64 - self.bits)) as u32;
        let value = if hash & 1 == 0 { 1.0 } else { -1.0 };
        let pairs = &mut row.blocks[self.block];
        pairs.clear();
        pairs.push(Pair { slot, field: 0, value });
    }

    fn observe(&mut self, _: &Row<'_>) {}

    fn fork(&self) -> Box<dyn FeatureStep> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::shared::tests::*;
    use super::*;
    use crate::{Layout, SlotKind, Texts};

    fn pair(names: &[&str], shop: u64, hour: f64) -> Pair {
        let mut layout = Layout::default();
        layout.add_dense("hour", "hour".into(), SlotKind::Nominal { values: 25 });
        layout.add_id("shop");
        let step: Cross = build(Config { of: of(names), bits: 20 }, &mut layout).unwrap();
        let mut blocks = [vec![Pair { slot: 1, field: 9, value: 9.0 }]];
        let (values, texts) = (&mut [hour][..], Texts::default());
        step.apply(&mut Row { values, blocks: &mut blocks, ids: &[shop], texts, time: 0 });
        let [pair] = blocks[0][..] else { panic!("one pair a record: {blocks:?}") };
        pair
    }

    #[test]
    fn each_combination_has_a_slot_of_its_own() {
        let both = |shop, hour| pair(&["shop", "hour"], shop, f64::from(hour));
        let mut slots: Vec<u32> =
            (0..20).flat_map(|shop| (0..24).map(move |hour| both(shop, hour).slot)).collect();
        assert_eq!(both(3, 4), both(3, 4));
        slots.sort_unstable();
        slots.dedup();
        // Of 480 in a million slots: a tenth of a pair in one is expected.
        assert!(slots.len() >= 479, "{} of 480", slots.len());
        assert_ne!(both(3, 4), pair(&["hour", "shop"], 3, 4.0), "the order of names counts");
    }

    #[test]
    fn it_takes_at_least_two_columns_and_no_numbers() {
        let refused = |names: &[&str]| {
            let mut layout = numbers(&["x", "y"]);
            layout.add_id("shop");
            build::<Cross>(Config { of: of(names), bits: 4 }, &mut layout).unwrap_err().field
        };
        assert_eq!(refused(&["shop"]), "of");
        assert_eq!(refused(&["shop", "x"]), "of");
    }
}
