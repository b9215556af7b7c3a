//! The path of the executable file, as /proc/PID/exe would show it.
//!
//! `bprm->filename` is what somebody typed: it may be relative, a link, or a
//! script. The file itself is the truth, and it is the same for a process that
//! was found by a scan.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_kernel_str};
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
    let vfsmount = probe(file, field::FILE_PATH_MNT)?;
    let dentry = probe(file, field::FILE_PATH_DENTRY)?;
    // SAFETY: by the caller.
    unsafe { walk_mounts(buffer, len, vfsmount, Some(dentry)) }
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
    unsafe { walk_mounts(buffer, len, executable.mount(), None) }
}

/// From a `dentry` on a mount up, or from the mount's root: there, from its
/// mount point, until the root of all mounts, which is its own parent. `mount`
/// lies around `vfsmount`, so the verifier knows no types here.
///
/// # Safety
///
/// As for `write`.
#[inline(always)]
unsafe fn walk_mounts(
    buffer: *mut u8,
    len: *mut u32,
    vfsmount: u64,
    dentry: Option<u64>,
) -> Option<()> {
    let mut address = vfsmount - u64::from(offset(field::MOUNT_MNT));
    let mut mount = mount(address)?;
    let mut dentry = dentry.unwrap_or(mount.root);
    for _ in 0..PATH_DEPTH {
        if dentry == mount.root {
            if mount.parent == address {
                return Some(());
            }
            dentry = mount.point;
            address = mount.parent;
            mount = self::mount(address)?;
            continue;
        }
        let name = probe(dentry, field::DENTRY_NAME)?;
        // SAFETY: by the caller.
        unsafe { append(buffer, len, name)? };
        dentry = probe(dentry, field::DENTRY_PARENT)?;
    }
    None
}

/// What is looked at of a `mount`.
#[repr(C)]
struct Mount {
    /// The one that it is mounted on.
    parent: u64,
    /// The `dentry` where.
    point: u64,
    /// The `dentry` that is there instead.
    root: u64,
}

/// Reads a `mount`, with one call where the three are neighbours, as in all
/// kernels that we know.
#[inline(always)]
fn mount(address: u64) -> Option<Mount> {
    let [parent, point] = [offset(field::MOUNT_PARENT), offset(field::MOUNT_POINT)];
    let [vfsmount, root] = [offset(field::MOUNT_MNT), offset(field::VFSMOUNT_ROOT)];
    if point != parent + 8 || vfsmount + root != parent + 16 {
        return Some(Mount {
            parent: probe(address, field::MOUNT_PARENT)?,
            point: probe(address, field::MOUNT_POINT)?,
            root: probe(address + u64::from(vfsmount), field::VFSMOUNT_ROOT)?,
        });
    }
    let mut mount = MaybeUninit::<Mount>::uninit();
    let from = address + u64::from(parent);
    // SAFETY: the helper checks the source, and writes all bytes or fails.
    unsafe {
        let size = size_of::<Mount>() as u32;
        let failed = bpf_probe_read_kernel(mount.as_mut_ptr().cast(), size, from as *const _);
        (failed == 0).then(|| mount.assume_init())
    }
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
