//! Tells the service manager what has changed.

use std::{
    io::ErrorKind,
    process::{Command, Stdio},
};

use super::warn;
use crate::plugin::install::Scope;

/// Runs `systemctl`. A host without it, or one that systemd does not run, is
/// worth a warning only: the files are in their places.
pub(super) fn call(scope: Scope, args: &[&str]) {
    let mut command = Command::new("systemctl");
    if scope == Scope::User {
        command.arg("--user");
    }
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let told = command.get_args().map(|arg| arg.to_string_lossy());
    let told = told.collect::<Vec<_>>().join(" ");
    match command.output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            let errors = String::from_utf8_lossy(&output.stderr);
            let why = errors.lines().next().unwrap_or("it failed");
            warn(&format!("systemctl {told}: {why}"));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            warn(&format!(
                "there is no systemctl here; left out: systemctl {told}"
            ));
        }
        Err(error) => warn(&format!("systemctl {told}: {error}")),
    }
}

/// The name that the service manager knows a unit by.
pub(super) fn unit_name(path: &std::path::Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
