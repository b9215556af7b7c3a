//! `/proc/PID/schedstat` and `/proc/PID/task/TID/schedstat`: of one task, not
//! of its group (`proc_pid_schedstat` in fs/proc/base.c).

use super::words::{Words, number};

/// A `schedstat` file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedstat {
    /// Time on a CPU, ns.
    pub run_ns: u64,
    /// Time spent runnable, waiting for a CPU, ns.
    pub wait_ns: u64,
    /// How often it was put on a CPU. A task that has run has at least one: 0
    /// with all else 0 is also what a kernel writes that keeps no account.
    pub slices: u64,
}

impl Schedstat {
    /// Reads a `schedstat` file.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Words(bytes);
        Some(Self {
            run_ns: number(fields.next()?)?,
            wait_ns: number(fields.next()?)?,
            slices: number(fields.next()?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes: Vec<u8>) {
            let _ = Schedstat::parse(&bytes);
        }

        #[test]
        fn a_written_file_is_read_back(run_ns: u64, wait_ns: u64, slices: u64) {
            let text = format!("{run_ns} {wait_ns} {slices}\n");
            prop_assert_eq!(
                Schedstat::parse(text.as_bytes()),
                Some(Schedstat { run_ns, wait_ns, slices })
            );
        }
    }
}
