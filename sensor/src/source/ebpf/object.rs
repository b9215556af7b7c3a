//! The compiled kernel programs, and what is taken out of them.

use std::os::fd::AsFd;

use aya::{
    Btf, Ebpf,
    maps::{Map, MapError},
    programs::{BtfTracePoint, ProgramError, links::FdLink},
};
use rustix::mm::ProtFlags;
use sensor_common::field::{self, ABSENT, Field};

use super::EbpfError;
use crate::source::{
    hook::{self, Hook},
    ring::{Mapping, Ring},
    scheduler, tap,
};

/// The compiled kernel programs; `cargo xtask ebpf` makes them.
pub(super) static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../sensor-ebpf/prebuilt/sensor.bpf.o"
));

pub(super) fn failed(hook: Hook) -> impl Fn(ProgramError) -> EbpfError {
    move |source| EbpfError::Program {
        name: hook.name,
        source: Box::new(source),
    }
}

pub(super) fn program(programs: &mut Ebpf, hook: Hook) -> Result<&mut BtfTracePoint, EbpfError> {
    let program = programs.program_mut(hook.name);
    program
        .ok_or(ProgramError::NotLoaded)
        .and_then(|program| program.try_into())
        .map_err(failed(hook))
}

pub(super) fn attach(programs: &mut Ebpf, hook: Hook, btf: &Btf) -> Result<FdLink, EbpfError> {
    let failed = failed(hook);
    let program = program(programs, hook)?;
    program.load(hook.tracepoint, btf).map_err(&failed)?;
    let link = program.attach().map_err(&failed)?;
    program.take_link(link).map_err(&failed).map(FdLink::from)
}

/// Loads a hook that is attached when somebody wants it.
pub(super) fn load_only(
    programs: &mut Ebpf,
    hook: Hook,
    offsets: &[u32; field::COUNT],
    btf: &Btf,
) -> Result<(), EbpfError> {
    let has = |field: &Field| offsets[*field] != ABSENT;
    let required: &[Field] = match hook {
        hook::SCHED => &scheduler::REQUIRED,
        _ => &tap::REQUIRED,
    };
    let mut missing = required.iter().find(|&field| !has(field));
    if hook == hook::TAP && !tap::ARGUMENTS.iter().any(has) {
        missing = tap::ARGUMENTS.first();
    }
    if let Some(&missing) = missing {
        return Err(EbpfError::Field(field::FIELDS[missing].path));
    }
    let program = program(programs, hook)?;
    program.load(hook.tracepoint, btf).map_err(failed(hook))
}

/// The map stays with the programs: they are loaded with its descriptor.
pub(super) fn open_ring(programs: &Ebpf, size: u32) -> Result<Ring, EbpfError> {
    match programs.map("RING") {
        Some(Map::RingBuf(map)) => Ring::new(map.fd().as_fd(), size).map_err(EbpfError::Ring),
        _ => Err(EbpfError::Ring(std::io::ErrorKind::NotFound.into())),
    }
}

pub(super) fn map_awake(programs: &Ebpf) -> Result<Mapping, EbpfError> {
    let Some(Map::Array(map)) = programs.map("AWAKE") else {
        return Err(EbpfError::Ring(std::io::ErrorKind::NotFound.into()));
    };
    let both = ProtFlags::READ | ProtFlags::WRITE;
    Mapping::new(map.fd(), 0, rustix::param::page_size(), both).map_err(EbpfError::Ring)
}

pub(super) fn take<T>(
    programs: &mut Ebpf,
    name: &'static str,
    open: impl FnOnce(Map) -> Result<T, MapError>,
) -> Result<T, EbpfError> {
    programs
        .take_map(name)
        .ok_or(MapError::InvalidName { name: name.into() })
        .and_then(open)
        .map_err(EbpfError::map(name))
}
