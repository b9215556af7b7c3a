//! Which processes there are, and what they run: one cheap file of each, and
//! more of those only that are of interest.
//!
//! Of 5,000 processes `stat` alone is what a scan can afford. It holds the
//! name, and only a name of 15 bytes ([`Comm::may_be_cut`]) needs the
//! arguments or the executable to be known whole. Where nothing but names is
//! wanted, [`Proc::comm`] is cheaper still by a third.
//!
//! [`Comm::may_be_cut`]: crate::procfs::Comm::may_be_cut

use super::threads::living;
use crate::procfs::{Args, Proc, ReadError, Stat, Subject};

/// Up to here arguments are taken, as in the kernel's hook.
pub const ARGS_LIMIT: usize = 4096;

/// A process as a scan found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned {
    /// Pid, parent, start, name, state and flags.
    pub stat: Stat,
    /// Path of the executable file as the process sees it, raw bytes; `None`:
    /// not asked for, not readable, or a thread of the kernel.
    pub exe: Option<Vec<u8>>,
    /// Arguments; `None`: not asked for, not readable, or not there: a thread
    /// of the kernel, or a process in the middle of an exec.
    pub args: Option<Args>,
    /// Effective user id; `None`: not asked for, or not readable.
    pub uid: Option<u32>,
    /// Path in the cgroup v2 hierarchy; `None`: not asked for, not readable,
    /// or in none.
    pub cgroup: Option<Vec<u8>>,
}

/// What is to be found out about a process beyond its `stat`. Each costs a
/// file, and together one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The executable file.
    pub exe: bool,
    /// The arguments, so many bytes at most: [`ARGS_LIMIT`], or more where
    /// they are to be whole.
    pub args: Option<usize>,
    /// The user.
    pub user: bool,
    /// The cgroup.
    pub cgroup: bool,
    /// The name whole: executable and arguments where `comm` may be cut.
    pub name: bool,
}

/// What is to be found out about whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wants {
    /// About everybody, to know who is a member.
    pub each: Wanted,
    /// About members, all told.
    pub members: Wanted,
    /// Who is whose child, of everybody.
    pub descent: bool,
}

impl Wants {
    /// Who is a member is told by `comm` alone, but where it may be cut.
    #[must_use]
    pub fn only_names(&self) -> bool {
        let name = Wanted {
            name: true,
            ..Wanted::default()
        };
        self.each == name && !self.descent
    }
}

impl Wanted {
    /// All there is.
    pub const ALL: Self = Self {
        name: true,
        exe: true,
        args: Some(ARGS_LIMIT),
        user: true,
        cgroup: true,
    };
}

/// Calls `each` for these processes, threads of the kernel and zombies
/// included, with what is in its `stat`. One that ended meanwhile or may not be
/// seen is passed over, and counted in [`Proc::counts`].
pub fn scan(proc: &mut Proc, pids: &[u32], mut each: impl FnMut(&mut Proc, Scanned)) {
    for &pid in pids {
        if let Ok(scanned) = Scanned::read(proc, pid) {
            each(proc, scanned);
        }
    }
}

impl Scanned {
    /// Reads the `stat` of a process, nothing else.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn read(proc: &mut Proc, pid: u32) -> Result<Self, ReadError> {
        Ok(Self {
            stat: proc.stat(pid)?,
            exe: None,
            args: None,
            uid: None,
            cgroup: None,
        })
    }

    /// Reads what is wanted and not there yet; where that is anything, `stat`
    /// is new afterwards.
    ///
    /// # Errors
    /// [`ReadError::Gone`] where the process has ended, be it as a zombie, or
    /// another one has its pid.
    pub fn complete(&mut self, proc: &mut Proc, wanted: Wanted) -> Result<(), ReadError> {
        if self.stat.process_ended() {
            return Err(ReadError::Gone);
        }
        let wanted = self.missing(wanted);
        if wanted == Wanted::default() {
            return Ok(());
        }
        let pid = self.stat.pid;
        let mut lender = Subject::Process(pid);
        if self.stat.task_ended() {
            lender = living(proc, pid, &mut Vec::new())?;
        }
        if wanted.exe {
            self.exe = proc.exe(lender).ok().map(<[u8]>::to_vec);
        }
        if let Some(limit) = wanted.args {
            let args = proc.args(lender, limit).ok();
            self.args = args.filter(|args| !args.args.is_empty());
        }
        if wanted.user {
            self.uid = proc.status(pid).ok().map(|status| status.effective_uid);
        }
        if wanted.cgroup {
            self.cgroup = proc.cgroup(pid).ok().flatten().map(<[u8]>::to_vec);
        }
        // Last: the same start proves that all of it was the same process's.
        let stat = proc.stat(pid)?;
        if stat.start_ticks != self.stat.start_ticks || stat.process_ended() {
            return Err(ReadError::Gone);
        }
        self.stat = stat;
        Ok(())
    }

    /// What of it is not there and may be.
    fn missing(&self, wanted: Wanted) -> Wanted {
        let program = !self.stat.is_kernel_thread();
        let cut = wanted.name && self.stat.comm.may_be_cut();
        let args = wanted.args.or(cut.then_some(ARGS_LIMIT));
        Wanted {
            name: false,
            exe: program && (wanted.exe || cut) && self.exe.is_none(),
            args: args.filter(|_| program && self.args.is_none()),
            user: wanted.user && self.uid.is_none(),
            cgroup: wanted.cgroup && self.cgroup.is_none(),
        }
    }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
