//! Figures of real processes, against what the kernel says by other ways.

use std::fs;
use std::sync::mpsc;

use super::*;
use crate::procfs::testing::{Process, fake_root, leaderless, until};

fn read(proc: &mut Proc, pid: u32, start: Option<u64>) -> Result<Arc<Reading>, ReadError> {
    Collector::new().read(proc, &mut Watched::new(pid, start))
}

#[test]
fn a_child_with_one_thread() {
    let mut proc = Proc::open().unwrap();
    let mut process = Process::shell(
        "read x; i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; printf done > /proc/self/comm; read x",
    );
    let pid = process.pid();
    let before = read(&mut proc, pid, None).unwrap();
    process.line();
    until(|| *proc.comm(pid).unwrap() == *b"done");
    until(|| proc.stat(pid).unwrap().state == b'S');
    let after = read(&mut proc, pid, Some(before.start_ticks)).unwrap();
    assert_eq!((after.pid, after.ppid), (pid, std::process::id()));
    assert_eq!((after.state, after.threads), (b'S', 1));
    assert!(after.cpu_user_ns + after.cpu_system_ns > before.cpu_user_ns + before.cpu_system_ns);
    assert!(after.rss_bytes > 0 && after.rss_bytes < after.vms_bytes);
    assert!(after.minor_faults > 0);
    assert!(after.voluntary.unwrap() > 0 && after.involuntary.is_some());
    assert!(after.rchar.unwrap() > 0 && after.read_bytes.is_some());
    assert!(after.fds.unwrap() >= 3);
    assert!(after.runqueue_ns.is_some());
}

#[test]
fn switches_and_waits_are_sums_over_all_threads() {
    let mut proc = Proc::open().unwrap();
    let pid = std::process::id();
    let stop: Vec<mpsc::Sender<()>> = (0..8)
        .map(|_| {
            let (stop, stopped) = mpsc::channel::<()>();
            let (started, start) = mpsc::channel();
            std::thread::spawn(move || {
                started.send(()).unwrap();
                stopped.recv().unwrap_err();
            });
            start.recv().unwrap();
            stop
        })
        .collect();
    let leader = proc.switches(pid).unwrap();
    let reading = read(&mut proc, pid, None).unwrap();
    assert!(reading.threads >= 9);
    // The leader alone may have more than one, each of the others has one.
    assert!(reading.voluntary.unwrap() >= leader.voluntary + 8);
    assert!(reading.runqueue_ns.unwrap() > 0);
    drop(stop);
}

#[test]
fn the_sum_is_over_a_childs_threads_exactly() {
    // A process without its leader sleeps for good: its figures stand still.
    let mut proc = Proc::open().unwrap();
    let Some(process) = leaderless(&mut proc) else {
        return;
    };
    let pid = process.pid();
    let mut tids = Vec::new();
    proc.tids(pid, &mut tids).unwrap();
    assert_eq!(tids.len(), 2);
    let other = Subject::Thread(pid, tids[1]);
    until(|| proc.stat(other).unwrap().state == b'S');
    let reading = read(&mut proc, pid, None).unwrap();
    let mut parts = Vec::new();
    for tid in tids {
        let thread = Subject::Thread(pid, tid);
        let voluntary = proc.switches(thread).unwrap().voluntary;
        parts.push((voluntary, proc.schedstat(thread).unwrap().wait_ns));
    }
    assert_eq!(reading.voluntary, Some(parts[0].0 + parts[1].0));
    assert_eq!(reading.runqueue_ns, Some(parts[0].1 + parts[1].1));
    // The leader has neither memory nor files any more, the process has.
    assert_eq!((reading.state, reading.threads), (b'Z', 2));
    assert_eq!(proc.statm(pid).unwrap().size_pages, 0);
    assert!(reading.rss_bytes > 0 && reading.vms_bytes > 0);
    assert!(reading.fds.unwrap() >= 3);
}

#[test]
fn a_process_that_sleeps_costs_three_reads() {
    let mut proc = Proc::open().unwrap();
    let mut collector = Collector::new();
    let mut process =
        Process::shell("printf ready > /proc/self/comm; read x; cat /dev/null; read x");
    let pid = process.pid();
    let mut watched = Watched::new(pid, None);
    until(|| {
        let reading = collector.read(&mut proc, &mut watched).unwrap();
        *reading.comm == *b"ready" && reading.state == b'S'
    });
    let reads = |proc: &Proc| proc.counts().reads;
    // It may have fallen asleep just after its account was taken.
    let mut last = collector.read(&mut proc, &mut watched).unwrap();
    for _ in 0..3 {
        let before = reads(&proc);
        let again = collector.read(&mut proc, &mut watched).unwrap();
        assert_eq!(again, last);
        assert_eq!(reads(&proc) - before, 3);
        last = again;
    }
    process.line();
    until(|| {
        let reading = collector.read(&mut proc, &mut watched).unwrap();
        reading.voluntary > last.voluntary && reading.rchar > last.rchar
    });
    process.kill_only(&mut proc);
    assert_eq!(
        collector.read(&mut proc, &mut watched),
        Err(ReadError::Gone)
    );
}

#[test]
fn a_zombie_and_a_vanished_process_are_gone() {
    let mut proc = Proc::open().unwrap();
    let mut process = Process::sleep();
    let pid = process.pid();
    let start = read(&mut proc, pid, None).unwrap().start_ticks;
    process.kill_only(&mut proc);
    assert_eq!(read(&mut proc, pid, None), Err(ReadError::Gone));
    assert_eq!(read(&mut proc, pid, Some(start)), Err(ReadError::Gone));
    process.end();
    assert_eq!(read(&mut proc, pid, None), Err(ReadError::Gone));
}

