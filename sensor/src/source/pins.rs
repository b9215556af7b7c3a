//! What stays in the kernel from one daemon to the next (contract E10).
//!
//! ```text
//! /sys/fs/bpf/sensor/          everything; `sensor detach` empties it
//!   <store>/                   one daemon, named after its store; locked by it
//!     <format>-<layout>/       hooks and ring that belong together
//!       link_* map_* prog_*
//!     new-<format>-<layout>/   the same until it is whole
//! ```
//!
//! Names on a BPF file system have no dots.

use std::{
    fs::{self, DirBuilder, Metadata},
    io,
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, Mode, OFlags};
use sha2::{Digest, Sha256};

use crate::decode;

/// Where BPF file systems are.
pub const MOUNT: &str = "/sys/fs/bpf";
/// Where all pins are.
pub const ROOT: &str = "/sys/fs/bpf/sensor";
/// A directory that is not whole yet.
const UNBORN: &str = "new-";
/// Longest name of a daemon's directory that is still readable.
const READABLE: usize = 120;
/// `BPF_FS_MAGIC` (linux/magic.h).
const BPF_FS: u64 = 0xcafe_4a11;

/// Why nothing can be pinned.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// No BPF file system.
    #[error("no BPF file system at {MOUNT} (mount -t bpf bpf {MOUNT})")]
    NotMounted,
    /// Another daemon has the pins.
    #[error("{} belongs to a sensor that runs{}", path.display(), pid_text(*pid))]
    Held {
        /// Its directory.
        path: PathBuf,
        /// The other daemon, where the kernel says it.
        pid: Option<u32>,
    },
    /// Somebody else can write there.
    #[error(
        "{} can be written by others, so its pins are not trusted \
         (`sensor detach` removes them)", path.display()
    )]
    Unsafe {
        /// The directory.
        path: PathBuf,
    },
    /// A file or directory cannot be made or read.
    #[error("cannot use {}", path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The kernel refused to pin.
    #[error("cannot pin {name}")]
    Pin {
        /// What.
        name: String,
        /// Why.
        source: Box<aya::pin::PinError>,
    },
}

fn pid_text(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
}

impl PinError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Io { path, source }
    }

    /// Whether the kernel refused for want of privilege.
    #[must_use]
    pub fn is_permission(&self) -> bool {
        let denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
        match self {
            Self::Io { source, .. } => denied(source),
            Self::Pin { source, .. } => {
                use std::error::Error;
                let cause = source.source();
                cause.is_some_and(|cause| cause.downcast_ref().is_some_and(denied))
            }
            Self::NotMounted | Self::Held { .. } | Self::Unsafe { .. } => false,
        }
    }
}

/// The pins of one daemon, while it has them.
#[derive(Debug)]
pub struct Claim {
    dir: PathBuf,
    /// The kernel gives it up when the process ends, however it ends.
    _lock: OwnedFd,
}

