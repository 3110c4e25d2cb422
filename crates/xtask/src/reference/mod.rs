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
        written: "[judge]\ndrift = \"NAME\"\n\n[model.mine]\nreset_on = \"NAME\"",
    },
];

/// What surrounds a learner: no family, as a model may have each of them, but settings of the
/// model.
struct Surround {
    /// The setting, and the file it is in.
    name: &'static str,
    /// All settings of the model that belong to it.
    settings: &'static [&'static str],
    /// How it is written in the pipeline file.
    written: &'static str,
}

/// The folder of their sources, and of their pages.
const SURROUND: &str = "surround";

const SURROUNDS: [Surround; 3] = [
    Surround {
        name: "by",
        settings: &["by", "keys_max", "forget_after"],
        written: "[model.mine]\nby = \"card\"\nkeys_max = 1_000_000\nforget_after = \"30 d\"",
    },
    Surround {
        name: "class_weight",
        settings: &["class_weight"],
        written: "[model.mine]\nclass_weight = { yes = 50.0 }",
    },
    Surround {
        name: "reset_on",
        settings: &["reset_on"],
        written: "[model.mine]\nreset_on = \"adwin\"",
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
            let head = component::head(repository, family.folder, name);
            let path = format!("{}/{name}.md", family.folder);
            index.push_str(&entry(name, &path, &head));
            pages.push((path, component::page(family, name, &head, settings, &schema)));
        }
    }
    index.push_str("\n## Around any learner\n\n");
    for surround in &SURROUNDS {
        let head = component::head(repository, SURROUND, surround.name);
        let path = format!("{SURROUND}/{}.md", surround.name);
        index.push_str(&entry(surround.name, &path, &head));
        pages.push((path, component::surround_page(surround, &head, &schema)));
    }
    pages.push(("README.md".to_string(), index));
    pages.sort();
    pages.into_iter().map(|(path, text)| (format!("{FOLDER}{path}"), text)).collect()
}

/// A line of the index.
fn entry(name: &str, path: &str, head: &str) -> String {
    format!("- [`{name}`]({path}): {}\n", component::first_sentence(head))
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

    #[test]
    fn everything_that_surrounds_a_learner_has_a_page() {
        let repository = Repository::read().unwrap();
        let pages = pages(&repository);
        let files = repository.paths.iter().filter_map(|path| {
            path.strip_prefix("crates/learn/src/surround/")?.strip_suffix(".rs")
        });
        let mut count = 0;
        for name in files.filter(|name| *name != "mod") {
            count += 1;
            let path = format!("{FOLDER}{SURROUND}/{name}.md");
            let page = pages.iter().find(|(page, _)| *page == path).map(|(_, text)| text);
            let text = page.unwrap_or_else(|| panic!("{path} is missing"));
            assert!(text.contains(&format!("| `{name}` |")), "{path} has no setting");
            assert!(
                text.contains("- Cost: ") && text.contains("- Not for: "),
                "{path} has no head"
            );
        }
        assert_eq!(count, SURROUNDS.len());
    }
}
