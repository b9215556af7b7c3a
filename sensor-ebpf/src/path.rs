//! The path of the executable file, as /proc/PID/exe would show it.
//!
//! `bprm->filename` is what somebody typed: it may be relative, a link, or a
//! script. The file itself is the truth, and it is the same for a process that
//! was found by a scan.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel_str;
use sensor_common::{
    field,
    limits::{NAME_MAX, PATH_DEPTH, PATH_MAX},
};

use crate::task::{has, offset, probe};

/// Writes the names from the file up to the root into `buffer`, each with its
/// NUL, and their length to `len`. Returns whether the root was reached; where
/// it was not, the length is 0.
///
/// The length lives in a map, where the verifier does not follow it. In a
/// register it would have another range on every way through every round, and
/// the verifier would walk them all: 660,000 instructions, more than a second.
///
/// # Safety
///
/// `buffer` must have `PATH_MAX + NAME_MAX` bytes, and `len` must be in a map
/// and this CPU's own; the verifier checks the bytes.
#[inline(always)]
pub unsafe fn write(buffer: *mut u8, len: *mut u32, executable: (u64, u64)) -> bool {
    // SAFETY: by the caller.
    unsafe {
        len.write_volatile(0);
        if walk(buffer, len, executable).is_none() {
            len.write_volatile(0);
            return false;
        }
    }
    true
}

/// `None` where the root was not reached.
///
/// # Safety
///
/// As for `write`.
#[inline(always)]
unsafe fn walk(buffer: *mut u8, len: *mut u32, executable: (u64, u64)) -> Option<()> {
    if !has(field::MOUNT_MNT) || !has(field::DENTRY_NAME) || !has(field::DENTRY_PARENT) {
        return None;
    }
    let (mut dentry, mut vfsmount) = executable;
    let mut root = probe(vfsmount, field::VFSMOUNT_ROOT)?;
    for _ in 0..PATH_DEPTH {
        if dentry == root {
            // The root of a mount: go on at its mount point, or be done at the
            // root of all mounts, which is its own parent.
            let mount = vfsmount - u64::from(offset(field::MOUNT_MNT));
            let parent = probe(mount, field::MOUNT_PARENT)?;
            if parent == mount {
                return Some(());
            }
            dentry = probe(mount, field::MOUNT_POINT)?;
            vfsmount = parent + u64::from(offset(field::MOUNT_MNT));
            root = probe(vfsmount, field::VFSMOUNT_ROOT)?;
            continue;
        }
        let parent = probe(dentry, field::DENTRY_PARENT)?;
        let name = probe(dentry, field::DENTRY_NAME)?;
        // SAFETY: by the caller.
        let at = unsafe { len.read_volatile() } as usize;
        if at > PATH_MAX {
            return None;
        }
        // SAFETY: `at` is at most `PATH_MAX`, so `NAME_MAX` bytes are there.
        let written = unsafe {
            bpf_probe_read_kernel_str(buffer.add(at).cast(), NAME_MAX as u32, name as *const _)
        };
        if written <= 0 || written > NAME_MAX as i64 {
            return None;
        }
        // SAFETY: by the caller.
        unsafe { len.write_volatile(at as u32 + written as u32) };
        if parent == dentry {
            // A file without a place in the tree, such as a memfd.
            return Some(());
        }
        dentry = parent;
    }
    None
}
