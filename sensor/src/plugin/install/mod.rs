//! Puts a plugin and its unit in their places, or changes nothing.
//!
//! Everything that can fail is done first, in directories and files beside the
//! final ones and out of sight; then come renames, and each can be taken back.

mod error;
mod moves;
mod place;
mod removal;
mod stage;
mod unit;

use std::{
    fs,
    path::{Path, PathBuf},
};

pub use error::InstallError;
pub use place::{Place, Scope};
pub use removal::Removal;

use super::{Plugin, files::Tree, find, manifest::stamp};
use crate::{
    config::{
        Problem,
        file::{is_there, read_text},
        item::shown,
    },
    units::WallNanos,
};
use moves::Moves;

/// A name with a backup's mark and time has to fit into 255 bytes.
const MAX_NAME: usize = 200;

/// A unit to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitFile {
    /// Where it goes.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
    /// Whether another one may be in its place.
    replaces: bool,
}

/// What will be done.
#[derive(Debug)]
pub struct Plan<'t> {
    /// What is copied.
    pub source: &'t Tree,
    /// Where to.
    pub target: PathBuf,
    /// The unit, unless none is wanted.
    pub unit: Option<UnitFile>,
    /// Units of the plugin under former names, which go.
    pub stale: Vec<PathBuf>,
    force: bool,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Done {
    /// Where the things are that were replaced.
    pub backups: Vec<PathBuf>,
}

/// Loads the plugin in `directory` as `run` would beside the plugins of
/// `base`, the one in `target` left out, and tells its warnings.
///
/// # Errors
/// Every problem that it has.
pub fn checked(
    directory: &Path,
    base: &Path,
    target: Option<&Path>,
) -> Result<(Plugin, Vec<Problem>), Vec<Problem>> {
    let mut dirs = vec![directory.to_owned()];
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let path = entry.path();
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !hidden && Some(path.as_path()) != target && is_plugin(&path) {
            dirs.push(path);
        }
    }
    let mut entries = find(&dirs, &[]).entries.into_iter();
    let entry = entries.find(|entry| entry.plugin.directory.as_deref() == Some(directory));
    let Some(mut entry) = entry else {
        let message = "has neither plugin.toml nor __init__.py; name the directory of one plugin";
        return Err(vec![Problem::file(directory, message)]);
    };
    entry.try_examples();
    if let Err(message) = check_name(&entry.plugin.name) {
        entry.problems.push(Problem::file(directory, message));
    }
    if entry.problems.is_empty() {
        Ok((entry.plugin, entry.warnings))
    } else {
        Err(entry.problems)
    }
}

/// Whether a directory holds a plugin, in whatever dialect.
fn is_plugin(directory: &Path) -> bool {
    let has = |file: &str| is_there(&directory.join(file));
    has("plugin.toml") || has("__init__.py")
}

/// Whether a plugin of this name may be a directory: nothing that leads out of
/// the base, nothing hidden.
fn check_name(name: &str) -> Result<(), String> {
    let bad = |c: char| c == '/' || c.is_control();
    if name.is_empty() || name.starts_with('.') || name.contains(bad) || name.len() > MAX_NAME {
        return Err(format!(
            "`{}` cannot be the name of a directory: no leading dot, no slash, at most {MAX_NAME} bytes",
            shown(name)
        ));
    }
    Ok(())
}

impl<'t> Plan<'t> {
    /// Looks what there is to do, and what is in the way.
    ///
    /// # Errors
    /// Where the plugin cannot be installed there; nothing was changed.
    pub fn new(
        plugin: &Plugin,
        source: &'t Tree,
        place: &Place,
        sensor: Option<&Path>,
        force: bool,
    ) -> Result<Self, InstallError> {
        let target = place.base.join(&plugin.name);
        let directory = plugin.directory.clone().unwrap_or_default();
        if !source.odd.is_empty() {
            return Err(InstallError::Odd(directory, source.odd.clone()));
        }
        if let Ok(real) = directory.canonicalize()
            && (target.starts_with(&real) || real.starts_with(&target))
        {
            let message = "cannot be installed there: one directory lies in the other";
            return Err(InstallError::Taken(directory, message.to_owned()));
        }
        if is_there(&target) && !force {
            let message = "is installed already; -f replaces it and keeps a backup";
            return Err(InstallError::Taken(target, message.to_owned()));
        }
        let mut plan = Self {
            source,
            target,
            unit: None,
            stale: Vec::new(),
            force,
        };
        if let Some(sensor) = sensor {
            plan.plan_unit(plugin, sensor, place)?;
        }
        Ok(plan)
    }

