//! A number of 0 or 1 for each value of a category.
//!
//! - Makes: `step.field_0`, `step.field_1`, ...: 1 for the value the record has, 0 for all others.
//!   One for each code of the category in the order of first sight; the last one stands for a value
//!   not seen before, or beyond the category's `values_max`.
//! - Cost: time and slots by the number of values, whether they are ever met or not; no state.
//! - Not for: categories of many values (see `hash`), learners that read codes (trees).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ConfigError, FeatureStep, Place, Reader, Row, Scope, SlotKind, State, StateError,
    StepComponent, Writer,
};

/// The most values a category may have.
const VALUES_MAX: u32 = 1000;

/// Settings of [`OneHot`]. A bare list is `of`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "of"))]
pub struct Config {
    /// The categories to spread out: fields or `step.field`. Range: at least one, each of at most
    /// 1000 values, the unseen included. Default: none, so it has to be given.
    pub of: Vec<String>,
}

/// The step.
#[derive(Clone, Debug)]
pub struct OneHot {
    groups: Box<[Group]>,
}

/// One category, and its slots: as many as it has codes, side by side.
#[derive(Clone, Debug)]
struct Group {
    from: usize,
    to: usize,
    values: u32,
}

impl StepComponent for OneHot {
    const NAME: &'static str = "one_hot";
    type Config = Config;

    fn reads(config: &Config) -> Vec<String> {
        config.of.clone()
    }

    fn new(config: Config, scope: &mut Scope<'_>) -> Result<OneHot, ConfigError> {
        let mut inputs = Vec::new();
        for column in scope.columns("of", &config.of)? {
            let Place::Dense { slot, kind: SlotKind::Nominal { values } } = column.place else {
                return Err(ConfigError::new("of", column.name, "the name of a category"));
            };
            if values > VALUES_MAX {
                let must_be = format!(
                    "a category of at most {VALUES_MAX} values, and has {values}: use `hash` for it"
                );
                return Err(ConfigError::new("of", column.name, &must_be));
            }
            inputs.push((column.field().to_string(), slot, values));
        }
        let mut group = |(field, from, values): (String, usize, u32)| {
            let slot = |code| scope.feature(&format!("{field}_{code}"), SlotKind::Number);
            let slots: Vec<usize> = (0..values).map(slot).collect();
            Group { from, to: slots.first().copied().unwrap_or(0), values }
        };
        Ok(OneHot { groups: inputs.into_iter().map(&mut group).collect() })
    }
}

/// Format 1: nothing.
const FORMAT: u16 = 1;

impl State for OneHot {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("one_hot", FORMAT).map(|_| ())
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<OneHot>() + size_of_val(&*self.groups)
    }
}

impl FeatureStep for OneHot {
    fn apply(&self, row: &mut Row<'_>) {
        for Group { from, to, values } in &self.groups {
            let code = row.values[*from] as usize;
            let slots = &mut row.values[*to..*to + *values as usize];
            slots.fill(0.0);
            if let Some(slot) = slots.get_mut(code) {
                *slot = 1.0;
            }
        }
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
    use crate::Layout;

    fn category(values: u32) -> Layout {
        let mut layout = Layout::default();
        layout.add_dense("segment", "segment".into(), SlotKind::Nominal { values });
        layout
    }

    #[test]
    fn the_slot_of_the_value_is_one_and_all_others_zero() {
        let mut layout = category(3);
        let mut step: OneHot = build(Config { of: of(&["segment"]) }, &mut layout).unwrap();
        let names: Vec<&str> = layout.columns()[1..].iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["step.segment_0", "step.segment_1", "step.segment_2"]);
        assert_eq!(next(&mut step, &[0.0], 3, 0), [1.0, 0.0, 0.0]);
        assert_eq!(next(&mut step, &[2.0], 3, 0), [0.0, 0.0, 1.0]);
    }

    #[test]
    fn too_many_values_are_refused_and_hash_is_offered() {
        let config = Config { of: of(&["segment"]) };
        assert!(build::<OneHot>(config.clone(), &mut category(1000)).is_ok());
        let error = build::<OneHot>(config.clone(), &mut category(1001)).unwrap_err();
        assert!(error.field == "of" && error.must_be.contains("hash"), "{error}");
        assert!(build::<OneHot>(config, &mut numbers(&["segment"])).is_err());
    }
}
