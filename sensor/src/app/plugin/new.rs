//! `sensor plugin new`.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
};

use super::cannot_create;
use crate::{
    app::setup::{Stop, print},
    cli::plugin::NewArgs,
    config::{Problem, check_pattern},
    exit::Exit,
    plugin::{self, Template},
};

/// Makes the directory and the file of a plugin.
///
/// # Errors
///
/// Where a name or pattern is none, or the plugin is there already.
pub(super) fn run(args: &NewArgs) -> Result<Exit, Stop> {
    let usage = |name, message| Stop::problems(Exit::Usage, &[Problem::setting(name, message)]);
    plugin::check_name(&args.name).map_err(|message| usage("NAME", message))?;
    let process_name = args.process_name.as_ref().unwrap_or(&args.name);
    check_pattern(process_name).map_err(|message| usage("--process-name", message))?;
    let text = plugin::new_plugin(Template {
        name: &args.name,
        process_name,
        namespace: args.namespace.as_ref().unwrap_or(&args.name),
    });
    let directory = args.dir.join(&args.name);
    let file = directory.join("plugin.toml");
    // A name may fit no file: what is written is checked as anybody's.
    plugin::parse_toml(&file, &text).map_err(|problems| Stop::problems(Exit::Usage, &problems))?;
    if args.dry_run {
        refuse_existing(&file)?;
        print(&format!("Would write {}:\n{text}", file.display()))?;
        return Ok(Exit::Done);
    }
    fs::create_dir_all(&directory).map_err(|error| cannot_create(&directory, &error))?;
    refuse_existing(&file)?;
    let opened = OpenOptions::new().write(true).create_new(true).open(&file);
    opened
        .and_then(|mut opened| opened.write_all(text.as_bytes()))
        .map_err(|error| cannot_create(&file, &error))?;
    print(&format!(
        "Wrote {}\nTry it: sensor --run-once --plugins {}\n",
        file.display(),
        directory.display()
    ))?;
    Ok(Exit::Done)
}

fn refuse_existing(file: &Path) -> Result<(), Stop> {
    match file.symlink_metadata() {
        Ok(_) => {
            let line = format!("{}: is there already; nothing is written", file.display());
            Err(Stop::new(Exit::CannotCreate, line))
        }
        Err(_) => Ok(()),
    }
}
