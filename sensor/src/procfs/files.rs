//! The one place that opens files of /proc.

use std::ffi::CStr;
use std::path::Path;

use rustix::buffer::spare_capacity;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, open, openat, readlinkat_raw};
use rustix::io::{Errno, pread, read, retry_on_intr};

use super::error::{Counts, ReadError};
use super::kept::{Kept, Places};
use super::words::push_number;

/// Holds every file of a process that the kernel writes in one piece, and a
/// path of any length.
const FIRST_CAPACITY: usize = 16 * 1024;
/// Where a file of a process ends to be of use.
const PROCESS_LIMIT: usize = 64 * 1024;
/// `/proc/stat` has a line for each CPU and a number for each interrupt.
const HOST_LIMIT: usize = 4 * 1024 * 1024;

/// A mounted /proc: keeps its root open, reads through one buffer that is used
/// again for every file, and counts what failed and why.
#[derive(Debug)]
pub struct Proc {
    root: OwnedFd,
    path: Vec<u8>,
    pub(super) buffer: Vec<u8>,
    counts: Counts,
    pub(super) fd_size_known: bool,
    pub(super) places: Places,
}

/// Whose files: the host's, a process's, or one thread's.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// Files in /proc itself.
    Host,
    /// Files in /proc/PID.
    Process(u32),
    /// Files in /proc/PID/task/TID: pid, tid.
    Thread(u32, u32),
    /// Files of a process that is kept open, and never of another one that
    /// has its pid by now.
    Kept(&'a Kept),
}

impl From<u32> for Subject<'_> {
    fn from(pid: u32) -> Self {
        Self::Process(pid)
    }
}

/// How a file is to be read.
#[derive(Clone, Copy)]
struct Extent {
    limit: usize,
    /// Ask until the kernel says that nothing follows.
    to_end: bool,
}

impl Proc {
    /// Opens the host's `/proc`.
    ///
    /// # Errors
    /// `/proc` is not mounted or may not be entered.
    pub fn open() -> Result<Self, ReadError> {
        Self::open_at(Path::new("/proc"))
    }

