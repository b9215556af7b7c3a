//! What processes used.

use std::process::Stdio;

use sensor_tests::{
    accounting::{Checker, Expected},
    process::{Running, Spinners, run, workload},
};

/// Processes with one thread and with many, short and long.
fn busy_processes(checker: &mut Checker, rounds: u32) {
    for _ in 0..rounds {
        for micros in [0, 50, 200, 1_000, 3_900, 20_000, 60_000] {
            let ended = run(&mut workload(["spin", &micros.to_string()]));
            let name = format!("spin for {micros} µs");
            checker.check(&ended, Expected::new(&name));
        }
        for times in ["10000", "10000000"] {
            let ended = run(&mut workload(["iterate", times]));
            checker.check(&ended, Expected::new("iterate"));
        }
        for (count, micros) in [(1, 500), (2, 3_000), (8, 1_000), (32, 200), (4, 20_000)] {
            let ended = run(&mut workload([
                "threads",
                &count.to_string(),
                &micros.to_string(),
            ]));
            let name = format!("{count} threads for {micros} µs");
            checker.check(&ended, Expected::new(&name).threads(count + 1));
        }
        for (count, micros) in [(1, 500), (2, 3_000), (8, 1_000), (16, 100), (2, 30_000)] {
            let command = ["leader-first", &count.to_string(), &micros.to_string()];
            let ended = run(&mut workload(command));
            let name = format!("leader first, {count} threads for {micros} µs");
            checker.check(&ended, Expected::new(&name).threads(count + 1));
        }
        for count in [1, 2, 8, 32] {
            let ended = run(&mut workload(["all-exit", &count.to_string()]));
            let name = format!("{count} threads and the leader exit at once");
            checker.check(&ended, Expected::new(&name).threads(count + 1));
            let ended = run(&mut workload(["race-exit", &count.to_string()]));
            let name = format!("{count} threads and the leader call exit_group");
            checker.check(&ended, Expected::new(&name).threads(count + 1));
        }
    }
}

#[test]
fn cpu_time_equals_wait4_on_an_idle_machine() {
    let mut checker = Checker::start();
    busy_processes(&mut checker, 3);
    checker.finish();
}

#[test]
fn cpu_time_equals_wait4_while_every_cpu_is_busy() {
    let mut checker = Checker::start();
    let spinners = Spinners::start();
    busy_processes(&mut checker, 3);
    drop(spinners);
    checker.finish();
}

#[test]
fn memory_and_switches_equal_wait4() {
    let mut checker = Checker::start();
    for bytes in ["0", "4096", "1000000", "33554432", "134217728"] {
        let ended = run(&mut workload(["touch", bytes]));
        let name = format!("touches {bytes} bytes");
        checker.check(&ended, Expected::new(&name));
    }
    for times in ["1", "100", "2000"] {
        let ended = run(&mut workload(["ping-pong", times]));
        let name = format!("{times} ping-pongs");
        checker.check(&ended, Expected::new(&name).threads(2));
    }
    checker.finish();
}

#[test]
fn disk_traffic_equals_wait4() {
    let mut checker = Checker::start();
    // Not in /tmp, which may be memory.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for bytes in [65_536_u32, 4_194_304] {
        let file = directory.path().join("file");
        let command = ["write", file.to_str().unwrap(), &bytes.to_string()];
        let ended = run(&mut workload(command));
        let name = format!("writes and reads {bytes} bytes");
        let exit = checker.check(&ended, Expected::new(&name));
        let rchar = exit["sensor.io.rchar"].as_u64();
        let wchar = exit["sensor.io.wchar"].as_u64();
        let all = |chars: Option<u64>| chars.is_some_and(|chars| chars >= u64::from(bytes));
        checker.note(&name, all(rchar) && all(wchar), || {
            format!("rchar {rchar:?}, wchar {wchar:?}")
        });
    }
    checker.finish();
}

#[test]
fn a_process_older_than_the_sensor_ends_with_its_whole_life() {
    let start = |count: &str| {
        let mut command = workload(["until-eof", count, "3000"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running::spawn(&mut command);
        running.wait_for_line("ready");
        running
    };
    let older = ["0", "2", "8", "9"].map(|count| (count, start(count)));
    let mut checker = Checker::start();
    for (count, mut running) in older {
        drop(running.stdin());
        let ended = running.wait();
        let name = format!("older than the sensor, {count} threads");
        let expected = Expected {
            execs: 0,
            threads: None,
            ..Expected::new(&name)
        };
        let exit = checker.check(&ended, expected);
        let args = &exit["process.command_args"][1];
        checker.note(&name, args == "until-eof", || exit.to_string());
    }
    checker.finish();
}

#[test]
fn threads_that_race_to_the_end_are_counted_in_every_order() {
    let mut checker = Checker::start();
    let spinners = Spinners::start();
    for _ in 0..150 {
        for (kind, count) in [
            ("race-exit", 1),
            ("race-exit", 3),
            ("all-exit", 1),
            ("all-exit", 3),
        ] {
            let ended = run(&mut workload([kind, &count.to_string()]));
            let name = format!("{kind} of {count} threads and the leader");
            checker.check(&ended, Expected::new(&name).threads(count + 1));
        }
    }
    drop(spinners);
    checker.finish();
}
