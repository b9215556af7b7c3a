//! Scans of the real /proc.

use std::process::Command;

use super::*;
use crate::procfs::testing::{Process, leaderless, until};

#[test]
fn a_scan_reads_one_file_a_process() {
    let mut proc = Proc::open().unwrap();
    let process = Process::named(b"a) R (b\n");
    let pid = process.pid();
    until(|| *proc.comm(pid).unwrap() == *b"a) R (b\n");
    let before = proc.counts().reads;
    let mut found = Vec::new();
    let mut pids = Vec::new();
    proc.pids(&mut pids).unwrap();
    scan(&mut proc, &pids, |_, scanned| found.push(scanned));
    let counts = proc.counts();
    let expected = u64::try_from(found.len()).unwrap() + counts.gone + 1;
    assert_eq!(counts.reads - before, expected);
    let mut found = found.into_iter().filter(|one| one.stat.pid == pid);
    let mut scanned = found.next().unwrap();
    assert_eq!(&*scanned.stat.comm, b"a) R (b\n");
    assert_eq!(scanned.stat.ppid, std::process::id());
    assert_eq!(
        (&scanned.exe, &scanned.args, scanned.uid),
        (&None, &None, None)
    );
    scanned.complete(&mut proc, Wanted::ALL).unwrap();
    assert!(scanned.exe.as_ref().unwrap().starts_with(b"/"));
    assert_eq!(
        scanned.args.as_ref().unwrap().args[..2],
        [&b"sh"[..], b"-c"]
    );
    assert_eq!(scanned.uid, Some(rustix::process::geteuid().as_raw()));
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    assert_eq!(scanned.cgroup.is_some(), own.contains("0::"));
}

#[test]
fn only_what_is_wanted_is_read() {
    let mut proc = Proc::open().unwrap();
    let process = Process::start(Command::new("sleep").arg("600"));
    let mut scanned = Scanned::read(&mut proc, process.pid()).unwrap();
    let before = proc.counts().reads;
    let wanted = Wanted {
        exe: true,
        ..Wanted::default()
    };
    scanned.complete(&mut proc, wanted).unwrap();
    assert_eq!(proc.counts().reads - before, 2);
    assert!(scanned.exe.is_some() && scanned.args.is_none() && scanned.uid.is_none());
}

#[test]
fn a_zombie_is_found_but_not_completed() {
    let mut proc = Proc::open().unwrap();
    let mut process = Process::sleep();
    let mut early = Scanned::read(&mut proc, process.pid()).unwrap();
    process.kill_only(&mut proc);
    let mut late = Scanned::read(&mut proc, process.pid()).unwrap();
    assert!(late.stat.process_ended());
    assert_eq!(late.complete(&mut proc, Wanted::ALL), Err(ReadError::Gone));
    assert_eq!(early.complete(&mut proc, Wanted::ALL), Err(ReadError::Gone));
    process.end();
    let vanished = Scanned::read(&mut proc, process.pid());
    assert_eq!(vanished, Err(ReadError::Gone));
}

#[test]
fn a_process_without_its_leader_is_complete() {
    let mut proc = Proc::open().unwrap();
    let Some(process) = leaderless(&mut proc) else {
        return;
    };
    let mut scanned = Scanned::read(&mut proc, process.pid()).unwrap();
    assert!(scanned.stat.task_ended() && !scanned.stat.process_ended());
    scanned.complete(&mut proc, Wanted::ALL).unwrap();
    assert!(scanned.exe.unwrap().starts_with(b"/"));
    assert_eq!(scanned.args.unwrap().args[1], b"-c");
    assert!(scanned.uid.is_some());
}

#[test]
fn threads_of_the_kernel_have_neither_executable_nor_arguments() {
    let mut proc = Proc::open().unwrap();
    let mut found = None;
    let mut pids = Vec::new();
    proc.pids(&mut pids).unwrap();
    scan(&mut proc, &pids, |_, scanned| {
        if scanned.stat.is_kernel_thread() {
            found = Some(scanned);
        }
    });
    let Some(mut thread) = found else {
        eprintln!("SKIPPED: threads of the kernel: none to be seen in this pid namespace");
        return;
    };
    thread.complete(&mut proc, Wanted::ALL).unwrap();
    assert_eq!((thread.exe, thread.args), (None, None));
    assert_eq!(thread.uid, Some(0));
}

#[test]
fn a_short_name_is_whole_and_costs_nothing_more() {
    let mut proc = Proc::open().unwrap();
    let wanted = Wanted {
        name: true,
        ..Wanted::default()
    };
    for (name, more) in [(&b"short"[..], 0), (b"fifteen-bytes-x", 3)] {
        let process = Process::named(name);
        until(|| *proc.comm(process.pid()).unwrap() == *name);
        let mut scanned = Scanned::read(&mut proc, process.pid()).unwrap();
        let before = proc.counts().reads;
        scanned.complete(&mut proc, wanted).unwrap();
        assert_eq!(proc.counts().reads - before, more);
        assert_eq!(scanned.exe.is_some(), more > 0);
        assert_eq!(scanned.args.is_some(), more > 0);
        assert!(scanned.uid.is_none() && scanned.cgroup.is_none());
    }
}
