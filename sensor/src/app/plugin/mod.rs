//! `sensor plugin`: one file a command.

mod list;
mod migrate;
mod new;

use std::{io, path::Path};

use super::setup::Stop;
use crate::{cli::plugin::Command, exit::Exit};

/// Does what is asked.
///
/// # Errors
///
/// What keeps it from being done.
pub fn run(command: &Command) -> Result<Exit, Stop> {
    match command {
        Command::List(args) => list::list(args),
        Command::Check(args) => list::check(args),
        Command::New(args) => new::run(args),
        Command::Migrate(args) => migrate::run(args),
    }
}

/// A failure to make something at `path`.
fn cannot_create(path: &Path, error: &io::Error) -> Stop {
    let line = format!("{}: cannot be written: {error}", path.display());
    Stop::new(Exit::CannotCreate, line)
}
