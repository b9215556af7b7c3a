//! Processes under the scheduler hook: who they are, and what is counted of
//! them.
//!
//! The daemon puts in who a plugin watches; their children come in here, in
//! the hook on fork, before they run for the first time. Everybody is taken
//! out in the hook on exit.

use aya_ebpf::bindings::{BPF_EXIST, BPF_NOEXIST};
use sensor_common::scheduler::{BUCKETS, Counts, Departure, Distribution, Turn, Watched, bucket};

use crate::{
    counter::Counter,
    emit,
    maps::{COUNTS, DEPARTURE, MARK, WATCHED},
    mark,
    task::Task,
};

/// How a number of this CPU's slots is added to.
type Add = fn(*mut u64, u64);

/// Before its first departure.
const UNBORN: Departure = Departure {
    start: 0,
    arrivals: 0,
    delay: 0,
    cpu: 0,
    preemptions: 0,
};

/// Whether a process may be one of them. Nearly everybody who is not is told
/// apart here, by one load.
#[inline(always)]
pub fn is_marked(pid: u32) -> bool {
    mark::is_set(&MARK, pid)
}

/// A thread leaves its CPU.
#[inline(always)]
pub fn departs(task: Task, pid: u32) {
    let Some(slot) = slot_of(task, pid) else {
        return;
    };
    let now = departure(task, task.cpu_time());
    let tid = task.tid();
    let known = DEPARTURE.get_ptr_mut(&tid);
    if let Some(before) = before(known, &now) {
        // Interrupts are off, so nobody else writes this CPU's numbers.
        // SAFETY: numbers of a map element.
        count(slot, now.since(&before), |sum, more| unsafe {
            *sum += more
        });
    }
    if task.has_exited() {
        let _ = DEPARTURE.remove(&tid);
    } else if let Some(known) = known {
        // SAFETY: as in `before`.
        unsafe { *known = now };
    } else {
        let _ = DEPARTURE.insert(&tid, &now, 0);
    }
}

/// A child has what its parent has, from its first switch on.
#[inline(always)]
pub fn inherit(parent: Task, child: Task) {
    let pid = parent.pid();
    if !is_marked(pid) {
        return;
    }
    let Some(slot) = slot_of(parent, pid) else {
        return;
    };
    let watched = Watched {
        start: child.start(),
        tolerance: 0,
        slot,
    };
    let pid = child.pid();
    let Some(mark) = mark::of(&MARK, pid) else {
        return;
    };
    // Before the entry, so that it is never there without.
    mark.add(1);
    if WATCHED
        .insert(&pid, &watched, u64::from(BPF_NOEXIST))
        .is_ok()
    {
        return;
    }
    mark.sub_one();
    // A leftover of somebody whose end was not seen has its mark already.
    if WATCHED
        .insert(&pid, &watched, u64::from(BPF_EXIST))
        .is_err()
    {
        emit::count(|lost| &mut lost.scheduler);
    }
}

/// The last thread of a process ends. Its last departure is taken to be now:
/// all other figures of the process end here, too, and of a process that never
/// left its CPU there would be none.
#[inline(always)]
pub fn ends(task: Task, time: u64) {
    let pid = task.pid();
    if !is_marked(pid) {
        return;
    }
    let tid = task.tid();
    if let Some(slot) = slot_of(task, pid) {
        let now = departure(task, task.cpu_time_now(time));
        if let Some(before) = before(DEPARTURE.get_ptr_mut(&tid), &now) {
            count(slot, now.since(&before), add);
        }
    }
    let _ = DEPARTURE.remove(&tid);
    if WATCHED.remove(&pid).is_ok()
        && let Some(mark) = mark::of(&MARK, pid)
    {
        mark.sub_one();
    }
}

/// What the turn of a thread is counted from; `None` where that is unknown,
/// because it began before somebody wanted to know.
#[inline(always)]
fn before(known: Option<*mut Departure>, now: &Departure) -> Option<Departure> {
    if let Some(known) = known {
        // SAFETY: a map element, integers only. Where it has gone to another
        // thread meanwhile, the start tells.
        let known = unsafe { *known };
        if known.start == now.start {
            return Some(known);
        }
    }
    now.is_first().then_some(UNBORN)
}

/// A switch may come between reading and writing here.
#[inline(always)]
fn add(sum: *mut u64, more: u64) {
    // SAFETY: a number of a map element; `Counter` has the layout of it.
    unsafe { (*sum.cast::<Counter>()).add(more) };
}

#[inline(always)]
fn slot_of(task: Task, pid: u32) -> Option<u32> {
    let watched = WATCHED.get_ptr(&pid)?;
    // SAFETY: an element of a hash map that is never freed while the map
    // lives; its fields are integers.
    let watched = unsafe { &*watched };
    watched.is(task.leader().start()).then_some(watched.slot)
}

#[inline(always)]
fn departure(task: Task, cpu: u64) -> Departure {
    Departure {
        start: task.start(),
        arrivals: task.arrivals(),
        delay: task.delay(),
        cpu,
        preemptions: task.preemptions(),
    }
}

#[inline(always)]
fn count(slot: u32, turn: Turn, add: Add) {
    let Some(counts) = COUNTS.get_ptr_mut(slot) else {
        return;
    };
    // SAFETY: an element of a per-CPU map belongs to this CPU.
    let Counts {
        latency,
        burst,
        preemptions,
    } = unsafe { &mut *counts };
    if turn.waits == 1 {
        record(latency, turn.waited, 1, turn.waited, add);
    } else if turn.waits > 1 {
        record(
            latency,
            turn.waited / turn.waits,
            turn.waits,
            turn.waited,
            add,
        );
    }
    record(burst, turn.ran, 1, turn.ran, add);
    if turn.preemptions != 0 {
        add(preemptions, turn.preemptions);
    }
}

#[inline(always)]
fn record(to: &mut Distribution, each: u64, times: u64, sum: u64, add: Add) {
    let at = bucket(each);
    // SAFETY: the reference is valid. Volatile for the verifier's sake: what
    // it knows of the value begins here.
    let at = unsafe { (&raw const at).read_volatile() };
    if at < BUCKETS {
        add(&raw mut to.counts[at], times);
    }
    add(&raw mut to.sum, sum);
}
