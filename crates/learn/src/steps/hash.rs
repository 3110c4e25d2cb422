//! Features by hashing: a fixed number of slots for categories, identities and texts of any number
//! of values.
//!
//! - Makes: `step`, a block of `1 << bits` slots. Each column gives one pair: for an identity or a
//!   text (as a whole) the slot is a hash of the column's name and the value, for a category of the
//!   name and the value's code (so all values beyond `values_max` are one), and the pair's value is
//!   1; for a number the slot is a hash of the name, and the value the number, at most 3.4e38.
//!   Another bit of the hash gives the sign, so that what falls into one slot cancels out on
//!   average. Equal slots are summed; zeros are left out. The slot hangs on the name and not on the
//!   place in the list, so that moving a name changes nothing.
//! - Cost: one hash for each column and record; no state. What it costs a learner is `bits`.
//! - Not for: features that have to be explained, since a slot has no name.
//! - Paper: K. Weinberger, A. Dasgupta, J. Langford, A. Smola, J. Attenberg, "Feature Hashing for
//!   Large Scale Multitask Learning", ICML 2009, section 2.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::Value;
use crate::{
    Column, ConfigError, FeatureStep, Pair, Reader, Row, Scope, State, StateError, StepComponent,
    Writer, check_count, math,
};

/// Settings of [`struct@Hash`]. A bare list is `of`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "of"))]
pub struct Config {
    /// The columns to hash: categories, flags, identities, texts and numbers, as fields, steps or
    /// `step.field`. Range: 1 to 65,536 columns. Default: none, so it has to be given.
    pub of: Vec<String>,
    /// Base-2 logarithm of the number of slots. Range: 4 to 28. Default: 20, which is 1,048,576.
    /// Raise it so that fewer values share a slot; each step up doubles what a linear model takes.
    pub bits: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config { of: Vec::new(), bits: 20 }
    }
}

/// The step.
#[derive(Clone, Debug)]
pub struct Hash {
    inputs: Box<[Input]>,
    bits: u32,
    block: usize,
}

/// One column.
#[derive(Clone, Debug)]
struct Input {
    value: Value,
    /// A hash of the column's name.
    seed: u64,
}

impl Input {
    fn new(column: &Column) -> Result<Input, ConfigError> {
        let must_be = "the name of a category, an id, a text or a number";
        let value = Value::new(column, "of", must_be)?;
        Ok(Input { value, seed: math::hash64(column.name.as_bytes(), 0) })
    }

    /// The hash of what the record has in this column, and its value before the sign.
    fn read(&self, row: &Row<'_>) -> (u64, f32) {
        match self.value {
            Value::Number(slot) => (self.seed, narrow(row.values[slot])),
            Value::Code(slot) => {
                let code = row.values[slot] as u64;
                (math::hash64(&code.to_le_bytes(), self.seed), 1.0)
            }
            Value::Id(index) => (math::hash64(&row.ids[index].to_le_bytes(), self.seed), 1.0),
            Value::Text(index) => (math::hash64(row.texts.get(index), self.seed), 1.0),
        }
    }
}

/// The nearest number of half the width; the largest there is where that would be infinite.
fn narrow(value: f64) -> f32 {
    value.clamp(f64::from(-f32::MAX), f64::from(f32::MAX)) as f32
}

impl StepComponent for Hash {
    const NAME: &'static str = "hash";
    type Config = Config;

    fn reads(config: &Config) -> Vec<String> {
        config.of.clone()
    }

    fn new(config: Config, scope: &mut Scope<'_>) -> Result<Hash, ConfigError> {
        let bits = check_count("bits", config.bits.into(), 4, 28)? as u32;
        let columns = scope.columns("of", &config.of)?;
        if columns.len() > usize::from(u16::MAX) + 1 {
            return Err(ConfigError::new("of", columns.len(), "at most 65536 columns"));
        }
        let inputs = columns.iter().map(Input::new).collect::<Result<_, _>>()?;
        Ok(Hash { inputs, bits, block: scope.block(1 << bits) })
    }
}

/// Format 1: nothing.
const FORMAT: u16 = 1;

impl State for Hash {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("hash", FORMAT).map(|_| ())
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<Hash>() + size_of_val(&*self.inputs)
    }
}

