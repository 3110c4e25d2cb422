//! Halts: what to say of one, and what to type.

use std::sync::Arc;

use alluvium_flow::{Pipeline, Settings};
use alluvium_ledger::{control::Stopped, keeper::Halt};

use crate::{failure::Failure, open::Opened, run::changes, typed};

/// Something to type, and what it does.
pub type Answer = (String, &'static str);

/// How what was learned fits the settings of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It could go on with them.
    Whole,
    /// It could, where what they name more begins with nothing learned.
    FromHere,
    /// It could not.
    Unfit,
}

impl Fit {
    /// How a pipeline fits settings that it could not go on with as it is.
    pub fn from_here(pipeline: &Pipeline, to: &Arc<Settings>) -> Fit {
        match pipeline.could_begin(to) {
            Ok(()) => Fit::FromHere,
            Err(_) => Fit::Unfit,
        }
    }
}

/// The answers to a halt of a kind, as control names it; only such as can be given.
pub fn answers(kind: &str, fit: Fit, opened: &Opened) -> Vec<Answer> {
    let status = |why| (opened.command("status", ""), why);
    match kind {
        "changed" => {
            let adopt = (opened.command("decide adopt", ""), "go on with the state as it is");
            let another = (opened.run_as_another(), "a second pipeline, from the beginning");
            let here = opened.command("decide adopt", "--from-here");
            match fit {
                Fit::Whole => vec![adopt, another],
                Fit::FromHere => {
                    vec![(here, "what is new begins here, with nothing learned"), another]
                }
                Fit::Unfit => vec![another],
            }
        }
        "refused" => vec![
            (opened.command("show", "dead-letters"), "what they were, and why"),
            ("[refusals] share_max = ...".into(), "in the file, to bear more of them"),
        ],
        "unreadable" => vec![
            (opened.command("decide skip", ""), "pass over what cannot be read, and go on"),
            (opened.run_as_another(), "a new pipeline, over what the log holds"),
        ],
        "denied" => vec![(opened.command("run", ""), "once it is allowed, to go on")],
        kind => {
            let why = match kind {
                "broken" => "the last version is safe; please report this, with what it says",
                _ => "how far it had come",
            };
            let another = (opened.run_as_another(), "a new pipeline, over what the log holds");
            vec![status(why), another]
        }
    }
}

/// The answers to a halt of this run.
pub fn answers_to(halt: &Halt, opened: &Opened) -> Vec<Answer> {
    let fit = match halt {
        Halt::Changed { from, to, unfit: Some(_) } => {
            Pipeline::build(from).map_or(Fit::Unfit, |pipeline| Fit::from_here(&pipeline, to))
        }
        _ => Fit::Whole,
    };
    answers(halt.kind(), fit, opened)
}

/// What to say and to type when a run has halted.
pub fn failure(halt: &Halt, opened: &Opened) -> Failure {
    let file = opened.file.display();
    let listed = || typed::listed(&answers_to(halt, opened));
    let text = match halt {
        Halt::Changed { from, to, unfit: None } => format!(
            "halted: what is learned was changed in {file}\n\n{}\n\
             what was learned so far was learned the other way. Say what is meant:\n\n{}\n  \
             or put the file back",
            changes(from, to),
            listed()
        ),
        Halt::Changed { from, to, unfit: Some(why) } => {
            format!(
                "halted: what is learned was changed in {file}\n\n{}",
                does_not_fit(from, to, why, &answers_to(halt, opened))
            )
        }
        Halt::Refused { .. }
        | Halt::Settings(_)
        | Halt::LogChanged(_)
        | Halt::Expired(_)
        | Halt::Unreadable { .. }
        | Halt::Denied(_)
        | Halt::Broken(_) => format!("halted: {halt}\n\n{}", listed()),
    };
    Failure::Halted(text)
}

/// What differs, why what was learned does not fit that, and what to type.
pub fn does_not_fit(
    from: &Arc<Settings>,
    to: &Arc<Settings>,
    why: &str,
    answers: &[Answer],
) -> String {
    format!(
        "{}\nwhat was learned does not fit that: {why}. Say what is meant:\n\n{}\n  \
         or put the file back",
        changes(from, to),
        typed::listed(answers)
    )
}

/// The refusal of what can act only once a halted pipeline goes on.
pub fn not_while_halted(halted: &Stopped, fit: Fit, opened: &Opened) -> Failure {
    Failure::Usage(format!(
        "it has halted, and what is asked now would act only when it goes on: {}\n\n\
         answer that first:\n\n{}",
        halted.why,
        typed::listed(&answers(&halted.kind, fit, opened))
    ))
}
