//! Loads and attaches the kernel programs, and reads the ring.

mod cost;
mod error;
mod object;
mod pinned;
mod switches;

use std::{
    mem::offset_of,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::atomic::Ordering,
    time::Duration,
};

use aya::{
    Btf as AyaBtf, Ebpf, EbpfLoader, Endianness,
    maps::{MapData, PerCpuArray},
    programs::links::FdLink,
};
use sensor_common::{
    awake::Awake,
    field::{self, ABSENT, Field},
    limits::{LOOK_EVERY_NS, RING_BYTES},
    loss::Loss,
};

pub use self::{
    error::EbpfError,
    pinned::{Mark, Opened, Pinning},
};
use self::{
    object::{OBJECT, attach, load_only, map_awake, open_ring, take},
    pinned::{Older, Pinned},
    switches::OnDemand,
};
use super::{
    btf::Btf,
    clocksource,
    hook::{self, Hook},
    ring::{Mapping, Ring},
    scheduler::Scheduler,
    tap::{self, Tap},
};
use crate::{clock, decode, units::BootNanos};

/// An awake consumer looks at the ring this often.
pub const LOOK_EVERY: Duration = Duration::from_nanos(LOOK_EVERY_NS);
/// What a consumer may be late before a hook wakes it.
const LATE: Duration = Duration::from_millis(10);

/// Fields without which the hooks cannot tell processes apart.
const REQUIRED: [Field; 7] = [
    field::TASK_PID,
    field::TASK_TGID,
    field::TASK_FLAGS,
    field::TASK_START,
    field::TASK_LEADER,
    field::TASK_PARENT,
    field::TASK_SIGNAL,
];

/// The attached programs and the ring. Dropping it detaches them.
pub struct Kernel {
    ring: Ring,
    /// Page of [`sensor_common::awake::Awake`].
    awake: Mapping,
    loss: PerCpuArray<MapData, PodLoss>,
    /// What was lost while attaching.
    before: Loss,
    layout: Layout,
    switches: OnDemand,
    scheduler: Scheduler,
    calls: OnDemand,
    tap: Tap,
    /// What was loaded by this process.
    programs: Option<Ebpf>,
    /// The attached hooks: a hook whose link is closed is gone, unless the
    /// link is pinned.
    links: Links,
    /// While it is open, the kernel counts runs and run time of programs.
    stats: Option<OwnedFd>,
    /// What stays when this process ends.
    pinned: Option<Pinned>,
    /// Rings of hooks that these have replaced, to be read first.
    older: Vec<Older>,
    /// What happened before belongs to an older ring, or to nobody.
    since: BootNanos,
}

type Links = Vec<(Hook, FdLink)>;

/// What decides whether kernel programs that are there can be used.
#[derive(Debug, Clone)]
struct Layout {
    offsets: [u32; field::COUNT],
    ring_bytes: u32,
}

/// [`Loss`] as aya wants it.
#[repr(transparent)]
#[derive(Clone, Copy)]
struct PodLoss(Loss);

// SAFETY: `Loss` is `repr(C)`, integers only, without padding.
unsafe impl aya::Pod for PodLoss {}

impl Kernel {
    /// Loads and attaches fork, exec and exit, and loads what may be wanted
    /// later, when that would take capabilities given up by then. `ring_bytes` is rounded up to a
    /// power of two and a page (contract E3).
    ///
    /// # Errors
    ///
    /// Where the kernel refuses, or lacks BTF or a field without which
    /// processes cannot be told apart.
    pub fn attach(ring_bytes: u32) -> Result<Self, EbpfError> {
        let (layout, btf) = Layout::of_kernel(ring_bytes)?;
        Self::load(layout, btf, |_, links| (links, ())).map(|(kernel, ())| kernel)
    }

