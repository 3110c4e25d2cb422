//! A page for each entry of a family: the head of its file, and its settings.

use serde_json::{Value, json};

use super::{
    Family, Surround,
    markdown::plain,
    schema::{Sections, resolve},
};
use crate::{code, repository::Repository};

/// What the head of an entry's file says.
pub(super) fn head(repository: &Repository, folder: &str, name: &str) -> String {
    let folder = format!("crates/learn/src/{folder}");
    let files = [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")];
    let mut texts = files.iter().map(|file| repository.text(file));
    let text = texts.find(|text| !text.is_empty()).unwrap_or_default();
    plain(&code::head(text).join("\n"))
}

/// The first sentence of a head, or its first clause where that is how it begins.
pub(super) fn first_sentence(head: &str) -> String {
    let first = head.split("\n\n").next().unwrap_or_default();
    let line = first.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.split_once(". ") {
        Some((sentence, _)) => format!("{sentence}."),
        None => line,
    }
}

/// The page.
pub(super) fn page(
    family: &Family,
    name: &str,
    head: &str,
    settings: &Value,
    root: &Value,
) -> String {
    let mut sections = Sections::new(root, "../README.md");
    let (schema, _) = resolve(settings, root);
    let table = sections.settings(schema);
    let short = match schema["x-short"].as_str() {
        Some(short) => format!("\nA bare value in place of the table is `{short}`.\n"),
        None => String::new(),
    };
    let rest = sections.rest();
    let written = family.written.replace("NAME", name);
    let opening = opening(name, &format!("A {}.", family.one), &written, head);
    format!("{opening}\n## Settings\n\n{table}{short}{rest}")
}

/// The page of what surrounds a learner: the settings of the model that ask for it.
pub(super) fn surround_page(surround: &Surround, head: &str, root: &Value) -> String {
    let Surround { name, settings, written } = *surround;
    let of_setting =
        |name: &&str| (name.to_string(), root["$defs"]["Model"]["properties"][*name].clone());
    let settings: serde_json::Map<String, Value> = settings.iter().map(of_setting).collect();
    let of_model = json!({ "properties": settings });
    let mut sections = Sections::new(root, "../README.md");
    let table = sections.settings(&of_model);
    let rest = sections.rest();
    let opening = opening(name, "A setting of a model, around any learner.", written, head);
    format!("{opening}\n## Settings\n\n{table}{rest}")
}

/// How a page begins: what it is about, how that is written, and the head of its file.
fn opening(name: &str, what: &str, written: &str, head: &str) -> String {
    // Headings inside a head go below the page's own.
    let head: Vec<String> = head
        .lines()
        .map(|line| if line.starts_with('#') { format!("#{line}") } else { line.to_string() })
        .collect();
    let head = head.join("\n");
    format!("# `{name}`\n\n{what}\n\n```toml\n{written}\n```\n\n{}\n", head.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_begins_with_what_the_thing_is() {
        assert_eq!(first_sentence("Holds\nnumbers. Then more.\n\nMore."), "Holds numbers.");
        assert_eq!(first_sentence("A tree: it grows.\n\n- Task: class."), "A tree: it grows.");
    }
}
