//! `docs/reference`: pages made of what is in the code, so that they cannot be wrong for long.
//! `cargo xtask bless` writes them, and a test fails while they are stale.

mod command_line;
mod component;
mod markdown;
mod pipeline_file;
mod schema;

use alluvium_flow::spec::Spec;

use crate::repository::Repository;

/// Where the pages lie.
pub(crate) const FOLDER: &str = "docs/reference/";

/// A family of components.
struct Family {
    /// The folder of its sources, and of its pages.
    folder: &'static str,
    /// The type that lists its kinds in the schema.
    schema: &'static str,
    /// One of them.
    one: &'static str,
    /// How one is written in the pipeline file, with `NAME` for its name.
    written: &'static str,
}

const FAMILIES: [Family; 4] = [
    Family {
        folder: "learners",
        schema: "LearnerConfig",
        one: "learner",
        written: "[model.mine]\nlearner.NAME = { ... }",
    },
    Family {
        folder: "steps",
        schema: "StepConfig",
        one: "feature step",
        written: "[features]\nmine.NAME = { ... }",
    },
    Family {
        folder: "metrics",
        schema: "MetricConfig",
        one: "metric",
        written: "[judge]\nmetrics = [\"NAME\"]",
    },
    Family {
        folder: "detectors",
        schema: "DetectorConfig",
        one: "detector",
        written: "[judge]\ndrift = \"NAME\"",
    },
];

/// Every page: its path from the root, and its text.
pub(crate) fn pages(repository: &Repository) -> Vec<(String, String)> {
    let schema = schemars::schema_for!(Spec).to_value();
    let mut pages = vec![
        ("pipeline-file.md".to_string(), pipeline_file::page(&schema)),
        ("command-line.md".to_string(), command_line::page()),
    ];
    let mut index = INDEX.to_string();
    for family in &FAMILIES {
        index.push_str(&format!("\n## {}\n\n", markdown::title(family.folder)));
        for (name, settings) in schema::kinds(&schema["$defs"][family.schema]) {
            let head = component::head(repository, family, name);
            let path = format!("{}/{name}.md", family.folder);
            let first = component::first_sentence(&head);
            index.push_str(&format!("- [`{name}`]({path}): {first}\n"));
            pages.push((path, component::page(family, name, &head, settings, &schema)));
        }
    }
    pages.push(("README.md".to_string(), index));
    pages.sort();
    pages.into_iter().map(|(path, text)| (format!("{FOLDER}{path}"), text)).collect()
}

const INDEX: &str = "\
# Reference

Made from the code by `cargo xtask bless`; do not edit it by hand.

- [The pipeline file](pipeline-file.md): every table and every setting.
- [The command line](command-line.md): every verb.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_is_what_the_code_says() {
        let repository = Repository::read().unwrap();
        let pages = pages(&repository);
        let stale: Vec<&str> = pages
            .iter()
            .filter(|(path, text)| repository.text(path) != text)
            .map(|(path, _)| path.as_str())
            .collect();
        let is_page = |path: &&String| pages.iter().any(|(page, _)| page == *path);
        let all = repository.paths.iter().filter(|path| path.starts_with(FOLDER));
        let left: Vec<&String> = all.filter(|path| !is_page(path)).collect();
        assert!(
            stale.is_empty() && left.is_empty(),
            "the reference is stale: run `cargo xtask bless`\nto write {stale:#?}\nto delete {left:#?}"
        );
    }

    #[test]
    fn every_entry_of_every_family_has_a_page() {
        let pages = pages(&Repository::read().unwrap());
        for family in &FAMILIES {
            let folder = format!("{FOLDER}{}/", family.folder);
            assert!(pages.iter().any(|(path, _)| path.starts_with(&folder)), "{folder} is empty");
        }
    }
}
