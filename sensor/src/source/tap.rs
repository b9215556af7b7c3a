//! The hook on `sys_enter` as the daemon sees it: whose writes to descriptor 2
//! it copies. Loaded with the others and attached when somebody asks for it.

use aya::maps::{HashMap, Map, MapData, MapError};
use sensor_common::{
    field::{self, Field},
    scheduler::Watched,
};

use super::{ebpf::EbpfError, scheduler::PodWatched};

/// Fields without which nothing can be read; one of the last two is enough.
pub const REQUIRED: [Field; 1] = [field::CALL_ARGS];
/// The arguments of a system call: on x86, and on arm64.
pub const ARGUMENTS: [Field; 2] = [field::REGS_DI, field::REGS_ALL];

/// Numbers of `write` and `writev` on this architecture.
#[must_use]
pub fn calls() -> [u32; 2] {
    [libc::SYS_write, libc::SYS_writev].map(|call| u32::try_from(call).unwrap_or(field::ABSENT))
}

/// The map of the hook.
pub struct Tap {
    tapped: HashMap<MapData, u32, PodWatched>,
}

impl Tap {
    /// Opens the map by its name.
    ///
    /// # Errors
    ///
    /// Where it is not what it should be.
    pub fn open(
        mut map: impl FnMut(&'static str) -> Result<Map, EbpfError>,
    ) -> Result<Self, EbpfError> {
        let tapped = HashMap::try_from(map("TAPPED")?).map_err(EbpfError::map("TAPPED"))?;
        Ok(Self { tapped })
    }

    /// Taps a process from now on.
    ///
    /// # Errors
    ///
    /// Where there is no room for more, or the kernel refuses.
    pub fn watch(&mut self, pid: u32, watched: Watched) -> Result<(), MapError> {
        self.tapped.insert(pid, PodWatched(watched), 0)
    }

    /// Taps a process no more.
    pub fn forget(&mut self, pid: u32) {
        let _ = self.tapped.remove(&pid);
    }

    /// Taps nobody any more.
    pub fn forget_all(&mut self) {
        let pids: Vec<u32> = self.tapped.keys().filter_map(Result::ok).collect();
        for pid in pids {
            self.forget(pid);
        }
    }
}
