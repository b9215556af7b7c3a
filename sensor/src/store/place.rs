//! Where the store lies, and that nobody else can lead it elsewhere.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Seek},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

use super::StoreError;

/// Of directories that the sensor makes.
const DIRECTORY_MODE: u32 = 0o700;
/// Of files that the sensor makes.
const FILE_MODE: u32 = 0o600;

/// Where the store is unless somebody says otherwise (contract Q1).
#[must_use]
pub fn default_path() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/sensor/metadata.redb");
    }
    let home = std::env::var_os("HOME").unwrap_or_else(|| "/".into());
    PathBuf::from(home).join(".instana_plugins/metadata.redb")
}

/// Makes the directory of a file where it is missing; one that was there keeps
/// its mode, but must be the sensor's own or root's: nobody else may decide
/// what lies in it.
pub fn prepare(path: &Path) -> Result<(), StoreError> {
    let directory = directory_of(path);
    let open = |source| StoreError::Open {
        path: directory.to_owned(),
        source,
    };
    if let Err(error) = fs::metadata(directory) {
        if error.kind() != io::ErrorKind::NotFound {
            return Err(open(error));
        }
        DirBuilder::new()
            .recursive(true)
            .mode(DIRECTORY_MODE)
            .create(directory)
            .map_err(open)?;
        // The umask may have taken more away; what was there is not touched.
        fs::set_permissions(directory, Permissions::from_mode(DIRECTORY_MODE)).map_err(open)?;
    }
    check_directory(directory)?;
    check(path)
}

/// The directory that a file is in.
pub fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn check_directory(directory: &Path) -> Result<(), StoreError> {
    let metadata = fs::metadata(directory).map_err(|source| StoreError::Open {
        path: directory.to_owned(),
        source,
    })?;
    let reason = if !metadata.is_dir() {
        "is not a directory".to_owned()
    } else if !is_trusted(metadata.uid()) {
        format!("belongs to user {}", metadata.uid())
    } else {
        return Ok(());
    };
    Err(StoreError::Unsafe {
        path: directory.to_owned(),
        reason,
    })
}

/// Refuses a file that is a link, no file, or somebody else's; one that is
/// missing is fine.
pub fn check(path: &Path) -> Result<(), StoreError> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            return Err(StoreError::Open {
                path: path.to_owned(),
                source,
            });
        }
        Ok(metadata) => metadata,
    };
    let kind = metadata.file_type();
    let reason = if kind.is_symlink() {
        "is a symbolic link".to_owned()
    } else if kind.is_dir() {
        return Err(StoreError::Open {
            path: path.to_owned(),
            source: io::ErrorKind::IsADirectory.into(),
        });
    } else if !kind.is_file() {
        "is not a regular file".to_owned()
    } else if !is_trusted(metadata.uid()) {
        format!("belongs to user {}", metadata.uid())
    } else {
        return Ok(());
    };
    Err(StoreError::Unsafe {
        path: path.to_owned(),
        reason,
    })
}

fn is_trusted(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}

/// Opens a file for reading and writing, and makes it where it is missing;
/// never through a link.
pub fn open(path: &Path) -> io::Result<File> {
    let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .custom_flags(no_follow)
        .open(path)?;
    Ok(file)
}

/// A name beside `path`: its own with `suffix` behind it.
#[must_use]
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Copies a file beside itself, with the modes of the store, on the disk when
/// this returns.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    copy_file(&mut File::open(from)?, to)
}

/// The same with a file that is open.
pub fn copy_file(from: &mut File, to: &Path) -> io::Result<()> {
    let mut target = open(to)?;
    target.set_len(0)?;
    from.rewind()?;
    io::copy(from, &mut target)?;
    target.sync_all()
}

/// Gives a file its name, for good when this returns. What has the name is not
/// replaced.
pub fn give_name(from: &Path, to: &Path) -> io::Result<()> {
    let flags = rustix::fs::RenameFlags::NOREPLACE;
    rustix::fs::renameat_with(rustix::fs::CWD, from, rustix::fs::CWD, to, flags)?;
    File::open(directory_of(to))?.sync_all()
}

/// Moves a file to a free name beside it that begins with `suffix`; what is
/// there is not replaced.
pub fn move_aside(path: &Path, suffix: &str) -> io::Result<PathBuf> {
    for attempt in 0_u32.. {
        let target = match attempt {
            0 => beside(path, suffix),
            more => beside(path, &format!("{suffix}.{more}")),
        };
        match give_name(path, &target) {
            Ok(()) => return Ok(target),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
