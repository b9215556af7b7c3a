//! Bounds that both sides rely on.

/// Argument bytes taken in the exec hook (contract A5).
pub const ARGS_MAX: usize = 4096;
/// Longest name in a directory, with the terminating NUL (`NAME_MAX + 1`).
pub const NAME_MAX: usize = 256;
/// Bytes of executable path taken in the exec hook, terminators included.
pub const PATH_MAX: usize = 1024;
/// Directory levels walked for the executable path.
pub const PATH_DEPTH: u32 = 32;
/// `TASK_COMM_LEN`: a thread's name with its terminator.
pub const COMM_LEN: usize = 16;
/// Multi-threaded processes whose threads are counted at once; above that,
/// thread counts are unknown and dead threads' run-queue wait is missed.
pub const GROUPS: u32 = 16_384;
/// Claims of "the end of this process is being reported" that are kept.
pub const CLAIMS: u32 = 4_096;
/// Processes under the scheduler hook at once; less where there are fewer pids.
pub const WATCHED: u32 = 8_192;
/// Threads of these whose last departure is kept. The least recently seen one
/// has to go; of that one a single turn is missed.
pub const DEPARTURES: u32 = 16_384;
/// Marks that tell most other processes from those under the scheduler hook,
/// and from those with several threads: a power of two.
pub const MARKS: u32 = 2_048;
/// Slots to count in; the daemon makes it less where there are many CPUs.
pub const SLOTS: u32 = 1_024;
/// Senders of signals, and victims of the OOM killer, that are kept.
pub const SENDERS: u32 = 2_048;
/// Processes whose writes to standard error are tapped at once.
pub const TAPPED: u32 = 4_096;
/// Bytes that are taken of one tapped buffer.
pub const TAP_MAX: usize = 8_192;
/// Buffers of one `writev` that are taken, the last ones; musl's stdio uses
/// two.
pub const TAP_PARTS: u64 = 4;
/// Default size of the ring, bytes.
pub const RING_BYTES: u32 = 8 << 20;
/// How often an awake consumer looks at the ring, ns.
pub const LOOK_EVERY_NS: u64 = 20_000_000;
