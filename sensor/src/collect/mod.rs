//! Stage 5: /proc figures of watched processes.

/// stub
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Reading {
    pub pid: u32, pub start_ticks: u64, pub cpu_user_ns: u64, pub cpu_system_ns: u64, pub rss_bytes: u64, pub vms_bytes: u64,
    pub read_bytes: Option<u64>, pub write_bytes: Option<u64>, pub voluntary: Option<u64>, pub involuntary: Option<u64>,
    pub minor: u64, pub major: u64, pub threads: u64, pub fds: Option<u64>, pub runqueue_ns: Option<u64>,
}
