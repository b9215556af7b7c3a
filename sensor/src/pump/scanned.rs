//! What a scan has to find out of a process before the engine takes it in.

use super::Depth;
use crate::{
    collect::{Scanned, Wants},
    engine::{Engine, scans::Found},
    plugin::{self, Candidate},
    process::table::RawArguments,
    procfs::{Args, Proc, ReadError},
};

/// Whether a process may be a member by its name, which is cheaper to read
/// than its `stat`. Without hooks nobody else is of interest: no event tells
/// what becomes of it, the next scan does.
pub(super) fn named(engine: &Engine, proc: &mut Proc, pid: u32) -> bool {
    proc.comm(pid).is_ok_and(|comm| {
        let candidate = Candidate {
            pid,
            comm: &comm,
            ..Candidate::default()
        };
        comm.may_be_cut() || engine.matches(&candidate)
    })
}

/// Reads what is wanted of everybody, and of a member what else is wanted.
pub(super) fn complete(
    found: &mut Scanned,
    engine: &Engine,
    proc: &mut Proc,
    wanted: Wants,
    depth: Depth,
) -> Result<(), ReadError> {
    if depth != Depth::New || wanted.each == wanted.members {
        return found.complete(proc, wanted.members);
    }
    found.complete(proc, wanted.each)?;
    let args = found.args.as_ref().map(|args| raw_arguments(args).bytes);
    let candidate = Candidate {
        pid: found.stat.pid,
        comm: &found.stat.comm,
        argv0: args
            .as_ref()
            .and_then(|args| args.split(|&byte| byte == 0).next()),
        exe: found.exe.as_deref(),
        args: args.as_deref().map(plugin::Args::NulSeparated),
        user: found.uid,
        cgroup: found.cgroup.as_deref(),
        lineage: &[],
    };
    if engine.matches(&candidate) {
        found.complete(proc, wanted.members)?;
    }
    Ok(())
}

/// Arguments as a record of the kernel has them.
pub(super) fn raw_arguments(args: &Args) -> RawArguments {
    let mut bytes = Vec::new();
    for arg in &args.args {
        bytes.extend_from_slice(arg);
        bytes.push(0);
    }
    RawArguments {
        bytes: bytes.into(),
        truncated: args.truncated,
    }
}

/// A process as the engine takes it in.
pub(super) fn found_of(scanned: Scanned) -> Found {
    Found {
        pid: scanned.stat.pid,
        parent: scanned.stat.ppid,
        start_ticks: scanned.stat.start_ticks,
        comm: scanned.stat.comm.to_vec(),
        path: scanned.exe,
        args: scanned.args.as_ref().map(raw_arguments),
        user: scanned.uid,
        cgroup: scanned
            .cgroup
            .map(|path| String::from_utf8_lossy(&path).into_owned().into()),
    }
}
