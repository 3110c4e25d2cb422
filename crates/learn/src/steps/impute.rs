//! Fills gaps: the one step that may read a number that is not there.
//!
//! - Makes: `step.field` for each column read, of the same kind: the value where there is one, else
//!   what `with` says. It also stands behind a field's own `missing`.
//! - Learns: the mean, or the newest value, of the values that are there.
//! - Bounds: in the mean, a value beyond ±1e140 counts as ±1e140.
//! - Cost: constant time and memory for each column.
//! - Not for: gaps that tell something by themselves; give the learner a flag for those.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::shared::{bounded, fits, nothing, read_len, read_number};
use crate::{
    ConfigError, FeatureStep, Place, Reader, Row, Scope, SlotKind, State, StateError,
    StepComponent, Writer, check_number,
};

/// Settings of [`Impute`]. A bare list is `of`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "of"))]
pub struct Config {
    /// The columns whose gaps to fill: numbers or categories, as fields, steps or `step.field`. At
    /// least one. Default: none, so it has to be given.
    pub of: Vec<String>,
    /// What to put in a gap: `"mean"` of the values so far, the `"previous"` value, `"zero"`, or a
    /// number; for categories `"previous"`, or `"unknown"`, the code of a value not seen before.
    /// Default: `"mean"`. Before the first value, mean and previous are 0 (a category: unknown).
    pub with: With,
}

/// What fills a gap. Written `"mean"`, `"previous"`, `"zero"`, `"unknown"`, or as a number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum With {
    /// The mean of the values so far. Numbers alone.
    #[default]
    Mean,
    /// The newest value.
    Previous,
    /// 0. Numbers alone.
    Zero,
    /// The code of a value not seen before. Categories alone.
    Unknown,
    /// This number. Numbers alone.
    Constant(f64),
}

const WORDS: [(&str, With); 4] = [
    ("mean", With::Mean),
    ("previous", With::Previous),
    ("zero", With::Zero),
    ("unknown", With::Unknown),
];

impl fmt::Display for With {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, WORDS.iter().find(|(_, with)| with == self)) {
            (With::Constant(value), _) => value.fmt(f),
            (_, Some((word, _))) => f.write_str(word),
            (_, None) => unreachable!("every other choice is a word"),
        }
    }
}

impl Serialize for With {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            With::Constant(value) => to.serialize_f64(*value),
            word => to.collect_str(word),
        }
    }
}

impl<'de> Deserialize<'de> for With {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<With, D::Error> {
        from.deserialize_any(WithVisitor)
    }
}

struct WithVisitor;

