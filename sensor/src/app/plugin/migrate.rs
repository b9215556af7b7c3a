//! `sensor plugin migrate`.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
};

use super::cannot_create;
use crate::{
    app::setup::{Stop, print},
    cli::plugin::MigrateArgs,
    config::file::read_text,
    exit::Exit,
    plugin,
};

/// Writes the plugin.toml that says what `__init__.py` says (contract P8).
///
/// # Errors
///
/// Where there is no `__init__.py`, it has faults, or a plugin.toml would be
/// replaced without being asked to.
pub(super) fn run(args: &MigrateArgs) -> Result<Exit, Stop> {
    let source = args.directory.join("__init__.py");
    let target = args.directory.join("plugin.toml");
    if source.symlink_metadata().is_err() {
        let line = format!("{}: does not exist", source.display());
        return Err(Stop::new(Exit::NoInput, line));
    }
    let text = read_text(&source).map_err(|problem| Stop::problems(Exit::Config, &[problem]))?;
    let plugin = plugin::parse_init_py(&source, &text)
        .map_err(|problems| Stop::problems(Exit::Config, &problems))?;
    let text = plugin::legacy_as_toml(&plugin);
    let is_there = target.symlink_metadata().is_ok();
    if is_there && !args.force {
        let line = format!("{}: is there already; -f replaces it", target.display());
        return Err(Stop::new(Exit::CannotCreate, line));
    }
    if args.dry_run {
        let verb = if is_there { "replace" } else { "write" };
        print(&format!("Would {verb} {}:\n{text}", target.display()))?;
        return Ok(Exit::Done);
    }
    replace(&target, &text).map_err(|error| cannot_create(&target, &error))?;
    let verb = if is_there { "Replaced" } else { "Wrote" };
    print(&format!("{verb} {}\n", target.display()))?;
    Ok(Exit::Done)
}

/// Writes a file whole or not at all.
fn replace(target: &Path, text: &str) -> io::Result<()> {
    let part = target.with_extension(format!("toml.{}", std::process::id()));
    let opened = OpenOptions::new().write(true).create_new(true).open(&part);
    let written = opened.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| fs::rename(&part, target));
    if renamed.is_err() {
        // What is left of it helps nobody; that it cannot go is told by the
        // error before.
        let _ = fs::remove_file(&part);
    }
    renamed
}
