//! Loads and attaches the kernel programs, and reads the ring.

use std::{
    mem::offset_of,
    os::fd::{AsFd, BorrowedFd},
    sync::atomic::Ordering,
    time::Duration,
};

use aya::{
    Btf as AyaBtf, Ebpf, EbpfLoader, Endianness,
    maps::{Map, MapData, PerCpuArray},
    programs::BtfTracePoint,
};
use rustix::mm::ProtFlags;
use sensor_common::{
    awake::Awake,
    field::{self, ABSENT, Field},
    limits::{LOOK_EVERY_NS, RING_BYTES},
    loss::Loss,
};

use super::{
    btf::{self, Btf, BtfError},
    clocksource,
    hook::{self, Hook},
    ring::{Mapping, Ring},
};
use crate::clock;

/// The compiled kernel programs; `cargo xtask ebpf` makes them.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../sensor-ebpf/prebuilt/sensor.bpf.o"
));

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

/// Why there are no kernel events.
#[derive(Debug, thiserror::Error)]
pub enum EbpfError {
    /// Offsets are unknown.
    #[error(transparent)]
    Btf(#[from] BtfError),
    /// aya could not read the same bytes.
    #[error("cannot use {}", btf::KERNEL)]
    AyaBtf(#[from] aya::BtfError),
    /// A field without which nothing works.
    #[error("the kernel has no field {0}")]
    Field(&'static str),
    /// Maps or relocations failed.
    #[error("cannot load the kernel programs")]
    Load(#[from] Box<aya::EbpfError>),
    /// One program was refused.
    #[error("cannot load or attach the hook {name}")]
    Program {
        /// The hook.
        name: &'static str,
        /// The kernel's answer.
        source: Box<aya::programs::ProgramError>,
    },
    /// The ring could not be mapped.
    #[error("cannot map the ring buffer")]
    Ring(#[source] std::io::Error),
    /// A map of the object is not what it should be.
    #[error("cannot open the map {name}")]
    Map {
        /// The map.
        name: &'static str,
        /// What is wrong.
        source: Box<aya::maps::MapError>,
    },
}

impl EbpfError {
    /// Whether the kernel refused for want of privilege.
    #[must_use]
    pub fn is_permission(&self) -> bool {
        let mut cause: Option<&dyn std::error::Error> = Some(self);
        while let Some(error) = cause {
            if let Some(io) = error.downcast_ref::<std::io::Error>()
                && io.kind() == std::io::ErrorKind::PermissionDenied
            {
                return true;
            }
            cause = error.source();
        }
        false
    }
}

/// The attached programs and the ring. Dropping it detaches them.
pub struct Kernel {
    ring: Ring,
    /// Page of [`sensor_common::awake::Awake`].
    awake: Mapping,
    loss: PerCpuArray<MapData, PodLoss>,
    /// What was lost while attaching.
    before: Loss,
    offsets: [u32; field::COUNT],
    ring_bytes: u32,
    /// Hooks that the kernel has not, or refused.
    missed: Vec<&'static str>,
    programs: Option<Ebpf>,
}

/// [`Loss`] as aya wants it.
#[repr(transparent)]
#[derive(Clone, Copy)]
struct PodLoss(Loss);

// SAFETY: `Loss` is `repr(C)`, integers only, without padding.
unsafe impl aya::Pod for PodLoss {}

impl Kernel {
    /// Loads and attaches fork, exec and exit. `ring_bytes` is rounded up to a
    /// power of two and a page (contract E3).
    ///
    /// # Errors
    ///
    /// Where the kernel refuses, or lacks BTF or a field without which
    /// processes cannot be told apart.
    pub fn attach(ring_bytes: u32) -> Result<Self, EbpfError> {
        let bytes = std::fs::read(btf::KERNEL).map_err(BtfError::Read)?;
        let mut offsets = Btf::parse(&bytes)?.offsets();
        for required in REQUIRED {
            if offsets[required] == ABSENT {
                return Err(EbpfError::Field(field::FIELDS[required].path));
            }
        }
        if clocksource::unstable().is_some() {
            // CPU time at exit as it is: right to a tick.
            offsets[field::RQ_CLOCK] = ABSENT;
        }
        let kernel_btf = AyaBtf::parse(&bytes, Endianness::default())?;
        drop(bytes);
        let ring_bytes = ring_size(ring_bytes);
        let mut programs = EbpfLoader::new()
            .btf(Some(&kernel_btf))
            .override_global("OFFSETS", &offsets, true)
            .map_max_entries("RING", ring_bytes)
            .load(OBJECT)
            .map_err(Box::new)?;
        let ring = open_ring(&programs, ring_bytes)?;
        let awake = map_awake(&programs)?;
        let loss = take(&mut programs, "LOSS", PerCpuArray::try_from)?;
        for hook in hook::CORE {
            attach(&mut programs, hook, &kernel_btf)?;
        }
        let mut missed = Vec::new();
        for hook in hook::EXTRA {
            if let Err(error) = attach(&mut programs, hook, &kernel_btf) {
                tracing::debug!("{error}: {} are missed", hook.gives);
                missed.push(hook.name);
            }
        }
        drop(kernel_btf);
        // SAFETY: no arguments that could be wrong. Parsing took tens of
        // megabytes, which the allocator would keep for the rest of the life.
        unsafe { libc::malloc_trim(0) };
        let mut kernel = Self {
            ring,
            awake,
            loss,
            before: Loss::default(),
            offsets,
            ring_bytes,
            missed,
            programs: Some(programs),
        };
        // The story begins now: see `Engine::event`.
        kernel.before = kernel.loss();
        observe_clock();
        Ok(kernel)
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

    /// Says whether somebody wants to know where processes that end badly
    /// wrote.
    pub fn watch_outputs(&self, wanted: bool) {
        let outputs = self.awake.number(offset_of!(Awake, outputs));
        outputs.store(u64::from(wanted), Ordering::SeqCst);
    }

    /// Whether a hook is attached.
    #[must_use]
    pub fn has_hook(&self, hook: Hook) -> bool {
        let known = hook::CORE.contains(&hook) || hook::EXTRA.contains(&hook);
        known && !self.missed.contains(&hook.name)
    }

    /// Takes the programs away; the ring keeps what it has.
    pub fn detach(&mut self) {
        self.programs = None;
    }

    /// The next record, if there is one.
    pub fn read(&mut self) -> Option<&[u8]> {
        self.ring.read()
    }

    /// What the hooks could not hand over so far, all CPUs together. Zero
    /// where the map cannot be read.
    #[must_use]
    pub fn loss(&self) -> Loss {
        let mut sum = Loss::default();
        if let Ok(values) = self.loss.get(&0, 0) {
            for PodLoss(value) in values.iter() {
                sum.fork += value.fork;
                sum.exec += value.exec;
                sum.exit += value.exit;
                sum.late += value.late;
                sum.rename += value.rename;
                sum.output += value.output;
                sum.group += value.group;
            }
        }
        let before = &self.before;
        sum.fork = sum.fork.saturating_sub(before.fork);
        sum.exec = sum.exec.saturating_sub(before.exec);
        sum.exit = sum.exit.saturating_sub(before.exit);
        sum.late = sum.late.saturating_sub(before.late);
        sum.rename = sum.rename.saturating_sub(before.rename);
        sum.output = sum.output.saturating_sub(before.output);
        sum
    }

    /// Size of the ring, bytes.
    #[must_use]
    pub fn ring_bytes(&self) -> u64 {
        u64::from(self.ring_bytes)
    }

    /// Name, runs and run time (ns) of each hook; empty unless the kernel
    /// counts them (`kernel.bpf_stats_enabled`).
    #[must_use]
    pub fn costs(&self) -> Vec<(&'static str, u64, u64)> {
        let Some(programs) = &self.programs else {
            return Vec::new();
        };
        hook::CORE
            .iter()
            .chain(&hook::EXTRA)
            .filter_map(|hook| {
                let info = programs.program(hook.name)?.info().ok()?;
                let (runs, time) = (info.run_count(), info.run_time());
                let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
                (runs > 0).then_some((hook.name, runs, ns))
            })
            .collect()
    }

    /// Whether the running kernel has a field.
    #[must_use]
    pub fn has(&self, field: Field) -> bool {
        self.offsets[field] != ABSENT
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

fn attach(programs: &mut Ebpf, hook: Hook, btf: &AyaBtf) -> Result<(), EbpfError> {
    let failed = |source: aya::programs::ProgramError| EbpfError::Program {
        name: hook.name,
        source: Box::new(source),
    };
    let program: &mut BtfTracePoint = programs
        .program_mut(hook.name)
        .ok_or(aya::programs::ProgramError::NotLoaded)
        .and_then(|program| program.try_into())
        .map_err(failed)?;
    program.load(hook.tracepoint, btf).map_err(failed)?;
    program.attach().map_err(failed)?;
    Ok(())
}

/// The map stays with the programs: they are loaded with its descriptor.
fn open_ring(programs: &Ebpf, size: u32) -> Result<Ring, EbpfError> {
    match programs.map("RING") {
        Some(Map::RingBuf(map)) => Ring::new(map.fd().as_fd(), size).map_err(EbpfError::Ring),
        _ => Err(EbpfError::Ring(std::io::ErrorKind::NotFound.into())),
    }
}

fn map_awake(programs: &Ebpf) -> Result<Mapping, EbpfError> {
    let Some(Map::Array(map)) = programs.map("AWAKE") else {
        return Err(EbpfError::Ring(std::io::ErrorKind::NotFound.into()));
    };
    let both = ProtFlags::READ | ProtFlags::WRITE;
    Mapping::new(map.fd(), 0, rustix::param::page_size(), both).map_err(EbpfError::Ring)
}

fn take<T>(
    programs: &mut Ebpf,
    name: &'static str,
    open: impl FnOnce(aya::maps::Map) -> Result<T, aya::maps::MapError>,
) -> Result<T, EbpfError> {
    programs
        .take_map(name)
        .ok_or(aya::maps::MapError::InvalidName { name: name.into() })
        .and_then(open)
        .map_err(|source| EbpfError::Map {
            name,
            source: Box::new(source),
        })
}

/// A ring is a power of two of at least one page.
fn ring_size(bytes: u32) -> u32 {
    let page = u32::try_from(rustix::param::page_size()).unwrap_or(4096);
    bytes
        .clamp(page, 1 << 30)
        .checked_next_power_of_two()
        .unwrap_or(RING_BYTES)
}
