//! Processes that do what no program should.

use std::{
    fs,
    os::unix::{ffi::OsStrExt, process::CommandExt},
    process::{Command, Stdio},
};

use sensor_tests::{
    accounting::{Checker, Expected},
    plugins::{Plugins, service, sum, wait_service},
    process::{Running, built, run, workload},
    sensor::{Lines, end, sensor},
};
use serde_json::json;

/// How often a process runs itself again.
const TIMES: usize = 1_000;
const THREADS: u64 = 10_000;

#[test]
fn a_process_that_runs_itself_a_thousand_times_is_one() {
    let mut checker = Checker::start();
    let ended = run(&mut workload(["exec-loop", &TIMES.to_string()]));
    assert_eq!(ended.status, 0);
    let expected = Expected::new("an exec loop").execs(TIMES + 1);
    let exit = checker.check(&ended, expected);
    let args = &exit["process.command_args"];
    checker.note("an exec loop", args[2] == "0", || exit.to_string());
    checker.finish();
}

#[test]
fn ten_thousand_threads_are_one_process() {
    let plugins = Plugins::new();
    let watched = plugins.watch(false);
    let mut checker = Checker::start();
    let flag = plugins.flag();
    let args = ["run", "--interval", "500ms", "--output", "json"];
    let lines = Lines::start(sensor(args).args(["--plugins", &flag]));
    lines.wait("a report", |said| said.lines.first().map(drop));
    let mut command = watched.command(&["many-threads", &THREADS.to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = Running::spawn(&mut command);
    running.wait_for_line("ready");
    let all = THREADS + 1;
    wait_service(&lines, &watched.name, "every thread", |service| {
        sum(service, "process.thread.count", None) == Some(all as f64)
    });
    drop(running.stdin());
    let ended = running.wait();
    assert_eq!(ended.status, 0);
    checker.check(&ended, Expected::new("10,000 threads").threads(all));
    let last = wait_service(&lines, &watched.name, "its end", |service| {
        service["process_count"] == 0 && sum(service, "sensor.process.exits", None) == Some(1.0)
    });
    let cpu = sum(&last, "process.cpu.time", None).unwrap();
    let theirs = ended.usage.cpu_ns() as f64 / 1e9;
    // Each thread does something after its hook (contract A2).
    assert!(
        (cpu - theirs).abs() < 0.6 + theirs / 50.0,
        "{cpu}, wait4 says {theirs}"
    );
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
    checker.finish();
}

#[test]
fn arguments_are_those_of_the_exec_whatever_is_written_over_them() {
    let mut checker = Checker::start();
    let lie = "[kworker/0:0]\u{1b}[2J\n";
    let mut command = workload(["rewrite-argv", lie, "more", "room", "for", "a", "lie"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = Running::spawn(&mut command);
    running.wait_for_line("ready");
    let now = fs::read(format!("/proc/{}/cmdline", running.pid())).unwrap();
    assert!(now.starts_with(lie.as_bytes()), "nothing was written over");
    drop(running.stdin());
    let ended = running.wait();
    let exit = checker.check(&ended, Expected::new("another argv"));
    let args = &exit["process.command_args"];
    let good = args[1] == "rewrite-argv" && args[2] == lie && args[6] == "a";
    checker.note("another argv", good, || exit.to_string());
    checker.finish();
}

/// Names of files that would move the cursor, change colours, end a line, turn
/// the text around, or are no text at all.
const NAMES: [&[u8]; 6] = [
    b"esc\x1b[2J\x1b]0;owned\x07",
    b"new\nline",
    b"back\r\x08\x7f",
    b"\xc2\x9b31m",
    b"not\xffutf8",
    "\u{202e}gpj".as_bytes(),
];

#[track_caller]
fn assert_harmless(text: &str) {
    let bad = |char: &char| {
        char.is_control() && *char != '\n' || ('\u{202a}'..='\u{202e}').contains(char)
    };
    assert_eq!(text.chars().find(bad), None, "{text:?}");
}

#[test]
fn nothing_that_a_process_is_called_reaches_a_terminal_as_it_is() {
    let plugins = Plugins::new();
    let directory = plugins.root().canonicalize().unwrap();
    let mut members = Vec::new();
    for name in NAMES {
        let program = directory.join(std::ffi::OsStr::from_bytes(name));
        fs::copy(built("workload"), &program).unwrap();
        let mut command = Command::new(&program);
        command.arg0(std::ffi::OsStr::from_bytes(name));
        command.args(["until-eof", "0", "0", "\u{1b}[31m", "a\nb"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running::start(&mut command);
        running.wait_for_line("ready");
        members.push(running);
    }
    // By executable: what people see, and what collectors get.
    plugins.plugin(
        "hostile",
        "until-eof",
        "[match]\non = 'cmdline'\ngroup_by = 'executable'\n[metrics]\nper_process_top = 9\n",
    );
    let once = |output| {
        let mut command = sensor(["--run-once", "--output", output, "--plugins"]);
        let (code, out, errors) = end(command.arg(plugins.path()));
        assert_eq!(code, Some(0), "{errors}");
        assert_harmless(&errors);
        out
    };
    let text = once("text");
    assert_harmless(&text);
    assert!(text.contains("new\\nline"), "{text}");
    assert!(text.contains("\\x1b[2J"), "{text}");
    let json = once("json");
    // One object, one line; and every name is a group of its own.
    assert_eq!(json.trim_end().lines().count(), 1);
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(service(&report, "hostile").is_some(), "{report}");
    let all = report["services"].as_array().unwrap();
    for name in NAMES {
        let name = json!(String::from_utf8_lossy(name));
        let mut groups = all.iter().map(|one| &one["group"]);
        assert!(groups.any(|group| *group == name), "{name} in {report}");
    }

    // The live stream, for people.
    let mut command = sensor(["events", "--duration", "60s"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut events = Running::start(&mut command);
    let program = directory.join(std::ffi::OsStr::from_bytes(NAMES[0]));
    let (mut out, _) = events.outputs();
    // It sees some of them, once it is attached.
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        let mut part = [0; 4_096];
        while !String::from_utf8_lossy(&text).contains("owned") {
            match std::io::Read::read(&mut out, &mut part) {
                Ok(0) | Err(_) => break,
                Ok(length) => text.extend_from_slice(&part[..length]),
            }
        }
        text
    });
    let deadline = std::time::Instant::now() + sensor_tests::sensor::LIMIT;
    while !reader.is_finished() && std::time::Instant::now() < deadline {
        assert_eq!(
            run(Command::new(&program).args(["exit", "0", "\u{1b}[1m"])).status,
            0
        );
    }
    events.signal(libc::SIGINT);
    let text = String::from_utf8(reader.join().unwrap()).unwrap();
    assert!(text.contains("owned"), "{text:?}");
    assert_harmless(&text);
    drop(events);
    for mut member in members {
        drop(member.stdin());
        assert_eq!(member.wait().status, 0);
    }
}
