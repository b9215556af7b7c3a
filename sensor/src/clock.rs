//! The clocks, read by the shell only.

use rustix::time::{ClockId, clock_gettime};

use crate::units::{BootNanos, WallNanos, WallOffset};

/// Now on CLOCK_BOOTTIME.
#[must_use]
pub fn boot() -> BootNanos {
    BootNanos(read(ClockId::Boottime))
}

/// Now on the wall clock.
#[must_use]
pub fn wall() -> WallNanos {
    WallNanos(read(ClockId::Realtime))
}

/// From the boot clock to the wall clock: taken once, at the start. Of a few
/// tries the one counts during which the least time passed.
#[must_use]
pub fn offset() -> WallOffset {
    let tries = (0..8).map(|_| {
        let before = boot().0;
        let wall = wall().0;
        let took = boot().0.saturating_sub(before);
        (took, wall.wrapping_sub(before + took / 2).cast_signed())
    });
    WallOffset(tries.min().map_or(0, |(_, offset)| offset))
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let part = |value: i64| u64::try_from(value).unwrap_or(0);
    part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec)
}
