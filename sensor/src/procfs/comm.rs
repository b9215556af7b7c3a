//! The name that the kernel keeps for a task.

use std::fmt;
use std::ops::Deref;

/// `TASK_COMM_LEN` without its NUL: what user space can give a task.
const USER_LENGTH: usize = 15;
/// Workers of the kernel show up to 63 bytes (`wq_worker_comm`, fs/proc/array.c).
const LENGTH: usize = 63;

/// A task's `comm`: arbitrary bytes, kept in place so that a scan of thousands
/// of processes does not allocate.
#[derive(Clone, Copy)]
pub struct Comm {
    length: u8,
    bytes: [u8; LENGTH],
}

impl Comm {
    /// The name in `bytes`, cut at 63 bytes, which no kernel exceeds.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let length = bytes.len().min(LENGTH);
        let mut comm = Self {
            length: u8::try_from(length).unwrap_or(0),
            bytes: [0; LENGTH],
        };
        comm.bytes[..length].copy_from_slice(&bytes[..length]);
        comm
    }

    /// The name in the file `comm`, which ends with a line end of the kernel's;
    /// any other line end is the process's own.
    #[must_use]
    pub fn parse(file: &[u8]) -> Option<Self> {
        file.strip_suffix(b"\n").map(Self::new)
    }

    /// The kernel may have cut the name: the executable or the first argument
    /// may tell a longer one.
    #[must_use]
    pub fn may_be_cut(&self) -> bool {
        self.len() >= USER_LENGTH
    }
}

impl Deref for Comm {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl PartialEq for Comm {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Comm {}

impl fmt::Debug for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_line_end_is_the_kernels() {
        assert_eq!(&*Comm::parse(b"a) R (b\n\n").unwrap(), b"a) R (b\n");
        assert_eq!(&*Comm::parse(b"\n").unwrap(), b"");
        assert_eq!(Comm::parse(b"no end"), None);
    }

    #[test]
    fn fifteen_bytes_may_be_the_rest_of_a_longer_name() {
        assert!(!Comm::new(b"fourteen-bytes").may_be_cut());
        assert!(Comm::new(b"fifteen-bytes-x").may_be_cut());
        assert_eq!(Comm::new(&[b'x'; 300]).len(), 63);
    }
}
