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

/// Gives back what only the start needed: freed memory, and code and constants.
/// What of these is needed again is mapped again, from the page cache.
pub fn settle() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no arguments that could be wrong (malloc_trim(3)).
    unsafe {
        libc::malloc_trim(0);
    }
    let maps = fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    for (from, to) in as_in_files(&maps) {
        let start = std::ptr::without_provenance_mut(from);
        // SAFETY: the mapping cannot be written and has the bytes of its file,
        // and the kernel reads them again where they are needed (madvise(2),
        // MADV_DONTNEED).
        if let Err(error) = unsafe { madvise(start, to - from, Advice::LinuxDontNeed) } {
            tracing::debug!("code stays in memory: {error}");
        }
    }
}

/// The mappings of files, by /proc/PID/smaps (proc_pid_smaps(5)), that cannot
/// be written and never were: constants that the loader has filled in count
/// as anonymous, here or in the swap.
fn as_in_files(smaps: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut open = None;
    for line in smaps.lines() {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        if let Some(mapping) = file(line) {
            open = mapping;
        } else if ["Anonymous:", "Swap:"].contains(&key) && value.trim() != "0 kB" {
            open = None;
        } else if key == "VmFlags:" {
            found.extend(open.take());
        }
    }
    found
}

/// The first line of a mapping: its addresses, where it is of a file and
/// cannot be written. `None`: it is none.
fn file(line: &str) -> Option<Option<(usize, usize)>> {
    let mut words = line.split_ascii_whitespace();
    let (from, to) = words.next()?.split_once('-')?;
    let number = |text| usize::from_str_radix(text, 16).ok();
    let (from, to) = (number(from)?, number(to)?);
    let is_constant = ["r-xp", "r--p"].contains(&words.next()?);
    let of_file = words.nth(2)? != "0";
    Some((is_constant && of_file && from < to).then_some((from, to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_as_in_its_file_is_given_back() {
        let one = |line: &str, anonymous: u32, swap: u32| {
            format!(
                "{line}\nSize: 4 kB\nAnonymous:   {anonymous} kB\nSwap:   {swap} kB\nVmFlags: rd\n"
            )
        };
        for (line, anonymous, swap, given) in [
            (
                "55d0-55e0 r-xp 00001000 fe:00 4242   /usr/bin/sensor",
                0,
                0,
                true,
            ),
            (
                "55d0-55e0 r--p 00001000 fe:00 4242   /usr/bin/sensor",
                0,
                0,
                true,
            ),
            (
                "55d0-55e0 r--p 00001000 fe:00 4242   /usr/bin/sensor",
                4,
                0,
                false,
            ),
            (
                "55d0-55e0 r--p 00001000 fe:00 4242   /usr/bin/sensor",
                0,
                4,
                false,
            ),
            (
                "55d0-55e0 rw-p 00001000 fe:00 4242   /usr/bin/sensor",
                0,
                0,
                false,
            ),
            (
                "55d0-55e0 r--s 00001000 fe:00 4242   /usr/bin/sensor",
                0,
                0,
                false,
            ),
            ("55d0-55e0 r-xp 00000000 00:00 0      [vdso]", 0, 0, false),
            (
                "55e0-55d0 r-xp 00001000 fe:00 4242   /usr/bin/sensor",
                0,
                0,
                false,
            ),
            ("nonsense", 0, 0, false),
        ] {
            let text = one(line, anonymous, swap);
            let wanted: &[_] = if given { &[(0x55d0, 0x55e0)] } else { &[] };
            assert_eq!(as_in_files(&text), wanted, "{text}");
            // Nothing of it sticks to the next one.
            let next = one("1-2 r-xp 0 fe:00 7 /lib/x", 0, 0);
            assert_eq!(as_in_files(&(text + &next)).last(), Some(&(1, 2)));
        }
    }

    #[test]
    fn what_was_given_back_is_there_when_it_is_needed() {
        let maps = fs::read_to_string("/proc/self/smaps").unwrap();
        assert!(as_in_files(&maps).len() >= 2, "{maps}");
        settle();
        assert_eq!("sensor".to_uppercase(), "SENSOR");
    }
}
