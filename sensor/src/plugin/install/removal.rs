//! Takes an installed plugin away.

use std::{fs, path::PathBuf};

use super::{InstallError, Place, backup_name, check_name, is_plugin, moves::Moves, units_of};
use crate::{
    config::{file::is_there, item::shown},
    units::WallNanos,
};

/// What a removal takes away.
#[derive(Debug)]
pub struct Removal {
    /// The plugin, where it is there.
    pub target: Option<PathBuf>,
    /// Its units.
    pub units: Vec<PathBuf>,
}

impl Removal {
    /// Looks what there is of a plugin.
    ///
    /// # Errors
    /// Where there is nothing, or something that is no plugin.
    pub fn new(name: &str, place: &Place) -> Result<Self, InstallError> {
        let missing = |why: &str| {
            let base = place.base.display();
            InstallError::NotInstalled(format!("`{}` is not installed in {base}{why}", shown(name)))
        };
        check_name(name).map_err(|_| missing(": no plugin is called that"))?;
        let target = place.base.join(name);
        let units = units_of(place, &target).unwrap_or_default();
        let there = is_there(&target);
        if !there && units.is_empty() {
            return Err(missing(""));
        }
        if there && !is_plugin(&target) && !target.is_symlink() {
            return Err(missing(": the directory of that name holds no plugin"));
        }
        let target = there.then_some(target);
        Ok(Self { target, units })
    }

    /// Takes it away: first out of sight, all or nothing; then for good.
    ///
    /// # Errors
    /// Where something cannot be removed; what was moved is moved back.
    pub fn carry_out(&self, now: WallNanos) -> Result<(), InstallError> {
        let mut moves = Moves::default();
        let mut hidden = Vec::new();
        for path in self.units.iter().chain(&self.target) {
            let to = backup_name(path, now, ".removed-");
            if let Err(source) = moves.rename(path, &to) {
                let left = moves.undo().err().unwrap_or_default();
                let path = path.clone();
                return Err(InstallError::System { path, source, left });
            }
            hidden.push(to);
        }
        for path in hidden {
            let is_directory = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir());
            let removed = if is_directory {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            removed.map_err(InstallError::system(&path))?;
        }
        Ok(())
    }
}
