//! Watching files that people change: plugins and the configuration.
//!
//! The kernel tells (inotify); nothing is read until it does. A change counts
//! once all is quiet for a moment, and a file that somebody is still writing
//! is named as such, so that nobody reads half of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    fs, io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

/// How long nothing must have happened.
const QUIET: Duration = Duration::from_millis(200);
/// How long, at most, a change waits for that.
const PATIENCE: Duration = Duration::from_secs(2);
/// Files of a plugin that are read; `..data` is the link by which Kubernetes
/// replaces all files of a directory at once.
const FILES: [&str; 3] = ["plugin.toml", "__init__.py", "..data"];
/// As much of the kernel's news is taken in at once; somebody who writes all
/// the time beside a watched file has no end.
const NEWS: usize = 1_024;
/// Names that come, go or are replaced.
const ENTRY: ReadFlags = ReadFlags::CREATE
    .union(ReadFlags::DELETE)
    .union(ReadFlags::MOVED_FROM)
    .union(ReadFlags::MOVED_TO);
/// The watched directory itself is another one.
const ITSELF: ReadFlags = ReadFlags::DELETE_SELF
    .union(ReadFlags::MOVE_SELF)
    .union(ReadFlags::UNMOUNT)
    .union(ReadFlags::QUEUE_OVERFLOW);

/// The watched files.
#[derive(Debug)]
pub struct Watch {
    inotify: OwnedFd,
    directories: BTreeMap<i32, Directory>,
    /// Files that somebody has begun to write and not closed, by watch and
    /// name.
    open: BTreeSet<(i32, OsString)>,
    /// First and last of the changes that nobody has been told of.
    pending: Option<(Instant, Instant)>,
}

/// What is of interest in a directory.
#[derive(Debug, Default)]
struct Directory {
    path: PathBuf,
    /// Whoever comes or goes.
    entries: bool,
    /// Files, and what each of them belongs to.
    files: BTreeMap<OsString, PathBuf>,
}

