//! Resident and virtual memory. From `statm`: the resident size in `stat` and
//! `status` is approximate on current kernels (contract S5).

use super::{Cost, Scale};
use crate::procfs::{Proc, ReadError, Subject};

pub(super) const COST: Cost = Cost {
    group: "memory",
    process: &["statm"],
    thread: &[],
    // Others can take a sleeping process's pages away.
    idle: true,
};

#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    pub(super) resident_bytes: u64,
    /// 0 where the task has no memory: it is ending, or it is the kernel's.
    pub(super) virtual_bytes: u64,
}

pub(super) fn read(proc: &mut Proc, of: Subject<'_>, scale: Scale) -> Result<Memory, ReadError> {
    let pages = proc.statm(of)?;
    Ok(Memory {
        resident_bytes: scale.pages_to_bytes(pages.resident_pages),
        virtual_bytes: scale.pages_to_bytes(pages.size_pages),
    })
}

/// Physical memory of the host, bytes, as `MemTotal` in /proc/meminfo.
/// It may change: memory is hot-plugged, and taken by a hypervisor.
#[must_use]
pub fn physical() -> Option<u64> {
    let info = rustix::system::sysinfo();
    let unit = u64::from(info.mem_unit).max(1);
    info.totalram.checked_mul(unit).filter(|&bytes| bytes > 0)
}
