//! Reads a pipeline file and plans it: every mistake of either kind at once.

use alluvium_flow::{Mistake, Pipeline, spec::Spec};

use crate::settings::{self, Mistaken, Mistakes, Parsed, Part, Places};

/// How often a wrong value is replaced by its default, to see whether there is another.
const ROUNDS_MAX: usize = 20;

/// A pipeline file's settings, and where they stand. `beyond` finds mistakes that only the command
/// line can see.
///
/// # Errors
/// All mistakes at once.
pub fn read(
    shown: &str,
    text: &str,
    name: Option<&str>,
    beyond: impl Fn(&Spec, &Places) -> Vec<settings::Mistake>,
) -> Result<Spec, Mistakes> {
    let named = |spec: &mut Spec| {
        if let Some(name) = name {
            spec.name = name.into();
        }
    };
    let (mut mistakes, places, part) = match settings::read_in_part::<Spec>(shown, text) {
        Ok(Parsed { value: mut spec, places, part }) => {
            named(&mut spec);
            let mut mistakes = planned(&spec, &places);
            mistakes.extend(beyond(&spec, &places));
            if mistakes.is_empty() {
                return Ok(spec);
            }
            (mistakes, places, Some(part))
        }
        Err(mistaken) => {
            let Mistaken { mistakes, places, part } = *mistaken;
            (mistakes, places, part)
        }
    };
    if let Some(part) = part {
        more(part, &mut mistakes, &places, named);
    }
    Err(places.mistakes(mistakes))
}

/// The mistakes that are seen only where others are not: a component names the first value that is
/// wrong, and what makes no settings is never planned.
fn more(
    mut part: Part,
    mistakes: &mut Vec<settings::Mistake>,
    places: &Places,
    named: impl Fn(&mut Spec),
) {
    for mistake in mistakes.iter() {
        part.default_at(&mistake.path);
    }
    for _ in 0..ROUNDS_MAX {
        let before = part.clone();
        let Some(mut spec) = part.read::<Spec>() else { return };
        named(&mut spec);
        let mut found = planned(&spec, places);
        found.retain(|later| !before.follows(later, mistakes, places));
        found.retain(|later| !part.follows(later, mistakes, places));
        let paths: Vec<String> = found.iter().map(|mistake| mistake.path.clone()).collect();
        mistakes.append(&mut found);
        let are_replaced = paths.iter().filter(|path| part.default_at(path)).count();
        if are_replaced == 0 {
            return;
        }
    }
}

fn planned(spec: &Spec, places: &Places) -> Vec<settings::Mistake> {
    let at = |mistake: &Mistake| {
        let help = mistake.help.as_deref().unwrap_or_default();
        places.mistake(&mistake.path, mistake.message.clone(), help)
    };
    match Pipeline::of_spec(spec) {
        Ok(_) => Vec::new(),
        Err(error) => error.mistakes.iter().map(at).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
name = "m"
[input.m]
format.csv = ["a", "b", "class"]
[fields]
a = "number"
b = "number"
[label]
field = "class"
type = "class"
[features]
x.standardize = ["a"]
y.lag = ["x"]
[model.t]
use = ["x", "y"]
learner.hoeffding_tree = { grace_period = 10, delta = 0.1 }
"#;

    /// The paths of the mistakes that are shown of the file with these changes.
    fn paths(changes: &[(&str, &str)]) -> Vec<String> {
        let mut text = FILE.to_string();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        match read("m.toml", &text, None, |_, _| Vec::new()) {
            Ok(_) => Vec::new(),
            Err(mistakes) => mistakes.list().iter().map(|mistake| mistake.path.clone()).collect(),
        }
    }

    #[test]
    fn every_wrong_value_of_a_component_is_shown() {
        let tree = "model.t.learner.hoeffding_tree";
        assert_eq!(paths(&[]), [""; 0]);
        assert_eq!(
            paths(&[("grace_period = 10", "grace_period = 0"), ("delta = 0.1", "delta = 7.0")]),
            [format!("{tree}.grace_period"), format!("{tree}.delta")]
        );
    }

    #[test]
    fn what_makes_no_settings_and_what_makes_no_pipeline_are_shown_at_once() {
        let grace = ("grace_period = 10", "grace_period = 0");
        let tree = "model.t.learner.hoeffding_tree";
        assert_eq!(
            paths(&[("delta = 0.1", "delta = true"), grace, ("[\"a\"]", "[\"c\"]")]),
            [
                "features.x.standardize.of".to_string(),
                format!("{tree}.grace_period"),
                format!("{tree}.delta")
            ]
        );
        assert_eq!(
            paths(&[("[fields]", "[judge]\novr = 1\n[fields]"), grace]),
            ["judge.ovr".to_string(), format!("{tree}.grace_period")]
        );
    }

    #[test]
    fn what_follows_from_a_mistake_is_none() {
        let one: [(&str, &str, &str); 7] = [
            ("a = \"number\"", "a = \"nummer\"", "fields.a"),
            ("a = \"number\"", "a.numbers = 0", "fields.a.numbers.count"),
            ("x.standardize", "x.standardise", "features.x"),
            ("use =", "ues =", "model.t.ues"),
            ("learner.hoeffding_tree =", "learner.hoefding =", "model.t.learner.hoefding"),
            ("field = \"class\"", "feld = \"class\"", "label.feld"),
            ("[input.m]\nformat", "[input.m]\nfromat", "input.m.fromat"),
        ];
        for (from, to, path) in one {
            let found = paths(&[(from, to)]);
            assert!(matches!(found.as_slice(), [one] if one.starts_with(path)), "{to}: {found:?}");
        }
    }
}
