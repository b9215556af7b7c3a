//! `sensor doctor`: what works on this host, and what does not.

mod cost;

use std::{
    io::{self, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use sensor_common::field::{self, ABSENT, Field};
use serde::Serialize;

use super::{
    delivery,
    run::{chain, no_events},
    setup::{self, Stop},
    store,
};
use crate::{
    cli::DoctorArgs,
    config::{Environment, ExportFlags, export_settings},
    exit::Exit,
    export::otlp::Signal,
    procfs::{Proc, ReadError},
    source::{
        btf::{self, Btf},
        capability, clocksource,
        ebpf::{EbpfError, Kernel},
        hook::{self, Hook},
        pins,
    },
    store::{StoreError, default_path},
};

/// Longest wait for the collector's port.
const CONNECT: Duration = Duration::from_secs(3);
/// As many processes as are looked at to see whether /proc is open.
const PROCESSES_TRIED: usize = 1_000;
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
    let mut checks = vec![kernel(), btf_check(&btf)];
    checks.extend(hooks(btf.as_ref().ok()));
    checks.push(proc());
    checks.push(store_check(&config));
    checks.push(endpoint(args, &config)?);
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

fn kernel() -> Check {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy().into_owned();
    let mut numbers = release.split(|char: char| !char.is_ascii_digit());
    let mut number = || numbers.next().and_then(|text| text.parse::<u32>().ok());
    let version = (number().unwrap_or(0), number().unwrap_or(0));
    let detail = format!("Linux {release}{}", pins::described());
    if version < (5, 8) {
        return Check::new("kernel", Status::Degraded, detail)
            .remedy("kernel events need Linux 5.8 or later; scans of /proc work");
    }
    Check::ok("kernel", detail)
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
        hook::TAP,
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
    if hook == hook::TAP
        && let Ok(kernel) = attached
        && !kernel.is_loaded(hook)
    {
        let detail = format!("cannot load {}; no {}", hook.tracepoint, hook.gives);
        return Check::new(&name, Status::Degraded, detail)
            .remedy("another kernel; all other sources of last words are there");
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
            Check::new(&name, Status::Failed, detail)
                .remedy("see the kernel log; a security module may forbid eBPF")
        }
    }
}

fn proc() -> Check {
    let mut pids = Vec::new();
    let listed = Proc::open().and_then(|mut proc| proc.pids(&mut pids).map(|()| proc));
    let mut proc = match listed {
        Ok(proc) => proc,
        Err(error) => {
            return Check::new("proc", Status::Failed, format!("/proc: {error}"))
                .remedy("mount /proc");
        }
    };
    pids.truncate(PROCESSES_TRIED);
    let mut closed = 0;
    let mut open = 0;
    for pid in pids {
        match proc.io(pid) {
            Ok(_) => open += 1,
            Err(ReadError::Denied) => closed += 1,
            Err(_) => {}
        }
    }
    match closed {
        0 => Check::ok("proc", format!("figures of all {open} processes tried")),
        // A few may stay closed to everybody.
        _ if capability::can_read_others() => {
            let all = closed + open;
            Check::ok("proc", format!("figures of {open} of {all} processes"))
        }
        _ => Check::new(
            "proc",
            Status::Degraded,
            format!(
                "figures of {closed} of {} processes are closed",
                closed + open
            ),
        )
        .remedy("run as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"),
    }
}

fn store_check(config: &crate::config::Config) -> Check {
    let path = config.store.path.clone().unwrap_or_else(default_path);
    let shown = path.display();
    match store::look(&path) {
        Ok(Some(what)) => Check::ok("store", format!("{shown}: {what}")),
        Ok(None) => Check::skipped(
            "store",
            format!("none at {shown} yet; `sensor run` makes it"),
        ),
        Err(error) => {
            let status = match error {
                StoreError::Newer { .. } | StoreError::Unsafe { .. } => Status::Failed,
                _ => Status::Degraded,
            };
            let stop = store::stop(&error);
            Check::new("store", status, stop.lines.join("; "))
                .remedy("`sensor store verify` says more; [store] path names another place")
        }
    }
}

fn endpoint(args: &DoctorArgs, config: &crate::config::Config) -> Result<Check, Stop> {
    let flags = ExportFlags {
        agent_host: args.agent_host.clone(),
        agent_port: args.agent_port,
        ..ExportFlags::default()
    };
    let settings = export_settings(&flags, &Environment::of_process(), config)
        .map_err(|problems| Stop::problems(Exit::Config, &problems))?;
    let Some(settings) = settings else {
        return Ok(Check::skipped(
            "endpoint",
            "none is set, nothing is exported",
        ));
    };
    let otlp = delivery::checked(&settings)?;
    let target = otlp
        .target(Signal::Metrics)
        .or_else(|| otlp.target(Signal::Logs));
    let Some(target) = target else {
        return Ok(Check::skipped(
            "endpoint",
            "none is set, nothing is exported",
        ));
    };
    let address = target.to_string();
    Ok(match reach(&address) {
        Ok(()) => Check::ok("endpoint", format!("{address} accepts connections")),
        Err(error) => Check::new("endpoint", Status::Failed, format!("{address}: {error}"))
            .remedy("start the collector, or correct host, port and firewall"),
    })
}

fn reach(address: &str) -> io::Result<()> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
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
