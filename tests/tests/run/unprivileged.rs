//! Without capabilities (contract D2).

use std::{
    ffi::OsStr,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    process::Command,
};

use sensor_tests::{
    plugins::{points, sum},
    sensor::Summary,
};

use super::{top::used, *};

/// Nobody's uid and gid.
const NOBODY: u32 = 65_534;

/// The program, run by nobody from a place where nobody may run it.
fn nobody<S: AsRef<OsStr>>(plugins: &Plugins, args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(plugins.copy("sensor-under-test", "sensor"));
    command.args(args).env_clear().current_dir("/");
    command.stdin(Stdio::null()).uid(NOBODY).gid(NOBODY);
    command
}

fn as_nobody(watched: &Watched) -> Running {
    let mut command = watched.command(&["until-eof", "2", "30000"]);
    used(command.uid(NOBODY).gid(NOBODY))
}

#[test]
fn run_says_what_is_missing_and_works_by_scanning() {
    let plugins = Plugins::new();
    let (own, foreign) = (plugins.watch(false), plugins.watch(false));
    let _foreign = members(&foreign, 1, "0");
    let first = as_nobody(&own);
    let args = [
        "run",
        "--interval",
        "200ms",
        "--output",
        "json",
        "--plugins",
    ];
    let lines = Lines::start(nobody(&plugins, args).arg(plugins.path()));
    wait_service(&lines, &own.name, "its own process", |service| {
        service["process_count"] == 1
            && points(service, "process.disk.io").is_some()
            && points(service, "process.cpu.utilization").is_some()
    });
    // One that starts later is found, too, and one that ends is missed.
    let second = as_nobody(&own);
    wait_service(&lines, &own.name, "a second process", |service| {
        service["process_count"] == 2
    });
    drop((first, second));
    let service = wait_service(&lines, &own.name, "no process", |service| {
        service["process_count"] == 0
    });
    assert!(
        sum(&service, "process.cpu.time", None) > Some(0.0),
        "{service}"
    );

    let service = wait_service(&lines, &foreign.name, "somebody else's", |_| true);
    assert_eq!(service["process_count"], 1);
    // What cannot be read is absent, not zero.
    assert!(points(&service, "process.disk.io").is_none(), "{service}");
    assert!(
        points(&service, "process.memory.usage").is_some(),
        "{service}"
    );

    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
    let warnings: Vec<&str> = said.errors.lines().filter(|l| l.contains("WARN")).collect();
    let about: Vec<&&str> = warnings.iter().filter(|l| l.contains("CAP_BPF")).collect();
    assert_eq!(about.len(), 1, "{}", said.errors);
    assert!(about[0].contains("CAP_PERFMON"), "{}", said.errors);
    // One more, about the files of others.
    assert!(warnings.len() <= 2, "{}", said.errors);
}

#[test]
fn one_look_says_nothing_about_privileges() {
    let plugins = Plugins::new();
    let own = plugins.watch(false);
    let _first = as_nobody(&own);
    let args = ["--run-once", "--output", "json", "--plugins"];
    let output = nobody(&plugins, args).arg(plugins.path()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*errors), (Some(0), ""));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let service = service(&report, &own.name).unwrap();
    assert_eq!(service["process_count"], 1);
    assert!(points(service, "process.disk.io").is_some(), "{service}");
}

#[test]
fn events_end_with_77_and_a_summary_of_zeros() {
    let plugins = Plugins::new();
    let lines = Lines::start(&mut nobody(&plugins, ["events", "--json"]));
    let (ended, said) = lines.end();
    assert_eq!(libc::WEXITSTATUS(ended.status), 77, "{}", said.errors);
    for name in ["CAP_BPF", "CAP_PERFMON"] {
        assert!(said.errors.contains(name), "{}", said.errors);
    }
    assert_eq!(said.errors.lines().count(), 1, "{}", said.errors);
    let summary = Summary::new(&ended, said);
    assert!(summary.events.is_empty());
    for kind in ["fork", "exec", "exit"] {
        assert_eq!((summary.received(kind), summary.lost(kind)), (0, 0));
    }
    assert_eq!(
        (summary.lost("late"), &summary.line["duration_ns"]),
        (0, &0.into())
    );
}

#[test]
fn a_plugin_that_nobody_may_look_into_is_not_called_empty() {
    let plugins = Plugins::new();
    let (open, closed) = (plugins.watch(false), plugins.watch(false));
    let mode = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(plugins.path().join(&closed.name), mode).unwrap();
    let mut check = nobody(&plugins, ["plugin", "check", "--plugins"]);
    let output = check.arg(plugins.path()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{stderr}");
    assert!(
        stderr.contains(&format!("{}: cannot be read: Perm", closed.name)),
        "{stderr}"
    );
    assert!(
        !stderr.contains("neither") && !stderr.contains(&open.name),
        "{stderr}"
    );
}
