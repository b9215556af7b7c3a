//! The figures of one watched process.

use std::sync::Arc;

use rustix::io::Errno;

use super::memory::Memory;
use super::threads::{Threads, living};
use super::{Scale, account, fds, io, memory, runqueue};
use crate::procfs::{Comm, Io, Kept, Proc, ReadError, Schedstat, Stat, Subject, Switches};

/// How often a process may lose the thread that lends it memory and files
/// while it is read.
const ATTEMPTS: usize = 4;

/// What a process has used so far, and what it holds now. `None`: could not be
/// read, for a reason that is in [`Proc::counts`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Thread group id.
    pub pid: u32,
    /// Start after boot, in ticks: with the pid it names the process.
    pub start_ticks: u64,
    /// Name of the group leader.
    pub comm: Comm,
    /// State of the group leader; `Z` where it has ended and threads run.
    pub state: u8,
    /// Parent, as of when the process last ran: one that sleeps is not asked
    /// again when its parent ends.
    pub ppid: u32,
    /// CPU time in user mode, ns (in steps of a tick).
    pub cpu_user_ns: u64,
    /// CPU time in the kernel, ns (in steps of a tick).
    pub cpu_system_ns: u64,
    /// Resident memory.
    pub rss_bytes: u64,
    /// Virtual memory.
    pub vms_bytes: u64,
    /// Fetched from storage.
    pub read_bytes: Option<u64>,
    /// Sent to storage.
    pub write_bytes: Option<u64>,
    /// What read calls returned.
    pub rchar: Option<u64>,
    /// What write calls took.
    pub wchar: Option<u64>,
    /// Voluntary context switches of the living threads.
    pub voluntary: Option<u64>,
    /// Involuntary context switches of the living threads.
    pub involuntary: Option<u64>,
    /// Minor page faults.
    pub minor_faults: u64,
    /// Major page faults.
    pub major_faults: u64,
    /// Threads.
    pub threads: u64,
    /// Open file descriptors.
    pub fds: Option<u64>,
    /// Time that the living threads waited for a CPU, ns.
    pub runqueue_ns: Option<u64>,
}

/// A process that is read again and again. From the second look on it is kept
/// open, as far as there are descriptors.
#[derive(Debug)]
pub struct Watched {
    pid: u32,
    start_ticks: Option<u64>,
    last: Option<Last>,
    threads: Threads,
    seen: bool,
    kept: Option<Kept>,
}

/// The last reading of a process with a single thread, and its scheduler
/// account just before. A task whose account has not moved by a nanosecond has
/// not run, so it can have used nothing: neither CPU nor files, and it is
/// still the same process.
#[derive(Debug, Clone)]
struct Last {
    account: Schedstat,
    reading: Arc<Reading>,
}

/// Reads the figures of processes.
#[derive(Debug)]
pub struct Collector {
    scale: Scale,
    tids: Vec<u32>,
}

/// What is known only thread by thread.
struct PerThread {
    switches: Option<Switches>,
    schedstat: Option<Schedstat>,
    single: bool,
}

impl Watched {
    /// A process by its pid and, where it is known, its start in ticks after
    /// boot; where not, whatever has the pid at the first reading.
    #[must_use]
    pub fn new(pid: u32, start_ticks: Option<u64>) -> Self {
        Self {
            pid,
            start_ticks,
            last: None,
            threads: Threads::default(),
            seen: false,
            kept: None,
        }
    }

    /// Its thread group id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }
}

impl Collector {
    /// A collector for the running kernel.
    #[must_use]
    pub fn new() -> Self {
        Self {
            scale: Scale::of_kernel(),
            tids: Vec::new(),
        }
    }

    /// Reads the figures of a process.
    ///
    /// # Errors
    /// [`ReadError::Gone`] where the process has ended, be it as a zombie, or
    /// another one has its pid; others where it may not be seen at all.
    pub fn read(&mut self, proc: &mut Proc, of: &mut Watched) -> Result<Arc<Reading>, ReadError> {
        if of.seen && of.kept.is_none() {
            of.kept = proc.keep(of.pid);
        }
        let result = self.look(proc, of);
        of.seen = result.is_ok();
        if result.is_err() {
            of.kept = None;
        }
        result
    }

