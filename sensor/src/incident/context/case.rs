//! What is known of an incident's process when context is gathered.

use std::{path::PathBuf, sync::Arc};

use super::{look, siblings::Neighbour};
use crate::{
    process::event::{ExitDetail, Subject},
    units::WallNanos,
};

/// The process of an incident as providers see it: what the table knows, taken
/// when the incident happened.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Case {
    /// When it happened.
    pub time: WallNanos,
    /// The process, where it is known.
    pub process: Option<Subject>,
    /// Its parents, the nearest first.
    pub ancestry: Vec<Ancestor>,
    /// What it had used, where it has ended.
    pub detail: Option<Box<ExitDetail>>,
    /// Names of the services that watch it.
    pub services: Vec<Arc<str>>,
    /// What happened around it shortly before; see [`super::Ring::around`].
    pub siblings: Vec<Neighbour>,
    /// How many descriptors it had when it was last looked at.
    pub descriptors: Option<u64>,
}

/// A parent, or a parent's parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ancestor {
    /// Thread group id.
    pub pid: u32,
    /// Base name of its executable, or its `comm`.
    pub name: String,
}

impl Case {
    /// `/proc/PID`, as long as the process is there: neither gone, nor a
    /// zombie, nor another one with its pid.
    pub(super) fn alive(&self) -> Option<PathBuf> {
        let process = self.process.as_ref()?;
        let directory = PathBuf::from(format!("/proc/{}", process.pid));
        let stat = look::bytes(&directory.join("stat"), 4_096).ok()?;
        let (state, start_ticks) = state_and_start(&stat)?;
        let is_it = start_ticks == process.start.0 / NANOS_PER_TICK;
        (is_it && !b"ZXx".contains(&state)).then_some(directory)
    }

    /// The executable's path as text.
    pub(super) fn executable(&self) -> Option<String> {
        let path = self.process.as_ref()?.executable_path.as_ref()?;
        Some(String::from_utf8_lossy(path).into_owned())
    }
}

/// `USER_HZ` is 100 on every architecture that Rust knows for Linux.
const NANOS_PER_TICK: u64 = 10_000_000;

/// Fields 3 and 22 of proc_pid_stat(5); the name before may hold anything.
fn state_and_start(stat: &[u8]) -> Option<(u8, u64)> {
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    let rest = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

#[cfg(test)]
impl Case {
    /// A case about a living process.
    pub(super) fn of_living(pid: u32) -> Self {
        use crate::units::BootNanos;
        let stat = std::fs::read(format!("/proc/{pid}/stat")).unwrap();
        let (_, ticks) = state_and_start(&stat).unwrap();
        let path = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap();
        Self {
            process: Some(Subject {
                pid,
                parent_pid: Some(std::process::id()),
                creation_time: WallNanos(0),
                start: BootNanos(ticks * NANOS_PER_TICK),
                executable_path: Some(path.into_os_string().into_encoded_bytes().into()),
                args: None,
                user_id: Some(0),
                cgroup: None,
            }),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_process_itself_is_alive() {
        let mut case = Case::of_living(std::process::id());
        assert!(case.alive().is_some());
        case.process.as_mut().unwrap().start.0 += NANOS_PER_TICK;
        assert_eq!(case.alive(), None);
        assert_eq!(Case::default().alive(), None);

        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let case = Case::of_living(child.id());
        drop(child.stdin.take());
        // Not waited for yet: it becomes a zombie, and is no longer alive.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(40);
        while case.alive().is_some() {
            assert!(std::time::Instant::now() < deadline);
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert_eq!(case.alive(), None);
    }

    #[test]
    fn a_name_with_brackets_is_no_trouble() {
        let stat = b"7 (a) R (b)) S 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4711 99";
        assert_eq!(state_and_start(stat), Some((b'S', 4_711)));
        assert_eq!(state_and_start(b"7 (a"), None);
    }
}
