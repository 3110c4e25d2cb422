//! The syntax of Java's property files, and of the one line of JAAS in them that matters.

/// One setting: its line in the file (from one), its name and its value.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Property {
    pub(crate) line: usize,
    pub(crate) name: String,
    pub(crate) value: String,
}

/// Reads a property file: `name = value`, `name: value` or `name value`; `#` and `!` begin a
/// comment; a backslash at the end of a line goes on in the next, and elsewhere escapes.
pub(crate) fn parse(text: &str) -> Vec<Property> {
    let mut properties = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let mut whole = line.trim_start().to_owned();
        if whole.is_empty() || whole.starts_with(['#', '!']) {
            continue;
        }
        while goes_on(&whole) {
            whole.pop();
            let Some((_, next)) = lines.next() else { break };
            whole.push_str(next.trim_start());
        }
        let (name, value) = split(&whole);
        properties.push(Property { line: index + 1, name: unescape(name), value: unescape(value) });
    }
    properties
}

/// Whether a line ends with an odd number of backslashes.
fn goes_on(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Splits at the first `=`, `:` or space that is not escaped.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '=' | ':' | ' ' | '\t' => {
                let rest = line[at..].trim_start();
                let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
                return (&line[..at], rest.trim_start());
            }
            _ => {}
        }
    }
    (line, "")
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                plain.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain
}

/// The user and the password in `sasl.jaas.config`, for the login modules whose options those are.
pub(crate) fn login(jaas: &str) -> Result<(String, String), &'static str> {
    let module = jaas.split_whitespace().next().unwrap_or_default();
    if !module.ends_with(".PlainLoginModule") && !module.ends_with(".ScramLoginModule") {
        return Err("only PlainLoginModule and ScramLoginModule are known here");
    }
    let (mut user, mut password) = (None, None);
    let mut rest = jaas;
    while let Some((before, after)) = rest.split_once('=') {
        let name = before.trim_end().rsplit(char::is_whitespace).next().unwrap_or_default();
        let (value, behind) = quoted(after.trim_start())
            .ok_or("each option is written name=\"value\", and the last one is followed by `;`")?;
        match name {
            "username" => user = Some(value),
            "password" => password = Some(value),
            _ => {}
        }
        rest = behind;
    }
    user.zip(password).ok_or("it has to name a username and a password")
}

/// A text in quotes, with backslashes for what is special, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| ['"', '\''].contains(c))?;
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            c if c == quote => return Some((value, &text[at + 1..])),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_java_reads_them() {
        let text = "# a comment\n! another\n\n  a = b = c \nd:e\nf g\nh\\ i=j\\\n   k\\tl\\u0041\nm\n\
                    n=o\\\\\np=q\n";
        let found: Vec<(usize, String, String)> =
            parse(text).into_iter().map(|p| (p.line, p.name, p.value)).collect();
        let expected = [
            (4, "a", "b = c "),
            (5, "d", "e"),
            (6, "f", "g"),
            (7, "h i", "jk\tlA"),
            (9, "m", ""),
            (10, "n", "o\\"),
            (11, "p", "q"),
        ];
        assert_eq!(found, expected.map(|(line, name, value)| (line, name.into(), value.into())));
    }

    #[test]
    fn a_login_is_taken_apart() {
        let module = "org.apache.kafka.common.security.scram.ScramLoginModule required";
        let jaas = format!("{module} username=\"al=ice\" password = \"a;\\\"b\\\\ c\";");
        assert_eq!(login(&jaas), Ok(("al=ice".to_owned(), "a;\"b\\ c".to_owned())));
        assert!(login(&format!("{module} username=\"alice\";")).is_err());
        assert!(login(&format!("{module} username=alice password=b;")).is_err());
        assert!(login("com.sun.security.auth.module.Krb5LoginModule required;").is_err());
        assert!(login("").is_err());
    }
}
