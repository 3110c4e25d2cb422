//! The known name that someone probably meant, and lists of names.

/// How like a name has to be: `over` and `ovr` are (0.75), `flag` and `float` are not (0.6).
const LIKE: f64 = 0.65;

/// The known name nearest to what was written, if one is near.
pub(crate) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let plain = |name: &str| name.replace(['-', ' ', '_'], "").to_lowercase();
    let written = plain(written);
    let mut best = None;
    for name in known {
        let likeness = likeness(&written, &plain(name));
        if likeness >= LIKE && best.is_none_or(|(most, _)| likeness > most) {
            best = Some((likeness, name));
        }
    }
    best.map(|(_, name)| name)
}

/// From 0 to 1: mostly how few letters differ; a name that was cut short is near too.
fn likeness(written: &str, known: &str) -> f64 {
    let few_differ = strsim::normalized_damerau_levenshtein(written, known);
    let cut_short = written.len() >= 3 && known.starts_with(written);
    let went_on = known.len() >= 3 && written.starts_with(known);
    if cut_short || went_on { few_differ.max(0.75) } else { few_differ }
}

/// `a`, `b` or `c`.
pub(super) fn one_of<S: AsRef<str>>(names: &[S], last: &str) -> String {
    match names {
        [] => String::new(),
        [one] => one.as_ref().to_string(),
        [others @ .., end] => {
            let others: Vec<&str> = others.iter().map(AsRef::as_ref).collect();
            format!("{} {last} {}", others.join(", "), end.as_ref())
        }
    }
}

/// Names between ticks, with commas.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_found_and_what_is_far_is_not() {
        let known = ["hoeffding_tree", "logistic_regression", "no_change", "input"];
        assert_eq!(nearest("hoefding_tree", known), Some("hoeffding_tree"));
        assert_eq!(nearest("HoeffdingTree", known), Some("hoeffding_tree"));
        assert_eq!(nearest("logistic", known), Some("logistic_regression"));
        assert_eq!(nearest("inputs", known), Some("input"));
        assert_eq!(nearest("float", ["flag"]), None);
        assert_eq!(nearest("banana", known), None);
        assert_eq!(nearest("", known), None);
    }

    #[test]
    fn lists_read_as_sentences() {
        assert_eq!(one_of(&["a", "b", "c"], "or"), "a, b or c");
        assert_eq!(one_of(&["a"], "or"), "a");
        assert_eq!(listed(["a", "b"]), "`a`, `b`");
    }
}
