//! What the kernel, and whoever configured it, allows.

use std::fs;

use rustix::process::{Resource, getrlimit};

use super::{Check, Status};
use crate::{
    config::Config,
    source::{capability, pins},
};

const NAME: &str = "kernel";
/// The first version with all that the hooks need.
const HOOKS: (u32, u32) = (5, 8);
/// Since this version maps and programs count as memory of the cgroup, and the
/// limit of locked memory does not matter.
const NO_MEMLOCK: (u32, u32) = (5, 11);
/// What maps and ring take, bytes.
const LOCKED: u64 = 32 << 20;

/// Version, and settings that stand in the way.
pub(super) fn check(config: &Config) -> Check {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy().into_owned();
    let detail = format!("Linux {release}{}", pins::described());
    let version = capability::kernel_version();
    let troubles = [
        (version < HOOKS).then(|| Trouble {
            detail: "too old for kernel events".to_owned(),
            remedy: "kernel events need Linux 5.8 or later; scans of /proc work".to_owned(),
        }),
        memlock(version, getrlimit(Resource::Memlock).current),
        lockdown(&fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default()),
        time_namespace(&fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default()),
        pinning(config),
    ];
    let troubles: Vec<Trouble> = troubles.into_iter().flatten().collect();
    if troubles.is_empty() {
        return Check::ok(NAME, detail);
    }
    let join = |of: fn(&Trouble) -> &str| -> String {
        troubles.iter().map(of).collect::<Vec<_>>().join("; ")
    };
    let detail = format!("{detail}; {}", join(|trouble| &trouble.detail));
    Check::new(NAME, Status::Degraded, detail).remedy(join(|trouble| &trouble.remedy))
}

struct Trouble {
    detail: String,
    remedy: String,
}

/// Before Linux 5.11 what eBPF takes is locked memory; `limit` in bytes, `None`
/// where there is none.
fn memlock(version: (u32, u32), limit: Option<u64>) -> Option<Trouble> {
    let limit = limit.filter(|&limit| version < NO_MEMLOCK && limit < LOCKED)?;
    Some(Trouble {
        detail: format!("no more than {} KiB may be locked", limit >> 10),
        remedy: "`ulimit -l unlimited`, or LimitMEMLOCK=infinity in the unit".to_owned(),
    })
}

/// In confidentiality mode no eBPF program may read kernel memory
/// (security/lockdown/lockdown.c). `modes` is `none integrity
/// [confidentiality]`, the current one in brackets.
fn lockdown(modes: &str) -> Option<Trouble> {
    modes.contains("[confidentiality]").then(|| Trouble {
        detail: "locked down for confidentiality: eBPF may not read it".to_owned(),
        remedy: "boot with lockdown=integrity".to_owned(),
    })
}

/// In a time namespace start times of events and of /proc differ, seconds and
/// nanoseconds of each clock in `offsets` (time_namespaces(7)).
fn time_namespace(offsets: &str) -> Option<Trouble> {
    let line = offsets.lines().find(|line| line.starts_with("boottime"))?;
    let mut numbers = line.split_whitespace().skip(1);
    let shifted = numbers.any(|number| number != "0");
    shifted.then(|| Trouble {
        detail: "the boot clock is another one here (a time namespace)".to_owned(),
        remedy: "run the sensor in the host's time namespace, or start times are wrong".to_owned(),
    })
}

fn pinning(config: &Config) -> Option<Trouble> {
    (config.kernel.pin && !pins::is_mounted()).then(|| Trouble {
        detail: "[kernel] pin = true has no effect".to_owned(),
        remedy: format!("mount -t bpf bpf {}", pins::MOUNT),
    })
}

/// Why the kernel may refuse a hook although the capabilities are there.
pub(super) fn refused() -> &'static str {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    match filtered(&status) {
        true => {
            "a seccomp filter is in force, as in a container: let it pass bpf(2) \
             (--security-opt seccomp=unconfined, or a profile of its own)"
        }
        false => "see the kernel log; a security module may forbid eBPF",
    }
}

/// Whether a process with this /proc/PID/status has a seccomp filter (mode 2).
fn filtered(status: &str) -> bool {
    let mut lines = status.lines();
    let mode = lines.find_map(|line| line.strip_prefix("Seccomp:"));
    mode.is_some_and(|mode| mode.trim() == "2")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_way_is_found() {
        assert!(memlock((5, 10), Some(64 << 10)).is_some());
        assert!(memlock((5, 10), None).is_none());
        assert!(memlock((6, 1), Some(64 << 10)).is_none());
        assert!(lockdown("none integrity [confidentiality]\n").is_some());
        assert!(lockdown("none [integrity] confidentiality\n").is_none());
        assert!(lockdown("").is_none());
        let offsets =
            |seconds| format!("monotonic           0         0\nboottime   {seconds}         0\n");
        assert!(time_namespace(&offsets("3600")).is_some());
        assert!(time_namespace(&offsets("-1")).is_some());
        assert!(time_namespace(&offsets("0")).is_none());
        assert!(filtered(
            "NoNewPrivs:\t0\nSeccomp:\t2\nSeccomp_filters:\t1\n"
        ));
        assert!(!filtered("Seccomp:\t0\n"));
    }
}
