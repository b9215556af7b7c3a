//! The clocks, read by the shell only.

use std::sync::LazyLock;

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

/// Now on the wall clock as it was set when this was asked first: it goes on
/// with the boot clock, through a suspend too, and does not jump when somebody
/// sets the clock. For ages: what waits is not a day older because the clock
/// was a day behind.
#[must_use]
pub fn steady() -> WallNanos {
    static OFFSET: LazyLock<WallOffset> = LazyLock::new(offset);
    OFFSET.wall(boot())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_measured_by_the_clock_that_nobody_sets() {
        let (steady, wall) = (steady().0, wall().0);
        // The same time of day to a minute, whatever this machine does.
        assert!(wall.abs_diff(steady) < 60_000_000_000, "{wall} {steady}");
        let (before, boot) = (super::steady().0, boot().0);
        let (later, after) = (super::steady().0, super::boot().0);
        assert!(later > before && later - before <= 2 * (after - boot) + 1_000_000_000);
    }
}
