//! The binary: reads the command line, calls the verb, tells the shell how it went.

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
};

use alluvium::{args::Arguments, failure::Failure, verbs};
use clap::{Parser, error::ErrorKind};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => match wrong_verb(&error) {
            Some(failure) => return tell(&failure),
            None => error.exit(),
        },
    };
    match verbs::call(&arguments.verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => tell(&failure),
    }
}

/// What was meant where a verb is missing or misspelt: who names a pipeline file there most likely
/// means `run`.
fn wrong_verb(error: &clap::Error) -> Option<Failure> {
    let first = std::env::args().nth(1)?;
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    if first.ends_with(".toml") {
        return Some(Failure::Usage(format!("say what to do with it: alluvium run {first}")));
    }
    let verb = verbs::meant(&first)?;
    Some(Failure::Usage(format!("there is no verb `{first}`: did you mean `{verb}`?")))
}

/// Says what happened, as far as anybody listens.
fn tell(failure: &Failure) -> ExitCode {
    let mut stderr = std::io::stderr().lock();
    let text = failure.show(stderr.is_terminal());
    stderr.write_all(text.as_bytes()).unwrap_or_default();
    failure.exit_code()
}
