//! The page of the pipeline file: its tables and their settings.

use serde_json::Value;

use super::schema::Sections;

/// The page.
pub(super) fn page(schema: &Value) -> String {
    let mut sections = Sections::new(schema, "README.md");
    let top = sections.settings(schema);
    let rest = sections.rest();
    format!("{HEAD}{top}{rest}")
}

const HEAD: &str = "\
# The pipeline file

One TOML file says what is read, what is learned, and how it runs. A choice is written
`name.kind = settings`, and a bare text in its place is a kind with its defaults. A setting that is
left out has the default that stands here. `input`, `fields`, `label`, `features` and `model` are
what is learned: a change of them halts a running pipeline and asks. All other tables are how it
runs, and change freely.

";
