//! What the engine is made of and what it counts.

use std::sync::Arc;

use crate::{
    aggregate::{
        registry::Registry,
        service::{Counters, counter, counters_of_usage},
    },
    incident::ended::Rules,
    plugin::Matcher,
    process::{
        table::{self, RawArguments},
        usage::Usage,
    },
    scrub::Scrubber,
    units::{BootNanos, WallOffset},
};

/// Which process events come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publish {
    /// Those of every user process.
    All,
    /// Those of processes that a plugin watches.
    Watched,
    /// Those of plugins with `[events] enabled = true`.
    Enabled,
}

/// What the engine is made of.
pub struct Config {
    /// Decides who is watched.
    pub matcher: Matcher,
    /// Collects what they used.
    pub registry: Registry,
    /// Cleans arguments.
    pub scrubber: Arc<Scrubber>,
    /// Which process events come out.
    pub publish: Publish,
    /// Whether events carry arguments at all.
    pub capture_args: bool,
    /// Bounds of the process table.
    pub limits: table::Limits,
    /// From the boot clock to the wall clock.
    pub offset: WallOffset,
    /// When the hooks were attached; `None` without hooks.
    pub attached: Option<BootNanos>,
    /// Bytes of a page.
    pub page_size: u64,
    /// Figures that the running kernel has.
    pub known: Known,
    /// Which ends of members are incidents; `None`: none.
    pub incidents: Option<Rules>,
    /// A random number: it tells the events of this run from those of others.
    pub seed: u64,
}

/// Figures that a kernel may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// `task_struct.ioac`.
    pub io: bool,
    /// `task_struct.sched_info`.
    pub runqueue: bool,
    /// `signal_struct.maxrss`.
    pub peak: bool,
}

impl Known {
    /// Counters that the kernel does not keep are unknown, not zero.
    pub(super) fn counters(self, usage: &Usage) -> Counters {
        let mut counters = counters_of_usage(usage);
        if !self.io {
            counters[counter::READ] = None;
            counters[counter::WRITE] = None;
        }
        if !self.runqueue {
            counters[counter::RUNQUEUE] = None;
        }
        counters
    }
}

/// What an exec record leaves to be found out by its reader.
#[derive(Debug, Default)]
pub struct ExecContext {
    /// Arguments that were too long for the record, read from /proc.
    pub args: Option<RawArguments>,
    /// Path, where the hook could not walk up to the root.
    pub path: Option<Vec<u8>>,
    /// Path of the cgroup.
    pub cgroup: Option<Arc<str>>,
}

/// Counts of what went through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Fork records.
    pub forks: u64,
    /// Exec records.
    pub execs: u64,
    /// Exit records.
    pub exits: u64,
    /// Rename records.
    pub renames: u64,
    /// Processes that were matched, from the cache or not: one for each exec,
    /// none for a collection.
    pub matched: u64,
    /// Threads whose figures came after their exit was reported, or whose
    /// exit did not come.
    pub late: u64,
    /// Ends concluded after a loss.
    pub inferred: u64,
    /// Abnormal ends that nobody took in time.
    pub unmourned: u64,
}