impl Claim {
    /// Takes the place of the daemon with this store; makes it first.
    ///
    /// # Errors
    ///
    /// Where there can be none, or another daemon has it.
    pub fn make(store: &Path) -> Result<Self, PinError> {
        if !is_mounted() {
            return Err(PinError::NotMounted);
        }
        let root = Path::new(ROOT);
        let dir = root.join(name_of(store));
        for path in [root, &dir] {
            match DirBuilder::new().mode(0o700).create(path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(PinError::io(path)(error));
                }
                _ => {}
            }
        }
        Self::take(dir)
    }

    /// Takes that place if there is one, and nobody has it.
    #[must_use]
    pub fn find(store: &Path) -> Option<Self> {
        let dir = Path::new(ROOT).join(name_of(store));
        dir.is_dir().then(|| Self::take(dir).ok())?
    }

    fn take(dir: PathBuf) -> Result<Self, PinError> {
        for (path, may_share) in [(Path::new(ROOT), true), (&dir, false)] {
            let about = fs::symlink_metadata(path).map_err(PinError::io(path))?;
            if !is_ours(&about, may_share) {
                return Err(PinError::Unsafe {
                    path: path.to_owned(),
                });
            }
        }
        let lock = open_dir(&dir).map_err(PinError::io(&dir))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { dir, _lock: lock }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(PinError::Held {
                pid: holder(&dir),
                path: dir,
            }),
            Err(error) => Err(PinError::io(&dir)(error.into())),
        }
    }

    /// The directories of hooks and rings that are there, whole ones only;
    /// what a daemon left unfinished is removed.
    ///
    /// # Errors
    ///
    /// Where the directory cannot be read.
    pub fn layouts(&self) -> Result<Vec<PathBuf>, PinError> {
        let failed = || PinError::io(&self.dir);
        let mut layouts = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(failed())? {
            let path = entry.map_err(failed())?.path();
            let unborn = path.file_name().is_some_and(|name| {
                let name = name.as_encoded_bytes();
                name.starts_with(UNBORN.as_bytes())
            });
            if unborn {
                remove(&path).map_err(failed())?;
            } else if path.is_dir() {
                layouts.push(path);
            }
        }
        layouts.sort_unstable();
        Ok(layouts)
    }

    /// Where the pins of a layout are.
    #[must_use]
    pub fn place(&self, layout: &str) -> PathBuf {
        self.dir.join(layout)
    }

    /// Makes the directory of a layout with all that `fill` puts there, or
    /// nothing.
    ///
    /// # Errors
    ///
    /// What failed.
    pub fn create<T>(
        &self,
        layout: &str,
        fill: impl FnOnce(&Path) -> Result<T, PinError>,
    ) -> Result<T, PinError> {
        let unborn = self.dir.join(format!("{UNBORN}{layout}"));
        let place = self.place(layout);
        let made = || {
            let mut builder = DirBuilder::new();
            builder
                .mode(0o700)
                .create(&unborn)
                .map_err(PinError::io(&unborn))?;
            let filled = fill(&unborn)?;
            fs::rename(&unborn, &place).map_err(PinError::io(&place))?;
            Ok(filled)
        };
        made().inspect_err(|_| {
            // The next start removes what is left.
            let _ = remove(&unborn);
        })
    }
}

/// What a layout's name begins with where this release understands its
/// records.
#[must_use]
pub fn format_name() -> String {
    let mut hash = Sha256::new();
    for text in decode::FORMAT {
        hash.update(text);
    }
    short(hash)
}

/// The name of a layout: what it depends on goes into the second part.
#[must_use]
pub fn layout_name<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_ne_bytes());
        hash.update(part);
    }
    format!("{}-{}", format_name(), short(hash))
}

/// The name of a pinned object; `.rodata` may not have its dot.
#[must_use]
pub fn object_name(kind: &str, name: &str) -> String {
    format!("{kind}_{}", name.replace('.', "_"))
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Pins of all kinds.
    pub pins: usize,
    /// Of these, hooks.
    pub hooks: usize,
}

/// Removes a directory of pins, hooks first, so that nothing that is still
/// attached lacks what it needs.
///
/// # Errors
///
/// What failed first; the rest is removed all the same.
pub fn remove(dir: &Path) -> io::Result<Removed> {
    let mut removed = Removed::default();
    let mut first_error = None;
    let mut note = |result: io::Result<()>| match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            first_error.get_or_insert(error);
            false
        }
        other => other.is_ok(),
    };
    let mut entries: Vec<_> = fs::read_dir(dir)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    // `link_` comes before `map_` and `prog_`.
    entries.sort_unstable();
    for path in entries {
        let is_dir = fs::symlink_metadata(&path).is_ok_and(|about| about.is_dir());
        if is_dir {
            let below = remove(&path);
            if let Ok(below) = &below {
                removed.pins += below.pins;
                removed.hooks += below.hooks;
            }
            note(below.map(|_| ()));
        } else if note(fs::remove_file(&path)) {
            removed.pins += 1;
            removed.hooks += usize::from(is_hook(&path));
        }
    }
    note(fs::remove_dir(dir));
    first_error.map_or(Ok(removed), Err)
}

/// Pins below a directory; none where it is not there.
#[must_use]
pub fn count(dir: &Path) -> Removed {
    let mut found = Removed::default();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if fs::symlink_metadata(&path).is_ok_and(|about| about.is_dir()) {
            let below = count(&path);
            found.pins += below.pins;
            found.hooks += below.hooks;
        } else {
            found.pins += 1;
            found.hooks += usize::from(is_hook(&path));
        }
    }
    found
}

