//! Files read and parsed in one step.

use super::cgroup::unified_path;
use super::cmdline::Args;
use super::comm::Comm;
use super::error::ReadError;
use super::files::{Proc, Subject};
use super::host;
use super::io::Io;
use super::schedstat::Schedstat;
use super::stat::Stat;
use super::statm::Statm;
use super::status::{Status, Switches};
use crate::units::BootNanos;

/// All methods fail as [`Proc::read`] does, and with
/// [`ReadError::Malformed`] where the content is not understood.
impl Proc {
    /// `stat` of a process or thread.
    pub fn stat<'a>(&mut self, of: impl Into<Subject<'a>>) -> Result<Stat, ReadError> {
        self.parsed(of.into(), "stat", Stat::parse)
    }

    /// `statm` of a process or thread.
    pub fn statm<'a>(&mut self, of: impl Into<Subject<'a>>) -> Result<Statm, ReadError> {
        self.parsed(of.into(), "statm", Statm::parse)
    }

    /// `status` of a process or thread.
    pub fn status<'a>(&mut self, of: impl Into<Subject<'a>>) -> Result<Status, ReadError> {
        self.parsed(of.into(), "status", Status::parse)
    }

    /// Context switches of one task, from its `status`.
    pub fn switches<'a>(&mut self, of: impl Into<Subject<'a>>) -> Result<Switches, ReadError> {
        self.parsed(of.into(), "status", Switches::parse)
    }

    /// `io` of a process.
    pub fn io<'a>(&mut self, of: impl Into<Subject<'a>>) -> Result<Io, ReadError> {
        self.parsed(of.into(), "io", Io::parse)
    }

    /// `schedstat` of one task.
    pub fn schedstat<'a>(&mut self, of: impl Into<Subject<'a>>) -> Result<Schedstat, ReadError> {
        self.parsed(of.into(), "schedstat", Schedstat::parse)
    }

    /// `comm` of a process or thread: the cheapest file that names it.
    pub fn comm<'a>(&mut self, of: impl Into<Subject<'a>>) -> Result<Comm, ReadError> {
        self.parsed(of.into(), "comm", Comm::parse)
    }

    /// Path in the cgroup v2 hierarchy; `None` where there is none.
    pub fn cgroup<'a>(&mut self, of: impl Into<Subject<'a>>) -> Result<Option<&[u8]>, ReadError> {
        Ok(unified_path(self.read(of, "cgroup")?))
    }

    /// The arguments, as far as they are in the first `limit` bytes. None at
    /// all while an exec goes on, of a zombie, and of a thread of the kernel:
    /// a program is never started without (Linux 5.18 and later).
    pub fn args<'a>(
        &mut self,
        of: impl Into<Subject<'a>>,
        limit: usize,
    ) -> Result<Args, ReadError> {
        let (bytes, truncated) = self.read_up_to(of.into(), "cmdline", limit)?;
        Ok(Args::parse(bytes, truncated))
    }

    /// Path of the executable file as the process sees it, raw bytes, without
    /// the ` (deleted)` of a file that was unlinked. [`ReadError::Gone`] also
    /// for what has no executable: a thread of the kernel, a zombie.
    pub fn exe<'a>(&mut self, of: impl Into<Subject<'a>>) -> Result<&[u8], ReadError> {
        let path = self.read_link(of.into(), "exe")?;
        Ok(path.strip_suffix(b" (deleted)").unwrap_or(path))
    }

    /// Time of boot, seconds since 1970. It moves with the wall clock.
    pub fn boot_time_seconds(&mut self) -> Result<u64, ReadError> {
        self.parsed(Subject::Host, "stat", host::boot_time_seconds)
    }

    /// Physical memory, bytes.
    pub fn memory_total_bytes(&mut self) -> Result<u64, ReadError> {
        self.parsed(Subject::Host, "meminfo", host::memory_total_bytes)
    }

    /// Time since boot.
    pub fn uptime(&mut self) -> Result<BootNanos, ReadError> {
        self.parsed(Subject::Host, "uptime", host::uptime)
    }

    fn parsed<T>(
        &mut self,
        of: Subject<'_>,
        name: &str,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, ReadError> {
        let value = parse(self.read(of, name)?);
        self.understood(value)
    }
}
