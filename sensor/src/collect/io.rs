//! Bytes read and written.

use super::Cost;
use crate::procfs::{Io, Proc};

pub(super) const COST: Cost = Cost {
    group: "io",
    process: &["io"],
    thread: &[],
    idle: false,
};

/// `None` where it may not be read; the failure is in [`Proc::counts`].
pub(super) fn read(proc: &mut Proc, pid: u32) -> Option<Io> {
    proc.io(pid).ok()
}
