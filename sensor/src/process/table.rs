//! Every process on the host, by pid and start, bounded.

use std::{collections::BTreeMap, sync::Arc};

use hashbrown::HashMap;
use sensor_common::event::OutputFile;

use super::texts::Texts;
use crate::{
    aggregate::service::Member,
    plugin::ServiceIndex,
    units::{BootNanos, ProcessKey},
};

/// What /proc knows of a start: hundredths of a second.
pub const TICK_NS: u64 = 10_000_000;

/// A program that some process runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Program {
    /// Absolute path of the executable file, raw bytes.
    pub path: Option<Arc<[u8]>>,
    /// Arguments, where they are kept.
    pub args: Option<RawArguments>,
    /// Name of the thread that runs it, without NUL.
    pub comm: Arc<[u8]>,
}

impl Program {
    /// Name of the executable file, where its path is known.
    #[must_use]
    pub fn file_name(&self) -> Option<&[u8]> {
        self.path.as_ref()?.rsplit(|&byte| byte == b'/').next()
    }
}

/// Arguments as the kernel has them: each with its NUL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawArguments {
    /// The bytes.
    pub bytes: Arc<[u8]>,
    /// Cut at the last whole argument.
    pub truncated: bool,
}

/// A service, by its index among the loaded ones, and a group within.
pub type ServiceId = u32;

/// One living process.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its name for ever.
    pub key: ProcessKey,
    /// Whether the start is exact to the nanosecond, or a tick of /proc.
    pub exact: bool,
    /// Thread group id of its parent at birth.
    pub parent: Option<u32>,
    /// What it runs.
    pub program: Program,
    /// Effective user id.
    pub user: Option<u32>,
    /// Path of its cgroup, where known.
    pub cgroup: Option<Arc<str>>,
    /// `ru_maxrss` of what ran before the current program, pages.
    pub earlier_peak_pages: Option<u64>,
    /// Regular files behind descriptors 1 and 2 when it began its program.
    pub outputs: [OutputFile; 2],
    /// The services that it is a member of, in ascending order.
    pub services: Arc<[ServiceId]>,
    /// The declared services of which an ancestor was a member, where these
    /// take in descendants.
    pub lineage: Arc<[ServiceIndex]>,
    /// What it was in services that it has left.
    pub former: Vec<(ServiceId, Member)>,
    /// When a scan found what is known of it; `None` once an event told more.
    pub scanned: Option<BootNanos>,
    /// No exec of it has been seen.
    pub unexecuted: bool,
}

/// Bounds of the table.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Processes.
    pub processes: usize,
    /// Bytes of paths, arguments and names of cgroups, all together.
    pub text_bytes: usize,
}

/// The table. Where it is full, whoever nobody watches has to go, in the order
/// of the last insertion.
#[derive(Debug)]
pub struct Table {
    by_pid: HashMap<u32, (u64, Box<Process>)>,
    /// What the processes in `by_pid` hold, each once.
    texts: Texts<[u8]>,
    cgroups: Texts<str>,
    /// Pids of those that nobody watches, by the number of their insertion.
    unwatched: BTreeMap<u64, u32>,
    insertions: u64,
    limits: Limits,
    evicted: u64,
    texts_evicted: u64,
}

