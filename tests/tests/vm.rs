//! What no test may change on a host that is in use. `cargo xtask test-vm`
//! runs these in virtual machines with the kernels of the matrix, as root.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests too: a panic is how a test fails"
)]

#[path = "vm/clock.rs"]
mod clock;
#[path = "vm/suspend.rs"]
mod suspend;

use std::{
    collections::BTreeSet,
    io,
    os::unix::process::CommandExt,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use sensor_tests::{
    isolated,
    process::{run, workload},
    sensor::{Events, LIMIT, Lines, Said, Summary, end, is, sensor},
    setting::Setting,
};
use serde_json::Value;

const NOBODY: u32 = 65_534;

/// Processes of one storm: each takes a tenth of a second there.
const STORM: u64 = 250;

fn storm() {
    let itself = sensor_tests::process::built("workload");
    let args = [
        "storm",
        &STORM.to_string(),
        itself.to_str().unwrap(),
        "exit",
        "0",
    ];
    assert_eq!(run(&mut workload(args)).status, 0);
}

/// Every process of the storm has an exit that was received or counted lost.
fn assert_conserved(summary: &Summary) {
    for kind in ["fork", "exec", "exit"] {
        let sum = summary.received(kind) + summary.lost(kind);
        // The storm itself, and those that found out that all is attached.
        assert!(sum > STORM, "{kind}: {}", summary.line);
    }
    assert_eq!(summary.status, 0, "{}", summary.errors);
}

fn exits_of_storm(summary: &Summary) -> Vec<(u64, String)> {
    let exits = summary
        .events
        .iter()
        .filter(|line| is(line, "process.exit"));
    let of_storm = exits.filter(|line| line["process.command_args"][1] == "exit");
    of_storm
        .map(|line| {
            let creation = line["process.creation.time"].as_str().unwrap();
            (line["process.pid"].as_u64().unwrap(), creation.to_owned())
        })
        .collect()
}

/// An empty directory over another, for as long as this lives.
struct Hidden(&'static Path);

impl Hidden {
    fn new(path: &'static str) -> Self {
        let path = Path::new(path);
        isolated::mount("tmpfs", path, 0, "").unwrap();
        Self(path)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = isolated::unmount(self.0);
    }
}

fn doctor(command: &mut Command) -> Value {
    let (_, stdout, stderr) = end(command);
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}"))
}

fn check<'a>(doctor: &'a Value, name: &str) -> &'a Value {
    let checks = doctor["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap()
}

#[test]
#[ignore = "for virtual machines: cargo xtask test-vm"]
fn every_hook_works_on_this_kernel() {
    let found = doctor(&mut sensor(["doctor", "--json"]));
    for name in [
        "kernel",
        "btf",
        "capabilities",
        "hook.fork",
        "hook.exec",
        "hook.exit",
    ] {
        assert_eq!(check(&found, name)["status"], "ok", "{found}");
    }
}

#[test]
#[ignore = "for virtual machines: cargo xtask test-vm"]
fn what_a_tiny_ring_loses_is_counted() {
    let events = Events::start(&["--ring-bytes", "4096"]);
    storm();
    let _ = events.canary();
    assert_conserved(&events.finish());
}

#[test]
#[ignore = "changes pid_max; for virtual machines: cargo xtask test-vm"]
fn pids_that_come_round_are_other_processes() {
    // The kernel does not go below 301, and starts again at 300.
    let _few = Setting::new("pid_max", "400");
    let events = Events::start(&[]);
    storm();
    let _ = events.canary();
    let summary = events.finish();
    for kind in ["fork", "exec", "exit"] {
        assert_eq!(summary.lost(kind), 0, "{}", summary.line);
    }
    assert_conserved(&summary);
    let exits = exits_of_storm(&summary);
    let pids: BTreeSet<u64> = exits.iter().map(|(pid, _)| *pid).collect();
    assert!(pids.len() < 400, "pids were not used again");
    let processes: BTreeSet<_> = exits.iter().collect();
    assert_eq!(processes.len(), exits.len(), "one process ended twice");
    assert_eq!(
        pids.iter().max().map(|pid| *pid < 400),
        Some(true),
        "{pids:?}"
    );
    let lines = usize::try_from(summary.received("exit")).unwrap();
    let told = summary
        .events
        .iter()
        .filter(|line| is(line, "process.exit"));
    assert_eq!(told.count(), lines, "{}", summary.line);
    // The rest are those that found out that all is attached.
    assert!(exits.len() as u64 >= STORM, "{} exits", exits.len());
}

