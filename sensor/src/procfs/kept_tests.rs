//! Kept processes say what the files of the same process say, and nothing of
//! any other.

use std::fs;

use super::*;
use crate::procfs::ReadError;
use crate::procfs::testing::{Process, until};

fn asleep(proc: &mut Proc) -> Process {
    let process = Process::sleep();
    until(|| {
        let stat = proc.stat(process.pid());
        stat.is_ok_and(|stat| *stat.comm == *b"sleep" && stat.state == b'S')
    });
    process
}

/// How many descriptors of the test lead into the directory of a process.
fn held(pid: u32) -> usize {
    let inside = format!("/proc/{pid}");
    let below = format!("{inside}/");
    let links = fs::read_dir("/proc/self/fd").unwrap();
    links
        .filter_map(|link| fs::read_link(link.unwrap().path()).ok())
        .filter(|target| {
            let target = target.to_string_lossy();
            *target == inside || target.starts_with(&below)
        })
        .count()
}

#[test]
fn a_kept_process_tells_the_same() {
    let mut proc = Proc::open().unwrap();
    let process = asleep(&mut proc);
    let pid = process.pid();
    let kept = proc.keep(pid).unwrap();
    assert_eq!(held(pid), 1);
    for _ in 0..3 {
        for file in FILES.iter().chain(&["comm", "cmdline", "limits"]) {
            let expected = proc.read(pid, file).unwrap().to_vec();
            assert_eq!(proc.read(Subject::Kept(&kept), file).unwrap(), expected);
            assert_eq!(proc.read_all(Subject::Kept(&kept), file).unwrap(), expected);
        }
        let expected = proc.fd_count(pid);
        assert_eq!(proc.fd_count(Subject::Kept(&kept)), expected);
        assert!(expected.unwrap() >= 3);
    }
    let mut tids = Vec::new();
    proc.tids(Subject::Kept(&kept), &mut tids).unwrap();
    assert_eq!(tids, [pid]);
    let exe = proc.exe(pid).unwrap().to_vec();
    assert_eq!(proc.exe(Subject::Kept(&kept)).unwrap(), exe);
    let failed = proc.read(Subject::Kept(&kept), "nothing");
    assert_eq!(failed, Err(ReadError::Gone));
    assert!(held(pid) <= DESCRIPTORS, "{}", held(pid));
    drop(kept);
    assert_eq!(held(pid), 0);
}

#[test]
fn a_kept_file_tells_what_happens() {
    let mut proc = Proc::open().unwrap();
    let mut process =
        Process::shell("read x; exec 7</dev/null; printf new > /proc/self/comm; read x");
    let pid = process.pid();
    let kept = proc.keep(pid).unwrap();
    until(|| *proc.stat(Subject::Kept(&kept)).unwrap().comm == *b"sh");
    until(|| proc.stat(Subject::Kept(&kept)).unwrap().state == b'S');
    let before = proc.fd_count(Subject::Kept(&kept)).unwrap();
    process.line();
    until(|| *proc.stat(Subject::Kept(&kept)).unwrap().comm == *b"new");
    assert_eq!(proc.fd_count(Subject::Kept(&kept)), Ok(before + 1));
}

#[test]
fn who_has_gone_is_gone_whoever_has_the_pid_now() {
    let mut proc = Proc::open().unwrap();
    let mut process = asleep(&mut proc);
    let pid = process.pid();
    let kept = proc.keep(pid).unwrap();
    proc.stat(Subject::Kept(&kept)).unwrap();
    process.end();
    let successor = successor(pid);
    if successor.is_none() {
        eprintln!("SKIPPED in part: a pid that is used again: needs CAP_CHECKPOINT_RESTORE");
    } else {
        assert_eq!(proc.stat(pid).unwrap().pid, pid);
    }
    for file in FILES.iter().chain(&["cmdline"]) {
        let read = proc.read(Subject::Kept(&kept), file);
        assert_eq!(read, Err(ReadError::Gone), "{file}");
    }
    let fds = proc.fd_count(Subject::Kept(&kept));
    assert_eq!(fds, Err(ReadError::Gone));
    let tids = proc.tids(Subject::Kept(&kept), &mut Vec::new());
    assert_eq!(tids, Err(ReadError::Gone));
    assert_eq!(proc.exe(Subject::Kept(&kept)), Err(ReadError::Gone));
}

/// A process with a pid that another one had; `None` where the kernel may not
/// be told which to take, or others were always faster.
fn successor(pid: u32) -> Option<Process> {
    for _ in 0..200 {
        fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).ok()?;
        let process = Process::sleep();
        if process.pid() == pid {
            return Some(process);
        }
    }
    None
}

#[test]
fn places_are_bounded_and_given_back() {
    let mut proc = Proc::open().unwrap();
    proc.places = Places::new(2);
    let process = asleep(&mut proc);
    let first = proc.keep(process.pid()).unwrap();
    let second = proc.keep(process.pid()).unwrap();
    assert!(proc.keep(process.pid()).is_none());
    drop(first);
    let third = proc.keep(process.pid());
    assert!(third.is_some() && proc.keep(process.pid()).is_none());
    drop((second, third));
    assert_eq!(held(process.pid()), 0);
}

#[test]
fn the_limit_of_descriptors_is_never_reached() {
    for limit in [0, 1, RESERVE, 1_024, 4_096, 1_048_576, usize::MAX] {
        let most = places(limit);
        assert!(most <= MOST);
        assert!(
            most == 0 || most * DESCRIPTORS + RESERVE <= limit,
            "{limit}"
        );
    }
    assert_eq!(places(1_024), 109);
    assert_eq!(places(usize::MAX), MOST);
}

#[test]
fn the_soft_limit_is_raised_as_far_as_the_hard_one_goes() {
    // For this test's process only: nothing is taken from others.
    let before = getrlimit(Resource::Nofile);
    allow_descriptors();
    let after = getrlimit(Resource::Nofile);
    assert_eq!(after.maximum, before.maximum);
    let reach = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
    let wanted = u64::try_from(MOST * DESCRIPTORS + RESERVE + SPARE).unwrap();
    assert!(reach(after.current) >= reach(before.maximum).min(wanted));
    assert!(reach(after.current) >= reach(before.current));
}
