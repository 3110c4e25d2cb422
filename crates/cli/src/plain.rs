//! Text that came from outside, made fit to be shown: nothing in it moves the cursor, changes
//! colours, or turns the reading direction round.

use serde_json::Value;

/// Characters that turn the reading direction round or are not seen at all: what they do to a line
/// in a terminal or an editor, its reader cannot know.
fn is_unseen(character: char) -> bool {
    matches!(character,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{feff}')
}

/// Whether a character does something other than being seen.
pub fn is_odd(character: char) -> bool {
    character.is_control() || is_unseen(character)
}

fn shown(character: char) -> char {
    match character {
        control if control.is_control() => ' ',
        unseen if is_unseen(unseen) => char::REPLACEMENT_CHARACTER,
        plain => plain,
    }
}

/// A text on one line.
pub fn line(text: &str) -> String {
    text.chars().map(shown).collect()
}

/// A text that may have several lines.
pub fn lines(text: &str) -> String {
    text.chars().map(|character| if character == '\n' { '\n' } else { shown(character) }).collect()
}

/// JSON on one line, as good as what it was made of: what is odd can only stand in its strings, and
/// is written there as an escape.
pub fn json(value: &Value) -> String {
    let text = value.to_string();
    if !text.chars().any(is_odd) {
        return text;
    }
    let mut plain = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match is_odd(character) {
            // All of them lie in the plane that four digits can name.
            true => plain.push_str(&format!("\\u{:04x}", u32::from(character))),
            false => plain.push(character),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_does_nothing_but_being_seen() {
        let hostile = "a\u{1b}[31m\u{9b}2J\u{7f}\r\n\u{202e}größe\u{2066}";
        assert_eq!(line(hostile), "a [31m 2J   \u{fffd}größe\u{fffd}");
        assert_eq!(lines("a\n\u{1b}b\tc"), "a\n b c");
        let value = Value::from(hostile);
        let json = json(&value);
        assert!(!json.chars().any(is_odd), "{json}");
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value);
    }
}
