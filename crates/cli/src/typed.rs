//! Commands that people are told to type: about the pipeline they asked about, where it lives.

use std::path::Path;

use crate::{args::Named, screen::words};

/// A command about a pipeline, as a shell takes it.
pub fn command(verb: &str, file: &Path, rest: &str, named: &Named) -> String {
    let mut command = format!("alluvium {verb} {}", words::path(file));
    if !rest.is_empty() {
        command.push(' ');
        command.push_str(rest);
    }
    if let Some(name) = &named.name {
        command.push_str(&format!(" --as {}", words::word(name)));
    }
    if let Some(log) = &named.log {
        command.push_str(&format!(" --log {}", words::word(log)));
    }
    command
}

/// Commands and what each is for, below each other, the words in one column.
pub fn listed(rows: &[(String, &str)]) -> String {
    let column = rows.iter().map(|(command, _)| command.chars().count()).max().unwrap_or_default();
    let row = |(command, why): &(String, &str)| format!("  {command:column$}     {why}");
    rows.iter().map(row).collect::<Vec<String>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_names_the_pipeline_that_was_asked_about() {
        let file = Path::new("my file.toml");
        let plain = Named::default();
        assert_eq!(command("run", file, "", &plain), "alluvium run 'my file.toml'");
        let named = Named { name: Some("two".into()), log: Some("a log".into()) };
        let expected = "alluvium decide adopt 'my file.toml' --as two --log 'a log'";
        assert_eq!(command("decide adopt", file, "", &named), expected);
    }
}
