//! Series of single members: of the largest, and for as long as they are.

use std::collections::BTreeSet;

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

/// Members that were busy for so long, in ms, and wait.
fn busy(watched: &Watched, millis: &[u32]) -> Vec<Running> {
    let start = |millis: &u32| {
        let mut command = watched.command(&["until-eof", "1", &format!("{millis}000")]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running::start(&mut command);
        running.wait_for_line("ready");
        running
    };
    // One after the other: on a busy machine all get what they need.
    millis.iter().map(start).collect()
}

fn cpu_seconds(pid: u32) -> f64 {
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
    let members = busy(&watched, &[10, 400, 10, 250, 10]);
    let output = sensor(["--run-once", "--output", "json", "--plugins"])
        .arg(plugins.path())
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let service = service(&report, &watched.name).unwrap();
    assert_eq!(service["process_count"], 5);
    let expected = BTreeSet::from([members[1].pid(), members[3].pid()]);
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
    let mut members = busy(&watched, &[10, 60, 300]);
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
    let mut members = busy(&watched, &[10, 10]);
    let lines = exporting(&plugins, &collector);
    let mut member = members.remove(0);
    let pid = format!("-> process.pid: Int({})", member.pid());
    // The points of this member, each up to the next.
    let own = |output: &str| -> Vec<String> {
        output
            .split("NumberDataPoints #")
            .filter(|point| point.contains(&pid))
            .map(str::to_owned)
            .collect()
    };
    collector.wait_until("its points", LIMIT, |output| !own(output).is_empty());
    drop(member.stdin());
    assert_eq!(member.wait().status, 0);
    let output = collector.wait_until("the end of its points", LIMIT, |output| {
        let last = own(output);
        last.iter().any(|point| !point.contains("Value: "))
    });
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
    let all = own(&output);
    let ends = all.iter().filter(|point| !point.contains("Value: "));
    assert!(ends.count() > 10, "each of its series ends:\n{output}");
}
