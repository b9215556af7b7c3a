//! One owner at a time. The lock is on a file of its own, which also names the
//! holder; it is held before the store itself is touched.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};

use super::{StoreError, place};

/// Longest content of a lock file that is looked at, bytes.
const PID_BYTES: u64 = 16;
/// Whoever only asks for the holder has the lock for a moment, so one refusal
/// says little; all tries together stay below the two seconds of contract Q2.
const TRIES: u32 = 10;
/// Between two tries.
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// The right to write a store; given back when it is dropped, however the
/// process ends.
#[derive(Debug)]
pub struct Owner {
    _lock: File,
}

impl Owner {
    /// Takes the store at `path`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Held`] where somebody has it, or what is wrong with the
    /// place.
    pub fn take(path: &Path) -> Result<Self, StoreError> {
        let file = lock_file(path);
        place::check(&file)?;
        let open = |source| StoreError::Open {
            path: file.clone(),
            source,
        };
        let mut lock = place::open(&file).map_err(open)?;
        let mut locked = flock(&lock, FlockOperation::NonBlockingLockExclusive);
        for _ in 0..TRIES {
            if locked != Err(rustix::io::Errno::WOULDBLOCK) {
                break;
            }
            thread::sleep(BETWEEN_TRIES);
            locked = flock(&lock, FlockOperation::NonBlockingLockExclusive);
        }
        match locked {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(StoreError::Held {
                    path: path.to_owned(),
                    pid: pid_in(&mut lock),
                });
            }
            Err(error) => return Err(open(error.into())),
        }
        write_pid(&mut lock).map_err(open)?;
        Ok(Self { _lock: lock })
    }

    /// The process that owns a store, where one does.
    #[must_use]
    pub fn holder(path: &Path) -> Option<u32> {
        let mut lock = place::open_to_read(&lock_file(path)).ok()?;
        match flock(&lock, FlockOperation::NonBlockingLockShared) {
            Err(rustix::io::Errno::WOULDBLOCK) => pid_in(&mut lock),
            _ => None,
        }
    }
}

fn lock_file(path: &Path) -> PathBuf {
    place::beside(path, ".lock")
}

fn pid_in(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.take(PID_BYTES).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_pid(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}
