//! `sensor logs`: what the incident stage makes of text.

mod parse;
mod scrub;

use super::setup::Stop;
use crate::{cli::logs::Command, exit::Exit};

/// Runs the command.
///
/// # Errors
///
/// Where a file, a format or the configuration is of no use.
pub fn run(command: &Command) -> Result<Exit, Stop> {
    match command {
        Command::Parse(args) => parse::run(args),
        Command::Scrub(args) => scrub::run(args),
    }
}
