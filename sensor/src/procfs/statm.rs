//! `/proc/PID/statm` (proc_pid_statm(5)): memory in pages, exact where `stat`
//! and `status` are approximate on current kernels.

use super::words::{Words, number};

/// What is used of a `statm` file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statm {
    /// Virtual memory in pages; 0 for a task without memory of its own.
    pub size_pages: u64,
    /// Resident memory in pages.
    pub resident_pages: u64,
}

impl Statm {
    /// Reads a `statm` file.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Words(bytes);
        Some(Self {
            size_pages: number(fields.next()?)?,
            resident_pages: number(fields.next()?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_file_without_both_fields_is_none() {
        for bad in [&b""[..], b"765", b"765 x", b"-1 2"] {
            assert_eq!(Statm::parse(bad), None);
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes: Vec<u8>) {
            let _ = Statm::parse(&bytes);
        }

        #[test]
        fn a_written_file_is_read_back(size_pages: u64, resident_pages: u64) {
            let text = format!("{size_pages} {resident_pages} 382 5 0 123 0\n");
            prop_assert_eq!(
                Statm::parse(text.as_bytes()),
                Some(Statm { size_pages, resident_pages })
            );
        }
    }
}
