//! How a verb can end badly, and what the shell is told.

use std::{fmt, process::ExitCode};

use crate::{plain, settings::Mistakes};

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
    /// There is no model of that name.
    pub fn unknown_model<'a>(
        model: &str,
        known: impl IntoIterator<Item = &'a (impl AsRef<str> + ?Sized + 'a)>,
    ) -> Failure {
        let known: Vec<&str> = known.into_iter().map(AsRef::as_ref).collect();
        Failure::Usage(format!("there is no model {model}: there are {}", known.join(", ")))
    }

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
            Failure::Failed(error) => {
                format!("{}: {}\n", label("error", colour), plain::lines(&chain(error)))
            }
            Failure::Mistakes(mistakes) => format!("{}\n", mistakes.show(colour).trim_end()),
            Failure::Usage(text) => {
                format!("{}: {}\n", label("error", colour), plain::lines(text))
            }
            Failure::Halted(text) => match text.strip_prefix("halted") {
                Some(rest) => format!("{}{}\n", label("halted", colour), plain::lines(rest)),
                None => format!("{}\n", plain::lines(text)),
            },
        }
    }
}

/// A first word that is seen.
fn label(word: &str, colour: bool) -> String {
    console::Style::new().red().bold().force_styling(colour).apply_to(word).to_string()
}

/// What was attempted and why it failed. A cause that what went before has said already is left
/// out.
fn chain(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if said.contains(&cause) {
            continue;
        }
        if !said.is_empty() {
            said.push_str(": ");
        }
        said.push_str(&cause);
    }
    said
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

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn nothing_is_said_twice() {
        let error: anyhow::Result<()> =
            Err(anyhow!("no room")).context("writing data.mdb: no room").context("opening the log");
        let failure = Failure::Failed(error.unwrap_err());
        assert_eq!(failure.to_string(), "error: opening the log: writing data.mdb: no room\n");
    }

    #[test]
    fn what_is_quoted_from_a_file_does_nothing() {
        let failure = Failure::Failed(anyhow!("a.csv begins with `x,\u{1b}[2J\u{9b}31m`"));
        assert_eq!(failure.to_string(), "error: a.csv begins with `x, [2J 31m`\n");
    }
}
