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
mod part;
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
pub(crate) use nearest::nearest;
pub use part::Part;
pub use places::Places;
use syntax::Syntax;

/// Settings that were read, and where each of them stood.
#[derive(Clone, Debug)]
pub struct Parsed<T> {
    /// The settings.
    pub value: T,
    /// Where they stood.
    pub places: Places,
    /// What they were read from.
    pub part: Part,
}

/// Mistakes, and what is left of a file without them.
#[derive(Clone, Debug)]
pub struct Mistaken {
    /// Every mistake that was found.
    pub mistakes: Vec<Mistake>,
    /// Where what could be read stood.
    pub places: Places,
    /// What is left; `None`: it is no TOML, and nobody knows what is missing.
    pub part: Option<Part>,
}

/// Reads settings from the text of a file. `file_name` is only shown.
///
/// # Errors
/// Every mistake in the file, in the order of the file.
pub fn read<T: DeserializeOwned + JsonSchema>(
    file_name: &str,
    text: &str,
) -> Result<Parsed<T>, Mistakes> {
    read_in_part(file_name, text)
        .map_err(|mistaken| mistaken.places.mistakes(mistaken.mistakes.clone()))
}

/// The same; what can be read of a file with mistakes comes with them.
///
/// # Errors
/// Every mistake in the file.
pub fn read_in_part<T: DeserializeOwned + JsonSchema>(
    file_name: &str,
    text: &str,
) -> Result<Parsed<T>, Box<Mistaken>> {
    let schema = schemars::schema_for!(T).to_value();
    let syntax = Syntax::parse(text);
    let (value, places, found) = walk::walk(&schema, &syntax.tree, Places::new(file_name, text));
    let broken = syntax.broken;
    let mistakes = syntax.merge(text, found);
    if !mistakes.is_empty() {
        let part = (!broken).then(|| Part::new(value));
        return Err(Box::new(Mistaken { mistakes, places, part }));
    }
    match serde_path_to_error::deserialize(&value) {
        Ok(settings) => Ok(Parsed { value: settings, places, part: Part::new(value) }),
        Err(error) => {
            let message = format!("cannot take this value: {}", error.inner());
            let help = "the file agrees with its schema, so this is a mistake of alluvium's own";
            let mistakes = vec![places.mistake(&error.path().to_string(), message, help)];
            Err(Box::new(Mistaken { mistakes, places, part: None }))
        }
    }
}

#[cfg(test)]
mod tests;
