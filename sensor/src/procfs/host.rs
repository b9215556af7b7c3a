//! The few files of /proc that are about the host.

use super::words::{Words, key_value, lines, number};
use crate::units::BootNanos;

/// Time of boot in `/proc/stat`, seconds since 1970.
#[must_use]
pub fn boot_time_seconds(stat: &[u8]) -> Option<u64> {
    // After the lines of the CPUs and interrupts, which are the long ones.
    let value = lines(stat)
        .rev()
        .find_map(|line| line.strip_prefix(b"btime "))?;
    number(value)
}

/// Physical memory in `/proc/meminfo`, bytes.
#[must_use]
pub fn memory_total_bytes(meminfo: &[u8]) -> Option<u64> {
    let (_, value) = lines(meminfo)
        .filter_map(key_value)
        .find(|(key, _)| *key == b"MemTotal")?;
    let mut words = Words(value);
    let kibibytes = number(words.next()?)?;
    // The unit has never been another one; if it were, the figure is unknown.
    if words.next()? != b"kB" {
        return None;
    }
    kibibytes.checked_mul(1024)
}

/// Time since boot in `/proc/uptime`, which counts hundredths of a second.
#[must_use]
pub fn uptime(uptime: &[u8]) -> Option<BootNanos> {
    let word = Words(uptime).next()?;
    let dot = word.iter().position(|&byte| byte == b'.')?;
    let fraction = &word[dot + 1..];
    if fraction.len() != 2 {
        return None;
    }
    let hundredths = number(&word[..dot])?
        .checked_mul(100)?
        .checked_add(number(fraction)?)?;
    hundredths.checked_mul(10_000_000).map(BootNanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn real_lines() {
        let stat = b"cpu  1 2 3\nintr 5 6\nctxt 7\nbtime 1763763900\nprocesses 8\n";
        assert_eq!(boot_time_seconds(stat), Some(1_763_763_900));
        let meminfo = b"MemTotal:       24684092 kB\nMemFree:        22832948 kB\n";
        assert_eq!(memory_total_bytes(meminfo), Some(24_684_092 * 1024));
        assert_eq!(
            uptime(b"1389.54 1788.98\n"),
            Some(BootNanos(1_389_540_000_000))
        );
        assert_eq!(uptime(b"1389.5 1788.98\n"), None);
        assert_eq!(memory_total_bytes(b"MemTotal: 5 MB\n"), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes: Vec<u8>) {
            let _ = (boot_time_seconds(&bytes), memory_total_bytes(&bytes), uptime(&bytes));
        }

        #[test]
        fn a_written_uptime_is_read_back(seconds in 0u64..10_000_000_000, hundredths in 0u64..100) {
            let text = format!("{seconds}.{hundredths:02} 0.00\n");
            prop_assert_eq!(
                uptime(text.as_bytes()),
                Some(BootNanos((seconds * 100 + hundredths) * 10_000_000))
            );
        }
    }
}