    fn look(&mut self, proc: &mut Proc, of: &mut Watched) -> Result<Arc<Reading>, ReadError> {
        let pid = of.pid;
        let this = of
            .kept
            .as_ref()
            .map_or(Subject::Process(pid), Subject::Kept);
        let start_ticks = match of.start_ticks {
            Some(ticks) => ticks,
            None => alive(proc.stat(this)?)?.start_ticks,
        };
        let mut lender = this;
        for _ in 0..ATTEMPTS {
            // A task lets go of its memory before its files: where there is
            // memory after they were counted, the count is right.
            let fds = fds::read(proc, lender);
            let memory = memory::read(proc, lender, self.scale);
            // Of several threads each is asked below.
            let account = match of.threads.are_several() {
                true => None,
                false => proc.schedstat(this).ok(),
            };
            if let (Some(last), Ok(memory)) = (&mut of.last, &memory)
                && account == Some(last.account)
                && memory.virtual_bytes > 0
            {
                if !last.reading.holds(fds, *memory) {
                    last.reading = Arc::new(Reading::clone(&last.reading).holding(fds, *memory));
                }
                return Ok(Arc::clone(&last.reading));
            }
            let per_thread = self.per_thread(proc, pid, this, account, &mut of.threads);
            let io = io::read(proc, this);
            // Last: that it still has the expected start proves that all that
            // was read before was of the same process, and alive.
            let stat = alive(proc.stat(this)?)?;
            if stat.start_ticks != start_ticks {
                return Err(ReadError::Gone);
            }
            let memory = match memory {
                Ok(memory) if memory.virtual_bytes > 0 || stat.is_kernel_thread() => memory,
                Ok(_) | Err(ReadError::Gone) => {
                    lender = living(proc, pid, &mut self.tids)?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let mut reading = Reading::new(&stat, memory, fds, self.scale);
            reading.add_io(io);
            reading.add_threads(&per_thread, &stat);
            let reading = Arc::new(reading);
            of.start_ticks = Some(start_ticks);
            of.last = account
                .filter(|account| account.slices > 0 && per_thread.single && stat.threads == 1)
                .map(|account| Last {
                    account,
                    reading: Arc::clone(&reading),
                });
            return Ok(reading);
        }
        Err(ReadError::Other(Errno::AGAIN))
    }

    /// Sums over `task/*`; of a single thread the files of the process are
    /// those of the thread, and there is nothing to list.
    fn per_thread(
        &mut self,
        proc: &mut Proc,
        pid: u32,
        of: Subject<'_>,
        leader: Option<Schedstat>,
        threads: &mut Threads,
    ) -> PerThread {
        if !threads.are_several()
            && let Ok(status) = proc.status(of)
            && status.threads == 1
        {
            return PerThread {
                switches: Some(status.switches),
                schedstat: leader,
                single: true,
            };
        }
        let listed = proc.tids(of, &mut self.tids).is_ok();
        let tids = if listed { self.tids.as_slice() } else { &[] };
        let (switches, schedstat) = threads.read(proc, pid, tids);
        PerThread {
            switches,
            schedstat,
            single: false,
        }
    }
}

impl Default for Collector {
    fn default() -> Self {
        Self::new()
    }
}

impl Reading {
    /// With what is in `stat` and what it holds; nothing else is known yet.
    fn new(stat: &Stat, memory: Memory, fds: Option<u64>, scale: Scale) -> Self {
        let cpu = account::cpu(stat, scale);
        Self {
            pid: stat.pid,
            start_ticks: stat.start_ticks,
            comm: stat.comm,
            state: stat.state,
            ppid: stat.ppid,
            cpu_user_ns: cpu.user_ns,
            cpu_system_ns: cpu.system_ns,
            rss_bytes: memory.resident_bytes,
            vms_bytes: memory.virtual_bytes,
            read_bytes: None,
            write_bytes: None,
            rchar: None,
            wchar: None,
            voluntary: None,
            involuntary: None,
            minor_faults: stat.minor_faults,
            major_faults: stat.major_faults,
            threads: stat.threads,
            fds,
            runqueue_ns: None,
        }
    }

    fn add_io(&mut self, io: Option<Io>) {
        self.read_bytes = io.map(|io| io.read_bytes);
        self.write_bytes = io.map(|io| io.write_bytes);
        self.rchar = io.map(|io| io.rchar);
        self.wchar = io.map(|io| io.wchar);
    }

    fn add_threads(&mut self, sums: &PerThread, stat: &Stat) {
        self.voluntary = sums.switches.map(|switches| switches.voluntary);
        self.involuntary = sums.switches.map(|switches| switches.involuntary);
        self.runqueue_ns = sums
            .schedstat
            .and_then(|schedstat| runqueue::wait_ns(schedstat, stat));
    }

    /// Whether these are the figures of what it holds.
    fn holds(&self, fds: Option<u64>, memory: Memory) -> bool {
        let held = (self.fds, self.rss_bytes, self.vms_bytes);
        held == (fds, memory.resident_bytes, memory.virtual_bytes)
    }

    /// With new figures of what it holds.
    fn holding(mut self, fds: Option<u64>, memory: Memory) -> Self {
        self.fds = fds;
        self.rss_bytes = memory.resident_bytes;
        self.vms_bytes = memory.virtual_bytes;
        self
    }
}

fn alive(stat: Stat) -> Result<Stat, ReadError> {
    if stat.process_ended() {
        Err(ReadError::Gone)
    } else {
        Ok(stat)
    }
}

#[cfg(test)]
#[path = "collector_tests.rs"]
mod tests;
