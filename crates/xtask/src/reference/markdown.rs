//! Small pieces of Markdown.

use serde_json::Value;

/// A documentation comment without its links into the code: these lead nowhere on a page.
pub(super) fn plain(text: &str) -> String {
    let mut rest = text;
    let mut plain = String::new();
    while let Some(start) = rest.find("[`") {
        let Some(end) = rest[start..].find("`]").map(|end| start + end) else { break };
        plain.push_str(&rest[..start]);
        let name = &rest[start + 2..end];
        let after = &rest[end + 2..];
        if after.starts_with('(') && !after.starts_with("(crate") {
            // A link of the page's own.
            plain.push_str(&rest[start..end + 2]);
        } else {
            plain.push_str(&format!("`{}`", name.trim_start_matches("Config::")));
        }
        rest = after;
    }
    plain + rest
}

/// A text in one cell of a table.
pub(super) fn cell(text: &str) -> String {
    plain(text).split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// A table, without the columns that are empty in every row.
pub(super) fn table(columns: &[&str], rows: &[Vec<String>]) -> String {
    let has = |column: &usize| rows.iter().any(|row| !row[*column].is_empty());
    let kept: Vec<usize> = (0..columns.len()).filter(has).collect();
    let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
    let mut table = line(kept.iter().map(|at| columns[*at]).collect());
    table.push_str(&line(kept.iter().map(|_| "---").collect()));
    for row in rows {
        table.push_str(&line(kept.iter().map(|at| row[*at].as_str()).collect()));
    }
    table
}

/// A value as the pipeline file has it.
pub(super) fn toml(value: &Value) -> String {
    match value {
        Value::Null => "none".into(),
        Value::String(text) => format!("{text:?}"),
        Value::Array(list) => format!("[{}]", list.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Object(table) if table.is_empty() => "{}".into(),
        Value::Object(table) => {
            let one = |(name, value): (&String, &Value)| format!("{name} = {}", toml(value));
            format!("{{ {} }}", table.iter().map(one).collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}

/// The first letter large.
pub(super) fn title(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn links_into_the_code_are_names() {
        assert_eq!(
            plain("see [`Config::a`] and [`B`], [`c`](c.md)"),
            "see `a` and `B`, [`c`](c.md)"
        );
        assert_eq!(plain("open [`x"), "open [`x");
    }

    #[test]
    fn a_table_leaves_empty_columns_out() {
        let rows = [vec!["1".into(), String::new(), "a|b".into()]];
        assert_eq!(table(&["x", "y", "z"], &rows), "| x | z |\n| --- | --- |\n| 1 | a|b |\n");
        assert_eq!(cell("a |\n  b"), "a \\| b");
    }

    #[test]
    fn values_are_shown_as_in_the_file() {
        assert_eq!(toml(&json!({"a": [1, "b"], "c": null})), "{ a = [1, \"b\"], c = none }");
    }
}
