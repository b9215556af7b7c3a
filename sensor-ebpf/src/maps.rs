//! Everything that the programs share with each other and with the daemon.

use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    macros::map,
    maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf},
};
use sensor_common::{
    awake::Awake,
    clock::SchedulerClock,
    event::Sender,
    field::{ABSENT, COUNT},
    limits::{
        CLAIMS, DEPARTURES, GROUPS, MARKS, RING_BYTES, SENDERS, SLOTS, TAPPED as TAPPED_MOST,
        WATCHED as WATCHED_MOST,
    },
    loss::Loss,
    scheduler::{Counts, Departure, Watched},
};

use crate::{
    counter::Counter,
    group::{Group, Scratch},
    output,
    probes::exec::Buffer,
    tap,
};

/// Offsets of the running kernel, written by the daemon before the load.
#[unsafe(no_mangle)]
pub static OFFSETS: [u32; COUNT] = [ABSENT; COUNT];

/// Numbers of the system calls `write` and `writev`, written by the daemon
/// before the load; they are not the same on every architecture.
#[unsafe(no_mangle)]
pub static CALLS: [u32; 2] = [ABSENT; 2];

/// The one way up to the daemon. One ring, so that order is kept.
#[map]
pub static RING: RingBuf = RingBuf::with_byte_size(RING_BYTES, 0);

/// Whether the consumer has to be woken. Mapped by it, so that it needs no
/// system call to say so.
#[map]
pub static AWAKE: Array<Awake> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// What did not fit into the ring.
#[map]
pub static LOSS: PerCpuArray<Loss> = PerCpuArray::with_max_entries(1, 0);

/// Processes that have, or had, more than one thread, by thread group id.
#[map]
pub static GROUP: HashMap<u32, Group> = HashMap::with_max_entries(GROUPS, 0);

/// How many of these have a thread group id that ends in the same bits.
#[map]
pub static GROUP_MARK: Array<Counter> = Array::with_max_entries(MARKS, 0);

/// Thread group id and start of the processes with several threads whose end
/// somebody reports.
#[map]
pub static CLAIM: LruHashMap<[u64; 2], u8> = LruHashMap::with_max_entries(CLAIMS, 0);

/// Where the figures of an ending process are put together.
#[map]
pub static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

/// Where the exec record is put together; too large for the stack.
#[map]
pub static BUFFER: PerCpuArray<Buffer> = PerCpuArray::with_max_entries(1, 0);

/// The scheduler's clock against CLOCK_MONOTONIC.
#[map]
pub static CLOCK: Array<SchedulerClock> = Array::with_max_entries(1, 0);

/// Processes under the scheduler hook, by thread group id.
#[map]
pub static WATCHED: HashMap<u32, Watched> = HashMap::with_max_entries(WATCHED_MOST, 0);

/// How many of these have a thread group id that ends in the same bits: nobody
/// has to be looked up where there is none. Mapped by the daemon, which counts
/// here too.
#[map]
pub static MARK: Array<Counter> = Array::with_max_entries(MARKS, BPF_F_MMAPABLE);

/// The last departure of their threads, by thread id.
#[map]
pub static DEPARTURE: LruHashMap<u32, Departure> = LruHashMap::with_max_entries(DEPARTURES, 0);

/// What was counted, by slot.
#[map]
pub static COUNTS: PerCpuArray<Counts> = PerCpuArray::with_max_entries(SLOTS, 0);

/// Who sent the last signal that may end a process, by thread group id and
/// start.
#[map]
pub static SENDER: LruHashMap<[u64; 2], Sender> = LruHashMap::with_max_entries(SENDERS, 0);

/// When a process became a victim of the OOM killer, CLOCK_BOOTTIME, ns.
#[map]
pub static VICTIM: LruHashMap<u32, u64> = LruHashMap::with_max_entries(SENDERS, 0);

/// Where the record of an output is put together.
#[map]
pub static OUTPUT: PerCpuArray<output::Buffer> = PerCpuArray::with_max_entries(1, 0);

/// Processes whose writes are tapped, by thread group id.
#[map]
pub static TAPPED: HashMap<u32, Watched> = HashMap::with_max_entries(TAPPED_MOST, 0);

/// Where the record of a tapped write is put together.
#[map]
pub static TAP: PerCpuArray<tap::Buffer> = PerCpuArray::with_max_entries(1, 0);
