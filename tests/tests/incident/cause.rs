//! What is said of a cause, and only with evidence.

use std::process::{Command, Stdio};

use sensor_tests::process::{Running, workload};

use super::*;

#[test]
fn an_exit_code_is_a_cause() {
    let desk = Desk::watching("/bin/sh");
    let ended = run(&mut desk.watched.command(&["-c", "exit 3"]));
    let found = desk.incident(ended.pid);
    assert_eq!(found["sensor.incident.kind"], "exit");
    assert_eq!(found["sensor.incident.cause"], "exit code 3");
    assert_eq!(found["process.exit.code"], 3);
    assert_eq!(found["sensor.incident.count"], 1);
    assert_eq!(found["service.name"][0], *desk.watched.name);
    assert_eq!(found["process.command_args"][2], "exit 3");
    assert!(found["sensor.exit.signal"].is_null());
    assert!(found["exception.type"].is_null());
    // 137 is a code as any other.
    let ended = run(&mut desk.watched.command(&["-c", "exit 137"]));
    let found = desk.incident(ended.pid);
    assert_eq!(found["sensor.incident.cause"], "exit code 137");
    assert_eq!(found["sensor.incident.kind"], "exit");
}

#[test]
fn what_ended_as_wished_is_none_and_so_is_what_nobody_watches() {
    let desk = Desk::watching("/bin/sh");
    let fine = run(&mut desk.watched.command(&["-c", "exit 0"]));
    let asked = run(&mut desk.watched.command(&["-c", "kill -TERM $$"]));
    let foreign = run(&mut workload(["exit", "7"]));
    assert_eq!(asked.status, libc::SIGTERM);
    let all = desk.all();
    for ended in [fine, asked, foreign] {
        assert!(!all.iter().any(|one| pid(one) == ended.pid), "{all:?}");
    }
}

#[test]
fn who_sent_a_signal_is_named() {
    let desk = Desk::watching("/bin/sleep");
    let reaper = desk.plugins.link("/bin/sh", "reaper");
    let victim = Running::start(&mut desk.watched.command(&["1000"]));
    desk.events.lines().wait("the exec of the victim", |said| {
        let mut execs = said.lines.iter().filter(|line| is(line, "process.exec"));
        execs.any(|line| pid(line) == victim.pid()).then_some(())
    });
    let of = victim.pid();
    let sender = run(Command::new(reaper).args(["-c", &format!("kill -9 {of}; exit 0")]));
    let ended = victim.wait();
    assert_eq!(ended.status, libc::SIGKILL);
    let found = desk.incident(of);
    let cause = format!("signal 9 (SIGKILL) from pid {} (reaper)", sender.pid);
    assert_eq!(found["sensor.incident.cause"], *cause);
    assert_eq!(found["sensor.incident.kind"], "exit");
    assert_eq!(found["sensor.signal.sender.pid"], sender.pid);
    assert_eq!(found["sensor.signal.sender.name"], "reaper");
    assert_eq!(found["sensor.exit.signal"], 9);
    assert!(found["process.exit.code"].is_null());
}

/// Who hears SIGTERM, cleans up and ends itself by it, was ended by the other.
#[test]
fn who_cleans_up_first_was_ended_by_the_sender_all_the_same() {
    let desk = Desk::watching("/bin/sh");
    let script = "trap 'trap - QUIT; kill -QUIT $$' QUIT; echo ready; while :; do sleep 0.01; done";
    let mut command = desk.watched.command(&["-c", script]);
    let mut victim = Running::start(command.env("PATH", "/bin").stdout(Stdio::piped()));
    victim.wait_for_line("ready");
    victim.signal(libc::SIGQUIT);
    let of = victim.pid();
    assert_eq!(victim.wait().status & 0x7f, libc::SIGQUIT);
    let found = desk.incident(of);
    assert_eq!(found["sensor.signal.sender.pid"], std::process::id());
}

#[test]
fn a_fault_has_no_sender() {
    let plugins = Plugins::new();
    let watched = plugins.watch(false);
    let events = Events::start(&["--plugins", &plugins.flag()]);
    let desk = Desk {
        plugins,
        watched,
        events,
    };
    for (signal, name) in [("11", "SIGSEGV"), ("6", "SIGABRT")] {
        let ended = run(&mut desk.watched.command(&["signal", signal, "0", "0"]));
        let found = desk.incident(ended.pid);
        let cause = found["sensor.incident.cause"].as_str().unwrap();
        assert!(
            cause.starts_with(&format!("signal {signal} ({name})")),
            "{cause}"
        );
        let dumped = ended.status & 0x80 != 0;
        assert_eq!(cause.ends_with(", core dumped"), dumped, "{cause}");
        assert_eq!(found["sensor.exit.core_dumped"], dumped);
        if name == "SIGSEGV" {
            assert!(!cause.contains("from"), "{cause}");
            assert!(found["sensor.signal.sender.pid"].is_null());
        }
    }
}
