//! `/proc/PID/stat` and `/proc/PID/task/TID/stat` (proc_pid_stat(5),
//! `do_task_stat` in fs/proc/array.c).

use super::comm::Comm;
use super::words::{Words, number, number_u32};

/// `PF_EXITING`: past the point of no return in `do_exit`.
const PF_EXITING: u32 = 0x0000_0004;
/// `PF_KTHREAD`: a thread of the kernel, no process of anybody's.
const PF_KTHREAD: u32 = 0x0020_0000;

/// What is used of a `stat` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Id of the process or thread.
    pub pid: u32,
    /// Its name.
    pub comm: Comm,
    /// State letter: `R`, `S`, `D`, `T`, `t`, `Z`, `X`, `I`, …
    pub state: u8,
    /// Thread group id of the parent.
    pub ppid: u32,
    /// `PF_*` flags of the task.
    pub flags: u32,
    /// Minor faults of the whole group, its dead threads included.
    pub minor_faults: u64,
    /// Major faults of the whole group, its dead threads included.
    pub major_faults: u64,
    /// User time of the whole group, its dead threads included, in ticks.
    pub user_ticks: u64,
    /// System time of the whole group, its dead threads included, in ticks.
    pub system_ticks: u64,
    /// Threads of the group, a leader that waits as a zombie included; 0 once
    /// the kernel has taken the task apart.
    pub threads: u64,
    /// Start after boot (CLOCK_BOOTTIME), in ticks.
    pub start_ticks: u64,
    /// Virtual memory in bytes; 0 for a task without memory of its own.
    pub virtual_bytes: u64,
}

impl Stat {
    /// Reads a `stat` file. The name may hold blanks and parentheses, so the
    /// fields are counted from the *last* closing one: all that follows is
    /// written by the kernel.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let open = bytes.iter().position(|&byte| byte == b'(')?;
        let close = bytes.iter().rposition(|&byte| byte == b')')?;
        let comm = Comm::new(bytes.get(open + 1..close)?);
        let pid = number_u32(bytes[..open].strip_suffix(b" ")?)?;
        let mut fields = Words(&bytes[close + 1..]);
        let &[state] = fields.next()? else {
            return None;
        };
        Some(Self {
            pid,
            comm,
            state,
            ppid: number_u32(fields.next()?)?,
            flags: number_u32(fields.nth(4)?)?,
            minor_faults: number(fields.next()?)?,
            major_faults: number(fields.nth(1)?)?,
            user_ticks: number(fields.nth(1)?)?,
            system_ticks: number(fields.next()?)?,
            threads: number(fields.nth(4)?)?,
            start_ticks: number(fields.nth(1)?)?,
            virtual_bytes: number(fields.next()?)?,
        })
    }

    /// This task has ended or is about to: its memory and files are, or may
    /// be, gone already. Of a group leader that says nothing of its threads.
    #[must_use]
    pub fn task_ended(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x') || self.flags & PF_EXITING != 0
    }

    /// The whole process has ended: no other thread is left. (A leader that
    /// has ended while threads run is `Z` with more than one thread.)
    #[must_use]
    pub fn process_ended(&self) -> bool {
        self.threads == 0 || (self.threads == 1 && self.task_ended())
    }

    /// A thread of the kernel.
    #[must_use]
    pub fn is_kernel_thread(&self) -> bool {
        self.flags & PF_KTHREAD != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(stat: &Stat) -> Vec<u8> {
        let mut line = format!("{} (", stat.pid).into_bytes();
        line.extend_from_slice(&stat.comm);
        line.extend_from_slice(
            format!(
                ") {} {} 1 2 0 -1 {} {} 7 {} 8 {} {} -9 -10 20 -5 {} 0 {} {} 382 9 1 1 0\n",
                char::from(stat.state),
                stat.ppid,
                stat.flags,
                stat.minor_faults,
                stat.major_faults,
                stat.user_ticks,
                stat.system_ticks,
                stat.threads,
                stat.start_ticks,
                stat.virtual_bytes,
            )
            .as_bytes(),
        );
        line
    }

    #[test]
    fn a_real_line() {
        let line = b"12023 (cat) R 12021 12021 8789 0 -1 4194304 99 0 3 0 11 12 0 0 20 0 1 0 \
            138952 3133440 382 18446744073709551615 94751090446336 94751090466217\n";
        let stat = Stat::parse(line).unwrap();
        assert_eq!(
            stat,
            Stat {
                pid: 12_023,
                comm: Comm::new(b"cat"),
                state: b'R',
                ppid: 12_021,
                flags: 4_194_304,
                minor_faults: 99,
                major_faults: 3,
                user_ticks: 11,
                system_ticks: 12,
                threads: 1,
                start_ticks: 138_952,
                virtual_bytes: 3_133_440,
            }
        );
    }

    #[test]
    fn ended_is_not_the_same_for_a_task_and_its_process() {
        let line = |state: char, flags: u32, threads: u64| {
            let text =
                format!("1 (a) {state} 0 1 1 0 -1 {flags} 0 0 0 0 0 0 0 0 20 0 {threads} 0 5 6");
            let stat = Stat::parse(text.as_bytes()).unwrap();
            (stat.task_ended(), stat.process_ended())
        };
        assert_eq!(line('S', 0, 1), (false, false));
        assert_eq!(line('Z', 4, 1), (true, true));
        assert_eq!(line('X', 0, 1), (true, true));
        assert_eq!(line('R', 4, 1), (true, true));
        assert_eq!(line('Z', 4, 2), (true, false));
        assert_eq!(line('R', 0, 0), (false, true));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes: Vec<u8>) {
            let _ = Stat::parse(&bytes);
        }

        #[test]
        fn a_cut_line_gives_nothing_or_less_digits(
            name in proptest::collection::vec(any::<u8>(), 0..16), at in 0usize..60,
        ) {
            let mut line = b"1 (".to_vec();
            line.extend_from_slice(&name);
            line.extend_from_slice(b") S 1 1 1 0 -1 0 1 1 1 1 1 1 1 1 20 0 1 0 1 1 1");
            line.truncate(at);
            let _ = Stat::parse(&line);
        }

        #[test]
        fn a_written_line_is_read_back(
            name in proptest::collection::vec(1u8.., 0..=15),
            state in prop::sample::select(b"RSDTtZXI".to_vec()),
            ids: [u32; 3],
            figures: [u64; 7],
        ) {
            let stat = Stat {
                pid: ids[0],
                comm: Comm::new(&name),
                state,
                ppid: ids[1],
                flags: ids[2],
                minor_faults: figures[0],
                major_faults: figures[1],
                user_ticks: figures[2],
                system_ticks: figures[3],
                threads: figures[4],
                start_ticks: figures[5],
                virtual_bytes: figures[6],
            };
            prop_assert_eq!(Stat::parse(&written(&stat)), Some(stat));
        }
    }
}