#[test]
fn another_process_with_the_pid_is_gone() {
    let mut proc = Proc::open().unwrap();
    let process = Process::sleep();
    let start = read(&mut proc, process.pid(), None).unwrap().start_ticks;
    let other = read(&mut proc, process.pid(), Some(start + 1));
    assert_eq!(other, Err(ReadError::Gone));
}

#[test]
fn what_cannot_be_read_is_none_and_all_else_is_there() {
    let root = fake_root();
    let dir = root.path().join("7");
    fs::create_dir(&dir).unwrap();
    let stat = "7 (a) S 1 7 7 0 -1 0 5 0 6 0 100 200 0 0 20 0 1 0 50 8192 1";
    fs::write(dir.join("stat"), stat).unwrap();
    fs::write(dir.join("statm"), "2 1 0 0 0 0 0").unwrap();
    fs::write(dir.join("schedstat"), "0 0 0\n").unwrap();
    let mut proc = Proc::open_at(root.path()).unwrap();
    let reading = read(&mut proc, 7, Some(50)).unwrap();
    let scale = Scale::of_kernel();
    assert_eq!(
        *reading,
        Reading {
            pid: 7,
            start_ticks: 50,
            comm: Comm::new(b"a"),
            state: b'S',
            ppid: 1,
            cpu_user_ns: scale.ticks_to_ns(100),
            cpu_system_ns: scale.ticks_to_ns(200),
            rss_bytes: scale.pages_to_bytes(1),
            vms_bytes: scale.pages_to_bytes(2),
            read_bytes: None,
            write_bytes: None,
            rchar: None,
            wchar: None,
            voluntary: None,
            involuntary: None,
            minor_faults: 5,
            major_faults: 6,
            threads: 1,
            fds: None,
            runqueue_ns: None,
        }
    );
    assert!(proc.counts().gone >= 3);
}

#[test]
fn another_users_process_without_the_rights() {
    if rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: another user's process without the rights: root has them all");
        return;
    }
    let mut proc = Proc::open().unwrap();
    let reading = read(&mut proc, 1, None).unwrap();
    assert_eq!((reading.read_bytes, reading.rchar), (None, None));
    assert!(reading.rss_bytes > 0 && reading.voluntary.is_some());
    assert!(proc.counts().denied >= 1);
}

#[test]
fn the_figures_are_the_same_kept_or_not() {
    let mut open = Proc::open().unwrap();
    let mut full = Proc::open().unwrap();
    full.no_places();
    let mut collector = Collector::new();
    let mut process =
        Process::shell("printf ready > /proc/self/comm; while read x; do printf y; done");
    let pid = process.pid();
    until(|| *open.comm(pid).unwrap() == *b"ready");
    let mut kept = Watched::new(pid, None);
    let mut not = Watched::new(pid, None);
    for round in 0..5 {
        process.line();
        // The shell has read the line, and waits for the next.
        until(|| open.io(pid).unwrap().wchar >= 6 + round);
        until(|| open.stat(pid).unwrap().state == b'S');
        until(|| {
            let one = collector.read(&mut open, &mut kept).unwrap();
            one == collector.read(&mut full, &mut not).unwrap()
        });
        assert!(not.kept.is_none());
    }
    assert!(kept.kept.is_some());
    process.end();
    for (proc, watched) in [(&mut open, &mut kept), (&mut full, &mut not)] {
        assert_eq!(collector.read(proc, watched), Err(ReadError::Gone));
        assert!(watched.kept.is_none());
    }
}

#[test]
fn a_thread_that_has_not_run_costs_one_file() {
    const SLEEPERS: u64 = 16;
    let mut proc = Proc::open().unwrap();
    let mut collector = Collector::new();
    let mut watched = Watched::new(std::process::id(), None);
    let wake: Vec<mpsc::SyncSender<()>> = (0..SLEEPERS)
        .map(|_| {
            let (wake, woken) = mpsc::sync_channel::<()>(0);
            std::thread::spawn(move || while woken.recv().is_ok() {});
            wake
        })
        .collect();
    let mut look = |proc: &mut Proc| {
        let before = proc.counts().reads;
        let reading = collector.read(proc, &mut watched).unwrap();
        (reading, proc.counts().reads - before)
    };
    look(&mut proc);
    // Other tests may run in other threads.
    until(|| {
        let (reading, reads) = look(&mut proc);
        reads <= 5 + 2 * reading.threads - SLEEPERS
    });
    // Each is waited for by the next: it has slept again when that returns.
    let (before, _) = look(&mut proc);
    for _ in 0..3 {
        for wake in &wake {
            wake.send(()).unwrap();
        }
    }
    until(|| {
        let (reading, _) = look(&mut proc);
        reading.voluntary.unwrap() >= before.voluntary.unwrap() + 2 * SLEEPERS
    });
    // What is remembered is what the kernel says.
    until(|| {
        let (reading, _) = look(&mut proc);
        let mut fresh = Watched::new(std::process::id(), None);
        let again = Collector::new().read(&mut proc, &mut fresh).unwrap();
        let (was, is) = (reading.voluntary.unwrap(), again.voluntary.unwrap());
        was <= is && is <= was + 3 && reading.threads == again.threads
    });
}