    /// Loads and attaches; `keep` may look at all that is there then.
    fn load<T>(
        layout: Layout,
        btf: Vec<u8>,
        keep: impl FnOnce(&mut Ebpf, Links) -> (Links, T),
    ) -> Result<(Self, T), EbpfError> {
        let kernel_btf = AyaBtf::parse(&btf, Endianness::default())?;
        drop(btf);
        let mut loader = EbpfLoader::new();
        Scheduler::size(&mut loader);
        let mut programs = loader
            // Has nothing to relocate by it, and drops the one that it read.
            .btf(None)
            .override_global("OFFSETS", &layout.offsets, true)
            .override_global("CALLS", &tap::calls(), true)
            .map_max_entries("RING", layout.ring_bytes)
            .load(OBJECT)
            .map_err(Box::new)?;
        let ring = open_ring(&programs, layout.ring_bytes)?;
        let awake = map_awake(&programs)?;
        let mut links = Vec::new();
        for hook in hook::CORE {
            links.push((hook, attach(&mut programs, hook, &kernel_btf)?));
        }
        for hook in hook::EXTRA {
            match attach(&mut programs, hook, &kernel_btf) {
                Ok(link) => links.push((hook, link)),
                Err(error) => tracing::debug!("{error}: {} are missed", hook.gives),
            }
        }
        let missing = hook::ON_DEMAND
            .map(|hook| load_only(&mut programs, hook, &layout.offsets, &kernel_btf).err());
        drop(kernel_btf);
        // SAFETY: no arguments that could be wrong. Parsing took tens of
        // megabytes, which the allocator would keep for the rest of the life.
        unsafe { libc::malloc_trim(0) };
        // The story begins now.
        let since = clock::boot();
        let (links, kept) = keep(&mut programs, links);
        let loss = take(&mut programs, "LOSS", PerCpuArray::try_from)?;
        let scheduler = Scheduler::open(|name| take(&mut programs, name, Ok))?;
        let tap = Tap::open(|name| take(&mut programs, name, Ok))?;
        let [no_switches, no_calls] = missing;
        let mut kernel = Self {
            ring,
            awake,
            loss,
            before: Loss::default(),
            layout,
            switches: OnDemand::new(hook::SCHED, no_switches),
            scheduler,
            calls: OnDemand::new(hook::TAP, no_calls),
            tap,
            programs: Some(programs),
            links,
            stats: None,
            pinned: None,
            older: Vec::new(),
            since,
        };
        kernel.before = kernel.loss();
        observe_clock();
        Ok((kernel, kept))
    }

    /// Promises to look at the ring again within [`LOOK_EVERY`], so that no
    /// hook needs to wake the consumer.
    pub fn stay_awake(&self) {
        let ahead = LOOK_EVERY + LATE;
        let ahead = u64::try_from(ahead.as_nanos()).unwrap_or_default();
        let until = clock::boot().0.saturating_add(ahead);
        self.awake
            .number(offset_of!(Awake, until))
            .store(until, Ordering::SeqCst);
    }

    /// Takes the promise back: the next record wakes the consumer. One that a
    /// hook is just putting in may not, so look once more after [`LOOK_EVERY`].
    pub fn go_to_sleep(&self) {
        self.awake
            .number(offset_of!(Awake, until))
            .store(0, Ordering::SeqCst);
    }

    /// Says whether somebody wants to know who takes another name.
    pub fn watch_renames(&self, wanted: bool) {
        let at = offset_of!(Awake, renames);
        let renames = self.awake.number(at);
        renames.store(u64::from(wanted), Ordering::SeqCst);
    }

    /// Attaches the hook on switches, or detaches it.
    ///
    /// # Errors
    ///
    /// Why it cannot be attached.
    pub fn follow_scheduler(&mut self, wanted: bool) -> Result<(), EbpfError> {
        let changed = self.switches.follow(self.programs.as_mut(), wanted)?;
        if changed && !wanted {
            self.scheduler.forget_all();
        }
        Ok(())
    }

    /// Attaches the hook on system calls, or detaches it.
    ///
    /// # Errors
    ///
    /// Why it cannot be attached.
    pub fn follow_tap(&mut self, wanted: bool) -> Result<(), EbpfError> {
        let changed = self.calls.follow(self.programs.as_mut(), wanted)?;
        if changed {
            let taps = self.awake.number(offset_of!(Awake, taps));
            taps.store(u64::from(wanted), Ordering::SeqCst);
            self.tap.forget_all();
        }
        Ok(())
    }

    /// Whose writes the hook on system calls copies.
    pub fn tap(&mut self) -> &mut Tap {
        &mut self.tap
    }

    /// Says whether somebody wants to know where processes that end badly
    /// wrote.
    pub fn watch_outputs(&self, wanted: bool) {
        let outputs = self.awake.number(offset_of!(Awake, outputs));
        outputs.store(u64::from(wanted), Ordering::SeqCst);
    }

    /// Whether a hook is attached.
    #[must_use]
    pub fn has_hook(&self, hook: Hook) -> bool {
        self.links.iter().any(|(known, _)| known.name == hook.name)
    }

    /// Whom the hook on switches counts, and what it has counted.
    pub fn scheduler(&mut self) -> &mut Scheduler {
        &mut self.scheduler
    }

