//! What a daemon may still do (contract D3), and what it may not. Needs root
//! for the daemon, and systemd for its unit.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests too: a panic is how a test fails"
)]

use std::{collections::BTreeMap, fs, os::unix::process::CommandExt, path::Path, process::Command};

use sensor_tests::{
    plugins::Plugins,
    process::built,
    sensor::{Lines, sensor, skipped},
};

const EPERM: &str = "1";
const EACCES: &str = "13";

/// What `confined` said, by name.
fn tried(args: &[&str]) -> BTreeMap<String, String> {
    let output = Command::new(built("confined")).args(args).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}{errors}");
    let line = |line: &str| {
        let (name, result) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), result.to_owned())
    };
    said.lines().map(line).collect()
}

#[test]
fn calls_that_only_an_intruder_wants_are_refused() {
    let tried = tried(&["calls"]);
    for name in [
        "execve",
        "setuid",
        "setgroups",
        "ptrace",
        "mount",
        "unshare",
        "init_module",
        "perf_event_open",
        "open_by_handle_at",
        "signal another",
        "bpf map create",
        "bpf prog load",
        "bpf btf load",
    ] {
        assert_eq!(tried[name], EPERM, "{name}: {tried:?}");
    }
    for name in ["signal oneself", "read", "thread", "end"] {
        assert_eq!(tried[name], "ok", "{name}: {tried:?}");
    }
    // These fail by their arguments.
    for name in ["bpf object pin", "bpf object get", "bpf link create"] {
        assert_ne!(tried[name], EPERM, "{name}: {tried:?}");
    }
}

#[test]
fn a_confined_thread_writes_where_it_has_to_only() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| {
        let path = directory.path().join(name);
        fs::create_dir(&path).unwrap();
        path.display().to_string()
    };
    let (allowed, forbidden) = (place("allowed"), place("forbidden"));
    let tried = tried(&["files", &allowed, &forbidden]);
    if tried["forbidden"] == "ok" {
        let test = "a_confined_thread_writes_where_it_has_to_only";
        return skipped(test, "this kernel has no Landlock");
    }
    for name in ["before", "allowed", "open already", "read", "others"] {
        assert_eq!(tried[name], "ok", "{name}: {tried:?}");
    }
    for name in ["forbidden", "deleted", "execute", "its threads"] {
        assert_eq!(tried[name], EACCES, "{name}: {tried:?}");
    }
}

/// A field of /proc/PID/status of each thread, but of those that end meanwhile.
fn field(pid: u32, name: &str) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of = |task: fs::DirEntry| {
        let status = fs::read_to_string(task.path().join("status")).ok()?;
        let mut lines = status.lines();
        let line = lines.find_map(|line| line.strip_prefix(&format!("{name}:")));
        Some(line.unwrap().trim().to_owned())
    };
    tasks.filter_map(|task| of(task.unwrap())).collect()
}

#[test]
fn a_daemon_keeps_what_it_needs_only() {
    let plugins = Plugins::new();
    let _watched = plugins.watch(false);
    let mut command = sensor(["run", "--output", "json", "--interval", "200ms"]);
    // An address where nobody listens: the exporter runs all the same.
    command.args(["--agent-host", "127.0.0.1", "--agent-port", "1"]);
    command.args(["--plugins", &plugins.flag()]);
    let lines = Lines::start(&mut command);
    lines.wait("a report", |said| (said.lines.len() > 1).then_some(()));
    let pid = lines.pid();
    // CAP_SYS_PTRACE (19) and CAP_DAC_READ_SEARCH (2), or of these what there
    // was.
    let mine = field(std::process::id(), "CapPrm");
    let mine = u64::from_str_radix(&mine[0], 16).unwrap();
    let kept = format!("{:016x}", mine & (1 << 19 | 1 << 2));
    for (name, wanted) in [
        ("CapEff", kept.as_str()),
        ("CapPrm", &kept),
        ("CapInh", "0000000000000000"),
        ("CapAmb", "0000000000000000"),
        ("CapBnd", &kept),
        ("NoNewPrivs", "1"),
        ("Seccomp", "2"),
    ] {
        let threads = field(pid, name);
        assert!(threads.len() > 2, "{threads:?}");
        let same = threads.iter().all(|thread| thread == wanted);
        assert!(same, "{name}: {threads:?}, not {wanted}");
    }
    let (_, said) = lines.interrupt();
    for name in [
        "CAP_SYS_PTRACE (I/O figures and executables",
        "CAP_DAC_READ_SEARCH (files that only their owner",
    ] {
        assert!(said.errors.contains(name), "{}", said.errors);
    }
    assert!(!said.errors.contains("CAP_BPF"), "{}", said.errors);
}

/// Files of other users' processes are read with what is kept.
#[test]
fn what_is_kept_is_enough() {
    let plugins = Plugins::new();
    let watched = plugins.watch(false);
    let mut foreign = watched.command(&["hang", "1", "1000"]);
    let mut running = foreign.uid(65_534).gid(65_534).spawn().unwrap();
    let mut command = sensor(["run", "--output", "json", "--interval", "200ms"]);
    let lines = Lines::start(command.args(["--plugins", &plugins.flag()]));
    let disk = sensor_tests::plugins::wait_service(&lines, &watched.name, "its I/O", |service| {
        sensor_tests::plugins::points(service, "process.disk.io").is_some()
    });
    assert_eq!(disk["process_count"], 1);
    let _ = lines.interrupt();
    running.kill().unwrap();
    let _ = running.wait();
}

#[test]
fn the_packaged_unit_exposes_little() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/systemd/sensor.service");
    let mut command = Command::new("systemd-analyze");
    // In tenths: 2.0 at most.
    command.args(["security", "--offline=true", "--no-pager", "--threshold=20"]);
    let Ok(output) = command.arg(unit).output() else {
        return skipped("the_packaged_unit_exposes_little", "needs systemd-analyze");
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = said.lines().filter(|line| !line.starts_with('✓'));
    let wrong = wrong.collect::<Vec<_>>().join("\n");
    assert!(said.contains("Overall exposure level"), "{said}");
    assert!(output.status.success(), "{wrong}");
}
