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
/// What SQLite calls the files that belong to another one.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

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
        make_directory(directory).map_err(open)?;
    }
    check_directory(directory)?;
    check(path)
}

/// Makes a directory and those that it is in. The umask may take away more
/// than others' rights, so each gets its mode once more.
fn make_directory(directory: &Path) -> io::Result<()> {
    let mut missing = vec![directory];
    for above in directory.ancestors().skip(1) {
        if above.as_os_str().is_empty() || fs::symlink_metadata(above).is_ok() {
            break;
        }
        missing.push(above);
    }
    for directory in missing.into_iter().rev() {
        match DirBuilder::new().mode(DIRECTORY_MODE).create(directory) {
            Ok(()) => fs::set_permissions(directory, Permissions::from_mode(DIRECTORY_MODE))?,
            // Somebody was faster, or it is a path like `a/../b`.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
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
/// never through a link, and never one that would make us wait.
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = options();
    options.write(true);
    let made = options.clone().create_new(true).mode(FILE_MODE).open(path);
    match made {
        // Whatever the umask says.
        Ok(file) => file
            .set_permissions(Permissions::from_mode(FILE_MODE))
            .map(|()| file),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => regular(options.open(path)?),
        Err(error) => Err(error),
    }
}

/// Opens a file for reading; never through a link, and never one that would
/// make us wait.
pub fn open_to_read(path: &Path) -> io::Result<File> {
    regular(options().open(path)?)
}

fn options() -> OpenOptions {
    // Without NONBLOCK, opening a FIFO waits for whoever opens its other end.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    options
        .read(true)
        .custom_flags(i32::try_from(flags.bits()).unwrap_or(0));
    options
}

fn regular(file: File) -> io::Result<File> {
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        )),
    }
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

/// Gives a file its name, for good when this returns. What has the name goes.
pub fn take_name(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    File::open(directory_of(to))?.sync_all()
}

/// Moves a file to a free name beside it that begins with `suffix`, and what
/// SQLite has put beside it, if it is such a file; what is there is not
/// replaced.
pub fn move_aside(path: &Path, suffix: &str, companions: bool) -> io::Result<PathBuf> {
    let parts = if companions { &COMPANIONS[..] } else { &[] };
    loop {
        let target = free_name(path, suffix, parts);
        match give_name(path, &target) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            other => other?,
        }
        for part in parts {
            match give_name(&beside(path, part), &beside(&target, part)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        return Ok(target);
    }
}

/// Gives an SQLite file, and what SQLite has put beside it, second names that
/// begin with `suffix`. So the first ones can be taken away, or given to
/// another file, without a moment at which the file has no name at all.
pub fn second_name(path: &Path, suffix: &str) -> io::Result<PathBuf> {
    let target = free_name(path, suffix, &COMPANIONS);
    match link(path, &target) {
        // Not every file system has second names.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return move_aside(path, suffix, true);
        }
        other => other?,
    }
    for part in COMPANIONS {
        match link(&beside(path, part), &beside(&target, part)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    File::open(directory_of(path))?.sync_all()?;
    Ok(target)
}

/// Takes the first names away from what has second ones; `main`: also from
/// the file itself.
pub fn drop_first_names(path: &Path, second: &Path, main: bool) -> io::Result<()> {
    let parts = main.then_some("").into_iter().chain(COMPANIONS);
    for part in parts {
        let first = beside(path, part);
        if is_same(&first, &beside(second, part)) {
            fs::remove_file(first)?;
        }
    }
    File::open(directory_of(path))?.sync_all()
}

/// Whether two names are of one file.
pub fn is_same(one: &Path, other: &Path) -> bool {
    let of = |path| fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()));
    matches!((of(one), of(other)), (Ok(one), Ok(other)) if one == other)
}

/// A second name; one that it has already is fine.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_same(from, to) => Ok(()),
        other => other,
    }
}

/// A name that nobody has, or that `path` itself has already, as have all that
/// begin with it.
fn free_name(path: &Path, suffix: &str, parts: &[&str]) -> PathBuf {
    let mut name = beside(path, suffix);
    for attempt in 1_u32.. {
        let mut all = std::iter::once(&"").chain(parts);
        let is_free = all.all(|part| {
            let target = beside(&name, part);
            fs::symlink_metadata(&target).is_err() || is_same(&beside(path, part), &target)
        });
        if is_free {
            break;
        }
        name = beside(path, &format!("{suffix}.{attempt}"));
    }
    name
}
