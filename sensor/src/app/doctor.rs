//! `sensor doctor`: what works on this host, and what does not.

mod cost;
mod endpoint;
mod kernel;
mod proc;
mod store;

use std::io::{self, Write};

use sensor_common::field::{self, ABSENT, Field};
use serde::Serialize;

use super::{
    hooks::{chain, no_events},
    setup::{self, Stop},
};
use crate::{
    cli::DoctorArgs,
    exit::Exit,
    source::{
        btf::{self, Btf},
        capability, clocksource,
        ebpf::{EbpfError, Kernel},
        hook::{self, Hook},
    },
};

/// A small ring: doctor only tries. It holds what happens between two looks,
/// so that the hooks are not measured while they throw away.
const RING: u32 = 256 << 10;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Degraded,
    Failed,
    Skipped,
}

#[derive(Debug, Serialize)]
struct Check {
    name: String,
    status: Status,
    detail: String,
    remedy: Option<String>,
}

impl Check {
    fn new(name: &str, status: Status, detail: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            status,
            detail: detail.into(),
            remedy: None,
        }
    }

    fn ok(name: &str, detail: impl Into<String>) -> Self {
        Self::new(name, Status::Ok, detail)
    }

    fn skipped(name: &str, detail: impl Into<String>) -> Self {
        Self::new(name, Status::Skipped, detail)
    }

    fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

#[derive(Serialize)]
struct Findings {
    ok: bool,
    checks: Vec<Check>,
}

/// Checks, prints, and says by the exit code whether something failed.
///
/// # Errors
///
/// Where the configuration is wrong or nothing can be printed.
pub fn run(args: &DoctorArgs) -> Result<Exit, Stop> {
    let config = setup::config(args.config.as_deref())?;
    let btf = Btf::of_kernel();
    let mut checks = vec![kernel::check(&config), btf_check(&btf)];
    checks.extend(hooks(btf.as_ref().ok()));
    checks.push(proc::check());
    checks.push(store::check(&config));
    checks.push(endpoint::check(args, &config)?);
    let findings = Findings {
        ok: checks.iter().all(|check| check.status != Status::Failed),
        checks,
    };
    let printed = match args.json {
        true => serde_json::to_string(&findings)
            .map_err(io::Error::from)
            .and_then(|line| writeln!(io::stdout(), "{line}")),
        false => print(&findings),
    };
    if let Err(error) = printed
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        return Err(Stop::new(Exit::Software, format!("cannot write: {error}")));
    }
    Ok(match findings.ok {
        true => Exit::Done,
        false => Exit::Nothing,
    })
}

fn print(findings: &Findings) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for check in &findings.checks {
        let status = match check.status {
            Status::Ok => "ok",
            Status::Degraded => "degraded",
            Status::Failed => "FAILED",
            Status::Skipped => "skipped",
        };
        writeln!(out, "{:<13} {status:<9} {}", check.name, check.detail)?;
        if let Some(remedy) = &check.remedy {
            writeln!(out, "{:<13} {:<9} -> {remedy}", "", "")?;
        }
    }
    Ok(())
}

fn btf_check(btf: &Result<Btf, btf::BtfError>) -> Check {
    match btf {
        Err(error) => Check::new("btf", Status::Failed, error.to_string())
            .remedy("boot a kernel built with CONFIG_DEBUG_INFO_BTF=y"),
        Ok(btf) => {
            let offsets = btf.offsets();
            let missing = lost_figures(&offsets);
            if missing.is_empty() {
                return Check::ok("btf", btf::KERNEL);
            }
            Check::new(
                "btf",
                Status::Degraded,
                format!("without {}", missing.join(", ")),
            )
            .remedy("nothing to do but another kernel; these figures are absent")
        }
    }
}

/// What a user misses for want of kernel fields.
fn lost_figures(offsets: &[u32]) -> Vec<&'static str> {
    let groups: [(&'static str, &[Field]); 7] = [
        (
            "CPU time at exit exact to more than a tick",
            &[
                field::CFS_RQ_RQ,
                field::RQ_CLOCK,
                field::RQ_CLOCK_TASK,
                field::TASK_CFS_RQ,
                field::TASK_EXEC_START,
                field::TASK_LAST_ARRIVAL,
            ],
        ),
        (
            "disk I/O at exit",
            &[field::TASK_READ_BYTES, field::SIGNAL_READ_BYTES],
        ),
        ("run-queue wait at exit", &[field::TASK_RUNQUEUE]),
        ("peak memory at exit", &[field::SIGNAL_MAXRSS]),
        (
            "arguments of short processes",
            &[field::MM_ARG_START, field::MM_ARG_END],
        ),
        (
            "paths of short processes",
            &[
                field::MM_EXE_FILE,
                field::FILE_PATH_DENTRY,
                field::FILE_PATH_MNT,
                field::DENTRY_NAME,
                field::DENTRY_PARENT,
                field::MOUNT_MNT,
            ],
        ),
        ("user ids", &[field::CRED_EUID]),
    ];
    groups
        .iter()
        .filter(|(_, fields)| fields.iter().any(|&field| offsets[field] == ABSENT))
        .map(|(name, _)| *name)
        .collect()
}

