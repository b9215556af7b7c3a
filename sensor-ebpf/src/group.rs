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
//! - a dying thread first says that it has `entered` the entry, then looks at
//!   `live`: above 0 it adds its figures, at 0 it sends them by itself, as a
//!   late record. Then it is `done`;
//! - the last thread takes the entry where all who entered are done: whoever
//!   enters later sees `live` at 0. Otherwise it leaves the entry, and says so:
//!   who makes the two numbers equal takes it, and sends it as a late record;
//! - whoever deletes the entry has it: that happens once;
//! - the last thread claims the process, so that a thread which comes when the
//!   entry is gone does not make another one.

use aya_ebpf::bindings::{BPF_EXIST, BPF_NOEXIST};
use sensor_common::{
    event::{Figures, Header, Late},
    kind,
};

use crate::{
    clock,
    counter::Counter,
    emit,
    maps::{CLAIM, GROUP, GROUP_MARK, SCRATCH},
    mark,
    signal::Signal,
    task::Task,
    zero,
};

/// `-EEXIST`.
const EXISTS: i32 = -17;

/// One process that has, or had, more than one thread.
#[repr(C)]
pub struct Group {
    /// `start_boottime` of the leader: tells a reused thread group id.
    start: u64,
    /// 1 where the leader had ended when the entry was made.
    ended_leader: u64,
    /// Threads that pass the exit hook after the entry was made.
    born: Counter,
    /// Dying threads that began.
    entered: Counter,
    /// Those of them that are through.
    done: Counter,
    /// Those of them whose figures are in the sum.
    added: Counter,
    /// 1 where the last thread has left the entry to others.
    left: Counter,
    figures: Figures,
}

/// Room that the stack does not have.
#[repr(C)]
pub struct Scratch {
    /// Figures of the dying thread; at the end, of the whole process.
    pub own: Figures,
    /// Figures of threads that are gone.
    gone: Figures,
    /// The same from another source.
    other: Figures,
    /// A new entry.
    group: Group,
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
        group.born.add(1);
        return;
    }
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: an element of a per-CPU map belongs to this CPU, and hooks do
    // not interrupt each other.
    let scratch = unsafe { &mut *scratch };
    if make(pid, start, thread.signal(), leader, scratch).is_none() {
        emit::count(|lost| &mut lost.group);
    }
}

