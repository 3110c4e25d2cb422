//! What several steps share.

use crate::{Ahead, Column, ConfigError, Place, Reader, Row, Scope, SlotKind, StateError, math};

/// The largest magnitude that enters a mean or a sum. The square of twice as much, added up for
/// 2^53 records, is still a number, so nothing that is built on bounded values can overflow.
pub(super) const VALUE_MAX: f64 = 1e140;

/// The value, or [`VALUE_MAX`] with its sign where it is larger.
pub(super) fn bounded(value: f64) -> f64 {
    value.clamp(-VALUE_MAX, VALUE_MAX)
}

/// The value, or the largest number with its sign where it is infinite.
pub(super) fn finite(value: f64) -> f64 {
    value.clamp(-f64::MAX, f64::MAX)
}

/// Whether a slot of that kind may hold the value: a number, or one of so many codes.
pub(super) fn fits(kind: SlotKind, value: f64) -> bool {
    match kind {
        SlotKind::Number => value.is_finite(),
        SlotKind::Nominal { values } => {
            value == value.trunc() && value >= 0.0 && value < f64::from(values)
        }
    }
}

/// What stands for "there is no value": 0, or the code for a value not seen before.
pub(super) fn nothing(kind: SlotKind) -> f64 {
    match kind {
        SlotKind::Number => 0.0,
        SlotKind::Nominal { values } => f64::from(values.saturating_sub(1)),
    }
}

/// Reads a number that must be right.
pub(super) fn read_number(
    from: &mut Reader<'_>,
    what: &'static str,
    is_right: impl Fn(f64) -> bool,
) -> Result<f64, StateError> {
    let value = from.f64()?;
    if is_right(value) { Ok(value) } else { Err(StateError::Unfit { what }) }
}

/// Reads a length that is known beforehand.
pub(super) fn read_len(
    from: &mut Reader<'_>,
    expected: usize,
    what: &'static str,
) -> Result<(), StateError> {
    if from.u64()? == expected as u64 { Ok(()) } else { Err(StateError::Unfit { what }) }
}

/// One number made for each number read: `step.field`. The slots made lie side by side.
#[derive(Clone, Debug)]
pub(super) struct Each {
    from: Box<[usize]>,
    to: usize,
}

impl Each {
    /// Finds the numbers and takes a slot for each.
    pub(super) fn new(scope: &mut Scope<'_>, of: &[String]) -> Result<Each, ConfigError> {
        let inputs = scope.numbers("of", of)?;
        let to = scope.features(&inputs).start;
        Ok(Each { from: inputs.iter().map(|(_, slot)| *slot).collect(), to })
    }

    pub(super) fn len(&self) -> usize {
        self.from.len()
    }

    /// Where each number is read.
    pub(super) fn from(&self) -> impl Iterator<Item = usize> {
        self.from.iter().copied()
    }

    /// Where each number is read, and where what is made of it is written.
    pub(super) fn slots(&self) -> impl Iterator<Item = (usize, usize)> {
        self.from().zip(self.to..)
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.from)
    }
}

/// Exactly two numbers, for the steps that set one against the other.
pub(super) fn two_numbers(scope: &Scope<'_>, of: &[String]) -> Result<[usize; 2], ConfigError> {
    match scope.numbers("of", of)?.as_slice() {
        [(_, first), (_, second)] => Ok([*first, *second]),
        _ => Err(ConfigError::new("of", format!("{of:?}"), "the names of exactly two numbers")),
    }
}

/// Where the key of a record is read: `by` in a step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key {
    /// An identity, hashed when it was decoded: two that come to one hash are one key.
    Id(usize),
    /// A category: its code. All values beyond its bound are one.
    Code(usize),
}

