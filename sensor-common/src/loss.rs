//! What a hook could not hand over, counted per CPU.

/// Counters of one CPU.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Loss {
    /// Forks that found the ring full.
    pub fork: u64,
    /// Execs that found the ring full.
    pub exec: u64,
    /// Exits that found the ring full.
    pub exit: u64,
    /// Late records that found the ring full.
    pub late: u64,
    /// Renames that found the ring full.
    pub rename: u64,
    /// Forks of processes under the scheduler hook that found its map full.
    pub scheduler: u64,
    /// Files of last words that found the ring full.
    pub output: u64,
    /// Processes whose threads could not be counted: the group map was full.
    pub group: u64,
    /// Tapped writes of which a part found the ring full or filling up, could
    /// not be read, or was one of too many; and processes for which there was
    /// no room.
    pub tap: u64,
}
