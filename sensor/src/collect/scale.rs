//! What the kernel's units are worth.

use rustix::param::{clock_ticks_per_second, page_size};

/// Ticks and pages of the running kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    ticks_per_second: u64,
    page_bytes: u64,
}

impl Scale {
    /// As the kernel told this process (`sysconf`).
    #[must_use]
    pub fn of_kernel() -> Self {
        Self {
            // Never 0: the kernel's USER_HZ is a constant.
            ticks_per_second: clock_ticks_per_second().max(1),
            // 64 bits hold every usize on Linux.
            page_bytes: u64::try_from(page_size()).unwrap_or(u64::MAX),
        }
    }

    /// Ticks (`USER_HZ`) in nanoseconds.
    #[must_use]
    pub fn ticks_to_ns(self, ticks: u64) -> u64 {
        let ns = u128::from(ticks) * 1_000_000_000 / u128::from(self.ticks_per_second);
        u64::try_from(ns).unwrap_or(u64::MAX)
    }

    /// Pages in bytes.
    #[must_use]
    pub fn pages_to_bytes(self, pages: u64) -> u64 {
        pages.saturating_mul(self.page_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_of_linux_is_ten_milliseconds() {
        let scale = Scale::of_kernel();
        assert_eq!(scale.ticks_to_ns(0), 0);
        assert_eq!(scale.ticks_to_ns(scale.ticks_per_second), 1_000_000_000);
        assert_eq!(scale.ticks_to_ns(u64::MAX), u64::MAX);
        assert_eq!(scale.pages_to_bytes(1) % 4096, 0);
    }
}
