//! Reading files of unknown places: regular ones only, and not much of them.

use std::{
    fs::OpenOptions,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// At most `limit` bytes from the beginning of a regular file. A pipe, a device
/// or a socket is refused without waiting for it.
pub(super) fn bytes(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The same as text; what is no UTF-8 is replaced.
pub(super) fn text(path: &Path, limit: u64) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&bytes(path, limit)?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_refused_at_once_and_much_is_cut() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fifo");
        let mode = rustix::fs::Mode::RUSR;
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).unwrap();
        assert!(bytes(&path, 10).is_err());
        assert!(bytes(Path::new("/dev/zero"), 10).is_err());
        assert!(bytes(directory.path(), 10).is_err());
        let path = directory.path().join("long");
        std::fs::write(&path, vec![b'x'; 100]).unwrap();
        assert_eq!(text(&path, 10).unwrap(), "x".repeat(10));
    }
}
