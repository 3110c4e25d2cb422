//! TOML 1.0 as people write it: keys bare where they can be, comments in one column.

use crate::plain;

/// Where comments begin.
const COMMENT_COLUMN: usize = 45;
/// How long a line may be before a list is broken.
const LINE_MAX: usize = 100;

/// A key, quoted if it has to be.
pub(super) fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match !name.is_empty() && name.chars().all(is_bare) {
        true => name.into(),
        false => text(name),
    }
}

/// A text in quotes.
pub(super) fn text(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\t' => quoted.push_str("\\t"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            character if plain::is_odd(character) => {
                quoted.push_str(&format!("\\u{:04X}", u32::from(character)));
            }
            character => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// Texts as a list on one line.
pub(super) fn list<S: AsRef<str>>(texts: &[S]) -> String {
    let quoted: Vec<String> = texts.iter().map(|one| text(one.as_ref())).collect();
    format!("[{}]", quoted.join(", "))
}

/// Texts as a list that begins after `before`, over several lines if it is long.
pub(super) fn long_list<S: AsRef<str>>(before: &str, texts: &[S]) -> String {
    let line = format!("{before}{}", list(texts));
    if line.chars().count() <= LINE_MAX {
        return line;
    }
    let mut all = format!("{before}[\n");
    let mut line = String::from("   ");
    for one in texts {
        let one = format!(" {},", text(one.as_ref()));
        if line.chars().count() + one.chars().count() > LINE_MAX && line.len() > 3 {
            all.push_str(&line);
            all.push('\n');
            line = "   ".into();
        }
        line.push_str(&one);
    }
    all.push_str(&line);
    all.push_str("\n]");
    all
}

/// A line with a comment behind it.
pub(super) fn line(code: &str, comment: &str) -> String {
    if comment.is_empty() {
        return code.into();
    }
    let last = code.rsplit('\n').next().unwrap_or(code).chars().count();
    let room = COMMENT_COLUMN.saturating_sub(last).max(2);
    format!("{code}{:room$}# {}", "", comment_text(comment))
}

/// What may stand in a comment: no line ends, nothing that is not printed.
pub(super) fn comment_text(text: &str) -> String {
    let mut shown: String = plain::line(text).chars().take(200).collect();
    shown.truncate(shown.trim_end().len());
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings;
    use std::collections::BTreeMap;

    fn back(key: &str, toml: &str) -> Vec<String> {
        settings::read::<BTreeMap<String, Vec<String>>>("t", toml).unwrap().value[key].clone()
    }

    #[test]
    fn keys_and_texts_are_quoted_where_they_must_be() {
        assert_eq!(key("a_1-b"), "a_1-b");
        assert_eq!(key("0"), "0");
        assert_eq!(key("größe"), "\"größe\"");
        assert_eq!(key(""), "\"\"");
        assert_eq!(text("a\"b\\c\n\u{1}"), r#""a\"b\\c\n\u0001""#);
        let odd = "\u{7f}\u{85}\"x\u{202e}";
        assert!(text(odd).is_ascii());
        assert_eq!(back("a", &format!("a = [{}]", text(odd))), [odd]);
    }

    #[test]
    fn long_lists_are_broken() {
        let names: Vec<String> = (0..40).map(|i| format!("column_{i}")).collect();
        let text = long_list("a = ", &names);
        assert!(text.lines().all(|line| line.len() <= LINE_MAX) && text.lines().count() > 3);
        assert_eq!(back("a", &text), names);
        assert_eq!(line("a = 1", "b\nc"), format!("a = 1{:40}# b c", ""));
    }
}