/// The daemons that have pins: whether one runs, and its pid where known.
#[must_use]
pub fn daemons() -> Vec<(PathBuf, bool, Option<u32>)> {
    let entries = fs::read_dir(ROOT).into_iter().flatten().flatten();
    let mut daemons: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .map(|path| {
            let held = open_dir(&path).is_ok_and(|dir| {
                let locked = rustix::fs::flock(&dir, FlockOperation::NonBlockingLockShared);
                locked == Err(rustix::io::Errno::WOULDBLOCK)
            });
            let pid = held.then(|| holder(&path)).flatten();
            (path, held, pid)
        })
        .collect();
    daemons.sort_unstable();
    daemons
}

/// What there is to say about pins on this host; empty where that is nothing.
#[must_use]
pub fn described() -> String {
    if !is_mounted() {
        return format!("; no BPF file system at {MOUNT}, so --pin has no effect");
    }
    let of = |(path, held, pid): (PathBuf, bool, Option<u32>)| {
        let pins = count(&path).pins;
        match (pins, held) {
            (0, _) => String::new(),
            (_, true) => format!("; {pins} pins of a sensor that runs{}", pid_text(pid)),
            (_, false) => {
                format!("; {pins} pins that nobody uses now (`sensor detach` removes them)")
            }
        }
    };
    daemons().into_iter().map(of).collect()
}

/// Whether a BPF file system is where it should be.
#[must_use]
pub fn is_mounted() -> bool {
    rustix::fs::statfs(MOUNT).is_ok_and(|about| u64::try_from(about.f_type).is_ok_and(is_bpf_fs))
}

fn is_bpf_fs(kind: u64) -> bool {
    kind & 0xffff_ffff == BPF_FS
}

fn is_hook(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_encoded_bytes().starts_with(b"link_")
}

fn open_dir(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// A directory of ours, or of root's, that nobody else can write, or, where
/// several may share it, in which nobody can touch what is somebody else's.
fn is_ours(about: &Metadata, may_share: bool) -> bool {
    let me = rustix::process::geteuid().as_raw();
    let is_sticky = may_share && about.mode() & 0o1000 != 0;
    about.is_dir() && [0, me].contains(&about.uid()) && (about.mode() & 0o022 == 0 || is_sticky)
}

/// Who has the lock on a directory, by /proc/locks.
fn holder(dir: &Path) -> Option<u32> {
    let inode = fs::metadata(dir).ok()?.ino().to_string();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (kind, pid) = (words.next()?, words.nth(2)?);
        let file = words.next()?.rsplit(':').next()?;
        (kind == "FLOCK" && file == inode).then(|| pid.parse().ok())?
    })
}

/// The directory of a daemon: the path of its store, in letters that a name
/// may have.
fn name_of(store: &Path) -> String {
    let parent = store.parent().filter(|parent| *parent != Path::new(""));
    let parent = fs::canonicalize(parent.unwrap_or(Path::new("."))).ok();
    let path = match (parent, store.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => store.to_owned(),
    };
    let bytes = path.as_os_str().as_encoded_bytes();
    let mut name = String::new();
    for &byte in bytes.strip_prefix(b"/").unwrap_or(bytes) {
        match byte {
            b'/' => name.push('-'),
            byte if byte.is_ascii_alphanumeric() => name.push(char::from(byte)),
            byte => name.push_str(&format!("_{byte:02x}")),
        }
    }
    if name.len() > READABLE || name.is_empty() {
        return short(Sha256::new().chain_update(bytes));
    }
    name
}

fn short(hash: Sha256) -> String {
    let bytes = hash.finalize();
    bytes.iter().take(8).map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_is_named_after_its_store() {
        let name = |path: &str| name_of(Path::new(path));
        assert_eq!(
            name("/nowhere/lib/a b/metadata.redb"),
            "nowhere-lib-a_20b-metadata_2eredb"
        );
        assert_ne!(name("/nowhere/a-b"), name("/nowhere/a/b"));
        let long = format!("/{}", "x".repeat(300));
        assert_eq!(name(&long).len(), 16);
        assert!(!name(&long).contains('.'));
    }

    #[test]
    fn a_layout_is_all_of_its_parts() {
        let name = |parts: [&[u8]; 2]| layout_name(parts);
        assert_eq!(name([b"ab", b"c"]), name([b"ab", b"c"]));
        assert_ne!(name([b"ab", b"c"]), name([b"a", b"bc"]));
        assert!(name([b"a", b"b"]).starts_with(&format!("{}-", format_name())));
    }
}
