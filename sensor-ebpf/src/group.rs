//! Processes with more than one thread: their threads counted, the figures of
//! dead threads summed, exactly, whatever the order in which threads end.
//!
//! The kernel sums released threads up in `signal_struct`, but a thread is
//! released some time after its exit hook, and run-queue wait is not summed at
//! all. So the first birth or death of a thread makes an entry, which starts
//! with the totals of `signal_struct`; each dying thread adds its own figures;
//! the last thread takes the entry away and reports it.
//!
//! The last thread may overtake others that are dying: `signal->live` falls
//! before the hook runs. Nobody waits for anybody in a hook, so:
//!
//! - a thread that sees `live` at 0 sends its figures by itself, as a late
//!   record;
//! - a thread that sees `live` above 0 adds to the entry between two counters,
//!   `entered` and `done`. Where the last thread finds them unequal, it leaves
//!   the entry alone, and who makes them equal sends it, as a late record;
//! - whoever deletes the entry has it: that happens once.

use core::{arch::asm, cell::UnsafeCell};

use aya_ebpf::bindings::BPF_NOEXIST;
use sensor_common::{
    event::{Figures, Header, Late},
    kind,
};

use crate::{
    emit,
    maps::{CLAIM, GROUP},
    task::{Signal, Task},
};

/// One process that has, or had, more than one thread.
#[repr(C)]
pub struct Group {
    /// `start_boottime` of the leader: tells a reused thread group id.
    start: u64,
    /// Threads born since the entry was made, and those there were.
    threads: Counter,
    /// Threads whose exit hook has not run.
    alive: Counter,
    /// Dying threads that began to add their figures.
    entered: Counter,
    /// Dying threads that have added their figures.
    done: Counter,
    figures: Figures,
}

/// A number that several CPUs change at once. The target has no atomic types
/// in `core`, the kernel has the instruction; on x86 it is a full barrier.
#[repr(transparent)]
struct Counter(UnsafeCell<u64>);

// SAFETY: it is read whole and changed by atomic instructions only.
unsafe impl Sync for Counter {}

impl Counter {
    const fn new(value: u64) -> Self {
        Self(UnsafeCell::new(value))
    }

    #[inline(always)]
    fn get(&self) -> u64 {
        // SAFETY: the pointer is valid; 8 aligned bytes are read at once.
        unsafe { self.0.get().read_volatile() }
    }

    #[inline(always)]
    fn add(&self, value: u64) {
        // SAFETY: the pointer is valid and the instruction atomic.
        unsafe {
            asm!("lock *(u64 *)({at} + 0) += {value}", at = in(reg) self.0.get(), value = in(reg) value);
        }
    }
}

/// What the end of a thread means.
pub enum Ending {
    /// Others go on, or have reported the end of the process.
    Thread,
    /// The process ended; the figures are now those of all threads but the
    /// pending ones.
    Process {
        /// Threads over the whole life; 0 where unknown.
        threads: u32,
        /// Threads whose figures come late.
        pending: u32,
    },
}

/// Counts a new thread.
#[inline(always)]
pub fn thread_born(thread: Task) {
    let leader = thread.leader();
    let pid = leader.pid();
    let start = leader.start();
    if let Some(group) = find(pid, start) {
        group.threads.add(1);
        group.alive.add(1);
        return;
    }
    if make(pid, start, thread.signal(), leader).is_none() {
        emit::count(|lost| &mut lost.group);
    }
}

/// Sums up a dying thread. `group_dead` is the kernel's word on whether it is
/// the last one, where the kernel gives it.
#[inline(always)]
pub fn thread_died(task: Task, group_dead: Option<bool>, figures: &mut Figures) -> Ending {
    let leader = task.leader();
    let signal = task.signal();
    let pid = task.pid();
    let start = leader.start();
    let threads = signal.threads();
    let entry = find(pid, start);
    let last = match group_dead {
        Some(dead) => dead,
        None => {
            signal.live() == 0 && {
                let released = signal.figures();
                let alone = threads == 1 && entry.is_none() && released.cpu == 0;
                // Two last threads may both see 0: one of them wins.
                alone || CLAIM.insert(&pid, &start, u64::from(BPF_NOEXIST)).is_ok()
            }
        }
    };
    if last {
        return last_died(task, entry, figures);
    }
    if signal.live() == 0 {
        send_late(pid, start, 1, figures);
        return Ending::Thread;
    }
    let entry = match entry {
        Some(entry) => entry,
        None => match make(pid, start, signal, leader) {
            Some(entry) => entry,
            None => {
                // `signal_struct` will have this thread but for its run-queue
                // wait when the last one ends.
                emit::count(|lost| &mut lost.group);
                return Ending::Thread;
            }
        },
    };
    entry.entered.add(1);
    add_shared(&entry.figures, figures);
    entry.alive.add(u64::MAX);
    entry.done.add(1);
    if signal.live() == 0 && entry.entered.get() == entry.done.get() {
        // The last thread may have left the entry to us.
        let (done, sum) = (entry.done.get(), entry.figures);
        if GROUP.remove(&pid).is_ok() {
            send_late(pid, start, done as u32, &sum);
        }
    }
    Ending::Thread
}