    /// Opens a /proc that is mounted elsewhere, such as the host's in a
    /// container.
    ///
    /// # Errors
    /// `root` is no directory or may not be entered.
    pub fn open_at(root: &Path) -> Result<Self, ReadError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut proc = Self {
            root: open(root, flags, Mode::empty())?,
            path: Vec::with_capacity(64),
            buffer: Vec::with_capacity(FIRST_CAPACITY),
            counts: Counts::default(),
            fd_size_known: false,
            places: Places::of_limit(),
        };
        proc.find_out_fd_size();
        Ok(proc)
    }

    /// What was read through this handle, and what failed.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The content of a file that the kernel writes in one piece, in one read:
    /// `stat`, `statm`, `status`, `io`, `schedstat`, `cgroup`, `comm`, `limits`,
    /// … Files made of records (`maps`, `net/*`) come in several pieces: see
    /// [`Proc::read_all`].
    ///
    /// # Errors
    /// See [`ReadError`]; more than 64 KiB (4 MiB for the host's) is too long.
    pub fn read<'a>(&mut self, of: impl Into<Subject<'a>>, name: &str) -> Result<&[u8], ReadError> {
        self.read_whole(of.into(), name, false)
    }

    /// As [`Proc::read`], for a file of any kind, at the cost of one more read.
    ///
    /// # Errors
    /// As [`Proc::read`].
    pub fn read_all<'a>(
        &mut self,
        of: impl Into<Subject<'a>>,
        name: &str,
    ) -> Result<&[u8], ReadError> {
        self.read_whole(of.into(), name, true)
    }

    /// The first `limit` bytes of a file, and whether there are more.
    pub(super) fn read_up_to(
        &mut self,
        of: Subject<'_>,
        name: &str,
        limit: usize,
    ) -> Result<(&[u8], bool), ReadError> {
        let extent = Extent {
            limit,
            to_end: false,
        };
        let result = self.fill(of, name, extent);
        let cut = self.counted(result)?;
        Ok((&self.buffer, cut))
    }

    /// The target of a link, raw.
    pub(super) fn read_link(&mut self, of: Subject<'_>, name: &str) -> Result<&[u8], ReadError> {
        let result = self.fill_link(of, name);
        self.counted(result)?;
        Ok(&self.buffer)
    }

    /// Opens a directory for listing.
    pub(super) fn open_dir(&mut self, of: Subject<'_>, name: &str) -> Result<OwnedFd, ReadError> {
        self.open_file(of, name, OFlags::DIRECTORY)
    }

    /// Counts one thing read, well or not.
    pub(super) fn counted<T>(&mut self, result: Result<T, ReadError>) -> Result<T, ReadError> {
        self.counts.reads += 1;
        result.inspect_err(|&error| self.counts.failed(error))
    }

    /// Counts a file that was read and not understood.
    pub(super) fn understood<T>(&mut self, value: Option<T>) -> Result<T, ReadError> {
        value.ok_or_else(|| {
            self.counts.failed(ReadError::Malformed);
            ReadError::Malformed
        })
    }

    /// A directory, and the path below it of a file.
    pub(super) fn locate<'a>(
        &'a mut self,
        of: Subject<'a>,
        name: &str,
    ) -> Result<(BorrowedFd<'a>, &'a CStr), Errno> {
        self.path.clear();
        let mut root = self.root.as_fd();
        match of {
            Subject::Host => {}
            Subject::Kept(kept) => root = kept.dir(),
            Subject::Process(pid) => {
                push_number(&mut self.path, pid);
                self.path.push(b'/');
            }
            Subject::Thread(pid, tid) => {
                push_number(&mut self.path, pid);
                self.path.extend_from_slice(b"/task/");
                push_number(&mut self.path, tid);
                self.path.push(b'/');
            }
        }
        self.path.extend_from_slice(name.as_bytes());
        self.path.push(0);
        let path = CStr::from_bytes_with_nul(&self.path).map_err(|_| Errno::INVAL)?;
        Ok((root, path))
    }

    fn open_file(
        &mut self,
        of: Subject<'_>,
        name: &str,
        kind: OFlags,
    ) -> Result<OwnedFd, ReadError> {
        // NONBLOCK: a name may lead through `cwd` or `root` to a pipe that the
        // process has put there, and must not hold the reader up.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK | kind;
        let (root, path) = self.locate(of, name)?;
        Ok(openat(root, path, flags, Mode::empty())?)
    }

    fn read_whole(
        &mut self,
        of: Subject<'_>,
        name: &str,
        to_end: bool,
    ) -> Result<&[u8], ReadError> {
        let limit = match of {
            Subject::Host => HOST_LIMIT,
            Subject::Process(_) | Subject::Thread(..) | Subject::Kept(_) => PROCESS_LIMIT,
        };
        let result = match self.fill(of, name, Extent { limit, to_end }) {
            Ok(true) => Err(ReadError::TooLong(limit)),
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        self.counted(result)?;
        Ok(&self.buffer)
    }

    /// Fills the buffer; true where the file goes on behind the limit.
    fn fill(&mut self, of: Subject<'_>, name: &str, extent: Extent) -> Result<bool, ReadError> {
        self.buffer.clear();
        let kept = match of {
            Subject::Kept(kept) => kept.file(name).transpose()?,
            _ => None,
        };
        let opened;
        let file = match kept {
            Some(kept) => kept,
            None => {
                opened = self.open_file(of, name, OFlags::empty())?;
                opened.as_fd()
            }
        };
        loop {
            if self.buffer.len() > extent.limit {
                self.buffer.truncate(extent.limit);
                return Ok(true);
            }
            if self.buffer.len() == self.buffer.capacity() {
                self.buffer.reserve(self.buffer.capacity());
            }
            let room = self.buffer.capacity() - self.buffer.len();
            let from = self.buffer.len() as u64;
            let count = retry_on_intr(|| {
                let space = spare_capacity(&mut self.buffer);
                match kept {
                    Some(_) => pread(file, space, from),
                    None => read(file, space),
                }
            })?;
            if count == 0 || (count < room && !extent.to_end) {
                let cut = self.buffer.len() > extent.limit;
                self.buffer.truncate(extent.limit);
                return Ok(cut);
            }
        }
    }

    fn fill_link(&mut self, of: Subject<'_>, name: &str) -> Result<(), ReadError> {
        // The kernel refuses targets of more than a page, which the capacity
        // exceeds: what comes is whole.
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let result = self
            .locate(of, name)
            .and_then(|(root, path)| readlinkat_raw(root, path, spare_capacity(&mut buffer)));
        self.buffer = buffer;
        result?;
        Ok(())
    }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
