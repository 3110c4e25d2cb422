//! The program's parts: what turns files, arguments and the terminal into calls of the rooms below.

#[expect(missing_docs, reason = "the doc comments of arguments are the help text")]
pub mod args;
pub mod cells;
pub mod check;
pub mod clock;
pub mod decide;
pub mod failure;
pub mod halted;
pub mod header;
pub mod last_run;
pub mod load;
pub mod look;
pub mod models;
pub mod new;
pub mod open;
pub mod patience;
pub mod plain;
pub mod plan;
pub mod record;
pub mod run;
pub mod score;
pub mod screen;
pub mod settings;
pub mod show;
pub mod signals;
pub mod skip;
pub mod source;
pub mod source_rows;
pub mod status;
pub mod store;
pub mod streams;
pub mod table;
pub mod tell;
pub mod typed;
pub mod verbs;
pub mod verify;
