//! Time spent waiting for a CPU. The kernel tells it of each thread, never of
//! the group.

use super::Cost;
use crate::procfs::{Schedstat, Stat};

pub(super) const COST: Cost = Cost {
    group: "run-queue wait",
    process: &["schedstat"],
    thread: &["schedstat"],
    // It is what tells whether the process has run.
    idle: true,
};

pub(super) fn add(sum: Schedstat, one: Schedstat) -> Schedstat {
    Schedstat {
        run_ns: sum.run_ns.saturating_add(one.run_ns),
        wait_ns: sum.wait_ns.saturating_add(one.wait_ns),
        slices: sum.slices.saturating_add(one.slices),
    }
}

/// The wait, `None` on a kernel that keeps no account of it (delayacct is off
/// and schedstats are not built in): it writes zeros, also for what has run.
pub(super) fn wait_ns(schedstat: Schedstat, stat: &Stat) -> Option<u64> {
    let has_run = stat.user_ticks > 0 || stat.system_ticks > 0;
    (schedstat.slices > 0 || !has_run).then_some(schedstat.wait_ns)
}
