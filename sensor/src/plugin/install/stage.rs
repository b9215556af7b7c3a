//! Copies, complete and checked, before anything is put in its place.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use tempfile::{NamedTempFile, TempDir};

use super::InstallError;
use crate::plugin::{
    files::{Tree, pour},
    manifest::{MANIFEST, replace, with_modes},
    verify::verify,
};

const FILE_MODE: u32 = 0o644;
const DIRECTORY_MODE: u32 = 0o755;

/// Directories that were made on the way.
#[derive(Debug, Default)]
pub struct Made(Vec<PathBuf>);

impl Made {
    /// Makes a directory and those above it, with mode 0755 whatever the
    /// umask; what is there stays as it is.
    ///
    /// # Errors
    /// Of the file system.
    pub fn directory(&mut self, path: &Path) -> Result<(), InstallError> {
        let missing: Vec<&Path> = path.ancestors().take_while(|path| !path.exists()).collect();
        for path in missing.into_iter().rev() {
            let failed = InstallError::system(path);
            match fs::create_dir(path) {
                Ok(()) => self.0.push(path.to_owned()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {
                    continue;
                }
                Err(error) => return Err(failed(error)),
            }
            fs::set_permissions(path, Permissions::from_mode(DIRECTORY_MODE)).map_err(failed)?;
        }
        Ok(())
    }

    /// Removes them again, as far as nobody put anything in.
    pub fn remove(self) {
        for path in self.0.iter().rev() {
            let _ = fs::remove_dir(path);
        }
    }
}

/// A copy in a private directory beside its place.
#[derive(Debug)]
pub struct Staged {
    /// The private directory.
    pub around: TempDir,
    /// The copy.
    pub path: PathBuf,
}

/// Copies a plugin into a new directory in `base`, as `name`. Nobody else sees
/// the copy; what the source turns out not to be any more is refused.
///
/// # Errors
/// Where it cannot be copied, or the copy is not what was read before.
pub fn plugin(source: &Tree, base: &Path, name: &str) -> Result<Staged, InstallError> {
    let around = tempfile::Builder::new()
        .prefix(".install-")
        .tempdir_in(base)
        .map_err(InstallError::system(base))?;
    let path = around.path().join(name);
    let root = path.as_path();
    fs::create_dir(root).map_err(InstallError::system(root))?;
    for (directory, _) in source.directories.iter().skip(1) {
        let path = root.join(directory);
        fs::create_dir(&path)
            .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(DIRECTORY_MODE)))
            .map_err(InstallError::system(&path))?;
    }
    for (name, facts) in &source.files {
        let path = root.join(name);
        let copied = copy(source, name, &path).map_err(InstallError::system(&path))?;
        if copied != (facts.sha256, facts.size) {
            return Err(InstallError::Changed(PathBuf::from(name)));
        }
    }
    adapt_manifest(root).map_err(InstallError::system(root))?;
    check(source, root)?;
    fs::set_permissions(root, Permissions::from_mode(DIRECTORY_MODE))
        .map_err(InstallError::system(root))?;
    Ok(Staged { around, path })
}

/// Writes a unit under a name that systemd does not look at.
///
/// # Errors
/// Of the file system.
pub fn unit(text: &str, units: &Path) -> Result<NamedTempFile, InstallError> {
    let write = || {
        let mut file = NamedTempFile::new_in(units)?;
        file.write_all(text.as_bytes())?;
        file.as_file()
            .set_permissions(Permissions::from_mode(FILE_MODE))?;
        file.as_file().sync_all()?;
        Ok(file)
    };
    write().map_err(InstallError::system(units))
}

fn copy(source: &Tree, name: &str, to: &Path) -> io::Result<(crate::plugin::files::Sha, u64)> {
    let mut from = source.open(name)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)?;
    let copied = pour(&mut from, &mut file)?;
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    file.sync_all()?;
    Ok(copied)
}

/// The installed manifest tells the modes that are installed, so that a
/// verification has nothing to warn of.
fn adapt_manifest(root: &Path) -> io::Result<()> {
    let path = root.join(MANIFEST);
    match fs::read(&path) {
        Ok(old) => match with_modes(&old, FILE_MODE) {
            Some(new) if new.as_bytes() != old => replace(&path, new.as_bytes()),
            _ => Ok(()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Reads the copy back: against the manifest, and against the source.
fn check(source: &Tree, root: &Path) -> Result<(), InstallError> {
    let copy = Tree::read(root).map_err(InstallError::system(root))?;
    let content = |tree: &Tree| -> Vec<_> {
        let files = tree.files.iter().filter(|(path, _)| path != MANIFEST);
        files
            .map(|(path, facts)| (path.clone(), facts.sha256))
            .collect()
    };
    let listed = source.files.iter().any(|(path, _)| path == MANIFEST);
    let clean = !listed || verify(root).is_ok_and(|report| report.is_clean());
    if clean && content(source) == content(&copy) {
        Ok(())
    } else {
        let name = root.file_name().unwrap_or_default();
        Err(InstallError::Changed(name.into()))
    }
}
