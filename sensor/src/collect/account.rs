//! CPU time, page faults and threads: what the kernel itself sums over a
//! process, in `stat`.

use super::{Cost, Scale};
use crate::procfs::Stat;

pub(super) const COST: Cost = Cost {
    group: "cpu, faults, threads",
    process: &["stat"],
    thread: &[],
    idle: false,
};

pub(super) struct Cpu {
    pub(super) user_ns: u64,
    pub(super) system_ns: u64,
}

pub(super) fn cpu(stat: &Stat, scale: Scale) -> Cpu {
    Cpu {
        user_ns: scale.ticks_to_ns(stat.user_ticks),
        system_ns: scale.ticks_to_ns(stat.system_ticks),
    }
}
