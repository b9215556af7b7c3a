//! Mounts and networks that only one test, and what it starts, can see. They
//! go when its thread ends.

use std::{ffi::CString, io, os::unix::ffi::OsStrExt, path::Path, ptr};

use crate::sensor::skipped;

/// Gives the calling thread, and what it starts from now on, mounts of its
/// own, and what else `more` says (`CLONE_NEWNET`: a network, whose loopback
/// works). False, and noted as skipped, where the host does not allow it.
#[must_use]
pub fn namespaces(test: &str, more: libc::c_int) -> bool {
    // SAFETY: no memory is involved; of the process only this thread goes to
    // the new namespaces.
    let mut done = match unsafe { libc::unshare(libc::CLONE_NEWNS | more) } {
        0 => mount("none", Path::new("/"), libc::MS_REC | libc::MS_PRIVATE, ""),
        _ => Err(io::Error::last_os_error()),
    };
    if done.is_ok() && more & libc::CLONE_NEWNET != 0 {
        done = loopback();
    }
    if let Err(error) = &done {
        skipped(test, &format!("needs namespaces of its own ({error})"));
    }
    done.is_ok()
}

/// Mounts a file system of a kind, with its options.
///
/// # Errors
///
/// Where the kernel refuses.
pub fn mount(kind: &str, at: &Path, flags: libc::c_ulong, data: &str) -> io::Result<()> {
    mounted(kind.as_bytes(), at, kind, flags, data)
}

/// Puts a file or a directory over another one.
///
/// # Errors
///
/// Where the kernel refuses.
pub fn bind(from: &Path, over: &Path) -> io::Result<()> {
    mounted(from.as_os_str().as_bytes(), over, "", libc::MS_BIND, "")
}

/// Takes away what was mounted last at a place, also where it is in use.
///
/// # Errors
///
/// Where nothing is mounted there, or the kernel refuses.
pub fn unmount(at: &Path) -> io::Result<()> {
    let at = CString::new(at.as_os_str().as_bytes())?;
    // SAFETY: a string that ends with NUL and lives.
    match unsafe { libc::umount2(at.as_ptr(), libc::MNT_DETACH) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn mounted(from: &[u8], at: &Path, kind: &str, flags: libc::c_ulong, data: &str) -> io::Result<()> {
    let from = CString::new(from)?;
    let at = CString::new(at.as_os_str().as_bytes())?;
    let kind = CString::new(kind)?;
    let data = CString::new(data)?;
    // SAFETY: all are strings that end with NUL and live.
    let result = unsafe {
        libc::mount(
            from.as_ptr(),
            at.as_ptr(),
            kind.as_ptr(),
            flags,
            data.as_ptr().cast(),
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Switches on the loopback device, which a new network has switched off.
fn loopback() -> io::Result<()> {
    // SAFETY: no memory is involved.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all zero is a valid request.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_UP).unwrap_or_default();
    // SAFETY: the request lives and has a name; the socket is closed once.
    let result = unsafe {
        let result = libc::ioctl(socket, libc::SIOCSIFFLAGS, ptr::from_ref(&request));
        libc::close(socket);
        result
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
