//! Links of Markdown files lead somewhere.

use std::collections::BTreeSet;

use super::Finding;
use crate::repository::Text;

/// Links to files of the repository that are not there.
pub(super) fn check(text: &Text, paths: &BTreeSet<String>) -> Vec<Finding> {
    if !text.path.ends_with(".md") {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut in_code = false;
    for (number, line) in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        for target in targets(line).filter(|_| !in_code) {
            let file = target.split('#').next().unwrap_or_default();
            let Some(place) = place(&text.path, file) else {
                let what = format!("the link `{target}` leaves the repository");
                found.push(Finding::new(&text.path, number, what, "a file in it"));
                continue;
            };
            let directory = format!("{place}/");
            let is_there = paths.contains(&place)
                || place.is_empty()
                || paths.iter().any(|path| path.starts_with(&directory));
            if !is_there {
                let what = format!("the link `{target}` leads nowhere");
                found.push(Finding::new(&text.path, number, what, "a file that is there"));
            }
        }
    }
    found
}

/// What the links of a line point at, inside the repository.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let ends = |rest: &'_ str| rest.find([')', ' ']);
    let rests = line.match_indices("](").map(|(at, mark)| &line[at + mark.len()..]);
    let targets = rests.filter_map(move |rest| ends(rest).map(|end| &rest[..end]));
    targets.filter(|target| !target.contains(':') && !target.starts_with('#'))
}

/// The path from the root of a link in a file.
fn place(from: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    if link.starts_with('/') {
        parts.clear();
    }
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{file, lines};
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let paths = BTreeSet::from(["docs/a.md".to_string(), "src/lib.rs".to_string()]);
        let text = "[a](a.md#b) [c](../src/lib.rs)\n[d](none.md)\n[e](https://x.y/z) [f](#g)\n\
                    ```\n[h](none.md)\n```\n[i](../../x) [j](../src)\n";
        assert_eq!(lines(&check(&file("docs/b.md", text), &paths)), [2, 7]);
    }
}
