//! `/proc/PID/io` (proc_pid_io(5)): of the whole group, its dead threads
//! included. Readable only with the rights to trace the process.

use super::words::{key_value, lines, number};

/// What is used of an `io` file, all in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Io {
    /// What read calls returned.
    pub rchar: u64,
    /// What write calls took.
    pub wchar: u64,
    /// Fetched from storage.
    pub read_bytes: u64,
    /// Sent to storage, or made dirty to be sent.
    pub write_bytes: u64,
}

impl Io {
    /// Reads an `io` file; `None` where one of the four lines is missing.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (mut rchar, mut wchar, mut read_bytes, mut write_bytes) = (None, None, None, None);
        for (key, value) in lines(bytes).filter_map(key_value) {
            match key {
                b"rchar" => rchar = number(value),
                b"wchar" => wchar = number(value),
                b"read_bytes" => read_bytes = number(value),
                b"write_bytes" => write_bytes = number(value),
                _ => {}
            }
        }
        Some(Self {
            rchar: rchar?,
            wchar: wchar?,
            read_bytes: read_bytes?,
            write_bytes: write_bytes?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_missing_line_is_no_zero() {
        assert_eq!(Io::parse(b"rchar: 1\nwchar: 2\nread_bytes: 3\n"), None);
        assert_eq!(
            Io::parse(b"rchar: 1\nwchar: 2\nread_bytes: 3\ncancelled_write_bytes: 4\n"),
            None
        );
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes: Vec<u8>) {
            let _ = Io::parse(&bytes);
        }

        #[test]
        fn a_written_file_is_read_back(
            rchar: u64, wchar: u64, read_bytes: u64, write_bytes: u64,
        ) {
            let text = format!(
                "rchar: {rchar}\nwchar: {wchar}\nsyscr: 14\nsyscw: 2\nread_bytes: {read_bytes}\n\
                 write_bytes: {write_bytes}\ncancelled_write_bytes: 5\n"
            );
            prop_assert_eq!(
                Io::parse(text.as_bytes()),
                Some(Io { rchar, wchar, read_bytes, write_bytes })
            );
        }
    }
}
