//! The directories of /proc: processes, threads, open files. Listed by
//! getdents into the buffer, without a look at any entry.

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, RawDir, fstat, statat};

use super::error::ReadError;
use super::files::{Proc, Subject};
use super::words::number_u32;

impl Proc {
    /// Replaces `pids` by the thread group ids of all processes, ascending.
    ///
    /// # Errors
    /// /proc cannot be listed.
    pub fn pids(&mut self, pids: &mut Vec<u32>) -> Result<(), ReadError> {
        self.numbers(Subject::Host, ".", pids)
    }

    /// Replaces `tids` by the thread ids of a process; never empty.
    ///
    /// # Errors
    /// The process has ended, or may not be seen.
    pub fn tids<'a>(
        &mut self,
        of: impl Into<Subject<'a>>,
        tids: &mut Vec<u32>,
    ) -> Result<(), ReadError> {
        self.numbers(of.into(), "task", tids)?;
        if tids.is_empty() {
            return Err(ReadError::Gone);
        }
        Ok(())
    }

    /// The number of open file descriptors.
    ///
    /// Since Linux 6.2 the kernel says it as the size of the directory, which
    /// costs the same for any number and is told to everybody; before, the
    /// entries are counted, which needs the rights to trace the process.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn fd_count<'a>(&mut self, of: impl Into<Subject<'a>>) -> Result<u64, ReadError> {
        let of = of.into();
        let result = if self.fd_size_known {
            self.fd_size(of)
        } else {
            self.fd_entries(of)
        };
        self.counted(result)
    }

    /// Finds out whether the size of `fd` is the number of entries: its own
    /// cannot be empty, the root of this very handle being open.
    pub(super) fn find_out_fd_size(&mut self) {
        let size = self
            .locate(Subject::Host, "self/fd")
            .and_then(|(root, path)| statat(root, path, AtFlags::empty()));
        self.fd_size_known = size.is_ok_and(|stat| stat.st_size > 0);
    }

    fn fd_size(&mut self, of: Subject<'_>) -> Result<u64, ReadError> {
        let size = match of {
            Subject::Kept(kept) => fstat(kept.fd()?)?.st_size,
            _ => {
                let (root, path) = self.locate(of, "fd")?;
                statat(root, path, AtFlags::empty())?.st_size
            }
        };
        u64::try_from(size).map_err(|_| ReadError::Malformed)
    }

    fn fd_entries(&mut self, of: Subject<'_>) -> Result<u64, ReadError> {
        let dir = self.open_dir(of, "fd")?;
        let mut count = 0;
        self.each_number(dir, |_| count += 1)?;
        Ok(count)
    }

    fn numbers(
        &mut self,
        of: Subject<'_>,
        name: &str,
        out: &mut Vec<u32>,
    ) -> Result<(), ReadError> {
        out.clear();
        let result = self
            .open_dir(of, name)
            .and_then(|dir| self.each_number(dir, |number| out.push(number)));
        self.counted(result)
    }

    /// Calls `found` for every entry whose name is a number.
    fn each_number(&mut self, dir: OwnedFd, mut found: impl FnMut(u32)) -> Result<(), ReadError> {
        self.buffer.clear();
        let mut entries = RawDir::new(dir, self.buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            if let Some(number) = number_u32(entry?.file_name().to_bytes()) {
                found(number);
            }
        }
        Ok(())
    }
}
