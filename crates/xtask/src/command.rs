//! Other programs, run so that a reader could run them again.

use std::{fmt, path::PathBuf, process};

/// A command: its words, and what it finds in the environment.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    program: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    directory: PathBuf,
}

/// The cargo that runs us, in the root of the repository.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    // Inside `cargo xtask` the name of the cargo in use is handed down; it is not for reading.
    Command::new("cargo", arguments)
}

impl Command {
    /// A program and its arguments.
    pub(crate) fn new(program: &str, arguments: &[&str]) -> Command {
        Command {
            program: program.into(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            environment: Vec::new(),
            directory: crate::repository::root(),
        }
    }

    /// Sets a variable of the environment.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Command {
        self.environment.push((name.into(), value.into()));
        self
    }

    fn process(&self) -> process::Command {
        let mut process = process::Command::new(&self.program);
        process.args(&self.arguments).current_dir(&self.directory).stdin(process::Stdio::null());
        process.envs(self.environment.iter().map(|(name, value)| (name, value)));
        process
    }

    /// Runs it; what it prints goes where ours goes.
    ///
    /// # Errors
    /// When it cannot be started, or fails.
    pub(crate) fn run(&self) -> Result<(), String> {
        let status =
            self.process().status().map_err(|error| format!("starting `{self}`: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("`{self}` failed: {status}")) }
    }

    /// Runs it and takes what it prints on standard output.
    ///
    /// # Errors
    /// When it cannot be started, fails, or prints what is no text.
    pub(crate) fn read(&self) -> Result<String, String> {
        let output =
            self.process().output().map_err(|error| format!("starting `{self}`: {error}"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("`{self}` failed: {}\n{said}", output.status));
        }
        String::from_utf8(output.stdout).map_err(|_| format!("`{self}` printed what is no text"))
    }
}

/// As one would type it.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.environment {
            match value.contains(' ') {
                true => write!(f, "{name}='{value}' ")?,
                false => write!(f, "{name}={value} ")?,
            }
        }
        f.write_str(&self.program)?;
        for argument in &self.arguments {
            write!(f, " {argument}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let command =
            Command::new("cargo", &["doc", "--no-deps"]).with("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(command.to_string(), "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps");
    }

    #[test]
    fn a_failure_names_the_command() {
        let failed = Command::new("git", &["no-such-verb"]).read().unwrap_err();
        assert!(failed.starts_with("`git no-such-verb` failed"), "{failed}");
    }
}
