//! `--run-once` against /proc itself.

use std::{fs, time::Instant};

use sensor_tests::{
    plugins::{points, sum},
    sensor::LIMIT,
};

use super::*;

fn read(pid: u32, file: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap()
}

/// A field of `stat`, numbered as in proc(5).
fn stat(pid: u32, field: usize) -> f64 {
    let stat = read(pid, "stat");
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    rest.split(' ').nth(field - 3).unwrap().parse().unwrap()
}

fn statm(pid: u32, field: usize) -> f64 {
    let pages: f64 = read(pid, "statm")
        .split(' ')
        .nth(field)
        .unwrap()
        .parse()
        .unwrap();
    // SAFETY: no memory is involved.
    pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as f64
}

/// `key: number` in a file.
fn value(text: &str, key: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let words = line.unwrap_or_else(|| panic!("no {key} in {text}"));
    let number = words.trim_start_matches(':').split_whitespace().next();
    number.unwrap().parse().unwrap()
}

fn switches(pid: u32, key: &str) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    tasks
        .map(|task| fs::read_to_string(task.unwrap().path().join("status")).unwrap())
        .map(|status| value(&status, key))
        .sum()
}

type Figure = (&'static str, Option<(&'static str, &'static str)>, f64);

/// What /proc says of all of them together.
fn figures(pids: &[u32]) -> Vec<Figure> {
    let all = |figure: &dyn Fn(u32) -> f64| pids.iter().map(|&pid| figure(pid)).sum::<f64>();
    let faults = |kind| Some(("system.paging.fault.type", kind));
    let kind = |kind| Some(("process.context_switch.type", kind));
    let direction = |direction| Some(("disk.io.direction", direction));
    let io = |pid, key| value(&read(pid, "io"), key);
    let fds = |pid| fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as f64;
    vec![
        ("process.memory.usage", None, all(&|pid| statm(pid, 1))),
        ("process.memory.virtual", None, all(&|pid| statm(pid, 0))),
        ("process.thread.count", None, all(&|pid| stat(pid, 20))),
        ("process.unix.file_descriptor.count", None, all(&fds)),
        (
            "process.paging.faults",
            faults("minor"),
            all(&|pid| stat(pid, 10)),
        ),
        (
            "process.paging.faults",
            faults("major"),
            all(&|pid| stat(pid, 12)),
        ),
        (
            "process.context_switches",
            kind("voluntary"),
            all(&|pid| switches(pid, "voluntary_ctxt_switches")),
        ),
        (
            "process.context_switches",
            kind("involuntary"),
            all(&|pid| switches(pid, "nonvoluntary_ctxt_switches")),
        ),
        (
            "process.disk.io",
            direction("read"),
            all(&|pid| io(pid, "read_bytes")),
        ),
        (
            "process.disk.io",
            direction("write"),
            all(&|pid| io(pid, "write_bytes")),
        ),
    ]
}

/// Looks at processes that wait. A busy host may take pages from them
/// meanwhile, which they fault in again: then it is looked at once more.
pub(super) fn at_rest<T>(pids: &[u32], look: impl Fn() -> T) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        let before = figures(pids);
        let seen = look();
        if figures(pids) == before {
            return seen;
        }
        assert!(Instant::now() < deadline, "they do not wait");
    }
}

#[test]
fn one_look_equals_proc() {
    let plugins = Plugins::new();
    let watched = plugins.watch(false);
    let members = members(&watched, 3, "6");
    let pids = pids(&members);
    let (output, theirs) = at_rest(&pids, || {
        let output = sensor(["--run-once", "--output", "json", "--pids", "--plugins"])
            .arg(plugins.path())
            .output()
            .unwrap();
        (output, figures(&pids))
    });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    assert_eq!(errors, "");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let service = service(&report, &watched.name).unwrap();
    assert_eq!(service["process_count"], 3);
    assert_eq!(service["service.namespace"], "tests");
    assert_eq!(service["plugin"], watched.name.as_str());
    assert_eq!(service["pids"], serde_json::json!(pids));

    let all = |figure: &dyn Fn(u32) -> f64| Some(pids.iter().map(|&pid| figure(pid)).sum::<f64>());
    let ours = |metric, of| sum(service, metric, of);
    for (metric, of, figure) in theirs {
        assert_eq!(ours(metric, of), Some(figure), "{metric} {of:?}");
    }
    // SAFETY: no memory is involved.
    let hertz = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
    for (mode, field) in [("user", 14), ("system", 15)] {
        let theirs = all(&|pid| stat(pid, field) / hertz).unwrap();
        let ours = ours("process.cpu.time", Some(("cpu.mode", mode))).unwrap();
        // A tick each, which stat is cut at.
        assert!(
            (ours - theirs).abs() <= 3.0 / hertz,
            "{mode}: {ours}, {theirs}"
        );
    }
    for absent in ["process.cpu.utilization", "sensor.process.lifetime"] {
        assert!(points(service, absent).is_none(), "{absent} in {service}");
    }
}

#[test]
fn one_look_for_people_fits_80_columns() {
    let plugins = Plugins::new();
    let watched = plugins.watch(false);
    let _members = members(&watched, 2, "1");
    let output = sensor(["--once", "--plugins"])
        .arg(plugins.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(&watched.name), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn without_plugins_every_process_is_grouped_by_executable() {
    let plugins = Plugins::new();
    let watched = plugins.watch(false);
    let _members = members(&watched, 2, "1");
    let output = sensor(["--run-once", "--output", "json", "--pids"])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let groups: Vec<&Value> = report["services"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|service| {
            let group = service["group"].as_str().unwrap_or_default();
            group.contains(&watched.name)
        })
        .collect();
    assert_eq!(groups.len(), 1, "{report}");
    assert_eq!(groups[0]["process_count"], 2);
}
