//! How a verb can end badly, and what the shell is told.

use std::{fmt, process::ExitCode};

use crate::settings::Mistakes;

/// Why a verb did not do what was asked.
#[derive(Debug)]
pub enum Failure {
    /// It failed: exit code 1.
    Failed(anyhow::Error),
    /// The file has mistakes, or the call has: exit code 2.
    Mistakes(Box<Mistakes>),
    /// The call asks for something that cannot be: exit code 2.
    Usage(String),
    /// It waits for somebody to decide: exit code 3. The text says what to type.
    Halted(String),
}

impl Failure {
    /// What the shell is told.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Failed(_) => ExitCode::from(1),
            Failure::Mistakes(_) | Failure::Usage(_) => ExitCode::from(2),
            Failure::Halted(_) => ExitCode::from(3),
        }
    }

    /// What people are told.
    pub fn show(&self, colour: bool) -> String {
        match self {
            Failure::Failed(error) => format!("error: {error:#}\n"),
            Failure::Mistakes(mistakes) => mistakes.show(colour),
            Failure::Usage(text) => format!("error: {text}\n"),
            Failure::Halted(text) => format!("{text}\n"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.show(false))
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::Failed(error.into())
    }
}
