//! What is known only thread by thread.

use crate::procfs::{Proc, ReadError, Schedstat, Subject, Switches};

/// The sum over threads. One that has ended is left out, as it is out of the
/// process; one that could not be read makes the sum unknown, and so does a
/// file that none has.
pub(super) struct Sum<T> {
    total: Option<T>,
    failed: bool,
}

impl<T> Sum<T> {
    pub(super) fn new() -> Self {
        Self {
            total: None,
            failed: false,
        }
    }

    pub(super) fn add(&mut self, thread: Result<T, ReadError>, add: impl FnOnce(T, T) -> T) {
        match thread {
            Ok(one) => {
                self.total = Some(match self.total.take() {
                    Some(total) => add(total, one),
                    None => one,
                });
            }
            Err(ReadError::Gone) => {}
            Err(_) => self.failed = true,
        }
    }

    pub(super) fn total(self) -> Option<T> {
        self.total.filter(|_| !self.failed)
    }
}

/// What a thread had used at the last look. While its account has not moved
/// by a nanosecond it has not run, and its switches are the same.
#[derive(Debug, Clone, Copy)]
pub(super) struct Thread {
    tid: u32,
    account: Schedstat,
    switches: Switches,
}

/// The threads of a process that has several, as the last look found them,
/// by tid.
#[derive(Debug, Default)]
pub(super) struct Threads {
    last: Vec<Thread>,
    now: Vec<Thread>,
}

impl Threads {
    /// The last look found more than one.
    pub(super) fn are_several(&self) -> bool {
        self.last.len() > 1
    }

    /// Reads what is summed over `tids`.
    pub(super) fn read(
        &mut self,
        proc: &mut Proc,
        pid: u32,
        tids: &[u32],
    ) -> (Option<Switches>, Option<Schedstat>) {
        let (mut switches, mut schedstat) = (Sum::new(), Sum::new());
        self.now.clear();
        for &tid in tids {
            let of = Subject::Thread(pid, tid);
            // Before the switches: where these are newer, the next account is
            // another one, and they are read again.
            let account = proc.schedstat(of);
            let known = match account {
                Ok(account) => self.still(tid, account),
                Err(_) => None,
            };
            let used = known.map_or_else(|| proc.switches(of), Ok);
            if let (Ok(account), Ok(switches)) = (account, used) {
                self.now.push(Thread {
                    tid,
                    account,
                    switches,
                });
            }
            switches.add(used, super::switches::add);
            schedstat.add(account, super::runqueue::add);
        }
        self.now.sort_unstable_by_key(|thread| thread.tid);
        std::mem::swap(&mut self.last, &mut self.now);
        (switches.total(), schedstat.total())
    }

    /// The switches of a thread that has not run since the last look.
    fn still(&self, tid: u32, account: Schedstat) -> Option<Switches> {
        let place = self.last.binary_search_by_key(&tid, |thread| thread.tid);
        let thread = self.last.get(place.ok()?)?;
        (account.slices > 0 && thread.account == account).then_some(thread.switches)
    }
}

/// A thread that has not ended. Asked for where the leader has: memory, files
/// and executable of the process are then to be had from another thread only.
pub(super) fn living(
    proc: &mut Proc,
    pid: u32,
    tids: &mut Vec<u32>,
) -> Result<Subject<'static>, ReadError> {
    proc.tids(pid, tids)?;
    tids.iter()
        .map(|&tid| Subject::Thread(pid, tid))
        .find(|&thread| proc.stat(thread).is_ok_and(|stat| !stat.task_ended()))
        .ok_or(ReadError::Gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_over_a_part_is_unknown() {
        let sum = |list: &[Result<u64, ReadError>]| {
            let mut sum = Sum::new();
            for &one in list {
                sum.add(one, |a, b| a + b);
            }
            sum.total()
        };
        assert_eq!(sum(&[Ok(1), Ok(2)]), Some(3));
        assert_eq!(sum(&[Ok(1), Err(ReadError::Gone), Ok(2)]), Some(3));
        assert_eq!(sum(&[Ok(1), Err(ReadError::Denied), Ok(2)]), None);
        assert_eq!(sum(&[Err(ReadError::Gone)]), None);
        assert_eq!(sum(&[]), None);
    }
}
