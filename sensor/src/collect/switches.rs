//! Context switches. The kernel tells them of each thread, never of the group.

use super::Cost;
use crate::procfs::Switches;

pub(super) const COST: Cost = Cost {
    group: "context switches",
    process: &["status"],
    thread: &["status"],
    idle: false,
};

pub(super) fn add(sum: Switches, one: Switches) -> Switches {
    Switches {
        voluntary: sum.voluntary.saturating_add(one.voluntary),
        involuntary: sum.involuntary.saturating_add(one.involuntary),
    }
}
