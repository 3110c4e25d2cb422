//! Reads the pipeline file: TOML, with every mistake shown at its place, all at once.
//!
//! Nothing here knows a setting. The JSON Schema that is made of the settings' types says what may
//! stand where; a walk of the schema over the file finds the mistakes and writes the shorthands
//! out:
//!
//! - *A choice* (an enum, externally tagged) is `name.kind = settings`; a bare string is a kind
//!   with its defaults: `learner = "no_change"`. In the place of a choice a bare string is a kind,
//!   always.
//! - *A table with `x-short`* takes the value of that one setting in place of the table:
//!   `scaled.standardize = ["a"]` is `scaled.standardize = { of = ["a"] }`.
//!
//! What comes out clean is handed to serde. Where each setting stood is kept, so that a mistake
//! found later, while the pipeline is built, is shown at its place too.

mod editors;
mod mistake;
mod nearest;
mod places;
mod shape;
mod show;
mod syntax;
mod units;
mod walk;
mod words;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

pub use editors::json_schema;
pub use mistake::{Mistake, Mistakes};
pub use places::Places;
use syntax::Syntax;

/// Settings that were read, and where each of them stood.
#[derive(Clone, Debug)]
pub struct Parsed<T> {
    /// The settings.
    pub value: T,
    /// Where they stood.
    pub places: Places,
}

/// Reads settings from the text of a file. `file_name` is only shown.
///
/// # Errors
/// Every mistake in the file, in the order of the file.
pub fn read<T: DeserializeOwned + JsonSchema>(
    file_name: &str,
    text: &str,
) -> Result<Parsed<T>, Mistakes> {
    let schema = schemars::schema_for!(T).to_value();
    let syntax = Syntax::parse(text);
    let (value, places, found) = walk::walk(&schema, &syntax.tree, Places::new(file_name, text));
    let mistakes = syntax.merge(text, found);
    if !mistakes.is_empty() {
        return Err(places.mistakes(mistakes));
    }
    match serde_path_to_error::deserialize(value) {
        Ok(value) => Ok(Parsed { value, places }),
        Err(error) => {
            let message = format!("cannot take this value: {}", error.inner());
            let help = "the file agrees with its schema, so this is a mistake of alluvium's own";
            let mistake = places.mistake(&error.path().to_string(), message, help);
            Err(places.mistakes(vec![mistake]))
        }
    }
}

#[cfg(test)]
mod tests;