/// Sums up a dying thread. `group_dead` is the kernel's word on whether it is
/// the last one, where the kernel gives it.
#[inline(always)]
pub fn thread_died(task: Task, group_dead: Option<bool>, scratch: &mut Scratch) -> Ending {
    let leader = task.leader();
    let signal = task.signal();
    let pid = task.pid();
    let start = leader.start();
    // Before the look for an entry: without one, no thread has died in sight,
    // so nobody is in these sums who reports by himself.
    // `threads` first: the kernel lowers it after it has summed the thread up.
    let single = signal.threads() == 1 && signal.released_cpu() == 0;
    if !single {
        clear(&mut scratch.gone);
        signal.add_to(&mut scratch.gone);
    }
    let entry = find(pid, start);
    let alone = single && entry.is_none();
    let last = match group_dead {
        Some(dead) => {
            if dead && !alone {
                claim(pid, start);
            }
            dead
        }
        // Two last threads may both see 0: one of them wins the claim.
        None => signal.live() == 0 && (alone || claim(pid, start)),
    };
    if last {
        return last_died(task, entry, alone, scratch);
    }
    let entry = match entry {
        Some(entry) => entry,
        None if is_claimed(pid, start) => {
            send_late(pid, start, 1, &scratch.own);
            return Ending::Thread;
        }
        None => match make(pid, start, signal, leader, scratch) {
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
    if signal.live() == 0 {
        send_late(pid, start, 1, &scratch.own);
    } else {
        add_shared(&entry.figures, &scratch.own);
        entry.added.add(1);
    }
    entry.done.add(1);
    if entry.left.get() != 0
        && let Some(added) = take(pid, entry, &mut scratch.gone)
    {
        // One more than the threads in it: see `last_died`.
        send_late(pid, start, added + 1, &scratch.gone);
    }
    Ending::Thread
}

#[inline(always)]
fn last_died(task: Task, entry: Option<&Group>, alone: bool, scratch: &mut Scratch) -> Ending {
    if alone {
        let (threads, pending) = (1, 0);
        return Ending::Process { threads, pending };
    }
    let pid = task.pid();
    let Some(entry) = entry else {
        add(&mut scratch.own, &scratch.gone);
        let others = task.signal().threads().saturating_sub(1);
        return Ending::Process {
            threads: 0,
            pending: others.saturating_sub(ended_leader(task)),
        };
    };
    let born = entry.born.get() as u32;
    let threads = born + entry.ended_leader as u32;
    let mut taken = take(pid, entry, &mut scratch.gone);
    if taken.is_none() {
        entry.left.add(1);
        // They may have become equal before anybody saw that.
        taken = take(pid, entry, &mut scratch.gone);
    }
    let Some(added) = taken else {
        // All others, and one for the sum of those who were there before.
        return Ending::Process {
            threads,
            pending: born,
        };
    };
    let pending = born.saturating_sub(1 + added);
    if pending == 0 {
        // What dead threads used after their hook is in `signal_struct`, once
        // they are released: both sums are too low if anything, so the larger
        // one is nearer.
        clear(&mut scratch.other);
        task.signal().add_to(&mut scratch.other);
        if task.tid() != pid {
            task.leader().add_to(&mut scratch.other, None);
        }
        raise(&mut scratch.gone, &scratch.other);
    }
    add(&mut scratch.own, &scratch.gone);
    Ending::Process { threads, pending }
}

/// Takes the sum away, unless somebody is still adding to it or was faster.
/// Returns how many threads are in it.
#[inline(always)]
fn take(pid: u32, entry: &Group, sum: &mut Figures) -> Option<u32> {
    if entry.entered.get() != entry.done.get() {
        return None;
    }
    clear(sum);
    add(sum, &entry.figures);
    let added = entry.added.get() as u32;
    if GROUP.remove(&pid).is_err() {
        return None;
    }
    if let Some(mark) = mark::of(&GROUP_MARK, pid) {
        mark.sub_one();
    }
    Some(added)
}

/// Claims the end of a process; fails where another thread has. A map that is
/// full of trouble is no reason to lose an exit.
#[inline(always)]
fn claim(pid: u32, start: u64) -> bool {
    let claimed = CLAIM.insert(&[u64::from(pid), start], &1, u64::from(BPF_NOEXIST));
    claimed != Err(EXISTS)
}

#[inline(always)]
fn is_claimed(pid: u32, start: u64) -> bool {
    CLAIM.get_ptr(&[u64::from(pid), start]).is_some()
}

/// Adds what the dead threads of a process used, run-queue wait included where
/// it was summed here.
#[inline(always)]
pub fn add_dead_threads(pid: u32, start: u64, signal: Signal, sum: &mut Figures) {
    if signal.released_cpu() == 0 {
        return;
    }
    match find(pid, start) {
        Some(group) => add(sum, &group.figures),
        None => signal.add_to(sum),
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
    if !mark::is_set(&GROUP_MARK, pid) {
        return None;
    }
    let group = GROUP.get_ptr(&pid)?;
    // SAFETY: an element of a hash map that is never freed while the map
    // lives; its fields are integers.
    let group = unsafe { &*group };
    (group.start == start).then_some(group)
}

/// Makes the entry of a process at the first birth or death of a thread, with
/// the figures of the threads that are gone already.
#[inline(always)]
fn make(
    pid: u32,
    start: u64,
    signal: Signal,
    leader: Task,
    scratch: &mut Scratch,
) -> Option<&'static Group> {
    let group = &mut scratch.group;
    clear(&mut group.figures);
    signal.add_to(&mut group.figures);
    let mut born = u64::from(signal.threads());
    group.ended_leader = 0;
    if leader.has_exited() {
        // A leader that ended before anybody looked is not in `signal_struct`
        // until the whole process is released.
        leader.add_to(&mut group.figures, None);
        born = born.saturating_sub(1);
        group.ended_leader = 1;
    }
    group.start = start;
    group.born.set(born);
    group.entered.set(0);
    group.done.set(0);
    group.added.set(0);
    group.left.set(0);
    let mark = mark::of(&GROUP_MARK, pid)?;
    // Before the entry, so that it is never there without.
    mark.add(1);
    if GROUP.insert(&pid, &*group, u64::from(BPF_NOEXIST)).is_err() {
        mark.sub_one();
        // Another thread was faster, then its entry serves; or it is a leftover
        // of a process whose end was not seen, which has its mark already.
        if find(pid, start).is_none() {
            let _ = GROUP.insert(&pid, &*group, u64::from(BPF_EXIST));
        }
    }
    find(pid, start)
}

#[inline(always)]
fn send_late(pid: u32, start: u64, threads: u32, figures: &Figures) {
    let time = clock::now();
    emit::record(
        time,
        |lost| &mut lost.late,
        |record: &mut Late| {
            record.header = Header {
                kind: kind::LATE,
                pid,
                time,
                start,
            };
            record.threads = threads;
            record.padding = 0;
            record.figures = *figures;
        },
    );
}

/// Nothing used.
#[inline(always)]
fn clear(sum: &mut Figures) {
    // SAFETY: integers only.
    unsafe { zero::fill(sum) };
}

/// Figure by figure, in memory.
#[inline(always)]
fn each(sum: &mut Figures, more: &Figures, join: impl Fn(u64, u64) -> u64) {
    let sum = (&raw mut *sum).cast::<u64>();
    let more = (&raw const *more).cast::<u64>();
    for index in 0..size_of::<Figures>() / 8 {
        // SAFETY: `Figures` is 12 aligned integers of 8 bytes.
        unsafe {
            let (sum, more) = (sum.add(index), more.add(index).read_volatile());
            sum.write_volatile(join(sum.read_volatile(), more));
        }
    }
}

/// Adds `more` to `sum`.
#[inline(always)]
fn add(sum: &mut Figures, more: &Figures) {
    each(sum, more, |sum, more| sum + more);
}

/// Makes `sum` at least `other`.
#[inline(always)]
fn raise(sum: &mut Figures, other: &Figures) {
    each(
        sum,
        other,
        |sum, other| if sum < other { other } else { sum },
    );
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
