//! Whether what is mounted at /proc is the host's.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

/// Inode of the first namespace of pids (`PROC_PID_INIT_INO` of the kernel).
const FIRST_NAMESPACE: u64 = 0xEFFF_FFFC;

/// What [`has_host_pids`] says where it is false.
pub const OTHER_PIDS: &str = "/proc has other pids than the events of the kernel";

/// Whether it shows processes: at least this one.
#[must_use]
pub fn shows_processes() -> bool {
    Path::new("/proc/self/stat").exists()
}

/// Whether its pids are those of the kernel's events. They are not in a
/// container with pids of its own.
#[must_use]
pub fn has_host_pids() -> bool {
    fs::metadata("/proc/self/ns/pid").map_or(true, |namespace| namespace.ino() == FIRST_NAMESPACE)
}
