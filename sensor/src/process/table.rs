//! Every process on the host, by pid and start, bounded.

use std::{collections::BTreeMap, sync::Arc};

use hashbrown::HashMap;
use sensor_common::event::OutputFile;

use crate::{
    aggregate::service::Member,
    plugin::ServiceIndex,
    units::{BootNanos, ProcessKey},
};

/// What /proc knows of a start: hundredths of a second.
const TICK_NS: u64 = 10_000_000;

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
}

/// The table. Where it is full, whoever nobody watches has to go, in the order
/// of the last insertion.
#[derive(Debug)]
pub struct Table {
    by_pid: HashMap<u32, (u64, Process)>,
    /// Pids of those that nobody watches, by the number of their insertion.
    unwatched: BTreeMap<u64, u32>,
    insertions: u64,
    limit: usize,
    evicted: u64,
}

impl Table {
    /// A table for at most `limit` processes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            by_pid: HashMap::new(),
            unwatched: BTreeMap::new(),
            insertions: 0,
            limit: limit.max(1),
            evicted: 0,
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
        self.by_pid.get(&pid).map(|(_, process)| process)
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
        if self.by_pid.contains_key(&pid) || self.by_pid.len() < self.limit {
            return true;
        }
        self.evicted += 1;
        let oldest = self.unwatched.pop_first();
        oldest.is_some_and(|(_, pid)| self.by_pid.remove(&pid).is_some())
    }

    /// Puts a process in, in the place of whoever had its pid.
    pub fn insert(&mut self, process: Process) {
        let pid = process.key.pid;
        self.insertions += 1;
        if process.services.is_empty() {
            self.unwatched.insert(self.insertions, pid);
        }
        if let Some((earlier, _)) = self.by_pid.insert(pid, (self.insertions, process)) {
            self.unwatched.remove(&earlier);
        }
    }

    /// Takes a process out.
    pub fn remove(&mut self, key: ProcessKey) -> Option<Process> {
        self.find(key)?;
        let (insertion, process) = self.by_pid.remove(&key.pid)?;
        self.unwatched.remove(&insertion);
        Some(process)
    }

    /// Those that may be evicted.
    #[cfg(test)]
    pub fn unwatched(&self) -> usize {
        self.unwatched.len()
    }

    /// All processes, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Process> {
        self.by_pid.values().map(|(_, process)| process)
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