    fn plan_unit(
        &mut self,
        plugin: &Plugin,
        sensor: &Path,
        place: &Place,
    ) -> Result<(), InstallError> {
        let bad = |message: String| {
            let directory = plugin.directory.clone().unwrap_or_default();
            InstallError::Plugin(vec![Problem::file(directory, message)])
        };
        let name = unit::file_name(plugin).map_err(bad)?;
        let text = unit::text(plugin, sensor, place, &self.target).map_err(bad)?;
        let path = place.units.join(&name);
        let taken =
            |path: &Path, message: &str| InstallError::Taken(path.to_owned(), message.to_owned());
        let own = units_of(place, &self.target).map_err(bad)?;
        if is_there(&path) && !own.contains(&path) {
            if unit::is_ours(&read_text(&path).unwrap_or_default()) {
                return Err(taken(
                    &path,
                    "runs another plugin; give this one a [systemd] service_name",
                ));
            }
            if !self.force {
                return Err(taken(
                    &path,
                    "was not written by `sensor plugin install`; -f replaces it and keeps a backup",
                ));
            }
        }
        let others = place
            .other_units()
            .iter()
            .map(|other| Path::new(other).join(&name));
        if let Some(other) = others.into_iter().find(|other| is_there(other))
            && !self.force
        {
            return Err(taken(
                &other,
                "would be hidden; give the plugin another [systemd] service_name",
            ));
        }
        // One of ours that is left without its plugin is ours to replace.
        let replaces = self.force || own.contains(&path);
        self.stale = own.into_iter().filter(|own| *own != path).collect();
        self.unit = Some(UnitFile {
            path,
            text,
            replaces,
        });
        Ok(())
    }

    /// Does it.
    ///
    /// # Errors
    /// Where something failed; what was done is taken back then.
    pub fn carry_out(
        &self,
        plugin: &Plugin,
        place: &Place,
        now: WallNanos,
    ) -> Result<Done, InstallError> {
        let mut made = stage::Made::default();
        let done = self.prepare_and_move(plugin, place, now, &mut made);
        if done.is_err() {
            made.remove();
        }
        done
    }

    fn prepare_and_move(
        &self,
        plugin: &Plugin,
        place: &Place,
        now: WallNanos,
        made: &mut stage::Made,
    ) -> Result<Done, InstallError> {
        made.directory(&place.base)?;
        let mut staged = stage::plugin(self.source, &place.base, &plugin.name)?;
        // The bytes that are judged are the bytes that go in.
        match checked(&staged.path, &place.base, Some(&self.target)) {
            Ok((copy, _)) if copy.name == plugin.name && copy.unit == plugin.unit => {}
            _ => {
                return Err(InstallError::Changed(
                    plugin.directory.clone().unwrap_or_default(),
                ));
            }
        }
        let mut new_unit = None;
        if let Some(unit) = &self.unit {
            made.directory(&place.units)?;
            if !fs::read(&unit.path).is_ok_and(|old| old == unit.text.as_bytes()) {
                new_unit = Some((unit, stage::unit(&unit.text, &place.units)?));
            }
        }
        // From here on what lies under the staged names may be the old things.
        staged.around.disable_cleanup(true);
        if let Some((_, file)) = &mut new_unit {
            file.disable_cleanup(true);
        }
        let mut moves = Moves::default();
        let new_path = new_unit.as_ref().map(|(unit, file)| (*unit, file.path()));
        let done = self.make_moves(&mut moves, &staged.path, new_path, now);
        let Err(mut failed) = done else {
            sync(&place.base);
            // It is empty now.
            let _ = fs::remove_dir(staged.around.path());
            return done;
        };
        match moves.undo() {
            Ok(()) => {
                staged.around.disable_cleanup(false);
                if let Some((_, file)) = &mut new_unit {
                    file.disable_cleanup(false);
                }
            }
            Err(lines) => {
                if let InstallError::System { left, .. } = &mut failed {
                    *left = lines;
                }
            }
        }
        Err(failed)
    }

    fn make_moves(
        &self,
        moves: &mut Moves,
        staged: &Path,
        unit: Option<(&UnitFile, &Path)>,
        now: WallNanos,
    ) -> Result<Done, InstallError> {
        let mut done = Done::default();
        let mut put = |new: &Path, target: &Path, backup: PathBuf, force| {
            let replaced = moves
                .put(new, target, &backup, force)
                .map_err(InstallError::system(target))?;
            if replaced {
                done.backups.push(backup);
            }
            Ok(())
        };
        put(
            staged,
            &self.target,
            backup_name(&self.target, now, "."),
            self.force,
        )?;
        if let Some((unit, new)) = unit {
            put(
                new,
                &unit.path,
                backup_name(&unit.path, now, ""),
                unit.replaces,
            )?;
        }
        for stale in &self.stale {
            let backup = backup_name(stale, now, "");
            moves
                .rename(stale, &backup)
                .map_err(InstallError::system(stale))?;
            done.backups.push(backup);
        }
        Ok(done)
    }
}

/// The units that were written for the plugin in `target`.
fn units_of(place: &Place, target: &Path) -> Result<Vec<PathBuf>, String> {
    let owner = unit::owner(target)?;
    let mut units = Vec::new();
    for entry in fs::read_dir(&place.units).into_iter().flatten().flatten() {
        let path = entry.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "service")
            && entry.file_type().is_ok_and(|kind| kind.is_file())
            && read_text(&path).is_ok_and(|text| text.lines().any(|line| line == owner))
        {
            units.push(path);
        }
    }
    units.sort();
    Ok(units)
}

/// A name beside `path` that neither the sensor nor systemd looks at.
fn backup_name(path: &Path, now: WallNanos, prefix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{prefix}{name}.backup-{}", stamp(now)))
}

/// Makes renames last. They are done; a disk that fails now fails later, too.
fn sync(directory: &Path) {
    let _ = fs::File::open(directory).and_then(|directory| directory.sync_all());
}

#[cfg(test)]
mod tests;