impl Key {
    /// Finds what `by` names.
    pub(super) fn find(scope: &Scope<'_>, by: &str) -> Result<Key, ConfigError> {
        let columns = scope.columns("by", &[by.to_string()])?;
        match columns.as_slice() {
            [Column { place: Place::Id(index), .. }] => Ok(Key::Id(*index)),
            [Column { place: Place::Dense { slot, kind: SlotKind::Nominal { .. } }, .. }] => {
                Ok(Key::Code(*slot))
            }
            _ => Err(ConfigError::new("by", by, "the name of an id or a category")),
        }
    }

    /// The keys of the rows that come next, where they are known already.
    pub(super) fn ahead<'a>(
        self,
        next: Ahead<'a>,
    ) -> Option<impl Iterator<Item = u64> + Clone + use<'a>> {
        match self {
            Key::Id(index) => Some(next.column(index)),
            Key::Code(_) => None,
        }
    }

    #[inline]
    pub(super) fn read(self, row: &Row<'_>) -> u64 {
        match self {
            Key::Id(index) => row.ids[index],
            Key::Code(slot) => row.values[slot] as u64,
        }
    }
}

/// Where a value is read that is only told apart from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Number(usize),
    Code(usize),
    Id(usize),
    Text(usize),
}

impl Value {
    /// Finds the value in a column.
    pub(super) fn new(column: &Column, setting: &str, must_be: &str) -> Result<Value, ConfigError> {
        match column.place {
            Place::Dense { slot, kind: SlotKind::Number } => Ok(Value::Number(slot)),
            Place::Dense { slot, kind: SlotKind::Nominal { .. } } => Ok(Value::Code(slot)),
            Place::Id(index) => Ok(Value::Id(index)),
            Place::Text(index) => Ok(Value::Text(index)),
            Place::Sparse { .. } | Place::Label(_) => {
                Err(ConfigError::new(setting, &column.name, must_be))
            }
        }
    }

    /// A hash of the value.
    pub(super) fn hash(self, row: &Row<'_>) -> u64 {
        match self {
            // Both zeros are one value.
            Value::Number(slot) => math::random_bits((row.values[slot] + 0.0).to_bits(), 0),
            Value::Code(slot) => math::random_bits(row.values[slot] as u64, 0),
            Value::Id(index) => math::random_bits(row.ids[index], 0),
            Value::Text(index) => math::hash64(row.texts.get(index), 0),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use crate::{
        FeatureStep, LabelShape, Layout, Row, Scope, SlotKind, StepComponent, Texts, Time,
    };

    /// A layout of numbers with these names.
    pub(in crate::steps) fn numbers(names: &[&str]) -> Layout {
        let mut layout = Layout::default();
        for name in names {
            layout.add_dense(name, name.to_string(), SlotKind::Number);
        }
        layout
    }

    /// Builds a step called `step` on the layout.
    pub(in crate::steps) fn build<S: StepComponent>(
        config: S::Config,
        layout: &mut Layout,
    ) -> Result<S, crate::ConfigError> {
        S::new(config, &mut Scope::new(layout, "step", LabelShape::None))
    }

    /// The names of the columns that a layout of numbers `inputs` got from the step.
    pub(in crate::steps) fn made<S: StepComponent>(
        config: S::Config,
        inputs: &[&str],
    ) -> Vec<String> {
        let mut layout = numbers(inputs);
        build::<S>(config, &mut layout).unwrap();
        layout.columns()[inputs.len()..].iter().map(|column| column.name.clone()).collect()
    }

    /// What a step makes of the numbers of a record; then it observes them.
    pub(in crate::steps) fn next(
        step: &mut dyn FeatureStep,
        inputs: &[f64],
        made: usize,
        time: Time,
    ) -> Vec<f64> {
        let mut values = inputs.to_vec();
        values.resize(inputs.len() + made, 77.0);
        let mut row =
            Row { values: &mut values, blocks: &mut [], ids: &[], texts: Texts::default(), time };
        step.apply(&mut row);
        step.observe(&row);
        values.split_off(inputs.len())
    }

    /// Names as a setting has them.
    pub(in crate::steps) fn of(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }
}
