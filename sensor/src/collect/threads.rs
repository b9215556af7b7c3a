//! What is known only thread by thread.

use crate::procfs::{Proc, ReadError, Subject};

/// The sum over threads. One that has ended is left out, as it is out of the
/// process; one that could not be read makes the sum unknown, and so does a
/// file that none has.
pub(super) fn sum<T>(
    threads: impl Iterator<Item = Result<T, ReadError>>,
    add: impl Fn(T, T) -> T,
) -> Option<T> {
    let mut total = None;
    for thread in threads {
        match thread {
            Ok(one) => {
                total = Some(match total {
                    Some(total) => add(total, one),
                    None => one,
                });
            }
            Err(ReadError::Gone) => {}
            Err(_) => return None,
        }
    }
    total
}

/// A thread that has not ended. Asked for where the leader has: memory, files
/// and executable of the process are then to be had from another thread only.
pub(super) fn living(proc: &mut Proc, pid: u32, tids: &mut Vec<u32>) -> Result<Subject, ReadError> {
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
        let sum = |list: &[Result<u64, ReadError>]| sum(list.iter().copied(), |a, b| a + b);
        assert_eq!(sum(&[Ok(1), Ok(2)]), Some(3));
        assert_eq!(sum(&[Ok(1), Err(ReadError::Gone), Ok(2)]), Some(3));
        assert_eq!(sum(&[Ok(1), Err(ReadError::Denied), Ok(2)]), None);
        assert_eq!(sum(&[Err(ReadError::Gone)]), None);
        assert_eq!(sum(&[]), None);
    }
}
