//! Counters of a service are those of its members, dead ones included.

use std::collections::HashMap;

use sensor_tests::{
    plugins::{points, sum},
    process::{Ended, Running, Usage, run},
};

use super::*;

/// Gauges and UpDownCounters: absent where nobody is left (contract S3).
const LIVING: [&str; 6] = [
    "process.memory.usage",
    "process.memory.virtual",
    "process.thread.count",
    "process.unix.file_descriptor.count",
    "process.uptime",
    "process.cpu.utilization",
];

fn total(ended: &[Ended], figure: impl Fn(&Usage) -> i64) -> f64 {
    ended.iter().map(|ended| figure(&ended.usage) as f64).sum()
}

#[track_caller]
fn assert_near(service: &Value, metric: &str, of: Option<(&str, &str)>, theirs: f64, less: f64) {
    let ours = sum(service, metric, of).unwrap_or(f64::NAN);
    assert!(
        ours >= theirs - less && ours <= theirs + less / 4.0,
        "{metric} {of:?} is {ours}, wait4 says {theirs} (at most {less} less): {service}"
    );
}

/// CPU time, faults and switches against wait4; each process may have done a
/// bit that does not count: after the hook, and before it joined. How much CPU
/// time is missing beyond that, in seconds.
#[must_use]
fn missing(service: &Value, ended: &[Ended], threads: f64, before: (f64, f64)) -> Option<f64> {
    let number = ended.len() as f64;
    let cpu = total(ended, Usage::cpu_ns) / 1e9;
    let (before_cpu, before_faults) = before;
    let less = number * (0.001 + before_cpu) + cpu / 100.0;
    let ours = sum(service, "process.cpu.time", None).unwrap();
    let more = ours - cpu;
    assert!(
        more <= less / 4.0,
        "CPU time is {ours}, not {cpu}: {service}"
    );
    let missing = (-more > less).then_some(-more - less);
    let minor = total(ended, |usage| usage.minor);
    let kind = |value| Some(("system.paging.fault.type", value));
    let less = number * (2.0 + before_faults);
    assert_near(service, "process.paging.faults", kind("minor"), minor, less);
    let major = total(ended, |usage| usage.major);
    assert_near(
        service,
        "process.paging.faults",
        kind("major"),
        major,
        2.0 * number,
    );
    let kind = |value| Some(("process.context_switch.type", value));
    let less = 2.0 * number + threads + if before_cpu > 0.0 { 2.0 * number } else { 0.0 };
    let voluntary = total(ended, |usage| usage.voluntary);
    let name = "process.context_switches";
    assert_near(service, name, kind("voluntary"), voluntary, 4.0 * less);
    let involuntary = total(ended, |usage| usage.involuntary);
    assert_near(service, name, kind("involuntary"), involuntary, 4.0 * less);
    for metric in LIVING {
        assert!(points(service, metric).is_none(), "{metric} in {service}");
    }
    missing
}

/// No counter ever falls from one report to the next (invariant 7).
fn assert_monotonic(reports: &[Value], name: &str) {
    let mut highest: HashMap<String, f64> = HashMap::new();
    for service in reports.iter().filter_map(|report| service(report, name)) {
        for metric in service["metrics"].as_array().unwrap() {
            if metric["kind"] != "counter" {
                continue;
            }
            for point in metric["points"].as_array().unwrap() {
                let series = format!("{} {}", metric["name"], point["attributes"]);
                let value = point["value"].as_f64().unwrap();
                let before = highest.insert(series.clone(), value).unwrap_or(0.0);
                assert!(value >= before, "{series} falls from {before} to {value}");
            }
        }
    }
}

/// Now and then threads do something for long after their hook (see
/// [`sensor_tests::accounting`]), but a fault of the sensor comes every time.
#[test]
fn members_that_were_there_count_with_their_whole_life() {
    let missing: Option<Vec<f64>> = (0..3).map(|_| missing_of_whole_lives()).collect();
    assert_eq!(missing, None, "seconds that are missing");
}

fn missing_of_whole_lives() -> Option<f64> {
    let plugins = Plugins::new();
    let watched = plugins.watch(false);
    let members = members(&watched, 3, "4");
    let lines = start(&plugins);
    let service = wait_service(&lines, &watched.name, "three members", |service| {
        service["process_count"] == 3
    });
    assert_eq!(service["pids"], serde_json::json!(pids(&members)));
    for metric in &LIVING[..5] {
        assert!(points(&service, metric).is_some(), "{metric} in {service}");
    }
    let ended: Vec<Ended> = members
        .into_iter()
        .map(|mut member| {
            drop(member.stdin());
            member.wait()
        })
        .collect();
    let service = wait_service(&lines, &watched.name, "no members", |service| {
        service["process_count"] == 0
    });
    let missing = missing(&service, &ended, 15.0, (0.0, 0.0));
    // Found by a scan: no starts (contract S2).
    let starts = sum(&service, "sensor.process.starts", None);
    assert_eq!(starts.unwrap_or(0.0), 0.0, "{service}");
    assert_eq!(sum(&service, "sensor.process.exits", None), Some(3.0));
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
    assert_monotonic(&said.lines, &watched.name);
    missing
}

