//! Calls the verb that the command line names.

use clap::CommandFactory;

use crate::{
    args::{Arguments, Verb},
    failure::Failure,
    load, new, run,
    screen::say,
};

/// Does what the command line asks for.
///
/// # Errors
/// What the verb ended with.
pub fn call(verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::New(call) => new::run(call),
        Verb::Load(call) => load::run(call),
        Verb::Run(call) => run::run(call),
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
        _ => Err(Failure::Usage("not yet".into())),
    }
}
