//! Bytes read and written.

use super::Cost;
use crate::procfs::{Io, Proc, Subject};

pub(super) const COST: Cost = Cost {
    group: "io",
    process: &["io"],
    thread: &[],
    idle: false,
};

/// `None` where it may not be read; the failure is in [`Proc::counts`].
pub(super) fn read(proc: &mut Proc, of: Subject<'_>) -> Option<Io> {
    proc.io(of).ok()
}