impl Watch {
    /// Watches nothing yet.
    ///
    /// # Errors
    ///
    /// Where the user has too many watches.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            inotify: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?,
            directories: BTreeMap::new(),
            open: BTreeSet::new(),
            pending: None,
        })
    }

    /// Watches directories of plugins, and single files; what was watched
    /// before and is not among them no more. One that does not exist is
    /// watched for.
    ///
    /// # Errors
    ///
    /// The last refusal of the kernel; the others are watched all the same.
    pub fn watch(&mut self, plugins: &[PathBuf], files: &[PathBuf]) -> io::Result<()> {
        let mut wanted: BTreeMap<PathBuf, Directory> = BTreeMap::new();
        for directory in plugins {
            want_name(&mut wanted, directory, directory);
            want_plugin(&mut wanted, directory);
            let of = wanted.entry(directory.clone()).or_default();
            of.entries = true;
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                let hidden = entry.file_name().as_bytes().starts_with(b".");
                if !hidden && entry.path().is_dir() {
                    want_plugin(&mut wanted, &entry.path());
                }
            }
        }
        for file in files {
            want_name(&mut wanted, file, file);
        }
        let before = std::mem::take(&mut self.directories);
        let mut refused = Ok(());
        for (path, mut directory) in wanted {
            match add(&self.inotify, &path) {
                Ok(watch) => {
                    directory.path = path;
                    // Two ways to one directory have one watch.
                    let known = self.directories.entry(watch).or_default();
                    known.merge(directory);
                }
                Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => {}
                Err(error) => refused = Err(error.into()),
            }
        }
        for watch in before.keys() {
            if !self.directories.contains_key(watch) {
                // The kernel has removed it where the directory is gone.
                let _ = inotify::remove_watch(&self.inotify, *watch);
            }
        }
        let directories = &self.directories;
        self.open
            .retain(|(watch, _)| directories.contains_key(watch));
        refused
    }

    /// Takes in what the kernel has to tell, or some of it: the descriptor
    /// stays ready as long as there is more.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses.
    pub fn read(&mut self) -> io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
        let mut news = Vec::new();
        while news.len() < NEWS || !reader.is_buffer_empty() {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name().map(|name| name.to_bytes());
                    let name = name.map(|name| OsStr::from_bytes(name).to_owned());
                    news.push((event.wd(), event.events(), name));
                }
                Err(rustix::io::Errno::AGAIN) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        for (watch, what, name) in news {
            if self.take_in(watch, what, name) {
                let now = Instant::now();
                let first = self.pending.map_or(now, |(first, _)| first);
                self.pending = Some((first, now));
            }
        }
        Ok(())
    }

    /// Whether it is of interest.
    fn take_in(&mut self, watch: i32, what: ReadFlags, name: Option<OsString>) -> bool {
        if what.contains(ReadFlags::IGNORED) {
            self.directories.remove(&watch);
            self.open.retain(|(of, _)| *of != watch);
            return false;
        }
        if what.intersects(ITSELF) {
            return true;
        }
        let (Some(directory), Some(name)) = (self.directories.get(&watch), name) else {
            return false;
        };
        let is_file = directory.files.contains_key(&name);
        let hidden = name.as_bytes().starts_with(b".");
        // Whoever makes a file goes on to write it.
        let begun = is_file && what.contains(ReadFlags::CREATE) && {
            let metadata = fs::symlink_metadata(directory.path.join(&name));
            metadata.is_ok_and(|file| file.is_file() && file.len() == 0 && file.nlink() == 1)
        };
        let is_entry = directory.entries && !hidden && what.intersects(ENTRY | ReadFlags::ATTRIB);
        if is_entry && what.contains(ReadFlags::ISDIR) {
            let path = directory.path.join(&name);
            self.watch_plugin(&path);
        }
        if is_file {
            if begun || what.contains(ReadFlags::MODIFY) {
                self.open.insert((watch, name));
            } else if what.intersects(ENTRY | ReadFlags::CLOSE_WRITE) {
                self.open.remove(&(watch, name));
            }
        }
        is_file || is_entry
    }

    /// A new directory: what is written into it from now on is seen.
    fn watch_plugin(&mut self, path: &Path) {
        let mut wanted = BTreeMap::new();
        want_plugin(&mut wanted, path);
        for (path, mut directory) in wanted {
            if let Ok(watch) = add(&self.inotify, &path) {
                directory.path = path;
                let known = self.directories.entry(watch).or_default();
                known.merge(directory);
            }
        }
    }

    /// When a change is to be taken in; `None` without any.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let (first, last) = self.pending?;
        Some((last + QUIET).min(first + PATIENCE))
    }

    /// Whether there is a change to be taken in now. It is told once.
    pub fn is_due(&mut self) -> bool {
        let due = self.due().is_some_and(|due| due <= Instant::now());
        if due {
            self.pending = None;
        }
        due
    }

    /// Plugins, by their directories, and files that are being written.
    #[must_use]
    pub fn being_written(&self) -> Vec<PathBuf> {
        let owner = |(watch, name): &(i32, OsString)| {
            let files = &self.directories.get(watch)?.files;
            files.get(name).cloned()
        };
        self.open.iter().filter_map(owner).collect()
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

impl Directory {
    fn merge(&mut self, other: Self) {
        let Self {
            path,
            entries,
            files,
        } = other;
        self.path = path;
        self.entries |= entries;
        self.files.extend(files);
    }
}

fn add(inotify: &OwnedFd, path: &Path) -> rustix::io::Result<i32> {
    let flags = WatchFlags::CREATE
        | WatchFlags::DELETE
        | WatchFlags::MOVE
        | WatchFlags::MODIFY
        | WatchFlags::CLOSE_WRITE
        | WatchFlags::ATTRIB
        | WatchFlags::DELETE_SELF
        | WatchFlags::MOVE_SELF
        | WatchFlags::ONLYDIR;
    inotify::add_watch(inotify, path, flags)
}

/// The files of a plugin; where one is a link, what it leads to as well.
fn want_plugin(wanted: &mut BTreeMap<PathBuf, Directory>, directory: &Path) {
    for name in FILES {
        let path = directory.join(name);
        let of = wanted.entry(directory.to_owned()).or_default();
        of.files.insert(name.into(), directory.to_owned());
        if path.is_symlink()
            && let Ok(target) = path.canonicalize()
        {
            want_name(wanted, &target, directory);
        }
    }
}

/// A name in its directory; where that does not exist, the first of its
/// ancestors that does, in which the next name may come up.
fn want_name(wanted: &mut BTreeMap<PathBuf, Directory>, path: &Path, owner: &Path) {
    let absolute = std::path::absolute(path);
    let mut path = absolute.as_deref().unwrap_or(path);
    while let (Some(parent), Some(name)) = (path.parent(), path.file_name()) {
        if parent.is_dir() {
            let of = wanted.entry(parent.to_owned()).or_default();
            of.files.insert(name.to_owned(), owner.to_owned());
            return;
        }
        path = parent;
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