    /// Takes the programs away, unless they are to stay; the ring keeps what
    /// it has.
    pub fn detach(&mut self) {
        if self.pinned.is_none() {
            self.links.clear();
            self.programs = None;
        }
    }

    /// From when on it tells what happened: the hooks had all been attached.
    #[must_use]
    pub fn began(&self) -> BootNanos {
        let older = self.older.iter().map(|older| older.since);
        older.min().unwrap_or(self.since)
    }

    /// The next record, if there is one. What happened while the hooks were
    /// being attached, one after the other, is passed over: half a story.
    pub fn read(&mut self) -> Option<&[u8]> {
        let early = |ring: &Ring, since: BootNanos| {
            let time = ring.record().and_then(decode::time_of);
            time.is_some_and(|time| time < since.0)
        };
        while let Some(older) = self.older.first_mut() {
            while older.ring.advance() {
                // What came later is in the ring after it, too.
                if early(&older.ring, self.since) {
                    return self.older.first()?.ring.record();
                }
            }
            self.older.remove(0);
        }
        while self.ring.advance() {
            if !early(&self.ring, self.since) {
                return self.ring.record();
            }
        }
        None
    }

    /// What the hooks could not hand over so far, all CPUs together. Zero
    /// where the map cannot be read.
    #[must_use]
    pub fn loss(&self) -> Loss {
        let mut sum = self.lost_ever();
        let mut before = self.before;
        for (now, before) in numbers(&mut sum).into_iter().zip(numbers(&mut before)) {
            *now = now.saturating_sub(*before);
        }
        sum
    }

    fn lost_ever(&self) -> Loss {
        let mut sum = Loss::default();
        if let Ok(values) = self.loss.get(&0, 0) {
            for &PodLoss(mut value) in values.iter() {
                for (sum, value) in numbers(&mut sum).into_iter().zip(numbers(&mut value)) {
                    *sum += *value;
                }
            }
        }
        sum
    }

    /// Size of the ring, bytes.
    #[must_use]
    pub fn ring_bytes(&self) -> u64 {
        u64::from(self.layout.ring_bytes)
    }

    /// Whether the running kernel has a field.
    #[must_use]
    pub fn has(&self, field: Field) -> bool {
        self.layout.offsets[field] != ABSENT
    }
}

impl Layout {
    /// That of the running kernel, and what of its BTF loading takes.
    fn of_kernel(ring_bytes: u32) -> Result<(Self, Vec<u8>), EbpfError> {
        let (mut offsets, tracepoints) = {
            let btf = Btf::of_kernel()?;
            (btf.offsets(), btf.only_tracepoints())
        };
        for required in REQUIRED {
            if offsets[required] == ABSENT {
                return Err(EbpfError::Field(field::FIELDS[required].path));
            }
        }
        if clocksource::unstable().is_some() {
            // CPU time at exit as it is: right to a tick.
            offsets[field::RQ_CLOCK] = ABSENT;
        }
        let ring_bytes = ring_size(ring_bytes);
        Ok((
            Self {
                offsets,
                ring_bytes,
            },
            tracepoints,
        ))
    }
}

impl AsFd for Kernel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }
}

/// Lets the kernel programs compare their two clocks (see the hook `clock`).
/// Worth most right after a wait, when the scheduler has just looked at its
/// own clock. Sets a timer that is off to off.
pub fn observe_clock() {
    let off = libc::itimerval {
        it_interval: libc::timeval {
            tv_sec: 0,
            tv_usec: 0,
        },
        it_value: libc::timeval {
            tv_sec: 0,
            tv_usec: 0,
        },
    };
    // SAFETY: both pointers are valid or null. The sensor uses no interval
    // timers, so nothing is switched off.
    unsafe { libc::setitimer(libc::ITIMER_VIRTUAL, &raw const off, std::ptr::null_mut()) };
}

/// A ring is a power of two of at least one page.
fn ring_size(bytes: u32) -> u32 {
    let page = u32::try_from(rustix::param::page_size()).unwrap_or(4096);
    bytes
        .clamp(page, 1 << 30)
        .checked_next_power_of_two()
        .unwrap_or(RING_BYTES)
}

/// Every kind of loss.
fn numbers(loss: &mut Loss) -> [&mut u64; 9] {
    let Loss {
        fork,
        exec,
        exit,
        late,
        rename,
        scheduler,
        output,
        group,
        tap,
    } = loss;
    [
        fork, exec, exit, late, rename, scheduler, output, group, tap,
    ]
}
