//! What can be wrong with a plan, and how much room its rows take.

use alluvium_learn::ConfigError;

use super::{Format, Kind, Path, Plan, Step, TimeUnit};

/// The most fields of a plan: refusals count the label and the time beyond them in 16 bits.
const FIELDS_MAX: usize = u16::MAX as usize - 2;
/// The most numbers one field may be.
const NUMBERS_MAX: usize = 65_536;

impl Plan {
    /// How many entries of [`super::Rows::numbers`] a row takes, the label included.
    pub fn numbers_per_row(&self) -> usize {
        let of_kind = |kind: &Kind| match kind {
            Kind::Number { .. } | Kind::Flag => 1,
            Kind::Numbers { count } => *count,
            Kind::Text { .. } | Kind::Id => 0,
        };
        let label = self.label.as_ref().is_some_and(|label| !label.is_class);
        self.fields.iter().map(|field| of_kind(&field.kind)).sum::<usize>() + usize::from(label)
    }

    /// How many entries of [`super::Rows::texts`] a row takes, the label included.
    pub fn texts_per_row(&self) -> usize {
        let label = self.label.as_ref().is_some_and(|label| label.is_class);
        let texts = self.fields.iter().filter(|field| matches!(field.kind, Kind::Text { .. }));
        texts.count() + usize::from(label)
    }

    /// How many entries of [`super::Rows::ids`] a row takes.
    pub fn ids_per_row(&self) -> usize {
        self.fields.iter().filter(|field| field.kind == Kind::Id).count()
    }

    /// Checks that a decoder can be built.
    ///
    /// # Errors
    /// When a column is not among the format's, or stands there twice; when `numbers` reaches
    /// beyond the last column or is not in the value; when the delimiter could be part of a number
    /// or a quote; when `$time` is said to be in another unit than milliseconds.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.fields.len() > FIELDS_MAX {
            return Err(ConfigError::new("fields", self.fields.len(), "at most 65533"));
        }
        if let Format::Csv { columns, delimiter } = &self.format {
            check_columns(columns)?;
            check_delimiter(*delimiter)?;
        }
        for field in &self.fields {
            let count = if let Kind::Numbers { count } = field.kind { count } else { 1 };
            self.check_path(&field.name, &field.path, count)?;
            if matches!(field.kind, Kind::Numbers { .. }) {
                check_numbers(&field.name, &field.path, count)?;
            }
            if let Kind::Number { min, max } = field.kind
                && (min.is_nan() || max.is_nan() || min > max)
            {
                return Err(ConfigError::new(&field.name, min, "min at most max, neither NaN"));
            }
        }
        if let Some(label) = &self.label {
            self.check_path("label", &label.path, 1)?;
        }
        match &self.time {
            None => Ok(()),
            Some(time) if time.path == Path::Time && time.unit != TimeUnit::Milliseconds => {
                Err(ConfigError::new("time", "$time", "in milliseconds"))
            }
            Some(time) => self.check_path("time", &time.path, 1),
        }
    }

    fn check_path(&self, name: &str, path: &Path, count: usize) -> Result<(), ConfigError> {
        let Path::Value(steps) = path else { return Ok(()) };
        let Format::Csv { columns, .. } = &self.format else {
            return match steps.first() {
                Some(Step::Key(_)) => Ok(()),
                _ => Err(ConfigError::new(name, "an empty path or an index", "a key first")),
            };
        };
        let [Step::Key(column)] = steps.as_slice() else {
            return Err(ConfigError::new(name, "a path", "the name of one column"));
        };
        match columns.iter().position(|known| known == column && known != "_") {
            None => Err(ConfigError::new(name, column, "a column of the format")),
            Some(first) if first + count > columns.len() => {
                let room = columns.len() - first;
                Err(ConfigError::new(
                    name,
                    count,
                    &format!("at most {room}: the columns end there"),
                ))
            }
            Some(_) => Ok(()),
        }
    }
}

fn check_numbers(name: &str, path: &Path, count: usize) -> Result<(), ConfigError> {
    if !matches!(path, Path::Value(_)) {
        return Err(ConfigError::new(name, "numbers", "a single number there"));
    }
    if !(1..=NUMBERS_MAX).contains(&count) {
        return Err(ConfigError::new(name, count, "from 1 to 65536"));
    }
    Ok(())
}

fn check_columns(columns: &[String]) -> Result<(), ConfigError> {
    if columns.is_empty() {
        return Err(ConfigError::new("format.csv.columns", "empty", "one name for each column"));
    }
    let mut names: Vec<&str> = columns.iter().map(String::as_str).filter(|n| *n != "_").collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => {
            let must_be = "different names, or `_` for what nobody reads";
            Err(ConfigError::new("format.csv.columns", pair[0], must_be))
        }
    }
}

/// The characters that numbers and quotes are made of would make a cell ambiguous.
fn check_delimiter(delimiter: u8) -> Result<(), ConfigError> {
    let is_graphic = (b' '..=b'~').contains(&delimiter) || delimiter == b'\t';
    if !is_graphic || delimiter.is_ascii_alphanumeric() || b"\"+-._".contains(&delimiter) {
        let must_be = "one ASCII character that is not part of a number, a word or a quote";
        let value = delimiter.escape_ascii();
        return Err(ConfigError::new("format.csv.delimiter", value, must_be));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Field, TimeField};

    fn plan(columns: &[&str], delimiter: u8, field: &str, kind: Kind) -> Plan {
        let columns = columns.iter().map(|name| name.to_string()).collect();
        let path = Path::Value(vec![Step::Key(field.into())]);
        Plan {
            format: Format::Csv { columns, delimiter },
            fields: vec![Field { name: "x".into(), path, kind, gaps: false }],
            label: None,
            time: None,
        }
    }

    #[test]
    fn a_plan_that_cannot_be_is_refused_by_name() {
        let error = |plan: Plan| plan.check().unwrap_err().to_string();
        let four = Kind::Numbers { count: 4 };
        assert!(plan(&["x", "_", "_", "_"], b',', "x", four.clone()).check().is_ok());
        assert_eq!(
            error(plan(&["_", "x", "a", "b"], b',', "x", four)),
            "x is 4, but must be at most 3: the columns end there"
        );
        assert_eq!(
            error(plan(&["a"], b';', "x", Kind::Id)),
            "x is x, but must be a column of the format"
        );
        assert!(error(plan(&["x", "x"], b',', "x", Kind::Id)).contains("different names"));
        assert!(error(plan(&["_"], b',', "_", Kind::Id)).contains("a column of the format"));
        for delimiter in *b"\"1a.-\n\0_\xff" {
            assert!(error(plan(&["x"], delimiter, "x", Kind::Id)).contains("delimiter"));
        }
        for delimiter in *b",;\t| :" {
            assert!(plan(&["x"], delimiter, "x", Kind::Id).check().is_ok());
        }
        let mut seconds = plan(&["x"], b',', "x", Kind::Id);
        seconds.time = Some(TimeField { path: Path::Time, unit: TimeUnit::Seconds, ahead_max: 0 });
        assert!(error(seconds).contains("milliseconds"));
    }
}
