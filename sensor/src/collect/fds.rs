//! Open file descriptors.

use super::Cost;
use crate::procfs::{Proc, Subject};

pub(super) const COST: Cost = Cost {
    group: "descriptors",
    process: &["fd"],
    thread: &[],
    // A table may be shared with another process (CLONE_FILES).
    idle: true,
};

/// `None` where they may not be counted; the failure is in [`Proc::counts`].
pub(super) fn read(proc: &mut Proc, of: Subject<'_>) -> Option<u64> {
    proc.fd_count(of).ok()
}
