//! The rooms and the arrows between them, as ARCHITECTURE.md draws them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Finding;

/// A room: its package, its folder, and the rooms it may know.
const ROOMS: [(&str, &str, &[&str]); 11] = [
    ("alluvium-learn", "learn", &[]),
    ("alluvium-flow", "flow", &["learn"]),
    ("alluvium-ledger", "ledger", &["learn", "flow"]),
    ("alluvium-embedded", "embedded", &["learn", "flow", "ledger"]),
    ("alluvium-kafka", "kafka", &["learn", "flow", "ledger"]),
    ("alluvium-serve", "serve", &["learn", "flow", "ledger"]),
    ("alluvium-sim", "sim", &["learn", "flow", "ledger"]),
    ("alluvium-broker", "broker", &[]),
    ("alluvium-fraud", "fraud", &[]),
    ("alluvium", "cli", &["learn", "flow", "ledger", "embedded", "kafka", "serve"]),
    (
        "xtask",
        "xtask",
        &["learn", "flow", "ledger", "embedded", "kafka", "serve", "sim", "broker", "fraud", "cli"],
    ),
];

/// Rooms that are there for tests alone.
const FOR_TESTS: [&str; 3] = ["sim", "broker", "fraud"];

/// Rooms that may know one of those in their tests. No test of a room's own is a product's part.
const TESTS_MAY: [(&str, &str); 5] = [
    ("embedded", "sim"),
    ("kafka", "sim"),
    ("kafka", "broker"),
    ("cli", "broker"),
    ("cli", "fraud"),
];

/// What only one room may know: the port's other side, the settings' syntax.
const ONLY: [(&str, &str); 4] =
    [("heed", "embedded"), ("rdkafka", "kafka"), ("toml", "cli"), ("axum", "serve")];

/// Arrows that nobody drew, and packages that are no room.
pub(super) fn check(metadata: &Value) -> Vec<Finding> {
    let members: BTreeSet<&str> = strings(&metadata["workspace_members"]).collect();
    let all = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_ours = |package: &&Value| package["id"].as_str().is_some_and(|id| members.contains(id));
    all.iter().filter(is_ours).flat_map(check_package).collect()
}

fn check_package(package: &Value) -> Vec<Finding> {
    let name = package["name"].as_str().unwrap_or_default();
    let Some((_, room, may_know)) = ROOMS.iter().find(|(package, _, _)| *package == name) else {
        let instead = "draw it in ARCHITECTURE.md, and in crates/xtask/src/tidy/rooms.rs";
        return vec![Finding::new("Cargo.toml", 1, format!("`{name}` is no room"), instead)];
    };
    let file = format!("crates/{room}/Cargo.toml");
    let mut found = Vec::new();
    for dependency in package["dependencies"].as_array().into_iter().flatten() {
        let known = dependency["name"].as_str().unwrap_or_default();
        let for_tests = dependency["kind"].as_str() == Some("dev");
        let only = ONLY.iter().find(|(only, owner)| *only == known && owner != room);
        if let Some((_, owner)) = only.filter(|_| !for_tests) {
            let what = format!("{room} knows `{known}`");
            found.push(Finding::new(&file, 1, what, format!("only {owner} may")));
        }
        let Some((_, other, _)) = ROOMS.iter().find(|(package, _, _)| *package == known) else {
            continue;
        };
        let is_drawn = may_know.contains(other);
        let is_exempt =
            for_tests && (!FOR_TESTS.contains(other) || TESTS_MAY.contains(&(*room, *other)));
        if !is_drawn && !is_exempt {
            let what = format!("an arrow from {room} to {other}");
            let instead = match may_know {
                [] => "it knows no other room".to_string(),
                may_know => format!("it may know {}", may_know.join(", ")),
            };
            found.push(Finding::new(&file, 1, what, instead));
        }
    }
    found
}

fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn whats(package: &str, dependencies: &[(&str, Option<&str>)]) -> Vec<String> {
        let dependency = |(name, kind): &(&str, Option<&str>)| json!({"name": name, "kind": kind});
        let dependencies: Vec<Value> = dependencies.iter().map(dependency).collect();
        let package = json!({"id": "a", "name": package, "dependencies": dependencies});
        let metadata = json!({"workspace_members": ["a"], "packages": [package]});
        check(&metadata).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn arrows_that_are_drawn_pass() {
        assert!(whats("alluvium-flow", &[("alluvium-learn", None), ("serde", None)]).is_empty());
        assert!(whats("alluvium-embedded", &[("alluvium-sim", Some("dev"))]).is_empty());
        assert!(whats("alluvium", &[("alluvium-broker", Some("dev"))]).is_empty());
        assert!(whats("alluvium-learn", &[("alluvium-flow", Some("dev"))]).is_empty());
    }

    #[test]
    fn all_others_are_found() {
        let learn = whats("alluvium-learn", &[("alluvium-flow", None)]);
        assert_eq!(learn, ["an arrow from learn to flow"]);
        let cli = whats("alluvium", &[("alluvium-sim", Some("dev"))]);
        assert_eq!(cli, ["an arrow from cli to sim"]);
        let product = whats("alluvium", &[("alluvium-broker", None)]);
        assert_eq!(product, ["an arrow from cli to broker"]);
        assert_eq!(whats("alluvium-cloud", &[]), ["`alluvium-cloud` is no room"]);
    }

    #[test]
    fn the_edges_stay_at_the_edges() {
        assert_eq!(whats("alluvium-flow", &[("toml", None)]), ["flow knows `toml`"]);
        assert!(whats("alluvium", &[("toml", None)]).is_empty());
    }
}