#[inline(always)]
fn last_died(task: Task, entry: Option<&Group>, figures: &mut Figures) -> Ending {
    let pid = task.pid();
    let signal = task.signal();
    let Some(entry) = entry else {
        let released = signal.figures();
        let threads = signal.threads();
        let alone = threads == 1 && released.cpu == 0;
        add(figures, &released);
        return Ending::Process {
            threads: u32::from(alone),
            pending: threads.saturating_sub(1 + ended_leader(task)),
        };
    };
    let threads = entry.threads.get() as u32;
    let (entered, done) = (entry.entered.get(), entry.done.get());
    let alive = entry.alive.get().saturating_sub(1) as u32;
    let sum = entry.figures;
    if entered == done && GROUP.remove(&pid).is_ok() {
        add(figures, &sum);
        Ending::Process {
            threads,
            pending: alive,
        }
    } else {
        Ending::Process {
            threads,
            pending: alive + done as u32,
        }
    }
}

/// What the dead threads of a process used, run-queue wait included where it
/// was summed here.
#[inline(always)]
pub fn dead_threads(pid: u32, start: u64, signal: Signal) -> Figures {
    let released = signal.figures();
    if released.cpu == 0 {
        return released;
    }
    match find(pid, start) {
        Some(group) => group.figures,
        None => released,
    }
}

/// 1 where the leader ended before anybody looked, and is not the last thread.
#[inline(always)]
fn ended_leader(task: Task) -> u32 {
    let leader = task.leader();
    u32::from(task.tid() != task.pid() && leader.has_exited())
}

#[inline(always)]
fn find(pid: u32, start: u64) -> Option<&'static Group> {
    let group = GROUP.get_ptr(&pid)?;
    // SAFETY: an element of a hash map that is never freed while the map
    // lives; its fields are integers.
    let group = unsafe { &*group };
    (group.start == start).then_some(group)
}

/// Makes the entry of a process at the first birth or death of a thread, with
/// the figures of the threads that are gone already.
#[inline(always)]
fn make(pid: u32, start: u64, signal: Signal, leader: Task) -> Option<&'static Group> {
    let mut figures = signal.figures();
    let threads = signal.threads();
    let mut alive = threads;
    if leader.has_exited() {
        // A leader that ended before anybody looked is not in `signal_struct`
        // until the whole process is released.
        add(&mut figures, &leader.figures(false));
        alive = alive.saturating_sub(1);
    }
    let group = Group {
        start,
        threads: Counter::new(u64::from(threads)),
        alive: Counter::new(u64::from(alive)),
        entered: Counter::new(0),
        done: Counter::new(0),
        figures,
    };
    let flags = match GROUP.get_ptr(&pid) {
        // A leftover of a process whose end was not seen.
        Some(_) => 0,
        None => u64::from(BPF_NOEXIST),
    };
    // Fails where another thread was faster: then its entry serves.
    let _ = GROUP.insert(&pid, &group, flags);
    find(pid, start)
}

#[inline(always)]
fn send_late(pid: u32, start: u64, threads: u32, figures: &Figures) {
    let time = emit::now();
    let record = Late {
        header: Header {
            kind: kind::LATE,
            pid,
            time,
            start,
        },
        threads,
        padding: 0,
        figures: *figures,
    };
    emit::record(&record, time, |lost| &mut lost.late);
}

/// Adds `more` to `sum`.
#[inline(always)]
pub fn add(sum: &mut Figures, more: &Figures) {
    sum.cpu += more.cpu;
    sum.user += more.user;
    sum.system += more.system;
    sum.runqueue += more.runqueue;
    sum.voluntary += more.voluntary;
    sum.involuntary += more.involuntary;
    sum.minor += more.minor;
    sum.major += more.major;
    sum.read_bytes += more.read_bytes;
    sum.write_bytes += more.write_bytes;
    sum.rchar += more.rchar;
    sum.wchar += more.wchar;
}

/// Adds `more` to a sum that other CPUs add to as well.
#[inline(always)]
fn add_shared(sum: &Figures, more: &Figures) {
    let sum = (&raw const *sum).cast::<Counter>();
    let more = (&raw const *more).cast::<u64>();
    for index in 0..size_of::<Figures>() / 8 {
        // SAFETY: `Figures` is 12 aligned integers of 8 bytes, and the map's
        // element is changed by atomic additions only.
        unsafe { (*sum.add(index)).add(*more.add(index)) };
    }
}
