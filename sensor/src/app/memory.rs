//! Memory that is not needed any more goes back to the system.

use std::fs;

use rustix::mm::{Advice, madvise};

/// Larger blocks are mapped each by itself, and unmapped when they are freed.
const MAPPED_BYTES: i32 = 128 << 10;
/// Arenas of the allocator: one for the engine, one for all other threads.
const ARENAS: i32 = 2;

/// Tells the allocator to hold no more than it must. By itself it would take
/// the large blocks of the start, which live for milliseconds, as a sign that
/// such blocks are usual, and would keep their memory; and it would give each
/// thread an arena of its own.
pub fn be_frugal() {
    #[cfg(target_env = "gnu")]
    // SAFETY: sets numbers of the allocator (mallopt(3)).
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, MAPPED_BYTES);
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
    }
}

/// Gives back what only the start needed: freed memory, and code. Code that
/// is needed again is mapped again, from the page cache.
pub fn settle() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no arguments that could be wrong (malloc_trim(3)).
    unsafe {
        libc::malloc_trim(0);
    }
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    for (from, to) in maps.lines().filter_map(code) {
        let start = std::ptr::without_provenance_mut(from);
        // SAFETY: a mapping that is executable and never was writable has the
        // bytes of its file, and the kernel reads them again where they are
        // needed (madvise(2), MADV_DONTNEED).
        if let Err(error) = unsafe { madvise(start, to - from, Advice::LinuxDontNeed) } {
            tracing::debug!("code stays in memory: {error}");
        }
    }
}

/// The addresses of a line of /proc/PID/maps (proc_pid_maps(5)) that is code
/// of a file.
fn code(line: &str) -> Option<(usize, usize)> {
    let mut words = line.split_ascii_whitespace();
    let (from, to) = words.next()?.split_once('-')?;
    let is_code = words.next()? == "r-xp";
    let from_file = words.nth(2)? != "0";
    if !is_code || !from_file {
        return None;
    }
    let number = |text| usize::from_str_radix(text, 16).ok();
    let (from, to) = (number(from)?, number(to)?);
    (from < to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_of_files_is_given_back() {
        let line = "55d0-55e0 r-xp 00001000 fe:00 4242   /usr/bin/sensor";
        assert_eq!(code(line), Some((0x55d0, 0x55e0)));
        for other in [
            "55d0-55e0 r--p 00001000 fe:00 4242   /usr/bin/sensor",
            "55d0-55e0 rwxp 00001000 fe:00 4242   /usr/bin/sensor",
            "55d0-55e0 r-xp 00000000 00:00 0      [vdso]",
            "55e0-55d0 r-xp 00001000 fe:00 4242   /usr/bin/sensor",
            "nonsense",
            "",
        ] {
            assert_eq!(code(other), None, "{other}");
        }
    }

    #[test]
    fn what_was_given_back_is_there_when_it_is_needed() {
        settle();
        assert_eq!("sensor".to_uppercase(), "SENSOR");
    }
}