#[test]
#[ignore = "hides BTF; for virtual machines: cargo xtask test-vm"]
fn without_btf_the_daemon_says_so_and_scans() {
    let _hidden = Hidden::new("/sys/kernel/btf");
    let found = doctor(&mut sensor(["doctor", "--json"]));
    let btf = check(&found, "btf");
    assert_eq!(btf["status"], "failed", "{found}");
    assert!(btf["remedy"].as_str().unwrap().contains("BTF"), "{found}");

    let args = ["run", "--interval", "1s", "--output", "json"];
    let lines = Lines::start(&mut sensor(args));
    lines.wait("a report", |said| {
        let services = said.lines.first()?["services"].as_array()?;
        (!services.is_empty()).then_some(())
    });
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
    let about = said
        .errors
        .lines()
        .filter(|line| line.contains("kernel/btf"));
    let about: Vec<_> = about.collect();
    assert_eq!(about.len(), 1, "{}", said.errors);

    let (code, _, errors) = end(&mut sensor(["events", "--json", "--duration", "1s"]));
    assert_ne!(code, Some(0));
    assert!(errors.contains("kernel/btf"), "{errors}");
}

#[test]
#[ignore = "changes sysctl; for virtual machines: cargo xtask test-vm"]
fn two_capabilities_are_enough_on_a_locked_down_host() {
    let _bpf = Setting::new("unprivileged_bpf_disabled", "2");
    let _perf = Setting::new("perf_event_paranoid", "3");
    let found = doctor(with_two_capabilities(&mut sensor(["doctor", "--json"])));
    for name in ["capabilities", "hook.fork", "hook.exec", "hook.exit"] {
        assert_eq!(check(&found, name)["status"], "ok", "{found}");
    }
    let mut command = sensor(["events", "--json", "--duration", "60s"]);
    let lines = Lines::start(with_two_capabilities(&mut command));
    let deadline = Instant::now() + LIMIT;
    let seen = |said: &Said| {
        let mut exits = said.lines.iter().filter(|line| is(line, "process.exit"));
        exits.find(|line| line["process.exit.code"] == 7).map(drop)
    };
    while lines
        .wait_within(Duration::from_millis(500), seen)
        .is_none()
    {
        assert!(Instant::now() < deadline, "{}", lines.said().errors);
        let _ = run(&mut workload(["exit", "7"]));
    }
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
}

/// Runs a command as nobody, with CAP_BPF and CAP_PERFMON and nothing else.
fn with_two_capabilities(command: &mut Command) -> &mut Command {
    // SAFETY: system calls only, which are safe between fork and exec.
    unsafe { command.pre_exec(become_nobody) }
}

fn become_nobody() -> io::Result<()> {
    use rustix::thread::{
        CapabilitySet, CapabilitySets, configure_capability_in_ambient_set, set_capabilities,
        set_keep_capabilities,
    };
    let two = CapabilitySet::BPF | CapabilitySet::PERFMON;
    set_keep_capabilities(true)?;
    // SAFETY: plain system calls.
    if unsafe { libc::setgid(NOBODY) != 0 || libc::setuid(NOBODY) != 0 } {
        return Err(io::Error::last_os_error());
    }
    let sets = CapabilitySets {
        effective: two,
        permitted: two,
        inheritable: two,
    };
    set_capabilities(None, sets)?;
    for capability in two.iter() {
        configure_capability_in_ambient_set(capability, true)?;
    }
    Ok(())
}
