//! What the process may do, and giving up what it no longer needs.

use std::{fs, os::unix::fs::MetadataExt};

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities,
};

/// What loading and attaching the kernel programs takes.
pub const NEEDED: [(&str, CapabilitySet); 2] = [
    ("CAP_BPF", CapabilitySet::BPF),
    ("CAP_PERFMON", CapabilitySet::PERFMON),
];

/// What reading /proc of other users' processes takes.
const READING: CapabilitySet = CapabilitySet::SYS_PTRACE.union(CapabilitySet::DAC_READ_SEARCH);

/// What may be kept, and what for.
const KEPT: [(&str, &str, CapabilitySet); 3] = [
    (
        "CAP_BPF",
        "this kernel reads maps with it only",
        CapabilitySet::BPF,
    ),
    (
        "CAP_SYS_PTRACE",
        "I/O figures and executables of other users' processes",
        CapabilitySet::SYS_PTRACE,
    ),
    (
        "CAP_DAC_READ_SEARCH",
        "files that only their owner may read",
        CapabilitySet::DAC_READ_SEARCH,
    ),
];

/// Inode of the first user namespace (`PROC_USER_INIT_INO` of the kernel).
const FIRST_NAMESPACE: u64 = 0xEFFF_FFFD;
/// What to do where [`count_here`] is false.
pub const OUTSIDE: &str = "run it in the host's user namespace, not in a rootless container";

/// Whether capabilities are those of the host. In another user namespace, as
/// in a rootless container, a process may have all of them, and the host's
/// kernel and processes stay closed.
#[must_use]
pub fn count_here() -> bool {
    fs::metadata("/proc/self/ns/user").map_or(true, |namespace| namespace.ino() == FIRST_NAMESPACE)
}

/// Those that count.
fn effective() -> CapabilitySet {
    match capabilities(None) {
        Ok(sets) if count_here() => sets.effective,
        _ => CapabilitySet::empty(),
    }
}

/// Names of the capabilities for kernel events that this process lacks.
#[must_use]
pub fn missing() -> Vec<&'static str> {
    let has = effective();
    if has.contains(CapabilitySet::SYS_ADMIN) {
        return Vec::new();
    }
    NEEDED
        .iter()
        .filter(|(_, capability)| !has.contains(*capability))
        .map(|(name, _)| *name)
        .collect()
}

/// Names of the capabilities for reading other users' processes that this
/// process lacks.
#[must_use]
pub fn missing_for_reading() -> Vec<&'static str> {
    let has = effective();
    // CAP_DAC_OVERRIDE is all that CAP_DAC_READ_SEARCH is, and more.
    let reads = CapabilitySet::DAC_READ_SEARCH | CapabilitySet::DAC_OVERRIDE;
    let wanted = [
        ("CAP_SYS_PTRACE", CapabilitySet::SYS_PTRACE),
        ("CAP_DAC_READ_SEARCH", reads),
    ];
    let missing = wanted.iter().filter(|(_, any)| !has.intersects(*any));
    missing.map(|(name, _)| *name).collect()
}

/// Major and minor version of the kernel; what cannot be read is 0.
#[must_use]
pub fn kernel_version() -> (u32, u32) {
    let release = rustix::system::uname();
    let release = release.release().to_string_lossy().into_owned();
    let mut numbers = release.split(|char: char| !char.is_ascii_digit());
    let mut number = || numbers.next().and_then(|text| text.parse::<u32>().ok());
    (number().unwrap_or(0), number().unwrap_or(0))
}

/// Gives up, for good, every capability that is not needed after the hooks
/// are attached, all others of full root with them: from the effective,
/// permitted, inheritable, ambient and bounding sets. To be called before other
/// threads start: they inherit it. Returns the names of those that are kept,
/// and what for.
///
/// # Errors
///
/// Where the kernel refuses.
pub fn drop_unneeded(keep_bpf: bool) -> rustix::io::Result<Vec<(&'static str, &'static str)>> {
    let now = capabilities(None)?;
    let mut wanted = READING;
    if keep_bpf {
        wanted |= CapabilitySet::BPF;
    }
    let kept = now.permitted & wanted;
    clear_ambient_capability_set()?;
    if now.effective.contains(CapabilitySet::SETPCAP) {
        for number in 0..u64::BITS {
            let capability = CapabilitySet::from_bits_retain(1 << number);
            // Beyond those that the kernel knows it refuses. Without SETPCAP
            // the set stays as it is, and is of no use: see below.
            if !kept.contains(capability) {
                let _ = remove_capability_from_bounding_set(capability);
            }
        }
    }
    set_capabilities(
        None,
        CapabilitySets {
            effective: kept,
            permitted: kept,
            inheritable: CapabilitySet::empty(),
        },
    )?;
    // Nothing that is executed gets any back.
    rustix::thread::set_no_new_privs(true)?;
    let kept = KEPT.iter().filter(|(_, _, one)| kept.contains(*one));
    Ok(kept.map(|(name, why, _)| (*name, *why)).collect())
}

/// Whether reading maps still takes CAP_BPF: before Linux 5.19, where
/// unprivileged bpf(2) is off.
#[must_use]
pub fn maps_need_bpf() -> bool {
    let disabled = fs::read_to_string("/proc/sys/kernel/unprivileged_bpf_disabled")
        .is_ok_and(|text| text.trim() != "0");
    disabled && kernel_version() < (5, 19)
}