impl de::Visitor<'_> for WithVisitor {
    type Value = With;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#""mean", "previous", "zero", "unknown" or a number"#)
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<With, E> {
        let known = WORDS.iter().find(|(known, _)| *known == word);
        known
            .map(|(_, with)| *with)
            .ok_or_else(|| E::invalid_value(de::Unexpected::Str(word), &self))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<With, E> {
        Ok(With::Constant(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<With, E> {
        Ok(With::Constant(value as f64))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<With, E> {
        Ok(With::Constant(value as f64))
    }
}

impl JsonSchema for With {
    fn schema_name() -> Cow<'static, str> {
        "With".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words = WORDS.map(|(word, _)| word);
        json_schema!({ "oneOf": [{ "type": "string", "enum": words }, { "type": "number" }] })
    }
}

/// The step.
#[derive(Clone, Debug)]
pub struct Impute {
    with: With,
    gaps: Box<[Gap]>,
}

/// One column. Invariant: `fill` is finite, and a code where the column holds codes.
#[derive(Clone, Debug)]
struct Gap {
    from: usize,
    to: usize,
    kind: SlotKind,
    /// What a gap gets.
    fill: f64,
    /// Values seen, for the mean.
    count: f64,
}

/// What fills a gap before anything was seen; refused where the column cannot hold it.
fn first_fill(with: With, kind: SlotKind, column: &str) -> Result<f64, ConfigError> {
    match (with, kind) {
        (With::Previous, _)
        | (With::Unknown, SlotKind::Nominal { .. })
        | (With::Mean | With::Zero, SlotKind::Number) => Ok(nothing(kind)),
        (With::Constant(value), SlotKind::Number) => Ok(value),
        (_, SlotKind::Nominal { .. }) => {
            let must_be = format!(r#""previous" or "unknown" for the category {column}"#);
            Err(ConfigError::new("with", with, &must_be))
        }
        (With::Unknown, SlotKind::Number) => {
            let must_be = format!(r#""mean", "previous", "zero" or a number for {column}"#);
            Err(ConfigError::new("with", with, &must_be))
        }
    }
}

impl StepComponent for Impute {
    const NAME: &'static str = "impute";
    type Config = Config;

    fn reads(config: &Config) -> Vec<String> {
        config.of.clone()
    }

    fn new(config: Config, scope: &mut Scope<'_>) -> Result<Impute, ConfigError> {
        let Config { of, with } = config;
        if let With::Constant(value) = with {
            check_number("with", value, "a finite number", |_| true)?;
        }
        let mut gaps = Vec::new();
        for column in scope.columns("of", &of)? {
            let Place::Dense { slot, kind } = column.place else {
                let must_be = "the name of a number or a category";
                return Err(ConfigError::new("of", column.name, must_be));
            };
            let fill = first_fill(with, kind, &column.name)?;
            let to = scope.feature(column.field(), kind);
            gaps.push(Gap { from: slot, to, kind, fill, count: 0.0 });
        }
        Ok(Impute { with, gaps: gaps.into() })
    }
}

/// Format 1: for each column, how many values were seen and what a gap gets.
const FORMAT: u16 = 1;

impl State for Impute {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        to.len(self.gaps.len());
        for gap in &self.gaps {
            to.f64(gap.count);
            to.f64(gap.fill);
        }
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("impute", FORMAT)?;
        read_len(from, self.gaps.len(), "impute has another number of inputs")?;
        let is_count = |count: f64| count.is_finite() && count >= 0.0;
        let is_mean = |mean: f64| self.with != With::Mean || bounded(mean) == mean;
        for gap in &mut self.gaps {
            gap.count = read_number(from, "impute has no such count", is_count)?;
            let is_right = |value: f64| fits(gap.kind, value) && is_mean(value);
            gap.fill = read_number(from, "impute cannot fill with this", is_right)?;
        }
        Ok(())
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<Impute>() + size_of_val(&*self.gaps)
    }
}

impl FeatureStep for Impute {
    fn apply(&self, row: &mut Row<'_>) {
        for gap in &self.gaps {
            let value = row.values[gap.from];
            row.values[gap.to] = if value.is_finite() { value } else { gap.fill };
        }
    }

    fn observe(&mut self, row: &Row<'_>) {
        for gap in &mut self.gaps {
            let value = row.values[gap.from];
            if !value.is_finite() {
                continue;
            }
            match self.with {
                With::Mean => {
                    gap.count += 1.0;
                    gap.fill += (bounded(value) - gap.fill) / gap.count;
                }
                With::Previous => gap.fill = value,
                With::Zero | With::Unknown | With::Constant(_) => {}
            }
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
    use crate::Layout;

    /// What comes out of 1, 4, a gap, 7, a gap.
    fn filled(with: With) -> Vec<f64> {
        let mut step: Impute =
            build(Config { of: of(&["x"]), with }, &mut numbers(&["x"])).unwrap();
        let inputs = [f64::NAN, 1.0, 4.0, f64::NAN, 7.0, f64::NAN];
        inputs.iter().map(|input| next(&mut step, &[*input], 1, 0)[0]).collect()
    }

    #[test]
    fn a_gap_gets_what_the_settings_say() {
        assert_eq!(filled(With::Mean), [0.0, 1.0, 4.0, 2.5, 7.0, 4.0]);
        assert_eq!(filled(With::Previous), [0.0, 1.0, 4.0, 4.0, 7.0, 7.0]);
        assert_eq!(filled(With::Zero), [0.0, 1.0, 4.0, 0.0, 7.0, 0.0]);
        assert_eq!(filled(With::Constant(-1.0)), [-1.0, 1.0, 4.0, -1.0, 7.0, -1.0]);
    }

    #[test]
    fn a_category_takes_the_previous_or_the_unknown_code() {
        let mut layout = Layout::default();
        layout.add_dense("colour", "colour".into(), SlotKind::Nominal { values: 4 });
        let mut build_with =
            |with| build::<Impute>(Config { of: of(&["colour"]), with }, &mut layout);
        let mut previous = build_with(With::Previous).unwrap();
        assert_eq!(next(&mut previous, &[f64::NAN], 1, 0), [3.0]);
        assert_eq!(next(&mut previous, &[1.0], 1, 0), [1.0]);
        for with in [With::Mean, With::Zero, With::Constant(1.0)] {
            assert_eq!(build_with(with).unwrap_err().field, "with");
        }
        assert!(
            build::<Impute>(Config { of: of(&["x"]), with: With::Unknown }, &mut numbers(&["x"]))
                .is_err()
        );
    }

    #[test]
    fn a_choice_is_a_word_or_a_number() {
        let read = |text: &str| serde_json::from_str::<With>(text);
        for (text, with) in [
            (r#""mean""#, With::Mean),
            (r#""unknown""#, With::Unknown),
            ("-3", With::Constant(-3.0)),
            ("2.5", With::Constant(2.5)),
        ] {
            assert_eq!(read(text).unwrap(), with);
            assert_eq!(read(&serde_json::to_string(&with).unwrap()).unwrap(), with);
        }
        let error = read(r#""median""#).unwrap_err().to_string();
        assert!(error.contains(r#""previous""#), "{error}");
    }
}
