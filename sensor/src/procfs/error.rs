//! Why a file of /proc could not be read, and how often that was so.

use rustix::io::Errno;

/// Why something about a process is not known. The caller knows which process
/// and which file it asked for; ended processes are so common that an error
/// holds nothing that needs memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The process or thread has ended, or this kernel has no such file.
    #[error("the process has ended")]
    Gone,
    /// Reading it needs CAP_SYS_PTRACE, or CAP_DAC_READ_SEARCH, or the owner.
    #[error("permission denied; another user's process needs CAP_SYS_PTRACE")]
    Denied,
    /// More bytes than any reader here has a use for.
    #[error("the file is longer than {0} bytes")]
    TooLong(usize),
    /// Not what this kernel interface is known to write.
    #[error("the content is not understood")]
    Malformed,
    /// Anything else.
    #[error("the file cannot be read")]
    Other(#[source] Errno),
}

impl From<Errno> for ReadError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT | Errno::SRCH => Self::Gone,
            Errno::ACCESS | Errno::PERM => Self::Denied,
            other => Self::Other(other),
        }
    }
}

/// What was asked of /proc so far, and how it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Files, links and directories read, well or not.
    pub reads: u64,
    /// Failed: the process had ended (or the kernel has no such file).
    pub gone: u64,
    /// Failed: no permission.
    pub denied: u64,
    /// Failed: longer than the limit.
    pub too_long: u64,
    /// Failed: content not understood.
    pub malformed: u64,
    /// Failed for another reason.
    pub other: u64,
}

impl Counts {
    pub(super) fn failed(&mut self, error: ReadError) {
        let count = match error {
            ReadError::Gone => &mut self.gone,
            ReadError::Denied => &mut self.denied,
            ReadError::TooLong(_) => &mut self.too_long,
            ReadError::Malformed => &mut self.malformed,
            ReadError::Other(_) => &mut self.other,
        };
        *count += 1;
    }
}
