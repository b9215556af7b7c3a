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

use crate::{
    file::{Entry, File},
    read::{has, offset, probe},
};

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
pub unsafe fn write(buffer: *mut u8, len: *mut u32, executable: File) -> bool {
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

/// The same for a `file` of which only the address is known.
///
/// # Safety
///
/// As for `write`.
#[inline(always)]
pub unsafe fn write_untyped(buffer: *mut u8, len: *mut u32, file: u64) -> bool {
    // SAFETY: by the caller.
    unsafe {
        len.write_volatile(0);
        if walk_untyped(buffer, len, file).is_none() {
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
unsafe fn walk_untyped(buffer: *mut u8, len: *mut u32, file: u64) -> Option<()> {
    if !has(field::MOUNT_MNT) {
        return None;
    }
    let mount = probe(file, field::FILE_PATH_MNT)?;
    let place = Place {
        dentry: probe(file, field::FILE_PATH_DENTRY)?,
        root: probe(mount, field::VFSMOUNT_ROOT)?,
    };
    // SAFETY: by the caller.
    unsafe { walk_mounts(buffer, len, mount, place) }
}

/// An entry, and the root of the mount that it is on.
struct Place {
    dentry: u64,
    root: u64,
}

/// `None` where the root was not reached.
///
/// # Safety
///
/// As for `write`.
#[inline(always)]
unsafe fn walk(buffer: *mut u8, len: *mut u32, executable: File) -> Option<()> {
    if !has(field::MOUNT_MNT) || !has(field::DENTRY_NAME) || !has(field::DENTRY_PARENT) {
        return None;
    }
    // Within the file's own mount the verifier knows all types, so that a
    // step costs one call at most, for a long name.
    let mut entry = executable.entry();
    let root = executable.mount_root();
    let mut steps = 0;
    while !entry.is(root) {
        if steps == PATH_DEPTH {
            return None;
        }
        steps += 1;
        // SAFETY: by the caller.
        unsafe { append_entry(buffer, len, entry)? };
        let parent = entry.parent();
        if parent.is(entry) {
            // A file without a place in the tree, such as a memfd.
            return Some(());
        }
        entry = parent;
    }
    // SAFETY: by the caller.
    unsafe {
        let root = Place { dentry: 0, root: 0 };
        walk_mounts(buffer, len, executable.mount(), root)
    }
}

/// From a place up; from the root of a mount, at its mount point, until the
/// root of all mounts, which is its own parent. `mount` lies around
/// `vfsmount`, so the verifier knows no types here.
///
/// # Safety
///
/// As for `write`.
#[inline(always)]
unsafe fn walk_mounts(
    buffer: *mut u8,
    len: *mut u32,
    mut vfsmount: u64,
    Place {
        mut dentry,
        mut root,
    }: Place,
) -> Option<()> {
    for _ in 0..PATH_DEPTH {
        if dentry == root {
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
        let name = probe(dentry, field::DENTRY_NAME)?;
        // SAFETY: by the caller.
        unsafe { append(buffer, len, name)? };
        dentry = probe(dentry, field::DENTRY_PARENT)?;
    }
    None
}

/// Appends a name and its NULs: in words while all before it were.
///
/// # Safety
///
/// As for `write`.
#[inline(always)]
unsafe fn append_entry(buffer: *mut u8, len: *mut u32, entry: Entry) -> Option<()> {
    // SAFETY: by the caller.
    let at = unsafe { len.read_volatile() } as usize;
    if at > PATH_MAX {
        return None;
    }
    if at % 8 == 0 {
        // SAFETY: `at` is at most `PATH_MAX`, so `NAME_MAX` bytes are there;
        // records are aligned, and their length is a multiple of 8.
        unsafe {
            if let Some(written) = entry.write_short(buffer.add(at)) {
                len.write_volatile((at + written) as u32);
                return Some(());
            }
        }
    }
    // SAFETY: by the caller.
    unsafe { append(buffer, len, entry.name()) }
}

/// Appends a name and its NUL.
///
/// # Safety
///
/// As for `write`.
#[inline(always)]
unsafe fn append(buffer: *mut u8, len: *mut u32, name: u64) -> Option<()> {
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
    Some(())
}
