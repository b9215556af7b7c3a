//! Newtypes for the units and identifiers that cross stages.

use std::fmt;

/// A moment of the wall clock in nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallNanos(pub u64);

/// A moment of CLOCK_BOOTTIME in nanoseconds: the clock of every kernel event
/// and of `start_boottime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct BootNanos(pub u64);

/// The fixed distance between the boot clock and the wall clock.
///
/// Taken once and kept (contract E8), so that one process has one creation
/// time for ever, whatever an administrator does to the clock meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallOffset(pub i64);

impl WallOffset {
    /// The wall-clock time of a moment of the boot clock.
    #[must_use]
    pub fn wall(self, boot: BootNanos) -> WallNanos {
        WallNanos(boot.0.saturating_add_signed(self.0))
    }
}

/// ISO 8601 in UTC with nine digits of a second: `2026-01-02T03:04:05.000000006Z`.
impl fmt::Display for WallNanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1_000_000_000;
        let nanos = self.0 % 1_000_000_000;
        let (year, month, day) = civil_from_days(seconds / 86_400);
        let second_of_day = seconds % 86_400;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{nanos:09}Z",
            second_of_day / 3_600,
            second_of_day / 60 % 60,
            second_of_day % 60,
        )
    }
}

/// Year, month and day of a count of days since 1970-01-01 (proleptic
/// Gregorian calendar; years are counted from 1 March, so that a leap day is
/// the last day of its year).
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

/// Names a process for ever: a pid alone is reused, a pid with its start is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessKey {
    /// Thread group id, what user space calls the pid.
    pub pid: u32,
    /// `start_boottime` of the thread group leader.
    pub start: BootNanos,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_is_written_as_iso_8601_with_nine_digits() {
        for (nanos, text) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_400_000_000_001, "2000-02-29T00:00:00.000000001Z"),
            (4_107_542_399_999_999_999, "2100-02-28T23:59:59.999999999Z"),
            (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000000Z"),
        ] {
            assert_eq!(WallNanos(nanos).to_string(), text);
        }
    }
}