impl FeatureStep for Hash {
    fn apply(&self, row: &mut Row<'_>) {
        // The block leaves the row while the rest of the row is read; it keeps its room.
        let mut pairs = std::mem::take(&mut row.blocks[self.block]);
        pairs.clear();
        for (index, input) in self.inputs.iter().enumerate() {
            let (hash, value) = input.read(row);
            // The slot takes the highest bits, the sign the lowest one.
            let value = if hash & 1 == 0 { value } else { -value };
            pairs.push(Pair {
                slot: (hash >> (64 - self.bits)) as u32,
                field: index as u16,
                value,
            });
        }
        // No two pairs are equal in both, so the order of a sum is laid down.
        pairs.sort_unstable_by_key(|pair| (pair.slot, pair.field));
        pairs.dedup_by(|next, kept| {
            let same = next.slot == kept.slot;
            if same {
                kept.value = narrow(f64::from(kept.value) + f64::from(next.value));
            }
            same
        });
        pairs.retain(|pair| pair.value != 0.0);
        row.blocks[self.block] = pairs;
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

    fn layout() -> Layout {
        let mut layout = Layout::default();
        layout.add_dense("country", "country".into(), SlotKind::Nominal { values: 300 });
        layout.add_dense("amount", "amount".into(), SlotKind::Number);
        layout.add_id("merchant");
        layout.add_text("note");
        layout
    }

    fn pairs(names: &[&str], bits: u32, values: [f64; 2]) -> Vec<Pair> {
        let step: Hash = build(Config { of: of(names), bits }, &mut layout()).unwrap();
        let mut blocks = [vec![Pair { slot: 1, field: 9, value: 9.0 }]];
        let texts = Texts { spans: &[(1, 3)], bytes: b"xhi" };
        let mut values = values;
        step.apply(&mut Row {
            values: &mut values,
            blocks: &mut blocks,
            ids: &[42],
            texts,
            time: 0,
        });
        blocks[0].clone()
    }

    fn slot_and_sign(hash: u64, bits: u32) -> (u32, f32) {
        ((hash >> (64 - bits)) as u32, if hash & 1 == 0 { 1.0 } else { -1.0 })
    }

    #[test]
    fn each_kind_is_hashed_with_its_name() {
        let seed = |name: &str| math::hash64(name.as_bytes(), 0);
        let expected = [
            ("country", math::hash64(&7u64.to_le_bytes(), seed("country")), 1.0),
            ("amount", seed("amount"), 2.5),
            ("merchant", math::hash64(&42u64.to_le_bytes(), seed("merchant")), 1.0),
            ("note", math::hash64(b"hi", seed("note")), 1.0),
        ];
        for (name, hash, value) in expected {
            let (slot, sign) = slot_and_sign(hash, 20);
            let pair = Pair { slot, field: 0, value: sign * value };
            assert_eq!(pairs(&[name], 20, [7.0, 2.5]), [pair], "{name}");
        }
    }

    #[test]
    fn moving_a_name_moves_no_slot() {
        let strip = |pairs: Vec<Pair>| -> Vec<(u32, f32)> {
            pairs.iter().map(|pair| (pair.slot, pair.value)).collect()
        };
        let one = strip(pairs(&["country", "amount", "merchant", "note"], 20, [7.0, 2.5]));
        let other = strip(pairs(&["note", "merchant", "country", "amount"], 20, [7.0, 2.5]));
        assert_eq!(one.len(), 4);
        assert_eq!(one, other);
    }

    #[test]
    fn equal_slots_are_summed_and_zeros_left_out() {
        let twice = pairs(&["amount", "amount"], 4, [0.0, 2.5]);
        let (slot, sign) = slot_and_sign(math::hash64(b"amount", 0), 4);
        assert_eq!(twice, [Pair { slot, field: 0, value: sign * 5.0 }]);
        assert_eq!(pairs(&["amount"], 4, [0.0, 0.0]), []);
        let largest = pairs(&["amount", "amount"], 4, [0.0, 1e308]);
        assert_eq!(largest[0].value.abs(), f32::MAX);
    }

    #[test]
    fn bits_out_of_range_are_refused() {
        for bits in [3, 29] {
            let config = Config { of: of(&["country"]), bits };
            assert_eq!(build::<Hash>(config, &mut layout()).unwrap_err().field, "bits");
        }
    }
}
