//! The licences of all dependencies, held against the list in `deny.toml`.

use serde_json::Value;

use super::Finding;

/// Packages whose licence is not on the list.
pub(super) fn check(metadata: &Value, deny: &str) -> Vec<Finding> {
    let allowed = allowed(deny);
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let mut found = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let licence = package["license"].as_str().unwrap_or("none");
        if !holds(licence, &allowed) {
            let what = format!("`{name}` has the licence {licence}");
            let instead = "another package; or a licence that deny.toml allows";
            found.push(Finding::new("Cargo.lock", 1, what, instead));
        }
    }
    found
}

/// The licences that `deny.toml` allows.
fn allowed(deny: &str) -> Vec<&str> {
    let list = deny.split_once("\nallow = [").and_then(|(_, rest)| rest.split_once(']'));
    list.map_or(Vec::new(), |(list, _)| list.split('"').skip(1).step_by(2).collect())
}

/// Whether an SPDX expression can be met with what is allowed. `OR` binds less than `AND`; the
/// slash of old packages means `OR`.
fn holds(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    any(&words, &mut at, allowed) && at == words.len()
}

fn any(words: &[&str], at: &mut usize, allowed: &[&str]) -> bool {
    let mut held = all(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        held |= all(words, at, allowed);
    }
    held
}

fn all(words: &[&str], at: &mut usize, allowed: &[&str]) -> bool {
    let mut held = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        held &= one(words, at, allowed);
    }
    held
}

fn one(words: &[&str], at: &mut usize, allowed: &[&str]) -> bool {
    let word = words.get(*at).copied().unwrap_or_default();
    *at += 1;
    if word == "(" {
        let held = any(words, at, allowed);
        *at += 1;
        return held;
    }
    if words.get(*at) == Some(&"WITH") {
        let whole = words[*at - 1..(*at + 2).min(words.len())].join(" ");
        *at = (*at + 2).min(words.len());
        // An exception only ever allows more.
        return allowed.contains(&word) || allowed.contains(&whole.as_str());
    }
    allowed.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read_as_spdx_has_them() {
        let allowed = ["MIT", "Apache-2.0", "Unicode-3.0"];
        assert!(holds("MIT OR GPL-3.0", &allowed));
        assert!(holds("GPL-3.0/MIT", &allowed));
        assert!(holds("(MIT OR GPL-3.0) AND Unicode-3.0", &allowed));
        assert!(holds("Apache-2.0 WITH LLVM-exception OR BSD-9", &allowed));
        assert!(!holds("MIT AND GPL-3.0", &allowed));
        assert!(!holds("GPL-3.0 AND (MIT OR Apache-2.0)", &allowed));
        assert!(!holds("none", &allowed));
        assert!(!holds("", &allowed));
    }

    #[test]
    fn a_licence_that_is_not_on_the_list_is_found() {
        let metadata = serde_json::json!({"packages": [
            {"name": "a", "license": "MIT"}, {"name": "b", "license": null},
        ]});
        let found = check(&metadata, "[licenses]\nallow = [\n    \"MIT\",\n]\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().contains("`b` has the licence none"), "{found:?}");
    }
}
