//! Places in a record as text, and names that are nearly right.

use crate::decode::{Path, Step};

/// Reads `a.b[0].c`, `$key`, `$headers.NAME`, `$time` or `$partition`. A column's name is taken as
/// it stands.
pub(super) fn parse(text: &str, is_csv: bool) -> Result<Path, String> {
    match text {
        "$key" => return Ok(Path::Key),
        "$time" => return Ok(Path::Time),
        "$partition" => return Ok(Path::Partition),
        _ => {}
    }
    if let Some(name) = text.strip_prefix("$headers.") {
        return Ok(Path::Header(name.into()));
    }
    if is_csv {
        return Ok(Path::Value(vec![Step::Key(text.into())]));
    }
    if text.starts_with('$') {
        let known = "`$key`, `$headers.NAME`, `$time` and `$partition`";
        return Err(format!("there is no `{text}`: there are {known}"));
    }
    let mut steps = Vec::new();
    for part in text.split('.') {
        let (key, mut rest) = part.split_at(part.find('[').unwrap_or(part.len()));
        if key.is_empty() && (steps.is_empty() || rest.is_empty()) {
            return Err(format!("`{text}` is no place in a record: write `a.b[0].c`"));
        }
        if !key.is_empty() {
            steps.push(Step::Key(key.into()));
        }
        while let Some(inner) = rest.strip_prefix('[') {
            let index = inner.split_once(']').and_then(|(i, rest)| Some((i.parse().ok()?, rest)));
            let Some((index, after)) = index else {
                return Err(format!("`{text}` is no place in a record: write `a.b[0].c`"));
            };
            steps.push(Step::Index(index));
            rest = after;
        }
        if !rest.is_empty() {
            return Err(format!("`{text}` is no place in a record: write `a.b[0].c`"));
        }
    }
    Ok(Path::Value(steps))
}

/// Whether Kafka would take it as a topic's name.
pub(super) fn is_topic(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=249).contains(&name.len()) && name.chars().all(is_allowed) && name != "." && name != ".."
}

/// "did you mean" for a name that is nearly one of those. A name that is one of them is wrong for
/// another reason, and one of which every letter differs is not near.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let scored = known.map(|known| (strsim::damerau_levenshtein(name, known), known));
    let (distance, nearest) = scored.min()?;
    let near = 1..=1 + name.len() / 4;
    let is_near = near.contains(&distance) && distance < name.chars().count();
    is_near.then(|| format!("did you mean `{nearest}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        let key = |name: &str| Step::Key(name.into());
        let path = Path::Value(vec![key("a"), key("b"), Step::Index(0), key("c")]);
        assert_eq!(parse("a.b[0].c", false), Ok(path));
        assert_eq!(parse("a.b", true), Ok(Path::Value(vec![key("a.b")])));
        assert_eq!(parse("$amount", true), Ok(Path::Value(vec![key("$amount")])));
        assert_eq!(parse("$headers.x", false), Ok(Path::Header("x".into())));
        for wrong in ["", "a..b", "a[", "a[x]", "$keys", ".a", "a[0]b"] {
            assert!(parse(wrong, false).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_nearly_right_is_offered() {
        let known = || ["nswprice", "vicprice"].into_iter();
        assert_eq!(nearest("nswprize", known()).as_deref(), Some("did you mean `nswprice`?"));
        assert_eq!(nearest("nswprice", known()), None);
        assert_eq!(nearest("q", ["b"].into_iter()), None);
        assert_eq!(nearest("temperature", known()), None);
    }
}
