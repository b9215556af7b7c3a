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
/// NUL. Returns the length and whether the root was reached.
///
/// # Safety
///
/// `buffer` must have `PATH_MAX + NAME_MAX` bytes; the verifier checks it.
#[inline(always)]
pub unsafe fn write(buffer: *mut u8, executable: (u64, u64)) -> (u32, bool) {
    if !has(field::MOUNT_MNT) || !has(field::DENTRY_NAME) || !has(field::DENTRY_PARENT) {
        return (0, false);
    }
    let (mut dentry, mut vfsmount) = executable;
    let Some(mut root) = probe(vfsmount, field::VFSMOUNT_ROOT) else {
        return (0, false);
    };
    let mut len = 0_usize;
    for _ in 0..PATH_DEPTH {
        if dentry == root {
            // The root of a mount: go on at its mount point, or be done at the
            // root of all mounts, which is its own parent.
            let mount = vfsmount - u64::from(offset(field::MOUNT_MNT));
            let Some(parent) = probe(mount, field::MOUNT_PARENT) else {
                return (0, false);
            };
            if parent == mount {
                return (len as u32, true);
            }
            let Some(point) = probe(mount, field::MOUNT_POINT) else {
                return (0, false);
            };
            dentry = point;
            vfsmount = parent + u64::from(offset(field::MOUNT_MNT));
            let Some(next) = probe(vfsmount, field::VFSMOUNT_ROOT) else {
                return (0, false);
            };
            root = next;
            continue;
        }
        let (Some(parent), Some(name)) = (
            probe(dentry, field::DENTRY_PARENT),
            probe(dentry, field::DENTRY_NAME),
        ) else {
            return (0, false);
        };
        if len > PATH_MAX {
            return (0, false);
        }
        // SAFETY: `len` is at most `PATH_MAX`, so `NAME_MAX` bytes are there.
        let written = unsafe {
            bpf_probe_read_kernel_str(buffer.add(len).cast(), NAME_MAX as u32, name as *const _)
        };
        if written <= 0 || written > NAME_MAX as i64 {
            return (0, false);
        }
        len += written as usize;
        if parent == dentry {
            // A file without a place in the tree, such as a memfd.
            return (len as u32, true);
        }
        dentry = parent;
    }
    (0, false)
}