impl Table {
    /// An empty table; it holds one process at least.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            by_pid: HashMap::new(),
            texts: Texts::default(),
            cgroups: Texts::default(),
            unwatched: BTreeMap::new(),
            insertions: 0,
            limits: Limits {
                processes: limits.processes.max(1),
                ..limits
            },
            evicted: 0,
            texts_evicted: 0,
        }
    }

    /// Number of processes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_pid.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_pid.is_empty()
    }

    /// Processes that had to go, or were not taken in, because the table was
    /// full.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Bytes of paths, arguments and names of cgroups.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.texts.bytes() + self.cgroups.bytes()
    }

    /// Texts that were not kept, because there was no room for them.
    #[must_use]
    pub fn texts_evicted(&self) -> u64 {
        self.texts_evicted
    }

    /// The process with this key. A process that a scan found has a start
    /// rounded down to a tick; the first event makes it exact (contract E8).
    pub fn find(&mut self, key: ProcessKey) -> Option<&mut Process> {
        let (_, process) = self.by_pid.get_mut(&key.pid)?;
        if process.key == key {
            return Some(process);
        }
        let same_tick = process.key.start.0 / TICK_NS == key.start.0 / TICK_NS;
        if !process.exact && same_tick {
            process.key = key;
            process.exact = true;
            return Some(process);
        }
        None
    }

    /// The living process with this pid, whatever its start.
    #[must_use]
    pub fn by_pid(&self, pid: u32) -> Option<&Process> {
        self.by_pid.get(&pid).map(|(_, process)| &**process)
    }

    /// Whether a scan's process (start in ticks) is the one in the table.
    #[must_use]
    pub fn holds_scanned(&self, pid: u32, start_ticks: u64) -> bool {
        self.by_pid(pid)
            .is_some_and(|process| ticks_of_start(process.key.start) == start_ticks)
    }

    /// Makes room for a process with this pid: the oldest that nobody watches
    /// goes. False where everybody is watched; that process is not tracked.
    #[must_use]
    pub fn make_room(&mut self, pid: u32) -> bool {
        if self.by_pid.contains_key(&pid) || self.by_pid.len() < self.limits.processes {
            return true;
        }
        self.evicted += 1;
        self.evict_oldest()
    }

    /// Takes out the oldest that nobody watches; false where there is none.
    fn evict_oldest(&mut self) -> bool {
        let oldest = self.unwatched.pop_first();
        let process = oldest.and_then(|(_, pid)| self.by_pid.remove(&pid));
        if let Some((_, process)) = &process {
            self.release(process);
        }
        process.is_some()
    }

    /// Puts a process in, in the place of whoever had its pid. Of a process
    /// whose texts find no room the arguments are given up, then the rest.
    pub fn insert(&mut self, mut process: Process) {
        self.keep_texts(&mut process);
        let pid = process.key.pid;
        self.insertions += 1;
        if process.services.is_empty() {
            self.unwatched.insert(self.insertions, pid);
        }
        let entry = (self.insertions, Box::new(process));
        if let Some((earlier, process)) = self.by_pid.insert(pid, entry) {
            self.unwatched.remove(&earlier);
            self.release(&process);
        }
    }

    fn keep_texts(&mut self, process: &mut Process) {
        let Process {
            program, cgroup, ..
        } = process;
        if !self.has_room(program, cgroup.as_ref()) {
            self.texts_evicted += u64::from(program.args.take().is_some());
            if !self.has_room(program, cgroup.as_ref()) {
                self.texts_evicted += u64::from(program.path.take().is_some());
                self.texts_evicted += u64::from(cgroup.take().is_some());
            }
        }
        program.path = program.path.take().map(|path| self.texts.keep(path));
        if let Some(args) = &mut program.args {
            args.bytes = self.texts.keep(Arc::clone(&args.bytes));
        }
        *cgroup = cgroup.take().map(|path| self.cgroups.keep(path));
    }

    /// Whether there is room for the texts of a process, if need be that of
    /// others which nobody watches.
    fn has_room(&mut self, program: &Program, cgroup: Option<&Arc<str>>) -> bool {
        loop {
            let args = program.args.as_ref().map(|args| &args.bytes);
            let texts = program.path.iter().chain(args);
            // Nearly always, and without a look for each.
            let most: usize = texts.clone().map(Texts::most).sum();
            let most = most + cgroup.map_or(0, Texts::most);
            if self.text_bytes() + most <= self.limits.text_bytes {
                return true;
            }
            let adds: usize = texts.map(|text| self.texts.adds(text)).sum();
            let adds = adds + cgroup.map_or(0, |path| self.cgroups.adds(path));
            if adds == 0 || self.text_bytes() + adds <= self.limits.text_bytes {
                return true;
            }
            // Who would not fit into an empty table pushes out nobody.
            if adds > self.limits.text_bytes || !self.evict_oldest() {
                return false;
            }
            self.evicted += 1;
        }
    }

    /// Gives back the texts of a process that has left the table.
    fn release(&mut self, process: &Process) {
        let args = process.program.args.as_ref().map(|args| &args.bytes);
        for text in process.program.path.iter().chain(args) {
            self.texts.release(text);
        }
        if let Some(path) = &process.cgroup {
            self.cgroups.release(path);
        }
    }

    /// Takes a process out.
    pub fn remove(&mut self, key: ProcessKey) -> Option<Process> {
        self.find(key)?;
        let (insertion, process) = self.by_pid.remove(&key.pid)?;
        self.unwatched.remove(&insertion);
        self.release(&process);
        Some(*process)
    }

    /// Those that may be evicted.
    #[cfg(test)]
    pub fn unwatched(&self) -> usize {
        self.unwatched.len()
    }

    /// All processes, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Process> {
        self.by_pid.values().map(|(_, process)| &**process)
    }
}

/// A start of /proc, ticks since boot, on the clock of the table.
#[must_use]
pub fn start_of_ticks(ticks: u64) -> BootNanos {
    BootNanos(ticks.saturating_mul(TICK_NS))
}

/// The ticks that /proc shows for a start.
#[must_use]
pub fn ticks_of_start(start: BootNanos) -> u64 {
    start.0 / TICK_NS
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
