//! Rust text, read just closely enough for the rules: what is code, what is a comment or a string,
//! and where the tests of a file lie.

/// The same text with comments, strings and characters blanked out; lines and columns stay.
pub(crate) fn bare(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut bare = String::with_capacity(text.len());
    let mut at = 0;
    while at < letters.len() {
        let (end, is_blank) = match no_code(&letters, at) {
            Some(end) => (end, true),
            None => (at + word(&letters[at..]).max(1), false),
        };
        let kept = |letter: &char| if is_blank && *letter != '\n' { ' ' } else { *letter };
        bare.extend(letters[at..end].iter().map(kept));
        at = end;
    }
    bare
}

/// How long the word is that begins here.
fn word(letters: &[char]) -> usize {
    letters.iter().take_while(|letter| letter.is_alphanumeric() || **letter == '_').count()
}

/// Where the comment, string or character ends that begins here, if one does.
fn no_code(letters: &[char], at: usize) -> Option<usize> {
    let rest = &letters[at..];
    let length = match rest {
        ['/', '/', ..] => rest.iter().position(|letter| *letter == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => block_comment(rest),
        ['\'', '\\', ..] => 3 + rest.get(3..)?.iter().position(|letter| *letter == '\'')? + 1,
        ['\'', _, '\'', ..] => 3,
        _ => string(rest)?,
    };
    Some(at + length)
}

fn block_comment(letters: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < letters.len() {
        match letters[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] if depth == 1 => return at + 2,
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    letters.len()
}

/// `"..."`, `r#"..."#`, `b"..."` and so on.
fn string(letters: &[char]) -> Option<usize> {
    let prefix = letters.iter().take_while(|letter| matches!(letter, 'b' | 'c' | 'r')).count();
    let is_raw = letters[..prefix].last() == Some(&'r');
    let hashes = letters[prefix..].iter().take_while(|letter| **letter == '#').count();
    if prefix > 2 || !is_raw && hashes > 0 || letters.get(prefix + hashes) != Some(&'"') {
        return None;
    }
    let mut at = prefix + hashes + 1;
    while let Some(letter) = letters.get(at) {
        match letter {
            '\\' if !is_raw => at += 1,
            '"' if letters[at + 1..].iter().take(hashes).filter(|l| **l == '#').count()
                == hashes =>
            {
                return Some(at + 1 + hashes);
            }
            _ => {}
        }
        at += 1;
    }
    Some(letters.len())
}

/// How many lines a file has without the modules that are for tests alone. `bare` is bare code.
pub(crate) fn lines_without_tests(bare: &str) -> usize {
    let mut lines = bare.lines();
    let mut count = 0;
    while let Some(line) = lines.next() {
        let for_tests = line.trim_start().starts_with("#[cfg(test)]");
        if !for_tests {
            count += 1;
            continue;
        }
        // Up to the brace that closes what follows, or to its semicolon.
        let mut depth = 0_usize;
        for line in lines.by_ref() {
            depth += line.matches('{').count();
            depth = depth.saturating_sub(line.matches('}').count());
            if depth == 0 && (line.contains('}') || line.trim_end().ends_with(';')) {
                break;
            }
        }
    }
    count
}

/// The lines of a file's `//!` head, without the marks.
pub(crate) fn head(text: &str) -> Vec<&str> {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect()
}

/// The entries of a family's table, as `module`, `Type`; none where the file has no table.
pub(crate) fn family_entries(bare: &str) -> Vec<(&str, &str)> {
    let Some((_, table)) = bare.split_once("family! {") else { return Vec::new() };
    let entry = |line: &'_ str| -> Option<(usize, usize)> {
        let line = line.strip_suffix(',')?;
        let (module, kind) = line.split_once("::")?;
        let is_name = |name: &str| name.chars().all(|l| l.is_alphanumeric() || l == '_');
        (is_name(module) && is_name(kind)).then_some((module.len(), line.len()))
    };
    let lines = table.lines().map(str::trim);
    lines.filter_map(|line| entry(line).map(|(m, end)| (&line[..m], &line[m + 2..end]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_stays() {
        let text =
            "a // b\nc /* d /* e */ f */ g \"h\\\" i\" 'j' '\\n' &'k l r#\"m \" n\"# b\"o\" p";
        let expected = "a     \nc                      g                      &'k l";
        let bare = bare(text);
        assert_eq!(bare.chars().count(), text.chars().count());
        let words =
            |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_string).collect() };
        assert_eq!(words(&bare), [words(expected), vec!["p".into()]].concat());
        assert_eq!(bare.lines().count(), 2);
    }

    #[test]
    fn a_word_that_ends_like_a_prefix_is_no_string() {
        assert_eq!(bare("br = for_r(\"x\")"), "br = for_r(   )");
        assert_eq!(bare("r#type"), "r#type");
    }

    #[test]
    fn tests_do_not_count() {
        let text = "a\n#[cfg(test)]\nmod tests {\n    {\n    }\n}\nb\n#[cfg(test)]\nmod more;\nc\n";
        assert_eq!(lines_without_tests(text), 3);
    }

    #[test]
    fn the_head_ends_with_the_first_other_line() {
        assert_eq!(head("//! a\n//!\n//!  b\n\n//! c\n"), ["a", "", " b"]);
    }

    #[test]
    fn the_entries_of_a_table_are_found() {
        let text = "family! {\n    A of dyn L via crate::C, built with &S; {\n        one::One,\n        \
                    two::Two,\n    }\n}\n";
        assert_eq!(family_entries(text), [("one", "One"), ("two", "Two")]);
        assert!(family_entries("a::B,").is_empty());
    }
}
