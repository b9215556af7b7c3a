//! `sensor plugin`: one file a command.

mod install;
mod manifest;
mod systemctl;
mod uninstall;
mod verify;

use std::io::{self, Write};

use crate::{
    app::setup::Stop,
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

/// Prints text that a command is asked for.
fn print(text: &str) -> Result<(), Stop> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Stop::new(Exit::Software, format!("cannot write: {error}")))
        }
        _ => Ok(()),
    }
}

/// Says what is noteworthy and stops nothing.
fn warn(text: &str) {
    eprintln!("sensor: warning: {}", escaped(text));
}
