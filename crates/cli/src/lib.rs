//! The program's parts: what turns files, arguments and the terminal into calls of the rooms below.

#[expect(missing_docs, reason = "the doc comments of arguments are the help text")]
pub mod args;
pub mod cells;
pub mod clock;
pub mod failure;
pub mod load;
pub mod new;
pub mod open;
pub mod run;
pub mod screen;
pub mod settings;
pub mod signals;
pub mod source;
pub mod verbs;
