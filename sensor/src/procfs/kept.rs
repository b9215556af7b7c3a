//! A process whose directory and hot files stay open. Opening and closing a
//! file of /proc costs 6 µs, reading one again 1 to 5.
//!
//! A descriptor of /proc/PID belongs to a process, not to a number: once that
//! process has gone, all that is asked through it is [`ReadError::Gone`](super::ReadError), and
//! never about another one that has the pid since.

use std::cell::OnceCell;
use std::sync::Arc;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit, setrlimit};

use super::files::{Proc, Subject};

/// Files that every look reads; others are opened each time.
const FILES: [&str; 5] = ["stat", "statm", "io", "schedstat", "status"];
/// The most that one kept process holds: its directory, its files, and `fd`.
const DESCRIPTORS: usize = FILES.len() + 2;
/// Descriptors that are left to everything else: hooks, senders, the store.
const RESERVE: usize = 256;
/// Descriptors for others that take what is left, [`spare_descriptors`].
const SPARE: usize = 1_024;
/// The most processes that are kept, whatever the limit of descriptors: of
/// each open file the kernel keeps a page.
const MOST: usize = 512;

/// A process of which descriptors are kept; dropped, they are closed.
#[derive(Debug)]
pub struct Kept {
    dir: OwnedFd,
    files: [OnceCell<OwnedFd>; FILES.len()],
    /// The directory `fd`, to ask its size only.
    fd: OnceCell<OwnedFd>,
    _place: Arc<()>,
}

/// Places for kept processes: each [`Kept`] holds a share of the token.
#[derive(Debug)]
pub(super) struct Places {
    token: Arc<()>,
    most: usize,
}

impl Places {
    /// As many as the limit of descriptors allows beside everything else.
    pub(super) fn of_limit() -> Self {
        // None: without a limit.
        let limit = getrlimit(Resource::Nofile).current;
        let limit = limit.and_then(|limit| usize::try_from(limit).ok());
        Self::new(places(limit.unwrap_or(usize::MAX)))
    }

    pub(super) fn new(most: usize) -> Self {
        Self {
            token: Arc::new(()),
            most,
        }
    }

    fn take(&self) -> Option<Arc<()>> {
        let taken = Arc::strong_count(&self.token) - 1;
        (taken < self.most).then(|| Arc::clone(&self.token))
    }
}

/// Allows this program as many descriptors as the most kept processes need, and
/// some to spare, as far as its hard limit goes. Many hosts start it with 1,024.
pub fn allow_descriptors() {
    let wanted = u64::try_from(MOST * DESCRIPTORS + RESERVE + SPARE).unwrap_or(u64::MAX);
    let mut limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX).min(wanted);
    if limit.current.is_some_and(|current| current < most) {
        limit.current = Some(most);
        // Where it fails, fewer are kept.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

/// How many descriptors there are beside those for kept processes and for what
/// cannot do without.
#[must_use]
pub fn spare_descriptors() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.unwrap_or(usize::MAX);
    limit.saturating_sub(MOST * DESCRIPTORS + RESERVE)
}

/// How many processes can be kept with so many descriptors.
fn places(limit: usize) -> usize {
    (limit.saturating_sub(RESERVE) / DESCRIPTORS).min(MOST)
}

impl Proc {
    /// Keeps a process open; `None` where all places are taken, or it cannot
    /// be opened. Whoever had the pid at this moment is kept: whether that is
    /// the one who was meant, its start tells.
    pub fn keep(&mut self, pid: u32) -> Option<Kept> {
        let place = self.places.take()?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let (root, path) = self.locate(Subject::Process(pid), "").ok()?;
        let dir = openat(root, path, flags, Mode::empty()).ok()?;
        Some(Kept {
            dir,
            files: [const { OnceCell::new() }; FILES.len()],
            fd: OnceCell::new(),
            _place: place,
        })
    }
}

#[cfg(test)]
impl Proc {
    /// As where all descriptors are in use.
    pub(crate) fn no_places(&mut self) {
        self.places = Places::new(0);
    }
}

impl Kept {
    pub(super) fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// The file as it is kept, opened where it is not yet; `None`: it is none
    /// of those that are kept.
    pub(super) fn file(&self, name: &str) -> Option<Result<BorrowedFd<'_>, Errno>> {
        let place = FILES.iter().position(|&file| file == name)?;
        Some(self.open(&self.files[place], name, OFlags::RDONLY))
    }

    /// The directory `fd`.
    pub(super) fn fd(&self) -> Result<BorrowedFd<'_>, Errno> {
        self.open(&self.fd, "fd", OFlags::PATH | OFlags::DIRECTORY)
    }

    fn open<'a>(
        &'a self,
        place: &'a OnceCell<OwnedFd>,
        name: &str,
        flags: OFlags,
    ) -> Result<BorrowedFd<'a>, Errno> {
        if let Some(file) = place.get() {
            return Ok(file.as_fd());
        }
        let file = openat(&self.dir, name, flags | OFlags::CLOEXEC, Mode::empty())?;
        Ok(place.get_or_init(|| file).as_fd())
    }
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