#[test]
fn starts_exits_and_figures_of_short_processes_are_counted() {
    let plugins = Plugins::new();
    let watched = plugins.watch(false);
    let other = plugins.watch(false);
    let lines = start(&plugins);
    let mut ended = Vec::new();
    let mut go = |args: &[&str]| ended.push(run(&mut watched.command(args)));
    for _ in 0..4 {
        go(&["exit", "0"]);
        go(&["spin", "10000"]);
        go(&["threads", "4", "2000"]);
    }
    go(&["exit", "3"]);
    go(&["exit", "3"]);
    go(&["exit", "4"]);
    go(&["touch", "33554432"]);
    go(&["signal", "9", "0", "1000"]);
    go(&["leader-first", "3", "1000"]);
    let running = Running::start(watched.command(&["fork", "3000"]).stdout(Stdio::piped()));
    let (parent, child) = running.wait_with_child();
    ended.extend([parent, child]);
    let number = ended.len() as f64;

    let what = "the end of the last one";
    let service = wait_service(&lines, &watched.name, what, |service| {
        service["process_count"] == 0 && sum(service, "sensor.process.exits", None) == Some(number)
    });
    assert_eq!(sum(&service, "sensor.process.starts", None), Some(number));
    let exits = |key, value| sum(&service, "sensor.process.exits", Some((key, value)));
    let code = |code| exits("process.exit.code", code).unwrap_or(0.0);
    assert_eq!(
        [code("3"), code("4"), code("5"), code("7")],
        [2.0, 1.0, 1.0, 1.0]
    );
    assert_eq!(exits("sensor.exit.signal", "9"), Some(1.0));
    assert_eq!(code("0"), number - 6.0);
    // They joined by exec: what they did before is not the service's.
    let missing = missing(&service, &ended, 4.0 * 5.0 + 4.0, (0.001, 60.0));
    assert_eq!(missing, None, "seconds that are missing: {service}");
    let lifetimes = points(&service, "sensor.process.lifetime").unwrap();
    assert_eq!(lifetimes[0]["count"].as_f64(), Some(number), "{service}");
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
    assert_monotonic(&said.lines, &watched.name);
    // Nobody of the other service was ever there.
    let silent = said
        .lines
        .iter()
        .filter_map(|report| super::service(report, &other.name));
    for service in silent {
        assert_eq!(service["process_count"], 0, "{service}");
    }
}

#[test]
fn a_process_that_runs_another_program_leaves_and_does_not_end() {
    let plugins = Plugins::new();
    let (one, two) = (plugins.watch(false), plugins.watch(false));
    let lines = start(&plugins);
    let program = two.program.to_str().unwrap();
    let ended = run(&mut one.command(&["exec", program, "iterate", "1000000"]));
    assert_eq!(ended.status, 0);
    let what = "the end in the second service";
    let second = wait_service(&lines, &two.name, what, |service| {
        sum(service, "sensor.process.exits", None) == Some(1.0)
    });
    let first = wait_service(&lines, &one.name, "the first service", |_| true);
    assert_eq!(sum(&first, "sensor.process.starts", None), Some(1.0));
    assert_eq!(
        sum(&first, "sensor.process.exits", None).unwrap_or(0.0),
        0.0
    );
    assert_eq!(sum(&second, "sensor.process.starts", None), Some(1.0));
    let cpu = |service| sum(service, "process.cpu.time", None).unwrap();
    assert!(cpu(&first) >= 0.0002, "{first}");
    assert!(cpu(&second) >= 0.0005, "{second}");
    let both = cpu(&first) + cpu(&second);
    assert!(both <= ended.usage.cpu_ns() as f64 / 1e9 + 0.001, "{both}");
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
}

#[test]
fn reports_end_with_the_duration() {
    let plugins = Plugins::new();
    let watched = plugins.watch(false);
    let _members = members(&watched, 1, "1");
    let lines = Lines::start(&mut sensor([
        "run",
        "--plugins",
        &plugins.flag(),
        "--interval",
        "100ms",
        "--duration",
        "5s",
        "--output",
        "json",
    ]));
    let (ended, said) = lines.end();
    assert_eq!(ended.status, 0, "{}", said.errors);
    assert!(said.lines.len() >= 3, "{} reports", said.lines.len());
    let last = service(said.lines.last().unwrap(), &watched.name).unwrap();
    assert_eq!(last["process_count"], 1);
    assert!(last.get("pids").is_none(), "{last}");
    // Two looks were had (contract S7).
    assert!(points(last, "process.cpu.utilization").is_some(), "{last}");
}
