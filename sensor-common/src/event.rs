//! The records, as they lie in the ring.

use crate::limits::COMM_LEN;

/// First bytes of every record.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Header {
    /// One of [`crate::kind`].
    pub kind: u32,
    /// Thread group id.
    pub pid: u32,
    /// When it happened, CLOCK_BOOTTIME, ns.
    pub time: u64,
    /// `start_boottime` of the thread group leader, ns.
    pub start: u64,
}

/// What threads have used, summed. Times in ns, else counts and bytes.
///
/// `user` and `system` are the kernel's tick-based figures; only their ratio
/// means something (`cputime_adjust` in kernel/sched/cputime.c).
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// CPU time, exact.
    pub cpu: u64,
    /// Ticks in user mode, ns.
    pub user: u64,
    /// Ticks in the kernel, ns.
    pub system: u64,
    /// Time runnable but not running.
    pub runqueue: u64,
    /// Voluntary context switches.
    pub voluntary: u64,
    /// Involuntary context switches.
    pub involuntary: u64,
    /// Minor page faults.
    pub minor: u64,
    /// Major page faults.
    pub major: u64,
    /// Bytes read from storage.
    pub read_bytes: u64,
    /// Bytes written to storage.
    pub write_bytes: u64,
    /// Bytes that read calls returned.
    pub rchar: u64,
    /// Bytes that write calls took.
    pub wchar: u64,
}

/// A process was born.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fork {
    /// The child.
    pub header: Header,
    /// Thread group id of the parent that forked.
    pub parent_pid: u32,
    /// Keeps the layout free of holes.
    pub padding: u32,
    /// `start_boottime` of that parent, ns.
    pub parent_start: u64,
    /// cgroup v2 id.
    pub cgroup: u64,
}

/// A regular file behind descriptor 1 or 2.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutputFile {
    /// `i_ino`; 0: another kind of file, or none, or it could not be told.
    pub inode: u64,
    /// `i_size`, bytes.
    pub size: u64,
}

/// A process runs a new program. After it come `path_len` bytes of path and
/// `args_len` bytes of arguments.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exec {
    /// The process.
    pub header: Header,
    /// Thread group id of the parent.
    pub parent_pid: u32,
    /// Effective user id; [`UNKNOWN_UID`] where the kernel hides it.
    pub uid: u32,
    /// `start_boottime` of the parent, ns.
    pub parent_start: u64,
    /// cgroup v2 id.
    pub cgroup: u64,
    /// What the process had used when the new program began.
    pub figures: Figures,
    /// Name of the thread, NUL-terminated.
    pub comm: [u8; COMM_LEN],
    /// `signal->maxrss` before this program, pages.
    pub peak_pages: u64,
    /// Bytes between `mm->arg_start` and `mm->arg_end`.
    pub args_total: u64,
    /// Bytes of arguments that follow the path, each with its NUL.
    pub args_len: u32,
    /// Bytes of path that follow: names from the file up to the root, each
    /// with one to eight NULs; 0 where the path is unknown.
    pub path_len: u32,
    /// [`PATH_WHOLE`].
    pub flags: u32,
    /// Keeps the layout free of holes.
    pub padding: u32,
    /// Standard output and standard error as the program found them.
    pub outputs: [OutputFile; 2],
}

/// The walk of [`Exec`]'s path reached the root.
pub const PATH_WHOLE: u32 = 1;
/// [`Exec::uid`] and [`Exit::uid`] where the kernel hides it.
pub const UNKNOWN_UID: u32 = u32::MAX;

/// A process ended with its last thread.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exit {
    /// The process.
    pub header: Header,
    /// Thread group id of the parent.
    pub parent_pid: u32,
    /// Effective user id of the last thread.
    pub uid: u32,
    /// Wait status: bits 0-6 signal, 0x80 core dumped, `>> 8` exit code.
    pub status: u32,
    /// Threads over the whole life; 0 where they could not be counted.
    pub threads: u32,
    /// Threads whose figures come in [`Late`] records.
    pub pending: u32,
    /// [`OOM_VICTIM`].
    pub flags: u32,
    /// What all threads used, but the pending ones.
    pub figures: Figures,
    /// `signal->maxrss`, pages: `ru_maxrss`.
    pub peak_pages: u64,
    /// Peak since the last exec, pages; [`UNKNOWN_PAGES`] where the address
    /// space is gone already.
    pub exec_peak_pages: u64,
    /// Who sent the signal that ended it; pid 0 where that was nobody, or is
    /// unknown.
    pub sender: Sender,
}

/// The kernel chose the process to end it for want of memory.
pub const OOM_VICTIM: u32 = 1;

/// Who sent a signal.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sender {
    /// Thread group id.
    pub pid: u32,
    /// Effective user id; [`UNKNOWN_UID`] where the kernel hides it.
    pub uid: u32,
    /// The signal.
    pub signal: u32,
    /// Keeps the layout free of holes.
    pub padding: u32,
    /// Name of the thread that sent it, NUL-terminated.
    pub comm: [u8; COMM_LEN],
}

/// Where a process that ends with another status than 0 wrote: a regular file
/// behind descriptor 1 or 2. Comes before its [`Exit`]. After it come
/// `path_len` bytes of path, as in [`Exec`].
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Output {
    /// The process.
    pub header: Header,
    /// [`STDOUT`], [`STDERR`] or both: the same file.
    pub streams: u32,
    /// Bytes of path that follow; 0 where it is unknown.
    pub path_len: u32,
    /// The file as the process leaves it.
    pub file: OutputFile,
}

/// Descriptor 1 in [`Output::streams`].
pub const STDOUT: u32 = 1;
/// Descriptor 2 in [`Output::streams`].
pub const STDERR: u32 = 2;

/// What a process hands to the kernel to write to standard error. After it come
/// `len` bytes: all of it, or its end.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tap {
    /// The process.
    pub header: Header,
    /// Bytes that follow.
    pub len: u32,
    /// Bytes that it hands over; `u32::MAX`: so many or more.
    pub total: u32,
}

/// [`Exit::exec_peak_pages`] where it is unknown.
pub const UNKNOWN_PAGES: u64 = u64::MAX;

/// Figures of threads that ended beside the last one.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Late {
    /// The process.
    pub header: Header,
    /// How many threads this is.
    pub threads: u32,
    /// Keeps the layout free of holes.
    pub padding: u32,
    /// What they used.
    pub figures: Figures,
}
