//! What the consumer tells the hooks about itself, so that they wake it only
//! when it sleeps: an interrupt a record is what makes other tools slow.

/// Shared page of consumer and hooks.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Awake {
    /// Written by the consumer: it will look at the ring by itself before this
    /// moment of CLOCK_BOOTTIME, ns. A hook that wakes it moves it on a little,
    /// so that others do not wake it as well.
    pub until: u64,
    /// Written by the hooks: when one of them last looked how full the ring is,
    /// CLOCK_BOOTTIME, ns.
    pub looked: u64,
    /// Written by the consumer: not 0 where it wants to know who takes another
    /// name.
    pub renames: u64,
    /// Written by the consumer: not 0 where it wants to know where processes
    /// that end badly wrote.
    pub outputs: u64,
    /// Written by the consumer: not 0 while it taps what processes write.
    pub taps: u64,
    /// Written by the hooks: when one of them last woke the consumer out of
    /// turn, CLOCK_BOOTTIME, ns.
    pub hurried: u64,
}
