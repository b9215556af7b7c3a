//! Little memory, very many processes, and those that would be more.

use std::{collections::BTreeSet, fs, os::unix::process::CommandExt, thread};

use sensor_tests::{
    cgroup::Small, plugins::sum, process::workload, sensor::skipped, setting::Setting,
};

use super::*;

/// Processes of the storm.
const STORM: usize = 2_000;
/// Processes of one user.
const MOST: u64 = 100;
/// Processes that sleep.
const CROWD: u64 = 100_000;
/// Memory that they and the kernel take for them, kB.
const ROOM: u64 = 8 << 20;
/// Those of them that the table has room for.
const TABLE: u64 = 4_096;

#[test]
fn sixty_four_megabytes_are_enough_for_a_storm_while_the_collector_is_away() {
    const TEST: &str = "sixty_four_megabytes_are_enough_for_a_storm_while_the_collector_is_away";
    let host = Host::new();
    let watched = host.plugins.watch(true);
    let small = match Small::new(&watched.name, 64 << 20) {
        Ok(small) => small,
        Err(why) => return skipped(TEST, &why),
    };
    let mut command = host.command();
    small.hold(&mut command);
    let lines = Lines::start(&mut command);
    wait_reports(&lines, 1);
    let members = fs::read_to_string(small.path().join("cgroup.procs")).unwrap();
    assert_eq!(members.trim(), lines.pid().to_string());
    let program = watched.program.to_str().unwrap();
    let storm = STORM.to_string();
    let ended = run(&mut watched.command(&["storm", &storm, program, "exit", "0"]));
    assert_eq!(ended.status, 0);
    let all = STORM as f64 + 1.0;
    wait_service(&lines, &watched.name, "every exit", |service| {
        sum(service, "sensor.process.exits", None) == Some(all)
    });
    wait_reports(&lines, 2);
    let collector = Collector::start();
    host.open(&collector);
    // Its output is long: it is not read again for every line of it.
    let deadline = Instant::now() + 2 * LIMIT;
    let arrived = || {
        collector
            .output()
            .matches("EventName: process.exit")
            .count()
    };
    while arrived() <= STORM {
        assert!(Instant::now() < deadline, "{} exits arrived", arrived());
        thread::sleep(Duration::from_millis(200));
    }
    terminate(lines);
    assert_eq!(small.oom_kills(), 0);
    let received = Received::parse(&collector.finish());
    let exits = received
        .records
        .iter()
        .filter(|record| record.name == "process.exit");
    let uids: BTreeSet<&str> = exits
        .filter_map(|exit| exit.text("log.record.uid"))
        .collect();
    assert_eq!(uids.len(), STORM + 1);
}

#[test]
fn every_process_of_a_fork_bomb_is_counted() {
    let host = Host::new();
    let watched = host.plugins.watch(false);
    let lines = host.start();
    let mut command = watched.command(&["bomb"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    // A user that nobody else is.
    let user = 100_000 + std::process::id();
    let limit = libc::rlimit {
        rlim_cur: MOST,
        rlim_max: MOST,
    };
    command.uid(user).gid(user);
    // SAFETY: the limit lives; the call is safe between fork and exec.
    unsafe {
        command.pre_exec(
            move || match libc::setrlimit(libc::RLIMIT_NPROC, &raw const limit) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            },
        )
    };
    let mut bomb = Running::start(&mut command);
    bomb.wait_for_line("limit");
    let before = lines.said().lines.len();
    // The bomb has the CPUs until this test ends it; reports come meanwhile.
    wait_reports(&lines, 15);
    let seen: Vec<u64> = {
        let said = lines.said();
        let of = |report| service(report, &watched.name)?["process_count"].as_u64();
        said.lines[before..].iter().filter_map(of).collect()
    };
    assert!(
        seen.iter().any(|&count| count > MOST / 2) && seen.iter().all(|&count| count <= MOST),
        "{seen:?}"
    );
    drop(bomb.stdin());
    let made: f64 = bomb.read_line().trim().parse().unwrap();
    assert!(made > MOST as f64, "{made} processes");
    assert_eq!(bomb.wait().status, 0);
    let last = wait_service(&lines, &watched.name, "the end of every one", |service| {
        service["process_count"] == 0
            && sum(service, "sensor.process.exits", None) == Some(made + 1.0)
    });
    assert_eq!(sum(&last, "sensor.process.starts", None), Some(made + 1.0));
    println!("{made} processes");
    terminate(lines);
}

#[test]
fn a_hundred_thousand_processes_push_nobody_out_who_is_watched() {
    const TEST: &str = "a_hundred_thousand_processes_push_nobody_out_who_is_watched";
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap();
    let mut lines = meminfo.lines();
    let free = lines.find_map(|line| line.strip_prefix("MemAvailable:"));
    let free: u64 = free
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    if free < ROOM {
        return skipped(
            TEST,
            &format!("{free} kB of memory available, {ROOM} needed"),
        );
    }
    let _pids = Setting::at_least("pid_max", 2 * CROWD);
    let collector = Collector::start();
    let host = Host::with_config(&format!("[limits]\nprocesses = {TABLE}\n"));
    host.open(&collector);
    let watched = host.plugins.watch(false);
    let mut first = member(&watched);
    let lines = host.start();
    let mut command = workload(["crowd", &CROWD.to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut crowd = Running::start(&mut command);
    crowd.wait_for_line("ready");
    let mut second = member(&watched);
    wait_service(&lines, &watched.name, "both members", |service| {
        service["process_count"] == 2
    });
    wait_received(&collector, "evictions", |received| {
        let evicted = received.of("sensor", "sensor.table.evicted");
        let most = evicted.map(|point| point.value).fold(0.0, f64::max);
        most >= (CROWD - TABLE) as f64
    });
    let received = Received::parse(&collector.output());
    for point in received.of("sensor", "sensor.table.processes") {
        assert!(point.value <= TABLE as f64, "{point:?}");
    }
    let status = fs::read_to_string(format!("/proc/{}/status", lines.pid())).unwrap();
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let rss: u64 = rss.unwrap().trim().trim_end_matches(" kB").parse().unwrap();
    println!("{rss} kB resident");
    assert!(rss < 64 << 10, "{rss} kB resident");
    for one in [&mut first, &mut second] {
        drop(one.stdin());
    }
    for one in [first, second] {
        assert_eq!(one.wait().status, 0);
    }
    wait_service(&lines, &watched.name, "the end of both", |service| {
        service["process_count"] == 0 && sum(service, "sensor.process.exits", None) == Some(2.0)
    });
    drop(crowd.stdin());
    assert_eq!(crowd.wait().status, 0);
    wait_reports(&lines, 2);
    terminate(lines);
}
