//! `/proc/PID/status` and `/proc/PID/task/TID/status` (proc_pid_status(5)).
//!
//! The name in it is escaped by the kernel, so a line is a line. The file is
//! the dearest of those read here: where only the switches are wanted,
//! [`Switches::parse`] looks from the end.

use super::words::{Words, key_value, lines, number, number_u32};

/// What is used of a `status` file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// State letter.
    pub state: u8,
    /// Thread group id.
    pub tgid: u32,
    /// Thread group id of the parent.
    pub ppid: u32,
    /// Real user id.
    pub real_uid: u32,
    /// Effective user id.
    pub effective_uid: u32,
    /// Threads of the group.
    pub threads: u64,
    /// Context switches of this one task.
    pub switches: Switches,
    /// Its id in its own, innermost pid namespace; `None` where the kernel
    /// (before 4.1) does not tell.
    pub namespace_pid: Option<u32>,
}

/// Context switches of one task since its birth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Switches {
    /// It gave the CPU up.
    pub voluntary: u64,
    /// It was taken off the CPU.
    pub involuntary: u64,
}

impl Status {
    /// Reads a `status` file.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (mut state, mut tgid, mut ppid, mut uids) = (None, None, None, None);
        let (mut threads, mut namespace_pid) = (None, None);
        for (key, value) in lines(bytes).filter_map(key_value) {
            match key {
                b"State" => state = value.first().copied(),
                b"Tgid" => tgid = number_u32(value),
                b"PPid" => ppid = number_u32(value),
                b"Uid" => uids = real_and_effective(value),
                b"Threads" => threads = number(value),
                b"NSpid" => namespace_pid = Words(value).last().and_then(number_u32),
                _ => {}
            }
        }
        let (real_uid, effective_uid) = uids?;
        Some(Self {
            state: state?,
            tgid: tgid?,
            ppid: ppid?,
            real_uid,
            effective_uid,
            threads: threads?,
            switches: Switches::parse(bytes)?,
            namespace_pid,
        })
    }
}

fn real_and_effective(value: &[u8]) -> Option<(u32, u32)> {
    let mut ids = Words(value);
    Some((number_u32(ids.next()?)?, number_u32(ids.next()?)?))
}

impl Switches {
    /// Reads the two lines of a `status` file, which are among its last.
    #[must_use]
    pub fn parse(status: &[u8]) -> Option<Self> {
        let (mut voluntary, mut involuntary) = (None, None);
        for (key, value) in lines(status).rev().filter_map(key_value) {
            match key {
                b"voluntary_ctxt_switches" => voluntary = number(value),
                b"nonvoluntary_ctxt_switches" => involuntary = number(value),
                _ => continue,
            }
            if voluntary.is_some() && involuntary.is_some() {
                break;
            }
        }
        Some(Self {
            voluntary: voluntary?,
            involuntary: involuntary?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_file_with_lines_after_the_switches() {
        // x86 kernels with shadow stacks write two lines behind them.
        let text = b"Name:\tState:\\n\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t7\nNgid:\t0\n\
            Pid:\t7\nPPid:\t1\nUid:\t1000\t0\t0\t0\nNStgid:\t7\t1\nNSpid:\t7\t1\nThreads:\t3\n\
            voluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n\
            x86_Thread_features:\t\nx86_Thread_features_locked:\t\n";
        let status = Status::parse(text).unwrap();
        assert_eq!((status.state, status.tgid, status.ppid), (b'S', 7, 1));
        assert_eq!((status.real_uid, status.effective_uid), (1000, 0));
        assert_eq!(status.threads, 3);
        assert_eq!(status.switches.voluntary, 150);
        assert_eq!(status.switches.involuntary, 545);
        assert_eq!(status.namespace_pid, Some(1));
    }

    #[test]
    fn missing_switches_are_no_zero() {
        assert_eq!(Switches::parse(b"voluntary_ctxt_switches:\t1\n"), None);
        assert_eq!(
            Switches::parse(b"nonvoluntary_ctxt_switches:\t1\nvoluntary_ctxt_switches:\tx\n"),
            None
        );
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes: Vec<u8>) {
            let _ = Status::parse(&bytes);
        }

        #[test]
        fn arbitrary_values_do_no_harm(values in proptest::collection::vec(any::<Vec<u8>>(), 8)) {
            let keys = ["State", "Tgid", "PPid", "Uid", "Threads", "NSpid",
                "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"];
            let mut text = Vec::new();
            for (key, value) in keys.iter().zip(values) {
                text.extend_from_slice(key.as_bytes());
                text.push(b':');
                text.extend_from_slice(&value);
                text.push(b'\n');
            }
            let _ = Status::parse(&text);
        }

        #[test]
        fn a_written_file_is_read_back(
            ids: [u32; 4], threads: u64, voluntary: u64, involuntary: u64,
        ) {
            let text = format!(
                "Name:\tx\nState:\tR (running)\nTgid:\t{}\nPPid:\t{}\nUid:\t{}\t{}\t0\t0\n\
                 Threads:\t{threads}\nvoluntary_ctxt_switches:\t{voluntary}\n\
                 nonvoluntary_ctxt_switches:\t{involuntary}\n",
                ids[0], ids[1], ids[2], ids[3],
            );
            prop_assert_eq!(
                Status::parse(text.as_bytes()),
                Some(Status {
                    state: b'R', tgid: ids[0], ppid: ids[1], real_uid: ids[2],
                    effective_uid: ids[3], threads,
                    switches: Switches { voluntary, involuntary }, namespace_pid: None,
                })
            );
        }
    }
}
