//! A BPF file system of one's own, so that tests neither need one on the host
//! nor meet each other's pins.

use std::{ffi::CStr, io, path::Path, ptr};

use crate::sensor::skipped;

/// Where the sensor keeps its pins.
pub const PINS: &str = "/sys/fs/bpf/sensor";

/// Gives the calling thread, and what it starts from now on, a mount namespace
/// with an empty BPF file system at the usual place. False, and noted as
/// skipped, where the host does not allow it.
#[must_use]
pub fn own_bpffs(test: &str) -> bool {
    own_mounts(test) && mounted(c"bpf", c"/sys/fs/bpf", c"bpf", test)
}

/// The same without a BPF file system.
#[must_use]
pub fn no_bpffs(test: &str) -> bool {
    own_mounts(test) && mounted(c"tmpfs", c"/sys/fs/bpf", c"tmpfs", test)
}

/// Gives the calling thread, and what it starts from now on, an empty file
/// system for each of these places, so that a journal can be kept there.
#[must_use]
pub fn own_places(test: &str, places: &[&CStr]) -> bool {
    own_mounts(test)
        && places
            .iter()
            .all(|place| mounted(c"tmpfs", place, c"tmpfs", test))
}

/// Paths of all pins, in order.
#[must_use]
pub fn pins() -> Vec<String> {
    fn walk(dir: &Path, into: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => walk(&path, into),
                false => into.push(path.display().to_string()),
            }
        }
    }
    let mut found = Vec::new();
    walk(Path::new(PINS), &mut found);
    found.sort_unstable();
    found
}

fn own_mounts(test: &str) -> bool {
    // SAFETY: no memory is involved; the thread stops sharing its working
    // directory with others, which nobody changes.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        return cannot(test, "a mount namespace");
    }
    // SAFETY: C strings that live; null where the kernel does not look.
    let private = unsafe {
        libc::mount(
            ptr::null(),
            c"/".as_ptr(),
            ptr::null(),
            libc::MS_REC | libc::MS_PRIVATE,
            ptr::null(),
        )
    };
    private == 0 || cannot(test, "private mounts")
}

fn mounted(source: &CStr, target: &CStr, kind: &CStr, test: &str) -> bool {
    // SAFETY: C strings that live.
    let done = unsafe {
        libc::mount(
            source.as_ptr(),
            target.as_ptr(),
            kind.as_ptr(),
            0,
            c"mode=0755".as_ptr().cast(),
        )
    };
    done == 0 || cannot(test, "to mount")
}

fn cannot(test: &str, what: &str) -> bool {
    let error = io::Error::last_os_error();
    skipped(test, &format!("needs {what}: {error}"));
    false
}
