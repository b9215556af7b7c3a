//! A file of /proc: whatever is in it, each parser reads it or says that it
//! cannot.
use sensor::procfs::{
    Args, Comm, Io, Schedstat, Stat, Statm, Status, Switches,
    cgroup::unified_path,
    host::{boot_time_seconds, memory_total_bytes, uptime},
};

/// Tries one input.
pub(super) fn run(bytes: &[u8]) {
    let _ = Stat::parse(bytes).map(|stat| (stat.task_ended(), stat.process_ended()));
    let _ = Statm::parse(bytes);
    let _ = Status::parse(bytes);
    let _ = Switches::parse(bytes);
    let _ = Io::parse(bytes);
    let _ = Schedstat::parse(bytes);
    let _ = Comm::parse(bytes);
    let _ = boot_time_seconds(bytes);
    let _ = memory_total_bytes(bytes);
    let _ = uptime(bytes);
    if let Some(path) = unified_path(bytes) {
        assert!(!path.contains(&b'\n'));
    }
    for truncated in [false, true] {
        let args = Args::parse(bytes, truncated);
        assert_eq!(args.args.is_empty(), bytes.is_empty());
        assert!(args.joined().len() <= bytes.len());
    }
}
