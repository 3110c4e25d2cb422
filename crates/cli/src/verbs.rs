//! Calls the verb that the command line names.

use clap::CommandFactory;

use crate::{
    args::{Arguments, Verb},
    check, decide,
    failure::Failure,
    load, models, new, rebuild, run, score,
    screen::say,
    show, status, verify,
};

/// The verb that is most like a word that is none.
pub fn meant(word: &str) -> Option<String> {
    let command = Arguments::command();
    let verbs = command.get_subcommands().map(|verb| verb.get_name().to_string());
    let far = |verb: &String| strsim::damerau_levenshtein(word, verb);
    verbs.filter(|verb| verb != word && far(verb) * 3 <= verb.len().max(3)).min_by_key(far)
}

/// Does what the command line asks for.
///
/// # Errors
/// What the verb ended with.
pub fn call(verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::Check(call) => check::run(call),
        Verb::New(call) => new::run(call),
        Verb::Load(call) => load::run(call),
        Verb::Run(call) => run::run(call),
        Verb::Score(call) => score::run(call),
        Verb::Show(call) => show::run(call),
        Verb::Verify(call) => verify::run(call),
        Verb::Rebuild(call) => rebuild::run(call),
        Verb::Decide(call) => decide::run(call),
        Verb::Status(call) => status::run(call),
        Verb::Models(call) => models::run(call),
        Verb::Schema => {
            let schema = crate::settings::json_schema::<alluvium_flow::spec::Spec>();
            say(&serde_json::to_string_pretty(&schema)?);
            Ok(())
        }
        Verb::Completions { shell } => {
            let mut out = Vec::new();
            let mut command = Arguments::command();
            clap_complete::generate(*shell, &mut command, "alluvium", &mut out);
            say(&String::from_utf8_lossy(&out));
            Ok(())
        }
    }
}
