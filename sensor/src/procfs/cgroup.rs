//! `/proc/PID/cgroup` (cgroups(7)): one line a hierarchy, `id:controllers:path`.

use super::words::lines;

/// The path in the cgroup v2 hierarchy, `None` where only version 1 is used.
///
/// Of a cgroup that was removed under its last zombie the kernel says
/// ` (deleted)`, which is no part of the path. Line ends cannot be in a path:
/// mkdir refuses them for the sake of this file.
#[must_use]
pub fn unified_path(bytes: &[u8]) -> Option<&[u8]> {
    let path = lines(bytes).find_map(|line| line.strip_prefix(b"0::"))?;
    Some(path.strip_suffix(b" (deleted)").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_unified_hierarchy_among_others() {
        let text = b"9:name=systemd:/\n4:memory:/0::/x\n0::/system.slice/a:b.service\n";
        assert_eq!(unified_path(text), Some(&b"/system.slice/a:b.service"[..]));
        assert_eq!(unified_path(b"0::/a (deleted)\n"), Some(&b"/a"[..]));
        assert_eq!(unified_path(b"4:memory:/a\n"), None);
        assert_eq!(unified_path(b""), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes: Vec<u8>) {
            let _ = unified_path(&bytes);
        }
    }
}
