//! The page of the command line: the help of every verb.

use alluvium::args::Arguments;
use clap::{Command, CommandFactory};

/// The page.
pub(super) fn page() -> String {
    let mut command = Arguments::command().term_width(100);
    command.build();
    let mut text = "# The command line\n".to_string();
    section(&mut command, &mut text);
    text
}

fn section(command: &mut Command, text: &mut String) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_string();
    let help = command.render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    text.push_str(&format!("\n## `{name}`\n\n```text\n{}\n```\n", help.join("\n").trim_end()));
    for verb in command.get_subcommands_mut().filter(|verb| verb.get_name() != "help") {
        section(verb, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_its_help() {
        let page = page();
        for verb in ["alluvium run", "alluvium models at"] {
            assert!(page.contains(&format!("\n## `{verb}`\n")), "{verb} is missing");
        }
    }
}
