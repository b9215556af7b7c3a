//! `sensor plugin manifest`.

use std::path::Path;

use super::warn;
use crate::{
    app::setup::{Stop, print},
    cli::plugin::ManifestArgs,
    clock,
    exit::Exit,
    output::terminal::escaped,
    plugin::{load, manifest},
};

pub(super) fn run(args: &ManifestArgs) -> Result<Exit, Stop> {
    let version = version(&args.dir);
    let written = manifest::write(&args.dir, version.as_deref(), clock::wall())?;
    if let Some(kept) = &written.invalid {
        let (path, kept) = (written.path.display(), kept.display());
        warn(&format!("{path} was not valid TOML; it is kept as {kept}"));
    }
    let path = written.path.display().to_string();
    let files = if written.files == 1 { "file" } else { "files" };
    print(&format!("{}: {} {files}\n", escaped(&path), written.files))?;
    Ok(Exit::Done)
}

/// The plugin's version, where the directory is a plugin that says one. A
/// manifest may be written for a faulty plugin, too: it vouches for bytes.
fn version(directory: &Path) -> Option<String> {
    let loaded = load(&[directory.to_owned()], &[]);
    let mut plugins = loaded.plugins.into_iter();
    plugins
        .find(|plugin| plugin.directory.as_deref() == Some(directory))?
        .version
}
