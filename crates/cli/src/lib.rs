//! The program's parts: what turns files, arguments and the terminal into calls of the rooms below.
#![warn(missing_docs)]

pub mod settings;
