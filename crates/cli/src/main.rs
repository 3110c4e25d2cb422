//! The binary: reads the command line, calls the verb, tells the shell how it went.

use std::{io::IsTerminal, process::ExitCode};

use alluvium::{args::Arguments, verbs};
use clap::Parser;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match verbs::call(&arguments.verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprint!("{}", failure.show(std::io::stderr().is_terminal()));
            failure.exit_code()
        }
    }
}