/// The capabilities and each hook, tried for real.
fn hooks(btf: Option<&Btf>) -> Vec<Check> {
    let missing = capability::missing();
    let mut attached = Kernel::attach(RING);
    let scheduler = match &mut attached {
        Ok(kernel) => kernel.follow_scheduler(true),
        Err(_) => Ok(()),
    };
    let costs = attached.as_mut().map(cost::measure).unwrap_or_default();
    let capabilities = match (&attached, missing.as_slice()) {
        (_, []) => Check::ok("capabilities", "CAP_BPF, CAP_PERFMON"),
        (Ok(_), missing) => Check::new(
            "capabilities",
            Status::Degraded,
            format!("{} missing, but the kernel allows it", missing.join(", ")),
        )
        .remedy("nothing to do"),
        (Err(_), missing) if !capability::count_here() => Check::new(
            "capabilities",
            Status::Failed,
            format!(
                "{} missing: those of a user namespace do not count",
                missing.join(", ")
            ),
        )
        .remedy(capability::OUTSIDE),
        (Err(_), missing) => Check::new(
            "capabilities",
            Status::Failed,
            format!("{} missing", missing.join(", ")),
        )
        .remedy("run as root, or with AmbientCapabilities=CAP_BPF CAP_PERFMON"),
    };
    let usable = capabilities.status != Status::Failed;
    let mut checks = vec![capabilities];
    for hook in [
        hook::FORK,
        hook::EXEC,
        hook::EXIT,
        hook::SCHED,
        hook::SIGNAL,
        hook::OOM,
    ] {
        let mut check = hook_check(hook, btf, usable, attached.as_ref(), &scheduler);
        check.detail.push_str(&cost::shown(hook, &costs));
        checks.push(check);
    }
    checks
}

fn hook_check(
    hook: Hook,
    btf: Option<&Btf>,
    usable: bool,
    attached: Result<&Kernel, &EbpfError>,
    scheduler: &Result<(), EbpfError>,
) -> Check {
    let name = format!("hook.{}", hook.name);
    let Some(btf) = btf else {
        return Check::skipped(&name, "needs btf");
    };
    if !usable {
        return Check::skipped(&name, "needs capabilities");
    }
    if !btf.has_tracepoint(hook.tracepoint) {
        let detail = format!("the kernel has no {}: no {}", hook.tracepoint, hook.gives);
        return Check::new(&name, Status::Degraded, detail).remedy("another kernel");
    }
    if let (hook::SCHED, Err(error)) = (hook, scheduler) {
        let detail = format!("{}; no {}", chain(error), hook.gives);
        return Check::new(&name, Status::Degraded, detail)
            .remedy("another kernel; all other figures are there");
    }
    if let (true, Ok(kernel)) = (hook::EXTRA.contains(&hook), attached) {
        return match kernel.has_hook(hook) {
            true => Check::ok(&name, format!("{} attached", hook.tracepoint)),
            false => {
                let detail = format!("cannot attach {}; no {}", hook.tracepoint, hook.gives);
                Check::new(&name, Status::Degraded, detail)
                    .remedy("`sensor run --log-level debug` says why the kernel refuses it")
            }
        };
    }
    if !hook::CORE.contains(&hook) && hook != hook::SCHED {
        return Check::ok(&name, format!("{} is there", hook.tracepoint));
    }
    match attached {
        Ok(_) if hook == hook::EXIT && clocksource::unstable().is_some() => {
            let source = clocksource::unstable().unwrap_or_default();
            let detail = format!("clock source {source}: CPU time at exit is exact to a tick only");
            Check::new(&name, Status::Degraded, detail)
                .remedy("a machine whose clock source is tsc or kvm-clock")
        }
        Ok(_) => Check::ok(&name, format!("{} attached", hook.tracepoint)),
        Err(error) => {
            let detail = format!("{}; no {}", no_events(error), hook.gives);
            Check::new(&name, Status::Failed, detail).remedy(kernel::refused())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_a_field_loses_a_figure_by_name() {
        let mut offsets = [0; field::COUNT];
        assert!(lost_figures(&offsets).is_empty());
        offsets[field::TASK_RUNQUEUE] = ABSENT;
        assert_eq!(lost_figures(&offsets), ["run-queue wait at exit"]);
    }
}
