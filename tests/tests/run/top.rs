//! Series of single members: of the largest, and for as long as they are.

use std::{collections::BTreeSet, process::Command, time::Instant};

use sensor_tests::{
    collector::Collector,
    plugins::{points, sum},
    sensor::LIMIT,
};

use super::{otlp::exporting, *};

const TOP_TWO: &str = "[metrics]\nper_process_top = 2\n";

/// Thread group ids that have points of their own in a metric.
fn singles(service: &Value, metric: &str) -> BTreeSet<u32> {
    let points = points(service, metric).into_iter().flatten();
    points
        .filter_map(|point| point["attributes"]["process.pid"].as_u64())
        .map(|pid| u32::try_from(pid).unwrap())
        .collect()
}

/// Members that were busy for about so long, in ms, and wait; in the order of
/// the CPU time that they got for it. The last two stand out.
fn busy(watched: &Watched, millis: &[u32]) -> Vec<Running> {
    let start = |millis: &u32| {
        let mut command = watched.command(&["until-eof", "1", &format!("{millis}000")]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running::start(&mut command);
        running.wait_for_line("ready");
        until_asleep(running.pid());
        running
    };
    let deadline = Instant::now() + LIMIT;
    loop {
        // On a busy machine they may get less, and have to try again.
        let mut members: Vec<Running> = millis.iter().map(start).collect();
        let used = |member: &Running| cpu_seconds(member.pid());
        members.sort_by(|a, b| used(a).total_cmp(&used(b)));
        let last: Vec<f64> = members.iter().rev().take(3).map(used).collect();
        if last.windows(2).all(|pair| pair[0] - pair[1] >= 0.03) {
            return members;
        }
        assert!(Instant::now() < deadline, "they get no CPU time: {last:?}");
    }
}

/// One that has used CPU time, as /proc counts it, and waits. It is busy by the
/// wall clock, so where others have the CPUs it may have to try again.
pub(super) fn used(command: &mut Command) -> Running {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let deadline = Instant::now() + LIMIT;
    loop {
        let mut running = Running::start(command);
        running.wait_for_line("ready");
        until_asleep(running.pid());
        if cpu_seconds(running.pid()) > 0.0 {
            return running;
        }
        assert!(Instant::now() < deadline, "it gets no CPU time");
    }
}

/// Waits until no thread of a process has anything to do.
fn until_asleep(pid: u32) {
    let deadline = Instant::now() + LIMIT;
    let asleep = || {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        tasks.flatten().all(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat"));
            stat.is_ok_and(|stat| stat.contains(") S "))
        })
    };
    while !asleep() {
        assert!(Instant::now() < deadline, "{pid} does not come to rest");
        std::thread::yield_now();
    }
}

/// CPU time of a process in /proc, which counts ticks.
pub(super) fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    let ticks = rest.split(' ').skip(11).take(2);
    // SAFETY: no memory is involved.
    let hertz = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
    ticks
        .map(|ticks| ticks.parse::<f64>().unwrap())
        .sum::<f64>()
        / hertz
}

#[test]
fn one_look_shows_those_that_used_the_most() {
    let plugins = Plugins::new();
    let watched = plugins.watch_with(TOP_TWO);
    let members = busy(&watched, &[10, 10, 10, 150, 300]);
    let output = sensor(["--run-once", "--output", "json", "--plugins"])
        .arg(plugins.path())
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let service = service(&report, &watched.name).unwrap();
    assert_eq!(service["process_count"], 5);
    let expected = BTreeSet::from([members[3].pid(), members[4].pid()]);
    for metric in [
        "process.cpu.time",
        "process.memory.usage",
        "process.memory.virtual",
        "process.disk.io",
        "process.context_switches",
        "process.paging.faults",
        "process.thread.count",
        "process.unix.file_descriptor.count",
        "process.uptime",
    ] {
        assert_eq!(singles(service, metric), expected, "{metric}");
    }
    for pid in &expected {
        let own = sum(
            service,
            "process.cpu.time",
            Some(("process.pid", &pid.to_string())),
        );
        assert!((own.unwrap() - cpu_seconds(*pid)).abs() <= 0.03, "{own:?}");
    }
    let times = points(service, "process.cpu.time").unwrap();
    let attributes = &times
        .iter()
        .find(|point| point["attributes"].get("process.pid").is_some());
    let attributes = &attributes.unwrap()["attributes"];
    assert_eq!(attributes["process.executable.name"], watched.name.as_str());
    let birth = attributes["process.creation.time"].as_str().unwrap();
    assert!(birth.ends_with('Z') && birth.len() == 30, "{birth}");
    // The service's own points are as they are without.
    let own = times
        .iter()
        .filter(|point| point["attributes"].get("process.pid").is_none());
    assert_eq!(own.count(), 2);
    assert_eq!(singles(service, "sensor.process.count"), BTreeSet::new());
}

#[test]
fn whoever_ends_or_is_overtaken_is_out() {
    let plugins = Plugins::new();
    let watched = plugins.watch_with(TOP_TWO);
    let mut members = busy(&watched, &[10, 100, 250]);
    let [one, two, three] = [0, 1, 2].map(|index| members[index].pid());
    let lines = start(&plugins);
    let shown = |expected: [u32; 2]| {
        let what = format!("{expected:?} at the top");
        let expected = BTreeSet::from(expected);
        wait_service(&lines, &watched.name, &what, |service| {
            singles(service, "process.cpu.time") == expected
        })
    };
    shown([two, three]);
    let mut ended = members.remove(2);
    drop(ended.stdin());
    assert_eq!(ended.wait().status, 0);
    shown([two, one]);
    let busy = Running::start(&mut watched.command(&["spin-forever"]));
    shown([busy.pid(), two]);
    drop(busy);
    shown([two, one]);
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
    for report in &said.lines {
        if let Some(service) = service(report, &watched.name) {
            assert!(singles(service, "process.uptime").len() <= 2, "{service}");
        }
    }
}

#[test]
fn the_collector_is_told_the_start_and_the_end() {
    let collector = Collector::start();
    let plugins = Plugins::new();
    let watched = plugins.watch_with(TOP_TWO);
    let mut members = members(&watched, 2, "1");
    let lines = exporting(&plugins, &collector);
    let mut member = members.remove(0);
    let pid = format!("-> process.pid: Int({})", member.pid());
    // The points of this member, each up to the next; the last one may not be
    // printed whole yet.
    let own = |output: &str| -> Vec<String> {
        let mut points: Vec<&str> = output.split("NumberDataPoints #").collect();
        points.pop();
        points
            .into_iter()
            .filter(|point| point.contains(&pid))
            .map(str::to_owned)
            .collect()
    };
    let ends = |output: &str| {
        let points = own(output);
        points
            .iter()
            .filter(|point| !point.contains("Value: "))
            .count()
    };
    // Rates take two looks, and come behind the counters.
    collector.wait_until("its points", LIMIT, |output| {
        own(output).iter().any(|point| point.contains("cpu.mode")) && own(output).len() > 20
    });
    drop(member.stdin());
    assert_eq!(member.wait().status, 0);
    // Two modes of time and of rate, two directions, two kinds of switches
    // and of faults, the wait, memory twice, threads, descriptors and age.
    collector.wait_until("the end of its points", LIMIT, |output| ends(output) >= 16);
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
    let output = collector.output();
    assert_eq!(ends(&output), 16, "each once:\n{output}");
}
