//! `sensor plugin`: one file a command.

mod install;
mod list;
mod manifest;
mod migrate;
mod new;
mod systemctl;
mod uninstall;
mod verify;

use std::{io, path::Path};

use crate::{
    app::setup::{Stop, print},
    cli::plugin::Command,
    exit::Exit,
    output::terminal::escaped,
    plugin::{
        install::{InstallError, Place},
        manifest::ManifestError,
    },
};

/// Runs a command about plugins.
///
/// # Errors
///
/// What could not be done, and why.
pub fn run(command: &Command) -> Result<Exit, Stop> {
    match command {
        Command::List(args) => list::list(args),
        Command::Check(args) => list::check(args),
        Command::New(args) => new::run(args),
        Command::Migrate(args) => migrate::run(args),
        Command::Manifest(args) => manifest::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Install(args) => install::run(args),
        Command::Uninstall(args) => uninstall::run(args),
    }
}

impl From<ManifestError> for Stop {
    fn from(error: ManifestError) -> Self {
        let exit = match error {
            ManifestError::Directory(..) | ManifestError::NotFound(_) => Exit::NoInput,
            ManifestError::Invalid(_) | ManifestError::Odd(..) => Exit::Data,
            ManifestError::Write(..) => Exit::CannotCreate,
        };
        Self::told(exit, &error)
    }
}

impl From<InstallError> for Stop {
    fn from(error: InstallError) -> Self {
        let exit = match error {
            InstallError::Plugin(_) => Exit::Config,
            InstallError::Odd(..) | InstallError::Changed(_) => Exit::Data,
            InstallError::NotInstalled(_) => Exit::NoInput,
            InstallError::Taken(..) | InstallError::System { .. } => Exit::CannotCreate,
        };
        Self::told(exit, &error)
    }
}

impl Stop {
    /// Ends with the lines of an error; names of files are anybody's text.
    fn told(exit: Exit, error: &impl std::fmt::Display) -> Self {
        let text = error.to_string();
        let lines = text.lines().map(escaped).collect();
        Self { exit, lines }
    }
}

/// Where plugins are installed, as the flags say.
fn place(args: &crate::cli::plugin::PlaceArgs) -> Result<Place, Stop> {
    Place::new(args.base.as_deref(), args.user)
        .map_err(|error| Stop::new(Exit::CannotCreate, error.to_string()))
}

/// Says what is noteworthy and stops nothing.
fn warn(text: &str) {
    eprintln!("sensor: warning: {}", escaped(text));
}

/// A failure to make something at `path`.
fn cannot_create(path: &Path, error: &io::Error) -> Stop {
    let line = format!("{}: cannot be written: {error}", path.display());
    Stop::new(Exit::CannotCreate, line)
}
