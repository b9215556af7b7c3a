//! Every process on the host, by pid and start, bounded.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use crate::units::{BootNanos, ProcessKey};

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
    /// cgroup v2 id; 0 where unknown.
    pub cgroup: u64,
    /// `ru_maxrss` of what ran before the current program, pages.
    pub earlier_peak_pages: Option<u64>,
    /// The services that it is a member of, in ascending order.
    pub services: Arc<[ServiceId]>,
}

/// The table. Insertion order decides who goes when it is full.
#[derive(Debug)]
pub struct Table {
    by_pid: HashMap<u32, Process>,
    order: VecDeque<ProcessKey>,
    limit: usize,
    evicted: u64,
}

impl Table {
    /// A table for at most `limit` processes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            by_pid: HashMap::new(),
            order: VecDeque::new(),
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

    /// Processes that had to go because the table was full.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The process with this key. A process that a scan found has a start
    /// rounded down to a tick; the first event makes it exact (contract E8).
    pub fn find(&mut self, key: ProcessKey) -> Option<&mut Process> {
        let process = self.by_pid.get_mut(&key.pid)?;
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
        self.by_pid.get(&pid)
    }

    /// Whether a scan's process (start in ticks) is the one in the table.
    #[must_use]
    pub fn holds_scanned(&self, pid: u32, start_ticks: u64) -> bool {
        self.by_pid
            .get(&pid)
            .is_some_and(|process| process.key.start.0 / TICK_NS == start_ticks)
    }

    /// Puts a process in. Returns what must be taken as ended: an earlier
    /// process with the same pid, and, where the table was full, the oldest
    /// that nobody watches.
    pub fn insert(&mut self, process: Process) -> Displaced {
        let mut displaced = Displaced::default();
        let key = process.key;
        if !self.by_pid.contains_key(&key.pid) && self.by_pid.len() >= self.limit {
            displaced.evicted = self.evict();
            self.evicted += 1;
            if displaced.evicted.is_none() && process.services.is_empty() {
                // Everything in the table is watched and this one is not.
                return displaced;
            }
        }
        displaced.replaced = self.by_pid.insert(key.pid, process);
        self.order.push_back(key);
        if self.order.len() > 2 * self.limit + 64 {
            let by_pid = &self.by_pid;
            self.order.retain(|key| {
                by_pid
                    .get(&key.pid)
                    .is_some_and(|p| p.key.start == key.start)
            });
        }
        displaced
    }

    /// Takes a process out.
    pub fn remove(&mut self, key: ProcessKey) -> Option<Process> {
        self.find(key)?;
        self.by_pid.remove(&key.pid)
    }

    /// All processes, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Process> {
        self.by_pid.values()
    }

    fn evict(&mut self) -> Option<Process> {
        // Watched processes go to the back; one round finds whoever is not.
        for _ in 0..self.order.len() {
            let key = self.order.pop_front()?;
            let Some(process) = self.by_pid.get(&key.pid) else {
                continue;
            };
            if process.key.start.0 / TICK_NS != key.start.0 / TICK_NS {
                continue;
            }
            if process.services.is_empty() {
                return self.by_pid.remove(&key.pid);
            }
            self.order.push_back(key);
        }
        None
    }
}

/// Who had to make room.
#[derive(Debug, Default)]
pub struct Displaced {
    /// An earlier process with the same pid, whose end was not seen.
    pub replaced: Option<Process>,
    /// The oldest unwatched process of a full table.
    pub evicted: Option<Process>,
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
