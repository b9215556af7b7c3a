//! Context switches. The kernel tells them of each thread, never of the group.

use super::Cost;
use super::threads::sum;
use crate::procfs::{Proc, Subject, Switches};

pub(super) const COST: Cost = Cost {
    group: "context switches",
    process: &["status"],
    thread: &["status"],
    idle: false,
};

pub(super) fn of_threads(proc: &mut Proc, pid: u32, tids: &[u32]) -> Option<Switches> {
    sum(
        tids.iter()
            .map(|&tid| proc.switches(Subject::Thread(pid, tid))),
        |sum, one| Switches {
            voluntary: sum.voluntary.saturating_add(one.voluntary),
            involuntary: sum.involuntary.saturating_add(one.involuntary),
        },
    )
}
